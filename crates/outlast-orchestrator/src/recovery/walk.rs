//! The walk over everything that is not over: page by page, each entity read anew and settled in a
//! commit of its own.

use std::time::Duration;

use outlast_core::{
    Agent, AttrName, AttrValue, Command, Entity, Error, ErrorKind, Filter, Key, Page, Pipeline,
    Query, Record, Result, Session, Slot, Status, Swarm, Task, Test, Window,
};
use outlast_store::Stored;

use super::policy::Policy;
use super::report::{Recovered, RecoveryReport};
use super::scene::{Recoverable, Scene, Verdict, Write};

/// How many entities are listed at once.
const PAGE: u32 = 128;

/// How often somebody else may change an entity first before that is an error.
const TRIES: u32 = 8;

/// The first pause between two tries.
const PAUSE: Duration = Duration::from_millis(5);

/// One recovery, under way.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    scene: Scene<'a>,
    report: &'a mut RecoveryReport,
}

impl<'a> Walk<'a> {
    pub(super) fn new(scene: Scene<'a>, report: &'a mut RecoveryReport) -> Self {
        Self { scene, report }
    }

    /// Every kind, in an order in which none has to wait for what comes later. One that cannot be
    /// listed keeps no other from being recovered.
    pub(super) async fn everything(&mut self) -> Result<()> {
        self.each::<Swarm>().await?;
        self.each::<Agent>().await?;
        self.each::<Session>().await?;
        // A stage is settled by what became of its command.
        self.each::<Command>().await?;
        self.each::<Pipeline>().await?;
        self.each::<Task>().await?;
        self.each::<Window>().await
    }

    async fn each<T: Recoverable>(&mut self) -> Result<()> {
        match self.kind::<T>().await {
            Err(error) if is_of_one(&error) => {
                self.report.fail(T::KIND, "", &error);
                Ok(())
            }
            other => other,
        }
    }

    async fn kind<T: Recoverable>(&mut self) -> Result<()> {
        self.strange::<T>().await?;
        let open = T::Status::ALL.iter().filter(|status| !status.is_settled());
        let open = open.map(|status| AttrValue::from(status.as_str())).collect();
        let filter = Filter { name: AttrName::status(), test: Test::AnyOf(open) };
        let mut query = self.scene.store.kind::<T>().query()?.filter(filter);
        query.page = Page::first(PAGE);
        loop {
            let page = self.scene.store.list(&query).await?;
            for slot in page.items {
                match slot {
                    Slot::Live(record) => self.entity::<T>(&record.key).await?,
                    Slot::Damaged(damage) => {
                        let what = damage.what.clone();
                        self.damaged::<T>(&what, &(*damage).into());
                    }
                    Slot::Tombstone { .. } | Slot::Vacant => {}
                }
            }
            let Some(next) = page.next else { return Ok(()) };
            query.page = query.page.after(next);
        }
    }

    /// Finds what is in a state that there is none of, or in none. Counted in the index, so that
    /// nothing is read where there is none.
    async fn strange<T: Recoverable>(&mut self) -> Result<()> {
        let all = self.scene.store.kind::<T>().query()?;
        let counts = self.scene.store.count(&all, &[AttrName::status()]).await?;
        let groups = counts.groups.into_iter();
        let states: Vec<_> = groups.map(|(group, _)| group.into_iter().next().flatten()).collect();
        if states.contains(&None) {
            // No index leads to what has no state.
            return self.set_apart::<T>(all).await;
        }
        for state in states.into_iter().flatten() {
            if !matches!(&state, AttrValue::Text(text) if T::Status::parse(text).is_ok()) {
                let query = all
                    .clone()
                    .filter(Filter { name: AttrName::status(), test: Test::AnyOf(vec![state]) });
                self.set_apart::<T>(query).await?;
            }
        }
        Ok(())
    }

    async fn set_apart<T: Recoverable>(&mut self, mut query: Query) -> Result<()> {
        query.page = Page::first(PAGE);
        loop {
            let page = self.scene.store.list(&query).await?;
            for record in page.items.into_iter().filter_map(|slot| slot.live().ok().flatten()) {
                if let Some(reason) = strangeness::<T>(&record) {
                    self.report.quarantine(T::KIND, record.key.id(), &Error::corrupt(reason));
                }
            }
            let Some(next) = page.next else { return Ok(()) };
            query.page = query.page.after(next);
        }
    }

    fn damaged<T: Recoverable>(&mut self, what: &str, error: &Error) {
        // The damage names a version: `command/7 version 3`.
        let id = what.strip_prefix(T::KIND).and_then(|rest| rest.strip_prefix('/'));
        let id = id.map_or(what, |id| id.rsplit_once(" version ").map_or(id, |(id, _)| id));
        self.report.quarantine(T::KIND, id, error);
    }

