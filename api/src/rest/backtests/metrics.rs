//! `/backtests/{id}/metrics`: every metric of a run.

use std::{borrow::Cow, collections::BTreeMap};

use domain::{error_code::ErrorCode, simulation::metrics::Metrics};
use poem::http::StatusCode;
use poem_openapi::{
    Object, OpenApi,
    param::Path,
    registry::{MetaSchema, MetaSchemaRef, Registry},
    types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type},
};
use projections::backtests::BacktestRow;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    http::{
        caller::Caller,
        error::ApiError,
        response::{Item, WithHeaders as _},
        values::{DecimalText, time_text_of_ms},
    },
    rest::Chapter,
};

/// Every metric of a run.
pub(crate) struct BacktestMetrics;

/// All metrics of a backtest. `…_percentage` values are in percent, `total_return` and `win_rate` are fractions.
/// Undefined metrics are null.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct MetricsResource(BTreeMap<&'static str, Value>);

/// A drawdown: from a peak of equity down and back up.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "DrawdownPeriod")]
pub(crate) struct DrawdownResource {
    start: String,
    bottom: String,
    /// Null if equity never recovered.
    recovery: Option<String>,
    depth_percentage: Option<DecimalText>,
}

impl MetricsResource {
    /// The metrics of a completed run.
    pub(crate) fn of(row: &BacktestRow) -> Option<Self> {
        let metrics = row.metrics.as_ref()?;
        let balance = |balance: Option<Decimal>| json!(balance.map(DecimalText::from));
        let mut fields = BTreeMap::from([
            ("total_trades", json!(metrics.total_trades)),
            ("winning_trades", json!(metrics.winning_trades)),
            ("losing_trades", json!(metrics.losing_trades)),
            ("total_pnl", json!(DecimalText::from(metrics.total_pnl))),
            ("total_fees", json!(DecimalText::from(metrics.total_fees))),
            ("ambiguous_trades_count", json!(row.ambiguous_trades_count)),
            ("final_balance_stop_first", balance(row.final_balance_stop_first)),
            ("final_balance_target_first", balance(row.final_balance_target_first)),
        ]);
        for (name, value) in Metrics::NAMES.iter().zip(metrics.values()) {
            fields.insert(name, json!(DecimalText::of_metric(name, value)));
        }
        let periods = metrics.drawdown_periods.iter().map(|period| DrawdownResource {
            start: time_text_of_ms(period.start),
            bottom: time_text_of_ms(period.bottom),
            recovery: period.recovery.map(time_text_of_ms),
            depth_percentage: DecimalText::of_real(period.depth * 100.0),
        });
        fields.insert("drawdown_periods", json!(periods.collect::<Vec<_>>()));
        Some(Self(fields))
    }
}

impl Type for MetricsResource {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "Metrics".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Reference("Metrics".to_owned())
    }

    fn register(registry: &mut Registry) {
        <DrawdownResource as Type>::register(registry);
        registry.create_schema::<Self, _>("Metrics".to_owned(), |_| {
            let inline = |schema| MetaSchemaRef::Inline(Box::new(schema));
            let mut schema = MetaSchema::new("object");
            schema.description = Some(
                "All metrics of a backtest. `…_percentage` values are in percent, `total_return` and `win_rate` are fractions. Undefined metrics are null.",
            );
            let counts =
                ["total_trades", "winning_trades", "losing_trades", "ambiguous_trades_count"];
            let count = || inline(MetaSchema::new_with_format("integer", "int64"));
            schema.properties.extend(counts.map(|name| (name, count())));
            let decimal = || {
                let mut schema = MetaSchema::new_with_format("string", "decimal");
                schema.nullable = true;
                inline(schema)
            };
            let money =
                ["total_pnl", "total_fees", "final_balance_stop_first", "final_balance_target_first"];
            let names = money.into_iter().chain(Metrics::NAMES.iter().copied());
            schema.properties.extend(names.map(|name| (name, decimal())));
            let mut periods = MetaSchema::new("array");
            periods.items = Some(Box::new(<DrawdownResource as Type>::schema_ref()));
            schema.properties.push(("drawdown_periods", inline(periods)));
            schema
        });
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl ToJSON for MetricsResource {
    fn to_json(&self) -> Option<Value> {
        Some(json!(self.0))
    }
}

impl ParseFromJSON for MetricsResource {
    fn parse_from_json(_value: Option<Value>) -> ParseResult<Self> {
        Err(ParseError::custom("metrics are read only"))
    }
}

/// 404: there is no result yet, or there never will be.
fn not_completed(row: &BacktestRow) -> ApiError {
    let status = row.status.as_str();
    let message = format!("The backtest is {status}; only a completed one has metrics.");
    ApiError::new(StatusCode::NOT_FOUND, ErrorCode::NotCompleted, message)
}

#[OpenApi(tag = "Chapter::Backtests")]
impl BacktestMetrics {
    /// Returns all metrics of a backtest. Responds with 404 until it has completed.
    #[oai(path = "/backtests/:id/metrics", method = "get", operation_id = "getBacktestMetrics")]
    async fn get(
        &self,
        caller: Caller,
        id: Path<String>,
    ) -> Result<Item<MetricsResource>, ApiError> {
        let row = caller.backtest(&id.0).await?;
        let metrics = MetricsResource::of(&row).ok_or_else(|| not_completed(&row))?;
        Ok(Item::new(metrics).with_etag(&row.sequence.to_string()))
    }
}
