//! Makes transfers as fast as it can, and says of each that it was acknowledged, until it is
//! killed: `ledger URL`. A reader beside the clerks leaves with code 99 if it ever sees part of a
//! commit.
#![allow(clippy::print_stdout, clippy::expect_used)]

use std::io::Write as _;

use outlast_core::{OpenOptions, Result};
use outlast_store::{Store, StoreOptions};
use outlast_tests::ledger;

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::args().nth(1).expect("ledger URL");
    let store = outlast::open_with(&url, OpenOptions::default(), StoreOptions::default()).await?;
    if ledger::sum(&store).await? == 0 {
        ledger::found(&store).await?;
    }
    for clerk in 0..ledger::CLERKS {
        tokio::spawn(work(store.clone(), clerk));
    }
    loop {
        if ledger::sum(&store).await? != ledger::TOTAL {
            std::process::exit(99);
        }
    }
}

async fn work(store: Store, clerk: u64) {
    loop {
        let made = ledger::transfer(&store, clerk).await.expect("a transfer");
        // One write per line: what the parent reads is whole or not there.
        let line = format!("{clerk} {made}\n");
        std::io::stdout().lock().write_all(line.as_bytes()).expect("a pipe");
    }
}
