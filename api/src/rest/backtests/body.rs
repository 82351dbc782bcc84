//! The body of a backtest: read as far as it goes, with what is wrong noted, so that all errors come at once.

use std::collections::BTreeMap;

use commands::BacktestDraft;
use domain::{
    backtest::Origin, error_code::ErrorCode, fields::FieldError, market::Timeframe, number::Number,
    simulation::Settings,
};
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::{
    http::{
        fields::{Field, Fields, Input, Kind, field, joined},
        values::DayEnd,
    },
    rest::job,
};

/// A run as a user asks for it.
pub(crate) struct BacktestBody {
    pub(crate) draft: BacktestDraft,
    /// What is wrong already; strategy, market and candles are checked by the command.
    pub(crate) errors: Vec<FieldError>,
}

const SYMBOL: [&str; 2] = ["symbol", "asset_symbol"];
/// What a run's own answer says besides: it can be sent again as it is.
const OUTCOME: [Field; 23] = {
    const fn outcome(name: &'static str) -> Field {
        field(name, Kind::ReadOnly, "Ignored.")
    }
    [
        outcome("id"),
        outcome("strategy_version"),
        outcome("strategy_name"),
        outcome("final_balance"),
        outcome("status"),
        outcome("progress"),
        outcome("cancellation_requested_at"),
        outcome("origin"),
        outcome("sweep_id"),
        outcome("sweep_row"),
        outcome("error"),
        outcome("warnings"),
        outcome("dataset"),
        outcome("engine_version"),
        outcome("result_hash"),
        outcome("attempt"),
        outcome("created_at"),
        outcome("started_at"),
        outcome("completed_at"),
        outcome("updated_at"),
        outcome("performance_summary"),
        outcome("metrics"),
        outcome("strategy"),
    ]
};
const ASKED: [Field; 14] = [
    job::STRATEGY_ID.required(),
    field("symbol", Kind::Text, "A market (`BTCUSDT`) or an asset (`BTC`)."),
    field(
        "asset_symbol",
        Kind::Text,
        "Alias of `symbol`; beside it, the base asset that the market must have.",
    ),
    field(
        "quote",
        Kind::Text,
        "Quote asset of the market, if `symbol` is an asset. Defaults to `USDT`.",
    ),
    field("timeframe", Kind::Text, "`1m`, `5m`, `15m`, `1h`, `4h` or `1d`. Defaults to `1d`."),
    field("interval", Kind::Text, "Alias of `timeframe`."),
    field(
        "start_time",
        Kind::Time,
        "Open time of the first candle, inclusive. Defaults to the first stored candle.",
    ),
    field("start_date", Kind::Time, "Alias of `start_time`."),
    field(
        "end_time",
        Kind::Time,
        "Open time of the last candle, inclusive. A bare date means the end of that day. Defaults to the last stored candle.",
    ),
    field("end_date", Kind::Time, "Alias of `end_time`."),
    field("initial_balance", Kind::Decimal, "Greater than 0. Defaults to 10000."),
    field("initial_capital", Kind::Decimal, "Alias of `initial_balance`."),
    field("parameters", Kind::Object, "Numbers that override the strategy's `default_parameters`."),
    field(
        "metadata",
        Kind::Object,
        "Settings of the simulation: `leverage`, `maintenance_margin`, `funding_rate`, `funding_interval_hours`, `commission`, `commission_maker`, `commission_fixed`, `slippage_bps`, `slippage_range_percentage`, `spread_bps`, `fill` (`next_open`, `close`), `intrabar` (`stop_first`, `target_first`, `lower_timeframe`), `finalize` (`close`, `leave_open`, with the preset `backtesting_py` also `open`), `warmup` (`before_start`, `in_range`), `lot`, `seed`, `preset` (`backtrail`, `backtesting_py`).",
    ),
];
const BALANCE: [&str; 2] = ["initial_balance", "initial_capital"];

impl Input for BacktestBody {
    const NAME: &'static str = "BacktestBody";
    const EXAMPLE: &'static str = r#"{
        "strategy_id": "golden-cross", "symbol": "BTCUSDT", "timeframe": "1d",
        "start_time": "2018-01-01", "end_time": "2024-12-31", "initial_balance": "10000",
        "parameters": {"short_window": 50, "long_window": 200},
        "metadata": {"commission": 0.001}
    }"#;
    const FIELDS: &'static [Field] = &joined::<{ ASKED.len() + OUTCOME.len() }>(&ASKED, &OUTCOME);

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        fields.require(&["strategy_id"]);
        fields.require(&SYMBOL);
        let strategy = fields.text(&["strategy_id"], 200);
        let market = fields.text(&["symbol"], 60);
        let asset = fields.text(&["asset_symbol"], 60);
        let symbol = market.or_else(|| asset.clone());
        let quote = fields.text(&["quote"], 30);
        let timeframe = fields.timeframe(&["timeframe", "interval"]).unwrap_or(Timeframe::OneDay);
        let start_time = fields.time(&["start_time", "start_date"], DayEnd::Start);
        let end_time = fields.time(&["end_time", "end_date"], DayEnd::End);
        let given = BALANCE.into_iter().find(|name| fields.has(&[name])).unwrap_or(BALANCE[0]);
        let mut initial_balance = fields.decimal(&BALANCE).unwrap_or_else(|| Decimal::from(10_000));
        if initial_balance <= Decimal::ZERO {
            fields.error(given, ErrorCode::OutOfRange, format!("`{given}` must be above 0."));
            initial_balance = Decimal::ONE;
        }
        let parameters = fields.object("parameters").unwrap_or_default();
        let parameters = read_parameters(fields, &parameters);
        let metadata = fields.object("metadata").unwrap_or_default();
        let settings = Settings::parse(&metadata).map_err(|errors| fields.errors(errors));
        let draft = BacktestDraft {
            strategy,
            symbol,
            asset,
            quote,
            timeframe,
            start_time,
            end_time,
            initial_balance,
            parameters,
            settings: settings.unwrap_or_default(),
            origin: Origin::User,
        };
        Some(Self { draft, errors: fields.take_errors() })
    }
}

fn read_parameters(
    fields: &mut Fields<'_>,
    parameters: &Map<String, Value>,
) -> BTreeMap<String, Number> {
    let mut read = BTreeMap::new();
    for (name, value) in parameters {
        let number = match value {
            Value::String(text) => text.trim().parse().ok(),
            Value::Number(number) => number.as_f64(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        match number.and_then(Number::try_new) {
            Some(number) => {
                read.insert(name.clone(), number);
            }
            None => {
                let shown: String = name.chars().take(60).collect();
                let message = format!("`{shown}` must be a finite number.");
                fields.error(&format!("parameters.{shown}"), ErrorCode::Invalid, message);
            }
        }
    }
    read
}
