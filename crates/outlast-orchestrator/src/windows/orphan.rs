//! Windows that were set aside, attached again by hand.

use outlast_core::{
    Cause, Claim, Error, ErrorKind, Event, EventCategory, EventLevel, Result, Status, Window,
    WindowKind, WindowStatus,
};
use outlast_store::Stored;

use super::engine::{Engine, claim_id};
use super::open::Open;
use super::registered::Registered;
use super::restore::slot_of;
use super::retry::decided;

impl Engine {
    /// Makes a window that was set aside one of a declared subscription.
    pub(super) async fn reattach(
        &self,
        window_id: &str,
        subscription: &str,
        cause: Cause,
    ) -> Result<()> {
        let window = self.store().kind::<Window>().get(window_id).await?;
        if window.status != WindowStatus::Orphaned {
            let status = window.status.as_str();
            let message =
                format!("{} is {status}, and only orphaned windows are attached", window.key);
            return Err(Error::new(ErrorKind::IllegalTransition, message));
        }
        let registered = self.declared(subscription)?.clone();
        fits(&window, &registered)?;
        let items = self.items(&[window_id]).await?;
        let mut open = Open::restored(&window, items, &registered).map_err(|error| {
            let message =
                format!("{} does not fit subscription {subscription}: {error}", window.key);
            Error::invalid(message).with_source(error)
        })?;
        // Its time began when it began, and is as long as the new subscription says.
        open.begin(window.created_at);
        let next = Window { error: None, ..open.row(WindowStatus::Waiting) };
        let id = claim_id(&registered.id, open.operation, open.key.as_deref());
        let claim = Claim { holder: window_id.to_owned(), claimed_at: self.now() };
        let mut draft = self.instance.draft(cause);
        draft.create(&id, &claim)?.replace(&window, &next)?;
        let message = format!("{} is attached to subscription {subscription}", window.key);
        let event = Event::new(EventCategory::Audit, EventLevel::Info, message);
        draft.report(&event.called("window:reattached").about(window.key.clone()))?;
        let slot = slot_of(&open);
        let operation = open.operation;
        let mut turns = self.turns(operation, std::slice::from_ref(&slot)).await?;
        if let Some(cells) = turns.cells(&slot) {
            if cells.find(&slot).is_some() {
                return Err(taken(&window));
            }
            // Until it is known what is open there.
            cells.take(&slot);
        }
        let receipt = self.instance.commit(&draft).await?;
        open.version = receipt.version(&window.key);
        self.place(&mut turns, slot.clone(), open);
        drop(turns);
        decided(|| self.conclude(operation, &slot)).await.map(drop)
    }
}

/// `Invalid` unless the window is of a sort that the subscription has.
fn fits(window: &Stored<Window>, subscription: &Registered) -> Result<()> {
    let has = match window.operation {
        WindowKind::Batch => subscription.spec.batch.is_some(),
        WindowKind::Join => {
            subscription.is_gated()
                && subscription.spec.join.is_some() == window.correlation_key.is_some()
        }
    };
    if has {
        return Ok(());
    }
    let (key, id) = (&window.key, &subscription.id);
    Err(Error::invalid(format!("{key} is of a sort that subscription {id} does not have")))
}

fn taken(window: &Stored<Window>) -> Error {
    let message = format!("another window is open where {} was", window.key);
    Error::new(ErrorKind::Exists, message)
}
