//! One walk over everything that may go, in slices.
//!
//! Entities go in the order in which they depend on each other: what others name goes after them.
//! A deletion is committed first, with what belongs to the entity before it or with it; only then
//! history, output and tombstones are pruned.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use outlast_core::{
    Agent, Artifact, Command, Consumption, Cursor, Error, Pipeline, Result, Session, Swarm,
    Timestamp, Window,
};
use outlast_store::Store;

use super::policies::Policies;
use super::sweep::Sweep;

/// Where a walk goes on: at which step, and within it.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) step: usize,
    pub(super) after: Option<Cursor>,
}

/// How many steps come before the kinds of the user's own, and after them.
const BEFORE_OWN: usize = 10;
const AFTER_OWN: usize = 4;

/// One walk, under way.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    pub(super) store: &'a Store,
    pub(super) policies: &'a Policies,
    pub(super) dry_run: bool,
    pub(super) now: Timestamp,
    /// How much may still be looked at.
    pub(super) room: u64,
    pub(super) sweep: Sweep,
    /// The artifacts that open windows hold, once it was asked for.
    pub(super) held: Option<Result<HashSet<String>>>,
    /// What would be gone by now, by the group of its checkpoints. Empty unless it only reports.
    pub(super) gone: HashSet<String>,
    /// Whether a run would go, once it was asked for.
    pub(super) runs: HashMap<String, bool>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(store: &'a Store, policies: &'a Policies, room: u64, dry_run: bool) -> Self {
        let sweep = Sweep { dry_run, ..Sweep::default() };
        Self {
            store,
            policies,
            dry_run,
            now: store.clock().now(),
            room,
            sweep,
            held: None,
            gone: HashSet::new(),
            runs: HashMap::new(),
        }
    }

    pub(super) fn into_sweep(self) -> Sweep {
        self.sweep
    }

    /// Goes on from a place until the end, or until there is no room left; then the place is where
    /// it stopped.
    pub(super) async fn everything(&mut self, place: &mut Place) -> Result<()> {
        let steps = BEFORE_OWN + self.policies.own.len() + AFTER_OWN;
        while place.step < steps {
            place.after = self.step(place.step, place.after.take()).await?;
            if place.after.is_none() {
                place.step += 1;
            }
            if self.room == 0 && place.step < steps {
                self.sweep.has_more = true;
                return Ok(());
            }
        }
        // What a process that ended left half done is there once, and errors make it begin anew.
        *place = Place { step: 1, after: None };
        Ok(())
    }

    /// Carries a step on, and says where it stopped if there was no room for more.
    async fn step(&mut self, step: usize, after: Option<Cursor>) -> Result<Option<Cursor>> {
        match step {
            0 => self.leftovers().await.map(|()| None),
            1 => self.kind::<Window>(after).await,
            2 => self.kind::<Consumption>(after).await,
            3 => self.kind::<Artifact>(after).await,
            4 => self.kind::<Command>(after).await,
            5 => self.kind::<Pipeline>(after).await,
            6 => self.kind::<Agent>(after).await,
            7 => self.kind::<Swarm>(after).await,
            8 => self.kind::<Session>(after).await,
            9 => self.checkpoints(after).await,
            step => match self.policies.own.iter().nth(step - BEFORE_OWN) {
                Some((kind, own)) => self.own_kind(kind, own, after).await,
                None => match step - BEFORE_OWN - self.policies.own.len() {
                    0 => match self.events().await {
                        Err(error) => self.keep(error).map(|()| None),
                        done => done,
                    },
                    1 => self.runs().await.map(|()| None),
                    2 => self.logs().await.map(|()| None),
                    _ => self.commits().await.map(|()| None),
                },
            },
        }
    }

    /// The moment at which something of an age has to have been over; `None` if it is kept.
    pub(super) fn cutoff(&self, what: &str) -> Option<Timestamp> {
        self.policies.age(what).map(|age| self.before(age))
    }

    pub(super) fn before(&self, age: Duration) -> Timestamp {
        self.now.minus(age)
    }

    /// Uses room up, and says whether there is any left.
    pub(super) fn use_up(&mut self, looked_at: u64) -> bool {
        self.room = self.room.saturating_sub(looked_at);
        self.room > 0
    }

    /// Keeps what an error is about, unless it is about everything.
    pub(super) fn keep(&mut self, error: Error) -> Result<()> {
        if !error.is_of_one_record() {
            return Err(error);
        }
        self.sweep.keep(error);
        Ok(())
    }
}
