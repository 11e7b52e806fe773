//! What a session can be told to do.

use outlast_core::{Error, ErrorKind, Result, Session, SessionStatus};
use outlast_store::Stored;

use super::handle::{SessionHandle, Step};

impl SessionHandle {
    /// Notes that it has one more entry, and which. The entry itself is kept by whoever wrote it.
    ///
    /// Noting the last one again changes nothing, so it may be repeated when no answer came.
    /// `IllegalTransition` once it is closed; `TooLarge` or `Invalid` for what is no id.
    pub async fn record(&self, entry_id: &str) -> Result<Stored<Session>> {
        outlast_core::Id::new(entry_id)?;
        self.change(|session, _| {
            if session.last_entry_id.as_deref() == Some(entry_id) {
                return Ok(None);
            }
            if session.status != SessionStatus::Open {
                let message = format!("{} takes no entries: it is closed", session.key);
                return Err(Error::new(ErrorKind::IllegalTransition, message));
            }
            Ok(Some(Step::quiet(Session {
                entry_count: session.entry_count.saturating_add(1),
                last_entry_id: Some(entry_id.to_owned()),
                ..(**session).clone()
            })))
        })
        .await
    }

    /// Closes it. A session that is closed stays as it is.
    pub async fn close(&self) -> Result<Stored<Session>> {
        self.change(|session, now| {
            let is_open = session.status == SessionStatus::Open;
            let closed = Session {
                status: SessionStatus::Closed,
                closed_at: Some(now),
                ..(**session).clone()
            };
            Ok(is_open.then_some(Step::quiet(closed)))
        })
        .await
    }
}
