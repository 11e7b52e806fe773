//! The machine under every order in which callers, its driver and another process may get to run:
//! each schedule is chosen by shuttle, and one that fails can be repeated.

use std::collections::HashMap;

use outlast_core::{
    Attributes, Batch, Cause, CommitId, Durability, Epoch, Expect, Head, IdSource as _, Json, Key,
    Op, PlanContext, Put, RandomIds, Timestamp, View, WriteSet, Written,
};
use shuttle::sync::{Arc, Mutex, mpsc};
use shuttle::thread;

use super::machine::{Effect, Event, GroupLimits, Machine, Ticket};

/// Schedules in the ordinary test run. `OUTLAST_SCHEDULES` asks for more.
const SCHEDULES: usize = 1000;
const CALLERS: u64 = 3;
const BATCHES: u64 = 3;

/// What there is, to the machine and to a process beside it.
#[derive(Default)]
struct World(View);

impl World {
    fn write(&mut self, set: &WriteSet) -> Written {
        if set.base != self.0.revision {
            return Written::Raced;
        }
        for commit in &set.commits {
            assert_eq!(commit.revision, self.0.revision.next(), "revisions have no gap");
            self.0.revision = commit.revision;
            let twice = self.0.commits.insert(commit.id, commit.remembered());
            assert!(twice.is_none(), "a batch was applied twice");
            for version in &commit.versions {
                self.0.heads.insert(version.key.clone(), Head::of(version));
            }
        }
        Written::Applied(Durability::Durable)
    }
}

/// What a caller hands in.
enum Request {
    Commit(Ticket, Box<Batch>),
    Barrier(Ticket),
}

/// What was answered, in order: the ticket and whether it was applied.
type Answers = Arc<Mutex<Vec<(Ticket, bool)>>>;

#[allow(clippy::unnecessary_box_returns)]
fn batch(ticket: Ticket) -> Box<Batch> {
    let put = Put {
        key: Key::new("note", (ticket % 2).to_string()).unwrap(),
        expect: Expect::Any,
        schema: 1,
        attrs: Attributes::new(),
        state: Json::encode(&ticket).unwrap(),
    };
    Box::new(Batch::new(RandomIds.commit_id(), Cause::default()).with(Op::Put(put)))
}

fn context() -> PlanContext {
    let (now, epoch) = (Timestamp::default(), Epoch(1));
    PlanContext { now, epoch, durability: Durability::Durable }
}

/// Carries out what the machine decides, taking in what comes meanwhile between any two steps.
fn drive(requests: &mpsc::Receiver<Request>, world: &Mutex<World>, answers: &Answers) {
    let mut machine =
        Machine::new(GroupLimits { batches: 2, bytes: 1 << 20, races: 1000, gathers: true });
    while let Ok(request) = requests.recv() {
        let mut effects = accept(&mut machine, request);
        while !effects.is_empty() {
            let mut next = Vec::new();
            for effect in effects {
                next.extend(carry_out(&mut machine, effect, world, answers));
                while let Ok(request) = requests.try_recv() {
                    next.extend(accept(&mut machine, request));
                }
            }
            effects = next;
        }
    }
}

fn accept(machine: &mut Machine, request: Request) -> Vec<Effect> {
    machine.step(match request {
        Request::Commit(ticket, batch) => Event::Submitted(ticket, batch),
        Request::Barrier(ticket) => Event::Barrier(ticket),
    })
}

fn carry_out(
    machine: &mut Machine,
    effect: Effect,
    world: &Mutex<World>,
    answers: &Answers,
) -> Vec<Effect> {
    match effect {
        Effect::Fetch(_) => {
            let view = world.lock().unwrap().0.clone();
            machine.step(Event::Fetched(Ok(Box::new(view)), context()))
        }
        Effect::Write(set) => {
            let written = world.lock().unwrap().write(&set);
            machine.step(Event::Written(Ok(written)))
        }
        Effect::Answer(ticket, outcome) => {
            answers.lock().unwrap().push((ticket, outcome.is_ok()));
            Vec::new()
        }
        Effect::Pass(ticket) => {
            answers.lock().unwrap().push((ticket, true));
            Vec::new()
        }
        Effect::Gather(_) => machine.step(Event::Gathered),
        Effect::Publish(_) | Effect::Overtaken => Vec::new(),
    }
}

fn one_schedule() {
    let (sender, requests) = mpsc::channel();
    let (world, answers) = (Arc::new(Mutex::new(World::default())), Answers::default());
    let driver = thread::spawn({
        let (world, answers) = (world.clone(), answers.clone());
        move || drive(&requests, &world, &answers)
    });
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let sender = sender.clone();
            thread::spawn(move || hand_in(&sender, caller))
        })
        .collect();
    drop(sender);
    // A process beside it commits now and then, so that races are lost.
    let rival = thread::spawn({
        let world = world.clone();
        move || {
            for _ in 0..2 {
                let mut world = world.lock().unwrap();
                world.0.revision = world.0.revision.next();
            }
        }
    });
    let mut ids = HashMap::new();
    for caller in callers {
        ids.extend(caller.join().unwrap());
    }
    rival.join().unwrap();
    driver.join().unwrap();
    check(&ids, &answers.lock().unwrap(), &world.lock().unwrap());
}

/// Batches, and a barrier behind them; returns the ids of the batches.
fn hand_in(sender: &mpsc::Sender<Request>, caller: u64) -> Vec<(Ticket, CommitId)> {
    let mut ids = Vec::new();
    for n in 0..BATCHES {
        let ticket = caller * 100 + n;
        let batch = batch(ticket);
        ids.push((ticket, batch.id));
        sender.send(Request::Commit(ticket, batch)).unwrap();
    }
    sender.send(Request::Barrier(caller * 100 + 99)).unwrap();
    ids
}

fn check(ids: &HashMap<Ticket, CommitId>, answers: &[(Ticket, bool)], world: &World) {
    let place = |ticket| answers.iter().position(|(answered, _)| *answered == ticket);
    assert_eq!(answers.len() as u64, CALLERS * (BATCHES + 1), "each is answered once: {answers:?}");
    for (ticket, id) in ids {
        let at = place(*ticket).expect("an answer");
        assert!(answers[at].1 && world.0.commits.contains_key(id), "{ticket} was not applied");
    }
    for caller in 0..CALLERS {
        let places: Vec<_> =
            (0..BATCHES).chain([99]).map(|n| place(caller * 100 + n).unwrap()).collect();
        assert!(places.is_sorted(), "answers of caller {caller} are out of order: {answers:?}");
    }
}

#[test]
fn schedules_of_callers_and_rivals_answer_each_batch_once_and_in_order() {
    let given = std::env::var("OUTLAST_SCHEDULES").ok().and_then(|text| text.parse().ok());
    let schedules = given.unwrap_or(SCHEDULES);
    shuttle::check_random(one_schedule, schedules);
    shuttle::check_pct(one_schedule, schedules / 4, 3);
}
