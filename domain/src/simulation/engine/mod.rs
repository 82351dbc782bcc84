//! The engine: walks the candles of a run and fills its orders.
//!
//! | question | where |
//! | --- | --- |
//! | which of the two walks a run takes | [`Engine::walk`] by `is_plain`, in this file |
//! | what keeps both walks equal | the property `the_general_walk_gives_the_same_bytes_as_the_fast_path` in `../tests/properties.rs` |
//! | the walk of the common case, from entry to exit in leaps | `fast_path.rs` |
//! | the walk of everything else, candle by candle | `general.rs`: [`general::by_rules`] |
//! | the order of events on one candle | `general.rs`: `step` (funding, orders, mark), then `decide` (rules) |
//! | where a stop, a limit or a target lies and what it fills at, gaps included | `levels.rs` |
//! | one candle reaches stop and target | `levels.rs`: [`levels::BarrierHit`]; [`IntrabarPriority`] in this file |
//! | where a stop trails | `levels.rs`: `trail`; when it moves: `manage` of the order model |
//! | what a market order fills at; slippage and spread | `fills.rs`: `market`, `entry_price`, `taker_exit` |
//! | whether an entry can be traded; rejections | `fills.rs`: `admit_entry`, `admit_quantity` |
//! | how much an entry buys | `../portfolio/sizing/` |
//! | what a fill does to cash, fees included | `../portfolio/mod.rs`, `../portfolio/costs.rs` |
//! | when an entry order waits, fills and lapses | `entries.rs` |
//! | what is held and waits, by our own conventions | `book/mod.rs`; one trade's stop and targets: `book/open_trade.rs` |
//! | whether open trades are looked at one by one | `book/envelope.rs`; the property `the_envelope_passes_over_no_trade` in `../tests/every_order.rs` |
//! | the same by the conventions of backtesting.py | `backtesting_py/`: its queue `mod.rs`, `orders.rs`, `fills.rs`, `stops.rs`, its cash `broker.rs` |
//! | equity at a close; liquidation | `liquidation.rs` |
//! | what becomes of open trades at the end (`finalize`) | `finalize.rs` |
//! | what the observer hears, and when it may stop a run | `progress.rs`, `fills.rs` |
//! | what a finished walk amounts to | `conclusion.rs`; of a sweep's row: `row_summary.rs` |

mod backtesting_py;
mod book;
mod conclusion;
mod entries;
mod fast_path;
mod fills;
mod finalize;
mod general;
mod levels;
mod liquidation;
mod progress;
mod row_summary;

#[cfg(test)]
pub(crate) use backtesting_py::plan::{Action, Plan};
pub(crate) use row_summary::Scratch;

use rust_decimal::Decimal;

use self::{backtesting_py::Queue, book::Book};
use super::{
    Input, Observer, SimulationError,
    error::overflow,
    exact,
    fill_reason::FillReason,
    metrics::{Curve, LargestFall, Market},
    outcome::{UNFILLED_MAX, UnfilledOrder},
    portfolio::{Portfolio, costs::Costs},
    rules::{EntryOrder, PositionMode, signals::RuleSignals},
    settings::{Intrabar, Preset},
};

/// The state of a run.
pub(crate) struct Engine<'a> {
    input: Input<'a>,
    rules: &'a RuleSignals<'a>,
    costs: Costs,
    lot: Decimal,
    leverage: Decimal,
    /// Fraction of what is held that equity must exceed.
    maintenance: f64,
    priority: IntrabarPriority,
    observer: &'a mut dyn Observer,
    portfolio: Portfolio,
    /// Of the candles of the range that have been walked.
    equity: Vec<f64>,
    rejections: Unfilled,
    expiries: Unfilled,
    /// Reasons of fills that are not rules, as far as there were any.
    names: Vec<FillReason>,
    liquidations_count: usize,
    followed: Followed,
    /// There is nothing left to trade with.
    is_ruined: bool,
    /// The first candle that has not been marked.
    next: usize,
    /// Where progress was last reported.
    reported: usize,
    /// Up to where the prices of coming fills were looked at.
    looked_ahead: usize,
    /// From which price on cash does not pay for one lot, of a long and of a short.
    unaffordable: [f64; 2],
}

/// What is followed of the equity curve while it is marked and still at hand.
#[derive(Debug)]
enum Followed {
    Curve(Curve),
    /// That alone, in a row of a sweep.
    Fall(LargestFall),
}

/// Orders that were not filled: the first ones, and how many.
#[derive(Debug, Default)]
struct Unfilled {
    first: Vec<UnfilledOrder>,
    count: usize,
}

