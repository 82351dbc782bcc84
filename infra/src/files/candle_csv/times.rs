//! The column of times: one unit, one order of day and month, one reading for the whole file.

use std::collections::BTreeMap;

use domain::market::Timeframe;

use super::moment::{DAY_MS, Date, Moment, basic_days, days};

/// Times of candles lie between the years 1800 and 2200.
const MS_MIN: i64 = -5_364_662_400_000;
const MS_MAX: i64 = 7_289_654_399_999;
/// The first second of the year 2201.
const SECONDS_END: u64 = 7_289_654_400;
/// Packs clock and offset below a date: more than a day and both offsets.
const CLOCK_SPAN: i64 = 4 * DAY_MS;

/// How a file writes its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Numbers: an epoch in some unit, or dates without separators.
    Number,
    /// Dates that can be read in one way only.
    Calendar,
    /// Dates that begin with day and month, or month and day.
    YearLast,
}

/// What a file's times say about themselves: how many have each shape, and what tells day from month.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Evidence {
    numbers: u64,
    calendars: u64,
    year_lasts: u64,
    first_above_12: u64,
    second_above_12: u64,
    has_dots: bool,
    /// Times at midnight of an offset other than UTC.
    local_midnights: u64,
}

impl Evidence {
    /// The shape of most times; `None` before there is any.
    pub(super) fn shape(&self) -> Option<Shape> {
        let all = [
            (self.numbers, Shape::Number),
            (self.calendars, Shape::Calendar),
            (self.year_lasts, Shape::YearLast),
        ];
        let most = all.into_iter().max_by_key(|(count, _)| *count);
        most.filter(|(count, _)| *count > 0).map(|(_, shape)| shape)
    }

    /// Whether these are days by the calendar of an exchange's own zone: (nearly) all times are midnights there.
    pub(super) const fn has_local_days(&self) -> bool {
        let others = self.calendars + self.year_lasts - self.local_midnights;
        self.local_midnights > 0 && others * 1000 <= self.local_midnights
    }

    /// Parses one time as a raw value of the column, which [`resolve`] turns into milliseconds. With `local_days` an offset is
    /// left out. `None` if it is no time, or not one of this shape.
    pub(super) fn read(
        &mut self,
        text: &str,
        shape: Option<Shape>,
        local_days: bool,
    ) -> Option<i64> {
        if let Some(number) = whole_number(text) {
            self.numbers += 1;
            return (shape? == Shape::Number).then_some(number);
        }
        let Moment { date, clock_ms, offset_ms } = Moment::parse(text)?;
        let offset_ms = offset_ms.unwrap_or(0);
        self.local_midnights += u64::from(clock_ms == 0 && offset_ms != 0);
        let clock = if local_days { clock_ms } else { clock_ms - offset_ms };
        match date {
            Date::Known(day) => {
                self.calendars += 1;
                (shape? == Shape::Calendar).then_some(day * DAY_MS + clock)
            }
            Date::TwoOf { first, second, year, has_dots } => {
                self.year_lasts += 1;
                self.first_above_12 += u64::from(first > 12);
                self.second_above_12 += u64::from(second > 12);
                self.has_dots = has_dots;
                (shape? == Shape::YearLast).then(|| pack(first, second, year, clock))
            }
        }
    }
}

