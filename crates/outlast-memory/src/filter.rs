//! Which entities a query means, found through the index where that is shorter.

use std::collections::{BTreeSet, btree_map};
use std::iter::Peekable;
use std::ops::Bound;

use outlast_core::{AttrName, AttrValue, Filter, Key, Query, Test};

use crate::table::{Entity, Index, Table};

type Each<'a, T> = Box<dyn Iterator<Item = T> + 'a>;

/// So many candidates of a range are gathered and sorted; beyond that, walking all is as good.
const GATHERED: usize = 4096;

impl Table {
    /// What the query accepts, by id, beyond `after`.
    pub(crate) fn by_id<'a>(
        &'a self,
        query: &'a Query,
        after: Option<&Key>,
    ) -> Each<'a, &'a Entity> {
        let down = query.descending;
        let span = beyond(after, down);
        let all = || turned(self.entities.range::<Key, _>(span).map(|(_, entity)| entity), down);
        if query.tombstones {
            return all();
        }
        let found = if let Some(sets) = self.narrowest(query) {
            let sets = sets.into_iter().map(|set| turned(set.range::<Key, _>(span), down));
            let merged = Merge { sets: sets.map(Iterator::peekable).collect(), down };
            Box::new(merged.filter_map(|key| self.entities.get(key)))
        } else if let Some(mut keys) = self.gathered(query) {
            keys.retain(|key| std::ops::RangeBounds::contains(&span, *key));
            keys.sort_unstable();
            Box::new(turned(keys.into_iter(), down).filter_map(|key| self.entities.get(key)))
        } else {
            all()
        };
        Box::new(found.filter(|entity| entity.head.live && query.accepts(entity.attrs())))
    }

    /// What the query accepts, by the values of one attribute, beyond `after`.
    pub(crate) fn by_value<'a>(
        &'a self,
        query: &'a Query,
        name: &AttrName,
        after: Option<(AttrValue, Key)>,
    ) -> Each<'a, &'a Entity> {
        let down = query.descending;
        let (mut low, mut high) = bounds_on(query, name);
        let from = after.as_ref().map(|(value, _)| Bound::Included(value));
        if let Some(from) = from {
            *(if down { &mut high } else { &mut low }) = from;
        }
        let Some(values) = self.values(name, low, high) else {
            return Box::new(std::iter::empty());
        };
        let keys = turned(values, down).flat_map(move |(value, keys)| {
            let same = after.as_ref().filter(|(last, _)| last == value);
            turned(keys.range::<Key, _>(beyond(same.map(|(_, key)| key), down)), down)
        });
        let found = keys.filter_map(|key| self.entities.get(key));
        Box::new(found.filter(|entity| query.accepts(entity.attrs())))
    }

    /// The sets of the filter by equality that leaves the fewest, if there is one.
    fn narrowest(&self, query: &Query) -> Option<Vec<&BTreeSet<Key>>> {
        let sets = query.filters.iter().filter_map(|filter| match &filter.test {
            Test::AnyOf(values) => Some(self.sets(filter, values)),
            Test::Within(..) => None,
        });
        sets.min_by_key(|sets| sets.iter().map(|set| set.len()).sum::<usize>())
    }

    fn sets(&self, filter: &Filter, values: &[AttrValue]) -> Vec<&BTreeSet<Key>> {
        let Some(index) = self.index.get(&filter.name) else { return Vec::new() };
        let values: BTreeSet<&AttrValue> = values.iter().collect();
        values.into_iter().filter_map(|value| index.get(value)).collect()
    }

    /// What lies within the first filter by range, unless that is much.
    fn gathered(&self, query: &Query) -> Option<Vec<&Key>> {
        let ranged = |filter: &&Filter| matches!(filter.test, Test::Within(..));
        let name = &query.filters.iter().find(ranged)?.name;
        let (low, high) = bounds_on(query, name);
        let values = self.values(name, low, high).into_iter().flatten();
        let keys: Vec<&Key> = values.flat_map(|(_, keys)| keys).take(GATHERED + 1).collect();
        (keys.len() <= GATHERED).then_some(keys)
    }

    /// The part of an index between two bounds; `None` if there is nothing between them.
    fn values(
        &self,
        name: &AttrName,
        low: Bound<&AttrValue>,
        high: Bound<&AttrValue>,
    ) -> Option<btree_map::Range<'_, AttrValue, BTreeSet<Key>>> {
        // `range` refuses bounds that cross, instead of finding nothing between them.
        let crossed = match (low, high) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(low), Bound::Included(high)) => low > high,
            (
                Bound::Included(low) | Bound::Excluded(low),
                Bound::Included(high) | Bound::Excluded(high),
            ) => low >= high,
        };
        let index: &Index = self.index.get(name).filter(|_| !crossed)?;
        Some(index.range::<AttrValue, _>((low, high)))
    }
}

/// The first range a query sets on an attribute.
fn bounds_on<'a>(
    query: &'a Query,
    name: &AttrName,
) -> (Bound<&'a AttrValue>, Bound<&'a AttrValue>) {
    let ranges = query.filters.iter().filter(|filter| filter.name == *name);
    let mut ranges = ranges.filter_map(|filter| match &filter.test {
        Test::Within(low, high) => Some((low.as_ref(), high.as_ref())),
        Test::AnyOf(_) => None,
    });
    ranges.next().unwrap_or((Bound::Unbounded, Bound::Unbounded))
}

/// What comes after a key in either direction.
fn beyond(after: Option<&Key>, down: bool) -> (Bound<&Key>, Bound<&Key>) {
    let edge = after.map_or(Bound::Unbounded, Bound::Excluded);
    if down { (Bound::Unbounded, edge) } else { (edge, Bound::Unbounded) }
}

fn turned<'a, I: DoubleEndedIterator + 'a>(items: I, down: bool) -> Each<'a, I::Item> {
    if down { Box::new(items.rev()) } else { Box::new(items) }
}

/// Several sorted walks as one. The sets of one attribute share no key.
struct Merge<'a> {
    sets: Vec<Peekable<Each<'a, &'a Key>>>,
    down: bool,
}

impl<'a> Iterator for Merge<'a> {
    type Item = &'a Key;

    fn next(&mut self) -> Option<&'a Key> {
        let heads = self.sets.iter_mut().enumerate();
        let heads = heads.filter_map(|(at, set)| set.peek().map(|key| (*key, at)));
        let (_, at) = if self.down { heads.max() } else { heads.min() }?;
        self.sets.get_mut(at)?.next()
    }
}
