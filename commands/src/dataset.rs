//! Which candles of a series a run uses: its range, and before it those that warm its indicators up.

use std::{ops::Range, sync::Arc};

use chrono::{DateTime, SecondsFormat, Utc};
use domain::{
    dataset::Dataset,
    market::{MarketKind, Timeframe},
    simulation::{
        Candles, Warning,
        hash::{Digest, dataset_sha256},
        settings::Warmup,
        trading_hours::guess_kind,
    },
};

const DAY_MS: i64 = 86_400_000;

/// Rows of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Warm-up and range.
    pub rows: Range<usize>,
    /// How many of them come before the range.
    pub warmup_rows: usize,
}

impl Selection {
    /// The candles from `start` to `end` (inclusive on their openings), and before them those that warm up rules of this
    /// first defined index ([`Warmup::rows`]), or as many as an earlier attempt pinned. `None` if the range is empty.
    #[must_use]
    pub fn new(
        series: &Candles,
        (start, end): (DateTime<Utc>, DateTime<Utc>),
        first_defined: usize,
        warmup: Warmup,
        pinned_rows: Option<u64>,
    ) -> Option<Self> {
        let range = range(series, Some(start), Some(end));
        let warmup_rows = match pinned_rows {
            Some(rows) => usize::try_from(rows).map_or(range.start, |rows| rows.min(range.start)),
            None => warmup.rows(first_defined, range.start),
        };
        let rows = range.start - warmup_rows..range.end;
        (!range.is_empty()).then_some(Self { rows, warmup_rows })
    }

    /// The selected candles; shared if that is all of them.
    fn candles(&self, series: &Arc<Candles>) -> Arc<Candles> {
        if self.rows == (0..series.len()) {
            return Arc::clone(series);
        }
        Arc::new(slice(series, self.rows.clone()))
    }

    /// The selected candles with their hash.
    #[must_use]
    pub fn take(&self, series: &Arc<Candles>) -> SelectedCandles {
        let candles = self.candles(series);
        let sha256 = dataset_sha256(&candles);
        SelectedCandles { candles, warmup_rows: self.warmup_rows, sha256 }
    }
}

/// Candles that a job is pinned to.
#[derive(Debug, Clone, PartialEq)]
pub struct SelectedCandles {
    /// Warm-up and range.
    pub candles: Arc<Candles>,
    /// How many of them come before the range.
    pub warmup_rows: usize,
    pub sha256: Digest,
}

impl SelectedCandles {
    /// What events say of them; `None` if they are none, or if one of the ends opens at no time.
    #[must_use]
    pub fn dataset(&self, revision: i64) -> Option<Dataset> {
        let count = |rows: usize| u64::try_from(rows).unwrap_or(u64::MAX);
        let time = |ms: &i64| DateTime::from_timestamp_millis(*ms);
        Some(Dataset {
            revision,
            rows: count(self.candles.len()),
            first: self.candles.open_time.first().and_then(time)?,
            last: self.candles.open_time.last().and_then(time)?,
            warmup_rows: count(self.warmup_rows),
            sha256: self.sha256.to_string(),
            fine: None,
        })
    }
}

/// The finer candles within the range of candles of `timeframe` that these are: from the first one's opening to the
/// end of the last one.
#[must_use]
pub fn finer_within(fine: &Candles, candles: &Candles, timeframe: Timeframe) -> Candles {
    let (Some(first), Some(last)) = (candles.open_time.first(), candles.open_time.last()) else {
        return Candles::default();
    };
    let end = last + timeframe.duration_ms();
    let from = fine.open_time.partition_point(|time| time < first);
    let to = fine.open_time.partition_point(|time| *time < end);
    slice(fine, from..to.max(from))
}

/// The rows whose opening lies between both ends, inclusive.
#[must_use]
pub fn range(
    series: &Candles,
    start: Option<DateTime<Utc>>,
    end: Option<DateTime<Utc>>,
) -> Range<usize> {
    let times = &series.open_time;
    let first =
        start.map_or(0, |start| times.partition_point(|time| *time < start.timestamp_millis()));
    let after = end
        .map_or(times.len(), |end| times.partition_point(|time| *time <= end.timestamp_millis()));
    first..after.max(first)
}

