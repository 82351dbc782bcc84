//! Walk-forward: the best combination in sample runs on the candles right after it, and these runs are stitched together.

use std::ops::Range;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    CancelToken, Cancelled, Figures, PreparedSweep, RowInput,
    row::ranking,
    run::Excerpt,
    spec::{Mode, Objective, WalkForward},
};
use crate::{
    simulation::{Candles, Outcome, Trade, metrics, rules::BoundStrategy, run},
    strategy::parameters::Parameters,
};

/// The result of a walk-forward analysis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WalkForwardResult {
    pub windows: Vec<Window>,
    /// All out-of-sample windows combined into one run: each starts with the final balance of the previous one. `None`
    /// if one of them has no result.
    pub stitched: Option<Figures>,
}

/// A window: in-sample and out-of-sample results side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Window {
    pub in_sample: Span,
    pub out_of_sample: Span,
    /// The number of the combination that performed best in sample. `None` if none has a value.
    pub best: Option<u32>,
    pub parameters: Option<Parameters>,
    pub in_sample_figures: Option<Figures>,
    /// Results of the best combination, starting with the initial balance like every row.
    pub out_of_sample_figures: Option<Figures>,
}

/// A range of candles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    /// Open time of the first candle.
    pub start_time: DateTime<Utc>,
    /// Open time of the last candle.
    pub end_time: DateTime<Utc>,
    pub candles_count: u64,
}

/// Candles in sample and out of sample, as indices in the range.
pub type Split = (Range<usize>, Range<usize>);

/// The range is too short for so many windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{candles} candles are too few for {windows} windows: one of them would be empty")]
pub struct TooFewCandles {
    pub candles: usize,
    pub windows: u32,
}

impl WalkForward {
    /// In-sample and out-of-sample candles of each window, for a range of `len` candles. The out-of-sample windows are
    /// equally long but for roundings and cover the range's end without gap; p percent and k windows make the first in-sample
    /// window p ÷ (p + k (100 − p)) of the range.
    ///
    /// # Errors
    /// [`TooFewCandles`].
    pub fn windows(&self, len: usize) -> Result<Vec<Split>, TooFewCandles> {
        let error = TooFewCandles { candles: len, windows: self.windows };
        let count = usize::try_from(self.windows).map_err(|_| error)?;
        let percent = usize::try_from(self.in_sample_percentage.min(100)).map_err(|_| error)?;
        let parts = percent.saturating_add(count.saturating_mul(100 - percent));
        let first = len.saturating_mul(percent).checked_div(parts).ok_or(error)?;
        let border = |window: usize| first + (len - first) * window / count;
        let windows: Vec<_> = (0..count)
            .map(|window| {
                let (start, end) = (border(window), border(window + 1));
                let from = match self.mode {
                    Mode::Anchored => 0,
                    Mode::Rolling => start - first,
                };
                (from..start, start..end)
            })
            .collect();
        let is_empty = windows.is_empty()
            || windows.iter().any(|(inside, outside)| inside.is_empty() || outside.is_empty());
        if is_empty { Err(error) } else { Ok(windows) }
    }

    /// Sweeps every in-sample window and runs its best combination out of sample.
    ///
    /// # Errors
    /// [`Cancelled`]; [`TooFewCandles`] inside.
    pub fn run(
        &self,
        prepared: &PreparedSweep,
        input: &RowInput<'_>,
        objective: &Objective,
        threads: usize,
        cancel: &CancelToken,
    ) -> Result<Result<WalkForwardResult, TooFewCandles>, Cancelled> {
        let warmup = input.range_start;
        let splits = match self.windows(input.candles.len() - warmup) {
            Ok(splits) => splits,
            Err(error) => return Ok(Err(error)),
        };
        let mut windows = Vec::with_capacity(splits.len());
        let mut stitching = Stitching::new(input);
        for (inside, outside) in splits {
            let of_range = |window: &Range<usize>| window.start + warmup..window.end + warmup;
            let (inside, outside) = (of_range(&inside), of_range(&outside));
            let sample = Excerpt::new(input, inside.clone(), prepared.first_defined);
            let rows = prepared.run(&sample.input(input), threads, cancel)?;
            let best = ranking(&rows, objective)
                .first()
                .map(|index| &rows[*index])
                .filter(|row| row.objective(objective).is_some());
            let strategy = best.and_then(|row| prepared.strategy(row.number));
            let behind = strategy.as_ref().map(|strategy| {
                (strategy, Excerpt::new(input, outside.clone(), strategy.first_defined()))
            });
            let outcome = behind
                .as_ref()
                .map(|(strategy, excerpt)| run(&excerpt.input(input).of(strategy), &mut ()));
            stitching.add(behind.as_ref().map(|(strategy, excerpt)| (*strategy, excerpt)));
            windows.push(Window {
                in_sample: span(input.candles, &inside),
                out_of_sample: span(input.candles, &outside),
                best: best.map(|row| row.number),
                parameters: best.map(|row| row.parameters.clone()),
                in_sample_figures: best.and_then(|row| row.result.figures().cloned()),
                out_of_sample_figures: outcome.and_then(Result::ok).map(Figures::from),
            });
        }
        Ok(Ok(WalkForwardResult { windows, stitched: stitching.finish() }))
    }
}

