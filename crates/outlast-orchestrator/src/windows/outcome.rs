//! What a hand-over came to, recorded in one commit each.

use std::collections::HashSet;

use outlast_core::{
    Actor, Artifact, Cause, Consumption, Dispatch, Error, Event, EventCategory, EventLevel, Id,
    Receipt, Result, Timestamp, Window, WindowKind, WindowStatus,
};
use outlast_store::{Draft, Stored};
use serde_json::json;

use super::engine::Engine;
use crate::telemetry;

/// The longest error of a handler that is kept, in characters.
const MOST_CHARS: usize = 1000;

impl Engine {
    /// The agent has done it: the window is over, and what it held is consumed.
    pub(super) async fn acknowledge(
        &self,
        window: &Stored<Window>,
        artifacts: &[Stored<Artifact>],
    ) -> Result<()> {
        let now = self.now();
        let status = match window.operation {
            WindowKind::Join => WindowStatus::Completed,
            WindowKind::Batch => WindowStatus::Flushed,
        };
        let next = Window { status, finished_at: Some(now), error: None, ..(**window).clone() };
        let mut draft = self.draft_of(window, &next)?;
        let run_id = window.dispatch.as_ref().map(|dispatch| dispatch.id.clone());
        // One artifact may be in several items of a batch, and is consumed once.
        let mut seen = HashSet::new();
        for artifact in artifacts.iter().filter(|artifact| seen.insert(artifact.id())) {
            let consumption = Consumption {
                artifact_id: artifact.id().to_owned(),
                consumer: window.agent_name.clone(),
                subscription: Some(window.subscription.clone()),
                run_id: run_id.clone(),
                correlation_id: artifact.correlation_id.clone(),
                consumed_at: now,
            };
            draft.create(&self.store().ids().uuid().to_string(), &consumption)?;
        }
        self.instance.commit(&draft).await.map(drop)
    }

    /// A try failed: the next one is recorded, or that there is none. Says when it is.
    pub(super) async fn record_failure(
        &self,
        window: &Stored<Window>,
        error: &Error,
    ) -> Result<Option<Timestamp>> {
        let why: String = error.to_string().chars().take(MOST_CHARS).collect();
        let tried = attempts(window);
        if tried >= self.options.most_attempts {
            return self.give_up(window, &why).await.map(|()| None);
        }
        let at = self.now().plus(self.options.pause(tried));
        let next = next_try(window, Some(at), why);
        self.instance.commit(&self.draft_of(window, &next)?).await?;
        Ok(Some(at))
    }

    /// The recorded try may have been made, and nobody knows what came of it: the next one is
    /// recorded, to be made at once, or that there is none.
    pub(super) async fn record_cut_off(
        &self,
        window: &Stored<Window>,
    ) -> Result<Option<Stored<Window>>> {
        let why = "the try before was cut off";
        if attempts(window) >= self.options.most_attempts {
            return self.give_up(window, why).await.map(|()| None);
        }
        let next = next_try(window, None, why.to_owned());
        let receipt = self.instance.commit(&self.draft_of(window, &next)?).await?;
        advanced(window, next, &receipt).map(Some)
    }

    /// There is no further try.
    pub(super) async fn give_up(&self, window: &Stored<Window>, why: &str) -> Result<()> {
        let next = Window {
            status: WindowStatus::DeadLetter,
            finished_at: Some(self.now()),
            error: Some(why.to_owned()),
            ..(**window).clone()
        };
        let mut draft = self.draft_of(window, &next)?;
        let tried = attempts(window);
        let group = Window::group_of(&window.agent_name, &window.subscription);
        let message = format!("what was put together for {group} is given up: {why}");
        let event = Event::new(EventCategory::Error, EventLevel::Error, message)
            .called("window:dead_letter")
            .about(window.key.clone())
            .with(json!({ "dispatch": window.dispatch, "attempts": tried }));
        draft.report(&event)?;
        self.instance.commit(&draft).await?;
        metrics::counter!(telemetry::WINDOW_DEAD_LETTERS).increment(1);
        Ok(())
    }

    fn draft_of(&self, window: &Stored<Window>, next: &Window) -> Result<Draft> {
        let agent = Id::new(&window.agent_name).map_or(Actor::System, Actor::Agent);
        let mut draft = self.instance.draft(Cause::by(agent));
        draft.replace(window, next)?;
        Ok(draft)
    }
}

pub(super) fn advanced(
    window: &Stored<Window>,
    next: Window,
    receipt: &Receipt,
) -> Result<Stored<Window>> {
    let version = receipt.version(&window.key).ok_or_else(|| {
        Error::internal(format!("the receipt of {} lacks {}", receipt.id, window.key))
    })?;
    window.advanced(next, version, receipt.at)
}

fn attempts(window: &Window) -> u32 {
    window.dispatch.as_ref().map_or(0, |dispatch| dispatch.attempts)
}

fn next_try(window: &Window, at: Option<Timestamp>, why: String) -> Window {
    let dispatch = window.dispatch.clone().map(|dispatch| Dispatch {
        attempts: dispatch.attempts.saturating_add(1),
        next_attempt_at: at,
        ..dispatch
    });
    Window { dispatch, error: Some(why), ..window.clone() }
}
