//! The sequencer as a pure step function: an event comes in, effects come out.

use std::collections::VecDeque;
use std::mem;

use outlast_core::{
    Batch, Commit, Error, Outcome, Plan, PlanContext, ReadSet, Result, View, WriteSet, Written,
    plan, read_set,
};

/// Names a waiting request; the driver knows whom to answer.
pub(crate) type Ticket = u64;

/// How large a group may grow, and how often a lost race is tried again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupLimits {
    /// Batches in one group.
    pub(crate) batches: usize,
    /// Bytes of content in one group. A single larger batch makes a group of its own.
    pub(crate) bytes: usize,
    /// Lost races against other processes before the group is answered `Busy`.
    pub(crate) races: u32,
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
}

/// What to do about it, in this order.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Read what the group needs, then step with `Fetched`.
    Fetch(ReadSet),
    /// Write the plan, then step with `Written`.
    Write(WriteSet),
    /// Let readers know of these commits.
    Publish(Vec<Commit>),
    /// Another process committed: what this one knows may be old.
    Overtaken,
    /// Answer a caller.
    Answer(Ticket, Result<Outcome>),
    /// Everything before this barrier is settled: do what its caller wants.
    Pass(Ticket),
}

#[derive(Debug)]
enum Waiting {
    Batch(Ticket, Box<Batch>),
    Barrier(Ticket),
}

#[derive(Debug)]
enum Phase {
    Idle,
    Fetching,
    Writing(Plan),
}

/// The state between two steps.
#[derive(Debug)]
pub(crate) struct Machine {
    limits: GroupLimits,
    queue: VecDeque<Waiting>,
    group: Vec<(Ticket, Box<Batch>)>,
    races: u32,
    phase: Phase,
}

impl Machine {
    pub(crate) fn new(limits: GroupLimits) -> Self {
        let (queue, group) = (VecDeque::new(), Vec::new());
        Self { limits, queue, group, races: 0, phase: Phase::Idle }
    }

    #[cfg(test)]
    fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle) && self.queue.is_empty()
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
        }
        if matches!(self.phase, Phase::Idle) {
            self.begin(&mut effects);
        }
        effects
    }

    /// Forms the next group, as large as what waits and the limits allow.
    fn begin(&mut self, effects: &mut Vec<Effect>) {
        while let Some(Waiting::Barrier(ticket)) = self.queue.front() {
            effects.push(Effect::Pass(*ticket));
            self.queue.pop_front();
        }
        let mut bytes = 0;
        while let Some(Waiting::Batch(_, batch)) = self.queue.front() {
            bytes += batch.bytes();
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
            effects.push(Effect::Write(plan.set.clone()));
            self.phase = Phase::Writing(plan);
        }
    }

    fn settle(&mut self, result: Result<Written>, effects: &mut Vec<Effect>) {
        let Phase::Writing(plan) = mem::replace(&mut self.phase, Phase::Idle) else {
            return;
        };
        match result {
            Ok(Written::Applied(durability)) => {
                effects.push(Effect::Publish(plan.set.commits));
                let mut outcomes = plan.outcomes;
                for outcome in &mut outcomes {
                    if let Ok(Outcome::Applied(receipt)) = outcome {
                        receipt.durability = durability;
                    }
                }
                self.answer(outcomes, effects);
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
            Err(error) => self.fail(&error, effects),
        }
    }

    fn answer(&mut self, outcomes: Vec<Result<Outcome>>, effects: &mut Vec<Effect>) {
        self.phase = Phase::Idle;
        let tickets = self.group.drain(..).map(|(ticket, _)| ticket);
        effects.extend(tickets.zip(outcomes).map(|(t, outcome)| Effect::Answer(t, outcome)));
    }

    fn fail(&mut self, error: &Error, effects: &mut Vec<Effect>) {
        let outcomes = self.group.iter().map(|_| Err(error.clone())).collect();
        self.answer(outcomes, effects);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use outlast_core::{
        Cause, Durability, Epoch, Expect, IdSource, Json, Key, Op, Put, RandomIds, Revision,
        Timestamp,
    };

    use super::*;

    const LIMITS: GroupLimits = GroupLimits { batches: 2, bytes: 1000, races: 1 };

    fn batch(id: &str, bytes: usize) -> Box<Batch> {
        let put = Put {
            key: Key::new("note", id).unwrap(),
            expect: Expect::Any,
            schema: 1,
            attrs: Default::default(),
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
}
