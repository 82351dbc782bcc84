//! One time as text: `2024-01-02 15:30`, `02.01.2024`, `01/02/2024 3:30 PM`, `20240102 153000`, `Jan 2, 2024`, with or without offset.

use chrono::NaiveDate;

const HOUR_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;
pub(super) const DAY_MS: i64 = 86_400_000;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// A date and a time of day as they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) date: Date,
    /// Since midnight.
    pub(super) clock_ms: i64,
    /// From UTC, if one is written.
    pub(super) offset_ms: Option<i64>,
}

/// A date, which may be readable in two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Date {
    /// Days since 1970-01-01.
    Known(i64),
    /// Day and month in an order that the file decides.
    TwoOf { first: u32, second: u32, year: i32, has_dots: bool },
}

impl Moment {
    /// Parses a text; `None` if it is no time.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = Scanner { rest: text.trim() };
        let date = rest.date()?;
        rest.between_date_and_clock();
        let clock_ms = rest.clock()?;
        let offset_ms = rest.offset()?;
        rest.rest.is_empty().then_some(Self { date, clock_ms, offset_ms })
    }
}

/// Days since 1970-01-01 of a date between the years 1800 and 2200.
pub(super) fn days(year: i32, month: u32, day: u32) -> Option<i64> {
    let date = NaiveDate::from_ymd_opt(year, month, day)?;
    (1800..=2200).contains(&year).then_some(())?;
    Some(date.signed_duration_since(NaiveDate::default()).num_days())
}

/// Days since 1970-01-01 of `YYYYMMDD`.
pub(super) fn basic_days(number: i64) -> Option<i64> {
    let part = |divisor: i64, modulus: i64| u32::try_from(number / divisor % modulus).ok();
    days(i32::try_from(number / 10_000).ok()?, part(100, 100)?, part(1, 100)?)
}

struct Scanner<'a> {
    rest: &'a str,
}

