//! Which commits there are, as far as that is known without looking.
//!
//! Ids begin with the time they were drawn at. So nearly all are larger than every one before, and
//! of the rest those that came last are kept.

use std::collections::BTreeSet;

use outlast_core::CommitId;

/// How many ids are kept.
const MOST: usize = 16_384;

/// Every commit whose id is larger than one of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ids {
    /// Of no larger id it is unknown whether there is a commit; `None`: of none at all.
    above: Option<[u8; 16]>,
    kept: BTreeSet<[u8; 16]>,
}

impl Ids {
    /// What is known when this is the largest there is; it is empty if there is none.
    pub(crate) fn up_to(largest: &[u8]) -> Self {
        let above = if largest.is_empty() { Some([0; 16]) } else { largest.try_into().ok() };
        Self { above, kept: BTreeSet::new() }
    }

    /// Whether anything is known.
    pub(crate) fn are_known(&self) -> bool {
        self.above.is_some()
    }

    /// Whether it is certain that there is no such commit.
    pub(crate) fn lack(&self, id: &CommitId) -> bool {
        self.above.is_some_and(|above| *id.as_bytes() > above) && !self.kept.contains(id.as_bytes())
    }

    /// Notes a commit that was written.
    pub(crate) fn note(&mut self, id: &CommitId) {
        let Some(above) = self.above else { return };
        if *id.as_bytes() > above {
            self.kept.insert(*id.as_bytes());
        }
        if self.kept.len() > MOST {
            self.above = self.kept.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u16) -> CommitId {
        CommitId::of(uuid::Uuid::from_u128(u128::from(n) << 80))
    }

    #[test]
    fn an_id_is_lacking_only_if_that_is_certain() {
        assert!(!Ids::default().lack(&id(9)), "nothing is known");
        let mut ids = Ids::up_to(id(5).as_bytes());
        assert!(!ids.lack(&id(5)) && !ids.lack(&id(4)) && ids.lack(&id(6)));
        ids.note(&id(8));
        assert!(!ids.lack(&id(8)) && ids.lack(&id(7)) && ids.lack(&id(9)));
        assert!(Ids::up_to(b"").lack(&id(1)), "there is none");
        assert!(!Ids::up_to(b"damaged").lack(&id(9)));
    }

    #[test]
    fn what_is_not_kept_any_more_is_not_certain() {
        let mut ids = Ids::up_to(b"");
        (1..=20_000).for_each(|n| ids.note(&id(n)));
        assert_eq!(ids.kept.len(), MOST);
        assert!(!(1..=20_000).any(|n| ids.lack(&id(n))) && ids.lack(&id(20_001)));
    }
}
