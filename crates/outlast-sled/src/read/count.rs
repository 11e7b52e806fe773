//! How many entities match, by group.

use std::collections::BTreeMap;

use outlast_core::{AttrName, AttrValue, Counts, Query, Result};

use super::{Candidate, matching};
use crate::codec::key;
use crate::tables::{Table, Tables};

/// Counts live entities; one whose head is damaged cannot be counted, so it is an error.
pub(crate) fn count(tables: &Tables, query: &Query, by: &[AttrName]) -> Result<Counts> {
    let mut query = query.clone();
    query.tombstones = false;
    let mut total = 0;
    let mut groups: BTreeMap<Vec<Option<AttrValue>>, u64> = BTreeMap::new();
    for candidate in Candidate::all(tables, &query)? {
        let candidate = candidate?;
        let Some(head) = matching(tables, &query, candidate.key())? else { continue };
        let place = key::entity(candidate.key());
        let head = head.map_err(|flaw| tables.error(Table::Heads, &place, flaw))?;
        total += 1;
        if !by.is_empty() {
            let group = by.iter().map(|name| head.attrs.get(name).cloned()).collect();
            *groups.entry(group).or_default() += 1;
        }
    }
    Ok(Counts { total, groups: groups.into_iter().collect() })
}
