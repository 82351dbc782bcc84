//! REST: one folder per chapter, one file per path, all of it described by one OpenAPI document.

pub(crate) mod accounts;
pub(crate) mod audit;
pub(crate) mod backtests;
pub(crate) mod market_data;
pub(crate) mod service;
pub(crate) mod strategies;
pub(crate) mod sweeps;

use poem_openapi::{OpenApi, OpenApiService, Tags};

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
pub(crate) fn service() -> OpenApiService<impl OpenApi + 'static, ()> {
    let chapters = (
        accounts::api(),
        strategies::api(),
        backtests::api(),
        sweeps::api(),
        audit::Events,
        market_data::api(),
        service::ServiceInfo,
    );
    OpenApiService::new(chapters, "Backtrail", "1.0")
        .description(include_str!("description.md"))
        .server("/api/v1")
}
