//! The harness of the volatile store; also what a harness looks like.

use std::sync::Arc;

use async_trait::async_trait;
use outlast_core::{Backend, Error, OpenOptions, RandomIds, Result};
use outlast_memory::Memory;

use crate::{Harness, Site, Target};

/// Plugs [`Memory`] into the suite.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryHarness;

#[async_trait]
impl Harness for MemoryHarness {
    fn name(&self) -> String {
        "memory".to_owned()
    }

    async fn site(&self) -> Result<Box<dyn Site>> {
        Ok(Box::new(Self))
    }
}

#[async_trait]
impl Site for MemoryHarness {
    async fn open(&self, options: &OpenOptions) -> Result<Arc<dyn Backend>> {
        if options.read_only {
            return Err(Error::unsupported("a store in memory is never read only"));
        }
        Ok(Arc::new(Memory::new(&RandomIds)))
    }

    async fn damage(&self, _target: &Target) -> Result<bool> {
        Ok(false)
    }
}
