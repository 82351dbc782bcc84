//! POST `/backtests`: everything that is 422, by field.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{Reply, TestApp, TestUser};

use crate::rest::{completed, golden_cross};

const PATH: &str = "/api/v1/backtests";

struct Asking {
    app: TestApp,
    user: TestUser,
}

impl Asking {
    async fn new() -> Self {
        let app = TestApp::with_candles().await;
        let user = app.user().await;
        Self { app, user }
    }

    /// The golden cross with these fields over it.
    async fn with(&self, fields: Value) -> Reply {
        let mut body = golden_cross();
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.app.post(&self.user, PATH, body).await
    }

    async fn errors(&self, fields: Value) -> Vec<(String, String)> {
        self.with(fields).await.field_errors()
    }

    async fn fields(&self, fields: Value) -> Vec<String> {
        self.errors(fields).await.into_iter().map(|(field, _)| field).collect()
    }
}

#[tokio::test]
async fn each_wrong_field_is_named() {
    let asking = Asking::new().await;
    for (body, field) in [
        (json!({"initial_balance": "-1"}), "initial_balance"),
        (json!({"initial_balance": 0}), "initial_balance"),
        (json!({"initial_balance": "NaN"}), "initial_balance"),
        (json!({"initial_balance": "0.000000001"}), "initial_balance"),
        (json!({"initial_balance": "1e-30"}), "initial_balance"),
        (json!({"initial_balance": 1e300}), "initial_balance"),
        (json!({"metadata": {"leverage": 1e9}}), "metadata.leverage"),
        (json!({"parameters": {"long_window": 1e9}}), "parameters.long_window"),
        (json!({"end_date": "2019-01-01"}), "end_time"),
        (json!({"timeframe": "7m"}), "timeframe"),
        (json!({"start_time": "yesterday"}), "start_time"),
        (json!({"strategy_id": Value::Null}), "strategy_id"),
        (json!({"symbol": "NOPE"}), "symbol"),
        (json!({"metadata": {"leverage": 0.5}}), "metadata.leverage"),
        (json!({"metadata": {"commission": "Infinity"}}), "metadata.commission"),
        (json!({"metadata": {"maintenance_margin": 2}}), "metadata.maintenance_margin"),
        (json!({"metadata": {"trailing": 3}}), "metadata.trailing"),
        (json!({"initial_balence": 5}), "initial_balence"),
        (json!({"parameters": {"short_window": 0}}), "parameters.short_window"),
    ] {
        assert_eq!(asking.fields(body.clone()).await, [field], "{body}");
    }
}

#[tokio::test]
async fn an_unknown_strategy_alone_is_404_and_beside_other_errors_one_of_them() {
    let asking = Asking::new().await;
    let alone = asking.with(json!({"strategy_id": "no-such-strategy"})).await;
    let alone = alone.expect(StatusCode::NOT_FOUND);
    assert_eq!(alone["error"]["code"], "not_found");
    assert_eq!(alone["error"]["details"][0]["field"], "strategy_id");
    let body = json!({"strategy_id": "no-such-strategy", "timeframe": "7m", "symbol": "NOPE"});
    assert_eq!(asking.fields(body).await, ["timeframe", "strategy_id", "symbol"]);
}

#[tokio::test]
async fn what_is_not_supported_has_a_code_of_its_own() {
    let asking = Asking::new().await;
    for setting in [json!({"trailing_stop": 3}), json!({"alternative_exit": 5})] {
        let error = asking.with(json!({"metadata": setting})).await;
        let error = error.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(error["error"]["code"], "validation_failed", "{error}");
        assert_eq!(error["error"]["details"][0]["code"], "unsupported_setting", "{error}");
    }
}

#[tokio::test]
async fn an_unknown_parameter_suggests_the_nearest() {
    let asking = Asking::new().await;
    let error = asking.with(json!({"parameters": {"short_windw": 5}})).await;
    let error = error.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(error["error"]["details"][0]["field"], "parameters.short_windw");
    let message = error["error"]["details"][0]["message"].as_str().unwrap();
    assert!(message.contains("short_window"), "{message}");
}

