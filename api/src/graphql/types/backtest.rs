//! `Backtest`: the caller's own runs, with strategy, metrics and trades.

use async_graphql::{
    Context, Enum, ID, InputObject, Json, Object, Result, SimpleObject,
    connection::{Connection, Edge},
    dataloader::DataLoader,
};
use domain::{backtest::Origin as DomainOrigin, job::Status as DomainStatus};
use projections::backtests::{BacktestFilter as RowFilter, BacktestRow, BacktestSort};
use serde_json::{Value, json};

use super::{
    metrics::{BacktestOrderField, Metrics, MetricsFilter},
    strategy::Strategy,
    trade::Trade,
};
use crate::{
    graphql::{
        connection::{List, connection, limit, list_complexity, page_request},
        context::caller,
        error::refusal,
        loaders::{ProgressLoader, StrategyLoader, TradeLoader, TradesOf},
        scalars::{Decimal, Time},
    },
    http::{
        caller::Caller,
        cursor::{Cursor, InvalidCursor},
        error::ApiError,
    },
    lookup::MarketOrAsset,
};

/// Queries of backtests.
#[derive(Default)]
pub(crate) struct BacktestQuery;

/// A backtest: one simulated run of a strategy over a range of candles.
pub(crate) struct Backtest(BacktestRow);

/// The state of a backtest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainStatus")]
pub(crate) enum BacktestStatus {
    Pending,
    Running,
    Completed,
    Failed,
    Cancelled,
}

/// What requested a backtest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainOrigin")]
pub(crate) enum BacktestOrigin {
    User,
    Automation,
    Replay,
    Sweep,
}

/// Filters backtests. All conditions must match.
#[derive(Debug, Default, InputObject)]
pub(crate) struct BacktestFilter {
    /// All markets with that base, such as `BTC`.
    asset_symbol: Option<String>,
    /// A market, such as `BTCUSDT`.
    symbol: Option<String>,
    /// The id of a strategy, the slug of one of your own, or the slug of a built-in.
    strategy_id: Option<ID>,
    /// Any of these states.
    status: Option<Vec<BacktestStatus>>,
    /// Any of these.
    origin: Option<Vec<BacktestOrigin>>,
    timeframe: Option<String>,
    /// A part of the strategy's name or of the market's symbol, in any case.
    search: Option<String>,
    metrics: Option<MetricsFilter>,
}

/// The order of backtests. Backtests without the metric come last.
#[derive(Debug, InputObject)]
pub(crate) struct BacktestOrder {
    field: BacktestOrderField,
    direction: OrderDirection,
}

/// Ascending or descending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum OrderDirection {
    Asc,
    Desc,
}

/// Why a backtest failed, or something to keep in mind when reading its result.
#[derive(Debug, SimpleObject)]
pub(crate) struct Notice {
    code: String,
    message: String,
}

impl BacktestFilter {
    /// Returns the caller's own backtests that it lets through.
    async fn of(self, caller: &Caller) -> Result<RowFilter, ApiError> {
        let invalid = |field: &str, error: &dyn std::fmt::Display| {
            ApiError::invalid_field(&format!("filter.{field}"), format!("{error}."))
        };
        let mut filter = RowFilter { owner_id: Some(caller.user.id), ..RowFilter::default() };
        filter.asset_symbol = self.asset_symbol.map(|asset| asset.to_ascii_uppercase());
        if let Some(symbol) = self.symbol {
            match caller.market_or_asset("filter.symbol", &symbol).await? {
                MarketOrAsset::Market(symbol) => filter.symbol = Some(symbol),
                MarketOrAsset::Asset(asset) => filter.symbol = asset.parse().ok(),
            }
        }
        if let Some(id) = self.strategy_id {
            filter.strategy_id = Some(caller.strategy_id(&id).await?);
        }
        if let Some(timeframe) = self.timeframe {
            let timeframe = timeframe.parse().map_err(|error| invalid("timeframe", &error))?;
            filter.timeframe = Some(timeframe);
        }
        let statuses = self.status.unwrap_or_default();
        filter.statuses = statuses.into_iter().map(DomainStatus::from).collect();
        let origins = self.origin.unwrap_or_default();
        filter.origins = origins.into_iter().map(DomainOrigin::from).collect();
        filter.search = self.search;
        filter.metrics = self.metrics.unwrap_or_default().filters();
        Ok(filter)
    }
}

#[Object]
impl BacktestQuery {
    /// Returns one of your own backtests. If it does not exist or belongs to another user, the field is null and `errors` says why.
    async fn backtest(&self, context: &Context<'_>, id: ID) -> Option<Result<Backtest>> {
        let find = async || caller(context)?.backtest(&id).await.map(Backtest).map_err(refusal);
        Some(find().await)
    }

    /// Your own backtests, by default newest first.
    #[graphql(complexity = "list_complexity(first, child_complexity)")]
    async fn backtests(
        &self,
        context: &Context<'_>,
        filter: Option<BacktestFilter>,
        order_by: Option<BacktestOrder>,
        first: i32,
        after: Option<String>,
    ) -> Result<List<Backtest>> {
        let caller = caller(context)?;
        let rows = filter.unwrap_or_default().of(caller).await.map_err(refusal)?;
        let (sort, descending) = match order_by {
            None => (BacktestSort::CreatedAt, true),
            Some(BacktestOrder { field, direction }) => {
                (field.sort(), direction == OrderDirection::Desc)
            }
        };
        let has_previous = after.is_some();
        let request = page_request(first, after.as_deref())?;
        let page = caller.api.reads.list_backtests(&rows, sort, descending, &request).await;
        Ok(connection(page.map_err(refusal)?, has_previous, Backtest))
    }
}

