//! What a file says about itself, and what its report says.

use std::io::Write as _;

use domain::market::Candle;
use flate2::{Compression, write::GzEncoder};
use rstest::rstest;

use super::*;

const LATER: i64 = 4_000_000_000_000;
const AS_THEY_ARE: Options = Options { timeframe: None, now: LATER, accept_bad_rows: false };
const ACCEPTING: Options = Options { accept_bad_rows: true, ..AS_THEY_ARE };

const DAYS: &str = "timestamp,open,high,low,close,volume
1502928000000,4261.48,4485.39,4200.74,4285.08,795.150377
1503014400000,4285.08,4371.52,3938.77,4108.37,1199.888264
";

fn read(text: &str) -> Parsed {
    parse(Cursor::new(text), &ACCEPTING).unwrap()
}

fn refusal(text: &str) -> String {
    parse(Cursor::new(text), &AS_THEY_ARE).unwrap_err().to_string()
}

/// Minutes from 1970 on; `rows` of them.
fn minutes(rows: u32) -> Vec<String> {
    (0..rows).map(|row| format!("{},1,2,1,2,5", 60 * row)).collect()
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
    let report = Report {
        rows: 2,
        layout: "separated by commas, header `timestamp open high low close volume`".to_owned(),
        time_format: "epoch milliseconds".to_owned(),
        ..Report::default()
    };
    assert_eq!(parsed.report, report);
}

#[test]
fn a_gzipped_file_is_read() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(DAYS.as_bytes()).unwrap();
    let parsed = parse(Cursor::new(encoder.finish().unwrap()), &AS_THEY_ARE).unwrap();
    assert_eq!(parsed, read(DAYS));
}

#[rstest]
#[case::seconds("1502928000,1,2,1,2,5\n1503014400,1,2,1,2,5")]
#[case::seconds_with_zeros("1502928000.0,1,2,1,2,5\n1503014400.0,1,2,1,2,5")]
#[case::milliseconds("1502928000000,1,2,1,2,5\n1503014400000,1,2,1,2,5")]
#[case::microseconds("1502928000000000,1,2,1,2,5\n1503014400000000,1,2,1,2,5")]
#[case::nanoseconds("1502928000000000000,1,2,1,2,5\n1503014400000000000,1,2,1,2,5")]
#[case::of_a_spreadsheet("1.502928E+12,1,2,1,2,5\n1.5030144E+12,1,2,1,2,5")]
#[case::dates("2017-08-17,1,2,1,2,5\n2017-08-18,1,2,1,2,5")]
#[case::basic_dates("20170817,1,2,1,2,5\n20170818,1,2,1,2,5")]
#[case::basic_times("20170817000000,1,2,1,2,5\n20170818000000,1,2,1,2,5")]
#[case::day_first("17/08/2017,1,2,1,2,5\n18/08/2017,1,2,1,2,5")]
#[case::month_first("08/17/2017,1,2,1,2,5\n08/18/2017,1,2,1,2,5")]
#[case::iso("2017-08-17T00:00:00Z,1,2,1,2,5\n2017-08-18T02:00:00+02:00,1,2,1,2,5")]
#[case::naive("2017-08-17 00:00:00,1,2,1,2,5\n2017-08-18 00:00,1,2,1,2,5")]
#[case::of_the_exchange("2017-08-17 00:00:00-04:00,1,2,1,2,5\n2017-08-18 00:00:00-04:00,1,2,1,2,5")]
#[case::of_the_other_side(
    "2017-08-17 00:00:00+09:00,1,2,1,2,5\n2017-08-18 00:00:00+09:00,1,2,1,2,5"
)]
#[case::separate_time("2017-08-17,00:00,1,2,1,2,5\n2017-08-18,00:00,1,2,1,2,5")]
#[case::time_beside_date(
    "date,time,o,h,l,c,v\n17.08.2017,1502928000,1,2,1,2,5\n18.08.2017,1503014400,1,2,1,2,5"
)]
#[case::columns_in_another_order(
    "volume,Close,low,High,open,Date\n5,2,1,2,1,2017-08-17\n5,2,1,2,1,2017-08-18"
)]
#[case::below_a_title(
    "Prices of ACME\n\nDate;Open;High;Low;Close;Volume\n2017-08-17;1;2;1;2;5\n2017-08-18;1;2;1;2;5"
)]
#[case::byte_order_mark(
    "\u{feff}Date,Open,High,Low,Close,Volume\n2017-08-17,1,2,1,2,5\n2017-08-18,1,2,1,2,5"
)]
#[case::joined(
    "Date,Open,High,Low,Close,Volume\n2017-08-17,1,2,1,2,5\nDate,Open,High,Low,Close,Volume\n2017-08-18,1,2,1,2,5"
)]
#[case::bars("2017-08-17|1|2|1|2|5\n2017-08-18|1|2|1|2|5")]
fn times_and_layouts_of_all_kinds_mean_the_same(#[case] text: &str) {
    let Parsed { candles, report, .. } = parse(Cursor::new(text), &AS_THEY_ARE).unwrap();
    assert_eq!(candles.open_time, [1_502_928_000_000, 1_503_014_400_000]);
    assert_eq!((candles.close, candles.volume), (vec![2.0, 2.0], vec![5.0, 5.0]));
    assert_eq!(report.bad_rows, 0);
}

