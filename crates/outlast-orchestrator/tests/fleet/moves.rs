//! Every operation from every state: what the table allows is done, whole, and nothing else.

use outlast_core::{Command, CommandStatus, ErrorKind, Result, Status};
use outlast_orchestrator::fleet::{Commands, Completion, KillSignal, Reconnection, Refusal};
use outlast_store::Stored;

use crate::support::{BACKENDS, Scene};

/// An operation, and the state it leads to.
#[derive(Clone, Copy, Debug)]
enum Move {
    Dequeue,
    Requeue,
    Validate,
    Execute,
    Extend,
    Kill,
    AwaitReconnect,
    Succeed,
    Err,
    Miss,
    Block,
    Fail,
    Skip,
    Cancel,
    Orphan,
    Renewed,
    Suspicious,
    Unchanged,
    ReconcileWell,
    ReconcileBadly,
}

const MOVES: [Move; 20] = [
    Move::Dequeue,
    Move::Requeue,
    Move::Validate,
    Move::Execute,
    Move::Extend,
    Move::Kill,
    Move::AwaitReconnect,
    Move::Succeed,
    Move::Err,
    Move::Miss,
    Move::Block,
    Move::Fail,
    Move::Skip,
    Move::Cancel,
    Move::Orphan,
    Move::Renewed,
    Move::Suspicious,
    Move::Unchanged,
    Move::ReconcileWell,
    Move::ReconcileBadly,
];

impl Move {
    fn target(self, from: CommandStatus) -> CommandStatus {
        use CommandStatus as To;

        // What was killed for it did not do, unless it was done before.
        let ended = |status| if from == To::Killing { To::Killed } else { status };
        match self {
            Self::Dequeue => To::Pending,
            Self::Requeue => To::Queued,
            Self::Validate => To::Validating,
            Self::Execute | Self::Extend => To::Executing,
            Self::Kill => To::Killing,
            Self::AwaitReconnect => To::AwaitingReconnect,
            Self::Succeed | Self::Renewed | Self::ReconcileWell => To::Success,
            Self::Err => ended(To::Error),
            Self::Fail | Self::ReconcileBadly => To::Error,
            Self::Miss => ended(To::Partial),
            Self::Block => To::Blocked,
            Self::Skip => To::Skipped,
            Self::Cancel => To::Cancelled,
            Self::Orphan => To::Orphaned,
            Self::Suspicious => To::Suspicious,
            Self::Unchanged => To::StaleBinary,
        }
    }

    /// Whether it is to be done, by the table and by what it is for.
    fn is_legal(self, from: CommandStatus) -> bool {
        let to = self.target(from);
        match self {
            Self::Requeue => from.reserved().contains(&to),
            Self::ReconcileWell | Self::ReconcileBadly => from == CommandStatus::Orphaned,
            // One may extend what executes; what is validating has no time yet.
            Self::Extend => {
                from == to || (from.successors().contains(&to) && from != CommandStatus::Validating)
            }
            // Harder than before.
            Self::Kill => from == to || from.successors().contains(&to),
            _ => from.successors().contains(&to),
        }
    }

    async fn make(self, commands: &Commands, id: &str) -> Result<Stored<Command>> {
        let refusal = Refusal::new("some_code", "for a reason");
        match self {
            Self::Dequeue => commands.dequeue(id).await,
            Self::Requeue => commands.requeue(id, "for a reason").await,
            Self::Validate => commands.validate(id).await,
            Self::Execute => commands.execute(id, None).await,
            Self::Extend => commands.extend(id, 5).await,
            Self::Kill => commands.kill(id, KillSignal::Kill).await,
            Self::AwaitReconnect => commands.await_reconnect(id, Some(0)).await,
            Self::Succeed => commands.finish(id, &Completion::exited(0)).await,
            Self::Err => commands.finish(id, &Completion::exited(7)).await,
            Self::Miss => commands.finish(id, &Completion::missed(refusal)).await,
            Self::Block => commands.block(id, &refusal).await,
            Self::Fail => commands.fail(id, &refusal).await,
            Self::Skip => commands.skip(id, "for a reason").await,
            Self::Cancel => commands.cancel(id, "for a reason").await,
            Self::Orphan => commands.orphan(id, "for a reason").await,
            Self::Renewed => commands.reconnected(id, Reconnection::Renewed).await,
            Self::Suspicious => commands.reconnected(id, Reconnection::Suspicious).await,
            Self::Unchanged => commands.reconnected(id, Reconnection::Unchanged).await,
            Self::ReconcileWell => commands.reconcile(id, &Completion::exited(0)).await,
            Self::ReconcileBadly => commands.reconcile(id, &Completion::exited(7)).await,
        }
    }
}