impl Scanner<'_> {
    /// Takes as many digits as there are, at most nine: their number and how many they are.
    fn digits(&mut self) -> Option<(u32, usize)> {
        let length = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let number = self.rest.get(..length).filter(|_| (1..=9).contains(&length))?.parse().ok()?;
        self.rest = &self.rest[length..];
        Some((number, length))
    }

    fn take(&mut self, text: &str) -> bool {
        let found = self.rest.strip_prefix(text);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    fn take_word(&mut self, word: &str) -> bool {
        let is_there = self.rest.get(..word.len()).is_some_and(|s| s.eq_ignore_ascii_case(word));
        if is_there {
            self.rest = &self.rest[word.len()..];
        }
        is_there
    }

    fn spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn separator(&mut self) -> Option<char> {
        let separator = self.rest.chars().next()?;
        matches!(separator, '-' | '/' | '.' | ' ').then(|| self.rest = &self.rest[1..])?;
        Some(separator)
    }

    /// The number of a month that is written as a word.
    fn month_name(&mut self) -> Option<u32> {
        let length = self.rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let word = self.rest.get(..length)?;
        let short = word.get(..3)?.to_ascii_lowercase();
        let month = MONTHS.iter().position(|month| *month == short)?;
        self.rest = &self.rest[length..];
        u32::try_from(month + 1).ok()
    }

    fn date(&mut self) -> Option<Date> {
        if let Some(month) = self.month_name() {
            self.separator();
            let (day, _) = self.digits()?;
            self.take(",");
            self.spaces();
            return self.year().and_then(|year| days(year, month, day)).map(Date::Known);
        }
        let (first, length) = self.digits()?;
        if length == 8 {
            return basic_days(i64::from(first)).map(Date::Known);
        }
        let separator = self.separator()?;
        let (second, is_name) = match self.month_name() {
            Some(month) => (month, true),
            None => (self.digits()?.0, false),
        };
        if self.separator()? != separator {
            return None;
        }
        if length == 4 {
            let (day, _) = self.digits()?;
            let year = i32::try_from(first).ok()?;
            return days(year, second, day).map(Date::Known);
        }
        let year = self.year()?;
        if is_name {
            return days(year, second, first).map(Date::Known);
        }
        let is_date = days(year, second, first).or_else(|| days(year, first, second)).is_some();
        is_date.then_some(Date::TwoOf { first, second, year, has_dots: separator == '.' })
    }

    /// A year of four digits: with two, nobody knows what is the year.
    fn year(&mut self) -> Option<i32> {
        let (year, length) = self.digits()?;
        i32::try_from(year).ok().filter(|_| length == 4)
    }

    fn between_date_and_clock(&mut self) {
        self.take(",");
        if !self.take("T") {
            self.spaces();
        }
    }

    /// The time of day; midnight if there is none.
    fn clock(&mut self) -> Option<i64> {
        if !self.rest.starts_with(|first: char| first.is_ascii_digit()) {
            return Some(0);
        }
        let (number, length) = self.digits()?;
        let [mut hour, minute, second] = match length {
            6 => [number / 10_000, number / 100 % 100, number % 100],
            3 | 4 => [number / 100, number % 100, 0],
            1 | 2 if self.take(":") => {
                let (minute, _) = self.digits()?;
                let second = if self.take(":") { self.digits()?.0 } else { 0 };
                [number, minute, second]
            }
            // An hour alone, as in `11-PM`.
            1 | 2 if self.take("-") || self.take(" ") => [number, 0, 0],
            _ => return None,
        };
        let ms = self.fraction_ms();
        self.spaces();
        let (am, pm) = (self.take_word("AM"), self.take_word("PM"));
        if am || pm {
            hour = (1..=12).contains(&hour).then(|| hour % 12 + if pm { 12 } else { 0 })?;
        }
        let is_clock = hour < 24 && minute < 60 && second < 60;
        let (hour, minute, second) = (i64::from(hour), i64::from(minute), i64::from(second));
        is_clock.then_some(hour * HOUR_MS + minute * MINUTE_MS + second * 1000 + ms)
    }

    /// Milliseconds behind a point; what is finer is cut.
    fn fraction_ms(&mut self) -> i64 {
        if !self.take(".") {
            return 0;
        }
        let length = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let digits = self.rest.bytes().take(length).chain(std::iter::repeat(b'0'));
        let ms = digits.take(3).fold(0, |ms, digit| ms * 10 + i64::from(digit - b'0'));
        self.rest = &self.rest[length..];
        ms
    }

    /// `Z`, `UTC`, `GMT+0100`, `+01:00`, or nothing.
    fn offset(&mut self) -> Option<Option<i64>> {
        self.spaces();
        let has_zone = self.take_word("UTC") || self.take_word("GMT") || self.take("Z");
        let sign = if self.take("+") {
            1
        } else if self.take("-") {
            -1
        } else {
            return Some(has_zone.then_some(0));
        };
        let (number, length) = self.digits()?;
        let (hours, minutes) = match length {
            1 | 2 => (number, if self.take(":") { self.digits()?.0 } else { 0 }),
            4 => (number / 100, number % 100),
            _ => return None,
        };
        let offset = i64::from(hours) * HOUR_MS + i64::from(minutes) * MINUTE_MS;
        (hours <= 15 && minutes < 60).then_some(Some(sign * offset))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    // 2024-01-02 is day 19724.
    #[rstest]
    #[case("2024-01-02", 0, None)]
    #[case("2024-01-02T15:30:00Z", 55_800_000, Some(0))]
    #[case("2024-01-02 15:30", 55_800_000, None)]
    #[case("2024-01-02 15:30:00.250", 55_800_250, None)]
    #[case("2024-01-02 15:30:00-05:00", 55_800_000, Some(-18_000_000))]
    #[case("2024-01-02 15:30:00+0530", 55_800_000, Some(19_800_000))]
    #[case("2024.01.02 15:30:00", 55_800_000, None)]
    #[case("2024/1/2 3:30 PM", 55_800_000, None)]
    #[case("20240102", 0, None)]
    #[case("20240102 153000", 55_800_000, None)]
    #[case("20240102T153000Z", 55_800_000, Some(0))]
    #[case("2024-01-02 03-PM", 54_000_000, None)]
    #[case("2024-01-02 12-AM", 0, None)]
    #[case("2024-01-02 15:30:00 UTC", 55_800_000, Some(0))]
    #[case("Jan 2, 2024", 0, None)]
    #[case("02-Jan-2024", 0, None)]
    #[case("2 January 2024 15:30", 55_800_000, None)]
    #[case("2024-Jan-02", 0, None)]
    fn a_time_is_read(#[case] text: &str, #[case] clock_ms: i64, #[case] offset_ms: Option<i64>) {
        let expected = Moment { date: Date::Known(19_724), clock_ms, offset_ms };
        assert_eq!(Moment::parse(text), Some(expected), "{text}");
    }

    #[rstest]
    #[case("02.01.2024 15:30", true)]
    #[case("02/01/2024 15:30:00.000", false)]
    #[case("02-01-2024T15:30 GMT+0000", false)]
    fn a_date_with_its_year_at_the_end_has_two_readings(#[case] text: &str, #[case] dots: bool) {
        let moment = Moment::parse(text).unwrap();
        let date = Date::TwoOf { first: 2, second: 1, year: 2024, has_dots: dots };
        assert_eq!((moment.date, moment.clock_ms), (date, 55_800_000));
    }

    #[rstest]
    #[case("")]
    #[case("soon")]
    #[case("2024-13-01")]
    #[case("2024-02-30")]
    #[case("32/13/2024")]
    #[case("01/02/24")]
    #[case("2024-01-02 24:00")]
    #[case("2024-01-02 13:00 PM")]
    #[case("2024-01-02 15:30 EST")]
    #[case("2024-01-02 15")]
    #[case("2024-01/02")]
    #[case("99999999")]
    #[case("1704153600")]
    #[case("é")]
    fn what_is_no_time_is_none(#[case] text: &str) {
        assert_eq!(Moment::parse(text), None, "{text}");
    }
}