#[test]
fn milliseconds_before_march_1973_are_milliseconds() {
    // 1970-01-02, 1973-03-02 and on: 100,000,000,000 lies between.
    let rows = [86_400_000, 99_964_800_000_i64, 100_051_200_000, 100_137_600_000];
    let text = rows.map(|time| format!("{time},1,2,1,2,5\n")).concat();
    assert_eq!(read(&text).candles.open_time, rows);
    let early = [-172_800_000, -86_400_000, 0, 86_400_000_i64];
    let text = early.map(|time| format!("{time},1,2,1,2,5\n")).concat();
    assert_eq!(read(&text).candles.open_time, early);
}

#[test]
fn a_bad_first_row_does_not_hide_the_time_of_day() {
    let text = "Date,Time,Open,High,Low,Close,Volume\nsoon,x,1,2,1,2,5\n2024-01-02,10:00,1,2,1,2,5\n\
                2024-01-02,11:00,1,2,1,2,5\n";
    let Parsed { candles, report, .. } = read(text);
    assert_eq!((candles.len(), report.bad_rows), (2, 1));
}

#[test]
fn one_unit_holds_for_all_rows() {
    // The last row is in microseconds.
    let mut rows: Vec<String> = (0..5_000_i64)
        .map(|i| format!("{},1,2,1,2,5", 1_735_000_000_000 + 60_000 * i - 40_000))
        .collect();
    rows.push("1735300000000000,1,2,1,2,5".to_owned());
    let Parsed { candles, report, .. } = parse(Cursor::new(rows.join("\n")), &AS_THEY_ARE).unwrap();
    assert_eq!((candles.len(), report.bad_rows), (5_000, 1));
    assert_eq!(
        report.named_bad_rows[0].reason,
        "`timestamp` does not fit the others, which are epoch milliseconds"
    );
}

#[test]
fn the_end_of_a_file_may_say_how_its_beginning_is_read() {
    // Day and month, and thousands, are told by the last row alone, far behind the part that is looked at first.
    let mut rows = vec!["Date;Time;Open;High;Low;Close;Volume".to_owned()];
    for minute in 0..6_000 {
        let (hour, minute) = (minute / 60 % 24, minute % 60);
        let day = 1 + (rows.len() - 1) / 1_440;
        rows.push(format!("0{day}/02/2024;{hour:02}:{minute:02};1,005;1,005;1,005;1,005;7"));
    }
    let as_decimals = read(&rows.join("\n")).candles;
    assert_eq!((as_decimals.close[0], as_decimals.open_time[0]), (1.005, 1_706_745_600_000));
    rows.push("13/02/2024;00:00;1,005.5;1,005.5;1,005.5;1,005.5;7".to_owned());
    let parsed = read(&rows.join("\n"));
    assert_eq!((parsed.candles.close[0], parsed.candles.len()), (1005.0, 6_001));
    assert_eq!(parsed.report.time_format, "dates, day first");
}

#[test]
fn numbers_with_thousands_are_not_dropped() {
    let text = "Date,Open,High,Low,Close,Volume\n2024-01-01,998.0,999.5,990,998,\"1,200\"\n\
                2024-01-02,998.0,\"1,005.0\",990,\"1,001.5\",\"12,345,678\"\n";
    let parsed = parse(Cursor::new(text), &AS_THEY_ARE).unwrap();
    assert_eq!(parsed.candles.close, [998.0, 1001.5]);
    assert_eq!(parsed.candles.volume, [1200.0, 12_345_678.0]);
}

