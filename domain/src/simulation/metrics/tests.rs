//! Every metric against backtesting.py, empyrical and quantstats over twenty-six of their runs, and at the edges.

use std::{fs::File, io::Read, path::PathBuf};

use flate2::read::GzDecoder;
use rstest::rstest;
use serde_json::Value;

use super::*;
use crate::simulation::{
    equity::EquityPoint,
    trade::{Direction, Fill, Side},
};

/// What a reference run and its market hold.
struct Reference {
    open_time: Vec<i64>,
    close: Vec<f64>,
    equity: Vec<f64>,
    trades: Vec<Trade>,
    json: Value,
}

fn testdata(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

fn rows<T: serde::de::DeserializeOwned>(reader: impl Read) -> Vec<T> {
    csv::Reader::from_reader(reader).into_deserialize().map(Result::unwrap).collect()
}

#[derive(serde::Deserialize)]
struct TradeRow {
    n: u32,
    side: Direction,
    size: f64,
    entry_time_ms: i64,
    exit_time_ms: i64,
    entry_price: f64,
    exit_price: f64,
    pnl: f64,
    commission: f64,
}

fn decimal(value: f64) -> Decimal {
    Decimal::from_f64_retain(value).unwrap().round_dp(12)
}

fn fill(time: i64, side: Side, price: f64, quantity: f64, fee: f64) -> Fill {
    Fill {
        time,
        side,
        price: decimal(price),
        quantity: decimal(quantity.abs()),
        fee: decimal(fee),
        cash_after: Decimal::ZERO,
        reason: String::new(),
    }
}

fn trade(row: &TradeRow) -> Trade {
    let (enter, leave) = match row.side {
        Direction::Long => (Side::Buy, Side::Sell),
        Direction::Short => (Side::Sell, Side::Buy),
    };
    Trade {
        number: row.n,
        direction: row.side,
        entry: fill(row.entry_time_ms, enter, row.entry_price, row.size, row.commission),
        exit: Some(fill(row.exit_time_ms, leave, row.exit_price, row.size, 0.0)),
        pnl: Some(decimal(row.pnl)),
        funding: Decimal::ZERO,
        part_of: None,
        is_ambiguous: false,
    }
}

fn reference(name: &str) -> Reference {
    let market = name.split('.').next().unwrap();
    let run = |suffix: &str| File::open(testdata(&format!("backtesting_py/{name}.{suffix}")));
    let candles = File::open(testdata(&format!("candles/{market}.csv"))).unwrap();
    let candles = rows::<(i64, f64, f64, f64, f64, f64)>(candles);
    let equity = rows::<(i64, f64, f64)>(GzDecoder::new(run("equity.csv.gz").unwrap()));
    Reference {
        open_time: equity.iter().map(|row| row.0).collect(),
        close: candles.iter().map(|row| row.4).collect(),
        equity: equity.iter().map(|row| row.1).collect(),
        trades: rows::<TradeRow>(run("trades.csv").unwrap()).iter().map(trade).collect(),
        json: serde_json::from_reader(run("metrics.json").unwrap()).unwrap(),
    }
}

impl Reference {
    fn measure(&self) -> Metrics {
        calculate(&self.run())
    }

    fn run(&self) -> Run<'_> {
        let first_next = self.json["first_next_bar"].as_u64().unwrap();
        Run {
            funding: Decimal::ZERO,
            open_time: &self.open_time,
            close: &self.close,
            equity: &self.equity,
            trades: &self.trades,
            initial_balance: decimal(self.json["config"]["cash"].as_f64().unwrap()),
            final_balance: decimal(*self.equity.last().unwrap()),
            timeframe: Timeframe::OneDay,
            hold_from: usize::try_from(first_next).unwrap() - 1,
            preset: Preset::BacktestingPy,
        }
    }
}

#[track_caller]
fn assert_same(name: &str, ours: Option<f64>, expected: &Value, factor: f64) {
    let expected = expected.as_f64().map(|expected| expected * factor);
    let is_same = match (ours, expected) {
        (Some(ours), Some(expected)) => (ours - expected).abs() <= 1e-9 * expected.abs(),
        (ours, expected) => ours == expected,
    };
    assert!(is_same, "{name}: {ours:?}, not {expected:?}");
}

