//! A kind of one's own with a status machine: moves that are not in the table are refused, by
//! whatever path they come.
#![allow(clippy::print_stdout)]

use outlast::{Entity, ErrorKind, Result, status_machine};
use serde::{Deserialize, Serialize};

status_machine! {
    /// Where an order is.
    pub enum OrderStatus {
        /// Not yet paid.
        Placed = "placed" => [Paid, Cancelled],
        /// Paid, not yet sent.
        Paid = "paid" => [Sent],
        /// On its way.
        Sent = "sent" => [] settled,
        /// Given up.
        Cancelled = "cancelled" => [] settled,
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Order {
    item: String,
    status: OrderStatus,
}

impl Entity for Order {
    type Status = OrderStatus;
    const KIND: &'static str = "order";

    fn status(&self) -> Option<OrderStatus> {
        Some(self.status)
    }

    fn set_status(&mut self, status: OrderStatus) {
        self.status = status;
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let store = outlast::open("memory:").await?;
    let orders = store.kind::<Order>();
    let placed = Order { item: "lamp".into(), status: OrderStatus::Placed };
    orders.create("1", &placed).await?;
    orders.transition("1", OrderStatus::Paid).await?;

    let refused = orders.transition("1", OrderStatus::Cancelled).await;
    match refused {
        Err(error) if error.kind() == ErrorKind::IllegalTransition => println!("refused: {error}"),
        other => println!("unexpected: {other:?}"),
    }
    let order = orders.transition("1", OrderStatus::Sent).await?;
    println!("{}: {} is {:?} at version {}", order.key, order.item, order.status, order.version);
    store.close().await
}
