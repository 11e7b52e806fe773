//! The event log: what people are told, in one order.
