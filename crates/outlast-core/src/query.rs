//! What a reader asks, and how answers are cut into pages.

use std::fmt;
use std::str::FromStr;

use crate::{
    Action, Actor, AttrName, AttrValue, Attributes, Error, Filter, Id, Key, Kind, Result, Revision,
    Seq, Space, StreamName, Timestamp, Verified,
};

/// Where the next page begins. Its content belongs to the backend that made it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cursor(Vec<u8>);

impl Cursor {
    /// A cursor of a backend's own making.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// A cursor that is one number.
    pub fn number(number: u64) -> Self {
        Self(number.to_be_bytes().to_vec())
    }

    /// The number it is; `Invalid` for a cursor of another kind of query.
    pub fn to_number(&self) -> Result<u64> {
        let bytes = <[u8; 8]>::try_from(self.0.as_slice()).map_err(|_| self.foreign())?;
        Ok(u64::from_be_bytes(bytes))
    }

    /// A cursor in a listing: the value ordered by, if any, and the id.
    pub fn listing(value: Option<&AttrValue>, id: &str) -> Self {
        let mut bytes = Vec::new();
        match value {
            None => bytes.push(0),
            Some(AttrValue::Int(value)) => {
                bytes.push(1);
                bytes.extend(value.to_be_bytes());
            }
            Some(AttrValue::Text(text)) => {
                bytes.push(2);
                bytes.extend((text.len() as u64).to_be_bytes());
                bytes.extend(text.as_bytes());
            }
        }
        bytes.extend(id.as_bytes());
        Self(bytes)
    }

    /// The place in a listing it names; `Invalid` for a cursor of another kind of query.
    pub fn to_listing(&self) -> Result<(Option<AttrValue>, Id)> {
        let (tag, rest) = self.0.split_first().ok_or_else(|| self.foreign())?;
        let (value, id) = match tag {
            0 => (None, rest),
            1 => {
                let (number, id) = rest.split_first_chunk::<8>().ok_or_else(|| self.foreign())?;
                (Some(AttrValue::Int(i64::from_be_bytes(*number))), id)
            }
            2 => {
                let (size, rest) = rest.split_first_chunk::<8>().ok_or_else(|| self.foreign())?;
                let size = usize::try_from(u64::from_be_bytes(*size)).unwrap_or(usize::MAX);
                let (text, id) = rest.split_at_checked(size).ok_or_else(|| self.foreign())?;
                (Some(AttrValue::from(self.text(text)?)), id)
            }
            _ => return Err(self.foreign()),
        };
        Ok((value, Id::new(self.text(id)?)?))
    }

    fn text<'a>(&self, bytes: &'a [u8]) -> Result<&'a str> {
        std::str::from_utf8(bytes).map_err(|_| self.foreign())
    }

    fn foreign(&self) -> Error {
        Error::invalid(format!("cursor {self} does not belong to this query"))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || Error::invalid(format!("{text:?} is not a cursor"));
        let pairs = text.as_bytes().chunks(2);
        let bytes: Option<Vec<u8>> = pairs
            .map(|pair| match pair {
                [high, low] => {
                    let high = char::from(*high).to_digit(16)?;
                    let low = char::from(*low).to_digit(16)?;
                    u8::try_from(high * 16 + low).ok()
                }
                _ => None,
            })
            .collect();
        bytes.map(Self).ok_or_else(invalid)
    }
}

/// One page of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// What was found, in the order asked for.
    pub items: Vec<T>,
    /// Where to go on; `None` when the end was reached. A page may be short and still not the last.
    pub next: Option<Cursor>,
}

impl<T> Listed<T> {
    /// The last page, with nothing on it.
    pub fn empty() -> Self {
        Self { items: Vec::new(), next: None }
    }
}

/// Which page: at most how many items, and after which place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most so many items; 1 to the store's page limit.
    pub limit: u32,
    /// Where the page before ended.
    pub after: Option<Cursor>,
}

impl Default for Page {
    fn default() -> Self {
        Self { limit: 100, after: None }
    }
}

impl Page {
    /// The first `limit` items.
    pub fn first(limit: u32) -> Self {
        Self { limit, after: None }
    }

    /// The page after `next`, of the same size.
    pub fn after(&self, next: Cursor) -> Self {
        Self { limit: self.limit, after: Some(next) }
    }

    /// `Invalid` or `TooLarge` if the limit is zero or over `most`.
    pub fn validate(&self, most: u32) -> Result<()> {
        match self.limit {
            0 => Err(Error::invalid("a page of 0 items can never be filled")),
            limit if limit > most => Err(Error::too_large(format!(
                "a page of {limit} items is over the limit of {most}"
            ))),
            _ => Ok(()),
        }
    }
}

/// In which order entities are listed. Ties are in the order of their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By the bytes of the id.
    #[default]
    Id,
    /// By an attribute; entities without it are left out.
    Attr(AttrName),
}

