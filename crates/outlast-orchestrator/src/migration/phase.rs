//! How far a kind has moved, and from where to where it may go.

use std::fmt;
use std::str::FromStr;

use outlast_core::Error;
use serde::{Deserialize, Serialize};

/// How far the move of a kind has come.
///
/// ```
/// use outlast_orchestrator::migration::Phase;
///
/// assert!(Phase::Mirror < Phase::Live);
/// assert_eq!("shadow".parse::<Phase>()?, Phase::Shadow);
/// assert_eq!(Phase::Joint.next(), Some(Phase::Live));
/// # Ok::<(), outlast_core::Error>(())
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Only memory has it.
    #[default]
    Memory,
    /// Memory has it, and what changes follows to the database.
    Mirror,
    /// Each change is written to the database, then to memory; memory is what counts.
    Shadow,
    /// Each change is written to both or to none, and both count.
    Joint,
    /// The database is what counts; memory follows, as new, so that there is a way back.
    Live,
    /// The same without a way back.
    Final,
}

impl Phase {
    /// All of them, in order.
    pub const ALL: [Self; 6] =
        [Self::Memory, Self::Mirror, Self::Shadow, Self::Joint, Self::Live, Self::Final];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Mirror => "mirror",
            Self::Shadow => "shadow",
            Self::Joint => "joint",
            Self::Live => "live",
            Self::Final => "final",
        }
    }

    /// The one after it.
    pub fn next(self) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| *phase > self)
    }

    /// Whether the database has all of it, so that a change is acknowledged as durable.
    pub fn is_durable(self) -> bool {
        self >= Self::Shadow
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Phase {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == text).ok_or_else(|| {
            Error::invalid(format!(
                "there is no phase {text:?}; there are memory, mirror, shadow, joint, live and final"
            ))
        })
    }
}

/// What becomes of a change in [`Phase::Shadow`] while the database is away.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Memory takes it, it is acknowledged as volatile, and shipped once the database is back.
    #[default]
    Available,
    /// It is refused, and nothing changes.
    Strict,
}

/// Whether a kind may go from one phase to another at all, whatever else holds.
pub fn is_move(from: Phase, to: Phase) -> bool {
    use Phase::{Final, Joint, Live, Memory, Mirror, Shadow};

    matches!(
        (from, to),
        (Memory, Mirror)
            | (Mirror, Shadow | Memory)
            | (Shadow, Joint | Mirror | Memory)
            | (Joint, Live | Shadow)
            | (Live, Final | Shadow)
    )
}

/// Whether a move needs nothing of the database, so that it can be made while that is away.
///
/// Every other would go by what the database had when it was last seen.
pub fn is_retreat(from: Phase, to: Phase) -> bool {
    use Phase::{Joint, Live, Mirror, Shadow};

    matches!((from, to), (Live | Joint, Shadow) | (Shadow, Mirror))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_is_read_as_it_is_written() {
        for phase in Phase::ALL {
            assert_eq!(phase.as_str().parse::<Phase>().unwrap(), phase);
            let json = serde_json::to_string(&phase).unwrap();
            assert_eq!(json, format!("\"{phase}\""));
        }
        assert!("Live".parse::<Phase>().is_err());
    }

    #[test]
    fn no_phase_is_skipped_forwards_and_only_shadow_and_mirror_leave_the_database() {
        for from in Phase::ALL {
            for to in Phase::ALL {
                if to > from {
                    assert_eq!(is_move(from, to), from.next() == Some(to), "{from} to {to}");
                }
            }
            let leaves = is_move(from, Phase::Memory);
            assert_eq!(leaves, matches!(from, Phase::Mirror | Phase::Shadow), "{from}");
            assert!(!is_move(Phase::Final, from), "there is no way back from final");
        }
    }
}
