//! When orders fill and at what price: each row of the table of docs/simulation.md, by hand.

use rstest::rstest;

use super::*;

/// Enters where the volume is 1 (3 for a separate short), exits where it is 2.
#[expect(clippy::needless_pass_by_value, reason = "a literal at each call")]
pub(super) fn body(config: Value) -> Value {
    json!({"entry_rules": when("volume", "==", 1), "exit_rules": when("volume", "==", 2), "config": config})
}

pub(super) fn free(mut metadata: Value) -> Settings {
    metadata["commission"] = json!(0);
    settings(metadata)
}

/// Day, side, price and reason of every fill.
pub(super) fn fills(outcome: &Outcome) -> Vec<(i64, Side, String, &str)> {
    let fills = outcome.trades.iter().flat_map(|trade| [Some(&trade.entry), trade.exit.as_ref()]);
    let shown = |fill: &'_ Fill| (fill.time / DAY_MS, fill.side, fill.price.to_string());
    fills
        .flatten()
        .map(|fill| {
            let (day, side, price) = shown(fill);
            (day, side, price, fill.reason.as_str())
        })
        .collect()
}

pub(super) fn fill<'a>(
    day: i64,
    side: Side,
    price: &str,
    reason: &'a str,
) -> (i64, Side, String, &'a str) {
    (day, side, price.to_owned(), reason)
}

pub(super) const IN: &str = "volume == 1";
pub(super) const OUT: &str = "volume == 2";

/// In by the signal of day 1, so at day 2's open of 100; then the given candle and a quiet one.
pub(super) fn day_after_entry(candle: [f64; 4]) -> Candles {
    let [open, high, low, close] = candle;
    candles([
        [100.0, 101.0, 99.0, 100.0, 0.0],
        [100.0, 101.0, 99.0, 100.0, 1.0],
        [100.0, 101.0, 99.0, 100.0, 0.0],
        [open, high, low, close, 0.0],
        [100.0, 101.0, 99.0, 100.0, 0.0],
    ])
}

#[rstest]
#[case::next_open("next_open", 2, "101", 4, "108")]
#[case::close("close", 1, "100.5", 3, "107")]
fn market_orders_fill_at_the_next_open_or_at_the_signals_close(
    #[case] mode: &str,
    #[case] entry_day: i64,
    #[case] entry_price: &str,
    #[case] exit_day: i64,
    #[case] exit_price: &str,
) {
    let candles = candles([
        [100.0, 101.0, 99.0, 100.0, 0.0],
        [100.0, 101.0, 99.0, 100.5, 1.0],
        [101.0, 104.0, 100.0, 103.0, 1.0],
        [103.0, 109.0, 102.0, 107.0, 2.0],
        [108.0, 110.0, 107.0, 109.0, 0.0],
    ]);
    let outcome = simulate(&body(json!({})), &candles, &free(json!({"fill": mode}))).unwrap();
    let expected =
        [fill(entry_day, Side::Buy, entry_price, IN), fill(exit_day, Side::Sell, exit_price, OUT)];
    assert_eq!(fills(&outcome), expected);
    assert_eq!(outcome.equity[..2], [10_000.0, 10_000.0]);
}

#[rstest]
#[case::touched([100.0, 101.0, 94.0, 96.0], "95", "stop_loss")]
#[case::gap_below([90.0, 92.0, 88.0, 91.0], "90", "stop_loss")]
#[case::target([100.0, 111.0, 99.0, 105.0], "110", "take_profit")]
#[case::gap_above([115.0, 118.0, 112.0, 116.0], "115", "take_profit")]
#[case::both([100.0, 112.0, 94.0, 105.0], "95", "stop_loss")]
fn a_long_is_left_at_its_stop_or_target_or_at_the_gap(
    #[case] candle: [f64; 4],
    #[case] price: &str,
    #[case] reason: &str,
) {
    let body = body(json!({"stop_loss": 5, "take_profit": 10}));
    for mode in ["next_open", "close"] {
        let settings = free(json!({"fill": mode}));
        let outcome = simulate(&body, &day_after_entry(candle), &settings).unwrap();
        assert_eq!(fills(&outcome)[1], fill(3, Side::Sell, price, reason), "{mode}");
    }
}

