//! Every indicator against TA-Lib 0.8.2 and at the edges.

use std::{collections::BTreeMap, fs::File, path::Path, sync::LazyLock};

use flate2::read::GzDecoder;
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::market::Candle;

fn testdata(name: &str) -> File {
    File::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)).unwrap()
}

fn bitcoin() -> Candles {
    let mut reader = csv::Reader::from_reader(testdata("candles/BTCUSDT_1d.csv"));
    let rows = reader.deserialize::<(i64, f64, f64, f64, f64, f64)>();
    rows.map(|row| {
        let (open_time, open, high, low, close, volume) = row.unwrap();
        Candle { open_time, open, high, low, close, volume }
    })
    .collect()
}

/// The columns of the reference: one value per candle, `None` if it is blank.
static REFERENCE: LazyLock<BTreeMap<String, Vec<Option<f64>>>> = LazyLock::new(|| {
    let file = GzDecoder::new(testdata("talib/BTCUSDT_1d.talib.csv.gz"));
    let mut reader = csv::Reader::from_reader(file);
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let mut columns: BTreeMap<String, Vec<Option<f64>>> = BTreeMap::new();
    for row in reader.records() {
        for (name, value) in names.iter().zip(&row.unwrap()) {
            columns.entry(name.clone()).or_default().push(value.parse().ok());
        }
    }
    columns
});

fn arguments(spec: &IndicatorSpec, numbers: &[f64]) -> Arguments {
    let source = spec.parameters.iter().find_map(|parameter| match parameter.kind {
        ParameterKind::Source { default } => Some(default),
        ParameterKind::Integer { .. } | ParameterKind::Number { .. } => None,
    });
    Arguments { numbers: numbers.to_vec(), source: source.unwrap_or(Source::Close) }
}

fn candles(closes: &[f64]) -> Candles {
    let candle = |(index, close): (usize, &f64)| Candle {
        open_time: i64::try_from(index).unwrap() * 60_000,
        open: *close,
        high: *close,
        low: *close,
        close: *close,
        volume: 1.0,
    };
    closes.iter().enumerate().map(candle).collect()
}