/// The unit of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl Unit {
    const ALL: [Self; 4] =
        [Self::Seconds, Self::Milliseconds, Self::Microseconds, Self::Nanoseconds];

    /// How many of it a second has.
    const fn per_second(self) -> i64 {
        match self {
            Self::Seconds => 1,
            Self::Milliseconds => 1_000,
            Self::Microseconds => 1_000_000,
            Self::Nanoseconds => 1_000_000_000,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Seconds => "epoch seconds",
            Self::Milliseconds => "epoch milliseconds",
            Self::Microseconds => "epoch microseconds",
            Self::Nanoseconds => "epoch nanoseconds",
        }
    }

    fn ms(self, raw: i64) -> Option<i64> {
        let ms = match self {
            Self::Seconds => raw.checked_mul(1_000)?,
            Self::Milliseconds => raw,
            Self::Microseconds => raw.div_euclid(1_000),
            Self::Nanoseconds => raw.div_euclid(1_000_000),
        };
        (MS_MIN..=MS_MAX).contains(&ms).then_some(ms)
    }

    /// The unit in which neighbours lie a timeframe apart; otherwise the one in which the times are of our days.
    fn of(raw: &[i64]) -> Self {
        let distance = usual_distance(raw);
        let is_timeframe = |unit: &Self| {
            let of = |timeframe: Timeframe| timeframe.duration_ms() / 1_000 * unit.per_second();
            distance.is_some_and(|distance| Timeframe::ALL.into_iter().any(|t| of(t) == distance))
        };
        // The first in which the time lies before the year 2200.
        let by_size = |size: u64| {
            let is_ours = |unit: &Self| size / unit.per_second().unsigned_abs() < SECONDS_END;
            Self::ALL.into_iter().find(is_ours).unwrap_or(Self::Nanoseconds)
        };
        // The median, so that one wrong time decides nothing.
        let mut sizes: Vec<u64> = raw.iter().map(|raw| raw.unsigned_abs()).collect();
        let middle = sizes.len() / 2;
        let by_size = || by_size(*sizes.select_nth_unstable(middle).1);
        Self::ALL.into_iter().find(is_timeframe).unwrap_or_else(by_size)
    }
}

/// Reads a raw value as milliseconds.
type Read = fn(i64) -> Option<i64>;

/// A column of times, read.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    /// Rows whose time does not fit the others, by index.
    pub(super) bad: Vec<usize>,
    /// What the times are, for people.
    pub(super) format: &'static str,
}

/// Turns raw values into epoch milliseconds, all of them in the same way. `None` if day and month cannot be told apart.
pub(super) fn resolve(raw: &mut [i64], shape: Shape, evidence: &Evidence) -> Option<Resolved> {
    match shape {
        Shape::Calendar => {
            Some(convert(raw, "dates", |ms| (MS_MIN..=MS_MAX).contains(&ms).then_some(ms)))
        }
        Shape::YearLast => {
            let is_day_first = is_day_first(raw, evidence)?;
            let format = if is_day_first { "dates, day first" } else { "dates, month first" };
            Some(convert(raw, format, |raw| unpack(raw, is_day_first)))
        }
        Shape::Number => Some(resolve_numbers(raw)),
    }
}

