//! Hosts that do what a test tells them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::StreamExt;
use outlast_core::{Command, Host, ProcessIdentity, Result};
use outlast_orchestrator::fleet::{
    Completion, Execution, Executor, KillSignal, Refusal, Released, Started,
};
use outlast_store::Stored;
use tokio::sync::watch;

/// An operation on a host.
type Work = (String, String);

/// What comes of an operation on a host.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// It ends at once, with this code.
    Exit(i32),
    /// It runs until the test lets it go, or it is killed.
    Hold,
    /// It cannot be carried out.
    Refuse,
    /// Whoever carries it out has a defect.
    Panic,
}

/// The hosts of a test. What was not told ends well at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct World(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    script: Mutex<HashMap<Work, Act>>,
    begun: watch::Sender<Vec<Work>>,
    held: Mutex<HashMap<Work, Arc<watch::Sender<Option<Completion>>>>>,
}

fn work(op: &str, host: &str) -> Work {
    (op.to_owned(), host.to_owned())
}

impl World {
    pub(crate) fn tell(&self, op: &str, host: &str, act: Act) {
        self.0.script.lock().unwrap().insert(work(op, host), act);
    }

    /// What was begun, in order.
    pub(crate) fn begun(&self) -> Vec<Work> {
        self.0.begun.borrow().clone()
    }

    pub(crate) fn times(&self, op: &str, host: &str) -> usize {
        self.begun().into_iter().filter(|begun| *begun == work(op, host)).count()
    }

    /// Waits until it has begun.
    pub(crate) async fn has_begun(&self, op: &str, host: &str) {
        let mut begun = self.0.begun.subscribe();
        begun.wait_for(|begun| begun.contains(&work(op, host))).await.unwrap();
    }

    /// Lets what is held end.
    pub(crate) fn let_go(&self, op: &str, host: &str, completion: Completion) {
        self.0.held.lock().unwrap()[&work(op, host)].send_replace(Some(completion));
    }
}

#[async_trait]
impl Executor for World {
    async fn validate(&self, host: &Stored<Host>, of: &Stored<Command>) -> Result<(), Refusal> {
        match self.act(host, of) {
            Act::Refuse => Err(Refusal::new("already_current", "there is nothing to do")),
            _ => Ok(()),
        }
    }

    async fn start(
        &self,
        host: &Stored<Host>,
        command: &Stored<Command>,
    ) -> Result<Box<dyn Started>, Refusal> {
        let completion = match self.act(host, command) {
            Act::Panic => panic!("a test"),
            Act::Exit(code) => Some(Completion::exited(code)),
            _ => None,
        };
        let work = work(&command.spec.op, host.id());
        let end = Arc::new(watch::Sender::new(completion));
        Ok(Box::new(Prepared { world: self.clone(), work, end }))
    }
}

impl World {
    fn act(&self, host: &Stored<Host>, command: &Command) -> Act {
        let script = self.0.script.lock().unwrap();
        script.get(&work(&command.spec.op, host.id())).copied().unwrap_or(Act::Exit(0))
    }
}

struct Prepared {
    world: World,
    work: Work,
    end: Arc<watch::Sender<Option<Completion>>>,
}

#[async_trait]
impl Started for Prepared {
    fn identity(&self) -> Option<&ProcessIdentity> {
        None
    }

    async fn release(self: Box<Self>) -> Result<Released> {
        let inner = &self.world.0;
        inner.held.lock().unwrap().insert(self.work.clone(), self.end.clone());
        inner.begun.send_modify(|begun| begun.push(self.work.clone()));
        let output = futures_util::stream::empty().boxed();
        Ok(Released { execution: Arc::new(Going(self.end)), output })
    }
}

struct Going(Arc<watch::Sender<Option<Completion>>>);

#[async_trait]
impl Execution for Going {
    async fn ended(&self) -> Result<Completion> {
        let mut end = self.0.subscribe();
        let ended = end.wait_for(Option::is_some).await.unwrap();
        Ok(ended.clone().unwrap())
    }

    async fn signal(&self, signal: KillSignal) -> Result<()> {
        let number = if signal == KillSignal::Kill { 9 } else { 15 };
        self.0.send_if_modified(|end| {
            let lives = end.is_none();
            end.get_or_insert(Completion::signalled(number));
            lives
        });
        Ok(())
    }
}