async fn check(scene: &Scene, from: CommandStatus, by: Move) {
    let host_id = format!("{}-{by:?}", from.as_str());
    let what = format!("{}: {by:?} from {}", scene.name, from.as_str());
    scene.host(&host_id).await;
    let before = scene.in_state(&host_id, from).await;
    let told = scene.told().await;
    let to = by.target(from);

    let made = by.make(&scene.commands(), before.id()).await;

    let after = scene.commands().get(before.id()).await.unwrap();
    let reported = scene.told().await - told;
    let holder = scene.claim(&host_id).await;
    if matches!((by, from), (Move::Renewed, CommandStatus::Success)) {
        // It is told the same again, which is no change and no error.
        assert_eq!((made.expect(&what).version, reported), (before.version, 0), "{what}");
        return;
    }
    if !by.is_legal(from) {
        let error = made.expect_err(&what);
        let is_extension = matches!(by, Move::Extend) && from == CommandStatus::Validating;
        let kind = if is_extension { ErrorKind::Invalid } else { ErrorKind::IllegalTransition };
        assert_eq!(error.kind(), kind, "{what}: {error}");
        assert_eq!((after.version, reported), (before.version, 0), "{what}");
        assert_eq!(*after, *before, "{what}");
        let holds = !from.is_settled() && from != CommandStatus::Queued;
        assert_eq!(holder.is_some(), holds, "{what}");
        return;
    }
    let made = made.expect(&what);
    assert_eq!((made.status, made.version), (to, after.version), "{what}");
    assert_eq!(*made, *after, "{what}");
    assert_eq!(after.version.n, before.version.n + 1, "{what}");
    // That it is checked is of no interest to people.
    let is_told = u64::from(!matches!(by, Move::Validate));
    assert_eq!(reported, is_told, "{what}");
    assert_eq!(after.finished_at.is_some(), to.is_settled(), "{what}");
    let holds = !to.is_settled() && to != CommandStatus::Queued;
    assert_eq!(holder, holds.then(|| after.id().to_owned()), "{what}");
}

#[tokio::test]
async fn each_operation_does_what_the_table_allows_and_nothing_else() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        for from in CommandStatus::ALL {
            for by in MOVES {
                check(&scene, *from, by).await;
            }
        }
    }
}

/// Every move of the table is made by some operation, or by time, so the test above leaves none out.
#[test]
fn every_move_of_the_table_is_somebodys() {
    use CommandStatus as S;

    // A warning, the end of a time, and the waits that ran out.
    let by_time = [
        (S::Executing, S::RunningWarning),
        (S::RunningWarning, S::TimeoutPending),
        (S::AwaitingReconnect, S::Timeout),
        (S::Queued, S::Timeout),
    ];
    for from in S::ALL {
        for to in from.successors().iter().chain(from.reserved()) {
            let made = MOVES.iter().any(|by| by.target(*from) == *to && by.is_legal(*from));
            // Killed work that says it failed is recorded as killed; a refusal fails it.
            assert!(made || by_time.contains(&(*from, *to)), "{from:?} to {to:?}");
        }
    }
}

#[tokio::test]
async fn started_at_is_set_once_and_times_are_moments() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let commands = scene.commands();
        let begun = commands.begin("h1", crate::support::op("pull")).await.unwrap();
        assert_eq!((begun.started_at, begun.deadline()), (None, None));
        commands.validate(begun.id()).await.unwrap();
        let sent_at = scene.now();
        let sent = commands.execute(begun.id(), None).await.unwrap();
        assert_eq!(sent.started_at, Some(sent_at));
        assert_eq!(sent.warning_at, Some(sent_at.plus(outlast_core::OpSpec::WARNING)));
        assert_eq!(sent.timeout_at, Some(sent_at.plus(outlast_core::OpSpec::TIMEOUT)));
        scene.clock.advance(crate::support::MINUTE);
        commands.extend(begun.id(), 5).await.unwrap();
        let waits = commands.await_reconnect(begun.id(), Some(0)).await.unwrap();
        assert_eq!(waits.started_at, Some(sent_at));
        let done = commands.reconnected(begun.id(), Reconnection::Renewed).await.unwrap();
        assert_eq!((done.started_at, done.finished_at), (Some(sent_at), Some(scene.now())));
        assert_eq!(done.exit_code, Some(0), "it was told before it went away");
    }
}
