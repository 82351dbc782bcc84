//! Every warning just above and just below its threshold; the numbers follow from each warning's formula by hand.

use std::collections::BTreeSet;

use rstest::rstest;

use super::*;
use crate::simulation::{
    metrics::{Metrics, Tally},
    trade::{Barriers, Fill, FillPlace, Moment},
    warnings::{CODES, Review, collect},
};

/// A run of ten closed days with a rule of two free numbers, and nothing to warn of but what a test changes.
struct Case {
    body: Value,
    metadata: Value,
    open_time: Vec<i64>,
    timeframe: Timeframe,
    range_start: usize,
    first_evaluated: usize,
    metrics: Metrics,
    trades: Vec<Trade>,
}

impl Default for Case {
    fn default() -> Self {
        let metrics = Metrics {
            total_trades: 30,
            exposure: Some(0.5),
            total_pnl: Decimal::from(300),
            t_statistic: Some(3.0),
            p_value: Some(0.003),
            luck_percentile: Some(99.5),
            ..Metrics::default()
        };
        Self {
            body: json!({"entry_rules": when("sma(3)", ">", "sma(7)")}),
            metadata: json!({}),
            open_time: (0..10).map(|day| day * DAY_MS).collect(),
            timeframe: Timeframe::OneDay,
            range_start: 0,
            first_evaluated: 0,
            metrics,
            trades: (1..=30).map(|number| trade(number, "10", "0")).collect(),
        }
    }
}

fn trade(number: u32, pnl: &str, fee: &str) -> Trade {
    let fill = |side, fee: &str| Fill {
        time: 0,
        side,
        price: Decimal::ONE_HUNDRED,
        quantity: Decimal::ONE,
        fee: fee.parse().unwrap(),
        cash_after: Decimal::ZERO,
        reason: "close > 1".into(),
    };
    let exit = Some(fill(Side::Sell, "0"));
    let pnl = Some(pnl.parse().unwrap());
    let (entry, place) = (fill(Side::Buy, fee), FillPlace { candle: 0, moment: Moment::Open });
    let opened = Trade::opened(number, Direction::Long, entry, place, Barriers::default());
    Trade { exit, pnl, ..opened }
}

impl Case {
    fn warnings(&self) -> Vec<Warning> {
        let flat = |open_time| Candle {
            open_time,
            open: 1.0,
            high: 1.0,
            low: 1.0,
            close: 1.0,
            volume: 1.0,
        };
        let candles: Candles = self.open_time.iter().copied().map(flat).collect();
        let (strategy, settings) = (strategy(&self.body), settings(self.metadata.clone()));
        let input = Input {
            range_start: self.range_start,
            timeframe: self.timeframe,
            ..input(&strategy, &candles, &settings)
        };
        collect(&Review {
            input: &input,
            metrics: &self.metrics,
            tally: &Tally::of(&self.trades),
            first_evaluated: self.first_evaluated,
            first_defined: 6,
            rejection: None,
            rejections_count: 0,
            liquidations_count: 0,
            ruin_shortfall: None,
        })
    }

    /// The warning's message; every other warning fails the test but those in `besides`.
    #[track_caller]
    fn message(&self, code: &str, besides: &[&str]) -> Option<String> {
        let (found, others): (Vec<_>, Vec<_>) =
            self.warnings().into_iter().partition(|warning| warning.code == code);
        let others: Vec<&str> = others.iter().map(|warning| warning.code.as_str()).collect();
        assert_eq!(others, besides);
        found.into_iter().next().map(|warning| warning.message)
    }
}

#[test]
fn a_sound_run_has_no_warning() {
    assert_eq!(Case::default().warnings(), []);
}

#[rstest]
#[case(json!({}), json!({"commission": 0.05, "commission_maker": 0.05}), None)]
#[case(json!({}), json!({"commission": 0.1}), Some("commission is a fraction: 0.1 is 10 % a side"))]
#[case(json!({}), json!({"commission_maker": 0.1}), Some("commission_maker is a fraction: 0.1 is 10 % a side"))]
#[case(json!({"stop_loss": 0.005}), json!({}), Some("stop_loss is in percent: 0.005 is that part of a hundred"))]
#[case(json!({"trailing_stop": 0.005}), json!({}), Some("trailing_stop is in percent: 0.005 is that part of a hundred"))]
#[case(json!({"break_even": 0.005}), json!({}), Some("break_even is in percent: 0.005 is that part of a hundred"))]
#[case(json!({"take_profit": 0.1}), json!({}), Some("take_profit is in percent: 0.1 is that part of a hundred"))]
#[case(json!({"break_even": 0.11, "trailing_stop_atr": 0.005}), json!({}), None)]
fn suspicious_unit(#[case] config: Value, #[case] metadata: Value, #[case] expected: Option<&str>) {
    let body = json!({"entry_rules": when("close", ">", "open"), "config": config});
    let case = Case { metadata, body, ..Case::default() };
    assert_eq!(case.message("suspicious_unit", &[]).as_deref(), expected);
}