/// Which entities of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The lineage.
    pub space: Space,
    /// The kind.
    pub kind: Kind,
    /// All of these must hold.
    pub filters: Vec<Filter>,
    /// In which order.
    pub order: Order,
    /// The same order from its end: ties are reversed too.
    pub descending: bool,
    /// Deleted entities too. They have no attributes, so no filter may be given with it.
    pub tombstones: bool,
    /// Which page. `count` ignores it.
    pub page: Page,
}

impl Query {
    /// All live entities of a kind, by id, the first page of them.
    pub fn of(kind: Kind) -> Self {
        Self {
            space: Space::default(),
            kind,
            filters: Vec::new(),
            order: Order::default(),
            descending: false,
            tombstones: false,
            page: Page::default(),
        }
    }

    /// The same with one more condition.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filters.push(filter);
        self
    }

    /// `Invalid` or `TooLarge` if it breaks a rule above.
    pub fn validate(&self, most: u32) -> Result<()> {
        if self.tombstones && (!self.filters.is_empty() || self.order != Order::Id) {
            return Err(Error::invalid(
                "tombstones have no attributes: list them by id and without filters",
            ));
        }
        self.page.validate(most)
    }

    /// Whether a live record with these attributes is asked for.
    pub fn accepts(&self, attrs: &Attributes) -> bool {
        let ordered = match &self.order {
            Order::Id => true,
            Order::Attr(name) => attrs.contains_key(name),
        };
        ordered && self.filters.iter().all(|filter| filter.accepts(attrs))
    }
}

/// How many, in all and by group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All that match.
    pub total: u64,
    /// One row per combination of the attributes asked for, in their order; `None` where an
    /// entity lacks one. Without attributes to group by, there are no rows.
    pub groups: Vec<(Vec<Option<AttrValue>>, u64)>,
}

/// Whose history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One entity's, in the order of its versions.
    Entity(Key),
    /// Every entity's, or every one's of a kind, in the order the store wrote them: commit by
    /// commit, the new heads of one in the order of its operations, then what went beneath them.
    All(Option<Kind>),
}

/// Which versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Whose.
    pub scope: Scope,
    /// Numbers from here on.
    pub from: Option<u64>,
    /// Numbers up to and with this.
    pub to: Option<u64>,
    /// Written at this moment or later.
    pub since: Option<Timestamp>,
    /// Written before this moment.
    pub until: Option<Timestamp>,
    /// Changed by this one.
    pub actor: Option<Actor>,
    /// Changes called so.
    pub action: Option<Action>,
    /// The newest first.
    pub newest_first: bool,
    /// Which page.
    pub page: Page,
}

impl HistoryQuery {
    /// The whole history in that scope, oldest first, the first page of it.
    pub fn of(scope: Scope) -> Self {
        Self {
            scope,
            from: None,
            to: None,
            since: None,
            until: None,
            actor: None,
            action: None,
            newest_first: false,
            page: Page::default(),
        }
    }

    /// Just one version of an entity.
    pub fn version(key: Key, n: u64) -> Self {
        Self { from: Some(n), to: Some(n), page: Page::first(1), ..Self::of(Scope::Entity(key)) }
    }

    /// Whether a version is asked for, the scope aside.
    pub fn accepts(&self, version: &crate::Versioned) -> bool {
        self.from.is_none_or(|from| version.version.n >= from)
            && self.to.is_none_or(|to| version.version.n <= to)
            && self.since.is_none_or(|since| version.at >= since)
            && self.until.is_none_or(|until| version.at < until)
            && (self.actor.is_none() || version.actor == self.actor)
            && self.action.as_ref().is_none_or(|action| version.action == *action)
    }
}

/// Which entries of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamQuery {
    /// The stream.
    pub stream: StreamName,
    /// From this place on.
    pub from: Option<Seq>,
    /// Up to and with this place.
    pub to: Option<Seq>,
    /// At this moment or later.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    /// All of these must hold.
    pub filters: Vec<Filter>,
    /// The newest first.
    pub newest_first: bool,
    /// Which page.
    pub page: Page,
}

impl StreamQuery {
    /// The whole stream, oldest first, the first page of it.
    pub fn of(stream: StreamName) -> Self {
        Self {
            stream,
            from: None,
            to: None,
            since: None,
            until: None,
            filters: Vec::new(),
            newest_first: false,
            page: Page::default(),
        }
    }

    /// Whether an entry is asked for, the stream aside.
    pub fn accepts(&self, entry: &crate::Entry) -> bool {
        self.from.is_none_or(|from| entry.seq >= from)
            && self.to.is_none_or(|to| entry.seq <= to)
            && self.since.is_none_or(|since| entry.at >= since)
            && self.until.is_none_or(|until| entry.at < until)
            && self.filters.iter().all(|filter| filter.accepts(&entry.attrs))
    }
}

/// One commit of the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its place in the feed.
    pub revision: Revision,
    /// Its name.
    pub commit: crate::CommitId,
    /// When.
    pub at: Timestamp,
    /// The versions it wrote.
    pub versions: Vec<Verified<crate::Versioned>>,
    /// The streams it appended to, with the first and last place it filled.
    pub appended: Vec<(StreamName, Seq, Seq)>,
}
