//! What becomes of a run whose executor crashed, stopped, changed its engine, or finds another past.

use std::time::Duration;

use chrono::NaiveDate;
use domain::{
    backtest::BacktestEvent,
    event::RecordedEvent,
    ids::{BacktestId, UserId},
    job::Status,
    ledger::{DailyEquity, LedgerEvent},
    number::Number,
    simulation::ENGINE_VERSION,
};
use infra::postgres::{event_store::Outcome, jobs::RUNS};
use serde_json::{Value, json};

use super::{
    Desk,
    desk::{append, stream, try_append, user},
};

/// Enough for some sixty chunks.
const MINUTES: i64 = 16_000;

async fn requested(desk: &Desk) -> (BacktestId, UserId) {
    let owner = user();
    let strategy = desk.strategy(owner).await;
    (desk.request(owner, strategy).await, owner)
}

/// The payloads as they are stored, but for the ids that every run has its own of.
fn contents(ledger: &[RecordedEvent], id: BacktestId) -> Vec<String> {
    let content = |entry: &RecordedEvent| {
        let mut payload: Value = serde_json::from_str(&entry.payload).unwrap();
        let fields = payload.as_object_mut().unwrap();
        if let Some(subject) = fields.remove("subject") {
            assert_eq!(subject, json!({"type": "backtest", "id": id.to_string()}));
        }
        if let Some(trade_id) = fields.remove("trade_id") {
            let number = u32::try_from(fields["number"].as_u64().unwrap()).unwrap();
            assert_eq!(trade_id, domain::ids::TradeId::of(id, number).to_string());
        }
        payload.to_string()
    };
    ledger.iter().map(content).collect()
}

/// The ledger of a run that nobody disturbs.
async fn undisturbed(desk: &Desk) -> Vec<String> {
    let (id, _) = requested(desk).await;
    let executor = desk.executor("undisturbed");
    desk.until_status(id, Status::Completed).await;
    executor.stop().await;
    contents(&desk.ledger(id).await, id)
}

fn claimed(executor: &str, attempt: u32) -> BacktestEvent {
    BacktestEvent::BacktestClaimed { executor: executor.to_owned(), attempt }
}

#[tokio::test]
async fn a_run_whose_executor_crashed_is_taken_over_and_only_the_rest_is_appended() {
    let desk = Desk::with_minutes(MINUTES).await;
    let expected = undisturbed(&desk).await;
    let (id, _) = requested(&desk).await;
    for (attempt, executor) in (1..).zip(["one", "two"]) {
        let executor = desk.executor(executor);
        // The chunk that a killed executor was sending may still come.
        desk.until(async || desk.backtest(id).await.attempt() == attempt).await;
        let length = desk.ledger(id).await.len();
        desk.until_ledger_beyond(id, length).await;
        executor.kill().await;
    }
    assert!(desk.ledger(id).await.len() < expected.len(), "killed in the middle");
    let executor = desk.executor("three");
    desk.until_status(id, Status::Completed).await;
    executor.stop().await;
    let ledger = desk.ledger(id).await;
    assert_eq!(contents(&ledger, id), expected);
    let types = desk.types(id).await;
    let claims = types.iter().filter(|kind| *kind == "BacktestClaimed").count();
    let starts = types.iter().filter(|kind| *kind == "BacktestStarted").count();
    assert_eq!((claims, starts), (3, 1), "one dataset for all attempts");
}

#[tokio::test]
async fn a_stopped_executor_releases_its_run_and_the_attempt_does_not_count() {
    let desk = Desk::with_minutes(MINUTES).await;
    let (id, _) = requested(&desk).await;
    let executor = desk.executor("one");
    desk.until_ledger_beyond(id, 0).await;
    executor.stop().await;
    assert_eq!(desk.backtest(id).await.status, Status::Running);
    let waiting = desk.queue.follow().await.unwrap().waiting;
    assert_eq!(waiting, [RUNS], "its lease need not run out");
    let executor = desk.executor("two");
    desk.until_status(id, Status::Completed).await;
    executor.stop().await;
    assert_eq!(desk.backtest(id).await.attempt(), 1);
}

