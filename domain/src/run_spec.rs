//! What pins a run: one spelling for every event, row and hash that names it.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{StrategyId, UserId},
    market::{Symbol, Timeframe},
    simulation::settings::Settings,
    strategy::{StrategyDefinition, parameters::Parameters},
};

/// Whose run it is, and everything that its result follows from besides the candles. Events flatten it, so the order of
/// the fields is the order in the stored payloads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunSpec {
    pub owner_id: UserId,
    pub strategy_id: StrategyId,
    pub strategy_version: u32,
    pub strategy_name: String,
    pub definition: StrategyDefinition,
    pub symbol: Symbol,
    /// The market's base asset.
    pub asset_symbol: String,
    pub timeframe: Timeframe,
    /// Start of the range of open times, inclusive.
    pub start_time: DateTime<Utc>,
    /// End of the range of open times, inclusive.
    pub end_time: DateTime<Utc>,
    pub initial_balance: Decimal,
    /// All parameters with defaults filled in. For a sweep, only the fixed ones that were given.
    pub parameters: Parameters,
    /// All settings with defaults filled in, including the seed.
    #[serde(rename = "metadata")]
    pub settings: Settings,
}

#[cfg(test)]
impl RunSpec {
    /// A run over Bitcoin's days with the strategy's defaults.
    pub(crate) fn example(definition: StrategyDefinition) -> Self {
        let time = |ms| DateTime::from_timestamp_millis(ms).unwrap();
        Self {
            owner_id: UserId::default(),
            strategy_id: StrategyId::default(),
            strategy_version: 1,
            strategy_name: "Golden Cross".to_owned(),
            parameters: definition.default_parameters.clone(),
            definition,
            symbol: "BTCUSDT".parse().unwrap(),
            asset_symbol: "BTC".to_owned(),
            timeframe: Timeframe::OneDay,
            start_time: time(1_502_928_000_000),
            end_time: time(1_764_460_800_000),
            initial_balance: Decimal::from(10_000),
            settings: Settings::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::sweep::SweepEvent;

    /// Neither the names of the fields nor their order may change what is stored.
    #[test]
    fn a_request_is_written_in_the_bytes_of_its_sample() {
        let sample = include_str!("../testdata/events/sweep/SweepRequested.1.0.json");
        let event: SweepEvent = serde_json::from_str(sample).unwrap();
        assert_eq!(serde_json::to_string_pretty(&event).unwrap(), sample.trim_end());
    }
}
