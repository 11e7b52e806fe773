//! Artifacts that belong together are handed over together, in batches, and what is open when the
//! program ends goes on when it is started again.
#![allow(clippy::print_stdout)]

use std::sync::Arc;

use async_trait::async_trait;
use outlast::windows::{Delivery, Handler, WindowOptions, Windows};
use outlast::{Artifact, BatchSpec, Instance, JoinWithin, Result, Store, Subscription};
use serde_json::json;

struct Shipping;

#[async_trait]
impl Handler for Shipping {
    async fn deliver(&self, delivery: Delivery) -> Result<()> {
        for group in &delivery.groups {
            let parts: Vec<_> = group.iter().map(|artifact| &*artifact.type_name).collect();
            let order = group.first().and_then(|artifact| artifact.payload.get("order"));
            println!("ship {}: {}", order.unwrap_or(&json!(null)), parts.join(" + "));
        }
        Ok(())
    }
}

/// Paid orders, two at a time, each paid within a day.
fn paid_orders() -> Subscription {
    Subscription::new("shipping", "paid_orders", ["order", "payment"])
        .join_by("order", JoinWithin::Time(86_400_000))
        .in_batches(BatchSpec { size: Some(2), timeout_ms: Some(3_600_000) })
}

async fn start(instance: &Instance) -> Result<Windows> {
    let options = WindowOptions::default();
    Windows::start(instance, vec![paid_orders()], Arc::new(Shipping), options).await
}

async fn publish(windows: &Windows, store: &Store, type_name: &str, order: u32) -> Result<()> {
    let artifact = Artifact::new(type_name, json!({ "order": order }), store.clock().now());
    windows.publish(artifact).await.map(drop)
}

#[tokio::main]
async fn main() -> Result<()> {
    let store = outlast::open("memory:").await?;
    let instance = Instance::acquire(&store, false).await?;

    let windows = start(&instance).await?;
    publish(&windows, &store, "payment", 1).await?;
    publish(&windows, &store, "order", 1).await?;
    publish(&windows, &store, "order", 2).await?;
    windows.tick().await?;
    println!("open: {}", windows.stats().open); // a batch of one, and an order not yet paid
    drop(windows); // as if the program had ended

    let windows = start(&instance).await?;
    println!("restored: {}", windows.restored().waiting);
    publish(&windows, &store, "payment", 2).await?;
    windows.tick().await?;
    assert_eq!(windows.stats().open, 0);
    instance.release().await?;
    store.close().await
}
