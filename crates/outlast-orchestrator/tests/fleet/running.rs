//! One command from pending to settled, with real processes and with stubborn executors.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::StreamExt;
use outlast_core::{
    Command, CommandLine, CommandStatus, Error, ErrorKind, Host, HostStatus, OpSpec,
    ProcessIdentity, Result, Status,
};
use outlast_orchestrator::fleet::{
    Completion, Driver, Execution, Executor, Fleet, Fragments, KillSignal, LocalExecutor,
    Reconnection, Refusal, Released, Started,
};
use outlast_orchestrator::process::{Fragment, Life, LogStream, life};
use outlast_orchestrator::{Instance, Shutdown};
use outlast_store::{Store, StoreOptions, Stored};
use tokio::sync::{mpsc, oneshot};

use crate::support::{BACKENDS, DURABLE, Scene, driving, op, output, shell, soon};

pub(crate) fn local(scene: &Scene, instance: &Instance) -> Driver {
    Driver::new(instance, Arc::new(LocalExecutor::new(scene.store.clock().clone())))
}

/// Begins a command and carries it out.
async fn run(scene: &Scene, driver: &Driver, spec: OpSpec) -> Stored<Command> {
    let command = scene.commands().begin("h1", spec).await.unwrap();
    soon("the command", driver.run(command.id(), &Shutdown::default())).await.unwrap()
}

#[tokio::test]
async fn the_exit_code_decides_and_is_kept() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let (instance, _) = driving(&scene).await;
        let driver = local(&scene, &instance);
        let done = run(&scene, &driver, shell("exit 0")).await;
        assert_eq!((done.status, done.exit_code), (CommandStatus::Success, Some(0)), "{name}");
        assert_eq!((&done.error, &done.code), (&None, &None));
        let failed = run(&scene, &driver, shell("exit 7")).await;
        assert_eq!((failed.status, failed.exit_code), (CommandStatus::Error, Some(7)), "{name}");
        assert_eq!(failed.code.as_deref(), Some("exit_nonzero"));
        assert!(failed.error.as_ref().unwrap().contains('7'), "{failed:?}");
        let died = run(&scene, &driver, shell("kill -SEGV $$")).await;
        assert_eq!((died.status, died.exit_code), (CommandStatus::Error, None), "{name}");
        assert!(died.error.as_ref().unwrap().contains("signal 11"), "{died:?}");
        for command in [done, failed, died] {
            assert!(command.started_at.is_some() && command.finished_at.is_some());
            assert_eq!(life(command.process.as_ref().unwrap()), Life::Dead, "{name}");
        }
        assert_eq!(scene.claim("h1").await, None, "{name}");
    }
}

#[tokio::test]
async fn what_it_writes_is_kept_byte_for_byte() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let (instance, _) = driving(&scene).await;
        let driver = local(&scene, &instance);
        // More than a flush, an odd byte, no line at the end, and both streams.
        let script = "i=0; while [ $i -lt 9000 ]; do echo \"line $i of the output\"; i=$((i+1)); done; \
                      printf 'bad \\377\\000 bytes' >&2; printf 'no end'";
        let done = run(&scene, &driver, shell(script)).await;
        assert_eq!(done.status, CommandStatus::Success, "{name}");
        let lines: Vec<_> = (0..9000).map(|i| format!("line {i} of the output")).collect();
        let expected = format!(
            "{}
no end",
            lines.join(
                "
"
            )
        );
        assert!(expected.len() > 3 * 64 * 1024);
        let written = output(&scene.store, done.id(), "stdout").await;
        assert!(written == expected.as_bytes(), "{name}: {} bytes", written.len());
        assert_eq!(output(&scene.store, done.id(), "stderr").await, b"bad \xff\0 bytes");
    }
}

