//! The sequencer as a pure step function: an event comes in, effects come out.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use outlast_core::{
    Batch, Commit, Error, ErrorKind, Key, Outcome, PlanContext, ReadSet, Result, View, WriteSet,
    Written, plan, read_set,
};

/// Names a waiting request; the driver knows whom to answer.
pub(crate) type Ticket = u64;

/// How large a group may grow, and how often a lost race is tried again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupLimits {
    /// Batches in one group.
    pub(crate) batches: usize,
    /// What the batches of one group weigh. A single heavier one makes a group of its own.
    pub(crate) bytes: usize,
    /// Lost races against other processes before the group is answered `Busy`.
    pub(crate) races: u32,
    /// Whether the callers of one group are given the time to come back for the next.
    pub(crate) gathers: bool,
}

/// What happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// A checked batch came in.
    Submitted(Ticket, Box<Batch>),
    /// A caller wants something done once everything before it is settled.
    Barrier(Ticket),
    /// The view for the present group was read, at this time.
    Fetched(Result<Box<View>>, PlanContext),
    /// The present group was written.
    Written(Result<Written>),
    /// Whoever was answered had the time to come back.
    Gathered,
}

/// What to do about it, in this order.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Read what the group needs, then step with `Fetched`.
    Fetch(ReadSet),
    /// Write the plan, then step with `Written`.
    Write(WriteSet),
    /// Let readers know what the commits of a group changed, one list for each.
    Publish(Vec<Arc<[Key]>>),
    /// Something was, or may have been, committed that no `Publish` names: what readers know may
    /// be old.
    Overtaken,
    /// Answer a caller.
    Answer(Ticket, Result<Outcome>),
    /// Everything before this barrier is settled: do what its caller wants.
    Pass(Ticket),
    /// Give so many that were answered the time to come back, then step with `Gathered`.
    Gather(usize),
}

#[derive(Debug)]
enum Waiting {
    Batch(Ticket, Box<Batch>),
    Barrier(Ticket),
}

#[derive(Debug)]
enum Phase {
    Idle,
    Gathering,
    Fetching,
    Writing { outcomes: Vec<Result<Outcome>>, changed: Vec<Arc<[Key]>> },
}

/// What a batch weighs in memory: its content, and something for every operation, so that a
/// million deletions are not free.
pub(crate) fn weight(batch: &Batch) -> usize {
    batch.bytes() + WEIGHT_OF_AN_OP * batch.ops.len()
}

const WEIGHT_OF_AN_OP: usize = 512;

type Group = Vec<(Ticket, Box<Batch>)>;

/// The state between two steps.
#[derive(Debug)]
pub(crate) struct Machine {
    limits: GroupLimits,
    queue: VecDeque<Waiting>,
    group: Group,
    /// Later parts of a group that was split after a failure, the next one last.
    rest: Vec<Group>,
    races: u32,
    phase: Phase,
}

impl Machine {
    pub(crate) fn new(limits: GroupLimits) -> Self {
        let (queue, group, rest) = (VecDeque::new(), Vec::new(), Vec::new());
        Self { limits, queue, group, rest, races: 0, phase: Phase::Idle }
    }

