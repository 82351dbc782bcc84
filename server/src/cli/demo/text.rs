//! The text that the demo prints, in 80 columns.

use chrono::DateTime;
use comfy_table::{CellAlignment, Table, presets};
use rust_decimal::Decimal;
use serde_json::Value;

/// The maximum width of a line, in columns.
const WIDTH: usize = 80;
/// How many of the last ledger entries are shown.
const LEDGER_LINES: usize = 10;
/// Events shown at the beginning and at the end of a long history.
const EVENT_LINES: usize = 7;

pub(super) fn title(text: &str) -> String {
    format!("{text}\n{}", "=".repeat(text.chars().count()))
}

pub(super) fn heading(text: &str) -> String {
    format!("\n{text}\n{}", "-".repeat(text.chars().count()))
}

/// Names and what they stand for.
pub(super) fn rows(title: &str, rows: &[(&str, String)]) -> String {
    let lines = rows.iter().map(|(name, value)| format!("  {name:<12} {value}"));
    [heading(title)].into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}

pub(super) fn strategy(strategy: &Value) -> String {
    let rule = |rules: &str| {
        let condition = &strategy[rules]["conditions"][0];
        let word = condition["comparator"].as_str().unwrap_or_default().replace('_', " ");
        format!("{} {word} {}", plain(&condition["indicator"]), plain(&condition["value"]))
    };
    let parameters: Vec<String> = strategy["default_parameters"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| format!("{name} = {}", plain(value)))
        .collect();
    rows(
        "The strategy",
        &[
            ("Name", plain(&strategy["name"])),
            ("Slug", plain(&strategy["slug"])),
            ("Buy when", rule("entry_rules")),
            ("Sell when", rule("exit_rules")),
            ("Parameters", parameters.join(", ")),
        ],
    )
}

/// How a value is shown.
#[derive(Clone, Copy)]
enum Unit {
    Money,
    /// A fraction, shown in percent.
    Fraction,
    /// Percent already.
    Percent,
    Ratio,
    Count,
}

const METRICS: &[(&str, &str, Unit)] = &[
    ("Final balance", "final_balance", Unit::Money),
    ("  if stops came first", "final_balance_stop_first", Unit::Money),
    ("  if targets came first", "final_balance_target_first", Unit::Money),
    ("Ambiguous trades", "ambiguous_trades_count", Unit::Count),
    ("Total return", "total_return", Unit::Fraction),
    ("Annual return (CAGR)", "cagr", Unit::Fraction),
    ("Worst drawdown", "max_drawdown_percentage", Unit::Percent),
    ("Annual volatility", "volatility", Unit::Fraction),
    ("Sharpe ratio", "sharpe_ratio", Unit::Ratio),
    ("Sortino ratio", "sortino_ratio", Unit::Ratio),
    ("Calmar ratio", "calmar_ratio", Unit::Ratio),
    ("Trades", "total_trades", Unit::Count),
    ("Win rate", "win_rate", Unit::Fraction),
    ("Profit factor", "profit_factor", Unit::Ratio),
    ("Time in the market", "exposure", Unit::Fraction),
    ("Fees paid", "total_fees", Unit::Money),
    ("P-value, daily returns", "p_value", Unit::Ratio),
    ("Luck percentile", "luck_percentile", Unit::Ratio),
];

/// The metrics of two runs side by side; each run is its backtest and its metrics.
pub(super) fn metrics(runs: &[(&Value, &Value); 2]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(["Metric", "Golden cross", "Buy and hold"]);
    for (name, key, unit) in METRICS {
        let cells = runs.map(|(backtest, metrics)| {
            let value = metrics.get(*key).or_else(|| backtest.get(*key)).unwrap_or(&Value::Null);
            show(value, *unit)
        });
        table.add_row([(*name).to_owned(), cells[0].clone(), cells[1].clone()]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{}\n{table}", heading("Metrics, compared with buy and hold"))
}

/// The warnings of a backtest.
pub(super) fn warnings(backtest: &Value) -> String {
    let warnings = backtest["warnings"].as_array();
    let lines = warnings.into_iter().flatten().flat_map(|warning| {
        let text = format!("{}: {}", plain(&warning["code"]), plain(&warning["message"]));
        wrapped(&text, WIDTH - 4)
            .into_iter()
            .enumerate()
            .map(
                |(index, line)| {
                    if index == 0 { format!("  {line}") } else { format!("    {line}") }
                },
            )
            .collect::<Vec<_>>()
    });
    let mut lines: Vec<String> = lines.collect();
    if lines.is_empty() {
        lines.push("  none".to_owned());
    }
    lines.insert(0, heading("Warnings about the golden cross"));
    lines.join("\n")
}

/// Breaks a text between words into lines of at most `width`.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        if let Some(line) = lines.last_mut() {
            if line.is_empty() {
                line.push_str(word);
                continue;
            }
            if line.chars().count() + 1 + word.chars().count() <= width {
                line.push(' ');
                line.push_str(word);
                continue;
            }
        }
        lines.push(word.to_owned());
    }
    lines
}

