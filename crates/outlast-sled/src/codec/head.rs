//! The row of an entity as it is now; its content lies in the history, written once.

use outlast_core::{AttrName, AttrValue, Attributes, Epoch, Head, Timestamp, Version, Versioned};

use super::{Content, Flaw, Reader, Writer};

/// The newest version of an entity without its content, and its transient attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeadRow {
    pub(crate) version: Version,
    pub(crate) live: bool,
    /// The checksum the version had when it was written.
    pub(crate) checksum: u64,
    pub(crate) at: Timestamp,
    pub(crate) attrs: Attributes,
    pub(crate) transient: Attributes,
}

impl HeadRow {
    /// The head that `version` makes. A deleted entity has nothing transient.
    pub(crate) fn of(version: &Versioned, transient: Attributes) -> Self {
        let live = version.is_live();
        Self {
            version: version.version,
            live,
            checksum: version.checksum(),
            at: version.at,
            attrs: version.attrs.clone(),
            transient: if live { transient } else { Attributes::new() },
        }
    }

    /// What the planner is told.
    pub(crate) fn to_head(&self) -> Head {
        let status = match self.attrs.get(&AttrName::status()) {
            Some(AttrValue::Text(status)) => Some(status.clone()),
            _ => None,
        };
        Head { version: self.version, live: self.live, checksum: self.checksum, status }
    }

    /// The attributes it is found by: a deleted entity has none.
    pub(crate) fn indexed(&self) -> impl Iterator<Item = (&AttrName, &AttrValue)> {
        self.attrs.iter().filter(|_| self.live)
    }
}

impl Content for HeadRow {
    fn write(&self, out: &mut Writer) {
        out.number(self.version.epoch.0);
        out.number(self.version.n);
        out.flag(self.live);
        out.number(self.checksum);
        out.time(self.at);
        out.attributes(&self.attrs);
        out.attributes(&self.transient);
    }

    fn read(_key: &[u8], from: &mut Reader<'_>) -> Result<Self, Flaw> {
        Ok(Self {
            version: Version::new(Epoch(from.number()?), from.number()?),
            live: from.flag()?,
            checksum: from.number()?,
            at: from.time()?,
            attrs: from.attributes()?,
            transient: from.attributes()?,
        })
    }
}
