//! The same program over any backend: `cargo run --example backends -- sqlite:state.db`.
//!
//! Run it twice and see what survives.
#![allow(clippy::print_stdout)]

use outlast::{Entity, ErrorKind, NoStatus, OpenOptions, Result, StoreOptions};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Visits {
    count: u64,
}

impl Entity for Visits {
    type Status = NoStatus;
    const KIND: &'static str = "visits";
}

#[tokio::main]
async fn main() -> Result<()> {
    let location = std::env::args().nth(1).unwrap_or_else(|| "memory:".to_owned());
    let store =
        outlast::open_with(&location, OpenOptions::default(), StoreOptions::default()).await?;
    let visits = store.kind::<Visits>();

    match visits.create("front-door", &Visits::default()).await {
        Err(error) if error.kind() == ErrorKind::Exists => {}
        created => drop(created?),
    }
    let counted = visits.update("front-door", |visits| {
        visits.count += 1;
        Ok(())
    });
    let counted = counted.await?;

    let info = store.info();
    println!("visit {} ({}, {})", counted.count, info.name, info.durability);
    store.close().await
}
