//! The ledger aggregate accepts what a run records, to the last digit.

use super::*;
use crate::{
    ids::BacktestId,
    ledger::{
        Ledger, LedgerCommand, LedgerEvent,
        entries::{Ending, LedgerWriter},
    },
};

/// Writes the ledger during the run.
struct Recorder<'a> {
    writer: LedgerWriter<'a>,
    events: Vec<LedgerEvent>,
}

impl Observer for Recorder<'_> {
    fn observe(&mut self, step: Step<'_>) -> ControlFlow<()> {
        self.events.extend(self.writer.step(step).unwrap());
        ControlFlow::Continue(())
    }
}

/// A run with the ledger that it writes, but for its ending, and that.
pub(super) fn record(
    input: &Input<'_>,
) -> Result<(Outcome, Vec<LedgerEvent>, Ending), SimulationError> {
    let symbol = "BTCUSDT".parse().unwrap();
    let (writer, opened) = LedgerWriter::open(
        BacktestId::default(),
        symbol,
        Timeframe::OneDay,
        input.initial_balance,
        input.candles,
    )
    .unwrap();
    let mut recorder = Recorder { writer, events: vec![opened] };
    let outcome = run(input, &mut recorder)?;
    let open_time = &input.candles.open_time[input.range_start..];
    let ending = recorder.writer.finish(open_time, &outcome).unwrap();
    Ok((outcome, recorder.events, ending))
}

/// The run's outcome; panics when its ledger does not follow from its fills.
pub(super) fn accepted(input: &Input<'_>) -> Result<Outcome, SimulationError> {
    let (outcome, mut events, ending) = record(input)?;
    events.extend(ending.events);
    let recorded = Ledger::default().decide(LedgerCommand::Record(events.clone())).unwrap();
    assert_eq!(recorded, events);
    Ok(outcome)
}

#[test]
fn eight_years_of_every_built_in_are_accepted() {
    let candles = candles_of("BTCUSDT_1d");
    for builtin in crate::strategy::builtins::ALL {
        for direction in ["long", "short", "both"] {
            let body = json!({"code_ref": builtin.name, "config": {"direction": direction}});
            let (strategy, settings) = (strategy(&body), Settings::default());
            let outcome = accepted(&input(&strategy, &candles, &settings)).unwrap();
            assert!(!outcome.trades.is_empty(), "{} {direction}", builtin.name);
        }
    }
}

#[test]
fn every_day_with_candles_is_recorded_and_the_others_are_skipped() {
    let candles = candles_of("GOOG_1d");
    let body = json!({"code_ref": "buy_and_hold"});
    let (strategy, settings) = (strategy(&body), Settings::default());
    let (outcome, _, ending) = record(&input(&strategy, &candles, &settings)).unwrap();
    let LedgerEvent::EquityRecorded(recorded) = &ending.events[0] else { panic!() };
    let days: Vec<i64> = recorded
        .days()
        .map(|(day, _)| day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis())
        .collect();
    assert_eq!(days, candles.open_time);
    let calendar_days = (days[days.len() - 1] - days[0]) / DAY_MS + 1;
    let count = days.len() + recorded.skipped.len();
    assert_eq!(i64::try_from(count).unwrap(), calendar_days);
    // The metrics are of the unrounded curve.
    let last = recorded.days().last().unwrap().1;
    assert_ne!(outcome.equity[days.len() - 1].to_bits(), last.to_bits());
    assert_eq!(outcome.metrics.total_return, Some(outcome.equity[days.len() - 1] / 10_000.0 - 1.0));
    assert_eq!(ending.events.len(), 2);
}
