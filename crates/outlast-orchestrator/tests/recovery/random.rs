//! Whatever was left behind, and however often a recovery of it is cut off: what comes of it is
//! what one recovery that nobody cuts off makes, and another changes nothing.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use outlast_orchestrator::recovery::{RecoveryOptions, Table, recover};

use crate::support::{HOUR, acquire, found, place, recovered, revision, site};

/// How many stores are left behind in the ordinary test run. `OUTLAST_SEQUENCES` asks for more.
const SEQUENCES: u64 = 40;

#[tokio::test]
async fn a_recovery_that_is_cut_off_anywhere_ends_as_one_that_is_not_in_memory() {
    sequences("memory").await;
}

#[tokio::test]
async fn a_recovery_that_is_cut_off_anywhere_ends_as_one_that_is_not_on_sqlite() {
    sequences("sqlite").await;
}

#[tokio::test]
async fn a_recovery_that_is_cut_off_anywhere_ends_as_one_that_is_not_on_sled() {
    sequences("sled").await;
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

async fn sequences(backend: &str) {
    let first = number("OUTLAST_SEED").unwrap_or_else(|| fastrand::u64(..));
    let count = number("OUTLAST_SEQUENCES").unwrap_or(SEQUENCES);
    println!("{count} sequences, seed {first}: again with OUTLAST_SEED={first}");
    let mut cut_off = 0;
    for n in 0..count {
        let seed = first.wrapping_add(n);
        cut_off += sequence(backend, seed).await;
    }
    assert!(cut_off > count / 4, "{cut_off} of {count} were cut off: nothing was tested");
}

/// Returns how often recovery was cut off.
async fn sequence(backend: &str, seed: u64) -> u64 {
    let mut random = fastrand::Rng::with_seed(seed);
    let (site, twin) = (site(backend).await, site("memory").await);
    let kinds = ["swarm", "agent", "session", "command", "pipeline", "join"];
    let mut placed = Vec::new();
    for kind in kinds {
        let table = Table::default();
        let states: Vec<_> = table.cells().filter(|(of, _, _)| *of == kind).collect();
        let (_, state, _) = states[random.usize(..states.len())];
        if random.u8(..3) == 0 {
            continue;
        }
        place(&site, kind, state).await;
        place(&twin, kind, state).await;
        placed.push((kind, state));
    }
    let later = HOUR * random.u32(0..4);
    site.clock.advance(later);
    twin.clock.advance(later);
    let instance = acquire(&site.store).await;
    let options = RecoveryOptions::default();
    let mut cut_off = 0;
    // What is in memory answers after few polls.
    let most = if backend == "memory" { 5 } else { 30 };
    for _ in 0..random.u32(1..4) {
        let polls = random.usize(1..most);
        let ended = polled(recover(&instance, &options), polls).await;
        cut_off += u64::from(ended.is_none());
    }
    recover(&instance, &options).await.unwrap();
    recovered(&twin).await;
    for (kind, state) in &placed {
        let expected = found(&twin.store, kind).await;
        let what = format!("{backend}, seed {seed}, {placed:?}: {kind} was {state}");
        assert_eq!(found(&site.store, kind).await, expected, "{what}");
    }
    let before = revision(&site.store).await;
    let again = recover(&instance, &options).await.unwrap();
    assert_eq!(again.changed, 0, "{backend}, seed {seed}, {placed:?}");
    assert_eq!(revision(&site.store).await, before, "{backend}, seed {seed}, {placed:?}");
    site.store.close().await.unwrap();
    cut_off
}

/// Polls a future at most so often, letting everybody else run in between, and then drops it.
async fn polled<F: Future>(future: F, times: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..times {
        let polled = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}
