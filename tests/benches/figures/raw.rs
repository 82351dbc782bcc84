//! The baseline: plain inserts into a table of the same shape and indexes, and the events that both sides write.

use domain::event::Metadata;
use infra::postgres::event_store::{Append, NewEvent, Priority, StreamAppend};
use tests::TestDatabase;
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

/// Bytes of each payload, as of a closed trade.
const PAYLOAD_LENGTH: usize = 300;
/// Bytes of each metadata.
const METADATA_LENGTH: usize = 200;

/// Makes the table `raw_events`; positions and times come from defaults, with nothing said about their order.
pub(crate) async fn create_table(test: &TestDatabase) {
    let sql = "CREATE SEQUENCE raw_positions;
               CREATE TABLE raw_events (LIKE events INCLUDING ALL);
               ALTER TABLE raw_events ALTER position SET DEFAULT nextval('raw_positions'),
                                      ALTER recorded_at SET DEFAULT now();";
    test.superuser().await.batch_execute(sql).await.expect("the raw table");
}

/// An append of `count` events to a separate stream.
pub(crate) fn append(count: usize, priority: Priority) -> Append {
    let payload = format!(
        r#"{{"type":"TradeClosed","text":"{}"}}"#,
        "x".repeat(PAYLOAD_LENGTH - r#"{"type":"TradeClosed","text":""}"#.len())
    );
    let mut metadata = Metadata { actor: "system:executor".to_owned(), ..Metadata::default() };
    let length = serde_json::to_string(&metadata).expect("metadata").len();
    metadata.request_id = Some("y".repeat(METADATA_LENGTH - length - r#","request_id":"""#.len()));
    let event =
        NewEvent { event_type: "TradeClosed".to_owned(), event_version: "1.0".to_owned(), payload };
    Append {
        streams: vec![StreamAppend {
            aggregate_type: "ledger",
            aggregate_id: Uuid::now_v7().to_string(),
            expected_sequence: 0,
            events: vec![event; count],
        }],
        metadata,
        command: None,
        reservations: Vec::new(),
        priority,
    }
}

/// Inserts an append's events by one statement over arrays.
pub(crate) struct Unnest {
    client: Client,
    statement: Statement,
}

impl Unnest {
    pub(crate) async fn connect(test: &TestDatabase) -> Self {
        let client = test.superuser().await;
        let sql = "INSERT INTO raw_events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata) \
                   SELECT a, b, c, d, e, f::json, g::json \
                   FROM unnest($1::text[], $2::text[], $3::int8[], $4::text[], $5::text[], $6::text[], $7::text[]) \
                   AS u(a, b, c, d, e, f, g)";
        let statement = client.prepare(sql).await.expect("the statement");
        Self { client, statement }
    }

    pub(crate) async fn insert(&self, append: &Append) {
        let metadata = serde_json::to_string(&append.metadata).expect("metadata");
        let stream = &append.streams[0];
        let events = &stream.events;
        let types: Vec<_> = events.iter().map(|_| stream.aggregate_type).collect();
        let ids: Vec<_> = events.iter().map(|_| stream.aggregate_id.as_str()).collect();
        let sequences: Vec<i64> = (1..).take(events.len()).collect();
        let event_types: Vec<_> = events.iter().map(|event| event.event_type.as_str()).collect();
        let versions: Vec<_> = events.iter().map(|event| event.event_version.as_str()).collect();
        let payloads: Vec<_> = events.iter().map(|event| event.payload.as_str()).collect();
        let metadatas: Vec<_> = events.iter().map(|_| metadata.as_str()).collect();
        self.client
            .execute(
                &self.statement,
                &[&types, &ids, &sequences, &event_types, &versions, &payloads, &metadatas],
            )
            .await
            .expect("the insert");
    }
}

/// Inserts one event by one statement.
pub(crate) struct Single {
    client: Client,
    statement: Statement,
}

impl Single {
    pub(crate) async fn connect(test: &TestDatabase) -> Self {
        let client = test.superuser().await;
        let sql = "INSERT INTO raw_events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata) \
                   VALUES ($1, $2, $3, $4, $5, $6::text::json, $7::text::json)";
        let statement = client.prepare(sql).await.expect("the statement");
        Self { client, statement }
    }

    pub(crate) async fn insert(&self, append: &Append) {
        let metadata = serde_json::to_string(&append.metadata).expect("metadata");
        let stream = &append.streams[0];
        let event = &stream.events[0];
        self.client
            .execute(
                &self.statement,
                &[
                    &stream.aggregate_type,
                    &stream.aggregate_id,
                    &1_i64,
                    &event.event_type,
                    &event.event_version,
                    &event.payload,
                    &metadata,
                ],
            )
            .await
            .expect("the insert");
    }
}
