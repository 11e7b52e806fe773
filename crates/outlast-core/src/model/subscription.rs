//! What an agent waits for, declared as data.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::{
    AttrName, AttrValue, Attributes, BatchSpec, Entity, JoinSpec, JoinWithin, NoStatus, Result,
    Window,
};

/// A condition on one place of a payload. Where the place is not there, it does not hold, unless
/// that is what it asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Predicate {
    /// The place: `order.id`, `lines.0.price`.
    pub path: String,
    /// What must hold there.
    #[serde(flatten)]
    pub test: PredicateTest,
}

/// What must hold at a place of a payload. Numbers are equal by value, texts by their bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PredicateTest {
    /// It is this.
    Is(Value),
    /// It is something, and not this.
    IsNot(Value),
    /// It is one of these.
    OneOf(Vec<Value>),
    /// It is a number, and not less.
    AtLeast(Number),
    /// It is a number, and not more.
    AtMost(Number),
    /// It is there, and not null; or, with `false`, it is not.
    Exists(bool),
}

/// What an agent waits for: which artifacts, how they are put together, and when it is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The agent.
    pub agent_name: String,
    /// Its name, unique among those of its agent.
    pub name: String,
    /// Where it stands among those of its agent; to be shown, never to be found by.
    #[serde(default)]
    pub index: u32,
    /// The types it needs, one as often as it is needed: `A, A, B`.
    pub types: Vec<String>,
    /// Only what one of these made; anybody, if there are none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub from_agents: BTreeSet<String>,
    /// Only what has one of these tags; anything, if there are none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// Only where all of these hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub predicates: Vec<Predicate>,
    /// The labels of the agent, for artifacts that not everybody may see.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub labels: BTreeSet<String>,
    /// The tenant of the agent, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// Which artifacts belong together; without it, any do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<JoinSpec>,
    /// How many are handed over at once; without it, each by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchSpec>,
}

impl Subscription {
    /// The transient attribute that counts the artifacts that matched it.
    pub const SEQUENCE: &'static str = "sequence";

    /// A subscription to these types, from anybody, handed over as soon as all are there.
    pub fn new<T: Into<String>>(
        agent_name: impl Into<String>,
        name: impl Into<String>,
        types: impl IntoIterator<Item = T>,
    ) -> Self {
        Self {
            agent_name: agent_name.into(),
            name: name.into(),
            index: 0,
            types: types.into_iter().map(Into::into).collect(),
            from_agents: BTreeSet::new(),
            tags: BTreeSet::new(),
            predicates: Vec::new(),
            labels: BTreeSet::new(),
            tenant_id: None,
            join: None,
            batch: None,
        }
    }

    /// The same for artifacts that have the same value at a place of their payloads.
    pub fn join_by(mut self, path: impl Into<String>, within: JoinWithin) -> Self {
        self.join = Some(JoinSpec { by: path.into(), within });
        self
    }

    /// The same, handed over in batches.
    pub fn in_batches(mut self, batch: BatchSpec) -> Self {
        self.batch = Some(batch);
        self
    }

    /// The same with one more condition on the payload.
    pub fn only_if(mut self, path: impl Into<String>, test: PredicateTest) -> Self {
        self.predicates.push(Predicate { path: path.into(), test });
        self
    }

    /// Its id: that of the agent and its own.
    pub fn id(&self) -> String {
        Window::group_of(&self.agent_name, &self.name)
    }

    /// How many of each type it needs, in the order in which the types were first named.
    pub fn required(&self) -> Vec<(String, u32)> {
        let mut required: Vec<(String, u32)> = Vec::new();
        for name in &self.types {
            match required.iter_mut().find(|(known, _)| known == name) {
                Some((_, count)) => *count = count.saturating_add(1),
                None => required.push((name.clone(), 1)),
            }
        }
        required
    }
}

impl Entity for Subscription {
    type Status = NoStatus;
    const KIND: &'static str = "subscription";
    const CAN_ROLL_BACK: bool = false;

    fn attributes(&self) -> Result<Attributes> {
        let agent = AttrValue::from(self.agent_name.as_str());
        Ok(Attributes::from([(AttrName::new("agent")?, agent)]))
    }
}
