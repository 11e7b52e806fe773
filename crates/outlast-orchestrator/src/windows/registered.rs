//! A subscription that was checked, and what follows from it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use outlast_core::{
    BatchSpec, Error, JoinSpec, JoinWithin, Json, Limits, MAX_ID_BYTES, Result, Subscription,
};
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

/// The longest name of an agent or subscription, in bytes.
const MAX_NAME: usize = 128;

/// How many artifacts one group may need.
const MOST_NEEDED: usize = 64;

/// Operations of a commit that are there whatever it is about: the fence, the artifact, its tags,
/// the events.
pub(super) const BASE_OPS: usize = 24;

/// Operations for one subscription besides those for the members of a group: windows, claims, an
/// item and a counter, of a join that expires, one that is full and a batch that is.
const OPS_OF_ONE: usize = 16;

/// A checked subscription.
#[derive(Debug)]
pub(super) struct Registered {
    /// Its place among all, for as long as this engine lives.
    pub(super) number: usize,
    pub(super) spec: Subscription,
    pub(super) id: String,
    pub(super) fingerprint: String,
    /// How many of each type make a group, in the order of their declaration.
    pub(super) required: Vec<(String, u32)>,
    /// How many artifacts make a group.
    pub(super) needed: usize,
    ended: AtomicBool,
}

/// What a fingerprint is made of: all that decides what a window of it may hold and when it ends.
/// Names and the agent's rights are not.
#[derive(Serialize)]
struct Asked<'a> {
    required: &'a [(String, u32)],
    from_agents: &'a BTreeSet<String>,
    tags: &'a BTreeSet<String>,
    predicates: &'a [outlast_core::Predicate],
    join: &'a Option<JoinSpec>,
    batch: &'a Option<BatchSpec>,
}

impl Registered {
    /// Checks it: `Invalid` if it can never be fulfilled, `TooLarge` if what it hands over does
    /// not fit into one commit.
    pub(super) fn new(number: usize, spec: Subscription, limits: &Limits) -> Result<Self> {
        let id = spec.id();
        check(&spec, limits).map_err(|error| error.context(format!("subscription {id}")))?;
        let required = spec.required();
        let needed = spec.types.len();
        let most = limits.ops.saturating_sub(BASE_OPS + OPS_OF_ONE);
        limits.check("artifacts of one group in a commit of this store", needed, most)?;
        let fingerprint = fingerprint(&spec)?;
        let ended = AtomicBool::new(false);
        Ok(Self { number, spec, id, fingerprint, required, needed, ended })
    }

    /// Whether artifacts wait for each other before they are handed on.
    pub(super) fn is_gated(&self) -> bool {
        self.spec.join.is_some() || self.needed > 1 || self.spec.batch.is_none()
    }

    /// The number of artifacts after which a join ends, if a number ends it.
    pub(super) fn count_window(&self) -> Option<u64> {
        match self.spec.join {
            Some(JoinSpec { within: JoinWithin::Count(count), .. }) => Some(count),
            _ => None,
        }
    }

    /// The milliseconds after which a join ends, if time ends it.
    pub(super) fn time_window(&self) -> Option<u64> {
        match self.spec.join {
            Some(JoinSpec { within: JoinWithin::Time(millis), .. }) => Some(millis),
            _ => None,
        }
    }

    /// Which of the types that it needs this is.
    pub(super) fn place_of(&self, type_name: &str) -> Option<usize> {
        self.required.iter().position(|(name, _)| name == type_name)
    }

    /// The most operations that one artifact costs.
    pub(super) fn cost(&self) -> usize {
        OPS_OF_ONE + self.needed
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }
}

/// The checksum of what a subscription asks for, as 16 hexadecimal digits.
pub(super) fn fingerprint(spec: &Subscription) -> Result<String> {
    let asked = Asked {
        required: &spec.required(),
        from_agents: &spec.from_agents,
        tags: &spec.tags,
        predicates: &spec.predicates,
        join: &spec.join,
        batch: &spec.batch,
    };
    Ok(format!("{:016x}", xxh3_64(Json::encode(&asked)?.as_str().as_bytes())))
}

/// How many artifacts one hand-over may be about: each becomes a record in the commit that
/// acknowledges it.
pub(super) fn most_handed_over(limits: &Limits) -> usize {
    limits.ops.saturating_sub(BASE_OPS).max(1)
}

