//! Every row of a sweep is the same single backtest, to the last digit, and so is every window of a walk-forward.

use std::sync::Arc;

use chrono::DateTime;
use domain::{
    ids::{StrategyId, SweepId, UserId},
    market::{Candle, Timeframe},
    number::Number,
    run_spec::RunSpec,
    simulation::{
        Candles, Settings,
        metrics::{Metrics, is_key},
        settings::Warmup,
        sweep::{
            Axis, CancelToken, Figures, Mode, Objective, Row, RowResult, Search, Spec, WalkForward,
        },
    },
    strategy::{StrategyDefinition, parameters::Parameters},
    sweep::SweepRequest,
};
use proptest::{prelude::*, sample::subsequence};
use rust_decimal::Decimal;
use serde_json::json;

use super::{SweepOutcome, SweepRun};
use crate::{
    prepared_run::{Execution, PreparedRun, RunError},
    sweep::promoted,
};

const CANDLES: usize = 1_300;

/// A walk of hours, by a generator that needs no crate.
fn hours(seed: u64) -> Arc<Candles> {
    let mut state = seed;
    let mut random = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(state >> 33).unwrap()) / f64::from(1_u32 << 31) - 0.5
    };
    let mut close = 100.0_f64;
    let candles = (0..CANDLES).map(|index| {
        let open = close;
        close *= 1.0 + 0.04 * random();
        Candle {
            open_time: 1_577_836_800_000 + i64::try_from(index).unwrap() * 3_600_000,
            open,
            high: open.max(close) * (1.0 + 0.01 * random().abs()),
            low: open.min(close) * (1.0 - 0.01 * random().abs()),
            close,
            volume: 10.0,
        }
    });
    Arc::new(candles.collect())
}

fn definition(config: &serde_json::Value) -> StrategyDefinition {
    let rule = |comparator: &str| {
        json!({"operator": "and", "conditions": [
            {"indicator": "ema($fast)", "comparator": comparator, "value": "ema($slow)[1]"},
            {"indicator": "rsi($fast)", "comparator": "between", "value": [2, 98]}]})
    };
    let body = json!({"entry_rules": rule(">"), "exit_rules": rule("<"), "config": config,
        "default_parameters": {"fast": 5, "slow": 20}});
    StrategyDefinition::parse(body.as_object().unwrap()).unwrap()
}

fn values(numbers: &[u32]) -> Axis {
    let number = |value: &u32| Number::try_new(f64::from(*value)).unwrap();
    Axis::Values(numbers.iter().map(number).collect())
}

/// The sweep of a drawn case, and the settings that vary.
fn request(
    series: &Candles,
    range: (usize, usize),
    axes: (&[u32], &[u32]),
    (warmup, config): (Warmup, usize),
    walk_forward: Option<WalkForward>,
) -> SweepRequest {
    let configs = [
        json!({}),
        json!({"stop_loss": 2, "take_profit": 3}),
        json!({"direction": "both", "trailing_stop": 4, "position_sizing": "percent_of_equity", "size": 30}),
    ];
    let time = |index: usize| DateTime::from_timestamp_millis(series.open_time[index]).unwrap();
    let axes = [("fast", axes.0), ("slow", axes.1)];
    let axes = axes.into_iter().map(|(name, numbers)| (name.to_owned(), values(numbers)));
    SweepRequest {
        run: RunSpec {
            owner_id: UserId::default(),
            strategy_id: StrategyId::default(),
            strategy_version: 1,
            strategy_name: "cross".to_owned(),
            definition: definition(&configs[config]),
            symbol: "BTCUSDT".parse().unwrap(),
            asset_symbol: "BTC".to_owned(),
            timeframe: Timeframe::OneHour,
            start_time: time(range.0),
            end_time: time(range.1),
            initial_balance: Decimal::from(10_000),
            parameters: Parameters::new(),
            settings: Settings { warmup, lot: Some(Decimal::new(1, 8)), ..Settings::default() },
        },
        spec: Spec {
            search: Search::Grid { axes: axes.collect() },
            constraints: Vec::new(),
            objective: Objective::default(),
            walk_forward,
        },
        combinations_count: 0,
    }
}

/// The single backtest, by the path of executors and the command line.
fn single(run: RunSpec, series: &Arc<Candles>, pinned: Option<u64>) -> Result<Execution, RunError> {
    PreparedRun::try_new(run, Decimal::new(1, 8), series, pinned)?.execute_unrecorded(&mut ())
}

