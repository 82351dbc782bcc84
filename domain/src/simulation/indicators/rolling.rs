//! Rolling windows that several indicators share: they move along a column in time linear in its length.

use super::{
    Column,
    smoothing::{Smoothed, smoothed},
    stream::{Stream, collect},
};

/// A running sum starts afresh after this many values, so that rounding errors never pile up.
const RESTART: usize = 4_096;

/// So many values are looked at together.
const CHUNK: usize = 64;

/// Where a running sum falls to this part of what it was, it keeps the rounding errors of the larger one.
const FALL: f64 = 1.0 / 1_024.0;

/// A column of `len` values from a running state: `begin` makes it afresh for a window that ends at an index, and gives
/// that window's value; `advance` moves it on over as many indices as there are values to fill. It begins anew after
/// `restart` values, and where large values have left the window behind.
pub(super) fn run<S>(
    len: usize,
    first_defined: usize,
    restart: usize,
    begin: impl Fn(usize) -> (S, f64),
    advance: impl Fn(&mut S, usize, &mut [f64]),
) -> Column {
    let rolling = Rolling::new(len, first_defined, restart, begin, advance);
    collect(rolling, len, first_defined)
}

/// As [`run`], in steps.
struct Rolling<S, B, A> {
    len: usize,
    first_defined: usize,
    restart: usize,
    begin: B,
    advance: A,
    /// The running state, the peak of its values and where it begins anew.
    window: Option<(S, f64, usize)>,
    /// Values so far.
    done: usize,
}

impl<S, B: Fn(usize) -> (S, f64), A: Fn(&mut S, usize, &mut [f64])> Rolling<S, B, A> {
    fn new(len: usize, first_defined: usize, restart: usize, begin: B, advance: A) -> Self {
        let first_defined = first_defined.min(len);
        Self { len, first_defined, restart, begin, advance, window: None, done: 0 }
    }
}

impl<S, B: Fn(usize) -> (S, f64), A: Fn(&mut S, usize, &mut [f64])> Stream for Rolling<S, B, A> {
    fn extend(&mut self, values: &mut Vec<f64>) {
        if self.done < self.first_defined {
            values.resize(values.len() + self.first_defined - self.done, 0.0);
            self.done = self.first_defined;
            return;
        }
        if self.done == self.len {
            return;
        }
        let Some((state, peak, end)) = self.window.as_mut().filter(|(_, _, end)| self.done < *end)
        else {
            let (state, first) = (self.begin)(self.done);
            self.window = Some((state, first.abs(), self.len.min(self.done + self.restart)));
            values.push(first);
            self.done += 1;
            return;
        };
        let mut chunk = [0.0; CHUNK];
        let out = &mut chunk[..CHUNK.min(*end - self.done)];
        (self.advance)(state, self.done, out);
        let fallen = fallen(out, peak);
        let kept = fallen.unwrap_or(out.len());
        values.extend_from_slice(&out[..kept]);
        self.done += kept;
        if fallen.is_some() {
            self.window = None;
        }
    }
}

/// The first value that lies far below the peak so far.
fn fallen(values: &[f64], peak: &mut f64) -> Option<usize> {
    let (low, high) = ends(values);
    let high = larger(*peak, high);
    // Nearly every column is above zero throughout.
    if low > 0.0 && low >= high * FALL {
        *peak = high;
        return None;
    }
    values.iter().position(|value| {
        let is_fallen = value.abs() < *peak * FALL;
        *peak = larger(value.abs(), *peak);
        is_fallen
    })
}

/// The mean of the last `period` values, for values that are defined from index `first` on.
pub(super) fn mean(values: &[f64], first: usize, period: usize) -> Column {
    collect(moving_mean(values, first, period), values.len(), first + period - 1)
}

/// As [`mean`], in steps.
pub(super) fn moving_mean(values: &[f64], first: usize, period: usize) -> impl Stream {
    let divisor = to_f64(period);
    let begin = move |index: usize| {
        let sum = sum(&values[index + 1 - period..=index]);
        (sum, sum / divisor)
    };
    let advance = move |sum: &mut f64, from: usize, out: &mut [f64]| {
        let (entering, leaving) = (&values[from..], &values[from - period..]);
        let (fours, rest) = out.as_chunks_mut::<4>();
        let done = fours.len() * 4;
        let (new, _) = entering[..done].as_chunks::<4>();
        let (old, _) = leaving[..done].as_chunks::<4>();
        // One addition in the chain for four values; the order is fixed, so the bytes are too.
        for ((out, new), old) in fours.iter_mut().zip(new).zip(old) {
            let change = [new[0] - old[0], new[1] - old[1], new[2] - old[2], new[3] - old[3]];
            let two = change[0] + change[1];
            let four = two + (change[2] + change[3]);
            out[0] = (*sum + change[0]) / divisor;
            out[1] = (*sum + two) / divisor;
            out[2] = (*sum + (two + change[2])) / divisor;
            *sum += four;
            out[3] = *sum / divisor;
        }
        // The same additions as above: a later candle must not change this one's bytes.
        let mut change = 0.0;
        for ((out, new), old) in rest.iter_mut().zip(&entering[done..]).zip(&leaving[done..]) {
            change += new - old;
            *out = (*sum + change) / divisor;
        }
    };
    Rolling::new(values.len(), first + period - 1, RESTART.max(period), begin, advance)
}

