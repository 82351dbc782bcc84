//! What happens meanwhile; each trouble says how often it happened.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use domain::market::{Candle, Timeframe};
use domain::simulation::Candles;
use infra::postgres::{Database, market_data::CandleStore};
use rand::Rng;
use tokio_postgres::{Client, NoTls};

const INSERT: &str = "INSERT INTO events \
    (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata) \
    VALUES ('tally', $1, $2, 'Counted', '1.0', '{\"type\": \"Counted\", \"number\": 1}', '{}')";

/// Terminates one backend of the application after the other.
pub(super) async fn kill_backends(superuser: Client, is_over: Arc<AtomicBool>) -> u64 {
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                WHERE application_name = 'backtrail' AND datname = current_database() ORDER BY random() LIMIT 1";
    let mut killed = 0;
    while !is_over.load(Ordering::Relaxed) {
        pause(50..400).await;
        killed += superuser.query(kill, &[]).await.unwrap().len() as u64;
    }
    killed
}

/// Inserts the seven columns in transactions with pauses, of which every other is rolled back.
pub(super) async fn write_as_a_stranger(url: String, is_over: Arc<AtomicBool>) -> u64 {
    let (mut client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let (mut sequence, mut rolled_back) = (0_i64, 0);
    while !is_over.load(Ordering::Relaxed) {
        let transaction = client.transaction().await.unwrap();
        let events_count = rand::rng().random_range(1..20);
        for number in 1..=events_count {
            transaction.execute(INSERT, &[&"stranger", &(sequence + number)]).await.unwrap();
        }
        pause(0..50).await;
        if rand::rng().random_bool(0.5) {
            transaction.commit().await.unwrap();
            sequence += events_count;
        } else {
            transaction.rollback().await.unwrap();
            rolled_back += 1;
        }
        pause(50..300).await;
    }
    rolled_back
}

/// Inserts and then says nothing more until the server ends it.
pub(super) async fn stop_in_mid_transaction(url: String, is_over: Arc<AtomicBool>) -> u64 {
    let mut ended = 0;
    while !is_over.load(Ordering::Relaxed) {
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        client.batch_execute("BEGIN").await.unwrap();
        client.execute(INSERT, &[&"stopped", &1_i64]).await.unwrap();
        connection.await.unwrap().unwrap_err();
        ended += 1;
        pause(1000..2000).await;
    }
    ended
}

/// Imports candles, each time more of them.
pub(super) async fn import_candles(database: Database, is_over: Arc<AtomicBool>) -> u64 {
    let store = CandleStore::new(database);
    let symbol = "BTCUSDT".parse().unwrap();
    let mut imported = 0;
    while !is_over.load(Ordering::Relaxed) {
        let candles: Candles = (0..(imported as i64 + 1) * 50_000).map(minute).collect();
        // Its connection may be killed like any other.
        let import = store.import(&symbol, Timeframe::OneMinute, &candles, None, |_| {});
        if import.await.is_ok() {
            imported += 1;
        }
    }
    imported
}

/// Copies rows in one transaction that stays open all the time: its id is older than those of all appends.
pub(super) async fn copy_in_one_transaction(superuser: Client, is_over: Arc<AtomicBool>) -> u64 {
    let begin = "CREATE TABLE copied (open_time bigint, close double precision); BEGIN; \
                 INSERT INTO copied VALUES (0, 0)";
    superuser.batch_execute(begin).await.unwrap();
    let mut copied = 0;
    while !is_over.load(Ordering::Relaxed) {
        let more = "INSERT INTO copied SELECT n, n FROM generate_series(1, 1000) n";
        copied += superuser.execute(more, &[]).await.unwrap();
        pause(5..20).await;
    }
    superuser.batch_execute("COMMIT").await.unwrap();
    copied
}

/// Holds one snapshot from the beginning to the end, and sees nothing new in it.
pub(super) async fn read_for_long(superuser: Client, is_over: Arc<AtomicBool>) {
    superuser.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ").await.unwrap();
    let count = async || -> i64 {
        superuser.query_one("SELECT count(*) FROM events", &[]).await.unwrap().get(0)
    };
    let before = count().await;
    while !is_over.load(Ordering::Relaxed) {
        assert_eq!(count().await, before);
        pause(50..100).await;
    }
    superuser.batch_execute("COMMIT").await.unwrap();
    assert!(count().await > before);
}

fn minute(number: i64) -> Candle {
    Candle {
        open_time: number * 60_000,
        open: 100.0,
        high: 102.0,
        low: 99.0,
        close: 101.0,
        volume: 0.1,
    }
}

async fn pause(milliseconds: std::ops::Range<u64>) {
    let duration = Duration::from_millis(rand::rng().random_range(milliseconds));
    tokio::time::sleep(duration).await;
}
