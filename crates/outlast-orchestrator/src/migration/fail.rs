//! Places where a test can stop a move: after each of its steps.
//!
//! Without the feature `failpoints` there are none, and this costs nothing.

/// Stops here if a test wants it to: with an error, or with the whole process.
#[cfg(not(feature = "failpoints"))]
#[allow(clippy::unnecessary_wraps)]
pub(crate) fn point(_name: &str) -> outlast_core::Result<()> {
    Ok(())
}

#[cfg(feature = "failpoints")]
pub(crate) use armed::point;
#[cfg(feature = "failpoints")]
pub use armed::{KILL, arm};

#[cfg(feature = "failpoints")]
mod armed {
    use std::collections::BTreeMap;
    use std::sync::{Mutex, PoisonError};

    use outlast_core::Result;

    /// The variable that names a point at which the process is gone, as after `kill -9`.
    pub const KILL: &str = "OUTLAST_FAIL_POINT";

    type Act = Box<dyn FnOnce() -> Result<()> + Send>;

    static ARMED: Mutex<BTreeMap<String, Act>> = Mutex::new(BTreeMap::new());

    /// Has something done at the point of this name, once; an error of it is an error of the step.
    pub fn arm(name: &str, act: impl FnOnce() -> Result<()> + Send + 'static) {
        let mut armed = ARMED.lock().unwrap_or_else(PoisonError::into_inner);
        armed.insert(name.to_owned(), Box::new(act));
    }

    /// Stops here if a test wants it to.
    pub(crate) fn point(name: &str) -> Result<()> {
        if std::env::var(KILL).is_ok_and(|wanted| wanted == name) {
            std::process::abort();
        }
        let act = ARMED.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        act.map_or(Ok(()), |act| act())
    }
}
