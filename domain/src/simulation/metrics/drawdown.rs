//! Drawdowns: how far equity falls from its running peak, how long, and how it comes back.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Metrics, Run, milliseconds, real};
use crate::simulation::{equity::EquityPoint, indicators::ends, time};

/// How many drawdown periods are kept: the deepest, earlier before later.
pub const DRAWDOWN_PERIODS_MAX: usize = 100;

/// A drawdown: from a peak of equity down and back up. Times are epoch milliseconds UTC, RFC 3339 in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DrawdownPeriod {
    /// Time of the peak.
    #[serde(with = "time")]
    #[schemars(with = "DateTime<Utc>")]
    pub start: i64,
    /// Time of the lowest equity.
    #[serde(with = "time")]
    #[schemars(with = "DateTime<Utc>")]
    pub bottom: i64,
    /// Time of the first candle back at the peak. `None` if equity never recovered.
    #[serde(with = "time::optional")]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub recovery: Option<i64>,
    /// Depth as a fraction of the peak.
    #[serde(rename = "depth_fraction")]
    pub depth: f64,
}

/// The drawdowns of a curve.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Drawdown {
    /// The largest fall from a running peak, in money; 0 when equity never fell.
    pub max: f64,
    /// The largest fall as a fraction of its peak.
    pub percentage: f64,
    /// The longest time from a peak to its recovery, or to the end, in milliseconds; 0 when equity never fell.
    pub longest_ms: i64,
    /// The deepest [`DRAWDOWN_PERIODS_MAX`], in order of time.
    pub periods: Vec<DrawdownPeriod>,
}

/// The drawdowns of an equity curve (ascending in time): largest in money, largest as a fraction, periods.
#[must_use]
pub fn calculate_drawdown(curve: &[EquityPoint]) -> (f64, f64, Vec<DrawdownPeriod>) {
    let Some(first) = curve.first() else { return (0.0, 0.0, Vec::new()) };
    let (times, equity): (Vec<i64>, Vec<f64>) =
        curve.iter().map(|point| (point.time, point.equity)).unzip();
    let mut walk = Walk::from(first.equity, first.time);
    walk.follow(&times, &equity);
    let Drawdown { max, percentage, periods, .. } = walk.end(times.last().copied());
    (max, percentage, periods)
}

pub(super) fn measure(run: &Run<'_>, metrics: &mut Metrics) {
    let Some(start) = run.open_time.first() else { return };
    let mut walk = Walk::from(real(run.initial_balance), *start);
    walk.follow(run.open_time, run.equity);
    walk.finish(run, metrics);
}

/// Only how deep the deepest are, candle by candle as equity is marked; the same numbers as [`measure`], without the
/// periods.
#[derive(Debug, Default)]
pub(crate) struct LargestFall {
    drawdown: Drawdown,
    peak: f64,
    lowest: f64,
    /// Candles that were looked at.
    seen: usize,
}

impl LargestFall {
    /// From that balance, before the first candle.
    pub(crate) fn from(initial_balance: f64) -> Self {
        let (peak, lowest) = (initial_balance, initial_balance);
        Self { peak, lowest, ..Self::default() }
    }

    /// Looks at the candles of `equity` that it has not seen, but for the last one, which may be marked anew.
    pub(crate) fn follow(&mut self, equity: &[f64]) {
        let end = equity.len().saturating_sub(1);
        if self.seen < end {
            self.add(&equity[self.seen..end]);
            self.seen = end;
        }
    }

    fn add(&mut self, equity: &[f64]) {
        for chunk in equity.chunks(CHUNK) {
            let (low, high) = ends(chunk);
            if high < self.peak {
                self.lowest = self.lowest.min(low);
                continue;
            }
            for equity in chunk {
                if *equity >= self.peak {
                    self.drawdown.deepen(self.peak, self.lowest);
                    (self.peak, self.lowest) = (*equity, *equity);
                } else if *equity < self.lowest {
                    self.lowest = *equity;
                }
            }
        }
    }

    /// Looks at the rest and says how deep it went.
    pub(super) fn tell(mut self, run: &Run<'_>, metrics: &mut Metrics) {
        if run.open_time.is_empty() {
            return;
        }
        self.add(&run.equity[self.seen.min(run.equity.len())..]);
        self.drawdown.deepen(self.peak, self.lowest);
        metrics.max_drawdown = Some(self.drawdown.max);
        metrics.max_drawdown_percentage = Some(self.drawdown.percentage);
    }
}

