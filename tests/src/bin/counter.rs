//! Adds to a counter with many writers at once, as soon as it is told to: `counter URL`.
#![allow(clippy::print_stdout, clippy::expect_used)]

use outlast_core::{OpenOptions, Result};
use outlast_store::StoreOptions;
use outlast_tests::counter;

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::args().nth(1).expect("counter URL");
    let options = StoreOptions { retry: counter::BETWEEN_PROCESSES, ..StoreOptions::default() };
    let store = outlast::open_with(&url, OpenOptions::existing(), options).await?;
    println!("ready");
    std::io::stdin().read_line(&mut String::new()).expect("a pipe");
    counter::add_all(&store).await?;
    store.close().await
}
