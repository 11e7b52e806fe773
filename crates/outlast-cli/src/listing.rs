//! Lists of entities of one kind, a page at a time.

use clap::Args;
use outlast::{
    AttrName, Cursor, Entity, Error, ErrorKind, Filter, Order, Page, Query, Result, Slot, Status,
    Store, Stored, Timestamp, Version,
};
use serde::{Serialize, Serializer, ser::SerializeMap as _};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Table, note};

/// Which part of a list.
#[derive(Debug, Args)]
pub(crate) struct Paging {
    /// List at most so many, up to 1000 [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: Option<u32>,

    /// Go on after this id, the last one of the page before
    #[arg(long, value_name = "ID")]
    after: Option<String>,
}

impl Paging {
    const LIMIT: u32 = 100;

    /// Whether anything was said about it.
    pub(crate) fn is_given(&self) -> bool {
        self.limit.is_some() || self.after.is_some()
    }
}

/// A kind that can be listed.
pub(crate) trait Row: Entity {
    /// What several of them are called, in the JSON and in notes.
    const MANY: &'static str;

    /// The headings of the table, after the id and the status.
    const HEADINGS: &'static [&'static str];

    /// The attribute they are in the order of, if it is not their id.
    const ORDER: Option<&'static str> = None;

    /// Whether they are in the order of time, so that the last ones are the newest.
    const NEWEST_FIRST: bool = true;
}

/// An entity with where it is stored. The JSON of the program is stable: fields are added, never
/// renamed or removed.
#[derive(Debug, Serialize)]
pub(crate) struct EntityView<'a, T> {
    id: &'a str,
    version: u64,
    updated_at: Timestamp,
    #[serde(flatten)]
    value: &'a T,
}

impl<'a, T: Entity> EntityView<'a, T> {
    pub(crate) fn of(stored: &'a Stored<T>) -> Self {
        let Version { n, .. } = stored.version;
        Self { id: stored.id(), version: n, updated_at: stored.updated_at, value: stored }
    }
}

/// Part of a list.
#[derive(Debug)]
pub(crate) struct Listing<T> {
    /// Those that can be read.
    pub(crate) items: Vec<Stored<T>>,
    /// Whether there are more after them.
    pub(crate) more: bool,
    /// Why the others cannot be.
    pub(crate) damaged: Vec<Error>,
}

/// Adds the condition that the status is this one, if any was asked for.
pub(crate) fn with_status<S: Status>(query: Query, status: Option<S>) -> Query {
    with(query, AttrName::status(), status.map(Status::as_str))
}

/// Adds the condition that an attribute is this, if anything was asked for.
pub(crate) fn with(query: Query, name: AttrName, value: Option<&str>) -> Query {
    match value {
        Some(value) => query.filter(Filter::is(name, value)),
        None => query,
    }
}

/// Reads what was asked for. One that cannot be read hides no other.
pub(crate) async fn collect<T: Row>(
    store: &Store,
    mut query: Query,
    paging: &Paging,
) -> Result<Listing<T>> {
    query.descending = T::NEWEST_FIRST;
    if let Some(name) = T::ORDER {
        query.order = Order::Attr(AttrName::new(name)?);
    }
    let after = match &paging.after {
        Some(id) => Some(place::<T>(store, &query.order, id).await?),
        None => None,
    };
    let limit = paging.limit.unwrap_or(Paging::LIMIT);
    let wanted = limit as usize;
    // One more than is shown says whether there is more.
    query.page = Page { limit: (limit + 1).min(store.info().limits.page), after };
    let mut listing = Listing { items: Vec::new(), more: false, damaged: Vec::new() };
    loop {
        let page = store.kind::<T>().list(&query).await?;
        for item in page.items {
            match item {
                Ok(item) => listing.items.push(item),
                Err(error) if error.is_of_one_record() => listing.damaged.push(error),
                Err(error) => return Err(error),
            }
        }
        match page.next {
            Some(next) if listing.items.len() + listing.damaged.len() <= wanted => {
                query.page = query.page.after(next);
            }
            _ => break,
        }
    }
    listing.more = listing.items.len() > wanted;
    listing.items.truncate(wanted);
    Ok(listing)
}

/// The place of an entity in a list. `NotFound` if it is gone and the order is not that of ids.
async fn place<T: Entity>(store: &Store, order: &Order, id: &str) -> Result<Cursor> {
    let key = store.kind::<T>().key(id)?;
    let Order::Attr(name) = order else { return Ok(Cursor::listing(None, id)) };
    let found = store.get(std::slice::from_ref(&key)).await?.pop();
    let record = found.map(Slot::live).transpose()?.flatten();
    let value = record.as_ref().and_then(|record| record.attrs.get(name));
    value.map(|value| Cursor::listing(Some(value), id)).ok_or_else(|| {
        let message = format!("{key}, after which the list was to go on, does not exist any more");
        Error::new(ErrorKind::NotFound, message)
    })
}

/// Lists what was asked for, in a table with these cells under [`Row::HEADINGS`].
pub(crate) async fn list<T: Row>(
    query: Query,
    paging: &Paging,
    cells: impl Fn(&Stored<T>) -> Vec<String>,
    store: &Store,
    context: &mut Context,
) -> Outcome {
    let listing = collect::<T>(store, query, paging).await?;
    let views: Vec<_> = listing.items.iter().map(EntityView::of).collect();
    show(&listing, &views, cells, context)
}

/// Writes a list, with these as the JSON of its items.
pub(crate) fn show<T: Row>(
    listing: &Listing<T>,
    views: &[impl Serialize],
    cells: impl Fn(&Stored<T>) -> Vec<String>,
    context: &mut Context,
) -> Outcome {
    if context.out.is_json() {
        context.out.json(&View { many: T::MANY, views, more: listing.more })?;
    } else {
        print(listing, cells, context)?;
    }
    match listing.damaged.first() {
        Some(error) => Err(error.clone().into()),
        None => Ok(Exit::Completed),
    }
}

struct View<'a, V> {
    many: &'static str,
    views: &'a [V],
    more: bool,
}

impl<V: Serialize> Serialize for View<'_, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry(self.many, self.views)?;
        map.serialize_entry("more", &self.more)?;
        map.end()
    }
}

fn print<T: Row>(
    listing: &Listing<T>,
    cells: impl Fn(&Stored<T>) -> Vec<String>,
    context: &mut Context,
) -> Result<(), Failure> {
    let has_status = !<T::Status as Status>::ALL.is_empty();
    let status = has_status.then_some("STATUS");
    let headings: Vec<_> =
        ["ID"].into_iter().chain(status).chain(T::HEADINGS.iter().copied()).collect();
    let mut table = Table::new(&headings);
    for item in &listing.items {
        let status = item.status().map(|status| status.as_str().to_owned());
        table.row([item.id().to_owned()].into_iter().chain(status).chain(cells(item)));
    }
    table.print(&mut context.out)?;
    if listing.more {
        let last = listing.items.last().map_or("", Stored::id);
        note(&format!("there are more {}; --after {last} goes on, --limit shows more", T::MANY));
    }
    Ok(())
}

/// A cell for something that may be absent.
pub(crate) fn cell(fact: Option<impl ToString>) -> String {
    fact.map_or_else(|| "-".to_owned(), |fact| fact.to_string())
}
