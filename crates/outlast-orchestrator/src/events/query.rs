//! Which events.

use outlast_core::{
    AttrName, Cursor, Error, Event, EventCategory, EventLevel, Filter, Key, MAX_ID_BYTES, Page,
    Result, StreamQuery, Timestamp,
};

/// Which events: all conditions that are given must hold. Words of people are read with
/// [`str::parse`], which refuses an unknown category or level as `Invalid`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventQuery {
    /// Of this category.
    pub category: Option<EventCategory>,
    /// To be taken so.
    pub level: Option<EventLevel>,
    /// On this host.
    pub host_id: Option<String>,
    /// About this entity.
    pub subject: Option<Key>,
    /// Written at this moment or later.
    pub since: Option<Timestamp>,
    /// Written before this moment.
    pub until: Option<Timestamp>,
    /// At most so many: 1 to [`EventQuery::MOST`], of one host to [`EventQuery::MOST_ON_HOST`].
    pub limit: u32,
    /// Where the page before ended.
    pub after: Option<Cursor>,
}

/// The newest 100 events.
impl Default for EventQuery {
    fn default() -> Self {
        Self {
            category: None,
            level: None,
            host_id: None,
            subject: None,
            since: None,
            until: None,
            limit: 100,
            after: None,
        }
    }
}

impl EventQuery {
    /// The most events on one page.
    pub const MOST: u32 = 500;
    /// The most events of one host on one page.
    pub const MOST_ON_HOST: u32 = 200;

    /// The newest 50 events on a host.
    pub fn on_host(host_id: impl Into<String>) -> Self {
        Self { host_id: Some(host_id.into()), limit: 50, ..Self::default() }
    }

    /// `Invalid` for no events at all, `TooLarge` for more than fit on a page.
    pub(super) fn to_stream(&self) -> Result<StreamQuery> {
        let page = Page { limit: self.limit, after: self.after.clone() };
        page.validate(if self.host_id.is_some() { Self::MOST_ON_HOST } else { Self::MOST })?;
        Ok(StreamQuery {
            since: self.since,
            until: self.until,
            filters: self.filters()?,
            newest_first: true,
            page,
            ..StreamQuery::of(Event::log()?)
        })
    }

    fn filters(&self) -> Result<Vec<Filter>> {
        let subject = self.subject.as_ref().map(subject_text).transpose()?;
        let conditions = [
            ("category", self.category.map(EventCategory::as_str)),
            ("level", self.level.map(EventLevel::as_str)),
            ("host", self.host_id.as_deref()),
            ("subject", subject.as_deref()),
        ];
        let given = conditions.into_iter().filter_map(|(name, value)| Some((name, value?)));
        given.map(|(name, value)| Ok(Filter::is(AttrName::new(name)?, value))).collect()
    }
}

/// How an event notes its subject. One whose name is too long is noted nowhere.
fn subject_text(subject: &Key) -> Result<String> {
    let text = format!("{}/{}", subject.kind, subject.id());
    if text.len() <= MAX_ID_BYTES {
        return Ok(text);
    }
    Err(Error::too_large(format!("events cannot be found by {subject}: its name is too long")))
}
