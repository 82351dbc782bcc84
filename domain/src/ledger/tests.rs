//! Given events, when a command, then events: order, and cash to the last digit.

use chrono::NaiveDate;
use cqrs_es::test::TestFramework;
use rstest::rstest;
use rust_decimal::Decimal;

use super::{ClosedTrade, DailyEquity, Ledger, LedgerCommand, LedgerError, LedgerEvent, Subject};
use crate::{
    ids::{BacktestId, TradeId},
    market::Timeframe,
    number::Number,
    simulation::trade::{Direction, Fill, Side},
};

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn opened() -> LedgerEvent {
    LedgerEvent::LedgerOpened {
        subject: Subject::from(BacktestId::default()),
        symbol: "BTCUSDT".parse().unwrap(),
        timeframe: Timeframe::OneDay,
        opening_cash: decimal("10000"),
        opening_position: None,
    }
}

fn fill(side: Side, price: &str, quantity: &str, fee: &str, cash_after: &str) -> Fill {
    Fill {
        time: 1_502_928_000_000,
        side,
        price: decimal(price),
        quantity: decimal(quantity),
        fee: decimal(fee),
        cash_after: decimal(cash_after),
        reason: "rsi(14) < 30".into(),
    }
}

/// 2.33333333 × 4285.08 is 9998.5199857164, rounded 9998.51998572; a thousandth of it 9.99851999.
fn entry() -> Fill {
    fill(Side::Buy, "4285.08", "2.33333333", "9.99851999", "-8.51850571")
}

/// 2.33333333 × 4444.44444444 is 10370.3703555451…, cash −8.51850571 + 10370.37035555 − 10.37037036.
fn exit() -> Fill {
    fill(Side::Sell, "4444.44444444", "2.33333333", "10.37037036", "10351.48147948")
}

fn trade_opened(number: u32, fill: Fill) -> LedgerEvent {
    let trade_id = TradeId::of(BacktestId::default(), number);
    LedgerEvent::TradeOpened {
        trade_id,
        number,
        direction: Direction::Long,
        fill,
        stop_price: None,
        target_price: None,
    }
}

fn trade_closed(number: u32, entry: Fill, fill: Fill, pnl: &str) -> LedgerEvent {
    LedgerEvent::TradeClosed(closed_trade(number, entry, fill, pnl))
}

fn closed_trade(number: u32, entry: Fill, fill: Fill, pnl: &str) -> ClosedTrade {
    ClosedTrade {
        trade_id: TradeId::of(BacktestId::default(), number),
        number,
        direction: Direction::Long,
        entry,
        fill,
        pnl: decimal(pnl),
        funding: Decimal::ZERO,
        shortfall: Some(Decimal::ZERO),
        is_ambiguous: false,
        candles_count: Some(2),
        stop_price: None,
        target_price: None,
        max_adverse: Some(0.0),
        max_favorable: Some(0.05),
    }
}

fn first_trade() -> [LedgerEvent; 2] {
    [trade_opened(1, entry()), trade_closed(1, entry(), exit(), "351.48147948")]
}

/// Of days of August 2017.
fn equity(days: &[u32]) -> LedgerEvent {
    let day = |day: u32| NaiveDate::from_ymd_opt(2017, 8, day).unwrap();
    let (first, last) = (days[0], days[days.len() - 1]);
    LedgerEvent::EquityRecorded(DailyEquity {
        from: day(first),
        skipped: (first..last).filter(|skipped| !days.contains(skipped)).map(day).collect(),
        equity: days.iter().map(|_| Number::try_new(10_351.481_5).unwrap()).collect(),
    })
}

fn closed(
    trades_count: u32,
    fills_count: u32,
    fees: &str,
    pnl: &str,
    balance: &str,
) -> LedgerEvent {
    LedgerEvent::LedgerClosed {
        trades_count,
        fills_count,
        total_fees: decimal(fees),
        total_pnl: decimal(pnl),
        total_shortfall: Some(Decimal::ZERO),
        final_balance: decimal(balance),
        ledger_hash: "00".repeat(32),
    }
}

fn no_equity() -> DailyEquity {
    DailyEquity { from: NaiveDate::default(), skipped: Vec::new(), equity: Vec::new() }
}

fn restarted(engine: &str) -> LedgerEvent {
    LedgerEvent::LedgerRestarted { engine_version: engine.to_owned() }
}

fn whole() -> Vec<LedgerEvent> {
    let [first, second] = first_trade();
    let end = closed(1, 2, "20.36889035", "351.48147948", "10351.48147948");
    vec![opened(), first, second, equity(&[1, 3]), equity(&[4]), end]
}

