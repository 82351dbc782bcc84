//! The result of a simulation: as the JSON of the API, or as tables.

use chrono::{DateTime, SecondsFormat};
use comfy_table::CellAlignment;
use domain::simulation::{
    Trade,
    metrics::{DrawdownPeriod, Metrics},
};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::{Execution, PreparedRun};
use crate::cli::table;

/// Trades shown in the table, from the end.
const TRADES_SHOWN: usize = 20;
const DAY_MS: i64 = 86_400_000;
/// Fractions inside that are percent on the wire.
const PERCENT: [&str; 2] = ["max_drawdown_percentage", "total_pnl_percentage"];

/// The wire's shape: decimals as text, what is undefined null. `files` says what the files of candles are like.
pub(super) fn json(
    prepared: &PreparedRun,
    simulated: &Execution,
    files: Map<String, Value>,
) -> anyhow::Result<Value> {
    let outcome = &simulated.outcome;
    let mut result = json!({
        "trades": outcome.trades.iter().map(|it| trade(prepared, it)).collect::<Vec<_>>(),
        "metrics": metrics(&outcome.metrics, outcome.ambiguous_trades_count),
        "final_balance": text(outcome.final_balance),
        "ambiguous_trades_count": outcome.ambiguous_trades_count,
        "final_balance_stop_first": text(outcome.final_balance_stop_first),
        "final_balance_target_first": text(outcome.final_balance_target_first),
        "warnings": serde_json::to_value(&outcome.warnings)?,
        "result_hash": simulated.result_hash.to_string(),
    });
    if let Value::Object(result) = &mut result {
        result.extend(files);
    }
    Ok(result)
}

fn trade(prepared: &PreparedRun, trade: &Trade) -> Value {
    let exit = trade.exit.as_ref();
    let (stop, target) = trade.barriers.prices().unwrap_or_default();
    let excursion = exit.map(|_| prepared.excursion(trade));
    let percent = |fraction: f64| (fraction * 100.0).to_string();
    json!({
        "number": trade.number,
        "entry_time": time(trade.entry.time),
        "entry_price": text(trade.entry.price),
        "exit_time": exit.map(|fill| time(fill.time)),
        "exit_price": exit.map(|fill| text(fill.price)),
        "quantity": text(trade.entry.quantity),
        "side": trade.direction.as_str(),
        "pnl": trade.pnl.map(text),
        "pnl_percentage": trade.pnl_percentage().map(text),
        "fees": text(trade.fees()),
        "entry_reason": trade.entry.reason,
        "exit_reason": exit.map(|fill| fill.reason.as_str()),
        "is_ambiguous": trade.is_ambiguous,
        "funding": (!trade.funding.is_zero()).then(|| text(trade.funding)),
        "shortfall": exit.map(|_| text(trade.shortfall)),
        "part_of": trade.part_of,
        "candles_count": excursion.map(|it| it.candles_count),
        "stop_price": stop.map(text),
        "target_price": target.map(text),
        "max_adverse_percentage": excursion.map(|it| percent(it.max_adverse)),
        "max_favorable_percentage": excursion.map(|it| percent(it.max_favorable)),
    })
}

fn metrics(metrics: &Metrics, ambiguous_trades_count: u32) -> Value {
    let mut all = Map::new();
    all.insert("total_trades".to_owned(), metrics.total_trades.into());
    all.insert("winning_trades".to_owned(), metrics.winning_trades.into());
    all.insert("losing_trades".to_owned(), metrics.losing_trades.into());
    all.insert("total_pnl".to_owned(), text(metrics.total_pnl).into());
    all.insert("total_fees".to_owned(), text(metrics.total_fees).into());
    for (name, value) in Metrics::NAMES.iter().zip(metrics.values()) {
        let factor = if PERCENT.contains(name) { 100.0 } else { 1.0 };
        all.insert((*name).to_owned(), value.map(|value| (value * factor).to_string()).into());
    }
    let periods: Vec<Value> = metrics.drawdown_periods.iter().map(period).collect();
    all.insert("drawdown_periods".to_owned(), periods.into());
    all.insert("ambiguous_trades_count".to_owned(), ambiguous_trades_count.into());
    Value::Object(all)
}