#[tokio::test]
async fn synonyms_with_different_values_are_both_named() {
    let asking = Asking::new().await;
    for (body, fields) in [
        (json!({"asset_symbol": "ETH"}), ["symbol", "asset_symbol"]),
        (json!({"initial_capital": 5}), ["initial_balance", "initial_capital"]),
        (json!({"timeframe": "1d", "interval": "1h"}), ["timeframe", "interval"]),
        (json!({"start_date": "2020-02-01"}), ["start_time", "start_date"]),
        (json!({"end_time": "2022-11-30"}), ["end_time", "end_date"]),
    ] {
        assert_eq!(asking.fields(body.clone()).await, fields, "{body}");
    }
}

#[tokio::test]
async fn a_range_without_candles_says_what_there_is() {
    let asking = Asking::new().await;
    let body = json!({"start_time": "1999-01-01", "end_date": "1999-12-31"});
    let error = asking.with(body).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let message = error["error"]["details"][0]["message"].as_str().unwrap();
    assert!(message.contains("from 20") && message.contains(" to 20"), "{message}");
}

#[tokio::test]
async fn a_number_that_is_no_epoch_milliseconds_is_told_what_it_looks_like() {
    let asking = Asking::new().await;
    for (number, hint) in [
        (json!(1_672_531_200), "epoch seconds (2023-01-01T00:00:00Z)"),
        (json!(20_230_101), "\"2023-01-01\""),
        (json!(-1), "negative"),
    ] {
        let error = asking.with(json!({"start_time": number})).await;
        let error = error.expect(StatusCode::UNPROCESSABLE_ENTITY);
        let detail = &error["error"]["details"][0];
        assert_eq!(detail["field"], "start_time", "{number}");
        assert!(detail["message"].as_str().unwrap().contains(hint), "{detail}");
    }
    let mut basic = golden_cross();
    basic["start_time"] = "20200101".into();
    let run = completed(&asking.app, &asking.user, basic).await;
    assert_eq!(run["start_time"], "2020-01-01T00:00:00Z");
}

#[tokio::test]
async fn a_range_in_which_nothing_can_be_evaluated_is_refused() {
    let asking = Asking::new().await;
    let body = json!({
        "start_time": "2017-01-01", "end_date": "2017-09-30",
        "parameters": {"short_window": 50, "long_window": 200},
    });
    let errors = asking.errors(body).await;
    assert_eq!(errors, [("start_time".to_owned(), "not_enough_candles".to_owned())]);
}

#[tokio::test]
async fn numbers_that_json_does_not_have_are_422_and_named() {
    let asking = Asking::new().await;
    for number in ["NaN", "Infinity", "-Infinity", "1e999"] {
        let body = format!(
            r#"{{"strategy_id": "golden-cross", "symbol": "BTCUSDT", "initial_balance": {number}}}"#
        );
        let request = asking.app.request(&asking.user, Method::POST, PATH);
        let request = request.header("content-type", "application/json").body(body);
        let errors = Reply::of(request).await.field_errors();
        assert_eq!(errors[0].0, "initial_balance", "{number}");
    }
}

#[tokio::test]
async fn all_errors_come_at_once() {
    let asking = Asking::new().await;
    let body = json!({
        "symbol": "NOPE", "initial_balance": -5, "timeframe": "7m", "strategy_id": "nothing",
        "metadata": {"leverage": 0}, "parameters": {"x": "NaN"}, "end_date": "2019-12-31",
    });
    let mut fields = asking.fields(body).await;
    fields.sort();
    let expected = [
        "end_time",
        "initial_balance",
        "metadata.leverage",
        "parameters.x",
        "strategy_id",
        "symbol",
        "timeframe",
    ];
    assert_eq!(fields, expected);
}
