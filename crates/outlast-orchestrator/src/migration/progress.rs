//! How far a move has come, kept beside the ledger: a convenience, never the truth.

use std::sync::PoisonError;

use outlast_core::{Attributes, Expect, Id, Json, Key, Kind, Op, Put, Result, Timestamp};
use serde::{Deserialize, Serialize};

use super::Phase;
use super::dual::Shared;
use super::far::Writer;
use super::ledger::{self, PROGRESS};

/// Moves that are remembered.
const REMEMBERED: usize = 32;

/// How far a move has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// The phase it is on its way to.
    pub intent: Option<Phase>,
    /// The operator said that it goes nowhere by itself, and why.
    pub held: Option<String>,
    /// The last full comparison that counts.
    pub clean: Option<Certificate>,
    /// The epoch in which the way there and back was last rehearsed.
    pub rehearsed: Option<u64>,
    /// The last moves, oldest first.
    pub moves: Vec<Moved>,
}

/// Proof that both stores were the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The epoch it holds for.
    pub epoch: u64,
    /// When the comparison began.
    pub at: Timestamp,
    /// How many entities, versions and entries were compared.
    pub compared: u64,
}

/// A move that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// What moved.
    pub kind: Kind,
    /// From where.
    pub from: Phase,
    /// To where.
    pub to: Phase,
    /// The epoch it began.
    pub epoch: u64,
    /// When.
    pub at: Timestamp,
    /// How long writes were held for it, in microseconds.
    pub held_us: u64,
    /// From the ledger's word to the change of the pointer, in microseconds.
    pub flip_us: u64,
}

impl Shared {
    /// What is known of a kind.
    pub(crate) fn progress(&self, kind: &Kind) -> Progress {
        let all = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(kind).cloned().unwrap_or_default()
    }

    /// Changes what is known of a kind, and writes it down if the database can be reached.
    pub(crate) async fn note(&self, kind: &Kind, change: impl FnOnce(&mut Progress)) -> Result<()> {
        let mut progress = self.progress(kind);
        change(&mut progress);
        let excess = progress.moves.len().saturating_sub(REMEMBERED);
        progress.moves.drain(..excess);
        {
            let mut all = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert(kind.clone(), progress.clone());
        }
        if *self.control().link() != super::control::Link::Up {
            return Ok(());
        }
        let mut writer = self.far.lock().await;
        save(&mut writer, kind, &progress).await
    }

    /// Reads what was known of all kinds.
    pub(crate) async fn recall(&self, kinds: &[Kind]) -> Result<()> {
        let far = self.far.reader()?;
        for kind in kinds {
            let slot = far.get(&[key(kind)?]).await?.pop();
            let record = slot.map(outlast_core::Slot::live).transpose()?.flatten();
            let Some(record) = record else { continue };
            let progress = serde_json::from_str(record.state.as_str()).unwrap_or_default();
            let mut all = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert(kind.clone(), progress);
        }
        Ok(())
    }
}

fn key(kind: &Kind) -> Result<Key> {
    Ok(Key::of(Kind::new(PROGRESS)?, Id::new(kind.as_str())?))
}

async fn save(writer: &mut Writer<'_>, kind: &Kind, progress: &Progress) -> Result<()> {
    let state = Json::encode(progress)?;
    let put =
        Put { key: key(kind)?, expect: Expect::Any, schema: 1, attrs: Attributes::new(), state };
    let batch = ledger::batch(writer.commit_id(), "progress of a move", vec![Op::Put(put)]);
    writer.commit(&batch).await.map(drop)
}