/// A number of days, rounded up as backtesting.py does with daily candles.
fn whole_days(seconds: Option<f64>) -> Option<f64> {
    seconds.map(|seconds| (seconds / 86_400.0).ceil() * 86_400.0)
}

#[rstest]
fn metrics_agree_with_three_libraries(
    #[values("BTCUSDT_1d", "GOOG_1d")] market: &str,
    #[values(
        "sma_cross_50_200",
        "sma_cross_10_30.commission_fixed5_rel10bp",
        "sma_cross_10_30.no_commission",
        "sma_cross_10_30.not_finalized",
        "sma_cross_10_30.size_30pct",
        "sma_cross_10_30.spread_5bp",
        "sma_cross_10_30.trade_on_close",
        "rsi_mr_14_30_70_sl5_tp10",
        "rsi_mr_14_30_70_sl5_tp10.toc",
        "rsi_mr_14_40_60_nosltp",
        "rsi_mr_14_40_60_sl2_tp3",
        "macd_cross_12_26_9",
        "bollinger_breakout_20_2"
    )]
    run: &str,
) {
    let reference = reference(&format!("{market}.{run}"));
    let ours = reference.measure();
    let check = |library: &Value, pairs: &[(&str, &str, f64)]| {
        for (name, theirs, factor) in pairs {
            let index = Metrics::NAMES.iter().position(|known| known == name).unwrap();
            assert_same(
                &format!("{name} ({theirs})"),
                ours.values()[index],
                &library[*theirs],
                *factor,
            );
        }
    };
    check(
        &reference.json["metrics"],
        &[
            ("exposure", "Exposure Time [%]", 0.01),
            ("total_return", "Return [%]", 0.01),
            ("buy_and_hold_return", "Buy & Hold Return [%]", 0.01),
            ("annual_return", "Return (Ann.) [%]", 0.01),
            ("cagr", "CAGR [%]", 0.01),
            ("sharpe_geometric", "Sharpe Ratio", 1.0),
            ("calmar_ratio", "Calmar Ratio", 1.0),
            ("alpha", "Alpha [%]", 0.01),
            ("beta", "Beta", 1.0),
            ("max_drawdown_percentage", "Max. Drawdown [%]", -0.01),
            ("win_rate", "Win Rate [%]", 0.01),
            ("best_trade", "Best Trade [%]", 0.01),
            ("worst_trade", "Worst Trade [%]", 0.01),
            ("average_trade", "Avg. Trade [%]", 0.01),
            ("profit_factor_percent", "Profit Factor", 1.0),
            ("expectancy", "Expectancy [%]", 0.01),
            ("sqn", "SQN", 1.0),
            ("kelly", "Kelly Criterion", 1.0),
        ],
    );
    let theirs = &reference.json["metrics"];
    assert_eq!(Some(f64::from(ours.total_trades)), theirs["# Trades"].as_f64());
    let average = whole_days(ours.average_holding_seconds);
    assert_same("average_holding_seconds", average, &theirs["Avg. Trade Duration"], 1.0);
    assert_same(
        "max_holding_seconds",
        ours.max_holding_seconds,
        &theirs["Max. Trade Duration"],
        1.0,
    );
    if let Some(fees) = theirs.get("Commissions [$]") {
        assert_same("total_fees", Some(real(ours.total_fees)), fees, 1.0);
    }
    drawdowns_agree(&reference, &ours);
    check(
        &reference.json["extra_metrics"]["empyrical"],
        &[
            ("annual_return", "annual_return", 1.0),
            ("volatility", "annual_volatility", 1.0),
            ("sharpe_ratio", "sharpe", 1.0),
            ("sortino_ratio", "sortino", 1.0),
            ("max_drawdown_percentage", "max_drawdown", -1.0),
            ("calmar_ratio", "calmar", 1.0),
            ("omega", "omega", 1.0),
            ("tail_ratio", "tail_ratio", 1.0),
        ],
    );
    check(
        &reference.json["extra_metrics"]["quantstats"],
        &[
            ("annual_return", "cagr", 1.0),
            ("volatility", "volatility", 1.0),
            ("sharpe_ratio", "sharpe", 1.0),
            ("sortino_ratio", "sortino", 1.0),
            ("max_drawdown_percentage", "max_drawdown", -1.0),
            ("calmar_ratio", "calmar", 1.0),
            ("omega", "profit_factor", 1.0),
            ("ulcer_index", "ulcer", 1.0),
            ("value_at_risk", "value_at_risk", 1.0),
            ("conditional_value_at_risk", "cvar", 1.0),
            ("skew", "skew", 1.0),
            ("kurtosis", "kurtosis", 1.0),
        ],
    );
}

