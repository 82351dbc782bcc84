//! From a run to its ledger: the one place that decides which events a simulation makes, in which order.

use rust_decimal::Decimal;

use super::{
    equity::DailyEquity,
    events::{ClosedTrade, LedgerEvent, Subject},
    hash::LedgerHasher,
};
use crate::{
    ids::{BacktestId, TradeId},
    market::{Symbol, Timeframe},
    simulation::{
        Candles, Outcome, Step,
        equity::{EquityPoint, equity_points},
        exact,
        hash::{CanonicalError, Digest},
        trade::{Barriers, Fill, Trade},
    },
};

/// Why a run cannot be written down.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    #[error("trade {0} has no exit")]
    NotClosed(u32),
    #[error("trade {0} is not a part of another")]
    NotAPart(u32),
    #[error("{0} leaves the exact range")]
    Overflow(&'static str),
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

/// Produces the events of a ledger one by one during the run, and hashes them.
#[derive(Debug)]
pub struct LedgerWriter<'a> {
    backtest_id: BacktestId,
    /// Of the run, warm-up included.
    candles: &'a Candles,
    hasher: LedgerHasher,
    trades_count: u32,
    fills_count: u32,
    total_fees: Decimal,
    total_shortfall: Decimal,
}

/// The end of a ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    /// `EquityRecorded` as often as needed, then `LedgerClosed`.
    pub events: Vec<LedgerEvent>,
    /// What the events record of the equity curve.
    pub points: Vec<EquityPoint>,
    /// Of all events before `LedgerClosed`.
    pub ledger_hash: Digest,
}

impl<'a> LedgerWriter<'a> {
    /// Begins the ledger of a run over these candles; the event is `LedgerOpened`.
    ///
    /// # Errors
    /// A payload that canonical JSON cannot hold.
    pub fn open(
        backtest_id: BacktestId,
        symbol: Symbol,
        timeframe: Timeframe,
        initial_balance: Decimal,
        candles: &'a Candles,
    ) -> Result<(Self, LedgerEvent), EntryError> {
        let mut writer = Self {
            backtest_id,
            candles,
            hasher: LedgerHasher::default(),
            trades_count: 0,
            fills_count: 0,
            total_fees: Decimal::ZERO,
            total_shortfall: Decimal::ZERO,
        };
        let event = LedgerEvent::LedgerOpened {
            subject: Subject::from(backtest_id),
            symbol,
            timeframe,
            opening_cash: initial_balance.normalize(),
            opening_position: None,
        };
        writer.hasher.add(&event)?;
        Ok((writer, event))
    }

    /// The event of a trade's entry.
    ///
    /// # Errors
    /// A payload that canonical JSON cannot hold, fees beyond the exact range.
    pub fn opened(&mut self, trade: &Trade) -> Result<LedgerEvent, EntryError> {
        let (stop_price, target_price) = prices(trade.barriers)?;
        let event = LedgerEvent::TradeOpened {
            trade_id: TradeId::of(self.backtest_id, trade.number),
            number: trade.number,
            direction: trade.direction,
            fill: normalized(&trade.entry),
            stop_price,
            target_price,
        };
        self.trades_count += 1;
        self.count(&trade.entry)?;
        self.hasher.add(&event)?;
        Ok(event)
    }

    /// The event of a trade's exit.
    ///
    /// # Errors
    /// A trade that is still open, a payload that canonical JSON cannot hold, fees beyond the exact range.
    pub fn closed(&mut self, trade: &Trade) -> Result<LedgerEvent, EntryError> {
        let event = LedgerEvent::TradeClosed(self.closed_trade(trade)?);
        self.total_shortfall = exact::add(self.total_shortfall, trade.shortfall)
            .ok_or(EntryError::Overflow("the sum of the shortfalls"))?;
        self.hasher.add(&event)?;
        Ok(event)
    }

    /// The event of a part that was closed on its own; `rest` is what is left of its trade.
    ///
    /// # Errors
    /// A trade that is none, a payload that canonical JSON cannot hold, fees beyond the exact range.
    pub fn reduced(&mut self, part: &Trade, rest: &Trade) -> Result<LedgerEvent, EntryError> {
        let event = LedgerEvent::TradeReduced {
            part: self.closed_trade(part)?,
            of_number: part.part_of.ok_or(EntryError::NotAPart(part.number))?,
            rest: normalized(&rest.entry),
        };
        self.trades_count += 1;
        self.hasher.add(&event)?;
        Ok(event)
    }

