//! One file of each layout, as the programs write them (`infra/testdata/candle_files`), and what it must be read as.

use std::{fs::File, path::PathBuf};

use domain::market::Candle;
use rstest::rstest;

use super::*;

fn read(name: &str) -> Parsed {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/candle_files");
    let options = Options { timeframe: None, now: i64::MAX, accept_bad_rows: false };
    parse(File::open(folder.join(name)).unwrap(), &options).unwrap()
}

const EURUSD: Candle = Candle {
    open_time: 1_492_592_400_000,
    open: 1.0716,
    high: 1.0722,
    low: 1.07083,
    close: 1.07219,
    volume: 1413.0,
};
const GOOG: Candle = Candle {
    open_time: 1_361_491_200_000,
    open: 799.26,
    high: 801.25,
    low: 793.8,
    close: 799.71,
    volume: 2_053_900.0,
};
const BTC_MINUTE: Candle = Candle {
    open_time: 1_709_251_200_000,
    open: 61130.99,
    high: 61197.66,
    low: 61126.0,
    close: 61196.0,
    volume: 121.02208,
};

#[rstest]
#[case("binance_milliseconds.csv", "Binance", Timeframe::OneMinute, 5, BTC_MINUTE)]
#[case("binance_microseconds.csv", "Binance", Timeframe::OneMinute, 5, BTC_MINUTE)]
#[case("metatrader_5.csv", "MetaTrader", Timeframe::OneHour, 6, EURUSD)]
#[case("metatrader_4.csv", "MetaTrader", Timeframe::OneHour, 6, EURUSD)]
#[case("dukascopy.csv", "separated by commas", Timeframe::OneHour, 6, EURUSD)]
#[case("histdata.csv", "separated by semicolons", Timeframe::OneHour, 6, Candle { volume: 0.0, ..EURUSD })]
#[case("stooq.csv", "Stooq or Finam", Timeframe::OneDay, 6, GOOG)]
#[case("yahoo.csv", "Yahoo Finance", Timeframe::OneDay, 6, GOOG)]
#[case("yfinance.csv", "Yahoo Finance", Timeframe::OneDay, 6, GOOG)]
#[case("tradingview_hours.csv", "TradingView", Timeframe::OneHour, 5, Candle {
    open_time: 1_696_536_000_000,
    open: 27471.28,
    high: 27500.58,
    low: 27410.0,
    close: 27472.65,
    volume: 716.96427,
})]
#[case("tradingview_days.csv", "TradingView", Timeframe::OneDay, 11, Candle {
    open_time: 1_351_036_800_000,
    open: 686.8,
    high: 687.0,
    low: 675.27,
    close: 677.3,
    volume: 2_496_500.0,
})]
#[case("cryptodatadownload.csv", "CryptoDataDownload", Timeframe::OneHour, 5, Candle {
    open_time: 1_559_595_600_000,
    open: 8552.79,
    high: 8560.52,
    low: 8455.64,
    close: 8484.0,
    volume: 454.93,
})]
#[case("investing.csv", "separated by commas", Timeframe::OneDay, 5, Candle {
    open_time: 1_734_393_600_000,
    open: 106_053.4,
    high: 108_244.9,
    low: 105_350.6,
    close: 106_138.9,
    volume: 149_370.0,
})]
#[case("semicolons_decimal_comma.csv", "separated by semicolons", Timeframe::OneDay, 6, Candle {
    open_time: 1_503_792_000_000,
    open: 4332.51,
    high: 4400.0,
    low: 4285.54,
    close: 4310.01,
    volume: 350.69,
})]
fn a_file_is_read_in_the_layout_of_its_program(
    #[case] name: &str,
    #[case] layout: &str,
    #[case] timeframe: Timeframe,
    #[case] count: usize,
    #[case] first: Candle,
) {
    let Parsed { candles, timeframe: found, report } = read(name);
    assert!(report.layout.starts_with(layout), "{}", report.layout);
    assert_eq!((found, candles.len()), (timeframe, count));
    assert_eq!(candles.get(0), Some(first));
    assert_eq!((report.bad_rows, report.duplicates, report.unordered), (0, 0, 0));
}

#[test]
fn files_that_begin_with_the_newest_candle_are_turned() {
    assert!(read("cryptodatadownload.csv").report.is_newest_first);
    assert!(read("investing.csv").report.is_newest_first);
    assert!(!read("yahoo.csv").report.is_newest_first);
}

#[test]
fn days_that_are_stamped_when_the_exchange_opens_are_those_days() {
    let Parsed { candles, report, .. } = read("tradingview_days.csv");
    assert_eq!(report.days_stamped_at.as_deref(), Some("13:30"));
    assert!(candles.open_time.iter().all(|time| time % 86_400_000 == 0));
    // Friday 2012-11-02 at 13:30 and Monday 2012-11-05 at 14:30: daylight saving ended between them.
    assert_eq!(candles.open_time[5..7], [1_351_814_400_000, 1_352_073_600_000]);
    assert_eq!(read("yahoo.csv").report.days_stamped_at, None);
}

#[test]
fn every_layout_has_its_source_beside_it() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/candle_files");
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(name == "README.md" || readme.contains(&format!("`{name}`")), "{name}");
    }
}