/// `range_not_covered`: the range that was asked for begins at least a candle before the series, or goes on after its last
/// candle has closed. Where the market rests on weekends, at least a weekday.
#[must_use]
pub fn range_not_covered(
    series: &Candles,
    timeframe: Timeframe,
    (start, end): (DateTime<Utc>, DateTime<Utc>),
) -> Option<Warning> {
    let times = &series.open_time;
    let (first, last) = (*times.first()?, *times.last()?);
    let (from, to) = (start.timestamp_millis(), end.timestamp_millis());
    let step = timeframe.duration_ms();
    if first.saturating_sub(from) < step && to < last.saturating_add(step) {
        return None;
    }
    if guess_kind(times, timeframe) != MarketKind::Crypto {
        // One of three days in a row is a weekday.
        let (first_day, last_day) = (first.div_euclid(DAY_MS), last.div_euclid(DAY_MS));
        let is_early = |days| is_weekday(first_day - days) && (first_day - days) * DAY_MS >= from;
        let is_late = |days| is_weekday(last_day + days) && (last_day + days) * DAY_MS <= to;
        if !(1..=3).any(|days| is_early(days) || is_late(days)) {
            return None;
        }
    }
    let run = times.get(range(series, Some(start), Some(end)))?;
    let of = |ms: &i64| DateTime::from_timestamp_millis(*ms).map(shown);
    let message = format!(
        "the range is {} to {}, and the candles of the run open from {} to {}",
        shown(start),
        shown(end),
        of(run.first()?)?,
        of(run.last()?)?
    );
    Some(Warning::new("range_not_covered", message))
}

/// Returns whether a day is a weekday. Days are counted from 1970-01-01, a Thursday.
const fn is_weekday(day: i64) -> bool {
    !matches!((day + 4).rem_euclid(7), 0 | 6)
}

