//! What pins a run as columns: the same in every table that has a row for a run or for a sweep.

use chrono::{DateTime, Utc};
use domain::{
    ids::{StrategyId, UserId},
    market::{Symbol, Timeframe},
    run_spec::RunSpec,
    simulation::Settings,
    strategy::parameters::Parameters,
};
use infra::postgres::DatabaseError;
use rust_decimal::Decimal;
use serde::Serialize;
use tokio_postgres::{Row, types::Json};

use crate::sql::{bulk::Columns, row};

/// A [`RunSpec`] without the strategy's definition, which `strategy_versions` holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunColumns {
    pub owner_id: UserId,
    pub strategy_id: StrategyId,
    pub strategy_version: u32,
    pub strategy_name: String,
    pub symbol: Symbol,
    pub asset_symbol: String,
    pub timeframe: Timeframe,
    pub start_time: DateTime<Utc>,
    pub end_time: DateTime<Utc>,
    pub initial_balance: Decimal,
    pub parameters: Parameters,
    #[serde(rename = "metadata")]
    pub settings: Settings,
}

/// Their definitions.
pub(crate) const COLUMNS: &Columns = &[
    ("owner_id", "uuid NOT NULL"),
    ("strategy_id", "uuid NOT NULL"),
    ("strategy_version", "integer NOT NULL"),
    ("strategy_name", "text NOT NULL"),
    ("symbol", "text NOT NULL"),
    ("asset_symbol", "text NOT NULL"),
    ("timeframe", "text NOT NULL"),
    ("start_time", "timestamptz NOT NULL"),
    ("end_time", "timestamptz NOT NULL"),
    ("initial_balance", "numeric NOT NULL"),
    ("parameters", "json NOT NULL"),
    ("metadata", "json NOT NULL"),
];

impl From<RunSpec> for RunColumns {
    fn from(run: RunSpec) -> Self {
        Self {
            owner_id: run.owner_id,
            strategy_id: run.strategy_id,
            strategy_version: run.strategy_version,
            strategy_name: run.strategy_name,
            symbol: run.symbol,
            asset_symbol: run.asset_symbol,
            timeframe: run.timeframe,
            start_time: run.start_time,
            end_time: run.end_time,
            initial_balance: run.initial_balance,
            parameters: run.parameters,
            settings: run.settings,
        }
    }
}

impl RunColumns {
    pub(crate) fn read(row: &Row) -> Result<Self, DatabaseError> {
        let Json(parameters) = row.try_get("parameters")?;
        let Json(settings) = row.try_get("metadata")?;
        Ok(Self {
            owner_id: UserId::new(row.try_get("owner_id")?),
            strategy_id: StrategyId::new(row.try_get("strategy_id")?),
            strategy_version: row::count(row, "strategy_version")?,
            strategy_name: row.try_get("strategy_name")?,
            symbol: row::word(row, "symbol")?,
            asset_symbol: row.try_get("asset_symbol")?,
            timeframe: row::word(row, "timeframe")?,
            start_time: row.try_get("start_time")?,
            end_time: row.try_get("end_time")?,
            initial_balance: row.try_get("initial_balance")?,
            parameters,
            settings,
        })
    }
}