    /// What both say of the trade; counts its exit.
    fn closed_trade(&mut self, trade: &Trade) -> Result<ClosedTrade, EntryError> {
        let (Some(exit), Some(pnl)) = (&trade.exit, trade.pnl) else {
            return Err(EntryError::NotClosed(trade.number));
        };
        let (stop_price, target_price) = prices(trade.barriers)?;
        let excursion = trade.excursion(self.candles);
        self.count(exit)?;
        Ok(ClosedTrade {
            trade_id: TradeId::of(self.backtest_id, trade.number),
            number: trade.number,
            direction: trade.direction,
            entry: normalized(&trade.entry),
            fill: normalized(exit),
            pnl: pnl.normalize(),
            funding: trade.funding.normalize(),
            shortfall: Some(trade.shortfall.normalize()),
            is_ambiguous: trade.is_ambiguous,
            candles_count: Some(excursion.candles_count),
            stop_price,
            target_price,
            max_adverse: Some(excursion.max_adverse),
            max_favorable: Some(excursion.max_favorable),
        })
    }

    /// The event of one of the engine's steps; progress makes none.
    ///
    /// # Errors
    /// As [`Self::opened`], [`Self::closed`] and [`Self::reduced`].
    pub fn step(&mut self, step: Step<'_>) -> Result<Option<LedgerEvent>, EntryError> {
        match step {
            Step::Opened(trade) => self.opened(trade).map(Some),
            Step::Closed(trade) => self.closed(trade).map(Some),
            Step::Reduced { part, rest } => self.reduced(part, rest).map(Some),
            Step::Progress { .. } => Ok(None),
        }
    }

    /// Returns the rest of the ledger; `open_time` holds the opening times of the range's candles, as many as the outcome's
    /// equity has points.
    ///
    /// # Errors
    /// A payload that canonical JSON cannot hold, equity that is not finite.
    pub fn finish(mut self, open_time: &[i64], outcome: &Outcome) -> Result<Ending, EntryError> {
        let points = equity_points(open_time, &outcome.equity);
        let mut events = Vec::new();
        let parts = DailyEquity::parts(&points).ok_or(EntryError::Overflow("equity"))?;
        for part in parts {
            let event = LedgerEvent::EquityRecorded(part);
            self.hasher.add(&event)?;
            events.push(event);
        }
        let ledger_hash = self.hasher.finish();
        events.push(LedgerEvent::LedgerClosed {
            trades_count: self.trades_count,
            fills_count: self.fills_count,
            total_fees: self.total_fees.normalize(),
            total_pnl: outcome.metrics.total_pnl.normalize(),
            total_shortfall: Some(self.total_shortfall.normalize()),
            final_balance: outcome.final_balance.normalize(),
            ledger_hash: ledger_hash.to_string(),
        });
        Ok(Ending { events, points, ledger_hash })
    }

    fn count(&mut self, fill: &Fill) -> Result<(), EntryError> {
        self.fills_count += 1;
        let total = self.total_fees.checked_add(fill.fee);
        self.total_fees = total.ok_or(EntryError::Overflow("the sum of the fees"))?;
        Ok(())
    }
}

fn prices(barriers: Barriers) -> Result<(Option<Decimal>, Option<Decimal>), EntryError> {
    barriers.prices().ok_or(EntryError::Overflow("a level"))
}

