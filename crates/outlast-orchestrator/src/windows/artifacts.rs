//! Finding artifacts, and who consumed them.

use outlast_core::{
    Artifact, ArtifactTag, AttrName, AttrValue, Consumption, Entity, Error, Filter, Id, Key, Kind,
    Listed, Page, Query, Result,
};
use outlast_store::{Store, Stored};

/// Which artifacts. All of what is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArtifactQuery {
    /// Of this type.
    pub type_name: Option<String>,
    /// With this tag.
    pub tag: Option<String>,
    /// Of this correlation.
    pub correlation_id: Option<String>,
    /// Made by this one.
    pub produced_by: Option<String>,
    /// The newest first.
    pub newest_first: bool,
    /// Which page.
    pub page: Page,
}

/// The artifacts of a store, and what became of them. Reading needs no engine; publishing does.
///
/// Errors are those of reading a store. Cancel safe.
#[derive(Clone, Debug)]
pub struct Artifacts {
    store: Store,
}

impl Artifacts {
    /// The artifacts of a store.
    pub fn of(store: &Store) -> Self {
        Self { store: store.clone() }
    }

    /// One artifact. `NotFound` if it is not there.
    pub async fn get(&self, id: &str) -> Result<Stored<Artifact>> {
        self.store.kind().get(id).await
    }

    /// One page of artifacts, in the order in which they were published. A page may be short, or
    /// even empty, and still not the last. One that cannot be read is an error in its place.
    pub async fn list(&self, query: &ArtifactQuery) -> Result<Listed<Result<Stored<Artifact>>>> {
        let filters = query.filters()?;
        let Some(tag) = &query.tag else {
            let all = Query {
                filters,
                descending: query.newest_first,
                page: query.page.clone(),
                ..Query::of(Kind::new(Artifact::KIND)?)
            };
            return self.store.kind().list(&all).await;
        };
        let tags = Query {
            filters: vec![Filter::is(AttrName::group(), tag.as_str())],
            descending: query.newest_first,
            page: query.page.clone(),
            ..Query::of(Kind::new(ArtifactTag::KIND)?)
        };
        let page = self.store.kind::<ArtifactTag>().list(&tags).await?;
        let mut keys = Vec::with_capacity(page.items.len());
        for found in page.items {
            keys.push(Key::new(Artifact::KIND, &found?.artifact_id)?);
        }
        let found = self.store.get(&keys).await?.into_iter().filter_map(|slot| match slot.live() {
            Ok(Some(record)) => {
                let is_meant = filters.iter().all(|filter| filter.accepts(&record.attrs));
                is_meant.then(|| Stored::decode(record))
            }
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        });
        Ok(Listed { items: found.collect(), next: page.next })
    }

    /// One page of who consumed an artifact.
    pub async fn consumptions(
        &self,
        artifact_id: &str,
        page: Page,
    ) -> Result<Listed<Result<Stored<Consumption>>>> {
        self.consumed(AttrName::group(), artifact_id, page).await
    }

    /// One page of what an agent consumed.
    pub async fn consumed_by(
        &self,
        agent_name: &str,
        page: Page,
    ) -> Result<Listed<Result<Stored<Consumption>>>> {
        self.consumed(AttrName::new("consumer")?, agent_name, page).await
    }

    async fn consumed(
        &self,
        name: AttrName,
        value: &str,
        page: Page,
    ) -> Result<Listed<Result<Stored<Consumption>>>> {
        let kind = self.store.kind::<Consumption>();
        let filters = vec![Filter::is(name, AttrValue::from(value))];
        kind.list(&Query { filters, page, ..kind.query()? }).await
    }

    /// Records that an agent took an artifact by itself, which no window did for it. A window of
    /// that agent that still waits with it leaves it out when it is next restored.
    ///
    /// `NotFound` if there is no such artifact, `Invalid` for a name that is none.
    pub async fn consume(
        &self,
        artifact_id: &str,
        agent_name: &str,
        run_id: Option<&str>,
    ) -> Result<Stored<Consumption>> {
        Id::new(agent_name).map_err(|error| Error::invalid(error.to_string()))?;
        let artifact = self.get(artifact_id).await?;
        let consumption = Consumption {
            artifact_id: artifact_id.to_owned(),
            consumer: agent_name.to_owned(),
            subscription: None,
            run_id: run_id.map(str::to_owned),
            correlation_id: artifact.correlation_id.clone(),
            consumed_at: self.store.clock().now(),
        };
        // The id is new, so two within one microsecond are two.
        let id = self.store.ids().uuid().to_string();
        self.store.kind().create(&id, &consumption).await
    }
}

impl ArtifactQuery {
    fn filters(&self) -> Result<Vec<Filter>> {
        let wanted = [
            ("type", &self.type_name),
            ("correlation", &self.correlation_id),
            ("producer", &self.produced_by),
        ];
        let given = wanted.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        given.map(|(name, value)| Ok(Filter::is(AttrName::new(name)?, value))).collect()
    }
}
