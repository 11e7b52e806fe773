//! Clocks that jumped.

use std::time::Duration;

use outlast_core::{Clock, Command, CommandStatus};
use outlast_orchestrator::retention::{Policies, Sweeper, last_sweep};

use crate::support::{BACKENDS, DAY, days_ago, ids, now};
use crate::sweeping::{Site, command, counts, create, site, sweeper};
use crate::timed::open_at;

const HOUR: Duration = Duration::from_hours(1);

/// A command that is over for 29 days: one more and it goes.
async fn nearly_old(backend: &str) -> Site {
    let site = site(backend).await;
    create(&site.store, "c", &command(CommandStatus::Success, None, days_ago(29))).await;
    site
}

#[tokio::test]
async fn a_tick_after_the_clock_jumped_only_reports_and_the_next_removes() {
    for backend in BACKENDS {
        let site = nearly_old(backend).await;
        let sweeper = sweeper(&site);
        assert_eq!(counts(&sweeper.tick().await.unwrap()), []);
        site.clock.jump_to(now().plus(DAY));
        let held = sweeper.tick().await.unwrap();
        assert!(held.dry_run && held.held_back.is_some(), "{backend}");
        assert_eq!(counts(&held), [("command", 1)]);
        assert_eq!(ids::<Command>(&site.store).await, ["c"]);
        let sweep = sweeper.tick().await.unwrap();
        assert_eq!((sweep.held_back.is_none(), counts(&sweep)), (true, vec![("command", 1)]));
        assert_eq!(ids::<Command>(&site.store).await, [""; 0]);
        site.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn time_that_passed_on_both_clocks_is_no_jump() {
    let site = nearly_old("memory").await;
    let sweeper = sweeper(&site);
    sweeper.tick().await.unwrap();
    site.clock.advance(DAY * 5);
    let sweep = sweeper.tick().await.unwrap();
    assert_eq!((sweep.held_back.is_none(), counts(&sweep)), (true, vec![("command", 1)]));
}

#[tokio::test]
async fn a_jump_of_an_hour_is_none_and_one_beyond_is_also_backwards() {
    for (jump, is_held) in [(HOUR, false), (HOUR + Duration::from_micros(1), true)] {
        for back in [false, true] {
            let site = nearly_old("memory").await;
            let sweeper = sweeper(&site);
            sweeper.tick().await.unwrap();
            site.clock.advance(DAY);
            let to = site.clock.now();
            site.clock.jump_to(if back { to.minus(jump) } else { to.plus(jump) });
            let held_back = sweeper.tick().await.unwrap().held_back;
            assert_eq!(held_back.is_some(), is_held, "{jump:?} back: {back}, {held_back:?}");
        }
    }
}

#[tokio::test]
async fn a_forced_tick_removes_at_once() {
    let site = nearly_old("memory").await;
    let sweeper = sweeper(&site);
    sweeper.tick().await.unwrap();
    site.clock.jump_to(now().plus(DAY));
    let sweep = sweeper.force().await.unwrap();
    assert_eq!((sweep.dry_run, counts(&sweep)), (false, vec![("command", 1)]));
}

#[tokio::test]
async fn a_store_that_was_closed_for_longer_than_the_shortest_age_is_only_reported_at_first() {
    for backend in ["sqlite", "sled"] {
        for (closed, is_held) in [(DAY, false), (DAY + Duration::from_secs(1), true)] {
            let site = nearly_old(backend).await;
            sweeper(&site).tick().await.unwrap();
            assert_eq!(last_sweep(&site.store).await.unwrap(), Some(now()));
            site.store.close().await.unwrap();
            site.clock.advance(closed);
            let store = open_at(backend, &site.folder.path().join("store"), &site.clock).await;
            let sweeper = Sweeper::new(&store, Policies::default());
            let first = sweeper.tick().await.unwrap();
            assert_eq!(first.held_back.is_some(), is_held, "{backend} {closed:?}");
            assert_eq!(counts(&first), [("command", 1)]);
            let second = sweeper.tick().await.unwrap();
            assert_eq!(second.of("command").count, u64::from(is_held), "{backend} {closed:?}");
            assert_eq!(ids::<Command>(&store).await, [""; 0]);
            store.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_age_of_nothing_does_not_make_every_pause_a_long_one() {
    for (pause, is_held) in [(HOUR, false), (HOUR + Duration::from_secs(1), true)] {
        let site = nearly_old("memory").await;
        sweeper(&site).tick().await.unwrap();
        site.clock.advance(pause);
        let policies = Policies::default().with_age("command", Some(Duration::ZERO)).unwrap();
        let sweep = Sweeper::new(&site.store, policies).tick().await.unwrap();
        assert_eq!((sweep.held_back.is_some(), counts(&sweep)), (is_held, vec![("command", 1)]));
    }
}

#[tokio::test]
async fn a_first_tick_has_nothing_to_compare_with_and_ticks_make_no_commit() {
    for backend in BACKENDS {
        let site = site(backend).await;
        assert_eq!(last_sweep(&site.store).await.unwrap(), None);
        let first = sweeper(&site).tick().await.unwrap();
        assert_eq!(first.held_back, None);
        let before = crate::support::content(&site.store).await;
        site.clock.advance(HOUR);
        sweeper(&site).tick().await.unwrap();
        assert_eq!(crate::support::content(&site.store).await, before, "{backend}");
        assert_eq!(last_sweep(&site.store).await.unwrap(), Some(now().plus(HOUR)));
        site.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn the_loop_ticks_until_it_is_stopped() {
    let site = site("memory").await;
    for n in 0..400 {
        let id = format!("c{n:03}");
        create(&site.store, &id, &command(CommandStatus::Success, None, days_ago(40))).await;
    }
    let sweeper = sweeper(&site).in_slices(1).every(Duration::from_hours(24));
    let (begin, stop) = tokio::sync::oneshot::channel::<()>();
    let looped = async { sweeper.run(async { stop.await.unwrap() }).await };
    let watched = async {
        while !ids::<Command>(&site.store).await.is_empty() {
            tokio::task::yield_now().await;
        }
        begin.send(()).unwrap();
    };
    tokio::join!(looped, watched);
}
