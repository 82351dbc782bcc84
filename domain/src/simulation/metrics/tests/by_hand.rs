//! Metrics of small curves and a few trades, worked by hand.

use proptest::prelude::*;
use rstest::rstest;

use super::*;

/// Measures hourly candles.
fn hourly(equity: &[f64], close: &[f64], trades: &[Trade]) -> Metrics {
    let open_time = openings(Timeframe::OneHour, equity.len());
    calculate(&Run { close, trades, ..untraded(Timeframe::OneHour, &open_time, equity) })
}

#[test]
fn a_run_without_trades_has_no_trade_metrics_and_no_risk() {
    let metrics = hourly(&[100.0; 72], &[5.0; 72], &[]);
    assert_eq!(metrics.total_return, Some(0.0));
    assert_eq!(metrics.volatility, Some(0.0));
    assert_eq!(metrics.exposure, Some(0.0));
    assert_eq!(metrics.turnover, Some(0.0));
    let undefined = [
        metrics.sharpe_ratio,
        metrics.sortino_ratio,
        metrics.calmar_ratio,
        metrics.win_rate,
        metrics.profit_factor,
        metrics.best_trade,
        metrics.sqn,
        metrics.kelly,
        metrics.beta,
        metrics.alpha,
        metrics.value_at_risk,
        metrics.omega,
        metrics.tail_ratio,
    ];
    assert_eq!(undefined, [None; 13]);
    assert_eq!(serde_json::to_value(&metrics).unwrap().get("sharpe_ratio"), None);
}

#[test]
fn no_candle_and_one_candle_are_measured() {
    let nothing = Metrics { total_pnl_percentage: Some(0.0), ..Metrics::default() };
    assert_eq!(hourly(&[], &[], &[]), nothing);
    let metrics = hourly(&[100.0], &[5.0], &[]);
    assert_eq!(metrics.max_drawdown, Some(0.0));
    assert_eq!((metrics.cagr, metrics.annual_return), (None, None));
}

#[test]
fn returns_are_those_of_the_last_equity_of_each_day() {
    // 100, 110, 99 at the ends of three days: returns of 0.1 and -0.1.
    let mut equity = vec![50.0; 72];
    (equity[23], equity[47], equity[71]) = (100.0, 110.0, 99.0);
    let metrics = hourly(&equity, &vec![5.0; 72], &[]);
    // Thursday to Saturday: one of three days is a weekend, more than 0.6 * 2/7. The first day's return is 0.
    let expected = (0.02_f64 / 2.0).sqrt() * 365.0_f64.sqrt();
    assert!((metrics.volatility.unwrap() - expected).abs() < 1e-12);
    assert_eq!(metrics.omega.map(|omega| (omega - 1.0).abs() < 1e-12), Some(true));
}

#[test]
fn a_total_loss_ends_the_returns() {
    let mut equity = vec![100.0; 24];
    equity.extend([0.0; 144]);
    let metrics = hourly(&equity, &vec![5.0; 168], &[]);
    assert_eq!((metrics.annual_return, metrics.cagr), (Some(-1.0), Some(-1.0)));
    assert_eq!((metrics.max_drawdown, metrics.max_drawdown_percentage), (Some(100.0), Some(1.0)));
    assert_eq!(metrics.beta, None);
    // Two returns, 0 on the first day and -1 on the second: mean -1/2, deviation √½.
    let expected = -0.5 / 0.5_f64.sqrt() * 365.0_f64.sqrt();
    assert!((metrics.sharpe_ratio.unwrap() - expected).abs() < 1e-12);
}

#[test]
fn money_profit_factor_fees_turnover_and_an_open_trade_add_up() {
    let closed = |pnl: f64, from: i64, to: i64| Trade {
        exit: Some(fill(to * 3_600_000, Side::Sell, 10.0, 3.0, 0.25)),
        pnl: Some(decimal(pnl)),
        ..opened(1, Direction::Long, fill(from * 3_600_000, Side::Buy, 10.0, 2.0, 0.5))
    };
    let mut open = closed(0.0, 8, 9);
    (open.exit, open.pnl) = (None, None);
    let trades = [closed(6.0, 1, 3), closed(-4.0, 3, 4), closed(0.0, 6, 6), open];
    let mut equity = vec![100.0; 10];
    equity[9] = 103.0;
    let metrics = hourly(&equity, &[5.0; 10], &trades);
    assert_eq!((metrics.total_trades, metrics.winning_trades, metrics.losing_trades), (3, 1, 1));
    assert_eq!(metrics.profit_factor, Some(1.5));
    assert_eq!(metrics.total_fees.to_string(), "2.75");
    assert_eq!(metrics.total_pnl.to_string(), "3");
    assert_eq!(metrics.total_pnl_percentage, Some(0.03));
    // Four entries of 20 and three exits of 30 over a mean equity of 100.3.
    assert!((metrics.turnover.unwrap() - 170.0 / 100.3).abs() < 1e-12);
    // Candles 1 to 4, 6, 8 and 9.
    assert_eq!(metrics.exposure, Some(0.7));
    assert_eq!(metrics.average_holding_seconds, Some(3_600.0));
    assert_eq!(metrics.max_holding_seconds, Some(7_200.0));
    let summary = generate_performance_summary(&metrics);
    assert_eq!((summary.total_pnl_percentage, summary.win_rate), (Some(3.0), metrics.win_rate));
}

