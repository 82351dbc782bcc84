//! What a run writes down is what the ledger aggregate accepts, to the last digit.

use super::*;
use crate::{
    ids::BacktestId,
    ledger::{Ledger, LedgerCommand, entries::LedgerWriter},
};

/// Panics when the ledger of this outcome does not follow from its fills.
pub(super) fn the_ledger_accepts_it(outcome: &Outcome, candles: &Candles) {
    let balance = Decimal::from(10_000);
    let symbol = "BTCUSDT".parse().unwrap();
    let (mut writer, opened) =
        LedgerWriter::open(BacktestId::default(), symbol, Timeframe::OneDay, balance).unwrap();
    let mut events = vec![opened];
    for trade in &outcome.trades {
        events.push(writer.opened(trade).unwrap());
        if trade.exit.is_some() {
            events.push(writer.closed(trade).unwrap());
        }
    }
    events.extend(writer.finish(&candles.open_time, outcome).unwrap().events);
    let recorded = Ledger::default().decide(LedgerCommand::Record(events.clone())).unwrap();
    assert_eq!(recorded, events);
}

#[test]
fn eight_years_of_every_built_in_are_accepted() {
    let candles = candles_of("BTCUSDT_1d");
    for builtin in crate::strategy::builtins::ALL {
        for direction in ["long", "short", "both"] {
            let body = json!({"code_ref": builtin.name, "config": {"direction": direction}});
            let outcome = simulate(&body, &candles, &Settings::default()).unwrap();
            assert!(!outcome.trades.is_empty(), "{} {direction}", builtin.name);
            the_ledger_accepts_it(&outcome, &candles);
        }
    }
}
