//! The change feed as a subscription: a snapshot, then every change after it in order.