/// Depths and lengths of the drawdown periods, by backtesting.py's statistics of them.
fn drawdowns_agree(reference: &Reference, ours: &Metrics) {
    let theirs = &reference.json["metrics"];
    let last = *reference.open_time.last().unwrap();
    let seconds =
        |period: &DrawdownPeriod| (period.recovery.unwrap_or(last) - period.start) as f64 / 1_000.0;
    let periods = &ours.drawdown_periods;
    let longest = periods.iter().map(seconds).reduce(f64::max);
    assert_same("longest drawdown", longest, &theirs["Max. Drawdown Duration"], 1.0);
    // Where some were dropped, the rest has another mean.
    if periods.len() < DRAWDOWN_PERIODS_MAX {
        let mean = |values: &dyn Fn(&DrawdownPeriod) -> f64| {
            Some(periods.iter().map(values).sum::<f64>() / periods.len() as f64)
        };
        let depth = mean(&|period| period.depth);
        assert_same("mean drawdown", depth, &theirs["Avg. Drawdown [%]"], -0.01);
        let length = whole_days(mean(&seconds));
        assert_same("mean length", length, &theirs["Avg. Drawdown Duration"], 1.0);
    }
}

// Of the same equity curves by scipy 1.17.1: `stats.ttest_1samp(r, 0)`; and by numpy 2.4.6: the share of 100,000 histories
// (PCG64, seed 1) of blocks of ⌈n^(1/3)⌉ from r − mean(r), wrapped around, whose sum is below that of r.
#[rstest]
#[case("BTCUSDT_1d.sma_cross_50_200", 2.1495686509802447, 0.031668402960361434, 98.166)]
#[case("BTCUSDT_1d.sma_cross_10_30.no_commission", 3.258686251276819, 0.001131674372989168, 99.719)]
#[case("GOOG_1d.rsi_mr_14_30_70_sl5_tp10", -0.18399603489582256, 0.8540339491618709, 41.636)]
#[case("GOOG_1d.macd_cross_12_26_9", 2.123737660279553, 0.03380618923784543, 98.174)]
#[case("BTCUSDT_1d.rsi_mr_14_40_60_sl2_tp3", -4.54231111208848, 5.781611161200445e-06, 0.055)]
fn chance_is_measured_as_scipy_and_numpy_do(
    #[case] name: &str,
    #[case] t: f64,
    #[case] p: f64,
    #[case] percentile: f64,
) {
    let reference = reference(name);
    let ours = reference.measure();
    assert_same("t_statistic", ours.t_statistic, &t.into(), 1.0);
    assert_same("p_value", ours.p_value, &p.into(), 1.0);
    for seed in 0..10 {
        let luck = luck_percentile(&reference.run(), seed).unwrap();
        assert_eq!(luck_percentile(&reference.run(), seed), Some(luck));
        // Of 1,000 draws, four standard deviations.
        let share = percentile / 100.0;
        let bound = 400.0 * (share * (1.0 - share) / 1_000.0).sqrt() + 0.05;
        assert!((luck - percentile).abs() < bound, "{name}, seed {seed}: {luck}");
    }
}

#[test]
fn another_seed_draws_other_histories() {
    let reference = reference("GOOG_1d.rsi_mr_14_30_70_sl5_tp10");
    let drawn = |seed| luck_percentile(&reference.run(), seed);
    assert!((1..20).any(|seed| drawn(seed) != drawn(0)));
}

