//! The row of one commit in the feed: what it did, enough to give its receipt again.

use outlast_core::{CommitId, Epoch, Remembered, Revision, Seq, Version};

use super::{Content, Flaw, Reader, Writer, key};

/// A commit, under its revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommitRow {
    pub(crate) id: CommitId,
    pub(crate) known: Remembered,
}

impl Content for CommitRow {
    fn write(&self, out: &mut Writer) {
        let known = &self.known;
        out.id(self.id.as_bytes());
        out.number(known.digest);
        out.time(known.at);
        out.number(known.versions.len() as u64);
        for (entity, version) in &known.versions {
            out.bytes(&key::entity(entity));
            out.number(version.epoch.0);
            out.number(version.n);
        }
        out.number(known.appended.len() as u64);
        for (stream, first, last) in &known.appended {
            out.bytes(&key::entity(stream));
            out.number(first.0);
            out.number(last.0);
        }
    }

    fn read(key: &[u8], from: &mut Reader<'_>) -> Result<Self, Flaw> {
        let revision = Revision(key::to_number(key)?);
        let id = CommitId::from_bytes(from.id()?).map_err(Flaw::rule)?;
        let digest = from.number()?;
        let at = from.time()?;
        let mut versions = Vec::new();
        for _ in 0..from.number()? {
            let entity = key::to_entity(from.bytes()?)?;
            versions.push((entity, Version::new(Epoch(from.number()?), from.number()?)));
        }
        let mut appended = Vec::new();
        for _ in 0..from.number()? {
            let stream = key::to_entity(from.bytes()?)?;
            appended.push((stream, Seq(from.number()?), Seq(from.number()?)));
        }
        Ok(Self { id, known: Remembered { digest, revision, at, versions, appended } })
    }
}