    async fn entity<T: Recoverable>(&mut self, key: &Key) -> Result<()> {
        match self.settle::<T>(key.id()).await {
            Ok(None) => Ok(()),
            Ok(Some((recovered, verdict))) => {
                self.note(&recovered, verdict);
                Ok(())
            }
            Err(Refusal::Unreadable(error)) => {
                self.report.quarantine(T::KIND, key.id(), &error);
                Ok(())
            }
            Err(Refusal::Failed(error)) if is_of_one(&error) => {
                self.report.fail(T::KIND, key.id(), &error);
                Ok(())
            }
            Err(Refusal::Failed(error)) => Err(error),
        }
    }

    fn note(&mut self, recovered: &Recovered, verdict: Verdict) {
        let (kind, id) = (recovered.kind, recovered.id.as_str());
        self.report.add(recovered);
        if verdict.is_orphan {
            self.report.orphan(id);
        }
        if let Some(problem) = verdict.problem {
            self.report.fail(kind, id, &problem);
        }
        if self.scene.instance.is_some()
            && let Err(error) = self.scene.options.handlers.tell(recovered)
        {
            self.report.fail(kind, id, &error);
        }
    }

    /// Reads an entity anew and does what the table says, as often as somebody else is faster.
    async fn settle<T: Recoverable>(
        &self,
        id: &str,
    ) -> Result<Option<(Recovered, Verdict)>, Refusal> {
        let mut tries = 1;
        let mut first = None;
        loop {
            let Some((stored, policy)) = self.fresh::<T>(id).await? else { return Ok(None) };
            let found = *first.get_or_insert(state_of(&stored));
            let error = match T::settle(&self.scene, &stored, policy).await {
                Ok(verdict) => match self.write(&verdict).await {
                    Ok(Written::Again) => continue,
                    Ok(written) => {
                        let (kind, id, outcome) = (stored.kind(), id.to_owned(), verdict.outcome);
                        let changed = written == Written::Changed;
                        let recovered = Recovered { kind, id, found, outcome, changed };
                        return Ok(Some((recovered, verdict)));
                    }
                    Err(error) => error,
                },
                Err(error) => error,
            };
            if tries == TRIES || !is_overtaken(&error) {
                return Err(error.into());
            }
            tokio::time::sleep(PAUSE * tries).await;
            tries += 1;
        }
    }

    /// The entity as it is now, and what is to be done about it; `None` if it is over.
    async fn fresh<T: Recoverable>(
        &self,
        id: &str,
    ) -> Result<Option<(Stored<T>, Policy)>, Refusal> {
        let found = match self.scene.store.kind::<T>().find(id).await {
            Err(error) if error.is_of_one_record() => return Err(Refusal::Unreadable(error)),
            other => other?,
        };
        let Some(stored) = found else { return Ok(None) };
        let state = state_of(&stored);
        let policy = self.scene.options.table.policy(stored.kind(), state);
        let policy = policy.ok_or_else(|| {
            Error::internal(format!("recovery has no cell for {}.{state}", stored.kind()))
        })?;
        Ok((policy != Policy::Skip).then_some((stored, policy)))
    }

    async fn write(&self, verdict: &Verdict) -> Result<Written> {
        let (draft, written) = match &verdict.write {
            Write::Nothing => return Ok(Written::Unchanged),
            Write::Done => return Ok(Written::Changed),
            Write::Last(draft) => (draft, Written::Changed),
            Write::First(draft) => (draft, Written::Again),
        };
        let Some(instance) = self.scene.instance else { return Ok(Written::Changed) };
        instance.commit(draft).await?;
        Ok(written)
    }
}

/// What came of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Unchanged,
    Changed,
    Again,
}

/// Why an entity was not settled.
#[derive(Debug)]
enum Refusal {
    /// It cannot be read.
    Unreadable(Error),
    /// Something else went wrong.
    Failed(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

fn state_of<T: Recoverable>(stored: &Stored<T>) -> &'static str {
    stored.status().map_or("", Status::as_str)
}

/// What is wrong with a record that lies in a state that there is none of, if it does.
fn strangeness<T: Entity>(record: &Record) -> Option<String> {
    let state = record.attrs.get(&AttrName::status());
    match state {
        Some(AttrValue::Text(text)) => T::Status::parse(text).err().map(|error| error.to_string()),
        Some(number) => Some(format!("its state is the number {number}")),
        None => Some("it has no state".to_owned()),
    }
}

/// Whether somebody else changed the entity since it was read.
fn is_overtaken(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Conflict | ErrorKind::IllegalTransition)
}

/// Whether an error says nothing about other entities, which can be settled all the same.
fn is_of_one(error: &Error) -> bool {
    use ErrorKind::{
        Busy, Conflict, Corrupt, Exists, IllegalTransition, Incompatible, Indeterminate, Invalid,
        NotFound, RetriesExhausted, TooLarge, Unsupported,
    };

    matches!(
        error.kind(),
        Busy | Conflict
            | Corrupt
            | Exists
            | IllegalTransition
            | Incompatible
            | Indeterminate
            | Invalid
            | NotFound
            | RetriesExhausted
            | TooLarge
            | Unsupported
    )
}
