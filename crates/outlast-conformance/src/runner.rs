//! Runs cases, each on a store of its own, and says what came of them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::trial::Trial;
use crate::{Harness, cases};

type Run = dyn Fn(Trial) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// A case that takes longer than this hangs.
const LIMIT: Duration = Duration::from_mins(2);

/// So many cases run at once.
const AT_ONCE: usize = 4;

/// One property that every backend has to keep.
#[derive(Clone)]
pub struct Case {
    /// The property.
    pub name: &'static str,
    run: Arc<Run>,
}

impl Case {
    /// The case that a function is, under the function's name.
    pub(crate) fn of<F, R>(run: F) -> Self
    where
        F: Fn(Trial) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let path = std::any::type_name::<F>();
        let name = path.rsplit("::").next().unwrap_or(path);
        Self { name, run: Arc::new(move |trial| Box::pin(run(trial))) }
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A case that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The property.
    pub case: &'static str,
    /// What was seen instead.
    pub message: String,
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The backend, as its harness names it.
    pub backend: String,
    /// How many cases were to run.
    pub cases: usize,
    /// How many held.
    pub passed: usize,
    /// How many did not hold.
    pub failed: usize,
    /// How many were not run: none, ever.
    pub skipped: usize,
    /// What did not hold.
    pub failures: Vec<Failure>,
}

impl Report {
    /// Panics, with the whole report, unless every case held.
    pub fn assert_passed(&self) {
        assert!(self.failures.is_empty() && self.passed == self.cases, "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backend, cases, passed, failed, skipped, failures } = self;
        write!(f, "{backend}: {cases} cases, {passed} passed, {failed} failed, {skipped} skipped")?;
        failures.iter().try_for_each(|failure| {
            write!(f, "\n  {}: {}", failure.case, failure.message.replace('\n', "\n    "))
        })
    }
}

/// Runs every case. Needs a tokio runtime with several threads, so that a case that blocks its
/// thread is noticed.
pub async fn run_all(harness: Arc<dyn Harness>) -> Report {
    run_some(harness, |_| true).await
}

/// Runs the cases whose names are wanted.
pub async fn run_some(harness: Arc<dyn Harness>, wanted: impl Fn(&str) -> bool) -> Report {
    run_within(LIMIT, harness, wanted).await
}

/// Runs the cases whose names are wanted; each that takes longer than `limit` fails.
pub async fn run_within(
    limit: Duration,
    harness: Arc<dyn Harness>,
    wanted: impl Fn(&str) -> bool,
) -> Report {
    let mut waiting: Vec<Case> = cases().into_iter().filter(|case| wanted(case.name)).collect();
    waiting.reverse();
    let mut report = Report { backend: harness.name(), cases: waiting.len(), ..Report::default() };
    let mut running = JoinSet::new();
    while !waiting.is_empty() || !running.is_empty() {
        if running.len() < AT_ONCE
            && let Some(case) = waiting.pop()
        {
            let harness = harness.clone();
            running.spawn(async move { (case.name, run_one(limit, harness, &case).await) });
            continue;
        }
        if let Some(Ok((case, failure))) = running.join_next().await {
            report.passed += usize::from(failure.is_none());
            report.failures.extend(failure.map(|message| Failure { case, message }));
        }
    }
    report.failures.sort_by_key(|failure| failure.case);
    report.failed = report.failures.len();
    report.skipped = report.cases - report.passed - report.failed;
    report
}

async fn run_one(limit: Duration, harness: Arc<dyn Harness>, case: &Case) -> Option<String> {
    let run = case.run.clone();
    let task = tokio::spawn(async move {
        let trial = Trial::start(&*harness).await;
        run(trial).await;
    });
    let abort = task.abort_handle();
    match tokio::time::timeout(limit, task).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(match error.try_into_panic() {
            Ok(panic) => message(&*panic),
            Err(error) => error.to_string(),
        }),
        Err(_) => {
            abort.abort();
            Some(format!("hangs: no end after {} seconds", limit.as_secs()))
        }
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("panicked without a message").to_owned()
}