/// A period in the making.
#[derive(Debug)]
struct Open {
    peak: f64,
    start: i64,
    lowest: f64,
    bottom: i64,
}

/// So many candles are passed over at once where none of them is a new peak.
const CHUNK: usize = 64;

/// A walk along a curve: compares equity with the peak; only the end of a period divides.
#[derive(Debug)]
pub(super) struct Walk {
    drawdown: Drawdown,
    open: Open,
}

impl Walk {
    /// From that peak, at that time.
    pub(super) fn from(peak: f64, start: i64) -> Self {
        let open = Open { peak, start, lowest: peak, bottom: start };
        Self { drawdown: Drawdown::default(), open }
    }

    /// Goes on along the next candles; both are equally long.
    pub(super) fn follow(&mut self, open_time: &[i64], equity: &[f64]) {
        let Self { drawdown, open } = self;
        for (times, equities) in open_time.chunks(CHUNK).zip(equity.chunks(CHUNK)) {
            let (low, high) = ends(equities);
            if high < open.peak {
                if low < open.lowest
                    && let Some(place) = equities.iter().position(|equity| *equity == low)
                {
                    (open.lowest, open.bottom) = (low, times[place]);
                }
                continue;
            }
            for (time, equity) in times.iter().zip(equities) {
                if *equity >= open.peak {
                    drawdown.end(open, Some(*time), *time);
                    *open = Open { peak: *equity, start: *time, lowest: *equity, bottom: *time };
                } else if *equity < open.lowest {
                    (open.lowest, open.bottom) = (*equity, *time);
                }
            }
        }
    }

    /// Concludes at the end of the curve.
    fn end(self, last: Option<i64>) -> Drawdown {
        let Self { mut drawdown, open } = self;
        drawdown.end(&open, None, last.unwrap_or(open.start));
        drawdown.keep_deepest();
        drawdown.periods.sort_by_key(|period| period.start);
        drawdown
    }

    pub(super) fn finish(self, run: &Run<'_>, metrics: &mut Metrics) {
        if run.open_time.is_empty() {
            return;
        }
        let drawdown = self.end(run.open_time.last().copied());
        metrics.max_drawdown = Some(drawdown.max);
        metrics.max_drawdown_percentage = Some(drawdown.percentage);
        metrics.longest_drawdown_seconds = Some(milliseconds(drawdown.longest_ms) / 1_000.0);
        metrics.drawdown_periods = drawdown.periods;
    }
}

impl Drawdown {
    /// Notes a period that ends here, if equity fell below the peak at all.
    fn end(&mut self, open: &Open, recovery: Option<i64>, end: i64) {
        let Some(depth) = self.deepen(open.peak, open.lowest) else { return };
        self.longest_ms = self.longest_ms.max(end - open.start);
        let (start, bottom) = (open.start, open.bottom);
        self.periods.push(DrawdownPeriod { start, bottom, recovery, depth });
        // Minutes have tens of thousands of periods: the memory stays bounded.
        if self.periods.len() >= 64 * DRAWDOWN_PERIODS_MAX {
            self.keep_deepest();
        }
    }

    /// Notes how deep it went, as a fraction of the peak; none if it did not fall below.
    fn deepen(&mut self, peak: f64, lowest: f64) -> Option<f64> {
        if lowest >= peak {
            return None;
        }
        let fall = peak - lowest;
        let depth = if peak > 0.0 { fall / peak } else { 0.0 };
        self.max = self.max.max(fall);
        self.percentage = self.percentage.max(depth);
        Some(depth)
    }

    fn keep_deepest(&mut self) {
        let deeper = |left: &DrawdownPeriod, right: &DrawdownPeriod| {
            right.depth.total_cmp(&left.depth).then(left.start.cmp(&right.start))
        };
        if self.periods.len() > DRAWDOWN_PERIODS_MAX {
            self.periods.select_nth_unstable_by(DRAWDOWN_PERIODS_MAX, deeper);
            self.periods.truncate(DRAWDOWN_PERIODS_MAX);
        }
    }
}
