//! What anybody may do with pipelines, also from another process than the one that drives them.

use outlast_core::{
    AttrName, AttrValue, Cause, Claim, Command, Error, ErrorKind, Expect, Filter, Host, Key,
    Listed, Op, Page, Pipeline, PipelineStatus, Query, Result, Slot, StageOutcome, StageStatus,
    Status, Test,
};
use outlast_store::{Draft, Store, Stored};

use super::board::Place;
use super::definition::Definition;
use super::report;
use super::state::PipelineState;

/// How often a pipeline is judged anew because a host became busy, or was removed, just then.
const TRIES: u32 = 3;

/// The pipelines of a store. Cheap to clone.
///
/// # Cancel safety
///
/// Dropping the future of a read is harmless. One of [`create`](Pipelines::create) or
/// [`cancel`](Pipelines::cancel) leaves a pipeline that is there or not, called off or not; what
/// is missing of its outcomes then is added when it is driven, or called off again.
#[derive(Clone, Debug)]
pub struct Pipelines {
    store: Store,
    cause: Cause,
}

impl Pipelines {
    /// The pipelines of this store.
    pub fn of(store: &Store) -> Self {
        Self { store: store.comparing(), cause: store.cause().clone() }
    }

    /// The same, with changes made by and for somebody.
    pub fn with_cause(&self, cause: Cause) -> Self {
        Self { cause, ..self.clone() }
    }

    /// Records an execution of a pipeline, with a pending outcome for each stage on each host.
    /// It begins when it is driven.
    ///
    /// `NotFound` for a host that is not registered and `Exists` for one that is busy, naming
    /// the command; `TooLarge` for more than the store keeps in one record. Nothing is written
    /// then. That all hosts are there and free is asserted by the commit that makes it, for as
    /// many of them as fit into a commit of the store.
    pub async fn create(&self, definition: &Definition) -> Result<Stored<Pipeline>> {
        let id = self.store.ids().uuid().to_string();
        let mut tries = 1;
        loop {
            self.check_hosts(definition.hosts()).await?;
            match self.record(&id, definition).await {
                // A host was taken or removed meanwhile; the next look names it.
                Err(error) if tries < TRIES && is_about_a_host(&error) => tries += 1,
                recorded => break recorded?,
            }
        }
        let state = PipelineState::read(&self.store, &id).await?;
        for places in state.board().places(None).chunks(self.page()) {
            self.record_outcomes(&state.pipeline, places).await?;
        }
        Ok(state.pipeline)
    }

    /// A pipeline and what came of its stages. Errors as for [`PipelineState::read`].
    pub async fn state(&self, id: &str) -> Result<PipelineState> {
        PipelineState::read(&self.store, id).await
    }

    /// One page of the pipelines that are not settled, the oldest first: those to be driven, or
    /// driven again. One that cannot be decoded is an error in its place.
    pub async fn unfinished(&self, page: Page) -> Result<Listed<Result<Stored<Pipeline>>>> {
        let pipelines = self.store.kind::<Pipeline>();
        let open = PipelineStatus::ALL.iter().filter(|status| !status.is_settled());
        let open = open.map(|status| AttrValue::from(status.as_str())).collect();
        let query = Query { page, ..pipelines.query()? };
        let is_open = Filter { name: AttrName::status(), test: Test::AnyOf(open) };
        pipelines.list(&query.filter(is_open)).await
    }

    /// Calls a pipeline off: commands that run go on to their end, and nothing of it begins any
    /// more. Doing it again calls off what a crash left.
    ///
    /// `NotFound` if there is none, `IllegalTransition` if it has ended otherwise. Whichever end
    /// comes first stays.
    pub async fn cancel(&self, id: &str) -> Result<Stored<Pipeline>> {
        let key = self.store.kind::<Pipeline>().key(id)?;
        let keys = [key];
        self.store.commit_with(&keys, || self.settle_as_cancelled(id)).await?;
        loop {
            let (_, left) = self.store.commit_with(&keys, || self.call_off(id)).await?;
            if left == 0 {
                break;
            }
        }
        self.store.kind().get(id).await
    }

    async fn settle_as_cancelled(&self, id: &str) -> Result<(Draft, ())> {
        let pipeline = self.store.kind::<Pipeline>().get(id).await?;
        let mut draft = self.draft();
        if pipeline.status != PipelineStatus::Cancelled {
            let next = Pipeline {
                status: PipelineStatus::Cancelled,
                finished_at: Some(self.store.clock().now()),
                error: Some(self.cause.reason.clone().unwrap_or_else(|| "on request".to_owned())),
                ..(*pipeline).clone()
            };
            draft.replace(&pipeline, &next)?;
            draft.report(&report::ended(&pipeline, PipelineStatus::Cancelled, &self.cause))?;
        }
        Ok((draft, ()))
    }

    /// Calls off a page of what waits, and says how much that was.
    async fn call_off(&self, id: &str) -> Result<(Draft, usize)> {
        let state = PipelineState::read(&self.store, id).await?;
        let mut waiting = state.board().places(Some(StageStatus::Pending));
        waiting.truncate(self.page());
        let mut draft = self.draft();
        settle_waiting(&mut draft, &state, &waiting, StageStatus::Cancelled)?;
        Ok((draft, waiting.len()))
    }

