//! Windows, the best combinations in them, and the out-of-sample runs.

use rstest::rstest;
use serde_json::json;

use super::*;
use crate::simulation::{self, Input};

#[rstest]
// 70 ÷ (70 + 3 × 30) of 1,600 candles are 700; then three times 300.
#[case::rolling(Mode::Rolling, [(0, 700, 1_000), (300, 1_000, 1_300), (600, 1_300, 1_600)])]
#[case::anchored(Mode::Anchored, [(0, 700, 1_000), (0, 1_000, 1_300), (0, 1_300, 1_600)])]
fn windows_cover_the_end_of_the_range_without_a_gap(
    #[case] mode: Mode,
    #[case] expected: [(usize, usize, usize); 3],
) {
    let walk = WalkForward { mode, windows: 3, in_sample_percentage: 70 };
    let windows = walk.windows(1_600).unwrap();
    let found: Vec<_> =
        windows.iter().map(|(inside, outside)| (inside.start, inside.end, outside.end)).collect();
    assert_eq!(found, expected);
    assert!(windows.iter().all(|(inside, outside)| inside.end == outside.start));
}

#[rstest]
#[case(0, 50, 100)]
#[case(5, 100, 100)]
#[case(5, 0, 100)]
#[case(60, 50, 50)]
fn windows_without_candles_are_refused(
    #[case] windows: u32,
    #[case] in_sample_percentage: u32,
    #[case] len: usize,
) {
    let walk = WalkForward { mode: Mode::Rolling, windows, in_sample_percentage };
    assert_eq!(walk.windows(len), Err(TooFewCandles { candles: len, windows }));
}

#[rstest]
#[case(Mode::Rolling)]
#[case(Mode::Anchored)]
fn the_best_in_sample_is_run_out_of_sample_and_the_runs_are_stitched(#[case] mode: Mode) {
    let (definition, candles) = (definition(&json!({"code_ref": "golden_cross"})), days());
    let settings = Settings::default();
    let combinations: Vec<Parameters> = [(5.0, 20.0), (10.0, 40.0), (20.0, 60.0)]
        .iter()
        .map(|(short, long)| parameters(&[("short_window", *short), ("long_window", *long)]))
        .collect();
    let strategy = ParametricStrategy::try_new(&definition, &Parameters::new()).unwrap();
    let prepared = PreparedSweep::try_new(strategy, combinations.clone(), "grid").unwrap();
    let objective = objective("sharpe_ratio");
    let input = input(&candles, 100, &settings, &objective.metric);
    let walk = WalkForward { mode, windows: 4, in_sample_percentage: 60 };
    let cancel = CancelToken::default();
    let one = walk.run(&prepared, &input, &objective, 1, &cancel).unwrap().unwrap();
    let many = walk.run(&prepared, &input, &objective, 3, &cancel).unwrap().unwrap();
    assert_eq!(one, many);

    let run = |from: usize, to: usize, pair: &Parameters, balance: Decimal| {
        let strategy = definition.bind(pair).unwrap();
        // All combinations need fewer than 256 candles before a window, where there are so many.
        let warmup = from.min(256);
        let cut = candles.rows(from - warmup..to);
        let input = Input {
            strategy: &strategy,
            candles: &cut,
            range_start: warmup,
            fine: None,
            initial_balance: balance,
            lot: input.lot,
            timeframe: input.timeframe,
            market_kind: None,
            settings: &settings,
        };
        simulation::run(&input, &mut ()).unwrap()
    };
    let splits = walk.windows(candles.len() - 100).unwrap();
    let (mut balance, mut trades) = (input.initial_balance, 0);
    for ((inside, outside), window) in splits.iter().zip(&one.windows) {
        let (from, middle, to) = (inside.start + 100, inside.end + 100, outside.end + 100);
        let sharpes: Vec<f64> = combinations
            .iter()
            .map(|pair| {
                run(from, middle, pair, input.initial_balance).metrics.sharpe_ratio.unwrap()
            })
            .collect();
        let best = sharpes.iter().copied().fold(f64::MIN, f64::max);
        let index = sharpes.iter().position(|sharpe| *sharpe == best).unwrap();
        assert_eq!(window.best, Some(u32::try_from(index + 1).unwrap()));
        assert_eq!(window.parameters.as_ref(), Some(&combinations[index]));
        let figures = window.in_sample_figures.as_ref().unwrap();
        assert_eq!(figures.metrics.sharpe_ratio, Some(best));
        let alone = run(middle, to, &combinations[index], input.initial_balance);
        let figures = window.out_of_sample_figures.as_ref().unwrap();
        assert_eq!(figures.final_balance, alone.final_balance);
        assert_eq!(figures.metrics.sharpe_ratio, alone.metrics.sharpe_ratio);
        assert_eq!(window.out_of_sample.start_time.timestamp_millis(), candles.open_time[middle]);
        assert_eq!(window.out_of_sample.end_time.timestamp_millis(), candles.open_time[to - 1]);
        let behind = run(middle, to, &combinations[index], balance);
        trades += behind.trades.len();
        balance = behind.final_balance;
    }
    let stitched = one.stitched.unwrap();
    assert_eq!(stitched.final_balance, balance);
    assert_eq!(usize::try_from(stitched.trades_count).unwrap(), trades);
    let gained = balance - input.initial_balance;
    assert_eq!(stitched.metrics.total_pnl, gained.normalize());
    assert!(stitched.metrics.max_drawdown_percentage.unwrap() > 0.0);
}