impl Unfilled {
    /// Whether the next orders are only counted.
    fn is_full(&self) -> bool {
        self.first.len() == UNFILLED_MAX
    }

    /// Counts an order; only of the first ones it is told what they were.
    fn push(&mut self, order: impl FnOnce() -> UnfilledOrder) {
        self.count += 1;
        if !self.is_full() {
            self.first.push(order());
        }
    }
}

/// What comes first if one candle reaches stop and target and no finer one tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IntrabarPriority {
    StopFirst,
    TargetFirst,
}

impl IntrabarPriority {
    /// What the settings say.
    pub(crate) const fn of(intrabar: Intrabar) -> Self {
        match intrabar {
            Intrabar::StopFirst | Intrabar::LowerTimeframe => Self::StopFirst,
            Intrabar::TargetFirst => Self::TargetFirst,
        }
    }

    /// The other one.
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::StopFirst => Self::TargetFirst,
            Self::TargetFirst => Self::StopFirst,
        }
    }
}

impl<'a> Engine<'a> {
    /// At the first candle of the range, with nothing but cash.
    pub(crate) fn try_new(
        input: Input<'a>,
        rules: &'a RuleSignals<'a>,
        observer: &'a mut dyn Observer,
        priority: IntrabarPriority,
    ) -> Result<Self, SimulationError> {
        let settings = input.settings;
        let market = Market {
            open_time: &input.candles.open_time[input.range_start..],
            close: &input.candles.close[input.range_start..],
        };
        let leverage =
            exact::decimal(settings.leverage.get()).ok_or_else(|| overflow("leverage"))?;
        Ok(Self {
            input,
            rules,
            costs: Costs::try_new(settings)?,
            lot: settings.lot.unwrap_or(input.lot),
            leverage,
            maintenance: settings.maintenance(),
            priority,
            observer,
            portfolio: Portfolio::new(input.initial_balance),
            equity: Vec::new(),
            rejections: Unfilled::default(),
            expiries: Unfilled::default(),
            names: Vec::new(),
            liquidations_count: 0,
            followed: Followed::Curve(Curve::from(exact::to_f64(input.initial_balance), market)),
            is_ruined: false,
            next: input.range_start,
            reported: input.range_start,
            looked_ahead: input.range_start,
            unaffordable: [f64::INFINITY; 2],
        })
    }

    /// With memory for its equity that is at hand already.
    pub(crate) fn within_memory(self, memory: Option<Vec<f64>>) -> Self {
        Self { equity: memory.unwrap_or_default(), ..self }
    }

    /// Walks to the end and finalizes.
    pub(crate) fn walk(&mut self, first_evaluated: usize) -> Result<(), SimulationError> {
        self.equity.reserve_exact(self.input.candles.len() - self.input.range_start);
        self.mark_cash(first_evaluated)?;
        if is_plain(&self.input) {
            fast_path::walk(self)?;
        } else {
            self.walk_generally(Book::default())?;
        }
        self.report()
    }

    fn walk_generally(&mut self, book: Book) -> Result<(), SimulationError> {
        match self.input.settings.preset {
            Preset::Backtrail => general::by_rules(self, book),
            Preset::BacktestingPy => {
                let queue = Queue::new(self);
                general::by_rules(self, queue)
            }
        }
    }

    /// Walks candle by candle and looks at each open trade, whether that is needed or not.
    #[cfg(test)]
    pub(crate) fn walk_slowly(&mut self, first_evaluated: usize) -> Result<(), SimulationError> {
        self.mark_cash(first_evaluated)?;
        self.walk_generally(Book::without_envelope())?;
        self.report()
    }

    /// Walks by orders instead of rules, from the second candle on.
    #[cfg(test)]
    pub(crate) fn walk_plan(&mut self, plan: &Plan) -> Result<(), SimulationError> {
        self.mark_cash(self.input.range_start + 1)?;
        backtesting_py::plan::walk(self, plan)?;
        self.report()
    }
}

/// Whether one trade at a time, entered at market and left by rule or at fixed levels, is all there is.
fn is_plain(input: &Input<'_>) -> bool {
    let config = &input.strategy.config;
    let settings = input.settings;
    settings.preset == Preset::Backtrail
        && settings.leverage.get() == 1.0
        && settings.maintenance() == 0.0
        && settings.funding_rate.get() == 0.0
        && (settings.intrabar != Intrabar::LowerTimeframe || input.fine.is_none())
        && input.strategy.partial_exit.is_none()
        && config.entry_order == EntryOrder::Market
        && config.trailing_stop.is_none()
        && config.break_even.is_none()
        && config.max_candles.is_none()
        && config.partial_take_profits.is_empty()
        && config.max_entries == 1
        && config.position_mode == PositionMode::Single
}
