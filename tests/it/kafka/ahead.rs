//! A request that a newer binary wrote: the consumer rests before it and leaves it to members of that version.

use reqwest::StatusCode;
use server::roles::Roles;
use tests::{
    ANYONE, TestApp,
    kafka::{TestKafka, kafka_environment, produce},
};
use tokio::task::block_in_place;

const ID: &str = "018f3c5e-7a00-7000-8000-000000000001";
const HEADERS: [(&str, &str); 9] = [
    ("ce_id", "01HF7YAT000000000000000007"),
    ("ce_source", "/elsewhere/backtest"),
    ("ce_specversion", "1.0"),
    ("ce_type", "BacktestRequested"),
    ("ce_subject", ID),
    ("ce_time", "2026-01-01T00:00:00Z"),
    ("ce_sequence", "1"),
    ("ce_position", "1"),
    ("ce_eventversion", "99"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_version_99_is_no_dead_letter() {
    let kafka = TestKafka::shared().await;
    let options = kafka.options();
    infra::kafka::create_topics(&options).await.unwrap();
    let topic = options.topic("backtest");
    let payload = br#"{"type":"BacktestRequested"}"#;
    block_in_place(|| produce(&options.brokers, &topic, Some(ID), Some(payload), &HEADERS));
    let app = TestApp::launch(&Roles::all(), &kafka_environment(&options)).await;
    let detail = crate::server::fleet::until(async || {
        let reply = app.get(&ANYONE, "/readyz").await;
        let detail = reply.body["roles"]["executor"]["detail"].as_str()?.to_owned();
        (reply.status == StatusCode::SERVICE_UNAVAILABLE && detail.contains("rests"))
            .then_some(detail)
    })
    .await;
    assert!(detail.contains("`BacktestRequested` 99 of `backtest` at position 1"), "{detail}");
    assert_eq!(app.context().reads.dead_letters().await.unwrap(), []);
}
