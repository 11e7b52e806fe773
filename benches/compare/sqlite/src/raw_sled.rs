//! sled by hand: one transaction over two trees per transition, flushed before it is answered.

use std::time::{Duration, Instant};

use sled::Transactional;

use crate::measure::{Measured, Watch};
use crate::work::{Agent, Job, id};

pub fn transitions(job: &Job) -> Measured {
    let db = sled::open(job.dir.join("sled")).expect("a database");
    let (states, audit) =
        (db.open_tree("states").expect("a tree"), db.open_tree("audit").expect("a tree"));
    for n in 0..job.entities {
        let state = serde_json::to_vec(&Agent::new(n)).expect("JSON");
        states.insert(id(n), state).expect("a row");
    }
    db.flush().expect("a flush");
    let watch = Watch::start();
    let callers: Vec<_> = (0..job.callers)
        .map(|caller| {
            let (db, states, audit, job) = (db.clone(), states.clone(), audit.clone(), job.clone());
            std::thread::spawn(move || call(&db, &states, &audit, &job, caller))
        })
        .collect();
    let mut times = Vec::with_capacity(job.ops);
    for caller in callers {
        times.extend(caller.join().expect("a caller"));
    }
    watch.stop("transition", times)
}

fn call(
    db: &sled::Db,
    states: &sled::Tree,
    audit: &sled::Tree,
    job: &Job,
    caller: usize,
) -> Vec<Duration> {
    let mut random = fastrand::Rng::with_seed(caller as u64);
    let mut times = Vec::with_capacity(job.share());
    for _ in 0..job.share() {
        let id = id(random.usize(0..job.entities));
        let start = Instant::now();
        let place = db.generate_id().expect("an id").to_be_bytes();
        (states, audit)
            .transaction(|(states, audit)| {
                let before = states.get(id.as_bytes())?.expect("the row");
                let mut agent: Agent = serde_json::from_slice(&before).expect("JSON");
                agent.advance();
                let after = serde_json::to_vec(&agent).expect("JSON");
                audit.insert(&place, after.as_slice())?;
                states.insert(id.as_bytes(), after)?;
                Ok::<_, sled::transaction::ConflictableTransactionError<()>>(())
            })
            .expect("a transaction");
        db.flush().expect("a flush");
        times.push(start.elapsed());
    }
    times
}
