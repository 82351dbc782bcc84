//! From rows to a series: times, order, timeframe, openings, duplicates.

use std::collections::BTreeMap;

use domain::{
    market::{MarketKind, Timeframe},
    simulation::{Candles, trading_hours::guess_kind},
};

use super::{
    CsvError, Options, Parsed,
    moment::DAY_MS,
    report::Report,
    rows::Rows,
    times::{resolve, usual_distance},
};

/// Neighbours that tell whether a file holds another timeframe than the one that was named.
const NEIGHBOURS_MIN: usize = 10;
/// How far the usual time of day of daily candles moves with daylight saving.
const CLOCK_CHANGE_MS: i64 = 3_600_000;

/// Makes a series of what was read.
///
/// # Errors
/// See [`CsvError`].
pub(super) fn assemble(mut rows: Rows, options: &Options) -> Result<Parsed, CsvError> {
    let layout = rows.layout.to_string();
    let not_understood =
        |reason: String| CsvError::NotUnderstood { layout: layout.clone(), reason };
    if let Some(shape) = rows.times.shape() {
        let resolved = resolve(&mut rows.candles.open_time, shape, &rows.times);
        let resolved = resolved.ok_or_else(|| {
            not_understood(
                "its dates can be read with the day first or with the month first".to_owned(),
            )
        })?;
        let bad = resolved.bad.iter().map(|index| {
            (*index, format!("`timestamp` does not fit the others, which are {}", resolved.format))
        });
        let bad: Vec<_> = bad.collect();
        resolved.format.clone_into(&mut rows.report.time_format);
        leave_out(&mut rows, bad);
    }
    let Rows { candles, lines, mut report, .. } = rows;
    let mut series = Ordered { candles, lines };
    series.sort(&mut report);
    if series.candles.is_empty() {
        return Err(nothing(report, layout));
    }
    let timeframe = timeframe(&series.candles.open_time, options.timeframe)?;
    series.align(timeframe, &mut report);
    series.unite(&mut report);
    if series.candles.is_empty() {
        return Err(nothing(report, layout));
    }
    if report.is_too_bad() && !options.accept_bad_rows {
        return Err(CsvError::TooManyBadRows { report: Box::new(report) });
    }
    let last = series.candles.open_time.last().copied();
    report.open_last = last.filter(|last| last + timeframe.duration_ms() > options.now);
    Ok(Parsed { candles: series.candles, timeframe, report })
}

fn nothing(report: Report, layout: String) -> CsvError {
    match report.named_bad_rows.into_iter().next() {
        Some(row) => {
            let reason = format!("no row is usable; line {}: {}", row.line, row.reason);
            CsvError::NotUnderstood { layout, reason }
        }
        None => CsvError::Empty,
    }
}

/// Removes rows by ascending index, each with its reason.
fn leave_out(rows: &mut Rows, bad: Vec<(usize, String)>) {
    let mut series = Ordered {
        candles: std::mem::take(&mut rows.candles),
        lines: std::mem::take(&mut rows.lines),
    };
    series.leave_out(bad, &mut rows.report);
    (rows.candles, rows.lines) = (series.candles, series.lines);
}

/// Candles with the lines that they come from.
struct Ordered {
    candles: Candles,
    lines: Vec<u32>,
}

impl Ordered {
    fn line(&self, index: usize) -> u64 {
        self.lines.get(index).copied().map_or(0, u64::from)
    }

    fn leave_out(&mut self, bad: Vec<(usize, String)>, report: &mut Report) {
        let mut bad = bad.into_iter().peekable();
        if bad.peek().is_none() {
            return;
        }
        let kept: Vec<usize> = (0..self.lines.len())
            .filter(|index| match bad.next_if(|(next, _)| next == index) {
                None => true,
                Some((_, reason)) => {
                    report.bad(self.line(*index), reason);
                    false
                }
            })
            .collect();
        self.reorder(&kept);
    }

    fn reorder(&mut self, indices: &[usize]) {
        self.candles = indices.iter().filter_map(|index| self.candles.get(*index)).collect();
        self.lines = indices.iter().map(|index| self.lines[*index]).collect();
    }