#[tokio::test]
async fn it_runs_in_the_folder_of_its_host_and_is_told_which_it_is() {
    let scene = Scene::new("memory").await;
    let folder = tempfile::tempdir().unwrap();
    let cwd = folder.path().canonicalize().unwrap();
    let mut host = Host::new("attic", scene.now());
    host.cwd = Some(cwd.to_str().unwrap().to_owned());
    scene.hosts().register("h1", host).await.unwrap();
    let (instance, _) = driving(&scene).await;
    let mut spec = shell("pwd -P; echo $OUTLAST_HOST_ID $OUTLAST_OP $OUTLAST_TASK_ID $COLOUR");
    spec.env.insert("COLOUR".to_owned(), "blue".to_owned());
    let done = run(&scene, &local(&scene, &instance), spec).await;
    let expected = format!("{}\nh1 work {} blue\n", cwd.display(), done.id());
    let written = output(&scene.store, done.id(), "stdout").await;
    assert_eq!(String::from_utf8(written).unwrap(), expected);
}

#[tokio::test]
async fn what_cannot_be_sent_is_blocked_with_a_word_for_why() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let (instance, _) = driving(&scene).await;
        let driver = local(&scene, &instance);
        let blocked = run(&scene, &driver, op("pull")).await;
        assert_eq!(blocked.status, CommandStatus::Blocked, "{name}");
        assert_eq!(blocked.code.as_deref(), Some("no_command"));
        assert!(blocked.started_at.is_none() && blocked.process.is_none(), "{name}");
        scene.hosts().disconnect("h1").await.unwrap();
        let blocked = run(&scene, &driver, shell("true")).await;
        assert_eq!(blocked.code.as_deref(), Some("host_offline"), "{name}");
        scene.hosts().heartbeat("h1", HostStatus::Online).await.unwrap();
        let words = vec!["/no/such/program".to_owned()];
        let spec = OpSpec { run: Some(CommandLine::Direct(words)), ..op("pull") };
        let failed = run(&scene, &driver, spec).await;
        assert_eq!(failed.status, CommandStatus::Error, "{name}");
        assert_eq!(failed.code.as_deref(), Some("execution_failed"));
        assert!(failed.error.as_ref().unwrap().contains("/no/such/program"), "{failed:?}");
        assert_eq!(scene.claim("h1").await, None, "{name}");
    }
}

#[tokio::test]
async fn only_what_is_pending_is_carried_out() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        let (instance, shutdown) = driving(&scene).await;
        let driver = local(&scene, &instance);
        for status in CommandStatus::ALL {
            scene.host(status.as_str()).await;
            let command = scene.in_state(status.as_str(), *status).await;
            let ran = soon("the command", driver.run(command.id(), &shutdown)).await;
            match status {
                CommandStatus::Pending => {
                    assert_eq!(ran.unwrap().status, CommandStatus::Blocked);
                }
                // Theirs stays who settled it.
                settled if settled.is_settled() => {
                    assert_eq!(ran.unwrap().version, command.version, "{name} {status:?}");
                }
                _ => {
                    let kind = ran.unwrap_err().kind();
                    assert_eq!(kind, ErrorKind::IllegalTransition, "{name} {status:?}");
                    let after = scene.commands().get(command.id()).await.unwrap();
                    assert_eq!(after.version, command.version, "{name} {status:?}");
                }
            }
        }
    }
}

/// An executor whose work is done by the test.
#[derive(Debug)]
pub(crate) struct Puppet {
    store: Store,
    ends: Mutex<Option<oneshot::Receiver<Result<Completion>>>>,
    output: Mutex<Option<mpsc::Receiver<Vec<Fragment>>>>,
}

/// The strings of a puppet.
pub(crate) struct Strings {
    pub(crate) end: oneshot::Sender<Result<Completion>>,
    pub(crate) output: mpsc::Sender<Vec<Fragment>>,
}

impl Puppet {
    pub(crate) fn new(store: &Store) -> (Arc<Self>, Strings) {
        let (end, ends) = oneshot::channel();
        let (output, outputs) = mpsc::channel(1);
        let store = store.clone();
        let puppet =
            Self { store, ends: Mutex::new(Some(ends)), output: Mutex::new(Some(outputs)) };
        (Arc::new(puppet), Strings { end, output })
    }
}

struct Prepared {
    store: Store,
    command_id: String,
    identity: ProcessIdentity,
    ends: oneshot::Receiver<Result<Completion>>,
    output: mpsc::Receiver<Vec<Fragment>>,
}