/// The fill with no decimal that ends in zeros.
fn normalized(fill: &Fill) -> Fill {
    Fill {
        price: fill.price.normalize(),
        quantity: fill.quantity.normalize(),
        fee: fill.fee.normalize(),
        cash_after: fill.cash_after.normalize(),
        ..fill.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ledger::{Ledger, LedgerCommand},
        market::Candle,
        simulation::{
            metrics::Metrics,
            trade::{Direction, FillPlace, Moment, Side},
        },
    };

    // Computed with Python's hashlib over the four lines of canonical JSON, written by hand.
    const LEDGER: &str = "2a50e87e8e65d20a401aa894b748520c0aaf5ccf7679f0f50822a701e7a5917e";

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn trade() -> Trade {
        let fill = |side, price: &str, fee: &str, cash_after: &str, reason: &str| Fill {
            time: 1_503_014_400_000,
            side,
            price: decimal(price),
            quantity: decimal("2.3300"),
            fee: decimal(fee),
            cash_after: decimal(cash_after),
            reason: reason.into(),
        };
        let entry = fill(Side::Buy, "4285.080", "9.99", "0.50", "rsi(14) < 30");
        let place = |moment| FillPlace { candle: 1, moment };
        let barriers = Barriers { stop: Some(4070.826), target: None };
        Trade {
            exit: Some(fill(Side::Sell, "4108.37", "9.570", "9573.00210", "end_of_data")),
            exited: Some(place(Moment::Close)),
            pnl: Some(decimal("-431.29430")),
            ..Trade::opened(1, Direction::Long, entry, place(Moment::Open), barriers)
        }
    }

    /// Two days of which the second goes from 4000 to 4400.
    fn candles() -> Candles {
        let day = |open_time, open, high, low, close| Candle {
            open_time,
            open,
            high,
            low,
            close,
            volume: 1.0,
        };
        [
            day(1_502_928_000_000, 4261.48, 4485.39, 4200.74, 4285.08),
            day(1_503_014_400_000, 4285.08, 4400.0, 4000.0, 4108.37),
        ]
        .into_iter()
        .collect()
    }

    fn outcome(equity: Vec<f64>) -> Outcome {
        let total_pnl = decimal("-431.2943");
        Outcome {
            trades: vec![trade()],
            equity,
            metrics: Metrics { total_pnl, ..Metrics::default() },
            shortfall: Decimal::ZERO,
            funding: Decimal::ZERO,
            final_balance: decimal("9573.00210"),
            final_balance_stop_first: decimal("9573.00210"),
            final_balance_target_first: decimal("9573.00210"),
            ambiguous_trades_count: 0,
            warnings: Vec::new(),
            rejections: Vec::new(),
            rejections_count: 0,
            expiries: Vec::new(),
            expiries_count: 0,
            first_evaluated: 0,
        }
    }

    fn write(backtest_id: BacktestId) -> (Vec<LedgerEvent>, Ending) {
        let balance = decimal("10000.00");
        let symbol = "BTCUSDT".parse().unwrap();
        let candles = candles();
        let (mut writer, opened) =
            LedgerWriter::open(backtest_id, symbol, Timeframe::OneDay, balance, &candles).unwrap();
        let mut events = vec![opened];
        events.push(writer.opened(&trade()).unwrap());
        events.push(writer.closed(&trade()).unwrap());
        let times = [1_502_928_000_000, 1_503_014_400_000];
        let ending = writer.finish(&times, &outcome(vec![10_000.0, 9573.0021])).unwrap();
        events.extend(ending.events.clone());
        (events, ending)
    }

    #[test]
    fn a_ledger_is_written_in_order_without_trailing_zeros_and_hashed() {
        let (events, ending) = write(BacktestId::default());
        assert_eq!(ending.ledger_hash.to_string(), LEDGER);
        assert_eq!(events.len(), 5);
        assert_eq!(
            serde_json::to_value(&events[4]).unwrap(),
            serde_json::json!({
                "type": "LedgerClosed", "trades_count": 1, "fills_count": 2, "total_fees": "19.56",
                "total_pnl": "-431.2943", "total_shortfall": "0", "final_balance": "9573.0021", "ledger_hash": LEDGER,
            })
        );
    }

    #[test]
    fn ids_change_the_events_but_not_the_hash() {
        let other = BacktestId::new(uuid::Uuid::from_u128(7));
        let (events, ending) = write(other);
        assert_ne!(events[0], write(BacktestId::default()).0[0]);
        assert_eq!(ending.ledger_hash.to_string(), LEDGER);
    }

    #[test]
    fn a_restart_and_the_stored_json_give_the_same_hash() {
        let (events, _) = write(BacktestId::default());
        let restarted = LedgerEvent::LedgerRestarted { engine_version: "2".to_owned() };
        let mut hasher = LedgerHasher::default();
        for event in events[..2].iter().chain([&restarted]).chain(&events) {
            let stored = serde_json::to_string(event).unwrap();
            hasher.add_stored(&stored).unwrap();
        }
        assert_eq!(hasher.finish().to_string(), LEDGER);
    }

    #[test]
    fn an_open_trade_has_no_closing_entry() {
        let candles = candles();
        let (mut writer, _) = LedgerWriter::open(
            BacktestId::default(),
            "GOOG".parse().unwrap(),
            Timeframe::OneDay,
            Decimal::ONE,
            &candles,
        )
        .unwrap();
        let open = Trade { exit: None, pnl: None, ..trade() };
        assert!(matches!(writer.closed(&open), Err(EntryError::NotClosed(1))));
    }

    #[test]
    fn the_aggregate_accepts_what_the_writer_makes() {
        let mut trade = trade();
        trade.entry.price = decimal("100");
        trade.entry.quantity = decimal("2");
        trade.entry.fee = decimal("0.2");
        trade.entry.cash_after = decimal("799.8");
        let exit = Fill { side: Side::Sell, price: decimal("110"), ..trade.entry.clone() };
        trade.exit = Some(Fill { cash_after: decimal("1019.60"), ..exit });
        trade.pnl = Some(decimal("19.60"));
        let backtest_id = BacktestId::new(uuid::Uuid::from_u128(7));
        let candles = candles();
        let (mut writer, opened) = LedgerWriter::open(
            backtest_id,
            "GOOG".parse().unwrap(),
            Timeframe::OneDay,
            decimal("1000.0"),
            &candles,
        )
        .unwrap();
        let mut events =
            vec![opened, writer.opened(&trade).unwrap(), writer.closed(&trade).unwrap()];
        let mut outcome = outcome(vec![1000.0, 1019.6]);
        outcome.metrics.total_pnl = decimal("19.6");
        outcome.final_balance = decimal("1019.60");
        events.extend(writer.finish(&[0, 86_400_000], &outcome).unwrap().events);
        let decided = Ledger::default().decide(LedgerCommand::Record(events.clone()));
        assert_eq!(decided, Ok(events));
    }
}