    /// Ascending in time; rows of one time in the order of the file.
    fn sort(&mut self, report: &mut Report) {
        let times = &self.candles.open_time;
        let falls = times.windows(2).filter(|pair| pair[1] < pair[0]).count();
        if falls == 0 {
            return;
        }
        let rises = times.windows(2).filter(|pair| pair[1] > pair[0]).count();
        report.is_newest_first = falls > rises;
        report.unordered = falls.min(rises) as u64;
        let mut indices: Vec<usize> = (0..times.len()).collect();
        indices.sort_by_key(|index| times[*index]);
        self.reorder(&indices);
    }

    /// Leaves out what does not lie at an opening. Days that are stamped at another time than midnight are taken as the days
    /// in which they lie, if the market rests on weekends.
    fn align(&mut self, timeframe: Timeframe, report: &mut Report) {
        let times = &self.candles.open_time;
        let clock = if timeframe == Timeframe::OneDay { usual_clock(times) } else { 0 };
        if clock != 0 && guess_kind(times, timeframe) == MarketKind::Equity {
            let (hour, minute) = (clock / 3_600_000, clock / 60_000 % 60);
            report.days_stamped_at = Some(format!("{hour:02}:{minute:02}"));
            for time in &mut self.candles.open_time {
                let is_usual = (time.rem_euclid(DAY_MS) - clock).abs() <= CLOCK_CHANGE_MS;
                *time -= if is_usual { time.rem_euclid(DAY_MS) } else { 0 };
            }
        }
        let step = timeframe.duration_ms();
        let off = |time: &i64| time.rem_euclid(step) != 0;
        let bad = self.candles.open_time.iter().enumerate().filter(|(_, time)| off(time));
        let bad = bad.map(|(index, _)| {
            (index, format!("the time is not the opening of a {timeframe} candle"))
        });
        let bad: Vec<_> = bad.collect();
        self.leave_out(bad, report);
    }

    /// Keeps the last of several rows of one time.
    fn unite(&mut self, report: &mut Report) {
        let times = &self.candles.open_time;
        if times.is_sorted_by(|one, next| one < next) {
            return;
        }
        let mut kept: Vec<usize> = Vec::with_capacity(times.len());
        for index in 0..times.len() {
            match kept.last_mut().filter(|last| times[**last] == times[index]) {
                None => kept.push(index),
                Some(last) => {
                    report.duplicates += 1;
                    if self.candles.get(*last) != self.candles.get(index) {
                        report.conflict(self.line(*last), self.line(index));
                    }
                    *last = index;
                }
            }
        }
        self.reorder(&kept);
    }
}

/// The timeframe that was named, unless the candles are of a coarser one; else the distance at which most neighbours lie.
fn timeframe(times: &[i64], named: Option<Timeframe>) -> Result<Timeframe, CsvError> {
    let usual = usual_distance(times);
    let known = |distance: i64| Timeframe::ALL.into_iter().find(|t| t.duration_ms() == distance);
    if let Some(named) = named {
        let step = named.duration_ms();
        let has_neighbours = times.windows(2).any(|pair| pair[1] - pair[0] == step);
        return match usual.and_then(known) {
            Some(found) if found > named && times.len() > NEIGHBOURS_MIN && !has_neighbours => {
                Err(CsvError::OtherTimeframe { named, found })
            }
            _ => Ok(named),
        };
    }
    let usual = usual.ok_or(CsvError::OneCandle)?;
    let smallest = times.windows(2).map(|pair| pair[1] - pair[0]).filter(|step| *step > 0).min();
    let divides = |step: &i64| times.windows(2).all(|pair| (pair[1] - pair[0]) % step == 0);
    let smallest = || {
        smallest.filter(divides).and_then(known).filter(|found| found.duration_ms() * 5 >= usual)
    };
    known(usual).or_else(smallest).ok_or(CsvError::UnknownTimeframe(usual))
}

/// The time of day at which most times lie.
fn usual_clock(times: &[i64]) -> i64 {
    let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
    for time in times {
        *counts.entry(time.rem_euclid(DAY_MS)).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map_or(0, |(clock, _)| clock)
}
