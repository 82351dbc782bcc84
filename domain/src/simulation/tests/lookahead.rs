//! Nothing sees a later candle: cut off anywhere, a run is the beginning of the whole run.

use rstest::rstest;

use super::*;

/// Every fill before `end` but the one that the end itself makes.
fn fills_before(outcome: &Outcome, end: i64) -> Vec<&Fill> {
    let fills = outcome.trades.iter().flat_map(|trade| [Some(&trade.entry), trade.exit.as_ref()]);
    let is_before = |fill: &&Fill| fill.time < end && fill.reason != "end_of_data";
    fills.flatten().filter(is_before).collect()
}

pub(super) fn first_candles(candles: &Candles, count: usize) -> Candles {
    (0..count).filter_map(|index| candles.get(index)).collect()
}

#[rstest]
fn a_run_cut_off_at_any_candle_is_the_beginning_of_the_whole_run(
    #[values("next_open", "close")] fill: &str,
    #[values("long", "short", "both")] direction: &str,
    #[values("stop_first", "target_first")] intrabar: &str,
    #[values("BTCUSDT_1d", "GOOG_1d")] market: &str,
    #[values("close", "leave_open")] finalize: &str,
) {
    let candles = first_candles(&candles_of(market), 160);
    let rule = |comparator: &str| {
        json!({"operator": "or", "conditions": [
            {"indicator": "sma(3)", "comparator": comparator, "value": "sma(8)[1]"},
            {"operator": "and", "conditions": [
                {"indicator": "rsi(5)", "comparator": if comparator == ">" { "<" } else { ">" }, "value": 40},
                {"indicator": "close / close[2]", "comparator": comparator, "value": "max(ema(4), 1) / ema(6)"}]}]})
    };
    let body = json!({"entry_rules": rule(">"), "exit_rules": rule("<"),
        "config": {"direction": direction, "stop_loss": 1, "take_profit": 1.5}});
    let settings = settings(
        json!({"fill": fill, "intrabar": intrabar, "finalize": finalize, "slippage_bps": 3, "spread_bps": 1}),
    );
    let strategy = strategy(&body);
    let simulate = |candles: &Candles| run(&input(&strategy, candles, &settings), &mut ()).unwrap();
    let whole = simulate(&candles);
    assert!(whole.trades.len() > 20, "{}", whole.trades.len());
    assert!(whole.ambiguous_trades_count > 0);
    for end in whole.first_evaluated..candles.len() {
        let part = simulate(&first_candles(&candles, end + 1));
        let time = candles.open_time[end];
        assert_eq!(fills_before(&part, time), fills_before(&whole, time), "until {end}");
        assert_eq!(part.equity[..end], whole.equity[..end], "until {end}");
    }
}