fn before(count: usize) -> Vec<LedgerEvent> {
    whole().into_iter().take(count).collect()
}

fn restart(engine: &str) -> LedgerCommand {
    LedgerCommand::Restart { engine_version: engine.to_owned() }
}

/// What recording `entries` after `given` is refused with.
fn refusal(given: Vec<LedgerEvent>, entries: Vec<LedgerEvent>) -> LedgerError {
    let given = TestFramework::<Ledger>::with(()).given(given);
    given.when(LedgerCommand::Record(entries)).inspect_result().unwrap_err()
}

#[test]
fn a_whole_ledger_is_recorded_at_once_or_in_any_chunks() {
    for first in 0..=whole().len() {
        let entries: Vec<_> = whole().into_iter().skip(first).collect();
        let given = TestFramework::<Ledger>::with(()).given(before(first));
        given.when(LedgerCommand::Record(entries.clone())).then_expect_events(entries);
    }
}

#[test]
fn one_wrong_entry_refuses_all() {
    let [first, _] = first_trade();
    let error = refusal(vec![], vec![opened(), first.clone(), first]);
    assert_eq!(error, LedgerError::OutOfOrder("trade 1 comes where 2 is due".to_owned()));
}

#[rstest]
#[case::a_trade_before_the_opening(0, first_trade()[0].clone(), LedgerError::NotOpen)]
#[case::an_exit_before_the_opening(0, first_trade()[1].clone(), LedgerError::NotOpen)]
#[case::equity_before_the_opening(0, equity(&[1]), LedgerError::NotOpen)]
#[case::an_end_before_the_opening(0, closed(0, 0, "0", "0", "10000"), LedgerError::NotOpen)]
#[case::a_second_opening(1, opened(), LedgerError::AlreadyOpen)]
#[case::an_opening_after_the_end(6, opened(), LedgerError::Closed)]
#[case::a_trade_after_the_end(6, trade_opened(2, entry()), LedgerError::Closed)]
#[case::equity_after_the_end(6, equity(&[9]), LedgerError::Closed)]
#[case::a_second_end(
    6,
    closed(1, 2, "20.36889035", "351.48147948", "10351.48147948"),
    LedgerError::Closed
)]
fn the_order_of_a_ledger_is_kept(
    #[case] recorded: usize,
    #[case] entry: LedgerEvent,
    #[case] expected: LedgerError,
) {
    assert_eq!(refusal(before(recorded), vec![entry]), expected);
}

#[rstest]
#[case::a_skipped_number(1, trade_opened(2, entry()), "trade 2 comes where 1 is due")]
#[case::an_exit_without_entry(1, first_trade()[1].clone(), "trade 1 is not open")]
#[case::an_entry_again(2, trade_opened(1, entry()), "trade 1 comes where 2 is due")]
#[case::an_exit_of_another_trade(
    2,
    trade_closed(2, entry(), exit(), "351.48147948"),
    "trade 2 is not open"
)]
#[case::another_entry(2, trade_closed(1, exit(), exit(), "351.48147948"), "opened otherwise")]
#[case::a_number_again(3, trade_opened(1, entry()), "trade 1 comes where 2 is due")]
#[case::a_trade_after_equity(4, trade_opened(2, entry()), "after the equity points")]
#[case::equity_that_goes_back(4, equity(&[2]), "do not ascend")]
#[case::a_day_again(5, equity(&[4]), "do not ascend")]
#[case::equity_of_no_day(3, LedgerEvent::EquityRecorded(no_equity()), "do not fit")]
#[case::a_restart_as_entry(1, restarted("2"), "a restart is not an entry")]
#[case::an_entry_that_sells(
    1,
    trade_opened(1, fill(Side::Sell, "1", "1", "0", "10001")),
    "on the wrong side"
)]
#[case::a_price_of_zero(1, trade_opened(1, fill(Side::Buy, "0", "1", "0", "10000")), "no fill")]
#[case::no_quantity(1, trade_opened(1, fill(Side::Buy, "1", "0", "0", "10000")), "no fill")]
#[case::a_rebate_that_cash_does_not_show(
    1,
    trade_opened(1, fill(Side::Buy, "1", "1", "-1", "9999")),
    "cash is 9999 where 10000 follows"
)]
#[case::cash_that_is_a_digit_off(
    1,
    trade_opened(1, fill(Side::Buy, "4285.08", "2.33333333", "9.99851999", "-8.5185057")),
    "cash is -8.5185057 where -8.51850571 follows"
)]
#[case::an_exit_in_part(
    2,
    trade_closed(1, entry(), fill(Side::Sell, "1", "1", "0", "-7.51850571"), "0"),
    "1 of 2.33333333 are closed"
)]
#[case::a_pnl_that_is_a_digit_off(
    2,
    trade_closed(1, entry(), exit(), "351.48147949"),
    "the pnl is 351.48147949 where 351.48147948 follows"
)]
#[case::too_many_trades(
    3,
    closed(2, 2, "20.36889035", "351.48147948", "10351.48147948"),
    "2 trades"
)]
#[case::too_few_fills(3, closed(1, 1, "20.36889035", "351.48147948", "10351.48147948"), "1 fills")]
#[case::other_fees(3, closed(1, 2, "20.3688903", "351.48147948", "10351.48147948"), "the fees are")]
#[case::another_pnl(
    3,
    closed(1, 2, "20.36889035", "351", "10351.48147948"),
    "the pnl is 351 where"
)]
#[case::another_balance(
    3,
    closed(1, 2, "20.36889035", "351.48147948", "10351"),
    "final balance is 10351"
)]
fn an_entry_that_does_not_follow_is_refused(
    #[case] recorded: usize,
    #[case] entry: LedgerEvent,
    #[case] part: &str,
) {
    let error = refusal(before(recorded), vec![entry]);
    let LedgerError::OutOfOrder(reason) = &error else { panic!("{error:?}") };
    assert!(reason.contains(part), "{reason}");
}

