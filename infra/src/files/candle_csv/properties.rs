//! Properties: no file makes the importer panic, and the candles that it returns are valid and in order.

use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_800_000_000_000;

/// Fields that files have, and some that they should not.
fn fields() -> impl Strategy<Value = String> {
    let words = vec![
        "timestamp",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "1502928000",
        "1502928000000",
        "1502928000000000",
        "2017-08-17",
        "2017-08-18T00:00:00Z",
        "-1",
        "0",
        "1",
        "1.5",
        "2",
        "1e308",
        "1e309",
        "5e-324",
        "NaN",
        "inf",
        "",
        " ",
        "\"",
        "\"\"",
        "1,5",
        "\u{feff}",
        "é",
        "99999999999999999999",
    ];
    prop_oneof![
        5 => prop::sample::select(words).prop_map(str::to_owned),
        1 => any::<f64>().prop_map(|number| number.to_string()),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => ".{0,8}",
    ]
}

/// Rows of days with prices of any size, in any order.
fn rows() -> impl Strategy<Value = String> {
    let price = || prop_oneof![0.0..1e6_f64, Just(0.0), Just(5e-324), Just(1e308)];
    let row = (0..400_u32, price(), price(), price(), price());
    prop::collection::vec(row, 0..60).prop_map(|rows| {
        let line = |(day, open, high, low, close): (u32, f64, f64, f64, f64)| {
            format!("{},{open},{high},{low},{close},1\n", i64::from(day) * 86_400_000)
        };
        rows.into_iter().map(line).collect()
    })
}

fn check(bytes: &[u8], timeframe: Option<Timeframe>) -> Result<(), TestCaseError> {
    let options = Options { timeframe, now: NOW, accept_bad_rows: true };
    let Ok(Parsed { candles, timeframe, report }) = parse(Cursor::new(bytes), &options) else {
        return Ok(());
    };
    let columns = [&candles.open, &candles.high, &candles.low, &candles.close];
    prop_assert!(columns.iter().all(|column| column.iter().all(|p| p.is_finite() && *p > 0.0)));
    prop_assert!(candles.volume.iter().all(|volume| volume.is_finite() && *volume >= 0.0));
    prop_assert!(candles.high.iter().zip(&candles.low).all(|(high, low)| high >= low));
    prop_assert!(candles.open_time.is_sorted_by(|one, next| one < next));
    let step = timeframe.duration_ms();
    prop_assert!(candles.open_time.iter().all(|time| time.rem_euclid(step) == 0));
    let kept = candles.len() as u64;
    prop_assert_eq!(kept + report.bad_rows + report.duplicates, report.rows);
    prop_assert!(report.conflicts <= report.duplicates);
    prop_assert!(report.named_bad_rows.len() <= report::NAMED_MAX);
    Ok(())
}

/// A series of days, and the ways to write it down.
fn days() -> impl Strategy<Value = Vec<(i64, f64)>> {
    let price = (1..2_000_000_u32).prop_map(|cents| f64::from(cents) / 100.0);
    // From 1950 to 2100, before 1970 and March 1973 too.
    (-7_300..47_000_i64, prop::collection::vec(price, 20..60)).prop_map(|(first, prices)| {
        prices.into_iter().enumerate().map(|(i, price)| (first + i as i64, price)).collect()
    })
}

/// A number with two places, a decimal mark and thousands separators.
fn spelled(number: f64, mark: char, thousands: &str) -> String {
    let plain = format!("{number:.2}");
    let (whole, fraction) = plain.split_once('.').unwrap();
    let mut spelled = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            spelled.push_str(thousands);
        }
        spelled.push(digit);
    }
    format!("{spelled}{mark}{fraction}")
}

/// One way to write a time.
fn time_text(style: usize, day: i64) -> String {
    let date = chrono::DateTime::from_timestamp(day * 86_400, 0).unwrap();
    match style {
        0 => format!("{}", day * 86_400),
        1 => format!("{}", day * 86_400_000),
        2 => format!("{}", day * 86_400_000_000),
        3 => date.format("%Y%m%d").to_string(),
        4 => date.format("%d.%m.%Y").to_string(),
        5 => date.format("%m/%d/%Y").to_string(),
        6 => date.format("%d/%m/%Y %H:%M").to_string(),
        7 => date.format("%Y-%m-%d 00:00:00").to_string(),
        8 => date.format("%b %d, %Y").to_string(),
        _ => date.to_rfc3339(),
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check(&bytes, None)?;
        check(&bytes, Some(Timeframe::OneMinute))?;
    }

    #[test]
    fn no_fields_make_it_panic(
        rows in prop::collection::vec(prop::collection::vec(fields(), 0..9), 0..20),
        end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
    ) {
        let lines: Vec<String> = rows.iter().map(|row| row.join(",")).collect();
        let text = lines.join(end);
        check(text.as_bytes(), None)?;
        check(text.as_bytes(), Some(Timeframe::OneDay))?;
    }

    #[test]
    fn what_is_read_is_good_candles_in_order(text in rows(), cut in 0..4_000_usize) {
        check(text.as_bytes(), Some(Timeframe::OneDay))?;
        check(text.as_bytes(), None)?;
        check(text.as_bytes().get(cut..).unwrap_or_default(), None)?;
    }

    #[test]
    fn one_series_is_read_from_every_spelling(
        days in days(),
        style in 0..10_usize,
        delimiter in prop::sample::select(vec![',', ';', '\t']),
        (mark, thousands) in prop::sample::select(vec![('.', ""), ('.', ","), (',', "."), (',', ""), (',', " ")]),
        is_newest_first in any::<bool>(),
    ) {
        let mut rows: Vec<String> = days
            .iter()
            .map(|(day, price)| {
                let price = spelled(*price, mark, thousands);
                let fields = [&time_text(style, *day), &price, &price, &price, &price, &price];
                let quoted = fields.map(|field| format!("\"{field}\""));
                quoted.join(&delimiter.to_string())
            })
            .collect();
        if is_newest_first {
            rows.reverse();
        }
        let options = Options { timeframe: None, now: i64::MAX, accept_bad_rows: false };
        let parsed = parse(Cursor::new(rows.join("\n")), &options).unwrap();
        let read: Vec<_> = parsed.candles.open_time.iter().map(|time| time / 86_400_000).collect();
        let expected: Vec<_> = days.iter().map(|(day, _)| *day).collect();
        prop_assert_eq!(read, expected);
        let prices: Vec<_> = days.iter().map(|(_, price)| *price).collect();
        prop_assert_eq!(&parsed.candles.close, &prices);
        prop_assert_eq!(&parsed.candles.volume, &prices);
        prop_assert_eq!(parsed.report.bad_rows, 0);
    }
}
