//! Every metric against backtesting.py, empyrical and quantstats over twenty-six of their runs, and at the edges.

use std::{fs::File, io::Read, path::PathBuf};

use flate2::read::GzDecoder;
use rstest::rstest;
use serde_json::Value;

use super::*;
use crate::simulation::{
    equity::EquityPoint,
    fill_reason::FillReason,
    trade::{Barriers, Direction, Fill, FillPlace, Moment, Side},
};

mod by_hand;

const DAY: i64 = 86_400_000;

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
        reason: FillReason::default(),
    }
}

fn trade(row: &TradeRow) -> Trade {
    let (enter, leave) = match row.side {
        Direction::Long => (Side::Buy, Side::Sell),
        Direction::Short => (Side::Sell, Side::Buy),
    };
    Trade {
        exit: Some(fill(row.exit_time_ms, leave, row.exit_price, row.size, 0.0)),
        pnl: Some(decimal(row.pnl)),
        ..opened(
            row.n,
            row.side,
            fill(row.entry_time_ms, enter, row.entry_price, row.size, row.commission),
        )
    }
}

/// An entry; metrics do not ask where in the candles it was.
fn opened(number: u32, direction: Direction, entry: Fill) -> Trade {
    let place = FillPlace { candle: 0, moment: Moment::Open };
    Trade::opened(number, direction, entry, place, Barriers::default())
}

/// Openings from Thursday 1970-01-01 on.
fn openings(timeframe: Timeframe, count: usize) -> Vec<i64> {
    (0..).map(|candle| candle * timeframe.duration_ms()).take(count).collect()
}

/// A run from 100 on without trades, on a market whose closes are its equity.
fn untraded<'a>(timeframe: Timeframe, open_time: &'a [i64], equity: &'a [f64]) -> Run<'a> {
    Run {
        funding: Decimal::ZERO,
        open_time,
        close: equity,
        equity,
        trades: &[],
        places_from: None,
        initial_balance: Decimal::from(100),
        final_balance: equity.last().copied().map_or(Decimal::ZERO, decimal),
        timeframe,
        hold_from: 0,
        preset: Preset::Backtrail,
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
            places_from: None,
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
    let all = ours.longest_drawdown_seconds;
    assert_same("longest_drawdown_seconds", all, &theirs["Max. Drawdown Duration"], 1.0);
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
        let open_time = openings(Timeframe::OneDay, equity.len());
        luck_percentile(&untraded(Timeframe::OneDay, &open_time, equity), 0)
    };
    let zigzag: Vec<f64> = (0..11).map(|day| 100.0 + f64::from(day % 3)).collect();
    assert!(days(&zigzag).is_some());
    assert!(days(&zigzag[..10]).is_some());
    assert_eq!(days(&zigzag[..9]), None);
    assert_eq!(days(&[100.0; 50]), None);
}
