//! Messages that make no sense go to the dead-letter topic and to the dead letters, and the consumer goes on.

use rdkafka::message::Message;
use server::roles::Roles;
use tests::{
    TestApp,
    kafka::{TestKafka, TopicReader, header, kafka_environment, key, produce, wait_until_consumed},
};
use tokio::task::block_in_place;

use super::binary;
use crate::rest::{completed, golden_cross};

const ID: &str = "018f3c5e-7a00-7000-8000-000000000001";

/// A message that looks like the request of a run, whose payload is none.
const HEADERS: [(&str, &str); 9] = [
    ("ce_id", "01HF7YAT000000000000000007"),
    ("ce_source", "/elsewhere/backtest"),
    ("ce_specversion", "1.0"),
    ("ce_type", "BacktestRequested"),
    ("ce_subject", ID),
    ("ce_time", "2026-01-01T00:00:00Z"),
    ("ce_sequence", "1"),
    ("ce_position", "1"),
    ("ce_eventversion", "1.0"),
];

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_put_aside_with_its_reason_and_the_next_run_is_done() {
    let kafka = TestKafka::shared().await;
    let options = kafka.options();
    infra::kafka::create_topics(&options).await.unwrap();
    let topic = options.topic("backtest");
    block_in_place(|| {
        let send = |key, payload: &[u8], headers: &[(&str, &str)]| {
            produce(&options.brokers, &topic, key, Some(payload), headers);
        };
        send(None, b"\xff\xfe", &[]);
        send(Some(ID), b"{}", &[("origin", "a stranger")]);
        send(Some(ID), br#"{"type":"BacktestRequested"}"#, &HEADERS);
    });
    let app = TestApp::launch(&Roles::all(), &kafka_environment(&options)).await;
    app.import_daily_btcusdt().await;
    let user = app.user().await;
    completed(&app, &user, golden_cross()).await;

    let mut reader = TopicReader::new(&options.brokers, &[options.dead_letter_topic()]);
    block_in_place(|| reader.read_until(|messages| messages.len() >= 3));
    let reason = |part: &str| {
        let found = reader.messages.iter().find(|message| {
            header(message, "dead_letter_reason").is_some_and(|reason| reason.contains(part))
        });
        found.unwrap_or_else(|| panic!("nothing for `{part}`"))
    };
    assert_eq!(reason("the payload is not UTF-8").payload(), Some(&b"\xff\xfe"[..]));
    let stranger = reason("the header `ce_source` is missing");
    assert_eq!(header(stranger, "origin").as_deref(), Some("a stranger"));
    assert_eq!(header(stranger, "dead_letter_topic"), Some(topic.clone()));
    assert!(header(stranger, "dead_letter_offset").is_some());
    let request = reason("missing field `request`");
    assert_eq!((key(request).as_str(), request.payload().unwrap().len()), (ID, 28));
    assert_eq!(header(request, "ce_id").as_deref(), Some("01HF7YAT000000000000000007"));

    block_in_place(|| wait_until_consumed(&options, &topic));
    let letters = app.context().reads.dead_letters().await.unwrap();
    assert_eq!(letters.len(), 3, "{letters:?}");
    assert!(letters.iter().all(|letter| letter.table_name.starts_with(&topic)), "{letters:?}");
    let binary = binary(&app.database().url, &options);
    let shown = binary.succeed(&["projections", "dead-letters"]);
    assert!(shown.contains("the header `ce_source` is missing"), "{shown}");
    for letter in letters {
        let _ = binary.succeed(&["projections", "discard", &letter.id.to_string()]);
    }
    assert_eq!(app.context().reads.dead_letters().await.unwrap(), []);
}
