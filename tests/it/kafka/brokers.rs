//! Brokers that are away stop the relay and no request; when they are back everything arrives in order.

use std::time::Duration;

use reqwest::StatusCode;
use server::roles::{Role, Roles};
use tests::{
    TestApp,
    kafka::{TestKafka, kafka_environment, positions_by_key},
};
use tokio::task::block_in_place;

use super::{binary, log_by_key, reader, relayed};
use crate::{
    rest::{golden_cross, has_status},
    server::fleet::until,
};

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
async fn an_executor_ends_in_time_though_no_broker_takes_its_offsets() {
    let kafka = TestKafka::private();
    if !kafka.is_real() {
        return;
    }
    let options = kafka.options();
    let roles = Roles::of(&[Role::Api, Role::Projector, Role::Relay]);
    let app = TestApp::launch(&roles, &kafka_environment(&options)).await;
    app.import_daily_btcusdt().await;
    let user = app.user().await;
    let url = &app.database().url;
    let executor = binary(url, &options).serve_with(&["serve", "--roles", "executor"]);
    // It has a message, whose offset it stores when the brokers hear nothing any more.
    let mut holder = app.database().superuser().await;
    let hold = holder.transaction().await.unwrap();
    hold.batch_execute("LOCK TABLE jobs IN SHARE MODE").await.unwrap();
    let reply = app.post(&user, "/api/v1/backtests", golden_cross()).await;
    let id = reply.expect(StatusCode::ACCEPTED)["data"]["id"].as_str().unwrap().to_owned();
    let observer = app.database().superuser().await;
    let waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity \
                   WHERE wait_event_type = 'Lock' AND query LIKE '%INSERT INTO jobs%')";
    until(async || observer.query_one(waiting, &[]).await.unwrap().get::<_, bool>(0).then_some(()))
        .await;
    block_in_place(|| kafka.pause());
    hold.commit().await.unwrap();
    let (status, took) = {
        has_status(&app, &user, &id, "completed").await;
        block_in_place(|| executor.terminate())
    };
    block_in_place(|| kafka.resume());
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}