#[tokio::test]
async fn another_past_with_the_same_engine_and_candles_fails_with_both_values() {
    let desk = Desk::with_minutes(MINUTES).await;
    let (id, _) = requested(&desk).await;
    let executor = desk.executor("one");
    desk.until_ledger_beyond(id, 0).await;
    executor.kill().await;
    let (skipped, equity) = (Vec::new(), vec![Number::ONE]);
    let tampered = DailyEquity { from: NaiveDate::default(), skipped, equity };
    let tampered = [LedgerEvent::EquityRecorded(tampered)];
    // The chunk that the killed executor was sending may come in between.
    let ledger = loop {
        let ledger = desk.ledger(id).await;
        let outcome = try_append(&desk, vec![stream("ledger", id, ledger.len(), &tampered)]).await;
        if outcome != Outcome::Conflict {
            break ledger;
        }
    };
    let executor = desk.executor("two");
    desk.until_status(id, Status::Failed).await;
    executor.stop().await;
    let failed = desk.history(id).await.pop().unwrap().decode().unwrap();
    let BacktestEvent::BacktestFailed { code, message } = failed else { panic!("{failed:?}") };
    assert_eq!(code, "nondeterministic_result");
    let entry = format!("entry {} of the ledger was", ledger.len() + 1);
    assert!(message.starts_with(&entry), "{message}");
    assert!(message.contains("EquityRecorded") && message.contains("Trade"), "{message}");
    assert_eq!(desk.ledger(id).await.len(), ledger.len() + 1, "nothing more is appended");
}

#[tokio::test]
async fn another_engine_voids_the_ledger_and_starts_again_on_the_same_candles() {
    let desk = Desk::with_minutes(MINUTES).await;
    let expected = undisturbed(&desk).await;
    let (other, _) = requested(&desk).await;
    let executor = desk.executor("zero");
    desk.until_status(other, Status::Completed).await;
    executor.stop().await;
    let dataset = desk.backtest(other).await.dataset.unwrap();

    let (id, _) = requested(&desk).await;
    let mut old: Vec<LedgerEvent> = desk.entries(other).await;
    old.truncate(3);
    if let LedgerEvent::LedgerOpened { subject, .. } = &mut old[0] {
        *subject = id.into();
    }
    let started = BacktestEvent::BacktestStarted {
        dataset,
        price_decimals: None,
        volume_decimals: None,
        engine_version: "an older one".to_owned(),
    };
    let lifecycle = stream("backtest", id, 1, &[claimed("old", 1), started]);
    append(&desk, vec![lifecycle, stream("ledger", id, 0, &old)]).await;

    let executor = desk.executor("new");
    desk.until_status(id, Status::Completed).await;
    executor.stop().await;
    let backtest = desk.backtest(id).await;
    assert_eq!(backtest.engine_version.as_deref(), Some(ENGINE_VERSION));
    let ledger = desk.ledger(id).await;
    assert_eq!(ledger[3].event_type, "LedgerRestarted");
    let restarted = desk.history(id).await[4].clone();
    assert_eq!(restarted.event_type, "BacktestStarted");
    assert_eq!(restarted.position, ledger[3].position + 1, "in one append");
    assert_eq!(contents(&ledger[4..], id), expected);
}

#[tokio::test]
async fn an_executor_that_stops_while_a_query_is_blocked_gives_its_run_back() {
    let desk = Desk::with_minutes(60).await;
    let (id, _) = requested(&desk).await;
    let mut client = desk.superuser().await;
    let lock = client.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE candles IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let row = async || {
        let sql = "SELECT lease_owner, attempt FROM jobs WHERE id = $1";
        let row = desk.database().get().await.unwrap().query_opt(sql, &[&id.uuid()]).await.unwrap();
        row.map(|row| (row.get::<_, Option<String>>(0), row.get::<_, i32>(1)))
    };
    let executor = desk.executor("blocked");
    desk.until(async || row().await.is_some_and(|(owner, _)| owner.is_some())).await;
    let stopped = tokio::time::timeout(Duration::from_secs(20), executor.stop());
    stopped.await.expect("it does not wait for the lock");
    assert_eq!(row().await, Some((None, 0)), "and the attempt does not count");
    lock.rollback().await.unwrap();
    let executor = desk.executor("free");
    desk.until_status(id, Status::Completed).await;
    executor.stop().await;
}