#[test]
fn a_trade_with_an_id_of_its_own_is_refused() {
    let event = LedgerEvent::TradeOpened {
        trade_id: TradeId::default(),
        number: 1,
        direction: Direction::Long,
        fill: entry(),
        stop_price: None,
        target_price: None,
    };
    let error = refusal(before(1), vec![event]);
    let expected = "the id of trade 1 is not derived from its ledger's".to_owned();
    assert_eq!(error, LedgerError::OutOfOrder(expected));
}

#[test]
fn numbers_beyond_the_exact_range_are_refused_without_a_panic() {
    let huge = "79228162514264337593543950335";
    let event = trade_opened(1, fill(Side::Buy, huge, huge, "0", "0"));
    assert!(matches!(refusal(before(1), vec![event]), LedgerError::OutOfOrder(_)));
}

#[test]
fn a_short_sells_first_and_what_cash_cannot_pay_is_its_shortfall() {
    let short = |number, fill| LedgerEvent::TradeOpened {
        trade_id: TradeId::of(BacktestId::default(), number),
        number,
        direction: Direction::Short,
        fill,
        stop_price: None,
        target_price: None,
    };
    let sold = fill(Side::Sell, "100", "100", "10", "19990");
    let bought = fill(Side::Buy, "250", "100", "25", "0");
    // 19990 − 250 × 100 − 25.
    let covered = |shortfall| {
        LedgerEvent::TradeClosed(ClosedTrade {
            trade_id: TradeId::of(BacktestId::default(), 1),
            number: 1,
            direction: Direction::Short,
            entry: sold.clone(),
            fill: bought.clone(),
            pnl: decimal("-15035"),
            funding: Decimal::ZERO,
            shortfall: Some(decimal(shortfall)),
            is_ambiguous: false,
            candles_count: Some(1),
            stop_price: None,
            target_price: None,
            max_adverse: Some(1.5),
            max_favorable: Some(0.0),
        })
    };
    let end = |total| LedgerEvent::LedgerClosed {
        trades_count: 1,
        fills_count: 2,
        total_fees: decimal("35"),
        total_pnl: decimal("-15035"),
        total_shortfall: Some(decimal(total)),
        final_balance: Decimal::ZERO,
        ledger_hash: "00".repeat(32),
    };
    let before = vec![opened(), short(1, sold.clone())];
    let given = TestFramework::<Ledger>::with(()).given(before.clone());
    let entries = vec![covered("5035"), end("5035")];
    given.when(LedgerCommand::Record(entries.clone())).then_expect_events(entries);
    for (entries, part) in [
        (vec![covered("0"), end("0")], "the shortfall is 0 where 5035 follows"),
        (vec![covered("5035"), end("5034.99")], "the shortfall is 5034.99 where 5035 follows"),
    ] {
        let LedgerError::OutOfOrder(reason) = refusal(before.clone(), entries) else { panic!() };
        assert_eq!(reason, part);
    }
}

#[test]
fn a_ledger_may_end_with_an_open_trade_marked_at_the_last_close() {
    let end = closed(1, 1, "9.99851999", "12", "10012");
    let given = TestFramework::<Ledger>::with(()).given(before(2));
    given.when(LedgerCommand::Record(vec![end.clone()])).then_expect_events(vec![end]);
}

