//! The stored rows of completed sweeps: written by executors, read only under the hash that the sweep's events name.

use std::{collections::BTreeMap, sync::LazyLock};

use domain::simulation::{
    metrics::{Metrics, recorded_name},
    sweep::{Figures, Row as Combination, RowError, RowResult},
};
use infra::postgres::DatabaseError;
use rust_decimal::Decimal;
use tokio_postgres::{Row, types::Json};
use uuid::Uuid;

use crate::{
    error::QueryError,
    handle::ReadModels,
    models::{backtests::metric::Comparison, sweeps::SweepRow},
    sql::{
        page::{KeyKind, Order, Page, PageRequest, Place, Select},
        row,
    },
};

/// The table, which no projection fills.
pub(crate) const TABLE: &str = "sweep_results";

/// A row with its rank.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedRow {
    /// By the sweep's objective, the best first, from 1.
    pub rank: u32,
    pub row: Combination,
}

/// What rows are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultSort {
    Rank,
    Number,
    /// The metric of that name; rows without it come last in both directions.
    Metric(&'static str),
}

/// What rows are filtered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResultColumn {
    /// The metric of that name.
    Metric(&'static str),
    FinalBalance,
    /// The parameter of that name.
    Parameter(String),
}

/// `column comparison value`; rows without it never fit.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultFilter {
    pub column: ResultColumn,
    pub comparison: Comparison,
    /// In the units of the rows: fractions, not percent.
    pub value: f64,
}

/// How the metrics are found in a row; rows that are older than the names of fractions have those of the API.
static EXPRESSIONS: LazyLock<BTreeMap<&'static str, String>> = LazyLock::new(|| {
    let expression = |name| {
        let recorded = recorded_name(name);
        let value = if recorded == name {
            format!("metrics->>'{name}'")
        } else {
            format!("coalesce(metrics->>'{recorded}', metrics->>'{name}')")
        };
        (name, format!("(({value})::double precision)"))
    };
    Metrics::all_names().map(expression).collect()
});

impl ResultSort {
    /// By that name, if there is such a metric.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "rank" => Some(Self::Rank),
            "number" => Some(Self::Number),
            name => EXPRESSIONS.get_key_value(name).map(|(name, _)| Self::Metric(name)),
        }
    }
}

impl ReadModels {
    /// A page of a completed sweep's rows; none of one that is not completed.
    ///
    /// # Errors
    /// A cursor of another order, or the database.
    pub async fn sweep_results(
        &self,
        sweep: &SweepRow,
        filters: &[ResultFilter],
        (sort, descending): (ResultSort, bool),
        page: &PageRequest,
    ) -> Result<Page<RankedRow>, QueryError> {
        let (expression, kind, tie) = match sort {
            ResultSort::Rank => ("rank", KeyKind::Integer, None),
            ResultSort::Number => ("number", KeyKind::Integer, None),
            ResultSort::Metric(name) => {
                let expression = EXPRESSIONS.get(name).map_or("rank", String::as_str);
                (expression, KeyKind::Number, Some("id"))
            }
        };
        let mut select = Select::new(format!("*, {expression} AS sort_key"), TABLE);
        select.compare("sweep_id =", sweep.id.uuid());
        select.compare("result_hash =", sweep.result_hash.clone().unwrap_or_default());
        for filter in filters {
            filter.apply(&mut select);
        }
        let order = Order { expression, kind, descending, tie };
        let read = |row: &Row| {
            let ranked = read(row)?;
            let place = match sort {
                ResultSort::Rank => Place::integer(i64::from(ranked.rank)),
                ResultSort::Number => Place::integer(i64::from(ranked.row.number)),
                ResultSort::Metric(_) => {
                    let id = Uuid::from_u128(u128::from(ranked.row.number));
                    Place::number(row.try_get("sort_key")?, id)
                }
            };
            Ok((ranked, place))
        };
        let all = sweep.result_hash.as_ref().map_or(0, |_| i64::from(sweep.rows_count));
        let total = filters.is_empty().then_some(all);
        select.page(&self.database, &order, page, total, read).await
    }

    /// The row of that number of a completed sweep.
    ///
    /// # Errors
    /// The database.
    pub async fn sweep_result(
        &self,
        sweep: &SweepRow,
        number: u32,
    ) -> Result<Option<RankedRow>, QueryError> {
        let client = self.database.get().await?;
        let sql = format!(
            "SELECT * FROM read_models.{TABLE} WHERE sweep_id = $1 AND result_hash = $2 AND number = $3"
        );
        let statement = client.prepare_cached(&sql).await?;
        let hash = sweep.result_hash.clone().unwrap_or_default();
        let Ok(number) = i32::try_from(number) else { return Ok(None) };
        let found = client.query_opt(&statement, &[&sweep.id.uuid(), &hash, &number]).await?;
        Ok(found.as_ref().map(read).transpose()?)
    }

    /// All rows of a completed sweep, in the order of their numbers.
    ///
    /// # Errors
    /// The database.
    pub async fn sweep_rows(&self, sweep: &SweepRow) -> Result<Vec<Combination>, QueryError> {
        let client = self.database.get().await?;
        let sql = format!(
            "SELECT * FROM read_models.{TABLE} WHERE sweep_id = $1 AND result_hash = $2 ORDER BY number"
        );
        let statement = client.prepare_cached(&sql).await?;
        let hash = sweep.result_hash.clone().unwrap_or_default();
        let found = client.query(&statement, &[&sweep.id.uuid(), &hash]).await?;
        Ok(found.iter().map(|row| Ok(read(row)?.row)).collect::<Result<_, DatabaseError>>()?)
    }
}

impl ResultFilter {
    fn apply(&self, select: &mut Select) {
        let column = match &self.column {
            ResultColumn::Metric(name) => {
                EXPRESSIONS.get(name).cloned().unwrap_or_else(|| "NULL".to_owned())
            }
            ResultColumn::FinalBalance => "(final_balance::double precision)".to_owned(),
            ResultColumn::Parameter(name) => {
                let name = select.bind(name.clone());
                format!("((parameters->>{name}::text)::double precision)")
            }
        };
        select.compare(&format!("{column} {}", self.comparison.sql()), self.value);
    }
}

fn read(stored: &Row) -> Result<RankedRow, DatabaseError> {
    let Json(parameters) = stored.try_get("parameters")?;
    let error: Option<Json<RowError>> = stored.try_get("error")?;
    let result = match error {
        Some(Json(error)) => RowResult::Error(error),
        None => {
            let Json(metrics): Json<Metrics> = stored.try_get("metrics")?;
            let final_balance: Decimal = stored.try_get("final_balance")?;
            RowResult::Figures(Box::new(Figures {
                final_balance: final_balance.normalize(),
                trades_count: row::count(stored, "trades_count")?,
                ambiguous_trades_count: row::count(stored, "ambiguous_trades_count")?,
                metrics,
            }))
        }
    };
    let number = row::count(stored, "number")?;
    let row = Combination { number, parameters, result };
    Ok(RankedRow { rank: row::count(stored, "rank")?, row })
}