fn show(value: &Value, unit: Unit) -> String {
    let Some(number) = decimal(value) else { return "-".to_owned() };
    match unit {
        Unit::Money => money(number),
        Unit::Fraction => format!("{:.2} %", (number * Decimal::ONE_HUNDRED).round_dp(2)),
        Unit::Percent => format!("{:.2} %", number.round_dp(2)),
        Unit::Ratio => format!("{:.2}", number.round_dp(2)),
        Unit::Count => format!("{:.0}", number.round()),
    }
}

pub(super) fn ledger(entries: &[Value]) -> String {
    let mut lines = vec![heading(&format!(
        "The last {} of {} ledger entries",
        LEDGER_LINES.min(entries.len()),
        entries.len()
    ))];
    let header = ("date", "side", "price", "quantity", "fee", "cash after");
    let (date, side, price, quantity, fee, cash) = header;
    lines.push(format!("  {date:<10} {side:<4} {price:>12} {quantity:>13} {fee:>9} {cash:>14}"));
    for entry in &entries[entries.len().saturating_sub(LEDGER_LINES)..] {
        let [price, fee, cash] =
            ["price", "fee", "cash_after"].map(|key| show(&entry[key], Unit::Money));
        let date = plain(&entry["timestamp"]).chars().take(10).collect::<String>();
        let (side, quantity) = (plain(&entry["side"]), plain(&entry["quantity"]));
        lines
            .push(format!("  {date:<10} {side:<4} {price:>12} {quantity:>13} {fee:>9} {cash:>14}"));
    }
    lines.join("\n")
}

/// Draws the curve as one line of blocks.
pub(super) fn equity(points: &Value) -> String {
    let points = points.as_array().or_else(|| points["points"].as_array());
    let curve: Vec<(String, f64)> = points
        .into_iter()
        .flatten()
        .filter_map(|point| {
            let date = plain(&point["timestamp"]).chars().take(10).collect();
            Some((date, number(&point["equity"])?))
        })
        .collect();
    let (Some((first, _)), Some((last, _))) = (curve.first(), curve.last()) else {
        return rows("Equity", &[("", "no points".to_owned())]);
    };
    let values: Vec<f64> = curve.iter().map(|(_, equity)| *equity).collect();
    let (low, high) = bounds(&values);
    let width = values.len().min(WIDTH - 4);
    let gap = width.saturating_sub(first.len() + last.len());
    [
        heading("Equity, day by day"),
        format!("  {}", sparkline(&values[..width], low, high)),
        format!("  {first}{}{last}", " ".repeat(gap)),
        format!("  lowest {}, highest {}", money_of(low), money_of(high)),
    ]
    .join("\n")
}

fn bounds(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(*value), high.max(*value))
    })
}

fn sparkline(values: &[f64], low: f64, high: f64) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let span = high - low;
    let block = |value: &f64| {
        let level = if span > 0.0 { (value - low) / span * 7.0 } else { 0.0 };
        let above = (0..7).filter(|step| level >= f64::from(*step) + 0.5).count();
        BLOCKS[above]
    };
    values.iter().map(block).collect()
}

pub(super) fn events(events: &[Value]) -> String {
    let mut lines = vec![heading("What happened: the events of the run")];
    let mut history: Vec<String> = events.iter().map(event_line).collect();
    if history.len() > 2 * EVENT_LINES {
        let hidden = history.len() - 2 * EVENT_LINES;
        let last = history.split_off(history.len() - EVENT_LINES);
        history.truncate(EVENT_LINES);
        history.push(format!("         … {hidden} more …"));
        history.extend(last);
    }
    lines.extend(history);
    lines.join("\n")
}

fn event_line(event: &Value) -> String {
    let time: String = plain(&event["recorded_at"]).chars().skip(11).take(12).collect();
    let stream = format!("{} {}", plain(&event["aggregate_type"]), plain(&event["sequence"]));
    let detail = detail(&event["payload"]);
    let (position, what) = (plain(&event["position"]), plain(&event["type"]));
    let text = format!("  {position:>6} {time} {stream:<12} {what:<17} {detail}");
    text.chars().take(WIDTH).collect::<String>().trim_end().to_owned()
}

/// The most telling fields of a payload.
fn detail(payload: &Value) -> String {
    let (name, result) = match payload.get("pnl") {
        None => ("at", &payload["fill"]["price"]),
        Some(pnl) => ("pnl", pnl),
    };
    let fields = [
        ("trade", &payload["number"]),
        (name, result),
        ("rows", &payload["dataset"]["rows"]),
        ("attempt", &payload["attempt"]),
        ("from", &payload["from"]),
        ("trades", &payload["trades_count"]),
        ("balance", &payload["final_balance"]),
    ];
    let known = fields.iter().filter(|(_, value)| !value.is_null());
    let shown = known.map(|(name, value)| match *name {
        "at" | "pnl" | "balance" => format!("{name} {}", show(value, Unit::Money)),
        name => format!("{name} {}", plain(value)),
    });
    shown.collect::<Vec<_>>().join(", ")
}

