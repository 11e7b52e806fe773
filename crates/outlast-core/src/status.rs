//! Status machines: which states a kind has and which moves are legal, defined once.

use std::fmt::Debug;

use crate::{Error, ErrorKind, Result};

/// The states of a kind and the moves between them. Define one with [`status_machine!`].
///
/// [`status_machine!`]: crate::status_machine
pub trait Status: Copy + Eq + Debug + Send + Sync + 'static {
    /// Every state.
    const ALL: &'static [Self];

    /// The stored text, in lower snake case.
    fn as_str(self) -> &'static str;

    /// The states it may move to.
    fn successors(self) -> &'static [Self];

    /// The states it may move to besides, but only as part of an operation that is for just that:
    /// an explicit retry, a reconciliation, recovery. A plain transition does not go there.
    fn reserved(self) -> &'static [Self];

    /// The text of this state and of every one that may move to it, reserved moves included: what
    /// an entity may be in for this to be written.
    fn origins(self) -> &'static [&'static str];

    /// Whether recovery and retention treat it as over.
    fn is_settled(self) -> bool;

    /// Whether no move leads out of it.
    fn is_final(self) -> bool {
        self.successors().is_empty() && self.reserved().is_empty()
    }

    /// Whether the move is legal, be it reserved or not. Staying is not a move.
    fn can_become(self, next: Self) -> bool {
        self.successors().contains(&next) || self.reserved().contains(&next)
    }

    /// The state written so; `Corrupt` for an unknown one.
    fn parse(text: &str) -> Result<Self> {
        let known = Self::ALL.iter().find(|status| status.as_str() == text);
        known.copied().ok_or_else(|| {
            let all: Vec<_> = Self::ALL.iter().map(|status| status.as_str()).collect();
            Error::corrupt(format!("{text:?} is not one of the states {}", all.join(", ")))
        })
    }

    /// `IllegalTransition`, naming both states, unless the move is legal.
    fn check_move(self, next: Self, what: &str) -> Result<()> {
        if self.can_become(next) {
            return Ok(());
        }
        let (from, to) = (self.as_str(), next.as_str());
        let message = if self.is_final() {
            format!("{what} cannot become {to}: it is {from}, which is final")
        } else {
            format!("{what} cannot become {to} from {from}")
        };
        Err(Error::new(ErrorKind::IllegalTransition, message))
    }

    /// `IllegalTransition`, naming both states, unless the move is legal and not reserved.
    fn check_plain_move(self, next: Self, what: &str) -> Result<()> {
        if self.reserved().contains(&next) {
            let (from, to) = (self.as_str(), next.as_str());
            let message = format!(
                "{what} cannot become {to} from {from} by a plain transition: that move is \
                 reserved for the operation that is meant for it"
            );
            return Err(Error::new(ErrorKind::IllegalTransition, message));
        }
        self.check_move(next, what)
    }
}

/// The status machine of a kind that has no states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoStatus {}

impl Status for NoStatus {
    const ALL: &'static [Self] = &[];

    fn as_str(self) -> &'static str {
        match self {}
    }

    fn successors(self) -> &'static [Self] {
        match self {}
    }

    fn reserved(self) -> &'static [Self] {
        match self {}
    }

    fn origins(self) -> &'static [&'static str] {
        match self {}
    }

    fn is_settled(self) -> bool {
        match self {}
    }
}

/// For each state, in the order of `ALL`, what [`Status::origins`] says of it.
#[doc(hidden)]
pub fn status_origins<S: Status>() -> Vec<Vec<&'static str>> {
    let leads_to = |to: S| move |from: &S| *from == to || from.can_become(to);
    let origins = |to: S| S::ALL.iter().copied().filter(leads_to(to)).map(S::as_str).collect();
    S::ALL.iter().copied().map(origins).collect()
}

/// Defines an enum that is a [`Status`]: each state with its text, where it may go, after a `+`
/// where only an operation meant for that may take it, and whether it is settled.
///
/// ```
/// use outlast_core::{Status, status_machine};
///
/// status_machine! {
///     /// The state of a door.
///     pub enum Door {
///         /// Anybody may pass.
///         Open = "open" => [Closed],
///         /// Nobody may pass.
///         Closed = "closed" => [Open, Bricked],
///         /// There was a door here.
///         Bricked = "bricked" => [] settled,
///     }
/// }
///
/// assert!(Door::Open.can_become(Door::Closed));
/// assert!(Door::Open.check_move(Door::Bricked, "the door").is_err());
/// assert_eq!(Door::Bricked.origins(), ["closed", "bricked"]);
/// ```
#[macro_export]
macro_rules! status_machine {
    (
        $(#[$doc:meta])*
        $vis:vis enum $name:ident {
            $(
                $(#[$state_doc:meta])*
                $state:ident = $text:literal => [$($next:ident),* $(,)?]
                    $(+ [$($reserved:ident),* $(,)?])? $($settled:ident)?
            ),* $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name {
            $(
                $(#[$state_doc])*
                $state,
            )*
        }

        impl $crate::Status for $name {
            const ALL: &'static [Self] = &[$(Self::$state),*];

            fn as_str(self) -> &'static str {
                match self {
                    $(Self::$state => $text,)*
                }
            }

            fn successors(self) -> &'static [Self] {
                match self {
                    $(Self::$state => &[$(Self::$next),*],)*
                }
            }

            fn reserved(self) -> &'static [Self] {
                match self {
                    $(Self::$state => &[$($(Self::$reserved),*)?],)*
                }
            }

            fn origins(self) -> &'static [&'static str] {
                static ORIGINS: ::std::sync::LazyLock<Vec<Vec<&'static str>>> =
                    ::std::sync::LazyLock::new($crate::status_origins::<$name>);
                // In the order of `ALL`, which is that of the variants.
                ORIGINS.get(self as usize).map_or(&[], Vec::as_slice)
            }

            fn is_settled(self) -> bool {
                match self {
                    $(Self::$state => $crate::status_machine!(@settled $($settled)?),)*
                }
            }
        }

        $crate::status_machine!(@serde $name);
    };
    // Serde by hand: its derive cannot be told where it lives relative to `$crate`.
    (@serde $name:ident) => {
        impl $crate::serde::Serialize for $name {
            fn serialize<S: $crate::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str($crate::Status::as_str(*self))
            }
        }

        impl<'de> $crate::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::std::result::Result<Self, D::Error> {
                let text = <::std::string::String as $crate::serde::Deserialize>::deserialize(
                    deserializer,
                )?;
                $crate::Status::parse(&text).map_err($crate::serde::de::Error::custom)
            }
        }
    };
    (@settled settled) => { true };
    (@settled) => { false };
}
