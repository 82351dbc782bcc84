//! A ledger marked over its candles gives the engine's equity, bit by bit, and shows how far each trade went.

use proptest::prelude::*;
use rstest::rstest;

use super::{
    every_order::{any_full_body, any_full_settings, finer},
    fills::{body, free},
    properties::{any_body, any_candles},
    *,
};
use crate::{
    ledger::LedgerEvent,
    simulation::{portfolio::costs::Costs, rules::EntryOrder, settings::FillMode, trade::Moment},
};

/// Time of the fill that an entry records.
fn time_of(event: &LedgerEvent) -> Option<i64> {
    match event {
        LedgerEvent::TradeOpened { fill, .. } => Some(fill.time),
        LedgerEvent::TradeClosed(closed) | LedgerEvent::TradeReduced { part: closed, .. } => {
            Some(closed.fill.time)
        }
        LedgerEvent::LedgerOpened { .. }
        | LedgerEvent::EquityRecorded(_)
        | LedgerEvent::LedgerRestarted { .. }
        | LedgerEvent::LedgerClosed { .. } => None,
    }
}

fn bits(equity: &[f64]) -> Vec<u64> {
    equity.iter().map(|equity| equity.to_bits()).collect()
}

/// Whether a resting order filled at the price that a market order would have had at the close: with `fill = "close"`
/// nothing tells the two apart, see [`mark`].
fn is_undecidable(input: &Input<'_>, events: &[LedgerEvent]) -> bool {
    let is_resting = input.strategy.config.entry_order != EntryOrder::Market;
    let costs = Costs::try_new(input.settings).unwrap();
    let is_at_close = |fill: &Fill, direction: Direction| {
        let candle = input.candles.open_time.binary_search(&fill.time).unwrap();
        let Candle { low, high, close, .. } = input.candles.get(candle).unwrap();
        let slipped = costs.slipped(close, fill.side, low, high);
        let is_entry = fill.side == direction.entry_side();
        let price = if is_entry {
            costs.entry_price(slipped, direction)
        } else {
            costs.exit_price(slipped, direction)
        };
        exact::price(price) == Some(fill.price)
    };
    let mut reasons = Vec::new();
    let mut is_one = |event: &LedgerEvent| match event {
        LedgerEvent::TradeOpened { fill, direction, .. } => {
            reasons.push(fill.reason.clone());
            is_at_close(fill, *direction)
        }
        LedgerEvent::TradeClosed(closed) | LedgerEvent::TradeReduced { part: closed, .. } => {
            reasons.contains(&closed.fill.reason) && is_at_close(&closed.fill, closed.direction)
        }
        LedgerEvent::LedgerOpened { .. }
        | LedgerEvent::EquityRecorded(_)
        | LedgerEvent::LedgerRestarted { .. }
        | LedgerEvent::LedgerClosed { .. } => false,
    };
    input.settings.fill == FillMode::Close && is_resting && events.iter().any(&mut is_one)
}

