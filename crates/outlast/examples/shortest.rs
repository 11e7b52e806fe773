//! The shortest program that keeps something: open, create, update, look back.
#![allow(clippy::print_stdout)]

use outlast::{Entity, NoStatus, Page, Result};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Note {
    text: String,
}

impl Entity for Note {
    type Status = NoStatus;
    const KIND: &'static str = "note";
}

#[tokio::main]
async fn main() -> Result<()> {
    let store = outlast::open("memory:").await?; // "sqlite:notes.db" survives this program
    let notes = store.kind::<Note>();

    notes.create("shopping", &Note { text: "milk".into() }).await?;
    let add = |note: &mut Note| {
        note.text.push_str(", bread");
        Ok(())
    };
    notes.update("shopping", add).await?;

    for past in notes.history("shopping", Page::default()).await?.items {
        let past = past?;
        let text = past.value.map_or_else(|| "deleted".to_owned(), |note| note.text);
        println!("version {}: {text}", past.version.version);
    }
    store.close().await
}