/// The best of the last `period` values, where `better` picks one of two (van Herk's algorithm).
///
/// Each window lies in two blocks of `period` values: the end of the first (stored in the output before it is
/// read) and the beginning of the second.
pub(super) fn best(values: &[f64], period: usize, better: impl Fn(f64, f64) -> f64) -> Column {
    let len = values.len();
    let mut column = Column::undefined(len, period - 1);
    for block in (0..).step_by(period).take_while(|block| block + period <= len) {
        let middle = block + period;
        let mut best = values[middle - 1];
        for index in (block..middle).rev() {
            best = better(best, values[index]);
            if let Some(out) = column.values.get_mut(index + period - 1) {
                *out = best;
            }
        }
        let end = len.min(middle + period - 1);
        let Some(mut best) = values.get(middle).copied() else { break };
        for (out, value) in column.values[middle..end].iter_mut().zip(&values[middle..end]) {
            best = better(best, *value);
            *out = better(*out, best);
        }
    }
    column
}

/// The lowest and the highest of some finite values.
pub(in crate::simulation) fn ends(values: &[f64]) -> (f64, f64) {
    let (mut low, mut high) = ([f64::INFINITY; 4], [f64::NEG_INFINITY; 4]);
    let (fours, rest) = values.as_chunks::<4>();
    for four in fours {
        for lane in 0..4 {
            low[lane] = smaller(low[lane], four[lane]);
            high[lane] = larger(high[lane], four[lane]);
        }
    }
    let low = rest.iter().copied().chain(low).fold(f64::INFINITY, smaller);
    (low, rest.iter().copied().chain(high).fold(f64::NEG_INFINITY, larger))
}

/// The larger of two finite values.
pub(in crate::simulation) fn larger(left: f64, right: f64) -> f64 {
    if left > right { left } else { right }
}

/// The smaller of two finite values.
pub(in crate::simulation) fn smaller(left: f64, right: f64) -> f64 {
    if left < right { left } else { right }
}

/// The exponential average with `e += 2 ÷ (period + 1) · (x − e)` from `seed` at index `at` on.
pub(super) fn exponential(values: &[f64], at: usize, seed: f64, period: usize) -> Column {
    smoothed(values, at, seed, 2.0 / to_f64(period + 1))
}

/// The exponential average seeded with the mean of the first `period` values, which are defined from `first` on.
pub(super) fn seeded(values: &[f64], first: usize, period: usize) -> Column {
    collect(moving_exponential(values, first, period), values.len(), first + period - 1)
}

/// As [`seeded`], in steps.
pub(super) fn moving_exponential(values: &[f64], first: usize, period: usize) -> Smoothed<'_> {
    let at = first + period - 1;
    Smoothed::new(values, at, mean_at(values, at, period), 2.0 / to_f64(period + 1))
}

/// Wilder's average: the mean of the first `period` values, which are defined from `first` on, then
/// `average += (x − average) ÷ period`.
pub(super) fn wilder(values: &[f64], first: usize, period: usize) -> Column {
    let at = first + period - 1;
    let seed = values.get(first..=at).map_or(0.0, |seeds| seeds.iter().sum::<f64>());
    smoothed(values, at, seed / to_f64(period), 1.0 / to_f64(period))
}

/// The mean of the `period` values that end at index `end`; zero when there are not as many.
pub(super) fn mean_at(values: &[f64], end: usize, period: usize) -> f64 {
    values.get((end + 1).saturating_sub(period)..=end).map_or(0.0, sum) / to_f64(period)
}

/// The sum in a fixed order with four partial sums.
pub(in crate::simulation) fn sum(values: &[f64]) -> f64 {
    sum_of(values, |value| value)
}

/// The same sum, of values that come in steps: whole fours, and the rest at last.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::simulation) struct RunningSum {
    partial: [f64; 4],
}

impl RunningSum {
    /// Adds values, as many as a multiple of four.
    pub(in crate::simulation) fn follow(&mut self, values: &[f64]) {
        let (fours, _) = values.as_chunks::<4>();
        for four in fours {
            for (partial, value) in self.partial.iter_mut().zip(four) {
                *partial += value;
            }
        }
    }

    /// The sum of all, with the last values.
    pub(in crate::simulation) fn finish(mut self, rest: &[f64]) -> f64 {
        self.follow(rest);
        let (_, rest) = rest.as_chunks::<4>();
        let [a, b, c, d] = self.partial;
        (a + b) + (c + d) + rest.iter().sum::<f64>()
    }
}

/// The sum of what `term` makes of each value, in the same order.
pub(super) fn sum_of(values: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    let (fours, rest) = values.as_chunks::<4>();
    let mut partial = [0.0; 4];
    for four in fours {
        for (partial, value) in partial.iter_mut().zip(four) {
            *partial += term(*value);
        }
    }
    (partial[0] + partial[1])
        + (partial[2] + partial[3])
        + rest.iter().map(|value| term(*value)).sum::<f64>()
}

/// A count as a real number; exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "periods are far below 2^53")]
pub(super) const fn to_f64(count: usize) -> f64 {
    count as f64
}
