//! Whether ledger, sentinel and flags say the same, and what to do where they do not.

use outlast_core::{Kind, Result};
use serde::Serialize;

use super::migration::Migration;
use super::quarantine::{Quarantined, Released};
use super::rehearse::Rehearsed;
use super::{Phase, Sentinel};

/// Something that does not fit, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub kind: Kind,
    /// What does not fit.
    pub finding: String,
    /// The command that resolves it.
    pub command: String,
}

impl Migration {
    /// What does not fit between the ledger, the file beside it and the flags.
    pub async fn doctor(&self) -> Result<Vec<Finding>> {
        let marks = Sentinel::within(&self.options.state_dir).read()?;
        let mut findings = Vec::new();
        for kind in self.kinds().await? {
            let phase = self.phase(&kind);
            let desired = self.desired(&kind);
            let marked = marks.kinds.get(&kind).map_or(Phase::Memory, |mark| mark.phase);
            if marked != phase {
                findings.push(Finding {
                    finding: format!(
                        "the file beside the database says {marked}, the ledger {phase}"
                    ),
                    command: "none: it is written anew with the next move or start".to_owned(),
                    kind: kind.clone(),
                });
            }
            if desired == Phase::Memory && phase > Phase::Memory {
                findings.push(Finding {
                    finding: format!("flags wish for memory, the ledger says {phase}"),
                    command: format!(
                        "outlast migrate state rollback {kind} --to memory --drop-durability \
                         --export FILE, or switch its flag on"
                    ),
                    kind: kind.clone(),
                });
            }
            if desired == Phase::Live && phase < Phase::Live {
                findings.push(Finding {
                    finding: format!("flags wish for the database, the ledger says {phase}"),
                    command: format!("outlast migrate state advance {kind}"),
                    kind: kind.clone(),
                });
            }
            let mark = marks.kinds.get(&kind);
            if let Some(since) = mark.and_then(|mark| mark.volatile_since) {
                findings.push(Finding {
                    finding: format!("acknowledged changes since {since} may be in memory only"),
                    command: "bring the database back".to_owned(),
                    kind,
                });
            }
        }
        Ok(findings)
    }

    /// Walks the way to live and back with an entity that nobody needs. `Diverged` if both stores
    /// were not the same at any point.
    pub async fn rehearse(&self, kind: &Kind) -> Result<Rehearsed> {
        self.shared()?.rehearse(kind).await
    }

    /// The lineages that were set aside when kinds left the database.
    pub async fn quarantined(&self) -> Result<Vec<Quarantined>> {
        self.shared()?.quarantined().await
    }

    /// Takes a lineage that was set aside over into the present one, where it is newer or nothing
    /// is there.
    pub async fn adopt_quarantined(&self, kind: &Kind, lineage: u16) -> Result<Released> {
        self.shared()?.adopt(kind, lineage).await
    }

    /// Removes a lineage that was set aside.
    pub async fn purge_quarantined(&self, kind: &Kind, lineage: u16) -> Result<Released> {
        self.shared()?.purge(kind, lineage).await
    }
}
