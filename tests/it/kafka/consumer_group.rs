//! Executors are a consumer group: they come and go under load, and every run is done once.

use std::time::{Duration, Instant};

use domain::event::RecordedEvent;
use infra::postgres::EventStore;
use rdkafka::message::Message;
use reqwest::StatusCode;
use server::roles::{Role, Roles};
use tests::{
    Served, TestApp, TestUser,
    kafka::{TestKafka, TopicReader, header, kafka_environment, key, produce, wait_until_consumed},
};
use tokio::task::block_in_place;

use super::{PATIENCE, binary};
use crate::rest::{completed, golden_cross};

const EXECUTORS: usize = 8;
/// More than the executors have in hand.
const RUNS: usize = 2 * EXECUTORS;

/// A user who asks for more than is done.
struct Load<'a> {
    app: &'a TestApp,
    user: TestUser,
    ids: Vec<String>,
}

impl Load<'_> {
    async fn ask(&mut self) {
        for _ in 0..RUNS {
            let reply = self.app.post(&self.user, "/api/v1/backtests", golden_cross()).await;
            let made = reply.expect(StatusCode::ACCEPTED);
            self.ids.push(made["data"]["id"].as_str().unwrap().to_owned());
        }
    }

    /// Keeps runs waiting until so many executors have claimed one.
    async fn until_claimed_by(&mut self, count: usize) {
        let sql = "SELECT count(DISTINCT payload ->> 'executor') FROM events \
                   WHERE event_type = 'BacktestClaimed'";
        let store = &self.app.context().store;
        let mut advance = Advance::towards("executors", count);
        while !advance.reaches(rows(store, sql).await) {
            if self.ids.len() < ended(store).await + RUNS {
                self.ask().await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn until_ended(&self) {
        let store = &self.app.context().store;
        let mut advance = Advance::towards("runs", self.ids.len());
        while !advance.reaches(ended(store).await) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Patience with a count that grows: on a busy machine it may take its time, but it must not stand still.
struct Advance {
    what: &'static str,
    goal: usize,
    count: usize,
    since: Instant,
}

impl Advance {
    fn towards(what: &'static str, goal: usize) -> Self {
        Self { what, goal, count: 0, since: Instant::now() }
    }

    fn reaches(&mut self, count: usize) -> bool {
        if count > self.count {
            (self.count, self.since) = (count, Instant::now());
        }
        let Self { what, goal, .. } = self;
        assert!(self.since.elapsed() < PATIENCE, "{count} of {goal} {what}, and no more");
        count >= *goal
    }
}

/// How many of the runs have ended.
async fn ended(store: &EventStore) -> usize {
    rows(store, "SELECT count(*) FROM events WHERE event_type = 'BacktestCompleted'").await
}

async fn rows(store: &EventStore, count: &str) -> usize {
    let client = store.database().get().await.unwrap();
    let count: i64 = client.query_one(count, &[]).await.unwrap().get(0);
    usize::try_from(count).unwrap()
}

fn count(events: &[RecordedEvent], event_type: &str) -> usize {
    events.iter().filter(|event| event.event_type == event_type).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_one_to_eight_and_back_under_load_no_run_is_lost_or_doubled() {
    let kafka = TestKafka::shared().await;
    let mut options = kafka.options();
    if kafka.is_real() {
        options.partitions = i32::try_from(EXECUTORS).unwrap();
    }
    let roles = Roles::of(&[Role::Api, Role::Projector, Role::Relay]);
    let app = TestApp::launch(&roles, &kafka_environment(&options)).await;
    app.import_daily_btcusdt().await;
    let store = &app.context().store;
    let binary = binary(&app.database().url, &options)
        .with("BACKTRAIL_EXECUTOR__CONCURRENCY", "1")
        .with("BACKTRAIL_EXECUTOR__LEASE_MS", "5000");
    let mut load = Load { user: app.user().await, app: &app, ids: Vec::new() };
    let serve = || binary.start(&["serve", "--roles", "executor"]);
    let first = serve();
    load.until_claimed_by(1).await;
    let mut others: Vec<Served> = (1..EXECUTORS).map(|_| serve()).collect();
    load.until_claimed_by(EXECUTORS).await;
    load.ask().await;
    for killed in others.drain(..EXECUTORS / 2 - 1) {
        killed.kill();
    }
    for left in others {
        let (left, _) = block_in_place(|| left.terminate());
        assert!(left.success(), "{left}");
    }
    load.ask().await;
    load.until_ended().await;

    for id in &load.ids {
        let events = store.read_stream("backtest", id, 0, 1_000).await.unwrap();
        assert_eq!(count(&events, "BacktestCompleted"), 1, "{events:?}");
        assert_eq!(count(&events, "BacktestFailed"), 0, "{events:?}");
        let ledger = store.read_stream("ledger", id, 0, 10_000).await.unwrap();
        assert_eq!(count(&ledger, "LedgerOpened"), 1);
        assert_eq!(count(&ledger, "LedgerClosed"), 1);
        assert_eq!(ledger.last().unwrap().event_type, "LedgerClosed");
    }
    let topic = options.topic("backtest");
    block_in_place(|| wait_until_consumed(&options, &topic));
    let (left, _) = block_in_place(|| first.terminate());
    assert!(left.success(), "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_delivered_again_makes_no_work() {
    let kafka = TestKafka::shared().await;
    let options = kafka.options();
    let app = TestApp::launch(&Roles::all(), &kafka_environment(&options)).await;
    app.import_daily_btcusdt().await;
    let user = app.user().await;
    let run = completed(&app, &user, golden_cross()).await;
    let id = run["id"].as_str().unwrap();
    let store = &app.context().store;
    let before = store.read_stream("backtest", id, 0, 1_000).await.unwrap();

    let topic = options.topic("backtest");
    let is_request =
        |message: &_| header(message, "ce_type").as_deref() == Some("BacktestRequested");
    let mut reader = TopicReader::new(&options.brokers, std::slice::from_ref(&topic));
    block_in_place(|| reader.read_until(|messages| messages.iter().any(is_request)));
    let message = reader.messages.iter().find(|message| is_request(message)).unwrap();
    let names = [
        "ce_id",
        "ce_source",
        "ce_specversion",
        "ce_type",
        "ce_subject",
        "ce_time",
        "content-type",
        "ce_sequence",
        "ce_position",
        "ce_eventversion",
    ];
    let headers = names.map(|name| (name, header(message, name).unwrap()));
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    block_in_place(|| {
        for _ in 0..3 {
            let (key, brokers) = (key(message), &options.brokers);
            produce(brokers, &topic, Some(&key), message.payload(), &headers);
        }
        wait_until_consumed(&options, &topic);
    });
    // Another run goes through the same queue after it.
    completed(&app, &user, golden_cross()).await;
    assert_eq!(store.read_stream("backtest", id, 0, 1_000).await.unwrap(), before);
}