#[test]
fn a_drawdown_knows_its_peak_its_bottom_and_its_recovery() {
    let curve: Vec<EquityPoint> = [100.0, 120.0, 90.0, 110.0, 120.0, 130.0, 117.0]
        .iter()
        .zip(0..)
        .map(|(equity, day)| EquityPoint { time: day * DAY, equity: *equity })
        .collect();
    let (max, percentage, periods) = calculate_drawdown(&curve);
    assert_eq!((max, percentage), (30.0, 0.25));
    let period = |start: i64, bottom: i64, recovery: Option<i64>, depth: f64| DrawdownPeriod {
        start: start * DAY,
        bottom: bottom * DAY,
        recovery: recovery.map(|day| day * DAY),
        depth,
    };
    assert_eq!(periods, [period(1, 2, Some(4), 0.25), period(5, 6, None, 0.1)]);
    assert_eq!(calculate_drawdown(&[]), (0.0, 0.0, Vec::new()));
}

#[test]
fn only_the_deepest_drawdowns_are_kept_in_order_of_time() {
    // Falls of 1, 2, 3, … from a peak that is 10,000 each time.
    let falls = (1..9_000).flat_map(|fall| [10_000.0, 10_000.0 - f64::from(fall)]);
    let curve: Vec<EquityPoint> =
        falls.zip(0..).map(|(equity, time)| EquityPoint { time, equity }).collect();
    let (max, _, periods) = calculate_drawdown(&curve);
    assert_eq!((max, periods.len()), (8_999.0, DRAWDOWN_PERIODS_MAX));
    assert!(periods.iter().all(|period| period.depth >= 0.89));
    assert!(periods.is_sorted_by_key(|period| period.start));
}

#[test]
fn logarithms_by_series_agree_with_logarithms() {
    for step in -2_000..2_000_i32 {
        let before = 57_321.25;
        let now = before * (1.0 + f64::from(step) / 10_007.0);
        let ours = benchmark::log_ratios(&[before; 4], &[now; 4]).unwrap()[3];
        let expected = libm::log1p((now - before) / before);
        assert!((ours - expected).abs() <= 1e-15 * (1.0 + expected.abs()), "{step}");
    }
}

/// Measures daily candles.
fn daily(equity: &[f64], preset: Preset) -> Metrics {
    let open_time = openings(Timeframe::OneDay, equity.len());
    calculate(&Run { preset, ..untraded(Timeframe::OneDay, &open_time, equity) })
}

#[test]
fn a_loss_on_the_first_day_is_a_return() {
    let mut equity = [50.0; 10];
    let metrics = daily(&equity, Preset::Backtrail);
    let close_to = |ours: Option<f64>, expected: f64| {
        assert!((ours.unwrap() - expected).abs() < 1e-12, "{ours:?}, not {expected}");
    };
    // r = -0.5 and nine zeros: mean -0.05, squares 0.45² + 9 × 0.05² = 0.225 over 9.
    let deviation = 0.025_f64.sqrt();
    close_to(metrics.volatility, deviation * 365.0_f64.sqrt());
    close_to(metrics.sharpe_ratio, -0.05 / deviation * 365.0_f64.sqrt());
    close_to(metrics.sortino_ratio, -0.05 * 365.0 / ((0.25_f64 / 10.0).sqrt() * 365.0_f64.sqrt()));
    close_to(metrics.annual_return, 0.5_f64.powf(36.5) - 1.0);
    close_to(metrics.t_statistic, -0.05 / (deviation / 10.0_f64.sqrt()));
    // Of the day's drawdown of a half, once.
    close_to(metrics.ulcer_index, (10.0 * 0.25_f64 / 9.0).sqrt());
    // backtesting.py has no return of the first day.
    equity[9] = 50.0;
    let preset = daily(&equity, Preset::BacktestingPy);
    assert_eq!((preset.volatility, preset.sharpe_ratio), (Some(0.0), None));
    assert_eq!(preset.max_drawdown_percentage, Some(0.5));
}