fn period(period: &DrawdownPeriod) -> Value {
    json!({
        "start": time(period.start),
        "bottom": time(period.bottom),
        "recovery": period.recovery.map(time),
        "depth_percentage": (period.depth * 100.0).to_string(),
    })
}

fn text(decimal: Decimal) -> String {
    decimal.normalize().to_string()
}

fn time(epoch_ms: i64) -> String {
    DateTime::from_timestamp_millis(epoch_ms).map_or_else(
        || epoch_ms.to_string(),
        |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
    )
}

/// Tables of the metrics and of the last trades.
pub(super) fn table(simulated: &Execution) -> String {
    let outcome = &simulated.outcome;
    let mut table = table::table(["Metric", "Value"]);
    table.add_row(["final_balance".to_owned(), text(outcome.final_balance)]);
    if outcome.ambiguous_trades_count > 0 {
        let (stop, target) = (outcome.final_balance_stop_first, outcome.final_balance_target_first);
        table.add_row(["final_balance_stop_first".to_owned(), text(stop)]);
        table.add_row(["final_balance_target_first".to_owned(), text(target)]);
    }
    if let Value::Object(all) = metrics(&outcome.metrics, outcome.ambiguous_trades_count) {
        for (name, value) in all.iter().filter(|(_, value)| !value.is_array()) {
            let shown = value.as_str().map_or_else(|| value.to_string(), rounded);
            table.add_row([name.as_str(), if value.is_null() { "-" } else { &shown }]);
        }
    }
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let trades = &outcome.trades;
    let mut lines = vec![table.to_string(), String::new(), trade_table(trades)];
    if trades.len() > TRADES_SHOWN {
        lines.push(format!("the last {TRADES_SHOWN} of {} trades", trades.len()));
    }
    let warnings = outcome.warnings.iter();
    lines.extend(warnings.map(|warning| format!("warning {}: {}", warning.code, warning.message)));
    lines.push(format!("result hash: {}", simulated.result_hash));
    lines.join("\n")
}

fn trade_table(trades: &[Trade]) -> String {
    let mut table = table::table(["#", "Side", "Entry", "Price", "Exit", "Price", "Pnl %"]);
    let shown = &trades[trades.len().saturating_sub(TRADES_SHOWN)..];
    let times = |trade: &Trade| {
        [Some(trade.entry.time), trade.exit.as_ref().map(|fill| fill.time)].into_iter().flatten()
    };
    let in_days = shown.iter().flat_map(times).all(|time| time.rem_euclid(DAY_MS) == 0);
    // Without its time of day where no trade has one.
    let moment = |epoch_ms: i64| -> String {
        let characters = if in_days { 10 } else { 16 };
        time(epoch_ms).chars().take(characters).collect::<String>().replace('T', " ")
    };
    for trade in shown {
        let exit = trade.exit.as_ref();
        table.add_row([
            trade.number.to_string(),
            trade.direction.as_str().to_owned(),
            moment(trade.entry.time),
            price(trade.entry.price),
            exit.map_or_else(|| "-".to_owned(), |fill| moment(fill.time)),
            exit.map_or_else(|| "-".to_owned(), |fill| price(fill.price)),
            trade.pnl_percentage().map_or_else(|| "-".to_owned(), two),
        ]);
    }
    table.to_string()
}

/// Rounded to two digits after the point: the decimal's own formatting cuts.
fn two(decimal: Decimal) -> String {
    format!("{:.2}", decimal.round_dp(2))
}

/// With two digits after the point, or six digits where the price is so low that two would hide it.
fn price(price: Decimal) -> String {
    let low = price.round_sf(6).filter(|_| price.abs() < Decimal::ONE_HUNDRED);
    low.map_or_else(|| two(price), |low| low.normalize().to_string())
}

/// Four digits after the point are enough for eyes.
fn rounded(number: &str) -> String {
    match number.parse::<f64>() {
        Ok(value) if number.contains('.') => format!("{value:.4}"),
        _ => number.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_price_is_shown_with_its_digits() {
        let shown = |text: &str| price(text.parse().unwrap());
        assert_eq!(shown("42345.675"), "42345.68");
        assert_eq!(shown("1.10053"), "1.10053");
        assert_eq!(shown("0.0000000145"), "0.0000000145");
        assert_eq!(shown("0.123456789"), "0.123457");
        assert_eq!(shown("7"), "7");
    }
}
