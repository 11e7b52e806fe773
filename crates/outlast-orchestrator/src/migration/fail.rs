//! Places where a test can stop a move: after each of its steps.
//!
//! Without the feature `failpoints` there are none, and this costs nothing.

use outlast_core::Result;

/// Stops here if a test wants it to: with an error, or with the whole process.
#[cfg(not(feature = "failpoints"))]
#[allow(clippy::unnecessary_wraps)]
pub(crate) fn point(_name: &str) -> Result<()> {
    Ok(())
}

#[cfg(feature = "failpoints")]
pub(crate) use armed::point;
#[cfg(feature = "failpoints")]
pub use armed::{Act, arm};

#[cfg(feature = "failpoints")]
mod armed {
    use std::collections::BTreeMap;
    use std::sync::{Mutex, PoisonError};

    use outlast_core::{Error, Result};

    /// What happens at a fail point.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Act {
        /// The step fails.
        Fail,
        /// The process is gone, as after `kill -9`.
        Kill,
    }

    static ARMED: Mutex<BTreeMap<String, Act>> = Mutex::new(BTreeMap::new());

    /// Arms the point of this name, once.
    pub fn arm(name: &str, act: Act) {
        ARMED.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), act);
    }

    /// Stops here if a test wants it to.
    pub(crate) fn point(name: &str) -> Result<()> {
        let armed = ARMED.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        let armed = armed.or_else(|| {
            let wanted = std::env::var("OUTLAST_FAIL_POINT").ok()?;
            (wanted == name).then_some(Act::Kill)
        });
        match armed {
            None => Ok(()),
            Some(Act::Fail) => Err(Error::unavailable(format!("the test stopped at {name}"))),
            Some(Act::Kill) => std::process::abort(),
        }
    }
}