// scipy 1.17.1: `2 * stats.t.sf(abs(t), freedom)`.
#[rstest]
#[case(0.0, 5.0, 1.0)]
#[case(1.0, 1.0, 0.5)]
#[case(2.0, 9.0, 0.07655282377070101)]
#[case(0.5, 693.0, 0.6172338015897573)]
#[case(1.96, 693.0, 0.050396138525102156)]
#[case(-5.0, 693.0, 7.2709060040249e-07)]
#[case(12.0, 2.0, 0.00687293367715846)]
#[case(3.0, 100_000.0, 0.0027004608840647234)]
#[case(40.0, 693.0, 3.114220817230158e-182)]
#[case(1e-3, 29.0, 0.9992089629783623)]
fn students_distribution_agrees_with_scipy(
    #[case] t: f64,
    #[case] freedom: f64,
    #[case] expected: f64,
) {
    let ours = significance::two_sided(t, freedom);
    assert!((ours - expected).abs() <= 1e-9 * expected, "{ours}, not {expected}");
}

#[test]
fn luck_needs_ten_returns_that_differ() {
    let days = |equity: &[f64]| -> Option<f64> {
        let open_time: Vec<i64> = (0..).map(|day| day * DAY).take(equity.len()).collect();
        let run = Run {
            funding: Decimal::ZERO,
            open_time: &open_time,
            close: equity,
            equity,
            trades: &[],
            initial_balance: Decimal::from(100),
            final_balance: Decimal::from(100),
            timeframe: Timeframe::OneDay,
            hold_from: 0,
            preset: Preset::Backtrail,
        };
        luck_percentile(&run, 0)
    };
    let zigzag: Vec<f64> = (0..11).map(|day| 100.0 + f64::from(day % 3)).collect();
    assert!(days(&zigzag).is_some());
    assert_eq!(days(&zigzag[..10]), None);
    assert_eq!(days(&[100.0; 50]), None);
}

const DAY: i64 = 86_400_000;

/// Measures hourly candles from Thursday 1970-01-01 on.
fn hourly(equity: &[f64], close: &[f64], trades: &[Trade]) -> Metrics {
    let hours = 0..i64::try_from(equity.len()).unwrap();
    calculate(&Run {
        funding: Decimal::ZERO,
        open_time: &hours.map(|hour| hour * 3_600_000).collect::<Vec<_>>(),
        close,
        equity,
        trades,
        initial_balance: Decimal::from(100),
        final_balance: equity.last().copied().map_or(Decimal::ZERO, decimal),
        timeframe: Timeframe::OneHour,
        hold_from: 0,
        preset: Preset::Backtrail,
    })
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
    // Thursday to Saturday: one of three days is a weekend, more than 0.6 * 2/7.
    let expected = (0.02_f64 / 2.0).sqrt() * std::f64::consts::SQRT_2 * 365.0_f64.sqrt();
    assert!((metrics.volatility.unwrap() - expected).abs() < 1e-12);
    assert_eq!(metrics.omega.map(|omega| (omega - 1.0).abs() < 1e-12), Some(true));
}

#[test]
fn a_total_loss_ends_the_returns() {
    let mut equity = vec![100.0; 24];
    equity.extend([0.0; 72]);
    let metrics = hourly(&equity, &vec![5.0; 96], &[]);
    assert_eq!((metrics.annual_return, metrics.cagr), (Some(-1.0), Some(-1.0)));
    assert_eq!((metrics.max_drawdown, metrics.max_drawdown_percentage), (Some(100.0), Some(1.0)));
    assert_eq!((metrics.beta, metrics.sharpe_ratio), (None, None));
}

#[test]
fn money_profit_factor_fees_turnover_and_an_open_trade_add_up() {
    let closed = |pnl: f64, from: i64, to: i64| Trade {
        number: 1,
        direction: Direction::Long,
        entry: fill(from * 3_600_000, Side::Buy, 10.0, 2.0, 0.5),
        exit: Some(fill(to * 3_600_000, Side::Sell, 10.0, 3.0, 0.25)),
        pnl: Some(decimal(pnl)),
        funding: Decimal::ZERO,
        part_of: None,
        is_ambiguous: false,
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
