//! Spending what a swarm was given.

use outlast_core::{Budget, Cause, Error, Event, Key, Result, Status, Swarm};
use outlast_store::Stored;

use super::handle::{Step, SwarmHandle};
use super::notice::{Tone, notice};
use super::swarm_handle::refusal;

impl SwarmHandle {
    /// Spends from its budget, in the smallest unit of the currency: ask before the money is gone.
    ///
    /// `TooLarge`, and nothing is spent, if less is left; a budget of zero has nothing left. A
    /// swarm without a budget may spend without bound, and nothing is recorded.
    /// `IllegalTransition` once it is over. Reaching the share from which spending is worth a
    /// warning, or critical, is told as an event, once each.
    pub async fn spend(&self, amount: u64) -> Result<Stored<Swarm>> {
        self.change(|swarm, _| {
            if swarm.status.is_settled() {
                return Err(refusal(&swarm.key, "spends nothing", swarm.status));
            }
            let Some(budget) = &swarm.budget else { return Ok(None) };
            let spent = spent(&swarm.key, budget, amount)?;
            let told = warning(&swarm.key, self.orchestra.cause(), budget, &spent);
            let next = Swarm { budget: Some(spent), ..(**swarm).clone() };
            Ok(Some(Step { next, events: told.into_iter().collect() }))
        })
        .await
    }
}

/// The budget once an amount was spent.
fn spent(what: &Key, budget: &Budget, amount: u64) -> Result<Budget> {
    let left = budget.remaining();
    if amount > left {
        let currency = &budget.currency;
        return Err(Error::too_large(format!(
            "{what} cannot spend {amount} {currency}: {left} of {} are left",
            budget.allocated
        )));
    }
    let consumed = budget.consumed.saturating_add(amount);
    Ok(Budget { consumed, ..budget.clone() })
}

/// What is told when spending reaches a share that is worth it.
fn warning(what: &Key, cause: &Cause, before: &Budget, after: &Budget) -> Option<Event> {
    let reached = |percent: Option<u8>| {
        let share = |budget: &Budget| u128::from(budget.consumed) * 100;
        percent.is_some_and(|percent| {
            let line = u128::from(after.allocated) * u128::from(percent);
            share(before) < line && share(after) >= line
        })
    };
    let (tone, action) = if reached(after.critical_percent) {
        (Tone::Wrong, "budget_critical")
    } else if reached(after.warning_percent) {
        (Tone::Warn, "budget_warning")
    } else {
        return None;
    };
    let Budget { consumed, allocated, currency, .. } = after;
    let message = format!("{what} has spent {consumed} of {allocated} {currency}");
    Some(notice(cause, tone, action, what, &message))
}
