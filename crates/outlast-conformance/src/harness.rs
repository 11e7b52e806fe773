//! How a backend is plugged into the suite.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use outlast_core::{Backend, Error, Key, OpenOptions, Result, Seq, StreamName};

/// A backend as the suite sees it: something that gives places for stores.
///
/// ```
/// use std::sync::Arc;
/// use outlast_conformance::{Harness, Site, Target};
/// use outlast_core::{Backend, Error, OpenOptions, RandomIds, Result};
/// use outlast_memory::Memory;
///
/// struct Mine;
///
/// #[async_trait::async_trait]
/// impl Harness for Mine {
///     fn name(&self) -> String {
///         "mine".to_owned()
///     }
///     async fn site(&self) -> Result<Box<dyn Site>> {
///         Ok(Box::new(Mine))
///     }
/// }
///
/// #[async_trait::async_trait]
/// impl Site for Mine {
///     async fn open(&self, options: &OpenOptions) -> Result<Arc<dyn Backend>> {
///         if options.read_only {
///             return Err(Error::unsupported("a store in memory is never read only"));
///         }
///         Ok(Arc::new(Memory::new(&RandomIds)))
///     }
///     async fn damage(&self, _target: &Target) -> Result<bool> {
///         Ok(false)
///     }
/// }
/// ```
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// The backend, as reports and seeds name it.
    fn name(&self) -> String;

    /// A place where no store is yet, independent of every other.
    async fn site(&self) -> Result<Box<dyn Site>>;
}

/// The place of one store. Dropping it removes what is there.
#[async_trait]
pub trait Site: Send + Sync + 'static {
    /// Opens the store that is here, and creates it if there is none and the options allow it.
    ///
    /// Called again after the store was closed or dropped, it finds what a persistent one kept;
    /// a volatile one is empty again. Called while the store is open, it is a second process: it
    /// works, or is `Busy`, or gives an independent store if nothing is shared. For reading only
    /// it is `Unsupported` unless [`ReadOnly`](outlast_core::Capability::ReadOnly) is declared.
    async fn open(&self, options: &OpenOptions) -> Result<Arc<dyn Backend>>;

    /// Damages the stored bytes of something while the store is closed: flips a bit of its
    /// content, not of its name. `false` if there are no bytes that could rot, which only a store
    /// that is not persistent may say.
    async fn damage(&self, target: &Target) -> Result<bool>;

    /// Whether what is durable here comes back under another life, with a feed and an incarnation
    /// of its own, and is therefore not declared as
    /// [`Persistent`](outlast_core::Capability::Persistent). Its harness then gives a store of its
    /// own at each opening, and what comes back is its author's to test.
    fn is_reborn(&self) -> bool {
        false
    }

    /// Opens the copy that `backup` wrote. Needed only where
    /// [`Backup`](outlast_core::Capability::Backup) is declared.
    async fn open_copy(&self, at: &Path) -> Result<Arc<dyn Backend>> {
        Err(Error::unsupported(format!("no copy can be at {}", at.display())))
    }
}

/// What is to be damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The row that reads of the entity's present content use.
    Head(Key),
    /// The history row of a version with this number, which is not the newest.
    Version(Key, u64),
    /// One entry of a stream.
    Entry(StreamName, Seq),
}