/// Runs, marks what was recorded, and compares.
fn marks_agree(input: &Input<'_>, cut: usize) {
    let (outcome, mut events, ending) = match recorded::record(input) {
        Ok(recorded) => recorded,
        Err(SimulationError::NothingToEvaluate { .. } | SimulationError::Overflow(_)) => return,
        Err(error) => panic!("{error}"),
    };
    if is_undecidable(input, &events) {
        return;
    }
    let unfinished = events.clone();
    events.extend(ending.events);
    let (candles, settings) = (input.candles, input.settings);
    let marks = mark(&events, candles, settings).unwrap();
    assert_eq!(bits(&marks.equity), bits(&outcome.equity));
    assert_eq!(mark(&unfinished, candles, settings).unwrap(), marks);
    assert!(marks.drawdown.iter().all(|fall| (0.0..=1.0).contains(fall)), "{:?}", marks.drawdown);
    let deepest = marks.drawdown.iter().copied().fold(0.0, f64::max);
    let max_drawdown = outcome.metrics.max_drawdown_percentage.unwrap();
    assert!((deepest - max_drawdown).abs() <= 1e-12, "{deepest} is not {max_drawdown}");
    let numbers: Vec<u32> = marks.trades.iter().map(|trade| trade.number).collect();
    assert_eq!(numbers, outcome.trades.iter().map(|trade| trade.number).collect::<Vec<_>>());
    for (marked, trade) in marks.trades.iter().zip(&outcome.trades) {
        // A stop that fills within its candle may have the price of a market order at the open.
        let mut entered = trade.entered;
        if entered.moment == Moment::Within {
            entered.moment = Moment::Open;
        }
        let known = [trade.entered, entered]
            .map(|entered| Trade { entered, ..trade.clone() }.excursion(input.candles));
        assert!(known.contains(&marked.excursion), "{marked:?} is not among {known:?}");
    }
    exposures_agree(&events, input, &marks, cut);
    for trade in &marks.trades {
        let Excursion { max_adverse, max_favorable, .. } = trade.excursion;
        assert!(max_adverse >= 0.0 && max_favorable >= 0.0);
    }
    // An attempt under another engine came before, and this one ends early.
    let cut = 1 + cut % unfinished.len();
    let restarted = LedgerEvent::LedgerRestarted { engine_version: "2".to_owned() };
    let part: Vec<_> =
        events.iter().take(2).chain([&restarted]).chain(&unfinished[..cut]).cloned().collect();
    let part_marks = mark(&part, candles, settings).unwrap();
    exposures_agree(&part, input, &part_marks, cut);
    let part = part_marks;
    let next = unfinished.get(cut).and_then(time_of).unwrap_or(i64::MAX);
    let same = candles.open_time.partition_point(|time| *time < next);
    assert_eq!(bits(&part.equity[..same]), bits(&outcome.equity[..same]));
}

/// The exposure at every other candle is that of the marks.
fn exposures_agree(events: &[LedgerEvent], input: &Input<'_>, marks: &Marks, cut: usize) {
    let places: Vec<usize> = (cut % 2..input.candles.len()).step_by(2).collect();
    let mut exposures = Exposures::try_new(input.candles, input.settings, &places).unwrap();
    for event in events {
        exposures.add(event).unwrap();
    }
    let expected: Vec<f64> = places.iter().map(|place| marks.exposure[*place]).collect();
    assert_eq!(bits(&exposures.finish().unwrap()), bits(&expected));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_marked_ledger_has_the_engines_equity_whatever_the_orders(
        candles in any_candles(), body in any_full_body(), settings in any_full_settings(), cut in any::<usize>(),
    ) {
        let mut body = body;
        if !settings.preset.is_backtrail() {
            body["config"]["partial_take_profits"] = json!([]);
        }
        let (strategy, fine) = (strategy(&body), finer(&candles));
        let input = Input { fine: Some(&fine), ..input(&strategy, &candles, &settings) };
        marks_agree(&input, cut);
    }

    #[test]
    fn a_marked_ledger_of_the_common_case_has_the_engines_equity(
        candles in any_candles(), body in any_body(), settings in any_full_settings(), cut in any::<usize>(),
    ) {
        let strategy = strategy(&body);
        marks_agree(&input(&strategy, &candles, &settings), cut);
    }
}

/// Enters at day 2's open of 100; day 2 spans 90 to 120, day 3 80 to 110, day 4 70 to 130.
fn swinging() -> Candles {
    candles([
        [100.0, 101.0, 99.0, 100.0, 0.0],
        [100.0, 101.0, 99.0, 100.0, 1.0],
        [100.0, 120.0, 90.0, 105.0, 0.0],
        [105.0, 110.0, 80.0, 95.0, 2.0],
        [96.0, 130.0, 70.0, 100.0, 0.0],
    ])
}

