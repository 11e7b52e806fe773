//! Migrations of one database file, with those that are built into the backend.

use std::path::{Path, PathBuf};

use outlast_sqlite::schema::{Schema, Status};
use serde::Serialize;

use crate::Result;
use crate::report::print_json;

/// Which file.
#[derive(clap::Args)]
pub(crate) struct Target {
    /// The database file
    #[arg(long, value_name = "PATH")]
    db: PathBuf,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line {
    db: String,
    current: u32,
    latest: u32,
    applied: Vec<String>,
    pending: Vec<&'static str>,
}

pub(super) async fn status(target: &Target) -> Result<bool> {
    show(target, &Schema::released().status(&target.db).await?)
}

pub(super) async fn up(target: &Target) -> Result<bool> {
    show(target, &Schema::released().up(&target.db).await?)
}

/// Goes down to a layout, and only says what that would drop unless it is agreed to.
pub(super) async fn down(target: &Target, to: Option<u32>, agreed: bool) -> Result<bool> {
    let schema = Schema::released();
    let current = schema.status(&target.db).await?.current;
    let to = to.unwrap_or(current.saturating_sub(1));
    for loss in schema.losses(&target.db, to).await? {
        eprintln!("drops {} ({} rows)", loss.what, loss.rows);
    }
    if !agreed {
        return Err("nothing was changed; say --yes to drop this".into());
    }
    show(target, &schema.down(&target.db, to).await?)
}

fn show(target: &Target, status: &Status) -> Result<bool> {
    let line = Line::of(&target.db, status);
    if target.json {
        print_json(&line)?;
    } else {
        println!("{}: layout {} of {}", line.db, line.current, line.latest);
        for applied in &status.applied {
            println!("  {:04} {} applied {}", applied.version, applied.name, applied.applied_at);
        }
        for pending in &status.pending {
            println!("  {:04} {} pending", pending.version, pending.name);
        }
    }
    Ok(true)
}

impl Line {
    fn of(db: &Path, status: &Status) -> Self {
        Self {
            db: db.display().to_string(),
            current: status.current,
            latest: status.latest,
            applied: status.applied.iter().map(|applied| applied.name.clone()).collect(),
            pending: status.pending.iter().map(|pending| pending.name).collect(),
        }
    }
}
