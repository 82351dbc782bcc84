//! REST: one folder per chapter, one file per path, all of it described by one OpenAPI document.

pub(crate) mod accounts;
pub(crate) mod audit;
pub(crate) mod backtests;
pub(crate) mod job;
pub(crate) mod market_data;
pub(crate) mod service;
pub(crate) mod strategies;
pub(crate) mod sweeps;

use poem_openapi::{OpenApi, OpenApiService, Tags};

/// The chapters of the document.
#[derive(Tags)]
pub(crate) enum Chapter {
    /// Signing up, in and out.
    Accounts,
    /// Strategies made of rules, and built-in strategies.
    Strategies,
    /// Backtests and their results.
    Backtests,
    /// Backtests over a space of parameters.
    Sweeps,
    /// Markets, assets, candles and indicators.
    MarketData,
    /// The event log.
    Events,
    /// The version and clock of the service.
    Service,
}

/// The REST service.
pub(crate) fn service() -> OpenApiService<impl OpenApi + 'static, ()> {
    let chapters = (
        accounts::api(),
        strategies::api(),
        backtests::api(),
        sweeps::api(),
        audit::Events,
        market_data::api(),
        service::api(),
    );
    OpenApiService::new(chapters, "Backtrail", "1.0")
        .description(include_str!("description.md"))
        .server("/api/v1")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{backtests::body::BacktestBody, sweeps::body::SweepBody, *};
    use crate::http::fields::{Input, read};

    #[test]
    fn the_examples_of_the_document_are_valid() {
        fn is_valid<T: Input>() {
            let example: Value = serde_json::from_str(T::EXAMPLE).unwrap();
            assert!(read::<T>(example.as_object().unwrap(), false).is_ok(), "{}", T::NAME);
        }
        is_valid::<accounts::users::UserBody>();
        is_valid::<accounts::sessions::Credentials>();
        is_valid::<strategies::body::StrategyBody>();
        is_valid::<BacktestBody>();
        is_valid::<SweepBody>();
        // Its errors are noted for the command's check, not refused by the reader.
        let example: Value = serde_json::from_str(BacktestBody::EXAMPLE).unwrap();
        let body = read::<BacktestBody>(example.as_object().unwrap(), false).unwrap();
        assert_eq!(body.errors, []);
        let example: Value = serde_json::from_str(SweepBody::EXAMPLE).unwrap();
        let body = read::<SweepBody>(example.as_object().unwrap(), false).unwrap();
        assert_eq!(body.errors, []);
    }
}
