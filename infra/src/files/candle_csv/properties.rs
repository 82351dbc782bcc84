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
    let Ok(Parsed { candles, timeframe, report }) = parse(bytes, timeframe, NOW) else {
        return Ok(());
    };
    let columns = [&candles.open, &candles.high, &candles.low, &candles.close];
    prop_assert!(columns.iter().all(|column| column.iter().all(|p| p.is_finite() && *p > 0.0)));
    prop_assert!(candles.volume.iter().all(|volume| volume.is_finite() && *volume >= 0.0));
    prop_assert!(candles.open_time.is_sorted_by(|one, next| one < next));
    let step = timeframe.duration_ms();
    prop_assert!(candles.open_time.iter().all(|time| time.rem_euclid(step) == 0));
    let kept = candles.len() as u64;
    prop_assert_eq!(kept + report.bad_rows + report.duplicates, report.rows);
    prop_assert!(report.named_bad_rows.len() <= NAMED_MAX && report.named_gaps.len() <= NAMED_MAX);
    Ok(())
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
}
