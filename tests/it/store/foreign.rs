//! Others who write postgres-es's seven columns.

use std::{collections::HashMap, time::Duration};

use cqrs_es::{EventStore as _, persist::PersistedEventStore};
use infra::postgres::event_store::Outcome;
use postgres_es::{PostgresEventRepository, default_postgress_pool, postgres_cqrs};
use tests::TestDatabase;
use tokio::time::{Instant, timeout};

use super::{
    append_to,
    tally::{Count, Tally, TallyEvent},
};

const INSERT: &str = "INSERT INTO events \
    (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata) \
    VALUES ('tally', $1, $2::int8, 'Counted', '1.0', '{\"type\": \"Counted\", \"number\": 1}', '{}')";

#[tokio::test]
async fn postgres_es_reads_what_we_wrote_and_we_what_it_wrote() {
    let test = TestDatabase::new().await;
    let store = test.store();
    store.append(append_to("a", 0, 4)).await.unwrap();
    let pool = default_postgress_pool(&test.foreign_url).await;

    let theirs = PersistedEventStore::<PostgresEventRepository, Tally>::new_event_store(
        PostgresEventRepository::new(pool.clone()),
    );
    let read = theirs.load_events("a").await.unwrap();
    let read: Vec<_> = read.into_iter().map(|e| (e.sequence, e.payload, e.metadata)).collect();
    let actor = HashMap::from([("actor".to_owned(), "system:test".to_owned())]);
    let counted = |number| TallyEvent::Counted { number };
    let expected: Vec<_> = (0..4).map(|n| (n as usize + 1, counted(n), actor.clone())).collect();
    assert_eq!(read, expected);

    let framework = postgres_cqrs::<Tally>(pool, Vec::new(), ());
    framework.execute("a", Count(10)).await.unwrap();
    framework.execute("a", Count(20)).await.unwrap();
    let after = store.append(append_to("a", 6, 1)).await.unwrap();
    assert_eq!(after, Outcome::Appended { first_position: 7, last_position: 7 });
    framework.execute("a", Count(30)).await.unwrap();

    let loaded = store.load::<Tally>("a").await.unwrap();
    assert_eq!((loaded.aggregate.sum, loaded.sequence), (1 + 2 + 3 + 10 + 20 + 30, 8));
    let events = store.read_after(0, 100).await.unwrap();
    assert!(events.iter().map(|event| event.position).eq(1..=8));
    assert!(events.is_sorted_by_key(|event| event.recorded_at));
}

#[tokio::test]
async fn a_statement_of_many_rows_gets_dense_positions() {
    let test = TestDatabase::new().await;
    let store = test.store();
    store.append(append_to("a", 0, 2)).await.unwrap();
    let many = "INSERT INTO events \
        (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata) \
        SELECT 'tally', 'many', n, 'Counted', '1.0', '{}', '{}' FROM generate_series(1, 100) n";
    test.foreign().await.batch_execute(many).await.unwrap();
    store.append(append_to("a", 2, 1)).await.unwrap();
    let events = store.read_after(0, 1000).await.unwrap();
    assert!(events.iter().map(|event| event.position).eq(1..=103));
    let many = &events[2..102];
    assert!(many.iter().map(|event| event.sequence).eq(1..=100));
}

#[tokio::test]
async fn a_foreign_writer_that_rolls_back_leaves_no_gap() {
    let test = TestDatabase::new().await;
    let store = test.store();
    let mut foreign = test.foreign().await;
    let transaction = foreign.transaction().await.unwrap();
    transaction.execute(INSERT, &[&"f", &1_i64]).await.unwrap();
    transaction.execute(INSERT, &[&"f", &2_i64]).await.unwrap();
    transaction.rollback().await.unwrap();
    let done = store.append(append_to("a", 0, 1)).await.unwrap();
    assert_eq!(done, Outcome::Appended { first_position: 1, last_position: 1 });
}

#[tokio::test]
async fn a_foreign_writer_that_stops_in_mid_transaction_loses_the_lock_after_a_second() {
    let test = TestDatabase::new().await;
    let store = test.store();
    // As a member of the role too, whose settings only count at log-in.
    for url in [&test.foreign_url, &test.url] {
        let (client, connection) =
            tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        let ended = tokio::spawn(connection);
        client.batch_execute("SET ROLE backtrail_foreign; BEGIN").await.unwrap();
        client.execute(INSERT, &[&"f", &1_i64]).await.unwrap();
        let started = Instant::now();
        let loaded = store.load::<Tally>("a").await.unwrap();
        let append = store.append(append_to("a", loaded.sequence, 1));
        let done = timeout(Duration::from_secs(10), append).await.unwrap().unwrap();
        assert!(matches!(done, Outcome::Appended { .. }));
        assert!(started.elapsed() > Duration::from_millis(500), "the lock was not held");
        ended.await.unwrap().unwrap_err();
    }
    let events = store.read_after(0, 10).await.unwrap();
    assert!(events.iter().map(|event| event.position).eq(1..=2));
}

#[tokio::test]
async fn another_isolation_than_read_committed_is_refused() {
    let test = TestDatabase::new().await;
    let foreign = test.foreign().await;
    foreign.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ").await.unwrap();
    let error = foreign.execute(INSERT, &[&"f", &1_i64]).await.unwrap_err();
    assert!(error.as_db_error().unwrap().message().contains("read committed"));

    let ours = test.database.get().await.unwrap();
    ours.batch_execute("BEGIN ISOLATION LEVEL SERIALIZABLE").await.unwrap();
    let call = "SELECT append_events('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', \
                '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')";
    let error = ours.batch_execute(call).await.unwrap_err();
    assert!(error.as_db_error().unwrap().message().contains("read committed"));
    ours.batch_execute("ROLLBACK; SET synchronous_commit = off").await.unwrap();
    let error = ours.batch_execute(call).await.unwrap_err();
    assert!(error.as_db_error().unwrap().message().contains("synchronous_commit"));
    ours.batch_execute("RESET synchronous_commit").await.unwrap();
    ours.batch_execute(call).await.unwrap();
}
