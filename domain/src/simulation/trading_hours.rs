//! When markets trade: which missing candles are gaps, which are closures, and which weekdays may have been holidays.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate};

use super::calendar::{DAY_MS, trades_on_weekends};
use crate::market::{MarketKind, Timeframe};

const HOUR_MS: i64 = 3_600_000;
const WEEK_MS: i64 = 7 * DAY_MS;
/// How many gaps are named; all of them are counted.
const NAMED_MAX: usize = 20;
/// The most weekdays in a row that may be holidays: Chinese New Year and the Golden Week take a week. More are a gap.
const HOLIDAYS_MAX: i64 = 5;

/// What is missing from a series, apart from the hours in which its market is closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gaps {
    pub count: u64,
    /// Candles missing in all gaps.
    pub missing: u64,
    /// Opening times (epoch ms) of the candles on both sides of the longest gap.
    pub longest: Option<(i64, i64)>,
    /// The same of the first few gaps.
    pub named: Vec<(i64, i64)>,
    /// Weekdays without candles on a market of equities: holidays, unless something is missing.
    pub possible_holidays: u64,
}

impl Gaps {
    /// Finds the gaps of ascending opening times (epoch ms). A crypto market never closes. An FX market is closed from
    /// Friday 22:00 to Sunday 22:00 UTC (from 21:00 while New York has daylight saving time: the week ends there at 17:00).
    /// A market of equities has its own first and last candle each day, and its own breaks; weekdays without candles are
    /// possible holidays, unless there are more than five in a row.
    #[must_use]
    pub fn find(open_time: &[i64], timeframe: Timeframe, kind: MarketKind) -> Self {
        let step = timeframe.duration_ms();
        let mut gaps = Self::default();
        let apart = open_time.windows(2).filter(|pair| pair[1] - pair[0] > step);
        match kind {
            MarketKind::Crypto => {
                for pair in apart {
                    gaps.add(pair[0], pair[1], (pair[1] - pair[0]) / step - 1);
                }
            }
            MarketKind::Fiat => {
                for pair in apart {
                    let closed = closed_openings(pair[0], pair[1], step);
                    gaps.add(pair[0], pair[1], (pair[1] - pair[0]) / step - 1 - closed);
                }
            }
            MarketKind::Equity => gaps.find_of_equity(open_time, step),
        }
        gaps
    }

    fn add(&mut self, from: i64, to: i64, missing: i64) {
        let Ok(missing @ 1..) = u64::try_from(missing) else { return };
        self.count += 1;
        self.missing += missing;
        if self.longest.is_none_or(|(start, end)| to - from > end - start) {
            self.longest = Some((from, to));
        }
        if self.named.len() < NAMED_MAX {
            self.named.push((from, to));
        }
    }

    fn find_of_equity(&mut self, open_time: &[i64], step: i64) {
        let days = distinct_days(open_time).max(1);
        let candles_a_day = i64::try_from(open_time.len()).unwrap_or(i64::MAX) / days;
        let breaks = breaks(open_time, step);
        for pair in open_time.windows(2).filter(|pair| pair[1] - pair[0] > step) {
            let (from, to) = (pair[0], pair[1]);
            if same_day(from, to) {
                let seen = breaks.get(&time_of_day(from, to)).copied().unwrap_or(0);
                // A pause on every fifth day or more is the market's own: lunch, or two halves of the year.
                if seen < 2 || seen * 5 < days {
                    self.add(from, to, (to - from) / step - 1);
                }
                continue;
            }
            let weekdays = weekdays_between(from.div_euclid(DAY_MS), to.div_euclid(DAY_MS));
            if weekdays > HOLIDAYS_MAX {
                self.add(from, to, weekdays * candles_a_day.max(1));
            } else {
                self.possible_holidays += weekdays.unsigned_abs();
            }
        }
    }
}

/// Tells the kind of market from its opening times (epoch ms), for candles that belong to no known market: crypto trades on
/// weekends, FX on Sunday evenings or around the clock, everything else counts as equities.
#[must_use]
pub fn guess_kind(open_time: &[i64], timeframe: Timeframe) -> MarketKind {
    if trades_on_weekends(open_time) {
        return MarketKind::Crypto;
    }
    let mut hours = [false; 24];
    let mut on_sunday = 0;
    for time in open_time {
        on_sunday += usize::from(weekday(time.div_euclid(DAY_MS)) == 0);
        let hour = usize::try_from(time.rem_euclid(DAY_MS) / HOUR_MS).unwrap_or_default();
        hours[hour] = true;
    }
    let covered = hours.iter().filter(|is_there| **is_there).count();
    let slot_hours = usize::try_from(timeframe.duration_ms() / HOUR_MS).unwrap_or(1).max(1);
    let around_the_clock = timeframe != Timeframe::OneDay && covered * slot_hours >= 20;
    // A week of FX hours has two on Sunday, of 120.
    if around_the_clock || on_sunday * 200 > open_time.len() {
        MarketKind::Fiat
    } else {
        MarketKind::Equity
    }
}