#[async_trait]
impl Executor for Puppet {
    async fn validate(&self, _: &Stored<Host>, command: &Stored<Command>) -> Result<(), Refusal> {
        assert_eq!(command.status, CommandStatus::Validating);
        Ok(())
    }

    async fn start(
        &self,
        _: &Stored<Host>,
        command: &Stored<Command>,
    ) -> Result<Box<dyn Started>, Refusal> {
        Ok(Box::new(Prepared {
            store: self.store.clone(),
            command_id: command.id().to_owned(),
            identity: ProcessIdentity {
                pid: 7,
                start_ticks: 1,
                boot_id: "none".to_owned(),
                pid_namespace: "none".to_owned(),
            },
            ends: self.ends.lock().unwrap().take().unwrap(),
            output: self.output.lock().unwrap().take().unwrap(),
        }))
    }
}

#[async_trait]
impl Started for Prepared {
    fn identity(&self) -> Option<&ProcessIdentity> {
        Some(&self.identity)
    }

    /// What is recorded when it is let go is what counts after a crash.
    async fn release(self: Box<Self>) -> Result<Released> {
        let command: Stored<Command> = self.store.kind().get(&self.command_id).await?;
        assert_eq!(command.status, CommandStatus::Executing);
        assert_eq!(command.process.as_ref(), Some(&self.identity), "recorded before the release");
        let output: Fragments = futures_util::stream::unfold(self.output, |mut output| async {
            output.recv().await.map(|flush| (flush, output))
        })
        .boxed();
        let ends = tokio::sync::Mutex::new(self.ends);
        Ok(Released { execution: Arc::new(Puppeted { ends }), output })
    }
}

struct Puppeted {
    ends: tokio::sync::Mutex<oneshot::Receiver<Result<Completion>>>,
}

#[async_trait]
impl Execution for Puppeted {
    async fn ended(&self) -> Result<Completion> {
        let gone = || Err(Error::unavailable("contact was lost"));
        (&mut *self.ends.lock().await).await.unwrap_or_else(|_| gone())
    }

    async fn signal(&self, _: KillSignal) -> Result<()> {
        Ok(())
    }
}

/// Starts a driver on a puppet's command, and waits until it executes.
pub(crate) async fn puppeteer(
    scene: &Scene,
    spec: OpSpec,
) -> (Strings, String, tokio::task::JoinHandle<Result<Stored<Command>>>) {
    let (instance, shutdown) = driving(scene).await;
    let (puppet, strings) = Puppet::new(&scene.store);
    let id = scene.commands().begin("h1", spec).await.unwrap().id().to_owned();
    let of_task = id.clone();
    let ran =
        tokio::spawn(async move { Driver::new(&instance, puppet).run(&of_task, &shutdown).await });
    soon("the start", until(scene, &id, CommandStatus::Executing)).await;
    (strings, id, ran)
}

pub(crate) async fn until(scene: &Scene, id: &str, status: CommandStatus) {
    let mut watch = scene.store.kind::<Command>().watch(id).unwrap();
    while watch.next().await.unwrap().unwrap().status != status {}
}

fn fragment(text: &str) -> Fragment {
    Fragment {
        stream: LogStream::Stdout,
        byte_offset: 0,
        data: text.as_bytes().to_vec(),
        line_count: 0,
    }
}

#[tokio::test]
async fn the_last_output_is_recorded_before_the_end() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let (strings, id, ran) = puppeteer(&scene, op("pull")).await;
        strings.output.send(vec![fragment("first ")]).await.unwrap();
        strings.end.send(Ok(Completion::exited(0))).unwrap();
        // It has ended, but its output has not.
        strings.output.send(vec![fragment("and last")]).await.unwrap();
        assert!(!scene.commands().get(&id).await.unwrap().status.is_settled(), "{name}");
        drop(strings.output);
        let done = soon("the end", ran).await.unwrap().unwrap();
        assert_eq!(done.status, CommandStatus::Success, "{name}");
        assert_eq!(output(&scene.store, &id, "stdout").await, b"first and last", "{name}");
    }
}