#[rstest]
#[case::stop([100.0, 106.0, 99.0, 104.0], "105", "stop_loss")]
#[case::gap_above([107.0, 109.0, 106.0, 108.0], "107", "stop_loss")]
#[case::target([100.0, 101.0, 89.0, 92.0], "90", "take_profit")]
#[case::gap_below([85.0, 88.0, 84.0, 86.0], "85", "take_profit")]
#[case::both([100.0, 112.0, 88.0, 100.0], "105", "stop_loss")]
fn a_short_is_left_the_other_way_round(
    #[case] candle: [f64; 4],
    #[case] price: &str,
    #[case] reason: &str,
) {
    let body = body(json!({"stop_loss": 5, "take_profit": 10, "direction": "short"}));
    let outcome = simulate(&body, &day_after_entry(candle), &free(json!({}))).unwrap();
    let expected = [fill(2, Side::Sell, "100", IN), fill(3, Side::Buy, price, reason)];
    assert_eq!(fills(&outcome), expected);
}

#[test]
fn the_setting_decides_which_of_both_comes_first_and_the_trade_is_counted() {
    let body = body(json!({"stop_loss": 5, "take_profit": 10}));
    let candles = day_after_entry([100.0, 112.0, 94.0, 105.0]);
    for (intrabar, price) in [("stop_first", "95"), ("target_first", "110")] {
        let outcome = simulate(&body, &candles, &free(json!({"intrabar": intrabar}))).unwrap();
        assert_eq!(fills(&outcome)[1].2, price);
        assert!(outcome.trades[0].is_ambiguous && outcome.ambiguous_trades_count == 1);
    }
    // An open below the stop leaves nothing to decide.
    let gap = day_after_entry([90.0, 112.0, 88.0, 105.0]);
    let outcome = simulate(&body, &gap, &free(json!({"intrabar": "target_first"}))).unwrap();
    assert_eq!((fills(&outcome)[1].2.as_str(), outcome.ambiguous_trades_count), ("90", 0));
}

#[test]
fn stops_already_count_on_the_entry_candle() {
    let candles = candles([
        [100.0, 101.0, 99.0, 100.0, 0.0],
        [100.0, 101.0, 99.0, 100.0, 1.0],
        [102.0, 103.0, 96.0, 98.0, 0.0],
        [98.0, 99.0, 97.0, 98.0, 0.0],
    ]);
    // 5 % below the fill at 102, not below the signal's close of 100.
    let outcome = simulate(&body(json!({"stop_loss": 5})), &candles, &free(json!({}))).unwrap();
    assert_eq!(fills(&outcome)[1], fill(2, Side::Sell, "96.9", "stop_loss"));
    let preset = free(json!({"preset": "backtesting_py"}));
    let outcome = simulate(&body(json!({"stop_loss": 5})), &candles, &preset).unwrap();
    assert_eq!(fills(&outcome)[1], fill(3, Side::Sell, "98", "end_of_data"));
}

#[test]
fn slippage_is_paid_on_stops_and_not_on_targets() {
    let costs = free(json!({"slippage_bps": 100, "spread_bps": 100}));
    let body = body(json!({"stop_loss": 50, "take_profit": 10}));
    let up = simulate(&body, &day_after_entry([110.0, 120.0, 100.0, 110.0]), &costs).unwrap();
    assert_eq!(fills(&up)[0].2, "102");
    assert_eq!(fills(&up)[1], fill(3, Side::Sell, "112.2", "take_profit"));
    let down = simulate(&body, &day_after_entry([100.0, 100.0, 50.0, 60.0]), &costs).unwrap();
    assert_eq!(fills(&down)[1], fill(3, Side::Sell, "49.98", "stop_loss"));
}

#[test]
fn a_pending_exit_goes_before_the_stop_at_the_open() {
    let mut candles = day_after_entry([96.0, 97.0, 90.0, 92.0]);
    candles.volume[2] = 2.0;
    let outcome = simulate(&body(json!({"stop_loss": 5})), &candles, &free(json!({}))).unwrap();
    assert_eq!(fills(&outcome)[1], fill(3, Side::Sell, "96", OUT));
}

