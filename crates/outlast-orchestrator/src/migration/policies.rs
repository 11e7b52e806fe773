//! What becomes of changes while the database is away, kind by kind.

use std::collections::BTreeMap;

use outlast_core::Kind;

use super::Policy;

/// What becomes of changes while the database is away, kind by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policies {
    /// That of kinds that are not named.
    pub others: Policy,
    /// Those of single kinds.
    pub kinds: BTreeMap<Kind, Policy>,
}

impl Policies {
    /// That of a kind.
    pub fn of(&self, kind: &Kind) -> Policy {
        self.kinds.get(kind).copied().unwrap_or(self.others)
    }
}