/// Out-of-sample runs, one behind the other.
struct Stitching<'a> {
    input: &'a RowInput<'a>,
    equity: Vec<f64>,
    trades: Vec<Trade>,
    balance: Decimal,
    funding: Decimal,
    is_broken: bool,
}

impl<'a> Stitching<'a> {
    fn new(input: &'a RowInput<'a>) -> Self {
        Self {
            input,
            equity: Vec::new(),
            trades: Vec::new(),
            balance: input.initial_balance,
            funding: Decimal::ZERO,
            is_broken: false,
        }
    }

    fn add(&mut self, behind: Option<(&BoundStrategy, &Excerpt<'_>)>) {
        let Some((strategy, excerpt)) = behind else { return self.is_broken = true };
        if self.balance <= Decimal::ZERO {
            // Nothing is left to trade with.
            return self.equity.extend(std::iter::repeat_n(0.0, excerpt.range_len()));
        }
        let input = RowInput { initial_balance: self.balance, ..excerpt.input(self.input) };
        match run(&input.of(strategy), &mut ()) {
            Ok(outcome) => {
                self.balance = outcome.final_balance;
                self.funding = self.funding.saturating_add(outcome.funding);
                self.equity.extend(outcome.equity);
                let before = u32::try_from(self.trades.len()).unwrap_or(u32::MAX);
                let renumbered = outcome.trades.into_iter().map(|trade| Trade {
                    number: trade.number.saturating_add(before),
                    part_of: trade.part_of.map(|number| number.saturating_add(before)),
                    ..trade
                });
                self.trades.extend(renumbered);
            }
            Err(_) => self.is_broken = true,
        }
    }

    /// The numbers of all of them as one run over the end of the range.
    fn finish(self) -> Option<Figures> {
        if self.is_broken {
            return None;
        }
        let candles = self.input.candles;
        let start = candles.len().checked_sub(self.equity.len())?;
        let run = metrics::Run {
            open_time: &candles.open_time[start..],
            close: &candles.close[start..],
            equity: &self.equity,
            trades: &self.trades,
            places_from: None,
            initial_balance: self.input.initial_balance,
            final_balance: self.balance,
            funding: self.funding,
            timeframe: self.input.timeframe,
            hold_from: 0,
            preset: self.input.settings.preset,
        };
        let metrics = metrics::calculate(&run);
        let ambiguous = self.trades.iter().filter(|trade| trade.is_ambiguous).count();
        Some(Figures::new(self.balance, self.trades.len(), ambiguous, metrics))
    }
}

impl From<Outcome> for Figures {
    fn from(outcome: Outcome) -> Self {
        let ambiguous = usize::try_from(outcome.ambiguous_trades_count).unwrap_or(usize::MAX);
        Self::new(outcome.final_balance, outcome.trades.len(), ambiguous, outcome.metrics)
    }
}

fn span(candles: &Candles, rows: &Range<usize>) -> Span {
    let time = |index: usize| {
        let ms = candles.open_time.get(index).copied().unwrap_or_default();
        DateTime::from_timestamp_millis(ms).unwrap_or_default()
    };
    Span {
        start_time: time(rows.start),
        end_time: time(rows.end.saturating_sub(1)),
        candles_count: u64::try_from(rows.len()).unwrap_or(u64::MAX),
    }
}
