//! Recording a run and its tasks.

use outlast_core::{Result, Run, Task, TaskSpec};
use outlast_store::{Draft, Store, Stored};
use uuid::Uuid;

use super::file::TaskFile;
use super::journal::Journal;

/// How much of a store's limit on bytes a batch of tasks uses: what surrounds them counts too.
const SHARE: usize = 2;

/// Batches of records that are to be committed one after the other.
///
/// A run says how many tasks it has, so one that was recorded in part shows.
struct Records<'a> {
    journal: &'a Journal,
    full: Vec<Draft>,
    open: Draft,
}

impl<'a> Records<'a> {
    fn new(journal: &'a Journal, reason: &str) -> Self {
        let open = journal.draft(journal.cause(reason));
        Self { journal, full: Vec::new(), open }
    }

    fn create_tasks<'s>(
        &mut self,
        run_id: &str,
        specs: impl IntoIterator<Item = &'s TaskSpec>,
    ) -> Result<()> {
        let store = self.journal.store();
        for spec in specs {
            self.make_room();
            let task = Task::new(run_id, spec.clone(), store.clock().now());
            self.open.create(&store.ids().uuid().to_string(), &task)?;
        }
        Ok(())
    }

    fn make_room(&mut self) {
        let limits = self.journal.store().info().limits;
        let batch = self.open.batch();
        if batch.ops.len() >= limits.ops || batch.bytes() >= limits.batch_bytes / SHARE {
            let next = self.journal.draft(batch.cause.clone());
            self.full.push(std::mem::replace(&mut self.open, next));
        }
    }

    /// Checks all before it commits the first.
    async fn commit(mut self) -> Result<()> {
        let limits = self.journal.store().info().limits;
        self.full.push(self.open);
        for draft in &self.full {
            draft.batch().validate(&limits)?;
        }
        for draft in &self.full {
            self.journal.commit(draft).await?;
        }
        Ok(())
    }
}

/// Records a new run, which comes after the `newest` one, with its tasks, waiting for their turn.
pub(super) async fn record(
    journal: &Journal,
    file: &TaskFile,
    newest: Option<&str>,
) -> Result<Stored<Run>> {
    let store = journal.store();
    let run = Run {
        file: file.name().to_owned(),
        created_at: store.clock().now(),
        task_count: file.tasks().len() as u64,
    };
    let id = next_id(store, newest);
    let mut records = Records::new(journal, "start of a run");
    records.open.create(&id, &run)?;
    records.create_tasks(&id, file.tasks())?;
    records.commit().await?;
    store.kind::<Run>().get(&id).await
}

/// The id of a run that comes after the `newest` one also if the clock went back since: which run
/// is the newest is told by the ids.
fn next_id(store: &Store, newest: Option<&str>) -> String {
    let fresh = store.ids().uuid();
    let newest = newest.and_then(|id| Uuid::parse_str(id).ok());
    let after = newest.map_or(Uuid::nil(), |id| Uuid::from_u128(id.as_u128().saturating_add(1)));
    fresh.max(after).to_string()
}

/// Records more tasks of a run, which then has `task_count` of them.
pub(super) async fn extend(
    journal: &Journal,
    run: &Stored<Run>,
    specs: &[&TaskSpec],
    task_count: u64,
) -> Result<()> {
    let mut records = Records::new(journal, "tasks of the file that were not recorded yet");
    if run.task_count != task_count {
        records.open.replace(run, &Run { task_count, ..(**run).clone() })?;
    }
    records.create_tasks(run.id(), specs.iter().copied())?;
    records.commit().await
}
