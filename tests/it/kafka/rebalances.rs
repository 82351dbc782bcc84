//! A long run holds no message: the group is rebalanced when members come and go, and never because of the run.

use std::{
    fs,
    time::{Duration, Instant},
};

use infra::{kafka::KafkaOptions, postgres::EventStore};
use reqwest::StatusCode;
use server::roles::{Role, Roles};
use tests::{
    Backtrail, TestApp, TestUser,
    kafka::{TestKafka, kafka_environment},
};
use tokio::task::block_in_place;

use super::{PATIENCE, binary};
use crate::rest::{golden_cross, has_status};

/// How often another executor comes and goes. (A third one would be the last attempt at the first run that they take.)
const VISITS: usize = 2;
/// Each coming or going is up to two rounds of the cooperative protocol, one that takes partitions away and one that gives
/// them, and either may tell a member of both.
const LINES_A_CHANGE: usize = 4;

/// An executor with a separate log.
fn executor(app: &TestApp, options: &KafkaOptions) -> Backtrail {
    binary(&app.database().url, options)
        .with("BACKTRAIL_EXECUTOR__CONCURRENCY", "1")
        .with("BACKTRAIL_EXECUTOR__LEASE_MS", "2000")
}

/// How often it was told of a rebalance.
fn rebalances(backtrail: &Backtrail) -> usize {
    let log = fs::read_to_string(backtrail.folder().join("log")).unwrap();
    log.lines().filter(|line| line.contains("the consumer group was rebalanced")).count()
}

async fn ask(app: &TestApp, user: &TestUser) -> String {
    let reply = app.post(user, "/api/v1/backtests", golden_cross()).await;
    let reply = reply.expect(StatusCode::ACCEPTED);
    reply["data"]["id"].as_str().unwrap().to_owned()
}

/// The executors of that many claims, once there are so many.
async fn claims(store: &EventStore, count: usize) -> Vec<(String, String)> {
    let sql = "SELECT aggregate_id, payload ->> 'executor' FROM events \
               WHERE event_type = 'BacktestClaimed' ORDER BY position";
    let started = Instant::now();
    loop {
        let client = store.database().get().await.unwrap();
        let rows = client.query(sql, &[]).await.unwrap();
        drop(client);
        if rows.len() >= count {
            return rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        }
        assert!(started.elapsed() < PATIENCE, "{} of {count} claims", rows.len());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until it was told of one.
async fn rebalanced(backtrail: &Backtrail) {
    let started = Instant::now();
    while rebalances(backtrail) == 0 {
        assert!(started.elapsed() < PATIENCE, "no member");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until runs that are asked for now are in the queue, whichever partitions they went through.
async fn queued(app: &TestApp, user: &TestUser) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..24 {
        ids.push(ask(app, user).await);
    }
    let started = Instant::now();
    while rows(app, &ids).await < ids.len() {
        assert!(started.elapsed() < PATIENCE, "{ids:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ids
}

/// How many of the runs are in the queue.
async fn rows(app: &TestApp, ids: &[String]) -> usize {
    let sql = "SELECT count(*) FROM jobs WHERE id::text = ANY($1)";
    let client = app.context().store.database().get().await.unwrap();
    let count: i64 = client.query_one(sql, &[&ids]).await.unwrap().get(0);
    usize::try_from(count).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_run_causes_no_rebalance_and_is_not_claimed_again() {
    let kafka = TestKafka::shared().await;
    let options = kafka.options();
    let roles = Roles::of(&[Role::Api, Role::Projector, Role::Relay]);
    let app = TestApp::launch(&roles, &kafka_environment(&options)).await;
    app.import_daily_btcusdt().await;
    let (store, user) = (&app.context().store, app.user().await);
    let long = ask(&app, &user).await;
    // Whoever has not read the candles yet waits for them, for as long as this wants.
    let blocker = app.database().superuser().await;
    blocker.batch_execute("BEGIN; LOCK TABLE candles IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let busy = executor(&app, &options);
    let holder = busy.start(&["serve", "--roles", "executor"]);
    assert_eq!(claims(store, 1).await[0].0, long);

    let mut shorts = Vec::new();
    for visit in 1..=VISITS {
        shorts.push(ask(&app, &user).await);
        let visitor = executor(&app, &options);
        let served = visitor.start(&["serve", "--roles", "executor"]);
        claims(store, 1 + visit).await;
        rebalanced(&visitor).await;
        assert!(block_in_place(|| served.terminate()).0.success());
    }
    // Its one place is taken, and its consumer goes on.
    let mut waiting = queued(&app, &user).await;
    let told = rebalances(&busy);
    assert!((1..=LINES_A_CHANGE * (2 * VISITS + 1)).contains(&told), "{told} lines");
    waiting.extend(queued(&app, &user).await);
    assert_eq!(rebalances(&busy), told, "nobody came or went");
    let claimed = claims(store, 1).await;
    assert_eq!(claimed.iter().filter(|(id, _)| *id == long).count(), 1, "{claimed:?}");

    blocker.batch_execute("ROLLBACK").await.unwrap();
    for id in [&long].into_iter().chain(&shorts).chain(&waiting) {
        has_status(&app, &user, id, "completed").await;
    }
    let claimed = claims(store, 1).await;
    assert_eq!(claimed.iter().filter(|(id, _)| *id == long).count(), 1, "{claimed:?}");
    assert!(block_in_place(|| holder.terminate()).0.success());
}
