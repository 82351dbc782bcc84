//! The relay brings every event to its topic, in the order of its key, whatever happens to it.

use std::sync::Arc;

use infra::kafka::relay::RelayState;
use rdkafka::message::Message;
use tests::{
    TestDatabase,
    kafka::{TestKafka, header, key, positions_by_key},
};
use tokio::task::block_in_place;

use super::{Relaying, append, binary, log_by_key, reader, relayed, relays, status_where};

const STREAMS: u128 = 10;
const ROUNDS: i64 = 5;

#[tokio::test(flavor = "multi_thread")]
async fn every_event_arrives_in_its_order_as_a_cloudevent() {
    let kafka = TestKafka::shared().await;
    let (database, options) = (TestDatabase::new().await, kafka.options());
    let store = database.store();
    let relaying = Relaying::start(&store, &options);
    for round in 0..ROUNDS {
        for id in 0..STREAMS {
            append(&store, ("ledger", id), round * 10, 10, 100).await;
            append(&store, ("strategy", id), round, 1, 100).await;
        }
    }
    let count = usize::try_from(STREAMS).unwrap() * 11 * usize::try_from(ROUNDS).unwrap();
    let mut reader = reader(&options);
    block_in_place(|| reader.read_until(|messages| messages.len() >= count));
    relayed(&store, &options).await;
    assert_eq!(relaying.relay.state(), RelayState::Following);
    relaying.end().await;
    block_in_place(|| reader.read_rest());
    assert_eq!(reader.messages.len(), count, "nothing twice where nothing broke");
    assert_eq!(positions_by_key(&reader.messages), log_by_key(&store, &options).await);
    let events = store.read_after(0, i64::MAX).await.unwrap();
    for message in &reader.messages {
        let position: usize = header(message, "ce_position").unwrap().parse().unwrap();
        let event = &events[position - 1];
        assert_eq!(message.payload(), Some(event.payload.as_bytes()));
        assert_eq!(key(message), event.aggregate_id);
        assert_eq!(header(message, "ce_id").unwrap(), event.event_id.to_string());
        assert_eq!(header(message, "ce_sequence").unwrap(), event.sequence.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_killed_midway_loses_nothing() {
    let kafka = TestKafka::shared().await;
    let (database, options) = (TestDatabase::new().await, kafka.options());
    let store = database.store();
    let writer = {
        let store = store.clone();
        tokio::spawn(async move {
            for round in 0..40 {
                for id in 0..STREAMS {
                    append(&store, ("ledger", id), round * 100, 100, 200).await;
                }
            }
        })
    };
    let binary = binary(&database.url, &options);
    let relays = relays(&store, &options);
    for _ in 0..3 {
        let before = relays.position().await.unwrap();
        let serving = binary.start(&["serve", "--roles", "relay"]);
        status_where(&store, &options, "the relay moves", |status| {
            status.position > before || (status.head > 0 && status.position == status.head)
        })
        .await;
        serving.kill();
    }
    writer.await.unwrap();
    let relaying = Relaying::start(&store, &options);
    relayed(&store, &options).await;
    relaying.end().await;
    let log = log_by_key(&store, &options).await;
    let mut reader = reader(&options);
    block_in_place(|| reader.read_until(|messages| messages.len() >= 40_000));
    block_in_place(|| reader.read_rest());
    assert!(positions_by_key(&reader.messages) == log, "the topics differ from the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aggregate_type_without_a_topic_stops_the_relay() {
    let kafka = TestKafka::shared().await;
    let (database, options) = (TestDatabase::new().await, kafka.options());
    let store = Arc::new(database.store());
    append(&store, ("ledger", 1), 0, 1, 100).await;
    append(&store, ("tally", 1), 0, 1, 100).await;
    let relaying = Relaying::start(&store, &options);
    let status =
        status_where(&store, &options, "the relay stops", |status| status.stop.is_some()).await;
    let stop = status.stop.unwrap();
    assert_eq!((status.position, stop.position), (1, 2));
    assert_eq!(stop.reason, "there is no topic for the aggregate type `tally`");
    relaying.end().await;
}