#[rstest]
#[case(30, None)]
#[case(29, Some("29 trades: fewer than 30 say little about those to come"))]
#[case(1, Some("1 trade: fewer than 30 say little about those to come"))]
#[case(0, Some("no trade was closed"))]
fn few_trades(#[case] total_trades: u32, #[case] expected: Option<&str>) {
    let metrics = Metrics { total_trades, ..Case::default().metrics };
    // No free number: nothing is fitted.
    let body = json!({"entry_rules": when("close", ">", "open")});
    let case = Case { metrics, body, ..Case::default() };
    assert_eq!(case.message("few_trades", &[]).as_deref(), expected);
}

#[rstest]
// Two periods, three, a stop beside them; ten trades each are enough.
#[case(json!({"entry_rules": when("sma(3)", ">", "sma(7)")}), 2)]
#[case(json!({"entry_rules": when("sma(3)", ">", "sma(7)"), "exit_rules": when("sma(7)", ">", "sma(3)")}), 2)]
#[case(json!({"entry_rules": when("rsi(14)", "<", 30), "exit_rules": when("rsi(14)", ">", 70)}), 3)]
#[case(json!({"entry_rules": when("macd(12, 26, 9).macd", "crosses_above", "macd(12, 26, 9).signal")}), 3)]
#[case(json!({"entry_rules": when("close", ">", "donchian(20).upper[1]"), "exit_rules": when("close", "<", "close[5]"),
    "config": {"stop_loss": 5, "take_profit": 10}}), 4)]
#[case(json!({"entry_rules": when("close / sma(50)", ">", "1.05"), "exit_rules": when("close - open", "<", 0)}), 2)]
fn few_trades_per_parameter(#[case] body: Value, #[case] numbers: u32) {
    let with = |total_trades| {
        let metrics = Metrics { total_trades, ..Case::default().metrics };
        let case = Case { metrics, body: body.clone(), ..Case::default() };
        let few: &[&str] = if total_trades < 30 { &["few_trades"] } else { &[] };
        case.message("few_trades_per_parameter", few)
    };
    assert_eq!(with(10 * numbers), None);
    let expected = format!(
        "{} trades for {numbers} free numbers in the rules: fewer than 10 for each invite overfitting",
        10 * numbers - 1
    );
    assert_eq!(with(10 * numbers - 1), Some(expected));
    assert_eq!(with(0), None);
}

#[rstest]
// 30 trades of 10 after fees: the profit before fees is 300 and the fees.
#[case("10", "9.99", None)]
#[case("10", "10", None)]
#[case("10", "10.01", Some("fees of 300.3 are 50.0 % of the profit before them, 600.3"))]
#[case("-1", "10", Some("fees of 300 are 111.1 % of the profit before them, 270"))]
// A loss before fees is no matter of costs.
#[case("-11", "10", None)]
fn high_costs(#[case] pnl: &str, #[case] fee: &str, #[case] expected: Option<&str>) {
    let trades = (1..=30).map(|number| trade(number, pnl, fee)).collect();
    let total_pnl = Decimal::from(30) * pnl.parse::<Decimal>().unwrap();
    let metrics = Metrics { total_pnl, ..Case::default().metrics };
    let case = Case { trades, metrics, ..Case::default() };
    assert_eq!(case.message("high_costs", &[]).as_deref(), expected);
}

#[rstest]
#[case(&["100", "60", "40"], None)]
#[case(&["60", "100.01", "40"], Some("trade 2 made 50.0 % of the profit of all 3 trades; the others together 100"))]
#[case(&["500", "-200", "-200"], Some("trade 1 made 500.0 % of the profit of all 3 trades; the others together -400"))]
#[case(&["100", "-200", "40"], None)]
#[case(&["100"], None)]
fn one_trade(#[case] pnls: &[&str], #[case] expected: Option<&str>) {
    let trades: Vec<Trade> =
        pnls.iter().zip(1..).map(|(pnl, number)| trade(number, pnl, "0")).collect();
    let total_pnl = trades.iter().filter_map(|trade| trade.pnl).sum();
    let metrics = Metrics { total_pnl, ..Case::default().metrics };
    let case = Case { trades, metrics, ..Case::default() };
    assert_eq!(case.message("one_trade", &[]).as_deref(), expected);
}

