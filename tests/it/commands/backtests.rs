//! Requesting backtests: what is pinned, what is refused, all at once.

use chrono::{DateTime, TimeDelta, Utc};
use commands::{BacktestDraft, CommandContext, CommandError, IdempotencyKey, StrategyDraft};
use domain::{
    backtest::{LiveBacktest, Request},
    fields::FieldError,
    ids::UserId,
    market::Timeframe,
    number::Number,
    simulation::{Settings, settings::Warmup},
    strategy::builtins,
};
use rust_decimal::Decimal;
use serde_json::json;

use crate::executor::desk::{Desk, backtest, context, draft, minutes, restless, user};

const MINUTES: i64 = 100;

fn opening(index: usize) -> DateTime<Utc> {
    let candles = minutes(MINUTES);
    DateTime::from_timestamp_millis(candles.open_time[index]).unwrap()
}

async fn request(
    desk: &Desk,
    user: UserId,
    draft: &BacktestDraft,
) -> Result<Request, CommandError> {
    let id = desk.commands.request_backtest(&context(user), draft).await?.value;
    let LiveBacktest { request, .. } = desk.backtest(id).await;
    Ok(request)
}

async fn errors(desk: &Desk, draft: &BacktestDraft) -> Vec<FieldError> {
    let error = request(desk, user(), draft).await.unwrap_err();
    let CommandError::Invalid(errors) = error else { panic!("{error}") };
    errors
}

fn codes(errors: &[FieldError]) -> Vec<(&str, &str)> {
    errors.iter().map(|error| (error.field.as_str(), error.code.as_str())).collect()
}

#[tokio::test]
async fn a_request_pins_strategy_market_range_parameters_and_lot() {
    let desk = Desk::with_minutes(MINUTES).await;
    let owner = user();
    let strategy = desk.strategy(owner).await;
    for reference in [strategy.to_string(), "restless".to_owned()] {
        let by_asset = BacktestDraft { symbol: Some("btc".to_owned()), ..backtest(&reference) };
        let pinned = request(&desk, owner, &by_asset).await.unwrap();
        assert_eq!((pinned.run.strategy_id, pinned.run.strategy_version), (strategy, 1));
        assert_eq!(pinned.run.strategy_name, "Restless");
        assert_eq!(
            (pinned.run.symbol.as_str(), pinned.run.asset_symbol.as_str()),
            ("BTCUSDT", "BTC")
        );
        assert_eq!((pinned.run.start_time, pinned.run.end_time), (opening(0), opening(99)));
        assert_eq!(pinned.run.settings.lot, Some(Decimal::new(1, 8)));
    }
}

