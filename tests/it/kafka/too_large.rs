//! An event that cannot be sent stops the relay, and leaving it out is audited.

use infra::{
    kafka::{KafkaOptions, relay::RelayState},
    postgres::EventStore,
};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier},
    client::DefaultClientContext,
};
use tests::{
    TestDatabase,
    kafka::{TestKafka, positions_by_key},
};
use tokio::task::block_in_place;

use super::{Relaying, append, binary, log_by_key, reader, relayed, status_where};

/// Five events, a large one, and five more of the same stream.
async fn log_with_a_large_one(store: &EventStore) {
    append(store, ("ledger", 1), 0, 5, 100).await;
    append(store, ("ledger", 1), 5, 1, 5_000).await;
    append(store, ("ledger", 1), 6, 5, 100).await;
}

/// Sees the relay stop before the sixth event, lets it leave that one out, and sees the rest arrive.
async fn stops_and_goes_on(database: &TestDatabase, store: &EventStore, options: &KafkaOptions) {
    let relaying = Relaying::start(store, options);
    let status =
        status_where(store, options, "the relay stops", |status| status.stop.is_some()).await;
    let stop = status.stop.unwrap();
    assert_eq!((status.position, stop.position), (5, 6), "{}", stop.reason);
    assert!(stop.reason.contains("too large"), "{}", stop.reason);
    let state = relaying.relay.state();
    assert!(matches!(state, RelayState::Stopped { position: 6, .. }), "{state:?}");
    let mut reader = reader(options);
    block_in_place(|| reader.read_until(|messages| messages.len() >= 5));
    block_in_place(|| reader.read_rest());
    let mut log = log_by_key(store, options).await;
    let positions = log.values_mut().next().unwrap();
    assert_eq!(positions_by_key(&reader.messages).into_values().next().unwrap(), positions[..5]);

    let binary = binary(&database.url, options);
    let shown = binary.succeed(&["relay", "status"]);
    assert!(shown.contains("STOPPED   before 6 since "), "{shown}");
    let refused = binary.fail(&["relay", "skip", "7", "--reason", "large", "--by", "tester"]);
    assert!(refused.contains("the relay is not stopped before position 7"), "{refused}");
    let skip = ["relay", "skip", "6", "--reason", "no consumer takes it", "--by", "tester"];
    let _ = binary.succeed(&skip);
    relayed(store, options).await;
    relaying.end().await;
    block_in_place(|| reader.read_until(|messages| messages.len() >= 10));
    block_in_place(|| reader.read_rest());
    positions.remove(5);
    assert_eq!(positions_by_key(&reader.messages), log);
    let shown = binary.succeed(&["relay", "status"]);
    assert!(shown.contains("left out  6 by tester at "), "{shown}");
    assert!(shown.contains("no consumer takes it (the message is too large"), "{shown}");
    assert!(!shown.contains("STOPPED"), "{shown}");
    let superuser = database.superuser().await;
    let forgotten = superuser.execute("DELETE FROM relay_skips", &[]).await;
    assert!(forgotten.is_err(), "what was left out is not forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_larger_than_we_may_send_stops_the_relay_until_it_is_skipped() {
    let kafka = TestKafka::shared().await;
    let database = TestDatabase::new().await;
    let options = KafkaOptions { message_bytes_max: 2_000, ..kafka.options() };
    let store = database.store();
    log_with_a_large_one(&store).await;
    stops_and_goes_on(&database, &store, &options).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_larger_than_the_broker_takes_is_found_among_its_batch() {
    let kafka = TestKafka::shared().await;
    if !kafka.is_real() {
        return;
    }
    let (database, options) = (TestDatabase::new().await, kafka.options());
    infra::kafka::create_topics(&options).await.unwrap();
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", kafka.brokers()).create().unwrap();
    let topic = options.topic("ledger");
    let smaller =
        AlterConfig::new(ResourceSpecifier::Topic(&topic)).set("max.message.bytes", "2000");
    let altered = admin.alter_configs([&smaller], &AdminOptions::new()).await.unwrap();
    assert!(altered.iter().all(Result::is_ok), "{altered:?}");
    let store = database.store();
    log_with_a_large_one(&store).await;
    stops_and_goes_on(&database, &store, &options).await;
}