    /// Makes the pipeline, with as many of its outcomes as fit.
    async fn record(&self, id: &str, definition: &Definition) -> Result<()> {
        let now = self.store.clock().now();
        let pipeline = definition.pipeline(now);
        let mut draft = self.draft();
        draft.create(id, &pipeline)?;
        for host in definition.hosts().iter().take(self.page() / 2) {
            let key = self.store.kind::<Host>().key(host)?;
            draft.op(Op::Assert { key, expect: Expect::Live });
            draft.op(Op::Assert { key: claim_of(host)?, expect: Expect::Absent });
        }
        let room = self.page().saturating_sub(draft.batch().ops.len());
        let places = (0..definition.stages().len())
            .flat_map(|stage| (0..definition.hosts().len()).map(move |host| Place { stage, host }));
        for place in places.take(room) {
            let outcome = outcome(id, &pipeline, place)?;
            draft.create(&StageOutcome::id_of(id, outcome.stage, &outcome.host_id), &outcome)?;
        }
        draft.commit().await.map(drop)
    }

    async fn record_outcomes(&self, pipeline: &Stored<Pipeline>, places: &[Place]) -> Result<()> {
        let mut draft = self.draft();
        create_outcomes(&mut draft, pipeline, places)?;
        match draft.commit().await {
            // Whoever drives it has done that meanwhile.
            Err(error) if error.kind() == ErrorKind::Exists => Ok(()),
            committed => committed.map(drop),
        }
    }

    /// `NotFound` or `Exists`, naming the host, unless all of them are there and free.
    async fn check_hosts(&self, hosts: &[String]) -> Result<()> {
        for hosts in hosts.chunks(self.page()) {
            let mut keys = Vec::with_capacity(hosts.len() * 2);
            for host in hosts {
                keys.push(self.store.kind::<Host>().key(host)?);
                keys.push(claim_of(host)?);
            }
            let mut slots = self.store.get(&keys).await?.into_iter();
            for host in hosts {
                let mut record = || slots.next().map_or(Ok(None), Slot::live);
                if record()?.is_none() {
                    let message = format!("host {host:?} is not registered; nothing was started");
                    return Err(Error::new(ErrorKind::NotFound, message));
                }
                if let Some(claim) = record()? {
                    return Err(self.busy(host, &Stored::decode(claim)?).await);
                }
            }
        }
        Ok(())
    }

    async fn busy(&self, host: &str, claim: &Stored<Claim>) -> Error {
        let holder = &claim.holder;
        let op = match self.store.kind::<Command>().find(holder).await {
            Ok(Some(command)) => format!(" ({})", command.spec.op),
            _ => String::new(),
        };
        let message =
            format!("host {host:?} is busy with command {holder}{op}; nothing was started");
        Error::new(ErrorKind::Exists, message)
    }

    fn draft(&self) -> Draft {
        let mut draft = self.store.draft();
        draft.cause(self.cause.clone());
        draft
    }

    fn page(&self) -> usize {
        page(&self.store)
    }
}

/// How many records are changed in one commit: it has room for a few more operations.
pub(super) fn page(store: &Store) -> usize {
    store.info().limits.ops.min(256).saturating_sub(4).max(1)
}

/// What is claimed by the command that runs on a host.
pub(super) fn claim_of(host_id: &str) -> Result<Key> {
    use outlast_core::Entity;

    Key::new(Claim::KIND, format!("host/{host_id}"))
}

/// Adds outcomes that wait for their turn to a draft.
pub(super) fn create_outcomes(
    draft: &mut Draft,
    pipeline: &Stored<Pipeline>,
    places: &[Place],
) -> Result<()> {
    for place in places {
        let outcome = outcome(pipeline.id(), pipeline, *place)?;
        let id = StageOutcome::id_of(pipeline.id(), outcome.stage, &outcome.host_id);
        draft.create(&id, &outcome)?;
    }
    Ok(())
}

/// Adds to a draft that these outcomes are settled without having begun.
pub(super) fn settle_waiting(
    draft: &mut Draft,
    state: &PipelineState,
    places: &[Place],
    status: StageStatus,
) -> Result<()> {
    for outcome in places.iter().filter_map(|place| state.at(*place)) {
        draft.replace(outcome, &StageOutcome { status, ..(**outcome).clone() })?;
    }
    Ok(())
}

fn outcome(pipeline_id: &str, pipeline: &Pipeline, place: Place) -> Result<StageOutcome> {
    let (spec, host) = (pipeline.stages.get(place.stage), pipeline.hosts.get(place.host));
    let (Some(spec), Some(host)) = (spec, host) else {
        return Err(Error::internal(format!("{place:?} is no place of pipeline {pipeline_id}")));
    };
    Ok(StageOutcome {
        status: StageStatus::Pending,
        pipeline_id: pipeline_id.to_owned(),
        stage: u32::try_from(place.stage).unwrap_or(u32::MAX),
        op: spec.op.clone(),
        host_id: host.clone(),
        command_id: None,
        started_at: None,
        finished_at: None,
        exit_code: None,
        error: None,
    })
}

fn is_about_a_host(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Exists | ErrorKind::NotFound)
}