#[tokio::test]
async fn built_ins_run_by_slug_and_by_id_with_their_defaults() {
    let desk = Desk::with_minutes(MINUTES).await;
    let cross = builtins::find("golden_cross").unwrap();
    for reference in ["golden-cross".to_owned(), cross.id().to_string()] {
        let mut draft = backtest(&reference);
        let number = |value| Number::try_new(value).unwrap();
        draft.parameters.insert("short".to_owned(), number(3.0));
        draft.parameters.insert("long".to_owned(), number(8.0));
        let pinned = request(&desk, user(), &draft).await.unwrap();
        assert_eq!(pinned.run.strategy_id, cross.id());
        assert_eq!(pinned.run.parameters.len(), cross.parameters.len());
        assert!(pinned.run.parameters.values().any(|value| value.get() == 3.0));
    }
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once() {
    let desk = Desk::with_minutes(MINUTES).await;
    let mut draft = BacktestDraft {
        symbol: Some("NOPE".to_owned()),
        initial_balance: Decimal::NEGATIVE_ONE,
        ..backtest("golden-cross")
    };
    draft.parameters.insert("shrot_window".to_owned(), Number::try_new(3.0).unwrap());
    let errors = errors(&desk, &draft).await;
    let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(fields, ["initial_balance", "parameters.shrot_window", "symbol"]);
    assert!(errors[1].message.contains("short_window"), "{}", errors[1].message);
}

#[tokio::test]
async fn what_could_not_be_read_is_required_and_what_is_unknown_is_named() {
    let desk = Desk::with_minutes(MINUTES).await;
    let nothing = BacktestDraft { strategy: None, symbol: None, ..backtest("") };
    let found = errors(&desk, &nothing).await;
    assert_eq!(codes(&found), [("strategy_id", "required"), ("symbol", "required")]);
    let unknown = backtest("no-such-strategy");
    let found = errors(&desk, &unknown).await;
    assert_eq!(codes(&found), [("strategy_id", "not_found")]);
}

#[tokio::test]
async fn a_range_must_hold_candles_and_the_answer_says_what_there_is() {
    let desk = Desk::with_minutes(MINUTES).await;
    let backwards = BacktestDraft {
        start_time: Some(opening(5)),
        end_time: Some(opening(4)),
        ..backtest("buy-and-hold")
    };
    assert_eq!(codes(&errors(&desk, &backwards).await), [("end_time", "out_of_range")]);

    let later = BacktestDraft {
        start_time: Some(opening(99) + TimeDelta::days(1)),
        ..backtest("buy-and-hold")
    };
    let found = errors(&desk, &later).await;
    assert_eq!(codes(&found), [("start_time", "no_candles")]);
    let first = opening(0).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    assert!(found[0].message.contains(&format!("100 are stored, from {first}")), "{found:?}");

    let other = BacktestDraft { symbol: Some("ETHUSDT".to_owned()), ..backtest("buy-and-hold") };
    assert_eq!(codes(&errors(&desk, &other).await), [("symbol", "no_candles")]);
}

#[tokio::test]
async fn a_timeframe_that_no_stored_one_makes_up_names_those_that_are() {
    let desk = Desk::with_minutes(0).await;
    let mut hours = minutes(3);
    hours.open_time = (1..=3).map(|hour| hour * 3_600_000).collect();
    let symbol = "ETHUSDT".parse().unwrap();
    desk.candles.import(&symbol, Timeframe::OneHour, &hours, None, |_| {}).await.unwrap();
    let finer = BacktestDraft { symbol: Some("ETH".to_owned()), ..backtest("buy-and-hold") };
    let found = errors(&desk, &finer).await;
    assert_eq!(codes(&found), [("timeframe", "no_candles")]);
    assert!(found[0].message.ends_with("there are 1h"), "{}", found[0].message);
}

#[tokio::test]
async fn some_candle_of_the_range_must_be_evaluated_warm_up_included() {
    let desk = Desk::with_minutes(MINUTES).await;
    let owner = user();
    let body = json!({
        "entry_rules": {"operator": "and", "conditions": [
            {"indicator": "sma(10)", "comparator": ">", "value": 1}]},
        "exit_rules": {"operator": "and", "conditions": [
            {"indicator": "close", "comparator": "<", "value": 0}]},
    });
    desk.commands.create_strategy(&context(owner), draft("Ten", &body)).await.unwrap();
    let from = |start: usize, end: usize, warmup| BacktestDraft {
        start_time: Some(opening(start)),
        end_time: Some(opening(end)),
        settings: Settings { warmup, ..Settings::default() },
        ..backtest("ten")
    };
    // sma(10) is defined on its tenth candle, and rules are evaluated from the one after.
    for (start, end, warmup, is_good) in [
        (0, 9, Warmup::BeforeStart, false),
        (0, 10, Warmup::BeforeStart, true),
        (10, 10, Warmup::BeforeStart, true),
        (9, 9, Warmup::BeforeStart, false),
        (50, 59, Warmup::InRange, false),
        (50, 60, Warmup::InRange, true),
    ] {
        let draft = from(start, end, warmup);
        match (request(&desk, owner, &draft).await, is_good) {
            (Ok(_), true) => {}
            (Err(CommandError::Invalid(errors)), false) => {
                assert_eq!(codes(&errors), [("start_time", "not_enough_candles")]);
                assert!(errors[0].message.contains("need 11 candles, there are 10"), "{errors:?}");
            }
            (other, _) => panic!("{start} to {end}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn anothers_private_strategy_is_forbidden_a_public_or_inactive_one_runs() {
    let desk = Desk::with_minutes(MINUTES).await;
    let (anna, ben) = (user(), user());
    let create = async |is_active, is_public| {
        let strategy = StrategyDraft { is_active, is_public, ..draft("Hers", &restless()) };
        desk.commands.create_strategy(&context(anna), strategy).await.unwrap().value.to_string()
    };
    let private = create(true, false).await;
    let refused = request(&desk, ben, &backtest(&private)).await.unwrap_err();
    assert!(matches!(refused, CommandError::Forbidden));
    let public = create(false, true).await;
    assert_eq!(request(&desk, ben, &backtest(&public)).await.unwrap().run.owner_id, ben);
    let by_slug = request(&desk, ben, &backtest("hers")).await.unwrap_err();
    assert!(matches!(by_slug, CommandError::Invalid(_)), "a slug is its owner's");
}

#[tokio::test]
async fn a_repeated_request_is_answered_as_before_even_when_its_strategy_is_gone() {
    let desk = Desk::with_minutes(MINUTES).await;
    let owner = user();
    let strategy = desk.strategy(owner).await;
    let idempotency = IdempotencyKey {
        route: "POST /backtests".to_owned(),
        key: "k".to_owned(),
        body_hash: b"body".to_vec(),
    };
    let keyed = CommandContext { idempotency: Some(idempotency), ..context(owner) };
    let draft = backtest(&strategy.to_string());
    let first = desk.commands.request_backtest(&keyed, &draft).await.unwrap();
    desk.commands.delete_strategy(&context(owner), strategy).await.unwrap();
    let again = desk.commands.request_backtest(&keyed, &draft).await.unwrap();
    assert_eq!((again.value, again.position), (first.value, first.position));
    assert!(again.is_replayed && !first.is_replayed);
}

#[tokio::test]
async fn nobody_cancels_or_deletes_anothers_backtest() {
    let desk = Desk::with_minutes(MINUTES).await;
    let (anna, ben) = (user(), user());
    let strategy = desk.strategy(anna).await;
    let id = desk.request(anna, strategy).await;
    let cancelled = desk.commands.cancel_backtest(&context(ben), id).await.unwrap_err();
    assert!(matches!(cancelled, CommandError::Forbidden));
    let deleted = desk.commands.delete_backtest(&context(ben), id).await.unwrap_err();
    assert!(matches!(deleted, CommandError::Forbidden));
    desk.commands.delete_backtest(&context(anna), id).await.unwrap();
    let gone = desk.commands.cancel_backtest(&context(ben), id).await.unwrap_err();
    assert!(matches!(gone, CommandError::NotFound("backtest")));
}
