//! The row of one version of an entity.

use outlast_core::{Action, Actor, CommitId, Json, Revision, Versioned};

use super::{Content, Flaw, Reader, Writer, key};

/// A version, and its place among all versions of the store in the order they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VersionRow {
    pub(crate) position: u64,
    pub(crate) version: Versioned,
}

impl Content for VersionRow {
    fn write(&self, out: &mut Writer) {
        let version = &self.version;
        out.number(self.position);
        out.number(version.revision.0);
        out.id(version.commit.as_bytes());
        out.time(version.at);
        out.text(version.action.as_str());
        out.option(version.actor.as_ref().map(ToString::to_string).as_deref());
        out.option(version.reason.as_deref());
        out.option(version.metadata.as_ref().map(Json::as_str));
        out.number(u64::from(version.schema));
        out.attributes(&version.attrs);
        out.option(version.state.as_ref().map(Json::as_str));
    }

    fn read(key: &[u8], from: &mut Reader<'_>) -> Result<Self, Flaw> {
        let (key, version) = key::to_version(key)?;
        let position = from.number()?;
        let version = Versioned {
            key,
            version,
            revision: Revision(from.number()?),
            commit: CommitId::from_bytes(from.id()?).map_err(Flaw::rule)?,
            at: from.time()?,
            action: Action::new(from.text()?).map_err(Flaw::rule)?,
            actor: from.option()?.map(str::parse::<Actor>).transpose().map_err(Flaw::rule)?,
            reason: from.option()?.map(str::to_owned),
            metadata: from.option()?.map(Json::trusted),
            schema: u32::try_from(from.number()?)
                .map_err(|_| Flaw::new("a schema number is out of range"))?,
            attrs: from.attributes()?,
            state: from.option()?.map(Json::trusted),
        };
        Ok(Self { position, version })
    }
}
