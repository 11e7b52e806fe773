//! How a store is to be opened, whichever backend keeps it.

use std::time::Duration;

/// What may happen when a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOptions {
    /// Whether to create the store when there is none. The folder it goes into must exist.
    pub create: bool,
    /// What to do about an older storage layout. A newer one is always refused, untouched.
    pub upgrade: Upgrade,
    /// Whether to open for reading only: nothing is created, upgraded or repaired.
    pub read_only: bool,
    /// How long to wait for another process before `Busy`.
    pub busy_timeout: Duration,
}

/// What to do about an older storage layout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Upgrade {
    /// Bring it up to date while opening.
    #[default]
    Auto,
    /// Refuse with `Incompatible`, changing nothing.
    Refuse,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            create: true,
            upgrade: Upgrade::Auto,
            read_only: false,
            busy_timeout: Duration::from_secs(5),
        }
    }
}

impl OpenOptions {
    /// Open what is there; create nothing.
    pub fn existing() -> Self {
        Self { create: false, ..Self::default() }
    }

    /// Open what is there for reading only.
    pub fn read_only() -> Self {
        Self { create: false, upgrade: Upgrade::Refuse, read_only: true, ..Self::default() }
    }
}