#[test]
fn a_high_below_its_close_by_a_rounding_is_clamped_and_counted() {
    let text = "0,100,123.45599999999999,90,123.456,5\n86400,100,110,100.00000000000001,101,5\n\
                172800,100,101,100,101.001,5";
    let Parsed { candles, report, .. } = read(text);
    assert_eq!((candles.high[0], candles.low[1]), (123.456, 100.0));
    assert_eq!((report.clamped, report.bad_rows, candles.len()), (2, 1, 2));
    assert_eq!(report.named_bad_rows[0].reason, "high and low do not enclose open and close");
}

#[test]
fn prices_that_cannot_be_traded_are_refused_by_name() {
    // 2020-04-20, West Texas Intermediate (CME): the close was -37.63.
    let text = "2020-04-16,20,20.5,19,19.87,1\n2020-04-17,19.87,20,17.31,18.27,1\n\
                2020-04-20,17.73,17.85,-40.32,-37.63,1";
    let Parsed { candles, report, .. } = parse(Cursor::new(text), &AS_THEY_ARE).unwrap();
    assert_eq!(candles.len(), 2);
    let reason = "`low` is -40.32: prices below 1e-12 cannot be traded";
    assert_eq!(report.named_bad_rows, [BadRow { line: 3, reason: reason.to_owned() }]);
    let warning = &report.warnings()[0];
    assert_eq!(warning.code, "bad_rows");
    assert_eq!(warning.message, format!("1 of 3 rows was left out; line 3: {reason}"));
    for price in ["0", "9e-13", "0.0000000000009"] {
        let text = format!("0,{price},1,{price},1,5\n60,1,2,1,2,5\n120,1,2,1,2,5");
        assert_eq!(read(&text).candles.len(), 2, "{price}");
    }
    assert_eq!(read("0,1e-12,1,1e-12,1,5\n60,1,2,1,2,5").candles.len(), 2);
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
    let first = BadRow { line: 6, reason: "`high` is not a number: `NaN`".to_owned() };
    assert_eq!(report.named_bad_rows[0], first);
    assert_eq!(report.named_bad_rows[1].reason, "`close` is missing");
    assert_eq!((report.duplicates, report.conflicts, report.unordered), (1, 1, 1));
    assert_eq!(report.named_conflicts, [Conflict { line: 3, earlier_line: 2 }]);
    assert_eq!(report.warnings()[1].code, "duplicate_candles");
}

#[test]
fn more_than_one_bad_row_in_a_thousand_is_an_error_unless_accepted() {
    let text = |rows: u32, changes: &[(usize, &str)]| {
        let mut rows = minutes(rows);
        for (index, row) in changes {
            rows[*index] = (*row).to_owned();
        }
        rows.join("\n")
    };
    let strict = |text: &str| parse(Cursor::new(text.to_owned()), &AS_THEY_ARE);
    let (bad, conflict) = ("540,1,2,1,x,5", "300,1,2,1,1.5,5");
    // One is never too many, and two of 2,000 are one in a thousand.
    assert_eq!(strict(&text(20, &[(9, bad)])).unwrap().report.bad_rows, 1);
    assert!(strict(&text(2_000, &[(9, bad), (6, conflict)])).is_ok());
    let too_many = text(1_999, &[(9, bad), (6, conflict)]);
    let message = strict(&too_many).unwrap_err().to_string();
    assert_eq!(
        message,
        "1 of 1999 rows was left out; line 10: `close` is not a number: `x`; 1 candle differs from an earlier one of the \
         same time; line 7 replaces line 6 (more than one in a thousand; separated by commas, no header). Use \
         --accept-bad-rows to go on without them"
    );
    assert_eq!(read(&too_many).candles.len(), 1_997);
    // Rows that repeat another to the last digit never count.
    let repeated: Vec<String> = minutes(20).into_iter().chain(minutes(20)).collect();
    let report = strict(&repeated.join("\n")).unwrap().report;
    assert_eq!((report.duplicates, report.conflicts), (20, 0));
    assert!(report.warnings().is_empty());
}

#[test]
fn a_last_candle_that_has_not_closed_is_named() {
    let until = |now| {
        let options = Options { now, ..AS_THEY_ARE };
        parse(Cursor::new("0,1,2,1,2,5\n60,1,2,1,2,5"), &options).unwrap().report.open_last
    };
    assert_eq!(until(119_999), Some(60_000));
    assert_eq!(until(120_000), None);
}