    #[cfg(test)]
    fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle) && self.queue.is_empty() && self.rest.is_empty()
    }

    /// How many requests wait for a later group.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn step(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Submitted(ticket, batch) => self.queue.push_back(Waiting::Batch(ticket, batch)),
            Event::Barrier(ticket) => self.queue.push_back(Waiting::Barrier(ticket)),
            Event::Fetched(Ok(view), context) => self.decide(*view, &context, &mut effects),
            Event::Fetched(Err(error), _) => self.fail(&error, &mut effects),
            Event::Written(result) => self.settle(result, &mut effects),
            Event::Gathered => self.phase = Phase::Idle,
        }
        if matches!(self.phase, Phase::Idle) {
            self.begin(&mut effects);
        }
        effects
    }

    /// Forms the next group, as large as what waits and the limits allow.
    fn begin(&mut self, effects: &mut Vec<Effect>) {
        if let Some(part) = self.rest.pop() {
            self.group = part;
            return self.fetch(effects);
        }
        while let Some(Waiting::Barrier(ticket)) = self.queue.front() {
            effects.push(Effect::Pass(*ticket));
            self.queue.pop_front();
        }
        let mut bytes = 0;
        while let Some(Waiting::Batch(_, batch)) = self.queue.front() {
            bytes += weight(batch);
            let full = self.group.len() >= self.limits.batches || bytes > self.limits.bytes;
            if full && !self.group.is_empty() {
                break;
            }
            if let Some(Waiting::Batch(ticket, batch)) = self.queue.pop_front() {
                self.group.push((ticket, batch));
            }
        }
        if !self.group.is_empty() {
            self.races = 0;
            self.fetch(effects);
        }
    }

    fn fetch(&mut self, effects: &mut Vec<Effect>) {
        self.phase = Phase::Fetching;
        effects.push(Effect::Fetch(read_set(self.group.iter().map(|(_, batch)| &**batch))));
    }

    fn decide(&mut self, view: View, context: &PlanContext, effects: &mut Vec<Effect>) {
        let plan = plan(view, self.group.iter().map(|(_, batch)| &**batch), context);
        if plan.set.is_empty() {
            self.answer(plan.outcomes, effects);
        } else {
            let changed = plan.set.commits.iter().map(changed_keys).collect();
            self.phase = Phase::Writing { outcomes: plan.outcomes, changed };
            effects.push(Effect::Write(plan.set));
        }
    }

    fn settle(&mut self, result: Result<Written>, effects: &mut Vec<Effect>) {
        let phase = mem::replace(&mut self.phase, Phase::Idle);
        let Phase::Writing { mut outcomes, changed } = phase else { return };
        match result {
            Ok(Written::Applied(durability)) => {
                effects.push(Effect::Publish(changed));
                for outcome in &mut outcomes {
                    if let Ok(Outcome::Applied(receipt)) = outcome {
                        receipt.durability = receipt.durability.min(durability);
                    }
                }
                let answered = outcomes.len();
                self.answer(outcomes, effects);
                if self.limits.gathers && answered > 1 && self.rest.is_empty() {
                    self.phase = Phase::Gathering;
                    effects.push(Effect::Gather(answered));
                }
            }
            Ok(Written::Raced) if self.races < self.limits.races => {
                self.races += 1;
                effects.push(Effect::Overtaken);
                self.fetch(effects);
            }
            Ok(Written::Raced) => {
                effects.push(Effect::Overtaken);
                let races = self.races;
                let busy = format!("other processes committed first {races} times; retry later");
                self.fail(&Error::busy(busy), effects);
            }
            Err(error) => {
                // It may have been applied all the same, with nobody told.
                effects.push(Effect::Overtaken);
                self.fail(&error, effects);
            }
        }
    }

    fn answer(&mut self, outcomes: Vec<Result<Outcome>>, effects: &mut Vec<Effect>) {
        self.phase = Phase::Idle;
        let tickets = self.group.drain(..).map(|(ticket, _)| ticket);
        effects.extend(tickets.zip(outcomes).map(|(t, outcome)| Effect::Answer(t, outcome)));
    }

    /// Answers the group with the error, or tries its halves if one batch may be to blame.
    ///
    /// Halving finds one bad batch among a thousand in twenty steps. It is safe after any
    /// failure: a batch that was applied after all is found by its commit id.
    fn fail(&mut self, error: &Error, effects: &mut Vec<Effect>) {
        if self.group.len() > 1 && is_about_content(error) {
            let later = self.group.split_off(self.group.len() / 2);
            self.rest.push(later);
            return self.fetch(effects);
        }
        let outcomes = self.group.iter().map(|_| Err(error.clone())).collect();
        self.answer(outcomes, effects);
    }
}

/// Whether an error of a whole group may be owed to one batch in it, or to one damaged entity
/// that only some of them name. What is wrong with the store itself, a full disk say, is wrong
/// for each of them, and trying them one by one would only add to its trouble.
fn is_about_content(error: &Error) -> bool {
    use ErrorKind::{Corrupt, Diverged, Incompatible, Internal, Invalid, TooLarge, Unsupported};

    matches!(
        error.kind(),
        Invalid | TooLarge | Unsupported | Corrupt | Incompatible | Diverged | Internal
    )
}

