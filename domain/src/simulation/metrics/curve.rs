//! What is measured candle by candle of equity and market: drawdown, beta and mean equity, in one pass while equity is
//! still near the processor.

use super::{Metrics, Run, benchmark::Beta, count, drawdown::Walk, real};
use crate::simulation::indicators::RunningSum;

/// So many candles are measured together; a multiple of all that are summed or compared side by side.
const BLOCK: usize = 2_048;

/// A run's candles as far as its curve is concerned, from the first of its range on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Market<'a> {
    pub(crate) open_time: &'a [i64],
    pub(crate) close: &'a [f64],
}

/// The measures of an equity curve up to some candle. The same bytes, whatever the steps in which it is followed.
#[derive(Debug)]
pub(crate) struct Curve {
    walk: Walk,
    beta: Beta,
    sum: RunningSum,
    /// Candles that were looked at.
    seen: usize,
}

/// What is left of a curve once it is measured.
pub(super) struct Followed {
    pub(super) mean_equity: f64,
    pub(super) beta: Option<f64>,
}

impl Curve {
    /// From that balance, before the first candle.
    pub(crate) fn from(initial_balance: f64, market: Market<'_>) -> Self {
        let start = market.open_time.first().copied().unwrap_or_default();
        Self {
            walk: Walk::from(initial_balance, start),
            beta: Beta::default(),
            sum: RunningSum::default(),
            seen: 0,
        }
    }

    /// Looks at whole blocks of `equity` that it has not seen. The last candle may be marked anew, so it waits.
    pub(crate) fn follow(&mut self, market: Market<'_>, equity: &[f64]) {
        while self.seen + BLOCK < equity.len() {
            self.see(market, equity, self.seen + BLOCK);
        }
    }

    fn see(&mut self, market: Market<'_>, equity: &[f64], end: usize) {
        let Market { open_time, close } = market;
        self.walk.follow(&open_time[self.seen..end], &equity[self.seen..end]);
        self.sum.follow(&equity[self.seen..end]);
        self.beta.follow(&equity[..end], &close[..end]);
        self.seen = end;
    }

    /// Looks at the rest and concludes.
    pub(super) fn finish(mut self, run: &Run<'_>, metrics: &mut Metrics) -> Followed {
        let market = Market { open_time: run.open_time, close: run.close };
        self.follow(market, run.equity);
        let whole = run.equity.len() / BLOCK * BLOCK;
        if self.seen < whole {
            self.see(market, run.equity, whole);
        }
        let rest = whole..run.equity.len();
        self.walk.follow(&run.open_time[rest.clone()], &run.equity[rest.clone()]);
        self.walk.finish(run, metrics);
        let sum = self.sum.finish(&run.equity[rest]);
        let mean_equity = sum / count(run.equity.len());
        Followed { mean_equity, beta: self.beta.finish(run.equity, run.close) }
    }
}

impl Run<'_> {
    /// Its curve, of which nothing has been looked at.
    pub(crate) fn curve(&self) -> Curve {
        let market = Market { open_time: self.open_time, close: self.close };
        Curve::from(real(self.initial_balance), market)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;
    use crate::{
        market::Timeframe,
        simulation::{metrics::calculate, random::SplitMix64, settings::Preset},
    };

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 40, ..ProptestConfig::default() })]

        #[test]
        fn a_curve_gives_the_same_bytes_in_whatever_steps_it_is_followed(
            len in 1..9_000_usize, seed in any::<u64>(), steps in proptest::collection::vec(1..5_000_usize, 0..12),
        ) {
            let mut random = SplitMix64::new(seed);
            let mut walk = |start: f64| -> Vec<f64> {
                let mut value = start;
                (0..len).map(|_| {
                    // Flat as often as not, as equity is without a position.
                    let change = random.below(400);
                    if change < 200 {
                        value *= 1.0 + (f64::from(u32::try_from(change).unwrap()) - 99.5) / 9_000.0;
                    }
                    value
                }).collect()
            };
            let (equity, close) = (walk(10_000.0), walk(50.0));
            let open_time: Vec<i64> = (0..).map(|minute: i64| minute * 60_000).take(len).collect();
            let run = Run {
                open_time: &open_time, close: &close, equity: &equity, trades: &[], places_from: None,
                initial_balance: Decimal::from(10_000), final_balance: Decimal::from(10_000), funding: Decimal::ZERO,
                timeframe: Timeframe::OneMinute, hold_from: 0, preset: Preset::Backtrail,
            };
            let market = Market { open_time: &open_time, close: &close };
            let mut curve = run.curve();
            let mut end = 0;
            for step in steps {
                end = len.min(end + step);
                curve.follow(market, &equity[..end]);
            }
            let (followed, _) = crate::simulation::metrics::measure(&run, curve, None);
            prop_assert_eq!(followed, calculate(&run));
        }
    }
}