#[tokio::test]
async fn a_goal_that_was_missed_is_partial() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let (strings, _, ran) = puppeteer(&scene, op("test")).await;
        let why = Refusal::new("goal_not_achieved", "two tests failed");
        strings.end.send(Ok(Completion::missed(why))).unwrap();
        drop(strings.output);
        let done = soon("the end", ran).await.unwrap().unwrap();
        assert_eq!((done.status, done.exit_code), (CommandStatus::Partial, Some(0)), "{name}");
        assert_eq!(done.code.as_deref(), Some("goal_not_achieved"));
        assert_eq!(done.error.as_deref(), Some("two tests failed"));
    }
}

#[tokio::test]
async fn a_command_whose_contact_is_lost_has_failed_unless_its_host_is_to_go_away() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let (strings, _, ran) = puppeteer(&scene, op("pull")).await;
        drop(strings);
        let failed = soon("the end", ran).await.unwrap().unwrap();
        assert_eq!(failed.status, CommandStatus::Error, "{name}");
        assert_eq!(failed.code.as_deref(), Some("execution_failed"));
    }
    for (name, is_lost) in [("memory", true), ("sqlite", false), ("sled", true)] {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let spec = OpSpec { reconnect_ms: Some(90_000), ..op("switch") };
        let (strings, id, ran) = puppeteer(&scene, spec).await;
        if is_lost {
            drop(strings.end);
        } else {
            strings.end.send(Ok(Completion::exited(0))).unwrap();
        }
        drop(strings.output);
        soon("the wait", until(&scene, &id, CommandStatus::AwaitingReconnect)).await;
        assert_eq!(scene.claim("h1").await.as_ref(), Some(&id), "{name}");
        scene.commands().reconnected(&id, Reconnection::Suspicious).await.unwrap();
        let done = soon("the end", ran).await.unwrap().unwrap();
        assert_eq!(done.status, CommandStatus::Suspicious, "{name}");
        assert_eq!(done.exit_code, (!is_lost).then_some(0), "{name}");
    }
}

/// Nobody else looks after its deadlines here, and time is the world's.
#[tokio::test]
async fn a_driver_keeps_the_times_of_its_command_by_itself() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        let store = Store::open(scene.backend.clone(), StoreOptions::default());
        let fleet = Fleet::new(&store);
        fleet.hosts().register("h1", Host::new("attic", store.clock().now())).await.unwrap();
        let instance = Instance::acquire(&store, false).await.unwrap();
        let driver = Driver::new(&instance, Arc::new(LocalExecutor::new(store.clock().clone())));
        let folder = tempfile::tempdir().unwrap();
        let sign = folder.path().join("sign");
        let line = format!("while [ ! -e {} ]; do sleep 0.05; done", sign.display());
        let spec = OpSpec { warning_ms: 20, timeout_ms: 40, ..shell(&line) };
        let id = fleet.commands().begin("h1", spec).await.unwrap().id().to_owned();
        let decide = async {
            let mut watch = store.kind::<Command>().watch(&id).unwrap();
            while watch.next().await.unwrap().unwrap().status != CommandStatus::TimeoutPending {}
            std::fs::write(&sign, "").unwrap();
        };
        let shutdown = Shutdown::default();
        let (ran, ()) =
            soon("the command", async { tokio::join!(driver.run(&id, &shutdown), decide) }).await;
        assert_eq!(ran.unwrap().status, CommandStatus::Success, "{name}");
    }
}

/// Its time ended before its end came: nobody waits for its host.
#[tokio::test]
async fn what_is_over_its_time_does_not_wait_for_its_host() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let spec = OpSpec { reconnect_ms: Some(90_000), ..op("switch") };
        let (strings, id, ran) = puppeteer(&scene, spec).await;
        scene.clock.advance(crate::support::MINUTE * 20);
        assert_eq!(scene.commands().all_due().await.unwrap().commands, 1, "{name}");
        strings.end.send(Ok(Completion::exited(0))).unwrap();
        drop(strings.output);
        let done = soon("the end", ran).await.unwrap().unwrap();
        assert_eq!((done.id(), done.status), (&*id, CommandStatus::Success), "{name}");
    }
}