#[rstest]
// The others made 90; the last one was closed by the end of the data, or is marked at the last close.
#[case("90", None)]
#[case("90.01", Some("90.01 of the total pnl of 180.01"))]
#[case("-30", None)]
#[case("-30.01", Some("-30.01 of the total pnl of 59.99"))]
#[case("-200", Some("-200 of the total pnl of -110"))]
fn open_trade(
    #[case] pnl: &str,
    #[case] expected: Option<&str>,
    #[values(true, false)] left: bool,
) {
    let mut trades: Vec<Trade> = (1..=3).map(|number| trade(number, "30", "0")).collect();
    let mut last = trade(4, pnl, "0");
    match &mut last.exit {
        Some(exit) if !left => exit.reason = "end_of_data".into(),
        _ => (last.exit, last.pnl) = (None, None),
    }
    trades.push(last);
    let total_pnl = Decimal::from(90) + pnl.parse::<Decimal>().unwrap();
    let metrics = Metrics { total_pnl, ..Case::default().metrics };
    let case = Case { trades, metrics, ..Case::default() };
    let expected =
        expected.map(|rest| format!("trade 4 was still open at the end and makes {rest}"));
    // One of three trades of 30 makes more than half of 59.99.
    let carried: &[&str] =
        if !left && matches!(pnl, "90.01" | "-30.01") { &["one_trade"] } else { &[] };
    assert_eq!(case.message("open_trade", carried), expected);
}

#[rstest]
#[case(Some(0.01), None)]
#[case(Some(0.0099), Some("only 0.99 % of the candles were spent in the market"))]
fn low_exposure(#[case] exposure: Option<f64>, #[case] expected: Option<&str>) {
    let metrics = Metrics { exposure, ..Case::default().metrics };
    let case = Case { metrics, ..Case::default() };
    assert_eq!(case.message("low_exposure", &[]).as_deref(), expected);
}

#[test]
fn ambiguous_fills() {
    let mut case = Case::default();
    assert_eq!(case.message("ambiguous_fills", &[]), None);
    case.trades[3].is_ambiguous = true;
    let message = case.message("ambiguous_fills", &[]).unwrap();
    assert!(message.starts_with("1 of 30 trades ended on a candle"), "{message}");
}

#[rstest]
#[case(0.05, None)]
#[case(
    0.0501,
    Some("the mean daily return cannot be told from zero: t = 3.00, p = 0.050 (two-sided)")
)]
fn insignificant_returns(#[case] p: f64, #[case] expected: Option<&str>) {
    let metrics = Metrics { p_value: Some(p), ..Case::default().metrics };
    let case = Case { metrics, ..Case::default() };
    assert_eq!(case.message("insignificant_returns", &[]).as_deref(), expected);
}

#[rstest]
#[case(95.0, 3.0, None)]
#[case(
    94.9,
    3.0,
    Some(
        "5.1 % of histories without any edge, drawn from the run's own days, did as well or better"
    )
)]
// Whoever lost needs no luck.
#[case(20.0, -3.0, None)]
fn maybe_luck(#[case] percentile: f64, #[case] t: f64, #[case] expected: Option<&str>) {
    let metrics = Metrics {
        luck_percentile: Some(percentile),
        t_statistic: Some(t),
        ..Case::default().metrics
    };
    let case = Case { metrics, ..Case::default() };
    assert_eq!(case.message("maybe_luck", &[]).as_deref(), expected);
}

#[rstest]
// Of the eight candles after the first two: none passes, one of ten is a tenth, two of ten are more.
#[case(0, 1, None)]
#[case(0, 2, Some("2 of the range's 10 candles (20.0 %) pass before rules are evaluated"))]
#[case(2, 2, None)]
fn long_warmup(
    #[case] range_start: usize,
    #[case] first_evaluated: usize,
    #[case] expected: Option<&str>,
) {
    let metadata = json!({"warmup": "in_range"});
    let case = Case { range_start, first_evaluated, metadata, ..Case::default() };
    assert_eq!(case.message("long_warmup", &[]).as_deref(), expected);
}

