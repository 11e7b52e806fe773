//! What commands that change one entity have in common.

use clap::Args;
use outlast::{Cause, Entity, Error, Result, Status as _, Stored};

use crate::context::{self, Context};
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::listing::EntityView;

/// Which entity, and why.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// Its id
    pub(crate) id: String,

    /// Why, for the audit
    #[arg(long, default_value = "on request")]
    pub(crate) reason: String,
}

impl Target {
    /// Who asks for the change, and why.
    pub(crate) fn cause(&self) -> Result<Cause> {
        context::cause(&self.reason)
    }
}

/// `Invalid` if a list was asked for at the same time: the arguments of one mean nothing to an act.
pub(crate) fn check_alone(asks_for_a_list: bool) -> Result<()> {
    if asks_for_a_list {
        return Err(Error::invalid(
            "the arguments of a list make no sense where one entity is acted on; leave them out",
        ));
    }
    Ok(())
}

/// Says what an entity is now.
pub(crate) fn changed<T: Entity>(stored: &Stored<T>, context: &mut Context) -> Outcome {
    if context.out.is_json() {
        context.out.json(&EntityView::of(stored))?;
    } else {
        let status = stored.status().map_or("changed", |status| status.as_str());
        context.out.line(&format!("{} is {status}, as version {}", stored.key, stored.version))?;
    }
    Ok(Exit::Completed)
}
