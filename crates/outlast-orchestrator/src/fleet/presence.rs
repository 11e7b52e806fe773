//! Which hosts are there: what is heard of them, and for how long nothing was.

use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use outlast_core::{
    AttrName, AttrValue, Attributes, Error, ErrorKind, EventLevel, Filter, Host, HostStatus, Query,
    Result, Status, Test, Timestamp,
};
use outlast_store::{Draft, Stored};

use super::Hosts;
use super::busy::keep_free;
use super::queue::is_of_one;
use super::writer::Writer;
use crate::telemetry;

/// How often a host is expected to be heard, unless said otherwise.
pub const HEARTBEAT: Duration = Duration::from_secs(5);

/// For how long a host may be silent before it counts as offline: 120 heartbeats, and 5 minutes
/// at least.
pub fn stale_after(heartbeat: Duration) -> Duration {
    (heartbeat * 120).max(Duration::from_mins(5))
}

/// When a host was last heard; `None` if it never was.
pub fn last_seen(host: &Stored<Host>) -> Option<Timestamp> {
    match host.transient.get(&AttrName::new(Host::LAST_SEEN).ok()?) {
        Some(AttrValue::Int(micros)) => Some(Timestamp::from_micros(*micros)),
        _ => None,
    }
}

/// What a look for silent hosts came to.
#[derive(Debug)]
pub struct Sweep {
    /// The hosts that are offline now.
    pub lost: Vec<String>,
    /// Hosts that cannot be read. The others were looked at.
    pub problems: Vec<Error>,
    /// Before when no host can have been silent for too long.
    pub next: Timestamp,
}

impl Hosts {
    /// A host is heard, and says how it is: the time is noted, and its status if it is another.
    /// `Invalid` for a status that only those have that are not heard.
    pub async fn heartbeat(&self, id: &str, status: HostStatus) -> Result<()> {
        if matches!(status, HostStatus::Offline | HostStatus::Unknown) {
            let status = status.as_str();
            return Err(Error::invalid(format!("host/{id} is heard, so it is not {status}")));
        }
        let key = self.kind().key(id)?;
        let host = self.change(id, |host| async move { self.to(&host, status) }).await?;
        let now = AttrValue::from(self.writer.now());
        let seen = Attributes::from([(AttrName::new(Host::LAST_SEEN)?, now)]);
        let touch = || async {
            let mut draft = self.writer.draft();
            draft.touch(key.clone(), seen.clone());
            Ok((Some(draft), ()))
        };
        self.writer.write(std::slice::from_ref(&host.key), touch).await.map(drop)
    }

    /// A host said goodbye, or its connection is gone.
    pub async fn disconnect(&self, id: &str) -> Result<Stored<Host>> {
        self.change(id, |host| async move { self.to(&host, HostStatus::Offline) }).await
    }

    fn to(&self, host: &Stored<Host>, status: HostStatus) -> Result<Option<(Draft, Host)>> {
        if host.status == status {
            return Ok(None);
        }
        let (level, action) = match (host.status, status) {
            (_, HostStatus::Offline) => (EventLevel::Warn, "disconnect"),
            (_, HostStatus::Error) => (EventLevel::Error, "status"),
            (HostStatus::Offline | HostStatus::Unknown, _) => (EventLevel::Info, "connect"),
            _ => (EventLevel::Info, "status"),
        };
        let next = Host { status, ..(**host).clone() };
        let mut draft = self.writer.draft();
        draft.replace(host, &next)?;
        let message = format!("host {} is {}", host.hostname, status.as_str());
        draft.report(&self.event(host.id(), level, action, message)?)?;
        Ok(Some((draft, next)))
    }

    /// Marks the hosts offline that were not heard for longer than `stale_after` and run no
    /// command. Each is read again before it is changed, in a commit of its own.
    ///
    /// A heartbeat that comes at the same moment may be overtaken; the next one brings the host
    /// back.
    pub async fn sweep(&self, stale_after: Duration) -> Result<Sweep> {
        let now = self.writer.now();
        let mut sweep =
            Sweep { lost: Vec::new(), problems: Vec::new(), next: now.plus(stale_after) };
        let mut hosts = pin!(self.kind().stream(self.heard()?));
        while let Some(host) = hosts.next().await {
            let swept = match host {
                Ok(host) => self.sweep_one(&host, now.minus(stale_after)).await,
                Err(error) => Err(error),
            };
            match swept {
                Ok(Seen::At(seen)) => sweep.next = sweep.next.min(seen.plus(stale_after)),
                Ok(Seen::Lost(id)) => sweep.lost.push(id),
                Ok(Seen::Busy) => {}
                Err(error) if is_of_one(&error) => sweep.problems.push(error),
                Err(error) => return Err(error),
            }
        }
        metrics::counter!(telemetry::HOSTS_LOST).increment(sweep.lost.len() as u64);
        Ok(sweep)
    }

    /// Those that count as there.
    fn heard(&self) -> Result<Query> {
        let there = [HostStatus::Online, HostStatus::Running, HostStatus::Error];
        let values = there.map(|status| AttrValue::from(status.as_str())).to_vec();
        let filter = Filter { name: AttrName::status(), test: Test::AnyOf(values) };
        Ok(self.kind().query()?.filter(filter))
    }

    async fn sweep_one(&self, listed: &Stored<Host>, before: Timestamp) -> Result<Seen> {
        if let Some(seen) = fresh(listed, before) {
            return Ok(Seen::At(seen));
        }
        let Writer { store, .. } = &self.writer;
        let id = listed.id();
        let swept = self
            .change(id, |host| async move {
                let is_there = !matches!(host.status, HostStatus::Offline | HostStatus::Unknown);
                let is_silent = fresh(&host, before).is_none();
                if !is_there || !is_silent {
                    return Ok(None);
                }
                let lost = self.to(&host, HostStatus::Offline)?;
                Ok(match lost {
                    Some((mut draft, next)) => {
                        keep_free(store, &mut draft, host.id()).await?;
                        Some((draft, next))
                    }
                    None => None,
                })
            })
            .await;
        match swept {
            Ok(host) if host.status == HostStatus::Offline => Ok(Seen::Lost(id.to_owned())),
            Ok(host) => Ok(fresh(&host, before).map_or(Seen::Busy, Seen::At)),
            // A command has it, or it was removed.
            Err(error) if matches!(error.kind(), ErrorKind::Exists | ErrorKind::NotFound) => {
                Ok(Seen::Busy)
            }
            Err(error) => Err(error),
        }
    }
}

/// How a host was found.
enum Seen {
    /// Heard at this time, which is not too long ago.
    At(Timestamp),
    /// Offline from now on.
    Lost(String),
    /// Silent, but a command runs there: its deadlines decide.
    Busy,
}

/// When the host was last heard, if that is not before `before`. One that is there and never
/// was heard was changed when it came.
fn fresh(host: &Stored<Host>, before: Timestamp) -> Option<Timestamp> {
    let seen = last_seen(host).unwrap_or(host.updated_at);
    (seen > before).then_some(seen)
}