fn changed_keys(commit: &Commit) -> Arc<[Key]> {
    commit.versions.iter().map(|version| version.key.clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use outlast_core::{
        Cause, Durability, Epoch, Expect, IdSource, Json, Key, Op, Put, RandomIds, Revision,
        Timestamp,
    };

    use super::*;

    const LIMITS: GroupLimits = GroupLimits { batches: 2, bytes: 2000, races: 1, gathers: false };

    #[allow(clippy::unnecessary_box_returns)]
    fn batch(id: &str, bytes: usize) -> Box<Batch> {
        let put = Put {
            key: Key::new("note", id).unwrap(),
            expect: Expect::Any,
            schema: 1,
            attrs: outlast_core::Attributes::new(),
            state: Json::encode(&"x".repeat(bytes)).unwrap(),
        };
        Box::new(Batch::new(RandomIds.commit_id(), Cause::default()).with(Op::Put(put)))
    }

    fn context() -> PlanContext {
        let (now, epoch) = (Timestamp::default(), Epoch(1));
        PlanContext { now, epoch, durability: Durability::Durable }
    }

    fn answers(effects: &[Effect]) -> HashMap<Ticket, bool> {
        let answer = |effect: &Effect| match effect {
            Effect::Answer(ticket, outcome) => Some((*ticket, outcome.is_ok())),
            _ => None,
        };
        effects.iter().filter_map(answer).collect()
    }

    fn write(machine: &mut Machine) {
        let effects = machine.step(Event::Fetched(Ok(Box::default()), context()));
        assert!(matches!(effects.as_slice(), [Effect::Write(_)]), "{effects:?}");
    }

    #[test]
    fn what_waits_during_a_write_forms_the_next_group() {
        let mut machine = Machine::new(LIMITS);
        let effects = machine.step(Event::Submitted(1, batch("a", 1)));
        assert!(matches!(effects.as_slice(), [Effect::Fetch(reads)] if reads.keys.len() == 1));
        assert!(machine.step(Event::Submitted(2, batch("b", 1))).is_empty());
        assert!(machine.step(Event::Submitted(3, batch("c", 1))).is_empty());
        assert!(machine.step(Event::Submitted(4, batch("d", 1))).is_empty());
        write(&mut machine);
        let effects = machine.step(Event::Written(Ok(Written::Applied(Durability::Durable))));
        assert_eq!(answers(&effects), HashMap::from([(1, true)]));
        let last = effects.last();
        assert!(matches!(last, Some(Effect::Fetch(reads)) if reads.keys.len() == 2), "{last:?}");
        assert_eq!(machine.waiting(), 1);
    }

    #[test]
    fn callers_of_one_group_may_come_back_for_the_next() {
        let mut machine = Machine::new(GroupLimits { gathers: true, ..LIMITS });
        let written = || Event::Written(Ok(Written::Applied(Durability::Durable)));
        machine.step(Event::Submitted(1, batch("a", 1)));
        machine.step(Event::Submitted(2, batch("b", 1)));
        machine.step(Event::Submitted(3, batch("c", 1)));
        write(&mut machine);
        let effects = machine.step(written());
        assert!(
            matches!(effects.last(), Some(Effect::Fetch(_))),
            "nobody waits for one: {effects:?}"
        );
        write(&mut machine);
        let effects = machine.step(written());
        assert!(matches!(effects.last(), Some(Effect::Gather(2))), "{effects:?}");
        assert!(machine.step(Event::Submitted(4, batch("d", 1))).is_empty());
        assert!(machine.step(Event::Barrier(5)).is_empty());
        let effects = machine.step(Event::Gathered);
        assert!(matches!(effects.as_slice(), [Effect::Fetch(_)]), "{effects:?}");
        write(&mut machine);
        let effects = machine.step(written());
        assert!(matches!(effects.last(), Some(Effect::Pass(5))), "{effects:?}");
        assert!(machine.is_idle());
    }

    #[test]
    fn a_batch_over_the_byte_limit_makes_a_group_of_its_own() {
        let mut machine = Machine::new(LIMITS);
        let effects = machine.step(Event::Submitted(1, batch("a", 2000)));
        assert!(matches!(effects.as_slice(), [Effect::Fetch(_)]));
        machine.step(Event::Submitted(2, batch("b", 600)));
        machine.step(Event::Submitted(3, batch("c", 600)));
        write(&mut machine);
        let effects = machine.step(Event::Written(Ok(Written::Applied(Durability::Durable))));
        assert!(matches!(effects.last(), Some(Effect::Fetch(reads)) if reads.keys.len() == 1));
    }

    #[test]
    fn a_lost_race_is_planned_again_from_a_fresh_view_and_then_busy() {
        let mut machine = Machine::new(LIMITS);
        machine.step(Event::Submitted(1, batch("a", 1)));
        write(&mut machine);
        let effects = machine.step(Event::Written(Ok(Written::Raced)));
        assert!(matches!(effects.as_slice(), [Effect::Overtaken, Effect::Fetch(_)]));
        let view = View { revision: Revision(7), ..View::default() };
        let effects = machine.step(Event::Fetched(Ok(Box::new(view)), context()));
        let [Effect::Write(set)] = effects.as_slice() else { panic!("{effects:?}") };
        assert_eq!(set.base, Revision(7));
        let effects = machine.step(Event::Written(Ok(Written::Raced)));
        assert_eq!(answers(&effects), HashMap::from([(1, false)]));
        assert!(machine.is_idle());
    }

    #[test]
    fn a_barrier_waits_for_everything_before_it_and_nothing_after() {
        let mut machine = Machine::new(LIMITS);
        machine.step(Event::Submitted(1, batch("a", 1)));
        machine.step(Event::Barrier(2));
        machine.step(Event::Submitted(3, batch("b", 1)));
        write(&mut machine);
        let effects = machine.step(Event::Written(Ok(Written::Applied(Durability::Durable))));
        let order: Vec<_> = effects.iter().map(mem::discriminant).collect();
        let pass = effects.iter().position(|effect| matches!(effect, Effect::Pass(2))).unwrap();
        let fetch = effects.iter().position(|effect| matches!(effect, Effect::Fetch(_))).unwrap();
        let answer = effects.iter().position(|e| matches!(e, Effect::Answer(1, Ok(_)))).unwrap();
        assert!(answer < pass && pass < fetch, "{order:?}");
    }

    #[test]
    fn a_failed_fetch_or_write_fails_its_group_and_not_the_next() {
        let mut machine = Machine::new(LIMITS);
        machine.step(Event::Submitted(1, batch("a", 1)));
        machine.step(Event::Submitted(2, batch("b", 1)));
        let effects = machine.step(Event::Fetched(Err(Error::unavailable("gone")), context()));
        assert_eq!(answers(&effects), HashMap::from([(1, false)]));
        write(&mut machine);
        let effects = machine.step(Event::Written(Ok(Written::Applied(Durability::Durable))));
        assert_eq!(answers(&effects), HashMap::from([(2, true)]));
    }

    #[test]
    fn an_error_about_content_reaches_only_the_batch_to_blame() {
        let mut machine = Machine::new(GroupLimits { batches: 8, ..LIMITS });
        machine.step(Event::Submitted(0, batch("first", 1)));
        for ticket in 1..=3 {
            machine.step(Event::Submitted(ticket, batch(&ticket.to_string(), 1)));
        }
        machine.step(Event::Barrier(9));
        let mut effects = machine.step(Event::Fetched(Err(Error::unavailable("away")), context()));
        let bad = Key::new("note", "2").unwrap();
        let mut order = Vec::new();
        let mut fetches = 0;
        while let Some(Effect::Fetch(reads)) = effects.pop() {
            fetches += 1;
            let view = if reads.keys.contains(&bad) {
                Err(Error::corrupt("note/2 is damaged"))
            } else {
                Ok(Box::default())
            };
            let failed = view.is_err();
            effects = machine.step(Event::Fetched(view, context()));
            if !failed {
                effects = machine.step(Event::Written(Ok(Written::Applied(Durability::Durable))));
            }
            order.extend(effects.iter().filter_map(|effect| match effect {
                Effect::Answer(ticket, outcome) => Some((*ticket, outcome.is_ok())),
                Effect::Pass(ticket) => Some((*ticket, true)),
                _ => None,
            }));
        }
        assert_eq!(order, [(1, true), (2, false), (3, true), (9, true)]);
        assert_eq!(fetches, 5, "3, then 1, then 2 and 3, then each");
        assert!(machine.is_idle());
    }

    #[test]
    fn what_is_wrong_with_the_store_is_told_to_the_whole_group_at_once() {
        let mut machine = Machine::new(LIMITS);
        machine.step(Event::Submitted(1, batch("a", 1)));
        machine.step(Event::Submitted(2, batch("b", 1)));
        machine.step(Event::Submitted(3, batch("c", 1)));
        machine.step(Event::Fetched(Err(Error::unavailable("gone")), context()));
        write(&mut machine);
        let full = Error::new(ErrorKind::StorageFull, "no room");
        let effects = machine.step(Event::Written(Err(full)));
        assert_eq!(answers(&effects), HashMap::from([(2, false), (3, false)]));
        assert!(matches!(effects.first(), Some(Effect::Overtaken)), "{effects:?}");
        assert!(machine.is_idle());
    }
}
