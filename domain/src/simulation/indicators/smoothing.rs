//! Exponential smoothing, `e += w · (x − e)`: the averages of Wilder and the exponential ones.

use super::{
    Column,
    stream::{Stream, collect},
};

/// A running average with its weight. Four values take one step of the chain instead of four, so that each does not wait
/// for the one before; the order of the operations is fixed, so the bytes are too. Equal values leave it as it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Smoothing {
    pub(super) average: f64,
    /// w, w (1 − w), w (1 − w)², w (1 − w)³: what a difference from the average counts after none to three more values.
    weights: [f64; 4],
}

impl Smoothing {
    pub(super) fn new(average: f64, weight: f64) -> Self {
        let rest = 1.0 - weight;
        let weights = [weight, weight * rest, weight * rest * rest, weight * rest * rest * rest];
        Self { average, weights }
    }

    /// The averages after each of the next four values.
    pub(super) fn four(&mut self, values: [f64; 4]) -> [f64; 4] {
        let [none, one, two, three] = self.weights;
        // All of the weight: nothing is left of what was before.
        if one == 0.0 {
            self.average = values[3];
            return values;
        }
        let [a, b, c, d] = values.map(|value| value - self.average);
        let changes = [
            none * a,
            one * a + none * b,
            (two * a + one * b) + none * c,
            (three * a + two * b) + (one * c + none * d),
        ];
        let averages = changes.map(|change| self.average + change);
        self.average = averages[3];
        averages
    }
}

/// The average of `values` from index `at` on, where it is `seed`; it is defined from there on.
pub(super) fn smoothed(values: &[f64], at: usize, seed: f64, weight: f64) -> Column {
    collect(Smoothed::new(values, at, seed, weight), values.len(), at)
}

/// As [`smoothed`], in steps.
pub(super) struct Smoothed<'a> {
    values: &'a [f64],
    at: usize,
    smoothing: Smoothing,
    /// Values so far.
    done: usize,
}

impl<'a> Smoothed<'a> {
    pub(super) fn new(values: &'a [f64], at: usize, seed: f64, weight: f64) -> Self {
        let at = at.min(values.len());
        Self { values, at, smoothing: Smoothing::new(seed, weight), done: 0 }
    }
}

impl Stream for Smoothed<'_> {
    fn extend(&mut self, values: &mut Vec<f64>) {
        /// So many values a step, a multiple of four.
        const STEP: usize = 256;
        let Self { at, done, .. } = *self;
        if done < at {
            values.resize(values.len() + at - done, 0.0);
            self.done = at;
        } else if done == at && at < self.values.len() {
            values.push(self.smoothing.average);
            self.done += 1;
        } else {
            let end = self.values.len().min(done + STEP);
            let (fours, last) = self.values[done..end].as_chunks::<4>();
            for four in fours {
                values.extend_from_slice(&self.smoothing.four(*four));
            }
            if !last.is_empty() {
                values.extend_from_slice(&self.smoothing.four(padded(last))[..last.len()]);
            }
            self.done = end;
        }
    }
}

/// Fewer than four values, and zeros.
pub(super) fn padded(values: &[f64]) -> [f64; 4] {
    let mut four = [0.0; 4];
    four[..values.len()].copy_from_slice(values);
    four
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn four_values_at_a_time_are_the_recursion(
            values in proptest::collection::vec(1e-3..1e6_f64, 1..60), period in 1..40_u32, at in 0..8_usize,
        ) {
            let weight = 1.0 / f64::from(period);
            let column = smoothed(&values, at, 5.0, weight);
            prop_assert_eq!(column.values.len(), values.len());
            let mut average = 5.0;
            for (index, (value, ours)) in values.iter().zip(&column.values).enumerate().skip(at) {
                if index > at {
                    average += weight * (value - average);
                }
                prop_assert!((ours - average).abs() <= 1e-12 * average.abs(), "{index}");
            }
        }

        #[test]
        fn a_later_value_changes_no_earlier_average(values in proptest::collection::vec(1e-3..1e6_f64, 2..40)) {
            let all = smoothed(&values, 0, 1.0, 0.3).values;
            let fewer = smoothed(&values[..values.len() - 1], 0, 1.0, 0.3).values;
            prop_assert_eq!(&all[..fewer.len()], &fewer[..]);
        }
    }

    #[test]
    fn equal_values_leave_the_average_as_it_is() {
        let column = smoothed(&[0.1; 50], 0, 0.1, 1.0 / 7.0);
        assert!(column.values.iter().all(|value| *value == 0.1));
    }
}
