//! What a reader is answered.

use std::collections::BTreeMap;
use std::ops::Bound;

use outlast_core::{
    AttrName, AttrValue, Attributes, Counts, Entry, Filter, HistoryQuery, Key, Order, Query,
    Record, Scope, Slot, StreamQuery, Test, Versioned,
};

use super::Model;

impl Model {
    /// What lies under a key.
    pub fn slot(&self, key: &Key) -> Slot {
        let Some(head) = self.head(key) else { return Slot::Vacant };
        match &head.state {
            None => Slot::Tombstone { key: key.clone(), version: head.version, at: head.at },
            Some(state) => Slot::Live(Box::new(Record {
                key: key.clone(),
                version: head.version,
                updated_at: head.at,
                schema: head.schema,
                state: state.clone(),
                attrs: head.attrs.clone(),
                transient: self.transient_of(key),
            })),
        }
    }

    /// Every page of a listing.
    pub fn list(&self, query: &Query) -> Vec<Slot> {
        let mut found: Vec<&Versioned> = self.heads.iter().collect();
        found.retain(|head| {
            head.key.space == query.space
                && head.key.kind == query.kind
                && (query.tombstones || asked_for(head, query))
        });
        found.sort_by(|a, b| {
            let by_id = a.key.id().as_bytes().cmp(b.key.id().as_bytes());
            match &query.order {
                Order::Id => by_id,
                Order::Attr(name) => rank(&a.attrs[name]).cmp(&rank(&b.attrs[name])).then(by_id),
            }
        });
        if query.descending {
            found.reverse();
        }
        found.into_iter().map(|head| self.slot(&head.key)).collect()
    }

    /// How many live entities a query finds, its groups sorted.
    pub fn count(&self, query: &Query, by: &[AttrName]) -> Counts {
        let query = Query { tombstones: false, ..query.clone() };
        let mut groups: BTreeMap<Vec<Option<AttrValue>>, u64> = BTreeMap::new();
        let found = self.list(&query);
        for slot in &found {
            let Slot::Live(record) = slot else { continue };
            let group = by.iter().map(|name| record.attrs.get(name).cloned()).collect();
            *groups.entry(group).or_insert(0) += 1;
        }
        if by.is_empty() {
            groups.clear();
        }
        Counts { total: found.len() as u64, groups: groups.into_iter().collect() }
    }

    /// Every page of a history.
    pub fn history(&self, query: &HistoryQuery) -> Vec<Versioned> {
        let mut found = self.rows.clone();
        match &query.scope {
            Scope::Entity(key) => {
                found.retain(|row| row.key == *key);
                found.sort_by_key(|row| (row.version.epoch.0, row.version.n));
            }
            Scope::All(Some(kind)) => found.retain(|row| row.key.kind == *kind),
            Scope::All(None) => {}
        }
        found.retain(|row| query.from.is_none_or(|from| from <= row.version.n));
        found.retain(|row| query.to.is_none_or(|to| to >= row.version.n));
        found.retain(|row| query.since.is_none_or(|since| since <= row.at));
        found.retain(|row| query.until.is_none_or(|until| until > row.at));
        found.retain(|row| query.actor.is_none() || query.actor == row.actor);
        found.retain(|row| query.action.is_none() || query.action.as_ref() == Some(&row.action));
        if query.newest_first {
            found.reverse();
        }
        found
    }

    /// Every page of a stream.
    pub fn read(&self, query: &StreamQuery) -> Vec<Entry> {
        let stream = self.streams.iter().find(|stream| stream.name == query.stream);
        let mut found = stream.map(|stream| stream.entries.clone()).unwrap_or_default();
        found.retain(|entry| query.from.is_none_or(|from| from <= entry.seq));
        found.retain(|entry| query.to.is_none_or(|to| to >= entry.seq));
        found.retain(|entry| query.since.is_none_or(|since| since <= entry.at));
        found.retain(|entry| query.until.is_none_or(|until| until > entry.at));
        found.retain(|entry| query.filters.iter().all(|filter| passes(&entry.attrs, filter)));
        if query.newest_first {
            found.reverse();
        }
        found
    }
}

fn asked_for(head: &Versioned, query: &Query) -> bool {
    let ordered = match &query.order {
        Order::Id => true,
        Order::Attr(name) => head.attrs.contains_key(name),
    };
    let passes = query.filters.iter().all(|filter| passes(&head.attrs, filter));
    head.state.is_some() && ordered && passes
}

/// Numbers in front of texts, numbers by size, texts by bytes.
fn rank(value: &AttrValue) -> (Option<&[u8]>, i64) {
    match value {
        AttrValue::Int(value) => (None, *value),
        AttrValue::Text(text) => (Some(text.as_bytes()), 0),
    }
}

fn passes(attrs: &Attributes, filter: &Filter) -> bool {
    let Some(value) = attrs.get(&filter.name) else { return false };
    match &filter.test {
        Test::AnyOf(values) => values.iter().any(|wanted| wanted == value),
        Test::Within(low, high) => {
            let same_type = |bound: &AttrValue| rank(bound).0.is_some() == rank(value).0.is_some();
            let above = match low {
                Bound::Unbounded => true,
                Bound::Included(low) => same_type(low) && rank(low) <= rank(value),
                Bound::Excluded(low) => same_type(low) && rank(low) < rank(value),
            };
            let below = match high {
                Bound::Unbounded => true,
                Bound::Included(high) => same_type(high) && rank(high) >= rank(value),
                Bound::Excluded(high) => same_type(high) && rank(high) > rank(value),
            };
            above && below
        }
    }
}
