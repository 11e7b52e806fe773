//! Cells that are configured otherwise.

use outlast_core::ErrorKind;
use outlast_orchestrator::recovery::{Outcome, Policy, RecoveryOptions, Table, recover};

use crate::support::{HOUR, acquire, found, place, site};

#[test]
fn what_is_unknown_or_illegal_is_refused_with_what_there_is() {
    for (line, names) in [
        ("agents.running = keep", "agent, batch, command, join, pipeline, session, swarm, task"),
        ("agent.run = keep", "spawning"),
        ("agent.running = kept", "skip, keep, activate"),
        ("agent.running = orphan", "keep, fail"),
        ("agent.completed = fail", "skip"),
        ("agent.running = skip", "keep, fail"),
        ("command.executing = requeue", "keep, orphan"),
        ("command.executing = deadline", "keep, orphan"),
        ("batch.dispatching = orphan", "keep, resume"),
        ("agent running keep", "kind.state = policy"),
    ] {
        let refused = line.parse::<Table>().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid, "{line}");
        assert!(refused.to_string().contains(names), "{line}: {refused}");
    }
}

#[test]
fn a_table_is_read_from_text() {
    let text = "
        # who restarts what
        agent.running = keep   # they live elsewhere
        pipeline.running=orphan

        command.pending = requeue
    ";
    let table: Table = text.parse().unwrap();
    let changed: Vec<_> = table
        .cells()
        .filter(|(kind, state, policy)| Table::default().policy(kind, state) != Some(*policy))
        .collect();
    let expected = [
        ("agent", "running", Policy::Keep),
        ("command", "pending", Policy::Requeue),
        ("pipeline", "running", Policy::Orphan),
    ];
    assert_eq!(changed, expected);
    assert_eq!("".parse::<Table>().unwrap(), Table::default());
}

#[test]
fn a_policy_reads_as_it_is_written() {
    for policy in Policy::ALL {
        assert_eq!(policy.to_string().parse::<Policy>().unwrap(), *policy);
        let json = serde_json::to_string(policy).unwrap();
        assert_eq!(json, format!("\"{policy}\""));
    }
}

/// Every policy that the table takes does something, and nothing that the machine does not allow.
#[tokio::test]
async fn every_legal_policy_is_carried_out() {
    let mut carried_out = 0;
    for (kind, state, default) in Table::default().cells() {
        for policy in Policy::ALL.iter().copied().filter(|policy| *policy != default) {
            let Ok(table) = Table::default().with(kind, state, policy) else { continue };
            let site = site("memory").await;
            let instance = acquire(&site.store).await;
            place(&site, kind, state).await;
            site.clock.advance(HOUR * 3);
            let options = RecoveryOptions { table, ..RecoveryOptions::default() };
            let report = recover(&instance, &options).await.unwrap();
            assert_eq!(report.errors, [], "{kind}.{state} = {policy}");
            assert_eq!(report.outcomes[kind].values().sum::<u64>(), 1);
            let (now, _) = found(&site.store, kind).await;
            assert_eq!(report.changed > 0, now != state, "{kind}.{state} = {policy}: {report:?}");
            if policy == Policy::Keep {
                assert_eq!(report.count(kind, Outcome::Unchanged), 1, "{kind}.{state}");
            }
            assert_eq!(recover(&instance, &options).await.unwrap().changed, 0);
            carried_out += 1;
        }
    }
    assert!(carried_out > 20, "{carried_out}");
}