#[rstest]
#[case::close("close", "next_open", 5, "102.5")]
#[case::open("open", "next_open", 5, "102")]
#[case::open_after_close("open", "close", 4, "101")]
fn an_open_trade_is_closed_at_the_end(
    #[case] finalize: &str,
    #[case] mode: &str,
    #[case] day: i64,
    #[case] price: &str,
) {
    let candles = candles([
        [100.0, 101.0, 99.0, 100.0, 0.0],
        [100.0, 101.0, 99.0, 100.0, 1.0],
        [100.0, 101.0, 99.0, 100.0, 0.0],
        [100.0, 101.0, 99.0, 100.0, 0.0],
        [100.0, 101.0, 99.0, 101.0, 0.0],
        [102.0, 103.0, 101.0, 102.5, 2.0],
    ]);
    // At the last open it is closed by the preset alone.
    let preset = if finalize == "open" { "backtesting_py" } else { "backtrail" };
    let settings = free(json!({"finalize": finalize, "fill": mode, "preset": preset}));
    let outcome = simulate(&body(json!({})), &candles, &settings).unwrap();
    assert_eq!(fills(&outcome)[1], fill(day, Side::Sell, price, "end_of_data"));
    let left =
        simulate(&body(json!({})), &candles, &free(json!({"finalize": "leave_open"}))).unwrap();
    assert!(left.trades[0].exit.is_none() && left.trades[0].pnl.is_none());
    assert_eq!(left.final_balance, Decimal::from(10_250));
}

#[test]
fn both_directions_flip_at_one_open_by_default() {
    let candles = candles([
        [100.0, 101.0, 99.0, 100.0, 0.0],
        [100.0, 101.0, 99.0, 100.0, 1.0],
        [100.0, 101.0, 99.0, 100.0, 1.0],
        [110.0, 111.0, 109.0, 110.0, 2.0],
        [110.0, 111.0, 109.0, 110.0, 2.0],
        [100.0, 101.0, 99.0, 100.0, 1.0],
        [100.0, 101.0, 99.0, 100.0, 0.0],
    ]);
    let outcome =
        simulate(&body(json!({"direction": "both"})), &candles, &free(json!({}))).unwrap();
    let expected = [
        fill(2, Side::Buy, "100", IN),
        fill(4, Side::Sell, "110", OUT),
        fill(4, Side::Sell, "110", OUT),
        fill(6, Side::Buy, "100", IN),
        fill(6, Side::Buy, "100", IN),
        fill(6, Side::Sell, "100", "end_of_data"),
    ];
    assert_eq!(fills(&outcome), expected);
    // 10,000 made 11,000, which sold 100 units short at 110.
    assert_eq!(outcome.trades[1].entry.quantity, Decimal::from(100));
    assert_eq!(outcome.final_balance, Decimal::from(12_000));
}

#[test]
fn an_opposite_entry_alone_does_not_flip_and_the_long_is_asked_first() {
    let candles = candles([
        [100.0, 101.0, 99.0, 100.0, 0.0],
        [100.0, 101.0, 99.0, 100.0, 5.0],
        [100.0, 101.0, 99.0, 100.0, 3.0],
        [100.0, 101.0, 99.0, 100.0, 2.0],
        [100.0, 101.0, 99.0, 100.0, 3.0],
        [100.0, 101.0, 99.0, 100.0, 0.0],
    ]);
    let body = json!({
        "entry_rules": when("volume", "==", 5), "exit_rules": when("volume", "==", 2),
        "short_entry_rules": when("volume", ">=", 3), "short_exit_rules": when("volume", "==", 4),
        "config": {"direction": "both"},
    });
    let outcome = simulate(&body, &candles, &free(json!({}))).unwrap();
    let expected = [
        fill(2, Side::Buy, "100", "volume == 5"),
        fill(4, Side::Sell, "100", "volume == 2"),
        fill(5, Side::Sell, "100", "volume >= 3"),
        fill(5, Side::Buy, "100", "end_of_data"),
    ];
    assert_eq!(fills(&outcome), expected);
}

#[test]
fn a_reason_names_the_comparisons_that_made_the_rule_true() {
    let candles = day_after_entry([100.0, 101.0, 99.0, 100.0]);
    let comparison = |left: &str, comparator: &str, right: f64| json!({"indicator": left, "comparator": comparator, "value": right});
    let body = json!({"entry_rules": {"operator": "and", "conditions": [
        comparison("close", ">", 1.0),
        {"operator": "or", "conditions": [
            comparison("volume", ">", 7.0), comparison("volume", "==", 1.0), comparison("high", ">", 50.0)]}]}});
    let outcome = simulate(&body, &candles, &free(json!({}))).unwrap();
    assert_eq!(fills(&outcome)[0].3, "close > 1 and volume == 1 and high > 50");
}

