//! Which states an operation is for.

use outlast_core::{Error, ErrorKind, Key, Result, Status};

/// An operation: where it leads, and from where. It never allows what the kind's machine does
/// not, and often less: what is paused goes on by being resumed, not by being started.
#[derive(Debug)]
pub(super) struct Rule<S: 'static> {
    pub(super) name: &'static str,
    pub(super) from: &'static [S],
    pub(super) to: S,
}

impl<S: Status> Rule<S> {
    /// `IllegalTransition`, naming both states, unless the operation is for what is in `from`.
    pub(super) fn check(&self, what: &Key, from: S) -> Result<()> {
        from.check_move(self.to, &what.to_string())?;
        if self.from.contains(&from) {
            return Ok(());
        }
        let (name, from, to) = (self.name, from.as_str(), self.to.as_str());
        let message = format!("{what} cannot become {to} from {from} by {name}");
        Err(Error::new(ErrorKind::IllegalTransition, message))
    }
}