/// The day of the week of a day since 1970-01-01, which was a Thursday; Sunday is 0.
const fn weekday(day: i64) -> i64 {
    (day + 4).rem_euclid(7)
}

const fn same_day(one: i64, other: i64) -> bool {
    one.div_euclid(DAY_MS) == other.div_euclid(DAY_MS)
}

const fn time_of_day(from: i64, to: i64) -> (i64, i64) {
    (from.rem_euclid(DAY_MS), to.rem_euclid(DAY_MS))
}

fn distinct_days(open_time: &[i64]) -> i64 {
    let changes = open_time.windows(2).filter(|pair| !same_day(pair[0], pair[1])).count();
    i64::try_from(changes).unwrap_or(i64::MAX).saturating_add(1)
}

/// How often each pause within a day occurs, by its ends.
fn breaks(open_time: &[i64], step: i64) -> BTreeMap<(i64, i64), i64> {
    let mut breaks = BTreeMap::new();
    for pair in open_time.windows(2) {
        if pair[1] - pair[0] > step && same_day(pair[0], pair[1]) {
            *breaks.entry(time_of_day(pair[0], pair[1])).or_insert(0) += 1;
        }
    }
    breaks
}

/// Monday to Friday, strictly between two days since 1970-01-01.
fn weekdays_between(first: i64, last: i64) -> i64 {
    // Weekdays from the epoch up to a day; the epoch's week began on Sunday, four days earlier.
    let before = |day: i64| {
        let (weeks, rest) = ((day + 4).div_euclid(7), (day + 4).rem_euclid(7));
        weeks * 5 + (rest - 1).clamp(0, 5)
    };
    (before(last) - before(first + 1)).max(0)
}

/// How many openings strictly between two neighbours fall into weekends of FX.
fn closed_openings(from: i64, to: i64, step: i64) -> i64 {
    // Openings from `from` on that lie before a time.
    let before = |time: i64| (time.clamp(from + 1, to) - from - 1).div_euclid(step);
    // Midnight of the Sunday after `from` or on its day.
    let day = from.div_euclid(DAY_MS);
    let mut sunday = (day + (7 - weekday(day)) % 7) * DAY_MS;
    let mut closed = 0;
    while sunday - 2 * DAY_MS < to {
        let closing =
            sunday - 2 * DAY_MS + if in_daylight_saving(sunday) { 21 } else { 22 } * HOUR_MS;
        closed += before(sunday + 22 * HOUR_MS) - before(closing);
        sunday += WEEK_MS;
    }
    closed
}

