//! From a location to a store.

use std::sync::Arc;

use outlast_core::{Backend, Error, IdSource, OpenOptions, Result};
use outlast_store::{Store, StoreOptions};

use crate::Location;

/// Opens the store at a location, such as `sqlite:state.db`, creating it if there is none. The
/// folder it goes into must exist. An older layout is brought up to date.
///
/// Errors: `Invalid` for a text that is no [`Location`], `Unsupported` for a backend that this
/// program was built without, and those of the backend: `Unavailable` if the folder is missing or
/// the file cannot be opened, `Busy` if another process keeps it, `Incompatible` for what another
/// or a newer program wrote, `Corrupt` for what is no database, `StorageFull`, and `Fenced` while
/// a live process moves kinds to it or from it (see `outlast::migration`), unless it is opened for
/// reading only. Must be called within a tokio runtime. Cancel safe: a store is born whole or not
/// at all.
pub async fn open(location: &str) -> Result<Store> {
    open_with(location, OpenOptions::default(), StoreOptions::default()).await
}

/// The same, saying what may happen while it is opened and how it behaves afterwards.
///
/// ```
/// # #[cfg(feature = "memory")]
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use outlast::{Actor, Cause, OpenOptions, StoreOptions};
///
/// let options = StoreOptions { cause: Cause::by(Actor::System), ..StoreOptions::default() };
/// let store = outlast::open_with("memory:", OpenOptions::default(), options).await?;
/// store.close().await
/// # }).unwrap();
/// ```
pub async fn open_with(location: &str, open: OpenOptions, options: StoreOptions) -> Result<Store> {
    location.parse::<Location>()?.open(open, options).await
}

impl Location {
    /// Opens the store there. Errors and cancel safety as for [`open`](crate::open()).
    pub async fn open(&self, open: OpenOptions, options: StoreOptions) -> Result<Store> {
        let backend = self.backend(&open, options.ids.as_ref()).await?;
        #[cfg(feature = "migration")]
        let backend = crate::migration::heed(backend, open.read_only).await?;
        Ok(Store::open(backend, options))
    }

    // Which of the parameters and arms are used depends on the features.
    #[allow(unused_variables, unreachable_patterns, clippy::unused_async)]
    pub(crate) async fn backend(
        &self,
        open: &OpenOptions,
        ids: &dyn IdSource,
    ) -> Result<Arc<dyn Backend>> {
        match self {
            #[cfg(feature = "memory")]
            Self::Memory if open.create && !open.read_only => {
                Ok(Arc::new(outlast_memory::Memory::new(ids)))
            }
            #[cfg(feature = "memory")]
            Self::Memory => Err(Error::invalid(
                "a store in memory is always created: what another process or an earlier one \
                 kept in its memory cannot be opened",
            )),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(path) => {
                Ok(Arc::new(outlast_sqlite::Sqlite::open(path, open, ids).await?))
            }
            #[cfg(feature = "sled")]
            Self::Sled(path) => Ok(Arc::new(outlast_sled::Sled::open(path, open, ids).await?)),
            absent => Err(absent.not_built_in()),
        }
    }

    #[allow(dead_code)]
    fn not_built_in(&self) -> Error {
        let feature = match self {
            Self::Memory => "memory",
            Self::Sqlite(_) => "sqlite",
            Self::Sled(_) => "sled",
        };
        Error::unsupported(format!(
            "{self} cannot be opened: this program was built without the cargo feature \
             {feature:?} of outlast; enable it"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of these are built in depends on the features the test is compiled with.
    #[test]
    fn a_backend_that_is_not_built_in_names_its_feature() {
        let table = [
            (Location::Memory, "\"memory\""),
            (Location::Sqlite("a".into()), "\"sqlite\""),
            (Location::Sled("a".into()), "\"sled\""),
        ];
        for (location, feature) in table {
            let error = location.not_built_in();
            assert_eq!(error.kind(), outlast_core::ErrorKind::Unsupported);
            assert!(error.to_string().contains(feature), "{error}");
        }
    }
}