fn same(figures: &Figures, single: &Execution) -> Result<(), TestCaseError> {
    let outcome = &single.outcome;
    prop_assert_eq!(figures.final_balance, outcome.final_balance);
    prop_assert_eq!(usize::try_from(figures.trades_count).unwrap(), outcome.trades.len());
    prop_assert_eq!(figures.ambiguous_trades_count, outcome.ambiguous_trades_count);
    for name in Metrics::all_names().filter(|name| is_key(name)) {
        let [row, single] = [&figures.metrics, &outcome.metrics].map(|metrics| metrics.get(name));
        prop_assert_eq!(row.map(f64::to_bits), single.map(f64::to_bits), "{}", name);
    }
    Ok(())
}

/// The row against the single backtest with its parameters, and against the backtest that it is promoted to.
fn check_row(
    row: &Row,
    request: &SweepRequest,
    series: &Arc<Candles>,
    dataset: &domain::dataset::Dataset,
) -> Result<(), TestCaseError> {
    let found =
        single(RunSpec { parameters: row.parameters.clone(), ..request.run.clone() }, series, None);
    let pin = domain::backtest::SweepRow {
        sweep_id: SweepId::default(),
        number: row.number,
        revision: 0,
        warmup_rows: dataset.warmup_rows,
    };
    let promoted = promoted(request.clone(), pin).unwrap();
    let again = single(promoted.run, series, promoted.sweep_row.map(|row| row.warmup_rows));
    match (&row.result, found, again) {
        (RowResult::Figures(figures), Ok(found), Ok(again)) => {
            same(figures, &found)?;
            prop_assert_eq!(found.result_hash, again.result_hash);
        }
        (RowResult::Error(error), Err(found), Err(_)) => {
            prop_assert_eq!(found.code(), Some(error.code.as_str()));
        }
        (row, found, _) => {
            prop_assert!(false, "{:?} and {:?}", row, found.map(|it| it.outcome.final_balance))
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_row_equals_its_single_backtest(
        seed in any::<u64>(),
        start in prop_oneof![Just(0_usize), 1..40_usize, 200..300_usize, 500..1_000_usize],
        len in 60..300_usize,
        fast in subsequence(vec![2_u32, 5, 9, 14], 1..=2),
        slow in subsequence(vec![20_u32, 100, 254, 255, 256, 257, 300, 509, 512, 700], 1..=5),
        warmup in prop_oneof![4 => Just(Warmup::BeforeStart), 1 => Just(Warmup::InRange)],
        config in 0..3_usize,
        threads in 1..=3_usize,
    ) {
        let series = hours(seed);
        let end = (start + len).min(CANDLES - 1);
        let request = request(&series, (start, end), (&fast, &slow), (warmup, config), None);
        let sweep = SweepRun::prepare(request.clone(), &series, 0, None).unwrap();
        let dataset = sweep.dataset.clone();
        let SweepOutcome { rows, .. } = sweep.compute(threads, &CancelToken::default()).unwrap();
        prop_assert_eq!(rows.len(), fast.len() * slow.len());
        for row in &rows {
            check_row(row, &request, &series, &dataset)?;
        }
        // An attempt that resumes another takes the candles that are pinned.
        let again = SweepRun::prepare(request, &series, 0, Some(dataset.warmup_rows)).unwrap();
        prop_assert_eq!(again.dataset, dataset);
    }

    #[test]
    fn every_window_of_a_walk_forward_equals_its_single_backtests(
        seed in any::<u64>(),
        start in prop_oneof![Just(0_usize), 20..600_usize],
        slow in subsequence(vec![20_u32, 100, 255, 257, 300, 520], 1..=4),
        mode in prop_oneof![Just(Mode::Rolling), Just(Mode::Anchored)],
        config in 0..3_usize,
    ) {
        let series = hours(seed);
        let walk = WalkForward { mode, windows: 3, in_sample_percentage: 60 };
        let axes = (&[3_u32, 8][..], &slow[..]);
        let request =
            request(&series, (start, CANDLES - 1), axes, (Warmup::BeforeStart, config), Some(walk));
        let sweep = SweepRun::prepare(request.clone(), &series, 0, None).unwrap();
        let outcome = sweep.compute(2, &CancelToken::default()).unwrap();
        for window in outcome.completion.walk_forward.unwrap().windows {
            let Some(parameters) = window.parameters else { continue };
            let parts = [
                (window.in_sample, window.in_sample_figures),
                (window.out_of_sample, window.out_of_sample_figures),
            ];
            for (span, figures) in parts {
                let run = RunSpec {
                    parameters: parameters.clone(),
                    start_time: span.start_time,
                    end_time: span.end_time,
                    ..request.run.clone()
                };
                match (figures, single(run, &series, None)) {
                    (Some(figures), Ok(found)) => same(&figures, &found)?,
                    (None, Err(_)) => {}
                    (figures, found) => {
                        prop_assert!(false, "{:?} and {:?}", figures, found.map(|it| it.outcome.final_balance));
                    }
                }
            }
        }
    }
}