#[rstest]
// Left at day 4's open of 96: its swing comes after.
#[case::next_open("next_open", json!({}), 3, 0.2, 0.2)]
// Entered at day 1's close, left at day 3's close of 95.
#[case::close("close", json!({}), 3, 0.2, 0.2)]
// The stop at 85 is hit on day 3: how deep that day went before does not matter.
#[case::stopped("next_open", json!({"stop_loss": 15}), 2, 0.15, 0.2)]
// A short goes the other way: adverse is above, favorable below.
#[case::short("next_open", json!({"direction": "short"}), 3, 0.2, 0.2)]
#[case::short_stopped("next_open", json!({"direction": "short", "stop_loss": 15}), 1, 0.15, 0.0)]
fn a_trade_is_marked_while_it_is_held(
    #[case] fill: &str,
    #[case] config: Value,
    #[case] candles_count: u32,
    #[case] max_adverse: f64,
    #[case] max_favorable: f64,
) {
    let (strategy, settings) = (strategy(&body(config)), free(json!({"fill": fill})));
    let candles = swinging();
    let (_, events, _) = recorded::record(&input(&strategy, &candles, &settings)).unwrap();
    let marks = mark(&events, &candles, &settings).unwrap();
    let excursion = marks.trades[0].excursion;
    assert_eq!(excursion.candles_count, candles_count);
    assert!((excursion.max_adverse - max_adverse).abs() < 1e-12, "{excursion:?}");
    assert!((excursion.max_favorable - max_favorable).abs() < 1e-12, "{excursion:?}");
}

#[test]
fn an_open_trade_is_marked_to_the_last_candle() {
    let (strategy, settings) =
        (strategy(&body(json!({"take_profit": 90}))), free(json!({"finalize": "leave_open"})));
    let candles = candles(swinging_without_exit());
    let (_, events, _) = recorded::record(&input(&strategy, &candles, &settings)).unwrap();
    let marks = mark(&events, &candles, &settings).unwrap();
    assert_eq!(marks.equity, [10_000.0, 10_000.0, 10_500.0, 9_500.0]);
    assert_eq!(bits(&marks.exposure), bits(&[0.0, 0.0, 10_500.0, 9_500.0]));
    assert_eq!(marks.drawdown, [0.0, 0.0, 0.0, 1.0 - 9_500.0 / 10_500.0]);
    let (number, excursion) = (marks.trades[0].number, marks.trades[0].excursion);
    assert_eq!((number, excursion.candles_count), (1, 2));
    assert!((excursion.max_adverse - 0.2).abs() < 1e-12, "{excursion:?}");
    assert!((excursion.max_favorable - 0.2).abs() < 1e-12, "{excursion:?}");
}

fn swinging_without_exit() -> [[f64; 5]; 4] {
    [
        [100.0, 101.0, 99.0, 100.0, 0.0],
        [100.0, 101.0, 99.0, 100.0, 1.0],
        [100.0, 120.0, 90.0, 105.0, 0.0],
        [105.0, 110.0, 80.0, 95.0, 0.0],
    ]
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let (strategy, settings) = (strategy(&body(json!({}))), Settings::default());
    let candles = swinging();
    let (_, events, _) = recorded::record(&input(&strategy, &candles, &settings)).unwrap();
    assert_eq!(mark(&events[1..], &candles, &settings), Err(MarkError::NotOpened));
    let others = candles.rows(0..1);
    assert_eq!(mark(&events, &others, &settings), Err(MarkError::UnknownCandle(2 * DAY_MS)));
    let no_entry = [events[0].clone(), events[2].clone()];
    assert_eq!(mark(&no_entry, &candles, &settings), Err(MarkError::UnknownTrade(1)));
    let exposures = |candles: &Candles, entries: &[LedgerEvent]| {
        let mut exposures = Exposures::try_new(candles, &settings, &[]).unwrap();
        entries.iter().try_for_each(|entry| exposures.add(entry))?;
        exposures.finish()
    };
    assert_eq!(exposures(&candles, &events[1..]), Err(MarkError::NotOpened));
    assert_eq!(exposures(&candles, &[]), Err(MarkError::NotOpened));
    assert_eq!(exposures(&others, &events), Err(MarkError::UnknownCandle(2 * DAY_MS)));
    assert_eq!(exposures(&candles, &no_entry), Err(MarkError::UnknownTrade(1)));
}