/// Whether New York had daylight saving time on the Friday before a Sunday at 00:00 UTC (epoch ms): since 2007 from the second
/// Sunday of March to the first of November.
fn in_daylight_saving(sunday: i64) -> bool {
    let Some(friday) = DateTime::from_timestamp_millis(sunday - 2 * DAY_MS) else { return false };
    let friday = friday.date_naive();
    let nth_sunday = |month, nth: u8| {
        NaiveDate::from_weekday_of_month_opt(friday.year(), month, chrono::Weekday::Sun, nth)
    };
    let (begin, end) = (nth_sunday(3, 2), nth_sunday(11, 1));
    begin.zip(end).is_some_and(|(begin, end)| begin <= friday && friday < end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
    }

    /// Hourly openings between two times, the second left out.
    fn hours(from: &str, to: &str) -> Vec<i64> {
        (ms(from)..ms(to)).step_by(3_600_000).collect()
    }

    fn find(open_time: &[i64], timeframe: Timeframe, kind: MarketKind) -> (u64, u64, u64) {
        let gaps = Gaps::find(open_time, timeframe, kind);
        (gaps.count, gaps.missing, gaps.possible_holidays)
    }

    #[test]
    fn crypto_never_closes() {
        let mut times = hours("2024-01-05T00:00:00Z", "2024-01-09T00:00:00Z");
        assert_eq!(find(&times, Timeframe::OneHour, MarketKind::Crypto), (0, 0, 0));
        times.drain(30..33);
        assert_eq!(find(&times, Timeframe::OneHour, MarketKind::Crypto), (1, 3, 0));
    }

    #[test]
    fn fx_is_closed_from_friday_to_sunday_at_22() {
        let mut times = hours("2024-01-03T00:00:00Z", "2024-01-05T22:00:00Z");
        times.extend(hours("2024-01-07T22:00:00Z", "2024-01-10T00:00:00Z"));
        assert_eq!(find(&times, Timeframe::OneHour, MarketKind::Fiat), (0, 0, 0));
        let opening = times.iter().position(|time| *time == ms("2024-01-07T22:00:00Z")).unwrap();
        // The last hour before and the first after the weekend, which are one gap.
        times.drain(opening - 1..=opening);
        assert_eq!(find(&times, Timeframe::OneHour, MarketKind::Fiat), (1, 2, 0));
        times.drain(5..7);
        assert_eq!(find(&times, Timeframe::OneHour, MarketKind::Fiat), (2, 4, 0));
    }

    #[test]
    fn the_week_of_fx_ends_an_hour_earlier_in_summer() {
        // 2024: daylight saving from March 10 to November 3.
        let weekend = |last: &str, next: &str| {
            find(&[ms(last), ms(next)], Timeframe::OneHour, MarketKind::Fiat)
        };
        assert_eq!(weekend("2024-03-08T20:00:00Z", "2024-03-10T22:00:00Z"), (1, 1, 0));
        assert_eq!(weekend("2024-03-15T20:00:00Z", "2024-03-17T21:00:00Z"), (0, 0, 0));
        assert_eq!(weekend("2024-11-01T20:00:00Z", "2024-11-03T22:00:00Z"), (0, 0, 0));
        assert_eq!(weekend("2024-11-08T20:00:00Z", "2024-11-10T22:00:00Z"), (1, 1, 0));
    }

    #[test]
    fn days_and_years_of_fx_count_their_weekends() {
        let day = |text| ms(text);
        let weekend = [day("2024-01-05T00:00:00Z"), day("2024-01-08T00:00:00Z")];
        assert_eq!(find(&weekend, Timeframe::OneDay, MarketKind::Fiat), (0, 0, 0));
        // 2023-01-02 is a Monday, 2024-01-01 one too: 52 weeks, so 5 × 52 days less the first.
        let year = [day("2023-01-02T00:00:00Z"), day("2024-01-01T00:00:00Z")];
        assert_eq!(find(&year, Timeframe::OneDay, MarketKind::Fiat), (1, 259, 0));
    }

    #[test]
    fn equities_have_their_own_hours_and_breaks() {
        let mut times = Vec::new();
        for day in ["02", "03", "04", "05", "08", "09"] {
            // Tokyo: two sessions.
            times.extend(hours(
                &format!("2024-01-{day}T00:00:00Z"),
                &format!("2024-01-{day}T03:00:00Z"),
            ));
            times.extend(hours(
                &format!("2024-01-{day}T04:00:00Z"),
                &format!("2024-01-{day}T06:00:00Z"),
            ));
        }
        assert_eq!(find(&times, Timeframe::OneHour, MarketKind::Equity), (0, 0, 0));
        times.retain(|time| *time != ms("2024-01-04T01:00:00Z"));
        assert_eq!(find(&times, Timeframe::OneHour, MarketKind::Equity), (1, 1, 0));
        // A whole day is missing, and one ended early.
        times.retain(|time| !same_day(*time, ms("2024-01-05T00:00:00Z")));
        times.retain(|time| *time != ms("2024-01-08T05:00:00Z"));
        assert_eq!(find(&times, Timeframe::OneHour, MarketKind::Equity), (1, 1, 1));
    }

    #[test]
    fn missing_weekdays_of_equities_are_possible_holidays_unless_they_are_many() {
        let days = |first: &str, next: &str| {
            find(&[ms(first), ms(next)], Timeframe::OneDay, MarketKind::Equity)
        };
        assert_eq!(days("2024-01-05T00:00:00Z", "2024-01-08T00:00:00Z"), (0, 0, 0));
        assert_eq!(days("2024-03-28T00:00:00Z", "2024-04-01T00:00:00Z"), (0, 0, 1));
        // 2001: Tuesday to Friday.
        assert_eq!(days("2001-09-10T00:00:00Z", "2001-09-17T00:00:00Z"), (0, 0, 4));
        assert_eq!(days("2024-02-01T00:00:00Z", "2024-02-12T00:00:00Z"), (1, 6, 0));
    }

    #[test]
    fn the_kind_of_a_market_shows_in_its_hours() {
        let guess = |times: &[i64], timeframe| guess_kind(times, timeframe);
        let crypto = hours("2024-01-05T00:00:00Z", "2024-01-12T00:00:00Z");
        assert_eq!(guess(&crypto, Timeframe::OneHour), MarketKind::Crypto);
        let mut fx = hours("2024-01-03T00:00:00Z", "2024-01-05T22:00:00Z");
        assert_eq!(guess(&fx, Timeframe::OneHour), MarketKind::Fiat);
        fx.extend(hours("2024-01-07T22:00:00Z", "2024-01-10T00:00:00Z"));
        assert_eq!(guess(&fx, Timeframe::OneHour), MarketKind::Fiat);
        let shares = hours("2024-01-03T14:00:00Z", "2024-01-03T21:00:00Z");
        assert_eq!(guess(&shares, Timeframe::OneHour), MarketKind::Equity);
        let days: Vec<i64> = (1..6).map(|day| ms(&format!("2024-01-0{day}T00:00:00Z"))).collect();
        assert_eq!(guess(&days, Timeframe::OneDay), MarketKind::Equity);
    }
}
