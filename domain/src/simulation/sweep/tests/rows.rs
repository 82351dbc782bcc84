//! Every row has the numbers of a full backtest, whichever thread computes it.

use std::sync::atomic::Ordering;

use rstest::rstest;
use serde_json::json;

use super::*;
use crate::simulation::{
    self, Input,
    metrics::{Metrics, is_in_rows},
};

fn cross(config: &Value) -> Value {
    let rule = |comparator: &str| {
        json!({"operator": "and", "conditions": [
            {"indicator": "ema($short)", "comparator": comparator, "value": "sma($long)"},
            {"indicator": "rsi(14)", "comparator": "between", "value": [5, 95]}]})
    };
    json!({
        "entry_rules": rule("crosses_above"), "exit_rules": rule("crosses_below"),
        "config": config, "default_parameters": {"short": 10, "long": 30},
    })
}

fn pairs() -> Vec<Parameters> {
    let spec = grid(
        axes(&[("short", &[2.0, 5.0, 21.0, 40.0]), ("long", &[10.0, 30.0, 90.0])]),
        &["short < long"],
    );
    let definition = definition(&cross(&json!({})));
    let strategy = ParametricStrategy::try_new(&definition, &Parameters::new()).unwrap();
    combinations(&spec, &strategy, 100).unwrap()
}

#[rstest]
#[case::long(json!({}), json!({}), "sharpe_ratio")]
#[case::short(json!({"direction": "short", "position_sizing": "percent_of_equity", "size": 10}), json!({"slippage_bps": 5}), "beta")]
#[case::both(json!({"direction": "both", "position_sizing": "percent_of_equity", "size": 40}), json!({}), "turnover")]
#[case::stops(json!({"stop_loss": 3, "take_profit": 4}), json!({"fill": "close"}), "omega")]
#[case::left_open(json!({}), json!({"finalize": "leave_open", "intrabar": "target_first"}), "alpha")]
#[case::every_candle(json!({"trailing_stop": 6, "max_candles": 40}), json!({"leverage": 2}), "turnover")]
#[case::as_there(json!({"stop_loss": 5}), json!({"preset": "backtesting_py"}), "p_value")]
fn a_row_has_the_numbers_of_a_full_backtest(
    #[case] config: Value,
    #[case] metadata: Value,
    #[case] objective: &str,
) {
    let (definition, candles) = (definition(&cross(&config)), days());
    let settings = settings(&metadata);
    let strategy = ParametricStrategy::try_new(&definition, &Parameters::new()).unwrap();
    let prepared = PreparedSweep::try_new(strategy, pairs(), "grid").unwrap();
    let range_start = settings.warmup.rows(90, 91);
    let input = input(&candles, range_start, &settings, objective);
    let rows = prepared.run(&input, 3, &CancelToken::default()).unwrap();
    assert_eq!(rows.len(), 9);
    for row in &rows {
        let strategy = definition.bind(&row.parameters).unwrap();
        let input = Input {
            strategy: &strategy,
            candles: &candles,
            range_start,
            fine: None,
            initial_balance: input.initial_balance,
            lot: input.lot,
            timeframe: input.timeframe,
            market_kind: None,
            settings: &settings,
        };
        let full = simulation::run(&input, &mut ()).unwrap();
        let figures = row.result.figures().unwrap();
        assert_eq!(figures.final_balance, full.final_balance);
        assert_eq!(usize::try_from(figures.trades_count).unwrap(), full.trades.len());
        assert_eq!(figures.ambiguous_trades_count, full.ambiguous_trades_count);
        assert!(figures.trades_count > 0, "{:?}", row.parameters);
        for name in Metrics::all_names() {
            let (found, expected) = (figures.metrics.get(name), full.metrics.get(name));
            if is_in_rows(name, objective) {
                assert_eq!(found.map(f64::to_bits), expected.map(f64::to_bits), "{name}");
            } else {
                assert_eq!(found, None, "{name} in rows ranked by {objective}");
            }
        }
        assert!(row.objective(&super::objective(objective)).is_some());
    }
}

fn golden_crosses(threads: usize) -> Vec<Row> {
    let (definition, candles) = (definition(&json!({"code_ref": "golden_cross"})), days());
    let spec = grid(
        axes(&[
            ("long_window", &[20.0, 60.0, 100.0, 200.0, 3_100.0]),
            ("short_window", &[5.0, 10.0, 50.0]),
        ]),
        &["short_window < long_window"],
    );
    let strategy = ParametricStrategy::try_new(&definition, &Parameters::new()).unwrap();
    let combinations = combinations(&spec, &strategy, 100).unwrap();
    let prepared = PreparedSweep::try_new(strategy, combinations, "grid").unwrap();
    let settings = Settings::default();
    let input = input(&candles, 0, &settings, "sharpe_ratio");
    prepared.run(&input, threads, &CancelToken::default()).unwrap()
}

