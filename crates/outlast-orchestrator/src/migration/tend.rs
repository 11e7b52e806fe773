//! What a migration does by itself: walking to where kinds are wished to be, going back when the
//! database has been away for too long, and telling the recorder where everything stands.

use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use outlast_core::Kind;
use tokio::time::sleep;

use super::control::Link;
use super::dual::Shared;
use super::migration::{Migration, Options};
use super::{Phase, family};
use crate::telemetry;

/// How often it looks.
const TICK: Duration = Duration::from_millis(250);

/// How long nothing is advanced by itself after something was rolled back by itself.
const COOL_DOWN: Duration = Duration::from_mins(5);

impl Migration {
    pub(super) fn tend(&self) {
        let Ok(shared) = self.shared() else { return };
        if self.options.auto_advance {
            tokio::spawn(walk(self.clone()));
        }
        tokio::spawn(watch(Arc::downgrade(shared), self.options.clone()));
    }
}

/// Advances what is wished to be in the database, parents first.
async fn walk(migration: Migration) {
    loop {
        sleep(TICK).await;
        let Ok(shared) = migration.shared() else { return };
        if shared.closed.is_set() {
            return;
        }
        let Ok(kinds) = migration.kinds().await else { return };
        for kind in kinds {
            let has_cooled = shared.progress(&kind).moves.last().is_none_or(|moved| {
                moved.to > moved.from || shared.far.clock.now().since(moved.at) > COOL_DOWN
            });
            let is_wanted = migration.desired(&kind) == Phase::Live;
            if !is_wanted || !has_cooled || migration.phase(&kind) >= Phase::Live {
                continue;
            }
            if let Err(error) = migration.advance(&kind, Phase::Live, false, |_| {}).await {
                tracing::debug!(%kind, %error, "not advanced yet");
            }
        }
    }
}

/// Rolls back what is to be, and sets the gauges.
async fn watch(shared: Weak<Shared>, options: Arc<Options>) {
    loop {
        sleep(TICK).await;
        let Some(shared) = shared.upgrade() else { return };
        if shared.closed.is_set() {
            return;
        }
        shared.gauge();
        shared.note_volatile();
        let Some(limit) = options.auto_rollback else { continue };
        let since = *shared.away_since.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = since.is_some_and(|since| shared.far.clock.now().since(since) >= limit);
        if is_due && *shared.control().link() != Link::Up {
            shared.go_back(&options).await;
        }
    }
}

impl Shared {
    /// Takes every live kind back to shadow, children first.
    async fn go_back(self: &Arc<Self>, options: &Options) {
        let mut live: Vec<Kind> = {
            let control = self.control();
            let live = control
                .courses()
                .iter()
                .filter(|(_, course)| course.phase == Phase::Live && !course.fenced);
            live.map(|(kind, _)| kind.clone()).collect()
        };
        live.sort_by_key(|kind| std::cmp::Reverse(family::generation(kind)));
        for kind in live {
            if let Err(error) = self.go(&kind, Phase::Shadow, &options.thresholds, false).await {
                tracing::warn!(%kind, %error, "could not be rolled back by itself");
            }
        }
    }

    /// Keeps the file beside the database honest about what is in memory only.
    pub(crate) fn note_volatile(&self) {
        let since = *self.away_since.lock().unwrap_or_else(PoisonError::into_inner);
        let kinds: Vec<(Kind, Phase, bool)> = {
            let control = self.control();
            let durable = control.courses().iter().filter(|(_, course)| course.phase.is_durable());
            let told = durable
                .map(|(kind, course)| (kind.clone(), course.phase, control.behind(Some(kind)) > 0));
            told.collect()
        };
        for (kind, phase, is_behind) in kinds {
            let noted = match since {
                Some(since) if is_behind => self.mark(&kind, Some(phase), Some(since)),
                None if !is_behind => self.unmark(&kind),
                _ => Ok(()),
            };
            if let Err(error) = noted {
                tracing::warn!(%error, %kind, "the file beside the database is not up to date");
            }
        }
    }

    #[allow(clippy::cast_precision_loss)]
    fn gauge(&self) {
        let control = self.control();
        for (kind, course) in control.courses() {
            let kind = kind.as_str().to_owned();
            let phase = f64::from(course.phase as u8);
            metrics::gauge!(telemetry::MIGRATION_PHASE, "kind" => kind.clone()).set(phase);
            metrics::gauge!(telemetry::MIGRATION_EPOCH, "kind" => kind.clone())
                .set(course.epoch as f64);
            let is_ready = (Phase::Shadow..=Phase::Live).contains(&course.phase) && !course.fenced;
            metrics::gauge!(telemetry::MIGRATION_ROLLBACK_READY, "kind" => kind.clone())
                .set(f64::from(u8::from(is_ready)));
        }
        metrics::gauge!(telemetry::MIGRATION_DIRTY).set(control.behind(None) as f64);
        drop(control);
        let now = self.far.clock.now();
        let away = *self.away_since.lock().unwrap_or_else(PoisonError::into_inner);
        let lag = away.map_or(0.0, |since| now.since(since).as_secs_f64());
        metrics::gauge!(telemetry::MIGRATION_LAG).set(lag);
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        for (kind, progress) in &*progress {
            if let Some(clean) = &progress.clean {
                let age = now.since(clean.at).as_secs_f64();
                metrics::gauge!(telemetry::MIGRATION_DIFF_AGE, "kind" => kind.as_str().to_owned())
                    .set(age);
            }
        }
    }
}