#[test]
fn nothing_to_record_is_nothing_recorded() {
    for recorded in 0..=whole().len() {
        let given = TestFramework::<Ledger>::with(()).given(before(recorded));
        given.when(LedgerCommand::Record(vec![])).then_expect_events(vec![]);
    }
}

#[test]
fn a_restart_voids_what_was_before() {
    for recorded in 1..whole().len() {
        let given = TestFramework::<Ledger>::with(()).given(before(recorded));
        given.when(restart("2")).then_expect_events(vec![restarted("2")]);
        let mut history = before(recorded);
        history.push(restarted("2"));
        let given = TestFramework::<Ledger>::with(()).given(history);
        given.when(LedgerCommand::Record(whole())).then_expect_events(whole());
    }
}

#[test]
fn a_repeated_restart_makes_no_event() {
    let given = TestFramework::<Ledger>::with(()).given(vec![opened(), restarted("2")]);
    given.when(restart("2")).then_expect_events(vec![]);
}

#[rstest]
#[case::nothing_was_opened(vec![], LedgerError::NotOpen)]
#[case::it_is_closed(whole(), LedgerError::Closed)]
#[case::another_engine_restarted_it(vec![opened(), restarted("3")], LedgerError::NotOpen)]
fn a_restart_is_refused(#[case] given: Vec<LedgerEvent>, #[case] expected: LedgerError) {
    TestFramework::<Ledger>::with(()).given(given).when(restart("2")).then_expect_error(expected);
}

/// 3 units at 100 with a fee of 1; a third of that is 0.33333333.
fn threefold() -> [LedgerEvent; 2] {
    [opened(), trade_opened(1, fill(Side::Buy, "100", "3", "1", "9699"))]
}

fn reduced(entry: Fill, rest: Fill, exit: Fill, pnl: &str) -> LedgerEvent {
    LedgerEvent::TradeReduced { part: closed_trade(2, entry, exit, pnl), of_number: 1, rest }
}

#[test]
fn a_part_takes_its_share_of_the_entry_and_the_rest_what_is_left_of_it() {
    let part = fill(Side::Buy, "100", "1", "0.33333333", "9699");
    let rest = fill(Side::Buy, "100", "2", "0.66666667", "9699");
    // A share of the cash change: 301 / 3 = 100.33333333, and 200.66666667 stay.
    let entries = [
        reduced(part, rest.clone(), fill(Side::Sell, "110", "1", "0.5", "9808.5"), "9.16666667"),
        trade_closed(1, rest, fill(Side::Sell, "120", "2", "0.5", "10048"), "38.83333333"),
        closed(2, 3, "2", "48", "10048"),
    ];
    let given = TestFramework::<Ledger>::with(()).given(threefold().to_vec());
    given.when(LedgerCommand::Record(entries.to_vec())).then_expect_events(entries.to_vec());
}

#[rstest]
#[case::another_share("1", "0.3", "0.7", "109.5", "does not split")]
#[case::all_of_it("3", "1", "0", "9998.5", "are no part")]
#[case::other_cash("1", "0.33333333", "0.66666667", "9808", "cash is 9808")]
fn a_part_that_does_not_follow_is_refused(
    #[case] quantity: &str,
    #[case] fee: &str,
    #[case] rest_fee: &str,
    #[case] cash: &str,
    #[case] part: &str,
) {
    let left = (decimal("3") - decimal(quantity)).to_string();
    let event = reduced(
        fill(Side::Buy, "100", quantity, fee, "9699"),
        fill(Side::Buy, "100", &left, rest_fee, "9699"),
        fill(Side::Sell, "110", quantity, "0.5", cash),
        "9.16666667",
    );
    let error = refusal(threefold().to_vec(), vec![event]);
    let LedgerError::OutOfOrder(reason) = &error else { panic!("{error:?}") };
    assert!(reason.contains(part), "{reason}");
}

#[test]
fn trades_may_overlap_and_funding_is_settled_with_an_exit() {
    let second = trade_opened(2, fill(Side::Buy, "100", "1", "0", "9599"));
    let mut with_funding = trade_closed(
        1,
        fill(Side::Buy, "100", "3", "1", "9699"),
        fill(Side::Sell, "100", "3", "0", "9896.5"),
        "-1",
    );
    if let LedgerEvent::TradeClosed(closed) = &mut with_funding {
        closed.funding = decimal("-2.5");
    }
    let entries = vec![second, with_funding];
    let given = TestFramework::<Ledger>::with(()).given(threefold().to_vec());
    given.when(LedgerCommand::Record(entries.clone())).then_expect_events(entries);
}