proptest! {
    /// Days of hours, some of them missing, to any equity.
    #[test]
    fn daily_returns_compound_to_the_total_return(
        steps in proptest::collection::vec((0.5..2.0_f64, 1..40_i64), 1..300),
        initial in 1..1_000_000_000_i64,
    ) {
        let initial_balance = Decimal::new(initial, 2);
        let (mut value, mut time) = (real(initial_balance), 0);
        let rows: Vec<(i64, f64)> = steps.iter().map(|(factor, hours)| {
            value = (value * factor).clamp(1e-3, 1e12);
            time += hours * 3_600_000;
            (time, value)
        }).collect();
        let open_time: Vec<i64> = rows.iter().map(|row| row.0).collect();
        let equity: Vec<f64> = rows.iter().map(|row| row.1).collect();
        let run = Run { initial_balance, ..untraded(Timeframe::OneHour, &open_time, &equity) };
        let daily = returns::Daily::of(&run, &Days::of(&open_time));
        let product: f64 = daily.returns.iter().map(|r| 1.0 + r).product();
        let expected = equity.last().unwrap() / real(initial_balance);
        prop_assert!((product - expected).abs() <= 1e-12 * expected, "{} is not {}", product, expected);
    }
}

#[rstest]
#[case(Timeframe::OneMinute, 10, false)]
#[case(Timeframe::OneHour, 20, false)]
#[case(Timeframe::OneHour, 167, false)]
#[case(Timeframe::OneHour, 168, true)]
#[case(Timeframe::OneDay, 6, false)]
#[case(Timeframe::OneDay, 7, true)]
fn annual_figures_are_undefined_below_seven_days(
    #[case] timeframe: Timeframe,
    #[case] len: usize,
    #[case] is_defined: bool,
) {
    let open_time = openings(timeframe, len);
    let mut equity = vec![100.0; len];
    (equity[1], *equity.last_mut().unwrap()) = (90.0, 110.0);
    let metrics = calculate(&untraded(timeframe, &open_time, &equity));
    let annual = [metrics.cagr, metrics.annual_return, metrics.calmar_ratio];
    assert_eq!(annual.map(|figure| figure.is_some()), [is_defined; 3], "{annual:?}");
    assert!((metrics.total_return.unwrap() - 0.1).abs() < 1e-15);
}

#[test]
fn winners_and_losers_are_averaged_and_counted_in_a_row() {
    let closed = |number: u32, part_of: Option<u32>, pnl: i64, exit: i64| Trade {
        exit: Some(fill(exit * 3_600_000, Side::Sell, 10.0, 2.0, 0.0)),
        pnl: Some(Decimal::from(pnl)),
        part_of,
        ..opened(number, Direction::Long, fill(0, Side::Buy, 10.0, 2.0, 0.0))
    };
    // By exit: 6, 2 (a part of 1, before 1 itself), 1, then 0, -2, -4, and 3 at last.
    let trades = [
        closed(1, None, 1, 5),
        closed(2, Some(1), 2, 5),
        closed(3, None, 6, 4),
        closed(4, None, 3, 9),
        closed(5, None, 0, 6),
        closed(6, None, -2, 7),
        closed(7, None, -4, 8),
    ];
    let mut equity = vec![100.0; 10];
    (equity[3], equity[6], equity[9]) = (95.0, 94.0, 106.0);
    let metrics = hourly(&equity, &[5.0; 10], &trades);
    assert_eq!((metrics.average_win, metrics.average_loss), (Some(3.0), Some(-3.0)));
    assert_eq!(metrics.payoff_ratio, Some(1.0));
    assert_eq!(
        (metrics.longest_winning_streak, metrics.longest_losing_streak),
        (Some(3.0), Some(2.0))
    );
    // 6 of pnl over a fall of 6; from the second hour's peak to the fourth, and from the fifth's to the seventh.
    assert_eq!(metrics.recovery_factor, Some(1.0));
    assert_eq!(metrics.longest_drawdown_seconds, Some(7_200.0));
    equity[9] = 99.0;
    let unrecovered = hourly(&equity, &[5.0; 10], &trades[2..3]);
    assert_eq!((unrecovered.average_loss, unrecovered.payoff_ratio), (None, None));
    assert_eq!(unrecovered.longest_losing_streak, Some(0.0));
    assert_eq!(hourly(&equity, &[5.0; 10], &[]).longest_winning_streak, None);
    // The last peak is the hour before the last one.
    assert_eq!(unrecovered.longest_drawdown_seconds, Some(7_200.0));
}

#[test]
fn what_is_hashed_is_a_closed_list() {
    let names: Vec<&str> = Metrics::all_names().collect();
    assert!(HASHED.iter().all(|name| names.contains(name)));
    let counts = ["total_trades", "winning_trades", "losing_trades"];
    let judgements = ["t_statistic", "p_value", "luck_percentile"];
    let rest: Vec<&str> = names.into_iter().filter(|name| !HASHED.contains(name)).collect();
    assert_eq!(rest, [&counts[..], &judgements].concat());
    assert_eq!(
        (HASHED[0], HASHED[35], HASHED[42]),
        ("sharpe_ratio", "omega", "longest_drawdown_seconds")
    );
}