#[Object]
impl Backtest {
    async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    async fn strategy_id(&self) -> ID {
        self.0.run.strategy_id.to_string().into()
    }

    async fn strategy_version(&self) -> u32 {
        self.0.run.strategy_version
    }

    async fn strategy_name(&self) -> &str {
        &self.0.run.strategy_name
    }

    /// Null if it was deleted or can no longer be read.
    async fn strategy(&self, context: &Context<'_>) -> Option<Result<Strategy>> {
        match context.data::<DataLoader<StrategyLoader>>() {
            Ok(loader) => loader.load_one(self.0.run.strategy_id).await.transpose(),
            Err(error) => Some(Err(error)),
        }
    }

    async fn symbol(&self) -> &str {
        self.0.run.symbol.as_str()
    }

    async fn asset_symbol(&self) -> &str {
        &self.0.run.asset_symbol
    }

    async fn timeframe(&self) -> &'static str {
        self.0.run.timeframe.as_str()
    }

    async fn start_time(&self) -> Time {
        Time(self.0.run.start_time)
    }

    async fn end_time(&self) -> Time {
        Time(self.0.run.end_time)
    }

    async fn initial_balance(&self) -> Decimal {
        Decimal(self.0.run.initial_balance)
    }

    /// Null until the backtest has completed.
    async fn final_balance(&self) -> Option<Decimal> {
        self.0.final_balance.map(Decimal)
    }

    async fn origin(&self) -> BacktestOrigin {
        self.0.origin.into()
    }

    /// The sweep whose row the backtest repeats. Null unless `origin` is `SWEEP`.
    async fn sweep_id(&self) -> Option<ID> {
        self.0.sweep_id.map(|id| id.to_string().into())
    }

    /// The number of that row.
    async fn sweep_row(&self) -> Option<u32> {
        self.0.sweep_row
    }

    async fn status(&self) -> BacktestStatus {
        self.0.status.into()
    }

    /// Percent, 0 to 100.
    async fn progress(&self, context: &Context<'_>) -> Result<u8> {
        match self.0.status {
            DomainStatus::Completed => Ok(100),
            DomainStatus::Pending | DomainStatus::Failed | DomainStatus::Cancelled => Ok(0),
            DomainStatus::Running => {
                let loader = context.data::<DataLoader<ProgressLoader>>()?;
                Ok(loader.load_one(self.0.id).await?.unwrap_or(0).min(99))
            }
        }
    }

    async fn cancellation_requested_at(&self) -> Option<Time> {
        self.0.cancellation_requested_at.map(Time)
    }

    async fn parameters(&self) -> Json<Value> {
        Json(json!(self.0.run.parameters))
    }

    async fn metadata(&self) -> Json<Value> {
        Json(json!(self.0.run.settings))
    }

    async fn error(&self) -> Option<Notice> {
        let code = self.0.error_code.clone()?;
        Some(Notice { code, message: self.0.error_message.clone().unwrap_or_default() })
    }

    async fn warnings(&self) -> Vec<Notice> {
        let warnings = self.0.warnings.iter().cloned();
        warnings.map(|warning| Notice { code: warning.code, message: warning.message }).collect()
    }

    async fn engine_version(&self) -> Option<&str> {
        self.0.engine_version.as_deref()
    }

    async fn result_hash(&self) -> Option<&str> {
        self.0.result_hash.as_deref()
    }

    async fn attempt(&self) -> u32 {
        self.0.attempt
    }

    async fn created_at(&self) -> Time {
        Time(self.0.created_at)
    }

    async fn started_at(&self) -> Option<Time> {
        self.0.started_at.map(Time)
    }

    async fn completed_at(&self) -> Option<Time> {
        self.0.completed_at.map(Time)
    }

    async fn updated_at(&self) -> Time {
        Time(self.0.updated_at)
    }

    /// Null until the backtest has completed.
    async fn metrics(&self) -> Option<Metrics> {
        Metrics::of(&self.0)
    }

    /// Number of trades, including an open one.
    async fn trades_count(&self) -> u32 {
        self.0.trades_count
    }

    /// In order of entry.
    #[graphql(complexity = "list_complexity(first, child_complexity)")]
    async fn trades(
        &self,
        context: &Context<'_>,
        first: i32,
        after: Option<String>,
    ) -> Result<Connection<String, Trade>> {
        let number = match after.as_deref().map(str::parse) {
            None => 0,
            Some(Ok(Cursor::Trade(number))) => number,
            Some(_) => return Err(refusal(InvalidCursor)),
        };
        let key = TradesOf {
            backtest: self.0.id,
            position: self.0.position,
            after: number,
            limit: limit(first)?,
        };
        let shown = usize::try_from(key.limit).unwrap_or(usize::MAX);
        let loader = context.data::<DataLoader<TradeLoader>>()?;
        let rows = loader.load_one(key).await?.unwrap_or_default();
        let mut connection = Connection::new(after.is_some(), rows.len() > shown);
        let rows = rows.into_iter().take(shown);
        connection
            .edges
            .extend(rows.map(|row| Edge::new(Cursor::Trade(row.number).to_string(), row.into())));
        Ok(connection)
    }
}