#[rstest]
#[case("sma", &[10.0], &["SMA_10"])]
#[case("sma", &[20.0], &["SMA_20"])]
#[case("sma", &[50.0], &["SMA_50"])]
#[case("sma", &[200.0], &["SMA_200"])]
#[case("ema", &[9.0], &["EMA_9"])]
#[case("ema", &[12.0], &["EMA_12"])]
#[case("ema", &[20.0], &["EMA_20"])]
#[case("ema", &[26.0], &["EMA_26"])]
#[case("ema", &[50.0], &["EMA_50"])]
#[case("ema", &[200.0], &["EMA_200"])]
#[case("wma", &[20.0], &["WMA_20"])]
#[case("rsi", &[2.0], &["RSI_2"])]
#[case("rsi", &[7.0], &["RSI_7"])]
#[case("rsi", &[14.0], &["RSI_14"])]
#[case("macd", &[12.0, 26.0, 9.0], &["MACD_12_26_9", "MACDSIGNAL_12_26_9", "MACDHIST_12_26_9"])]
#[case("bbands", &[20.0, 2.0], &["BBU_20_2", "BBM_20_2", "BBL_20_2"])]
#[case("stddev", &[20.0], &["STDDEV_20"])]
#[case("atr", &[14.0], &["ATR_14"])]
#[case("stoch", &[14.0, 3.0, 3.0], &["STOCHK_14_3_3", "STOCHD_14_3_3"])]
#[case("roc", &[10.0], &["ROC_10"])]
#[case("max", &[20.0], &["MAXHIGH_20"])]
#[case("MIN", &[20.0], &["MINLOW_20"])]
#[case("obv", &[], &["OBV"])]
#[case("dema", &[20.0], &["DEMA_20"])]
#[case("tema", &[20.0], &["TEMA_20"])]
#[case("kama", &[10.0], &["KAMA_10"])]
#[case("trix", &[15.0], &["TRIX_15"])]
#[case("cmo", &[14.0], &["CMO_14"])]
#[case("ppo", &[12.0, 26.0], &["PPO_12_26_EMA"])]
#[case("linearreg", &[14.0], &["LINEARREG_14"])]
#[case("mom", &[10.0], &["MOM_10"])]
#[case("trange", &[], &["TRANGE"])]
#[case("natr", &[14.0], &["NATR_14"])]
#[case("plus_di", &[14.0], &["PLUS_DI_14"])]
#[case("minus_di", &[14.0], &["MINUS_DI_14"])]
#[case("dx", &[14.0], &["DX_14"])]
#[case("adx", &[14.0], &["ADX_14"])]
#[case("adxr", &[14.0], &["ADXR_14"])]
#[case("stochrsi", &[14.0, 5.0, 3.0], &["STOCHRSIK_14_5_3", "STOCHRSID_14_5_3"])]
#[case("stoch", &[5.0, 1.0, 3.0], &["STOCHFK_5_3", "STOCHFD_5_3"])]
#[case("cci", &[20.0], &["CCI_20"])]
#[case("willr", &[14.0], &["WILLR_14"])]
#[case("mfi", &[14.0], &["MFI_14"])]
#[case("ultosc", &[7.0, 14.0, 28.0], &["ULTOSC_7_14_28"])]
#[case("aroon", &[14.0], &["AROONUP_14", "AROONDOWN_14"])]
#[case("sar", &[0.02, 0.2], &["SAR_002_02"])]
#[case("ad", &[], &["AD"])]
#[case("adosc", &[3.0, 10.0], &["ADOSC_3_10"])]
fn it_agrees_with_talib(#[case] name: &str, #[case] numbers: &[f64], #[case] columns: &[&str]) {
    let candles = bitcoin();
    let spec = find(name).unwrap();
    let arguments = arguments(spec, numbers);
    let outputs = (spec.compute)(&candles, &arguments);
    assert_eq!(outputs.len(), spec.outputs.len());
    for (output, column) in outputs.iter().zip(columns) {
        let expected = &REFERENCE[*column];
        let first = expected.iter().position(Option::is_some).unwrap();
        assert_eq!((output.first_defined, (spec.first_defined)(&arguments)), (first, first));
        for (index, expected) in expected.iter().enumerate() {
            match (output.get(index), expected) {
                (Some(ours), Some(expected)) => assert!(
                    // A sum that cancels to nothing has no relative error.
                    (ours - expected).abs() <= 1e-9 * expected.abs() + 1e-12,
                    "{column}[{index}] is {ours:?}, not {expected:?}"
                ),
                (ours, expected) => assert_eq!(ours, *expected, "{column}[{index}]"),
            }
        }
    }
}

#[test]
fn names_and_aliases_are_unique_and_parameters_have_allowed_defaults() {
    let names = || ALL.iter().flat_map(|spec| spec.aliases.iter().chain([&spec.name]));
    for name in names() {
        assert_eq!(names().filter(|other| *other == name).count(), 1, "{name}");
        assert_eq!(*name, name.to_ascii_lowercase());
    }
    for spec in ALL {
        assert!(spec.default_output < spec.outputs.len());
        for parameter in spec.parameters {
            match parameter.kind {
                ParameterKind::Integer { minimum, maximum, default } => {
                    assert!((minimum..=maximum).contains(&default));
                }
                ParameterKind::Number { minimum, maximum, default } => {
                    assert!((minimum..=maximum).contains(&default));
                }
                ParameterKind::Source { .. } => {}
            }
        }
    }
}

/// The smallest arguments that a spec allows.
fn smallest(spec: &IndicatorSpec) -> Arguments {
    let minimum = |parameter: &ParameterSpec| match parameter.kind {
        ParameterKind::Integer { minimum, .. } => Some(f64::from(minimum)),
        ParameterKind::Number { minimum, .. } => Some(minimum),
        ParameterKind::Source { .. } => None,
    };
    arguments(spec, &spec.parameters.iter().filter_map(minimum).collect::<Vec<_>>())
}

/// The default arguments, with every period set to `period`.
fn with_period(spec: &IndicatorSpec, period: u32) -> Arguments {
    let number = |parameter: &ParameterSpec| match parameter.kind {
        ParameterKind::Integer { .. } => Some(f64::from(period)),
        ParameterKind::Number { default, .. } => Some(default),
        ParameterKind::Source { .. } => None,
    };
    arguments(spec, &spec.parameters.iter().filter_map(number).collect::<Vec<_>>())
}

