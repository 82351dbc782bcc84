//! The ids of resources: UUID newtypes that are parsed once and never mixed up.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text that is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a UUID")]
pub struct IdError(pub String);

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The id with these 128 bits.
            #[must_use]
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The 128 bits of this id.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::parse_str(text).map(Self).map_err(|_| IdError(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(formatter)
            }
        }
    };
}

id!(
    /// The id of a user: the only trace of a person in events.
    UserId
);
id!(
    /// The id of a strategy: a UUIDv7, or the UUIDv5 of the slug for a built-in.
    StrategyId
);
id!(
    /// The id of a backtest and of its ledger.
    BacktestId
);
id!(
    /// The id of a sweep.
    SweepId
);
id!(
    /// The id of a trade: the UUIDv5 of its backtest and number, so that it is the same in every attempt.
    TradeId
);

impl TradeId {
    /// The id of trade `number` (from 1) of `backtest`.
    #[must_use]
    pub fn of(backtest: BacktestId, number: u32) -> Self {
        Self(Uuid::new_v5(&backtest.uuid(), &number.to_be_bytes()))
    }
}