#[test]
fn a_file_without_volume_says_so() {
    let without = read("time,open,high,low,close\n0,1,2,1,2\n60,1,2,1,2\n");
    let empty = read("time,open,high,low,close,Vol.\n0,1,2,1,2,\n60,1,2,1,2,\n");
    assert!(without.report.has_no_volume && empty.report.has_no_volume);
    assert_eq!((without.candles.volume, empty.candles.volume), (vec![0.0; 2], vec![0.0; 2]));
    let some = read("time,open,high,low,close,Vol.\n0,1,2,1,2,\n60,1,2,1,2,3\n120,1,2,1,2,3\n");
    assert_eq!((some.report.has_no_volume, some.report.bad_rows), (false, 1));
}

#[rstest]
#[case("", "the file has no candles")]
#[case("timestamp,open,high,low,close\n", "the file has no candles")]
#[case(
    "timestamp,open,high,low,volume\n0,1,2,1,5\n",
    "the file is not understood (separated by commas, header `timestamp open high low volume`): the header has no column for `close`"
)]
#[case(
    "one\ntwo\n",
    "the file is not understood (it begins with `one`): no line has the five columns of time, open, high, low and close, separated by commas, semicolons or tabs"
)]
#[case(
    "\u{0}",
    "the file is not understood (it begins with `\u{0}`): no line has the five columns of time, open, high, low and close, separated by commas, semicolons or tabs"
)]
#[case("0,1,2,1,2,5\n", "a single candle does not reveal its timeframe; give it with --timeframe")]
#[case(
    "0,1,2,1,2,5\n7,1,2,1,2,5\n",
    "the candles are 7000 ms apart, which is not a known timeframe; give it with --timeframe"
)]
#[case(
    "0,1,2,1,x,5\n",
    "the file is not understood (separated by commas, no header): no row is usable; line 1: `close` is not a number: `x`"
)]
#[case(
    "01/02/2024 10:00,1,2,1,2,5\n01/02/2024 11:00,1,2,1,2,5\n",
    "the file is not understood (separated by commas, no header): its dates can be read with the day first or with the month first"
)]
#[case(
    "2024-01-01\t1,005\t1,005\t1,005\t1,005\t1\n2024-01-02\t1,005\t1,005\t1,005\t1,005\t1\n",
    "the file is not understood (separated by tabs, no header): its numbers can be read with a decimal comma or with commas between thousands"
)]
fn a_file_that_is_not_understood_is_refused_with_its_layout(
    #[case] text: &str,
    #[case] reason: &str,
) {
    assert_eq!(refusal(text), reason);
}

#[test]
fn a_text_in_utf_16_is_refused_by_name() {
    let bytes = [0xff, 0xfe, b'0', 0, b',', 0];
    let error = parse(Cursor::new(bytes), &AS_THEY_ARE).unwrap_err();
    assert_eq!(error.to_string(), "the file is not understood (text in UTF-16): save it as UTF-8");
}

#[test]
fn a_row_between_two_openings_is_bad_when_the_timeframe_is_named() {
    let text = "0,1,2,1,2,5\n30,1,2,1,2,5\n60,1,2,1,2,5";
    let options = Options { timeframe: Some(Timeframe::OneMinute), ..AS_THEY_ARE };
    let parsed = parse(Cursor::new(text), &options).unwrap();
    assert_eq!(parsed.candles.len(), 2);
    assert_eq!(parsed.report.bad_rows, 1);
}

#[test]
fn candles_of_another_timeframe_than_the_named_one_are_refused() {
    let text: Vec<String> = (0..20).map(|i| format!("{},1,2,1,2,5", i * 3_600)).collect();
    let read_as = |timeframe| {
        let options = Options { timeframe: Some(timeframe), ..AS_THEY_ARE };
        parse(Cursor::new(text.join("\n")), &options).map_err(|error| error.to_string())
    };
    let coarser = read_as(Timeframe::OneMinute).unwrap_err();
    assert_eq!(coarser, "these are 1h candles, not 1m ones");
    assert!(read_as(Timeframe::OneDay).unwrap_err().contains("not the opening of a 1d candle"));
    assert!(read_as(Timeframe::OneHour).is_ok());
}

#[test]
fn days_of_a_market_that_trades_on_weekends_are_not_moved() {
    // Days that begin at 16:00 UTC, every day of three weeks.
    let text: Vec<String> = (0..21).map(|i| format!("{},1,2,1,2,5", i * 86_400 + 57_600)).collect();
    assert!(refusal(&text.join("\n")).contains("not the opening of a 1d candle"));
}