/// What somebody else settled stays so; a late end changes nothing.
#[tokio::test]
async fn a_command_that_somebody_skips_is_let_go() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let (instance, shutdown) = driving(&scene).await;
        let driver = local(&scene, &instance);
        let id = scene.commands().begin("h1", shell("exec sleep 1000")).await.unwrap();
        let id = id.id().to_owned();
        let skip = async {
            until(&scene, &id, CommandStatus::Executing).await;
            scene.commands().skip(&id, "nobody waits for it").await.unwrap()
        };
        let (ran, skipped) =
            soon("the skip", async { tokio::join!(driver.run(&id, &shutdown), skip) }).await;
        let ran = ran.unwrap();
        assert_eq!((ran.status, ran.version), (CommandStatus::Skipped, skipped.version), "{name}");
        assert_eq!(life(skipped.process.as_ref().unwrap()), Life::Dead, "{name}");
    }
}

/// A driver that is gone leaves what is recorded, and nothing that runs.
#[tokio::test]
async fn a_command_whose_driver_is_gone_stays_as_recorded_for_recovery() {
    for name in DURABLE {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let (instance, shutdown) = driving(&scene).await;
        let driver = local(&scene, &instance);
        let id = scene.commands().begin("h1", shell("exec sleep 1000")).await.unwrap();
        let id = id.id().to_owned();
        {
            let run = driver.run(&id, &shutdown);
            tokio::select! {
                ran = run => panic!("{name}: ended by itself: {ran:?}"),
                () = soon("the start", until(&scene, &id, CommandStatus::Executing)) => {}
            }
        }
        instance.release().await.unwrap();
        let scene = scene.reopened().await;
        let left = scene.commands().get(&id).await.unwrap();
        assert_eq!(left.status, CommandStatus::Executing, "{name}");
        let process = left.process.as_ref().unwrap();
        soon("its process", async {
            while life(process) != Life::Dead {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(scene.claim("h1").await.as_ref(), Some(&id), "{name}");
        let instance = Instance::acquire(&scene.store, false).await.unwrap();
        let commands = Fleet::driven_by(&instance).commands();
        let orphan = commands.orphan(&id, "restarted while running").await.unwrap();
        assert_eq!(orphan.status, CommandStatus::Orphaned, "{name}");
        assert_eq!(scene.claim("h1").await, None, "{name}");
        let told = &scene.events().await[0];
        assert_eq!(told.category, outlast_core::EventCategory::System, "{name}");
        assert_eq!(told.level, outlast_core::EventLevel::Warn, "{name}");
        assert_eq!(told.action.as_deref(), Some("recovery"), "{name}");
    }
}

#[tokio::test]
async fn a_driver_that_lost_its_right_writes_nothing_and_kills_what_it_runs() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let (instance, shutdown) = driving(&scene).await;
        let driver = local(&scene, &instance);
        // It writes when it is told to, and only then does the driver find out.
        let folder = tempfile::tempdir().unwrap();
        let sign = folder.path().join("sign");
        let waits = format!("while [ ! -e {} ]; do sleep 0.05; done", sign.display());
        let spec = shell(&format!("{waits}; echo late; exec sleep 1000"));
        let id = scene.commands().begin("h1", spec).await.unwrap().id().to_owned();
        let lose = async {
            until(&scene, &id, CommandStatus::Executing).await;
            instance.release().await.unwrap();
            std::fs::write(&sign, "").unwrap();
            scene.commands().get(&id).await.unwrap()
        };
        let (ran, before) =
            soon("the loss", async { tokio::join!(driver.run(&id, &shutdown), lose) }).await;
        assert_eq!(ran.unwrap_err().kind(), ErrorKind::Fenced, "{name}");
        let after = scene.commands().get(&id).await.unwrap();
        assert_eq!(after.version, before.version, "{name}");
        assert_eq!(life(before.process.as_ref().unwrap()), Life::Dead, "{name}");
        assert!(output(&scene.store, &id, "stdout").await.is_empty(), "{name}");
    }
}
