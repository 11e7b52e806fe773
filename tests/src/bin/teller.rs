//! Makes transfers and says what became of each: `teller URL SESSIONS TRANSFERS CLERKS`.
#![allow(clippy::expect_used)]

use outlast_tests::teller::{self, Shift};

#[tokio::main]
async fn main() {
    let url = std::env::args().nth(1).expect("teller URL SESSIONS TRANSFERS CLERKS");
    let number = |n| std::env::args().nth(n).and_then(|text| text.parse().ok()).expect("a number");
    let shift = Shift { sessions: number(2), transfers: number(3), clerks: number(4) };
    teller::work(&url, shift).await;
    // A call that never comes back keeps nobody waiting.
    std::process::exit(0);
}
