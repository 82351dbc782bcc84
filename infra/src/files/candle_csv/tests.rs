//! The kinds of candle files, and what their reports say.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use rstest::rstest;

use super::*;

const LATER: i64 = 4_000_000_000_000;

const DAYS: &str = "timestamp,open,high,low,close,volume
1502928000000,4261.48,4485.39,4200.74,4285.08,795.150377
1503014400000,4285.08,4371.52,3938.77,4108.37,1199.888264
";

fn read(text: &str) -> Parsed {
    parse(text.as_bytes(), None, LATER).unwrap()
}

#[test]
fn a_file_with_header_is_read() {
    let parsed = read(DAYS);
    let expected = Candle {
        open_time: 1_502_928_000_000,
        open: 4261.48,
        high: 4485.39,
        low: 4200.74,
        close: 4285.08,
        volume: 795.150377,
    };
    assert_eq!(parsed.timeframe, Timeframe::OneDay);
    assert_eq!(parsed.candles.get(0), Some(expected));
    assert_eq!(parsed.report, Report { rows: 2, ..Report::default() });
}

#[test]
fn a_gzipped_file_is_read() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(DAYS.as_bytes()).unwrap();
    let parsed = parse(encoder.finish().unwrap().as_slice(), None, LATER).unwrap();
    assert_eq!(parsed, read(DAYS));
}

#[rstest]
#[case::seconds("1502928000,1,2,1,2,5\n1503014400,1,2,1,2,5")]
#[case::milliseconds("1502928000000,1,2,1,2,5\n1503014400000,1,2,1,2,5")]
#[case::microseconds("1502928000000000,1,2,1,2,5\n1503014400000000,1,2,1,2,5")]
#[case::dates("2017-08-17,1,2,1,2,5\n2017-08-18,1,2,1,2,5")]
#[case::iso("2017-08-17T00:00:00Z,1,2,1,2,5\n2017-08-18T02:00:00+02:00,1,2,1,2,5")]
#[case::naive("2017-08-17 00:00:00,1,2,1,2,5\n2017-08-18 00:00,1,2,1,2,5")]
#[case::binance(
    "1502928000000,1,2,1,2,5,1503014399999,9,9,9,9,0\n1503014400000,1,2,1,2,5,1503100799999,9,9,9,9,0"
)]
#[case::columns_in_another_order(
    "volume,Close,low,High,open,Date\n5,2,1,2,1,2017-08-17\n5,2,1,2,1,2017-08-18"
)]
fn times_and_layouts_of_all_kinds_mean_the_same(#[case] text: &str) {
    assert_eq!(read(text).candles.open_time, [1_502_928_000_000, 1_503_014_400_000]);
    assert_eq!(read(text).candles.close, [2.0, 2.0]);
}

#[test]
fn gaps_duplicates_bad_and_unordered_rows_are_reported_and_lose_nothing_else() {
    let text = "0,1,2,1,2,5\n60,1,2,1,2,5\n60,1,2,1,1.5,5\n240,1,2,1,2,5\n180,1,2,1,2,5\n\
                300,1,NaN,1,2,5\n360,1,2,1\n420,1,2,1,3,5\n480,-1,2,1,2,5\nsoon,1,2,1,2,5\n";
    let parsed = read(text);
    assert_eq!(parsed.candles.open_time, [0, 60_000, 180_000, 240_000]);
    assert_eq!(parsed.candles.close[1], 1.5);
    let report = parsed.report;
    assert_eq!((report.rows, report.bad_rows), (10, 5));
    assert_eq!(report.named_bad_rows[0], (6, "`high` is not a number: `NaN`".to_owned()));
    assert_eq!(report.named_bad_rows[1].1, "`close` is missing");
    assert_eq!((report.duplicates, report.contradictions, report.unordered), (1, 1, 1));
    assert_eq!((report.gaps, report.missing), (1, 1));
    assert_eq!(report.named_gaps, [(60_000, 180_000)]);
}

#[test]
fn a_last_candle_that_has_not_closed_is_named() {
    let parsed = parse("0,1,2,1,2,5\n60,1,2,1,2,5".as_bytes(), None, 119_999).unwrap();
    assert_eq!(parsed.report.open_last, Some(60_000));
    let parsed = parse("0,1,2,1,2,5\n60,1,2,1,2,5".as_bytes(), None, 120_000).unwrap();
    assert_eq!(parsed.report.open_last, None);
}

#[rstest]
#[case("", "the file has no candles")]
#[case("timestamp,open,high,low,close\n", "the header has no column for `volume`")]
#[case("0,1,2,1,2,5\n", "a single candle does not reveal its timeframe; give it with --timeframe")]
#[case(
    "0,1,2,1,2,5\n7,1,2,1,2,5\n",
    "the candles are 7000 ms apart, which is not a known timeframe; give it with --timeframe"
)]
#[case("0,1,2,1,x,5\n", "no row is usable; line 1: `close` is not a number: `x`")]
fn a_file_without_candles_says_why(#[case] text: &str, #[case] reason: &str) {
    assert_eq!(parse(text.as_bytes(), None, LATER).unwrap_err().to_string(), reason);
}

#[test]
fn a_row_between_two_openings_is_bad_when_the_timeframe_is_named() {
    let text = "0,1,2,1,2,5\n30,1,2,1,2,5\n60,1,2,1,2,5";
    let parsed = parse(text.as_bytes(), Some(Timeframe::OneMinute), LATER).unwrap();
    assert_eq!(parsed.candles.len(), 2);
    assert_eq!(parsed.report.bad_rows, 1);
}
