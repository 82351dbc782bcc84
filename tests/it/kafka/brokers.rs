//! Brokers that are away stop the relay and no request; when they are back everything arrives in order.

use std::time::Duration;

use reqwest::StatusCode;
use server::roles::Roles;
use tests::{
    TestApp, TestDatabase,
    kafka::{TestKafka, kafka_environment, positions_by_key, wait_for_member},
};
use tokio::task::block_in_place;

use super::{binary, log_by_key, reader, relayed};
use crate::rest::{golden_cross, has_status};

#[tokio::test(flavor = "multi_thread")]
async fn requests_go_on_without_brokers_and_the_relay_catches_up() {
    let kafka = TestKafka::private();
    let options = kafka.options();
    let app = TestApp::launch(&Roles::all(), &kafka_environment(&options)).await;
    app.import_daily_btcusdt().await;
    let user = app.user().await;
    let store = &app.context().store;
    let request = async || {
        let reply = app.post(&user, "/api/v1/backtests", golden_cross()).await;
        let made = reply.expect(StatusCode::ACCEPTED);
        made["data"]["id"].as_str().unwrap().to_owned()
    };
    let before = request().await;
    has_status(&app, &user, &before, "completed").await;
    relayed(store, &options).await;

    block_in_place(|| kafka.stop());
    let mut meanwhile = Vec::new();
    for _ in 0..3 {
        meanwhile.push(request().await);
    }
    for id in &meanwhile {
        has_status(&app, &user, id, "pending").await;
    }
    block_in_place(|| kafka.start());
    for id in &meanwhile {
        has_status(&app, &user, id, "completed").await;
    }
    relayed(store, &options).await;
    let log = log_by_key(store, &options).await;
    let count = log.values().map(Vec::len).sum::<usize>();
    let mut reader = reader(&options);
    block_in_place(|| reader.read_until(|messages| messages.len() >= count));
    block_in_place(|| reader.read_rest());
    assert_eq!(positions_by_key(&reader.messages), log);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_ends_in_time_though_no_broker_hears_it_leave() {
    let kafka = TestKafka::private();
    let options = kafka.options();
    let database = TestDatabase::new().await;
    let executor = binary(&database.url, &options).serve_with(&["serve", "--roles", "executor"]);
    block_in_place(|| {
        wait_for_member(&options);
        kafka.stop();
        let (status, took) = executor.terminate();
        assert!(status.success(), "{status}");
        assert!(took < Duration::from_secs(10), "{took:?}");
    });
}