#[test]
fn a_series_that_is_too_short_has_no_value() {
    for spec in ALL {
        let arguments = with_period(spec, 11);
        for len in [0, 1, 2, 9, 11, 12, 20, 22, 30, 31, 32] {
            let first = (spec.first_defined)(&arguments).min(len);
            for column in (spec.compute)(&candles(&vec![5.0; len]), &arguments) {
                assert_eq!(
                    (column.first_defined, column.values.len()),
                    (first, len),
                    "{}",
                    spec.name
                );
            }
        }
    }
}

#[test]
fn a_constant_series_gives_quiet_indicators() {
    let flat = candles(&[0.1; 300]);
    let last = |name: &str| {
        let spec = find(name).unwrap();
        (spec.compute)(&flat, &with_period(spec, 14))
            .iter()
            .map(|column| *column.values.last().unwrap())
            .collect::<Vec<_>>()
    };
    for name in ["rsi", "atr", "roc", "cci", "cmo", "dx", "adx", "mfi", "mom", "natr", "willr"] {
        assert_eq!(last(name), [0.0], "{name}");
    }
    assert_eq!(last("stoch"), [0.0, 0.0]);
    assert_eq!(last("obv"), [1.0]);
    for name in ["sma", "ema", "wma", "highest", "lowest"] {
        assert!((last(name)[0] - 0.1).abs() < 1e-15, "{name}");
    }
    assert!(last("stddev")[0] < 1e-15);
    for band in last("bbands") {
        assert!((band - 0.1).abs() < 1e-15);
    }
    for value in last("macd") {
        assert!(value.abs() < 1e-15);
    }
}

/// Short windows after spikes, over standstills, at 1e-8 and at 1e9: `testdata/talib/windows.py`. TA-Lib keeps running
/// sums for its averages, which after a spike of 1e9 are off by half of what is allowed here.
#[test]
fn short_windows_lose_no_digits() {
    let mut reader = csv::Reader::from_reader(GzDecoder::new(testdata("talib/windows.csv.gz")));
    let headers = reader.headers().unwrap().clone();
    let mut series: BTreeMap<String, Vec<csv::StringRecord>> = BTreeMap::new();
    for row in reader.records().map(Result::unwrap) {
        series.entry(row[0].to_owned()).or_default().push(row);
    }
    assert_eq!(series.len(), 4);
    for (name, rows) in &series {
        let values: Vec<f64> = rows.iter().map(|row| row[1].parse().unwrap()).collect();
        let candles = candles(&values);
        let columns = |name: &str, numbers: &[f64]| {
            let spec = find(name).unwrap();
            (spec.compute)(&candles, &arguments(spec, numbers))
        };
        for (place, header) in headers.iter().enumerate().skip(2) {
            let (output, period) = header.split_once('_').unwrap();
            let period: f64 = period.parse().unwrap();
            let ours = match output {
                "sma" => columns("sma", &[period]).remove(0),
                "stddev" => columns("stddev", &[period]).remove(0),
                "upper" => columns("bbands", &[period, 2.0]).remove(0),
                _ => columns("bbands", &[period, 2.0]).remove(2),
            };
            for (index, row) in rows.iter().enumerate() {
                let expected: Option<f64> = row[place].parse().ok();
                let at = format!("{name} {header}[{index}]");
                let (Some(ours), Some(expected)) = (ours.get(index), expected) else {
                    assert_eq!(ours.get(index), expected, "{at}");
                    continue;
                };
                // A band is as exact as what it is made of.
                let scale = match output {
                    "upper" | "lower" => {
                        row[place - if output == "upper" { 2 } else { 3 }].parse::<f64>().unwrap()
                    }
                    _ => 0.0,
                };
                let tolerance = 1e-9 * expected.abs().max(scale);
                assert!((ours - expected).abs() <= tolerance, "{at} is {ours:?}, not {expected:?}");
            }
        }
    }
}