fn resolve_numbers(raw: &mut [i64]) -> Resolved {
    let basic: [(&'static str, Read); 3] = [
        ("dates as YYYYMMDD", |raw| Some(basic_days(raw)? * DAY_MS)),
        ("dates as YYYYMMDDHHMM", |raw| basic_time(raw.checked_mul(100)?)),
        ("dates as YYYYMMDDHHMMSS", basic_time),
    ];
    for (format, read) in basic {
        let good = raw.iter().filter(|raw| read(**raw).is_some()).count();
        // All but one in a thousand: a number that happens to be a date decides nothing.
        if good > 0 && (raw.len() - good) * 1000 <= raw.len() {
            return convert(raw, format, read);
        }
    }
    if raw.is_empty() {
        return Resolved::default();
    }
    let unit = Unit::of(raw);
    convert(raw, unit.name(), |raw| unit.ms(raw))
}

fn convert(raw: &mut [i64], format: &'static str, read: impl Fn(i64) -> Option<i64>) -> Resolved {
    let mut bad = Vec::new();
    for (index, value) in raw.iter_mut().enumerate() {
        match read(*value) {
            Some(ms) => *value = ms,
            None => bad.push(index),
        }
    }
    Resolved { bad, format }
}

/// Milliseconds of `YYYYMMDDHHMMSS`.
fn basic_time(number: i64) -> Option<i64> {
    let (date, clock) = (number.div_euclid(1_000_000), number.rem_euclid(1_000_000));
    let (hour, minute, second) = (clock / 10_000, clock / 100 % 100, clock % 100);
    let ms = ((hour * 60 + minute) * 60 + second) * 1_000;
    (hour < 24 && minute < 60 && second < 60).then_some(basic_days(date)? * DAY_MS + ms)
}

/// Whether the day comes before the month. `None` if both readings are as good.
fn is_day_first(raw: &[i64], evidence: &Evidence) -> Option<bool> {
    match evidence.first_above_12.cmp(&evidence.second_above_12) {
        std::cmp::Ordering::Greater => return Some(true),
        std::cmp::Ordering::Less => return Some(false),
        std::cmp::Ordering::Equal => {}
    }
    // In the right order the candles follow each other, and cover days rather than months.
    let span = |is_day_first| {
        let read: Option<Vec<i64>> = raw.iter().map(|raw| unpack(*raw, is_day_first)).collect();
        let mut times = read?;
        if times.first() > times.last() {
            times.reverse();
        }
        let usual = usual_distance(&times)?;
        let is_timeframe = Timeframe::ALL.iter().any(|timeframe| timeframe.duration_ms() == usual);
        let span = times.last()? - times.first()?;
        (times.is_sorted() && is_timeframe).then_some(span)
    };
    match (span(true), span(false)) {
        (Some(day_first), Some(month_first)) if day_first != month_first => {
            Some(day_first < month_first)
        }
        (Some(_), None) => Some(true),
        (None, Some(_)) => Some(false),
        // Points are written where the day comes first.
        _ => evidence.has_dots.then_some(true),
    }
}

/// The distance at which most neighbours in time lie; the smallest of several.
pub(super) fn usual_distance(times: &[i64]) -> Option<i64> {
    let sorted;
    let ordered = if times.is_sorted() {
        times
    } else {
        let mut copy = times.to_vec();
        copy.sort_unstable();
        sorted = copy;
        &sorted
    };
    let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
    for pair in ordered.windows(2) {
        if let Some(distance @ 1..) = pair[1].checked_sub(pair[0]) {
            *counts.entry(distance).or_default() += 1;
        }
    }
    let most = counts.into_iter().rev().max_by_key(|(_, count)| *count);
    most.map(|(distance, _)| distance)
}

/// A whole number; a fraction of zeros belongs to one.
fn whole_number(text: &str) -> Option<i64> {
    let whole = match text.split_once('.') {
        Some((whole, zeros)) if zeros.bytes().all(|byte| byte == b'0') => whole,
        Some(_) => return scientific(text),
        None => text,
    };
    whole.parse().ok().or_else(|| scientific(text))
}

/// `1.7041536e+12`, as spreadsheets write large numbers.
#[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
fn scientific(text: &str) -> Option<i64> {
    let number: f64 = text.contains(['e', 'E']).then(|| text.parse().ok())??;
    (number.abs() < 9e15 && number.fract() == 0.0).then_some(number as i64)
}

fn pack(first: u32, second: u32, year: i32, clock: i64) -> i64 {
    let date = i64::from(year) * 10_000 + i64::from(first) * 100 + i64::from(second);
    date * CLOCK_SPAN + clock + DAY_MS
}

fn unpack(raw: i64, is_day_first: bool) -> Option<i64> {
    let (date, clock) = (raw.div_euclid(CLOCK_SPAN), raw.rem_euclid(CLOCK_SPAN) - DAY_MS);
    let (first, second) = (u32::try_from(date / 100 % 100).ok()?, u32::try_from(date % 100).ok()?);
    let (day, month) = if is_day_first { (first, second) } else { (second, first) };
    Some(days(i32::try_from(date / 10_000).ok()?, month, day)? * DAY_MS + clock)
}
