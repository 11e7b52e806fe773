//! The same random steps on a store and on the model, compared after each.
//!
//! A failure prints its seed, the command that replays it, and the fewest steps that still show
//! it. Steps are generated from the seed and from what the model holds, so most of them mean
//! something: right and wrong expectations, replays, merges, deletions, pruning, reopening.

mod compare;
mod random;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use outlast_core::{Batch, Capability, Epoch, Expect, Op, Prune, PrunePlan, Version};

use crate::model::Model;
use crate::{Harness, Trial};

/// One step of a sequence, replayable by itself.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Batches handed in at once, in this order. They may be written as a group.
    Commit(Vec<Batch>),
    Prune(Prune),
    Reopen,
    Crash,
    Wait(Duration),
}

/// Steps, and the epoch of the store they were generated for.
struct Sequence {
    epoch: Epoch,
    steps: Vec<Step>,
}

/// The variable that holds the seed to replay.
const SEED: &str = "OUTLAST_SEED";

/// The seed in the environment variable `OUTLAST_SEED`, or a random one.
pub fn seed() -> u64 {
    let given = std::env::var(SEED).ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| fastrand::u64(..))
}

/// How many sequences: so many, or as many as the environment variable `OUTLAST_SEQUENCES` says.
pub fn sequences(usual: u64) -> u64 {
    let given = std::env::var("OUTLAST_SEQUENCES").ok().and_then(|text| text.parse().ok());
    given.unwrap_or(usual)
}

/// Compares a backend with the model over so many random sequences of so many steps each.
///
/// Panics at the first difference, naming the seed of the sequence and the steps that are needed
/// to see it. Needs a tokio runtime with several threads.
pub async fn differential(harness: Arc<dyn Harness>, seed: u64, sequences: u64, steps: usize) {
    for seed in (0..sequences).map(|n| seed.wrapping_add(n)) {
        let Err((sequence, message)) = generate(&harness, seed, steps).await else { continue };
        let (sequence, message) = shrink(&harness, sequence, message).await;
        let name = harness.name();
        let steps = &sequence.steps;
        panic!(
            "{name} differs from the model: {message}\nseed {seed}, replay with: \
             {SEED}={seed} cargo test differential\nsteps needed: {steps:#?}"
        );
    }
}

/// Runs one sequence as it is generated. Gives the steps so far at the first difference.
async fn generate(
    harness: &Arc<dyn Harness>,
    seed: u64,
    steps: usize,
) -> Result<(), (Sequence, String)> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut trial = Trial::start(&**harness).await;
    let epoch = trial.store.info().epoch;
    let mut model = Model::new(epoch, trial.store.info().durability);
    let mut done = Vec::new();
    for _ in 0..steps {
        let step = random::step(&mut rng, &model, &trial);
        done.push(step.clone());
        match take(trial, model, step, done.len()).await {
            Ok(after) => (trial, model) = after,
            Err(message) => return Err((Sequence { epoch, steps: done }, message)),
        }
    }
    drop(trial.store.close().await);
    Ok(())
}

/// Runs given steps on a fresh store.
async fn rerun(harness: &Arc<dyn Harness>, sequence: &Sequence) -> Result<(), String> {
    let mut trial = Trial::start(&**harness).await;
    let epoch = trial.store.info().epoch;
    let mut model = Model::new(epoch, trial.store.info().durability);
    for (n, step) in sequence.steps.iter().enumerate() {
        let step = moved(step, sequence.epoch, epoch);
        (trial, model) = take(trial, model, step, n + 1).await?;
    }
    Ok(())
}

/// Takes a step on both and compares them. A panic of the store counts as a difference.
async fn take(
    mut trial: Trial,
    mut model: Model,
    step: Step,
    number: usize,
) -> Result<(Trial, Model), String> {
    let task = tokio::spawn(async move {
        both(&mut trial, &mut model, &step).await?;
        compare::all(&trial, &model, number).await?;
        Ok((trial, model))
    });
    match tokio::time::timeout(Duration::from_mins(1), task).await {
        Ok(Ok(result)) => result,
        Ok(Err(error)) => Err(format!("step {number} panics: {error}")),
        Err(_) => Err(format!("step {number} hangs")),
    }
}

async fn both(trial: &mut Trial, model: &mut Model, step: &Step) -> Result<(), String> {
    match step {
        Step::Wait(by) => trial.wait(*by),
        Step::Commit(batches) => {
            let sent = batches.iter().map(|batch| trial.store.commit(batch.clone()));
            for (found, batch) in join_all(sent).await.into_iter().zip(batches) {
                let expected = model.commit(batch, trial.now());
                let found = found.map_err(|error| error.kind());
                if found != expected {
                    return Err(format!("{batch:?}\ngives {found:?}\nshould be {expected:?}"));
                }
            }
        }
        Step::Prune(item) => {
            model.prune(item);
            let plan = PrunePlan { items: vec![item.clone()] };
            for _ in 0..1000 {
                match trial.store.prune(&plan, 2).await {
                    Ok(pruned) if pruned.done => return Ok(()),
                    Ok(_) => {}
                    Err(error) => return Err(format!("pruning fails: {error:?}")),
                }
            }
            return Err("pruning is never done".to_owned());
        }
        Step::Reopen => {
            trial.reopen().await;
            forget(trial, model);
        }
        Step::Crash => {
            trial.crash().await;
            forget(trial, model);
        }
    }
    Ok(())
}

/// What is not persistent begins anew.
fn forget(trial: &Trial, model: &mut Model) {
    let info = trial.store.info();
    if !info.can(Capability::Persistent) {
        *model = Model::new(info.epoch, info.durability);
    }
}

/// Leaves steps out, half of them first and single ones last, as long as a difference remains.
async fn shrink(
    harness: &Arc<dyn Harness>,
    mut sequence: Sequence,
    mut message: String,
) -> (Sequence, String) {
    let mut chunk = sequence.steps.len().div_ceil(2);
    while chunk > 0 {
        let mut from = 0;
        while from < sequence.steps.len() {
            let mut steps = sequence.steps.clone();
            steps.drain(from..(from + chunk).min(steps.len()));
            let fewer = Sequence { epoch: sequence.epoch, steps };
            match rerun(harness, &fewer).await {
                Err(found) => (sequence, message) = (fewer, found),
                Ok(()) => from += chunk,
            }
        }
        chunk /= 2;
    }
    (sequence, message)
}

/// The same step for a store of another epoch.
fn moved(step: &Step, from: Epoch, to: Epoch) -> Step {
    let version = |version: Version| {
        let epoch = version.epoch.0.wrapping_sub(from.0).wrapping_add(to.0);
        Version::new(Epoch(epoch), version.n)
    };
    let expect = |expect: &mut Expect| {
        if let Expect::At(at) = expect {
            *at = version(*at);
        }
    };
    let mut step = step.clone();
    match &mut step {
        Step::Commit(batches) => {
            batches.iter_mut().flat_map(|b| &mut b.ops).for_each(|op| match op {
                Op::Put(put) => expect(&mut put.expect),
                Op::Delete { expect: at, .. } | Op::Assert { expect: at, .. } => expect(at),
                Op::MergeRecord { record, history } => {
                    for merged in history.iter_mut().chain([&mut **record]) {
                        merged.version = version(merged.version);
                    }
                }
                Op::Append { .. } | Op::Touch { .. } | Op::MergeEntries { .. } => {}
            });
        }
        Step::Prune(Prune::Tombstone { version: at, .. }) => *at = version(*at),
        Step::Prune(_) | Step::Reopen | Step::Crash | Step::Wait(_) => {}
    }
    step
}