#[test]
fn a_calm_stretch_forgets_a_wild_one() {
    let mut closes = vec![1e9, 3.0, 7e8, 2.0, 5e-3, 9e8];
    closes.resize(10_000, 2.5);
    let deviation = (find("stddev").unwrap().compute)(
        &candles(&closes),
        &arguments(find("stddev").unwrap(), &[5.0]),
    );
    assert_eq!(deviation[0].values[9_999], 0.0);
    let mean =
        (find("sma").unwrap().compute)(&candles(&closes), &arguments(find("sma").unwrap(), &[5.0]));
    assert_eq!(mean[0].values[9_999], 2.5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn values_are_finite_and_know_nothing_of_later_candles(
        rows in proptest::collection::vec((-12..15_i32, 1.0..10.0, 0.0..1.0, 0.0..1.0), 1..120),
        period in 1..25_u32,
        cut in 0..120_usize,
    ) {
        let candle = |(index, (scale, close, up, down)): (usize, &(i32, f64, f64, f64))| {
            let close = close * libm::pow(10.0, f64::from(*scale));
            Candle {
                open_time: i64::try_from(index).unwrap(),
                open: close,
                high: close * (1.0 + up),
                low: close * (1.0 - down),
                close,
                volume: close,
            }
        };
        let all: Candles = rows.iter().enumerate().map(candle).collect();
        let some: Candles = rows.iter().take(cut).enumerate().map(candle).collect();
        for spec in ALL {
            for arguments in [smallest(spec), with_period(spec, period)] {
                let whole = (spec.compute)(&all, &arguments);
                let part = (spec.compute)(&some, &arguments);
                let first = (spec.first_defined)(&arguments);
                for (whole, part) in whole.iter().zip(&part) {
                    prop_assert_eq!(whole.first_defined, first.min(all.len()));
                    prop_assert_eq!(whole.values.len(), all.len());
                    prop_assert!(whole.values.iter().all(|value| value.is_finite()));
                    for index in 0..some.len() {
                        prop_assert_eq!(whole.get(index), part.get(index), "{}", spec.name);
                    }
                }
            }
        }
    }

    #[test]
    fn moving_windows_agree_with_windows_taken_one_by_one(
        closes in proptest::collection::vec(0.5..1000.0, 1..200),
        period in 1..40_usize,
    ) {
        let candles = candles(&closes);
        let run = |name: &str| {
            let spec = find(name).unwrap();
            let period = u32::try_from(period).unwrap();
            (spec.compute)(&candles, &with_period(spec, period))[0].values.clone()
        };
        let (sma, wma, deviation) = (run("sma"), run("wma"), run("stddev"));
        let (highest, lowest) = (run("highest"), run("lowest"));
        for (window, at) in closes.windows(period).zip(period - 1..) {
            let count = rolling::to_f64(period);
            let mean = window.iter().sum::<f64>() / count;
            prop_assert!((sma[at] - mean).abs() < 1e-10);
            let weighted: f64 =
                window.iter().enumerate().map(|(i, x)| rolling::to_f64(i + 1) * x).sum();
            prop_assert!((wma[at] - weighted / (count * (count + 1.0) / 2.0)).abs() < 1e-9);
            let variance = window.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
            prop_assert!((deviation[at] * deviation[at] - variance).abs() < 1e-7);
            prop_assert_eq!(highest[at], window.iter().copied().fold(f64::MIN, f64::max));
            prop_assert_eq!(lowest[at], window.iter().copied().fold(f64::MAX, f64::min));
        }
    }
}

proptest! {
    /// Prices, standstills and moments up to 1e12 above them.
    #[test]
    fn no_window_keeps_the_errors_of_what_has_left_it(
        parts in proptest::collection::vec((1.0..1_000.0, 0..4_u32, 1..30_usize, proptest::bool::ANY), 1..30),
        period in 1..40_usize,
    ) {
        let closes: Vec<f64> = parts.iter().flat_map(|(price, scale, len, is_calm)| {
            let price = price * libm::pow(1e3, f64::from(*scale) * f64::from(u8::from(*len == 1)));
            (0..*len).map(move |day| if *is_calm { price } else { price + rolling::to_f64(day % 7) / 16.0 })
        }).collect();
        let candles = candles(&closes);
        let run = |name: &str| {
            let spec = find(name).unwrap();
            (spec.compute)(&candles, &with_period(spec, u32::try_from(period).unwrap()))[0].values.clone()
        };
        let (sma, wma, deviation) = (run("sma"), run("wma"), run("stddev"));
        for (window, at) in closes.windows(period).zip(period - 1..) {
            let count = rolling::to_f64(period);
            let mean = window.iter().sum::<f64>() / count;
            let weights = (1..=period).map(rolling::to_f64);
            let weighted = weights.zip(window).map(|(weight, x)| weight * x).sum::<f64>() / (count * (count + 1.0) / 2.0);
            let rest = window.iter().map(|x| x - mean).sum::<f64>() / count;
            let squares: f64 = window.iter().map(|x| (x - mean - rest) * (x - mean - rest)).sum();
            let expected = (squares / count).sqrt();
            prop_assert!((sma[at] - mean).abs() <= 1e-10 * mean, "sma {} {}", sma[at], mean);
            prop_assert!((wma[at] - weighted).abs() <= 1e-10 * weighted, "wma {} {}", wma[at], weighted);
            prop_assert!((deviation[at] - expected).abs() <= 1e-9 * expected, "{} {}", deviation[at], expected);
            if window.iter().all(|x| *x == window[0]) {
                prop_assert_eq!(deviation[at], 0.0);
            }
        }
    }
}

/// Candles of high, low, close and volume, an hour apart from the beginning of a day.
fn hours(rows: &[(f64, f64, f64, f64)]) -> Candles {
    let candle = |(index, (high, low, close, volume)): (usize, &(f64, f64, f64, f64))| Candle {
        open_time: i64::try_from(index).unwrap() * 3_600_000,
        open: *close,
        high: *high,
        low: *low,
        close: *close,
        volume: *volume,
    };
    rows.iter().enumerate().map(candle).collect()
}

#[test]
fn vwap_begins_anew_each_day() {
    let mut rows = vec![(3.0, 3.0, 3.0, 0.0), (4.0, 1.0, 1.0, 1.0), (9.0, 6.0, 6.0, 3.0)];
    rows.resize(24, (5.0, 5.0, 5.0, 0.0));
    rows.push((8.0, 8.0, 8.0, 2.0));
    let spec = find("vwap").unwrap();
    rows.push((7.0, 7.0, 7.0, 0.0));
    rows.resize(48, (7.0, 7.0, 7.0, 0.0));
    rows.push((6.0, 6.0, 6.0, 0.0));
    let vwap = (spec.compute)(&hours(&rows), &arguments(spec, &[])).remove(0);
    let at = |hour| vwap.get(hour);
    // Nothing was traded in the first hour of the first day, nor in that of the third.
    assert_eq!([at(0), at(1), at(2), at(23)], [None, Some(2.0), Some(5.75), Some(5.75)]);
    assert_eq!([at(24), at(25), at(47), at(48)], [Some(8.0), Some(8.0), Some(8.0), None]);
}

#[test]
fn a_donchian_channel_spans_highs_and_lows() {
    let rows = [(5.0, 3.0, 4.0, 1.0), (6.0, 2.0, 4.0, 1.0), (5.5, 4.0, 4.5, 1.0)];
    let spec = find("donchian").unwrap();
    let channel = (spec.compute)(&hours(&rows), &arguments(spec, &[2.0]));
    let ends: Vec<f64> = channel.iter().map(|column| column.values[2]).collect();
    assert_eq!(ends, [6.0, 4.0, 2.0]);
    assert_eq!(channel[0].first_defined, 1);
}

#[test]
fn a_supertrend_trails_and_flips_when_closed_through() {
    // A true range of 2 on every candle, so a band of 2 around the middle.
    let rows =
        [10.0, 11.0, 12.0, 11.5, 9.0, 8.0].map(|middle| (middle + 1.0, middle - 1.0, middle, 1.0));
    let spec = find("supertrend").unwrap();
    let trend = (spec.compute)(&hours(&rows), &arguments(spec, &[1.0, 1.0]));
    assert_eq!(trend[0].first_defined, 1);
    // Ranges: 2, 2, 2, 3.5, 2. Lower bands 9, 10, 10 (does not fall); the close at 9 is below: upper 12.5, then 10.
    assert_eq!(trend[0].values[1..], [9.0, 10.0, 10.0, 12.5, 10.0]);
    assert_eq!(trend[1].values[1..], [1.0, 1.0, 1.0, -1.0, -1.0]);
}

#[test]
fn every_column_of_the_reference_is_told_by_some_indicator() {
    // The Aroon oscillator is `aroon(14).up - aroon(14).down`.
    let (up, down) = (&REFERENCE["AROONUP_14"], &REFERENCE["AROONDOWN_14"]);
    for ((up, down), oscillator) in up.iter().zip(down).zip(&REFERENCE["AROONOSC_14"]) {
        let ours = up.zip(*down).map(|(up, down)| up - down);
        match (ours, oscillator) {
            (Some(ours), Some(theirs)) => assert!((ours - theirs).abs() <= 1e-9 * theirs.abs()),
            (ours, theirs) => assert_eq!(ours, *theirs),
        }
    }
    assert_eq!(REFERENCE.len(), 1 + 57);
}