#[test]
fn one_thread_and_many_give_the_same_bytes_for_ever() {
    let one = golden_crosses(1);
    for threads in [2, 7] {
        assert_eq!(golden_crosses(threads), one, "{threads} threads");
    }
    let numbers: Vec<u32> = one.iter().map(|row| row.number).collect();
    assert_eq!(numbers, (1..=14).collect::<Vec<_>>());
    assert_eq!(simulation::ENGINE_VERSION, "2");
    let hash = rows_hash(&one).unwrap().to_string();
    assert_eq!(hash, "3ba39bbaaac07b15a5bf2d7e5961d2b4fade4ffb21fda4c38a97530b307bcd2a");
}

#[test]
fn a_row_that_cannot_be_evaluated_says_why_and_is_ranked_last() {
    let rows = golden_crosses(2);
    let last = rows.last().unwrap();
    let RowResult::Error(error) = &last.result else { panic!("{last:?}") };
    assert_eq!(error.code, "not_enough_candles");
    let ranking = ranking(&rows, &objective("sharpe_ratio"));
    let values: Vec<Option<f64>> =
        ranking.iter().map(|index| rows[*index].objective(&objective("sharpe_ratio"))).collect();
    let defined: Vec<f64> = values.iter().flatten().copied().collect();
    assert_eq!(defined.len(), 11);
    assert!(defined.windows(2).all(|pair| pair[0] >= pair[1]), "{defined:?}");
    assert!(values[11..].iter().all(Option::is_none));
    let smallest = super::ranking(&rows, &objective("max_drawdown"))[0];
    let drawdown = |row: &Row| row.objective(&objective("max_drawdown"));
    assert!(rows.iter().filter_map(drawdown).all(|other| Some(other) >= drawdown(&rows[smallest])));
}

#[test]
fn a_cancelled_sweep_has_no_rows() {
    let (definition, candles) = (definition(&cross(&json!({}))), days());
    let strategy = ParametricStrategy::try_new(&definition, &Parameters::new()).unwrap();
    let prepared = PreparedSweep::try_new(strategy, pairs(), "grid").unwrap();
    let (settings, cancel) = (Settings::default(), CancelToken::default());
    cancel.is_cancelled.store(true, Ordering::Relaxed);
    let cancelled = prepared.run(&input(&candles, 0, &settings, "sqn"), 2, &cancel);
    assert_eq!(cancelled, Err(Cancelled));
    assert_eq!(cancel.done.load(Ordering::Relaxed), 0);
}

#[test]
fn combinations_that_the_strategy_does_not_take_are_named() {
    let definition = definition(&json!({"code_ref": "golden_cross"}));
    let strategy = ParametricStrategy::try_new(&definition, &Parameters::new()).unwrap();
    let wrong = vec![
        parameters(&[("short_window", 10.0)]),
        parameters(&[("short_window", 300.0)]),
        parameters(&[("short_window", 0.5)]),
    ];
    let errors = PreparedSweep::try_new(strategy, wrong, "grid").unwrap_err();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].message.contains("short_window = 300"), "{errors:?}");
    assert_eq!(errors[1].field, "grid.short_window");
}

#[test]
fn a_heat_map_shows_the_best_row_of_each_cell() {
    let rows = golden_crosses(2);
    let objective = objective("total_return");
    let map = heat_map::HeatMap::new(&rows, "short_window", "long_window", &objective);
    let numbers = |all: &[Number]| all.iter().map(|number| number.get()).collect::<Vec<_>>();
    assert_eq!(numbers(&map.x), [5.0, 10.0, 50.0]);
    assert_eq!(numbers(&map.y), [20.0, 60.0, 100.0, 200.0, 3_100.0]);
    assert_eq!(map.cells[0][2], None, "50 is not below 20");
    let cell = map.cells[3][2].unwrap();
    assert_eq!((cell.number, cell.rows_count), (11, 1));
    assert_eq!(cell.value, rows[10].objective(&objective));
    // Over one parameter alone each cell holds several rows.
    let map = heat_map::HeatMap::new(&rows, "short_window", "short_window", &objective);
    let cell = map.cells[0][0].unwrap();
    let best = rows.iter().filter(|row| row.parameters["short_window"] == number(5.0));
    let best = best.filter_map(|row| row.objective(&objective)).fold(f64::MIN, f64::max);
    assert_eq!((cell.rows_count, cell.value), (5, Some(best)));
}