#[rstest]
// Daily and every day of the week, from Thursday 1970-01-01 on: one candle is missing, or none.
#[case(Timeframe::OneDay, &[0, 1, 2, 3, 4, 5, 6, 7], None)]
#[case(Timeframe::OneDay, &[0, 1, 2, 3, 5, 6, 7, 8], Some("1 gap in 8 candles; the longest is from 1970-01-04T00:00:00Z to 1970-01-06T00:00:00Z"))]
#[case(Timeframe::OneDay, &[0, 2, 3, 6, 7, 8, 9, 10], Some("2 gaps in 8 candles; the longest is from 1970-01-04T00:00:00Z to 1970-01-07T00:00:00Z"))]
// Working days alone: a weekend is no gap, nor are five weekdays, which may be holidays; six are.
#[case(Timeframe::OneDay, &[0, 1, 4, 5, 6, 7, 8, 11], None)]
#[case(Timeframe::OneDay, &[0, 1, 4, 5, 6, 11, 12, 13], None)]
#[case(Timeframe::OneDay, &[0, 1, 4, 5, 13, 14, 15, 18], None)]
#[case(Timeframe::OneDay, &[0, 1, 4, 6, 15, 18, 19, 20], Some("1 gap in 8 candles; the longest is from 1970-01-07T00:00:00Z to 1970-01-16T00:00:00Z; 1 weekday without candles is a possible holiday"))]
// Hours of every second day only.
#[case(Timeframe::OneHour, &[0, 2, 4, 6, 8], Some("4 gaps in 5 candles; the longest is from 1970-01-01T00:00:00Z to 1970-01-03T00:00:00Z"))]
fn data_gaps(#[case] timeframe: Timeframe, #[case] days: &[i64], #[case] expected: Option<&str>) {
    let open_time = days.iter().map(|day| day * DAY_MS).collect();
    let case = Case { open_time, timeframe, ..Case::default() };
    assert_eq!(case.message("data_gaps", &[]).as_deref(), expected);
}

#[rstest]
#[case(Timeframe::OneDay, &[0, 1, 2, 3, 4, 5, 6], None)]
#[case(Timeframe::OneDay, &[0, 1, 2, 3, 4, 5], Some("6 days"))]
#[case(Timeframe::OneDay, &[0], Some("24 hours"))]
#[case(Timeframe::OneMinute, &[0], Some("1 minute"))]
fn range_too_short(
    #[case] timeframe: Timeframe,
    #[case] days: &[i64],
    #[case] covered: Option<&str>,
) {
    let open_time = days.iter().map(|day| day * DAY_MS).collect();
    let case =
        Case { open_time, timeframe, metadata: json!({"warmup": "in_range"}), ..Case::default() };
    let expected = covered.map(|covered| {
        format!("the range covers {covered}: cagr, annual_return and calmar_ratio are undefined below 7 days")
    });
    let found = case.warnings().into_iter().find(|warning| warning.code == "range_too_short");
    assert_eq!(found.map(|warning| warning.message), expected);
}

/// Codes of a built-in's run over eight years of Bitcoin, which has every day.
fn codes_of(code_ref: &str, metadata: Value) -> Vec<String> {
    let outcome =
        simulate(&json!({"code_ref": code_ref}), &candles_of("BTCUSDT_1d"), &settings(metadata));
    outcome.unwrap().warnings.into_iter().map(|warning| warning.code).collect()
}

#[test]
fn runs_of_the_engine_carry_their_warnings() {
    // Eight trades for two periods; the sixth made 32,958.04 of 62,392.60 (backtesting.py, trades.csv), and p is 0.032 (scipy).
    let crosses = ["short_warmup", "few_trades", "few_trades_per_parameter", "one_trade"];
    assert_eq!(codes_of("golden_cross", json!({})), crosses);
    let held = codes_of("buy_and_hold", json!({}));
    assert_eq!(held, ["short_warmup", "few_trades", "open_trade"]);
}

#[test]
fn the_codes_are_documented_and_no_others_are() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/simulation.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (_, table) = page.split_once("| warning | ").unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let documented: Vec<&str> = rows.map(|row| row.split('`').nth(1).unwrap()).collect();
    assert_eq!(documented, CODES);
    assert_eq!(documented.iter().collect::<BTreeSet<_>>().len(), CODES.len());
}
