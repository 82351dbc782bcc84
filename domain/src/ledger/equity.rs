//! Equity in columns: every UTC day with candles, 4,096 calendar days in an event.

use chrono::{DateTime, Days, NaiveDate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{number::Number, simulation::equity::EquityPoint};

/// Calendar days that an event spans at most, so that its size is bounded, however few of them have candles.
const DAYS_PER_EVENT: i64 = 4_096;
const DAY_MS: i64 = 86_400_000;

/// Days in a row, each with its equity or among those that have none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct DailyEquity {
    /// The first UTC day.
    pub from: NaiveDate,
    /// The days after `from` without candles, in order. There are as many days as `skipped` and `equity` have elements
    /// together.
    pub skipped: Vec<NaiveDate>,
    /// Quote money at the end of each other day, rounded half to even to 4 decimals or 9 significant digits, whichever is
    /// finer.
    pub equity: Vec<Number>,
}

impl DailyEquity {
    /// The points in as many parts as needed; each begins and ends with a day that has a point. `None` if a time is beyond
    /// all calendars or equity is not finite.
    pub(super) fn parts(points: &[EquityPoint]) -> Option<Vec<Self>> {
        let mut parts = Vec::new();
        let mut rest = points;
        while let Some(first) = rest.first() {
            let end = first.time.saturating_add(DAYS_PER_EVENT * DAY_MS);
            let (part, later) = rest.split_at(rest.partition_point(|point| point.time < end));
            parts.push(Self::of(part)?);
            rest = later;
        }
        Some(parts)
    }

    /// As [`Self::parts`]; `None` without a point, too.
    fn of(points: &[EquityPoint]) -> Option<Self> {
        let from = day(points.first()?)?;
        let mut skipped = Vec::new();
        let mut expected = from;
        for point in points {
            let day = day(point)?;
            skipped.extend(expected.iter_days().take_while(|skipped| *skipped < day));
            expected = day.succ_opt()?;
        }
        let equity = points.iter().map(|point| Number::try_new(point.equity));
        Some(Self { from, skipped, equity: equity.collect::<Option<_>>()? })
    }

    /// Each day that has equity, with it.
    pub fn days(&self) -> impl Iterator<Item = (NaiveDate, f64)> {
        let mut skipped = self.skipped.iter().peekable();
        let days = self.from.iter_days();
        let days = days.filter(move |day| skipped.next_if(|skipped| *skipped == day).is_none());
        days.zip(&self.equity).map(|(day, equity)| (day, equity.get()))
    }

    /// The last day; `None` without equity, or if the skipped days are not in order between the first day and the last.
    pub(super) fn last_day(&self) -> Option<NaiveDate> {
        let count = (self.skipped.len() + self.equity.len()).checked_sub(1)?;
        let last = self.from.checked_add_days(Days::new(u64::try_from(count).ok()?))?;
        let order = [&self.from].into_iter().chain(&self.skipped).chain([&last]);
        let is_one_day = self.equity.len() == 1 && self.skipped.is_empty();
        (is_one_day || (!self.equity.is_empty() && order.is_sorted_by(|a, b| a < b)))
            .then_some(last)
    }
}

fn day(point: &EquityPoint) -> Option<NaiveDate> {
    Some(DateTime::from_timestamp_millis(point.time)?.date_naive())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(days: impl IntoIterator<Item = i64>) -> Vec<EquityPoint> {
        let point = |day| EquityPoint { time: day * DAY_MS, equity: 10_000.0 + day as f64 };
        days.into_iter().map(point).collect()
    }

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// What the parts say, as points.
    fn read(parts: &[DailyEquity]) -> Vec<EquityPoint> {
        let days = parts.iter().flat_map(DailyEquity::days);
        let midnight = |day: NaiveDate| day.and_hms_opt(0, 0, 0).unwrap().and_utc();
        days.map(|(day, equity)| EquityPoint { time: midnight(day).timestamp_millis(), equity })
            .collect()
    }

    #[test]
    fn twelve_years_of_days_are_all_there_in_two_events() {
        // 2010-01-01 to 2021-12-31: 4,383 days.
        let points = points(14_610..18_993);
        let parts = DailyEquity::parts(&points).unwrap();
        let lengths: Vec<usize> = parts.iter().map(|part| part.equity.len()).collect();
        assert_eq!(lengths, [4_096, 287]);
        assert_eq!((parts[0].from, parts[1].from), (date("2010-01-01"), date("2021-03-20")));
        assert!(parts.iter().all(|part| part.skipped.is_empty()));
        assert_eq!(parts[1].last_day(), Some(date("2021-12-31")));
        assert_eq!(read(&parts), points);
    }

    #[test]
    fn days_without_candles_are_skipped_and_count_among_the_days_of_an_event() {
        // Thursday 1970-01-01 to Tuesday, without the weekend; then nothing for 4,090 days and more.
        let points = points([0, 1, 4, 5, 4_095, 4_096, 20_000]);
        let parts = DailyEquity::parts(&points).unwrap();
        let lengths: Vec<_> =
            parts.iter().map(|part| (part.equity.len(), part.skipped.len())).collect();
        assert_eq!(lengths, [(5, 4_091), (1, 0), (1, 0)]);
        assert_eq!(parts[0].skipped[..2], [date("1970-01-03"), date("1970-01-04")]);
        assert_eq!(parts[2].from, date("2024-10-04"));
        assert_eq!(read(&parts), points);
        assert_eq!(DailyEquity::parts(&[]).unwrap(), []);
    }

    #[test]
    fn a_part_is_written_as_columns() {
        let point = |day, equity| EquityPoint { time: day * DAY_MS, equity };
        // Friday 2017-08-18 and Monday.
        let points = [point(17_396, 10_000.0), point(17_399, 9_990.001_5)];
        let written = serde_json::to_string(&DailyEquity::parts(&points).unwrap()).unwrap();
        let expected = r#"[{"from":"2017-08-18","skipped":["2017-08-19","2017-08-20"],"equity":[10000,9990.0015]}]"#;
        assert_eq!(written, expected);
    }

    #[test]
    fn a_part_whose_days_do_not_fit_has_no_last_day() {
        let part = |skipped: &[&str], equity: usize| DailyEquity {
            from: date("2017-08-18"),
            skipped: skipped.iter().map(|day| date(day)).collect(),
            equity: vec![Number::ONE; equity],
        };
        assert_eq!(part(&[], 1).last_day(), Some(date("2017-08-18")));
        assert_eq!(part(&["2017-08-19"], 2).last_day(), Some(date("2017-08-20")));
        for wrong in [
            part(&[], 0),
            part(&["2017-08-18"], 2),
            part(&["2017-08-20"], 2),
            part(&["2017-08-20", "2017-08-19"], 3),
            part(&["2017-08-19", "2017-08-19"], 3),
        ] {
            assert_eq!(wrong.last_day(), None, "{wrong:?}");
        }
    }

    #[test]
    fn equity_that_is_not_finite_is_refused() {
        let points = [EquityPoint { time: 0, equity: f64::INFINITY }];
        assert_eq!(DailyEquity::parts(&points), None);
    }
}