pub(super) fn curl(base: &str, token: &str, id: &str, once: bool) -> String {
    let when = if once {
        "How to call the API (while it runs: `backtrail demo`)"
    } else {
        "How to call the API"
    };
    let auth = "-H \"Authorization: Bearer $TOKEN\"";
    let json = "-H 'Content-Type: application/json'";
    [
        heading(when),
        format!("  TOKEN={token}"),
        format!("  API={base}/api/v1"),
        format!("  RUN={id}"),
        "\n  # The metrics of this run".to_owned(),
        format!("  curl -s {auth} $API/backtests/$RUN/metrics"),
        "\n  # Another run, with faster averages; responds when it is done".to_owned(),
        format!("  curl -s {auth} \\"),
        format!("    {json} -H 'Prefer: wait=10' \\"),
        "    $API/backtests -d '{".to_owned(),
        "      \"strategy_id\": \"golden-cross\", \"symbol\": \"BTC\",".to_owned(),
        "      \"parameters\": {\"short_window\": 20, \"long_window\": 100}}'".to_owned(),
        "\n  # GraphQL: the runs whose Sharpe ratio is above 0.5, best first".to_owned(),
        format!("  curl -s {auth} \\"),
        "    -G $API/graphql --data-urlencode 'query={ backtests(first: 5,".to_owned(),
        "      filter: {assetSymbol: \"BTC\", metrics: {sharpeRatio: {gt: 0.5}}},".to_owned(),
        "      orderBy: {field: SHARPE_RATIO, direction: DESC})".to_owned(),
        "      { nodes { id strategyName metrics { sharpeRatio } } } }'".to_owned(),
        format!("\n  # All endpoints: {base}/api/docs"),
    ]
    .join("\n")
}

/// A value without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Parses a number that is written as a string or as a number.
fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::String(text) => text.parse().ok().or_else(|| Decimal::from_scientific(text).ok()),
        Value::Number(number) => {
            let text = number.to_string();
            text.parse().ok().or_else(|| Decimal::from_scientific(&text).ok())
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    decimal(value)?.try_into().ok()
}

fn money(amount: Decimal) -> String {
    thousands(&format!("{:.2}", amount.round_dp(2)))
}

fn money_of(amount: f64) -> String {
    thousands(&format!("{amount:.2}"))
}

/// Adds a comma every three digits before the decimal point.
pub(super) fn thousands(number: &str) -> String {
    let (sign, rest) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) = rest.find('.').map_or((rest, ""), |at| rest.split_at(at));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{fraction}")
}

/// The day of an opening time.
pub(super) fn day(epoch_ms: i64) -> String {
    DateTime::from_timestamp_millis(epoch_ms)
        .map_or_else(|| epoch_ms.to_string(), |time| time.format("%Y-%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_grouped_by_three() {
        let cases =
            [("1", "1"), ("1000", "1,000"), ("-1234567.89", "-1,234,567.89"), ("999.5", "999.5")];
        for (number, expected) in cases {
            assert_eq!(thousands(number), expected);
        }
    }

    #[test]
    fn a_sparkline_goes_from_the_lowest_to_the_highest_block() {
        assert_eq!(sparkline(&[0.0, 3.5, 7.0], 0.0, 7.0), "▁▅█");
        assert_eq!(sparkline(&[5.0, 5.0], 5.0, 5.0), "▁▁");
    }

    #[test]
    fn no_line_is_wider_than_eighty_columns() {
        let entry = json!({"timestamp": "2025-01-01T00:00:00Z", "side": "sell", "price": "103456.12",
            "quantity": "1.12345678", "fee": "1234.56", "cash_after": "1234567.89123456"});
        let event = json!({"position": 123_456, "recorded_at": "2025-01-01T00:00:00.123456Z",
            "type": "BacktestCancellationRequested", "aggregate_type": "backtest", "sequence": 12,
            "payload": {"final_balance": "123456.12345678", "trades_count": 123, "pnl": "-12345.12345678"}});
        let points: Vec<Value> = (0..200)
            .map(|day| json!({"timestamp": "2025-01-01T00:00:00Z", "equity": day}))
            .collect();
        let run = json!({"final_balance": "123456789.12345678", "total_return": "12.5"});
        let texts = [
            ledger(&vec![entry; 12]),
            events(&vec![event; 30]),
            equity(&points.into()),
            metrics(&[(&run, &run), (&run, &run)]),
            warnings(
                &json!({"warnings": [{"code": "one_trade", "message": "a word and ".repeat(30)}]}),
            ),
            warnings(&json!({})),
            curl("http://127.0.0.1:8080", &"t".repeat(64), &uuid::Uuid::nil().to_string(), true),
        ];
        for line in texts.iter().flat_map(|text| text.lines()) {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }
}