#[tokio::test]
async fn an_attempt_after_one_that_ended_without_a_word_claims_before_anything_else() {
    let desk = Desk::with_minutes(60).await;
    let (id, _) = requested(&desk).await;
    desk.queue.follow().await.unwrap();
    let picked = desk.queue.pick(RUNS, "dead", Duration::from_millis(1), 10).await.unwrap();
    assert_eq!(picked.map(|lease| (lease.id, lease.attempt)), Some((id.uuid(), 1)));
    let executor = desk.executor("one");
    desk.until_status(id, Status::Completed).await;
    executor.stop().await;
    let history = desk.history(id).await;
    let BacktestEvent::BacktestClaimed { attempt, .. } = history[1].decode().unwrap() else {
        panic!("{:?}", history[1]);
    };
    assert_eq!(attempt, 1, "the dead one left nothing in the log");
    assert!(history[1].recorded_at < history[2].recorded_at, "the claim is a separate append");
}

#[tokio::test]
async fn three_attempts_in_a_row_that_bring_nothing_exhaust_a_run() {
    let desk = Desk::with_minutes(300).await;
    let (id, _) = requested(&desk).await;
    let claims = [claimed("a", 1), claimed("b", 2), claimed("c", 3)];
    append(&desk, vec![stream("backtest", id, 1, &claims)]).await;
    let executor = desk.executor("one");
    desk.until_status(id, Status::Failed).await;
    desk.until_dequeued(id).await;
    executor.stop().await;
    let failed = desk.history(id).await.pop().unwrap().decode().unwrap();
    assert!(
        matches!(&failed, BacktestEvent::BacktestFailed { code, .. } if code == "attempts_exhausted"),
        "{failed:?}"
    );
}

#[tokio::test]
async fn attempts_between_which_the_ledger_grew_do_not_exhaust_a_run() {
    let desk = Desk::with_minutes(MINUTES).await;
    let (id, _) = requested(&desk).await;
    let executor = desk.executor("one");
    desk.until_ledger_beyond(id, 0).await;
    executor.kill().await;
    let length = desk.history(id).await.len();
    let claims = [claimed("b", 2), claimed("c", 3)];
    append(&desk, vec![stream("backtest", id, length, &claims)]).await;
    let executor = desk.executor("two");
    desk.until_status(id, Status::Completed).await;
    executor.stop().await;
}

#[tokio::test]
async fn a_cancellation_that_nobody_was_left_to_confirm_is_confirmed_by_the_next_executor() {
    let desk = Desk::with_minutes(MINUTES).await;
    let (id, owner) = requested(&desk).await;
    let executor = desk.executor("one");
    desk.until_ledger_beyond(id, 0).await;
    executor.kill().await;
    let context = super::desk::context(owner);
    let answer = desk.commands.cancel_backtest(&context, id).await.unwrap();
    assert_eq!(answer.value, Status::Running, "nobody answers within a second");
    let executor = desk.executor("two");
    desk.until_status(id, Status::Cancelled).await;
    desk.until_dequeued(id).await;
    executor.stop().await;
}

#[tokio::test]
async fn candles_corrected_between_two_attempts_do_not_change_a_run() {
    let desk = Desk::with_minutes(MINUTES).await;
    let expected = undisturbed(&desk).await;
    let (id, _) = requested(&desk).await;
    let executor = desk.executor("one");
    desk.until_ledger_beyond(id, 0).await;
    executor.kill().await;
    let mut corrected = super::desk::minutes(MINUTES);
    corrected.close.iter_mut().for_each(|close| *close += 0.25);
    desk.import(&corrected).await;
    let executor = desk.executor("two");
    desk.until_status(id, Status::Completed).await;
    executor.stop().await;
    assert_eq!(contents(&desk.ledger(id).await, id), expected);
}