fn shown(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// A copy of these rows.
#[must_use]
pub fn slice(series: &Candles, rows: Range<usize>) -> Candles {
    Candles {
        open_time: series.open_time[rows.clone()].to_vec(),
        open: series.open[rows.clone()].to_vec(),
        high: series.high[rows.clone()].to_vec(),
        low: series.low[rows.clone()].to_vec(),
        close: series.close[rows.clone()].to_vec(),
        volume: series.volume[rows].to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use domain::market::Candle;

    use super::*;

    #[test]
    fn a_range_beyond_the_candles_says_what_is_run() {
        // Ten days from Thursday 1970-01-01 on, weekends too.
        let message = |start, end| {
            let found = range_not_covered(&daily(10), Timeframe::OneDay, (day(start), day(end)));
            found.map(|warning| warning.message)
        };
        assert_eq!((message(0, 9), message(2, 5)), (None, None));
        assert_eq!(
            message(-1, 9).unwrap(),
            "the range is 1969-12-31T00:00:00Z to 1970-01-10T00:00:00Z, and the candles of the run open from \
             1970-01-01T00:00:00Z to 1970-01-10T00:00:00Z"
        );
        assert_eq!(
            message(3, 10).unwrap(),
            "the range is 1970-01-04T00:00:00Z to 1970-01-11T00:00:00Z, and the candles of the run open from \
             1970-01-04T00:00:00Z to 1970-01-10T00:00:00Z"
        );
    }

    #[test]
    fn the_last_candle_lasts_until_the_next_one_opens() {
        let covered = |end| range_not_covered(&daily(10), Timeframe::OneDay, (day(0), end));
        assert_eq!(covered(day(10) - TimeDelta::milliseconds(1)), None);
        assert!(covered(day(10)).is_some());
        // The first candle that was asked for would have opened at the start or later.
        let start = day(0) - TimeDelta::hours(23);
        assert_eq!(range_not_covered(&daily(10), Timeframe::OneDay, (start, day(9))), None);
    }

    #[test]
    fn weekends_of_a_market_that_rests_on_them_are_covered() {
        // Monday 1970-01-05 to Friday 1970-01-09.
        let week = slice(&daily(10), 4..9);
        let covered = |start, end| range_not_covered(&week, Timeframe::OneDay, (start, end));
        assert_eq!(covered(day(2), day(11) - TimeDelta::milliseconds(1)), None);
        assert!(covered(day(1), day(8)).is_some());
        assert!(covered(day(4), day(11)).is_some());
        // Shares from 14:00 to 20:00: the evening belongs to the day.
        let hours: Candles = (0..5)
            .flat_map(|day| (14..20).map(move |hour| (4 + day) * 86_400_000 + hour * 3_600_000))
            .filter_map(|open_time| Some(Candle { open_time, ..daily(1).get(0)? }))
            .collect();
        let covered = |start, end| range_not_covered(&hours, Timeframe::OneHour, (start, end));
        assert_eq!(covered(day(4), day(9) - TimeDelta::milliseconds(1)), None);
        assert!(covered(day(4), day(12)).is_some());
    }

    fn daily(days: i64) -> Candles {
        let candle = |day| Candle {
            open_time: day * 86_400_000,
            open: 1.0,
            high: 1.0,
            low: 1.0,
            close: 1.0,
            volume: 1.0,
        };
        (0..days).map(candle).collect()
    }

    fn day(day: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::TimeDelta::days(day)
    }

    /// In a series of 600 days.
    fn selection(start: i64, end: i64, first_defined: usize, warmup: Warmup) -> Option<Selection> {
        Selection::new(&daily(600), (day(start), day(end)), first_defined, warmup, None)
    }

    #[test]
    fn the_warm_up_is_the_power_of_two_above_the_first_defined_index() {
        for (first_defined, warmup_rows) in [(0, 256), (255, 256), (256, 512), (511, 512)] {
            let expected = Selection { rows: 590 - warmup_rows..600, warmup_rows };
            let found = selection(590, 599, first_defined, Warmup::BeforeStart);
            assert_eq!(found, Some(expected), "{first_defined}");
        }
    }

    #[test]
    fn fewer_candles_warm_up_where_fewer_are_stored() {
        let expected = Some(Selection { rows: 0..9, warmup_rows: 2 });
        assert_eq!(selection(2, 8, 5, Warmup::BeforeStart), expected);
        assert_eq!(selection(2, 8, usize::MAX, Warmup::BeforeStart), expected);
    }

    #[test]
    fn nothing_is_loaded_before_the_start_when_the_range_warms_up_itself() {
        let expected = Selection { rows: 306..309, warmup_rows: 0 };
        assert_eq!(selection(306, 308, 2, Warmup::InRange), Some(expected));
    }

    #[test]
    fn a_pinned_warm_up_is_taken_as_it_is() {
        let pinned = |rows| {
            let range = (day(306), day(308));
            Selection::new(&daily(600), range, 2, Warmup::BeforeStart, Some(rows)).unwrap()
        };
        assert_eq!(pinned(3), Selection { rows: 303..309, warmup_rows: 3 });
        assert_eq!(pinned(0).rows, 306..309);
        assert_eq!(pinned(u64::MAX).rows, 0..309);
    }

    #[test]
    fn both_ends_are_inclusive_and_may_lie_outside_the_series() {
        let expected = Selection { rows: 0..600, warmup_rows: 0 };
        assert_eq!(selection(-5, 650, 2, Warmup::BeforeStart), Some(expected));
        assert_eq!(selection(620, 630, 2, Warmup::BeforeStart), None);
        assert_eq!(
            selection(5, 5, 0, Warmup::InRange),
            Some(Selection { rows: 5..6, warmup_rows: 0 })
        );
    }

    #[test]
    fn a_selection_of_everything_shares_the_columns() {
        let series = Arc::new(daily(10));
        let all = Selection { rows: 0..10, warmup_rows: 0 };
        assert!(Arc::ptr_eq(&series, &all.candles(&series)));
        let some = Selection { rows: 2..5, warmup_rows: 1 };
        assert_eq!(some.candles(&series).open_time, series.open_time[2..5]);
    }
}