fn check(spec: &Subscription, limits: &Limits) -> Result<()> {
    check_name("agent", &spec.agent_name)?;
    check_name("subscription", &spec.name)?;
    if spec.types.is_empty() {
        return Err(Error::invalid("needs at least one type"));
    }
    let most = most_handed_over(limits);
    limits.check("artifacts in one group", spec.types.len(), MOST_NEEDED.min(most))?;
    for name in &spec.types {
        if name.is_empty() {
            return Err(Error::invalid("a type needs a name"));
        }
        limits.check("bytes in the name of a type", name.len(), MAX_ID_BYTES)?;
    }
    for path in spec.predicates.iter().map(|predicate| &predicate.path) {
        check_path(path)?;
    }
    if let Some(join) = &spec.join {
        check_path(&join.by)?;
        if matches!(join.within, JoinWithin::Time(0) | JoinWithin::Count(0)) {
            return Err(Error::invalid("a join within nothing is never complete"));
        }
    }
    let Some(batch) = &spec.batch else { return Ok(()) };
    match (batch.size, batch.timeout_ms) {
        (None, None) => Err(Error::invalid("a batch needs a size or a timeout")),
        (Some(0), _) => Err(Error::invalid("a batch of 0 items is never handed over")),
        (_, Some(0)) => Err(Error::invalid("a batch cannot wait for 0 milliseconds")),
        (Some(size), _) => {
            let artifacts = (size as usize).saturating_mul(spec.types.len());
            limits.check("artifacts in one batch", artifacts, most)
        }
        _ => Ok(()),
    }
}

fn check_path(path: &str) -> Result<()> {
    if path.is_empty() || path.split('.').any(str::is_empty) {
        return Err(Error::invalid(format!("{path:?} is no place in a payload, as order.id is")));
    }
    Ok(())
}

fn check_name(what: &str, name: &str) -> Result<()> {
    let ok = !name.is_empty()
        && name.len() <= MAX_NAME
        && !name.contains('/')
        && !name.chars().any(char::is_control);
    if ok {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the name {name:?} of the {what} must be 1 to {MAX_NAME} bytes of text without slashes and \
         control characters"
    )))
}

#[cfg(test)]
mod tests {
    use outlast_core::ErrorKind;

    use super::*;

    fn registered(spec: Subscription) -> Result<Registered> {
        Registered::new(0, spec, &Limits::EMBEDDED)
    }

    fn batch(size: Option<u32>, timeout_ms: Option<u64>) -> Subscription {
        Subscription::new("ann", "orders", ["order"]).in_batches(BatchSpec { size, timeout_ms })
    }

    #[test]
    fn what_can_never_be_fulfilled_is_refused() {
        let plain = || Subscription::new("ann", "orders", ["order", "bill"]);
        let bad = [
            batch(None, None),
            batch(Some(0), None),
            batch(Some(0), Some(5)),
            batch(None, Some(0)),
            plain().join_by("id", JoinWithin::Time(0)),
            plain().join_by("id", JoinWithin::Count(0)),
            plain().join_by("", JoinWithin::Time(1)),
            plain().join_by("a..b", JoinWithin::Time(1)),
            Subscription::new("ann", "orders", Vec::<String>::new()),
            Subscription::new("ann", "orders", [""]),
            Subscription::new("", "orders", ["order"]),
            Subscription::new("ann/x", "orders", ["order"]),
            Subscription::new("ann", "x\ny", ["order"]),
        ];
        for spec in bad {
            let error = registered(spec.clone()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{spec:?} {error}");
        }
        let negative = r#"{"agent_name":"ann","name":"x","types":["a"],"batch":{"size":-1}}"#;
        assert!(serde_json::from_str::<Subscription>(negative).is_err());
        let large = registered(batch(Some(5000), None)).unwrap_err();
        assert_eq!(large.kind(), ErrorKind::TooLarge, "{large}");
        assert!(registered(batch(Some(1), Some(1))).is_ok());
    }

    #[test]
    fn a_fingerprint_is_of_what_is_asked_for_and_nothing_else() {
        let base = batch(Some(5), None);
        let print = |spec: &Subscription| fingerprint(spec).unwrap();
        let renamed = Subscription { name: "other".into(), index: 7, ..base.clone() };
        assert_eq!(print(&base), print(&renamed));
        let others = [
            batch(Some(6), None),
            batch(Some(5), Some(1)),
            base.clone().join_by("id", JoinWithin::Time(1)),
            Subscription { types: vec!["order".into(), "order".into()], ..base.clone() },
            Subscription { tags: BTreeSet::from(["x".into()]), ..base.clone() },
        ];
        for other in others {
            assert_ne!(print(&base), print(&other), "{other:?}");
        }
        let twice = Subscription::new("ann", "x", ["a", "b", "a"]);
        let same = Subscription::new("ann", "x", ["a", "a", "b"]);
        assert_eq!(print(&twice), print(&same), "only how many of each counts");
    }
}