#[test]
fn what_is_undefined_never_holds() {
    let candles = day_after_entry([100.0, 101.0, 99.0, 100.0]);
    for comparator in ["!=", "==", "<", ">="] {
        // 1 ÷ 0 on every candle but one.
        let body = json!({"entry_rules": when("close / volume", comparator, 100)});
        let outcome = simulate(&body, &candles, &free(json!({}))).unwrap();
        let expected = usize::from(comparator == "==" || comparator == ">=");
        assert_eq!(outcome.trades.len(), expected, "{comparator}");
    }
}

#[test]
fn candles_before_the_range_warm_up_and_are_not_traded() {
    let candles = candles_of("GOOG_1d");
    let body = json!({"entry_rules": when("close", ">", "sma(20)"), "exit_rules": when("close", "<", "sma(20)")});
    let (strategy, settings) = (strategy(&body), Settings::default());
    let run_from = |range_start| {
        run(&Input { range_start, ..input(&strategy, &candles, &settings) }, &mut ()).unwrap()
    };
    let warm = run_from(100);
    assert_eq!((warm.first_evaluated, warm.equity.len()), (100, candles.len() - 100));
    assert!(warm.trades[0].entry.time > candles.open_time[100]);
    assert!(warm.warnings.iter().all(|warning| warning.code != "short_warmup"));
    let short = run_from(5);
    assert_eq!(short.first_evaluated, 20);
    assert_eq!(short.warnings[0].code, "short_warmup");
    assert!(
        short.warnings[0].message.contains("2004-09-17T00:00:00Z"),
        "{}",
        short.warnings[0].message
    );
}

#[test]
fn a_range_without_a_candle_to_evaluate_is_an_error() {
    let candles = day_after_entry([100.0, 101.0, 99.0, 100.0]);
    let body = json!({"entry_rules": when("close", ">", "sma(5)")});
    let error = simulate(&body, &candles, &Settings::default()).unwrap_err();
    assert_eq!(error, SimulationError::NothingToEvaluate { needed: 6, available: 5 });
    let (strategy, settings) = (strategy(&body), Settings::default());
    let input = Input { range_start: 5, ..input(&strategy, &candles, &settings) };
    assert_eq!(run(&input, &mut ()).unwrap_err(), SimulationError::NoCandles);
}

/// Counts what it sees and stops after so many steps.
struct Watch {
    steps: usize,
    stop_after: usize,
    opened: usize,
    closed: usize,
    done: Vec<usize>,
}

impl Observer for Watch {
    fn observe(&mut self, step: Step<'_>) -> ControlFlow<()> {
        match step {
            Step::Opened(trade) => self.opened += usize::from(trade.exit.is_none()),
            Step::Closed(trade) => self.closed += usize::from(trade.exit.is_some()),
            Step::Reduced { part, .. } => assert!(part.exit.is_some()),
            Step::Progress { done, total, equity } => {
                assert!(done <= total && equity > 0.0);
                self.done.push(done);
            }
        }
        self.steps += 1;
        if self.steps < self.stop_after {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }
}

#[test]
fn the_observer_sees_every_trade_and_progress_and_can_stop_the_run() {
    let march = candles_of("BTCUSDT_1d");
    let candles: Candles = (0..30_000).filter_map(|index| march.get(index % march.len())).collect();
    let body = json!({"entry_rules": when("sma(10)", "crosses_above", "sma(30)"), "exit_rules": when("sma(10)", "crosses_below", "sma(30)")});
    let (strategy, settings) = (strategy(&body), Settings::default());
    let input = input(&strategy, &candles, &settings);
    let mut watch =
        Watch { steps: 0, stop_after: usize::MAX, opened: 0, closed: 0, done: Vec::new() };
    let outcome = run(&input, &mut watch).unwrap();
    assert_eq!((watch.opened, watch.closed), (outcome.trades.len(), outcome.trades.len()));
    assert!(watch.done.is_sorted() && watch.done.last() == Some(&30_000));
    assert!(watch.done.windows(2).all(|pair| pair[1] - pair[0] <= 8_192), "{:?}", watch.done);
    for stop_after in [1, 4, watch.steps / 2, watch.steps] {
        let mut watch = Watch { steps: 0, stop_after, opened: 0, closed: 0, done: Vec::new() };
        assert_eq!(run(&input, &mut watch).unwrap_err(), SimulationError::Stopped);
        assert_eq!(watch.steps, stop_after);
    }
}
