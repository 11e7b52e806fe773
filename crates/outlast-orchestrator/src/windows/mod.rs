//! Artifacts, and the joins and batches that subscriptions make of them.
