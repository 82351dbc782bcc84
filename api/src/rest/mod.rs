//! REST: one file per resource, all of it described by one OpenAPI document.

pub(crate) mod assets;
pub(crate) mod backtest_body;
pub(crate) mod backtest_query;
pub(crate) mod backtest_resource;
pub(crate) mod backtests;
pub(crate) mod events;
pub(crate) mod indicators;
pub(crate) mod ledger;
pub(crate) mod market_data;
pub(crate) mod metrics;
pub(crate) mod service_info;
pub(crate) mod sessions;
pub(crate) mod strategies;
pub(crate) mod strategy_body;
pub(crate) mod strategy_catalog;
pub(crate) mod sweep_body;
pub(crate) mod sweep_resource;
pub(crate) mod sweep_results;
pub(crate) mod sweeps;
pub(crate) mod trades;
pub(crate) mod users;

use poem_openapi::{OpenApiService, Tags};

/// The resources under `/api/v1`.
pub(crate) type Resources = (
    users::Users,
    sessions::Sessions,
    strategies::Strategies,
    strategy_catalog::StrategyCatalog,
    backtests::Backtests,
    metrics::BacktestMetrics,
    trades::Trades,
    ledger::Ledger,
    sweeps::Sweeps,
    sweep_results::SweepResults,
    events::Events,
    assets::Assets,
    market_data::MarketData,
    indicators::Indicators,
    service_info::ServiceInfo,
);

/// The chapters of the document.
#[derive(Tags)]
pub(crate) enum Chapter {
    /// Sign up, sign in, sign out.
    Accounts,
    /// Rules and built-ins.
    Strategies,
    /// Runs and their results.
    Backtests,
    /// Many runs over a space of parameters.
    Sweeps,
    /// Markets, assets, candles, indicators.
    MarketData,
    /// What happened.
    Events,
    /// The service itself.
    Service,
}

/// The REST service.
pub(crate) fn service() -> OpenApiService<Resources, ()> {
    let resources = (
        users::Users,
        sessions::Sessions,
        strategies::Strategies,
        strategy_catalog::StrategyCatalog,
        backtests::Backtests,
        metrics::BacktestMetrics,
        trades::Trades,
        ledger::Ledger,
        sweeps::Sweeps,
        sweep_results::SweepResults,
        events::Events,
        assets::Assets,
        market_data::MarketData,
        indicators::Indicators,
        service_info::ServiceInfo,
    );
    OpenApiService::new(resources, "Backtrail", "1.0")
        .description(include_str!("description.md"))
        .server("/api/v1")
}
