//! Times as requests give them: RFC 3339, dates, or epoch milliseconds; a number in another unit is refused with what it looks like.

use chrono::{
    DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeDelta, Utc,
};
use serde_json::Value;

/// Numbers below it are no epoch milliseconds that anyone means: it is 1973-03-03.
const EPOCH_MS_MIN: i64 = 100_000_000_000;
/// The first millisecond of the year 10000.
const EPOCH_MS_END: i64 = 253_402_300_800_000;

const WRONG: &str = "must be a time: RFC 3339, a date, or epoch milliseconds";

/// Which end of a day a bare date means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayEnd {
    Start,
    /// The last millisecond.
    End,
}

/// Reads a time: RFC 3339, without offset (UTC), a date (`2024-02-29` or `20240229`), or epoch milliseconds, as a number or as
/// a string.
///
/// # Errors
/// What is wrong with it, for the client; a number below 10¹¹ is told what it looks like.
pub fn parse(value: &Value, day: DayEnd) -> Result<DateTime<Utc>, String> {
    match value {
        Value::Number(number) => number.as_i64().ok_or(WRONG.to_owned()).and_then(epoch_ms),
        Value::String(text) => parse_text(text.trim(), day),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(WRONG.to_owned()),
    }
}

/// Reads a time from a text, as [`parse`] does.
///
/// # Errors
/// What is wrong with it.
pub fn parse_text(text: &str, day: DayEnd) -> Result<DateTime<Utc>, String> {
    let found = if let Some(date) = date(text) {
        let midnight = date.and_time(NaiveTime::MIN).and_utc();
        match day {
            DayEnd::Start => Some(midnight),
            DayEnd::End => {
                midnight.checked_add_signed(TimeDelta::days(1) - TimeDelta::milliseconds(1))
            }
        }
    } else if let Ok(number) = text.parse::<i64>() {
        return epoch_ms(number);
    } else {
        // In a query `+` decodes to a space: `2024-01-01T00:00:00 00:00`.
        let offset = DateTime::parse_from_rfc3339(&text.replace(' ', "+"))
            .or_else(|_| DateTime::parse_from_rfc3339(text));
        offset.map(|time| time.with_timezone(&Utc)).ok().or_else(|| naive(text))
    };
    found.filter(is_in_range).ok_or_else(|| WRONG.to_owned())
}

/// `2024-02-29`, or the basic form `20240229`.
fn date(text: &str) -> Option<NaiveDate> {
    match text.len() {
        8 if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            NaiveDate::parse_from_str(text, "%Y%m%d").ok()
        }
        _ => NaiveDate::parse_from_str(text, "%Y-%m-%d").ok(),
    }
}

fn naive(text: &str) -> Option<DateTime<Utc>> {
    let formats = [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
        "%Y%m%dT%H%M%SZ",
        "%Y%m%dT%H%M%S",
    ];
    let parsed = formats.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    parsed.map(|time| time.and_utc())
}

fn epoch_ms(number: i64) -> Result<DateTime<Utc>, String> {
    let looks_like = |what: String| {
        let message =
            "must be epoch milliseconds if it is a number, and those have twelve digits or more";
        Err(format!("{message}; {number} {what}"))
    };
    match number {
        EPOCH_MS_MIN..EPOCH_MS_END => {
            DateTime::from_timestamp_millis(number).ok_or_else(|| WRONG.to_owned())
        }
        ..0 => looks_like("is negative: give a time before 1970 as RFC 3339".to_owned()),
        1_900..=2_199 => looks_like(format!("looks like a year: \"{number}-01-01\" is a date")),
        EPOCH_MS_END.. => Err(format!(
            "must be between the years 1900 and 9999; as epoch milliseconds {number} is beyond them, and looks like \
             microseconds or nanoseconds"
        )),
        _ => match date(&number.to_string()).filter(|date| (1900..=2199).contains(&date.year())) {
            Some(date) => looks_like(format!("looks like a date: write it as \"{date}\"")),
            // Seconds since 1973.
            None if number >= EPOCH_MS_MIN / 1_000 => {
                let time = DateTime::from_timestamp(number, 0).map(shown).unwrap_or_default();
                looks_like(format!("looks like epoch seconds ({time}): multiply it by 1000"))
            }
            None => looks_like("is too small".to_owned()),
        },
    }
}

fn shown(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn is_in_range(time: &DateTime<Utc>) -> bool {
    (1900..=9999).contains(&time.year())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(json!("2024-02-29T12:00:00Z"), "2024-02-29T12:00:00Z")]
    #[case(json!("2024-02-29T12:00:00+02:00"), "2024-02-29T10:00:00Z")]
    #[case(json!("2024-02-29T12:00:00 02:00"), "2024-02-29T10:00:00Z")]
    #[case(json!("2024-02-29T12:00:00"), "2024-02-29T12:00:00Z")]
    #[case(json!("20240229T120000Z"), "2024-02-29T12:00:00Z")]
    #[case(json!("2024-02-29"), "2024-02-29T00:00:00Z")]
    #[case(json!("20240229"), "2024-02-29T00:00:00Z")]
    #[case(json!("1969-07-20"), "1969-07-20T00:00:00Z")]
    #[case(json!(1_709_208_000_000_i64), "2024-02-29T12:00:00Z")]
    #[case(json!("1709208000000"), "2024-02-29T12:00:00Z")]
    #[case(json!(100_000_000_000_i64), "1973-03-03T09:46:40Z")]
    fn times_come_in_every_form(#[case] value: Value, #[case] expected: &str) {
        assert_eq!(parse(&value, DayEnd::Start).map(shown).as_deref(), Ok(expected));
    }

    #[test]
    fn the_end_of_a_day_is_its_last_millisecond() {
        for text in ["2024-02-29", "20240229"] {
            let end = parse_text(text, DayEnd::End).unwrap();
            assert_eq!(end.timestamp_millis(), 1_709_251_199_999);
        }
    }

    #[rstest]
    #[case(json!(1_672_531_200), "looks like epoch seconds (2023-01-01T00:00:00Z): multiply it by 1000")]
    #[case(json!("1672531200"), "looks like epoch seconds")]
    #[case(json!(99_999_999_999_i64), "looks like epoch seconds")]
    #[case(json!(20_230_101), "looks like a date: write it as \"2023-01-01\"")]
    #[case(json!(2023), "looks like a year: \"2023-01-01\" is a date")]
    #[case(json!(-1), "is negative: give a time before 1970 as RFC 3339")]
    #[case(json!("-1672531200000"), "is negative")]
    #[case(json!(0), "is too small")]
    #[case(json!(20_231_301), "is too small")]
    #[case(json!(1_672_531_200_000_000_i64), "looks like microseconds or nanoseconds")]
    fn a_number_in_another_unit_is_told_what_it_looks_like(
        #[case] value: Value,
        #[case] expected: &str,
    ) {
        let message = parse(&value, DayEnd::Start).unwrap_err();
        assert!(message.contains(expected), "{message}");
    }

    #[rstest]
    #[case(json!("2024-13-01"))]
    #[case(json!("20241301"))]
    #[case(json!("soon"))]
    #[case(json!(true))]
    #[case(json!(1.5))]
    #[case(json!("1899-12-31"))]
    fn what_is_no_time_is_refused(#[case] value: Value) {
        assert!(parse(&value, DayEnd::Start).is_err());
    }
}
