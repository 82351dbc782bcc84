//! `/market_data`: with auth.

use reqwest::StatusCode;
use tests::{ANYONE, TestApp};

#[tokio::test]
async fn strangers_are_refused() {
    let app = TestApp::start().await;
    for path in ["symbols", "timeframes", "BTCUSDT/1d"] {
        let reply = app.get(&ANYONE, &format!("/api/v1/market_data/{path}")).await;
        reply.expect(StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn candles_come_with_the_market_s_decimals_and_what_there_is_is_said() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let path = "/api/v1/market_data/BTCUSDT/1d?start_time=2020-01-01&end_time=2020-01-02";
    let body = app.get(&user, path).await.expect(StatusCode::OK);
    assert_eq!(body["data"].as_array().map(Vec::len), Some(2));
    let symbols = app.get(&user, "/api/v1/market_data/symbols").await.expect(StatusCode::OK);
    let symbols = symbols["data"].as_array().cloned().unwrap();
    let btc = symbols.iter().find(|symbol| symbol["symbol"] == "BTCUSDT").unwrap();
    assert_eq!(btc["coverage"][0]["timeframe"], "1d");
    let none =
        app.get(&user, "/api/v1/market_data/BTCUSDT/1d?start_time=1999-01-01&end_time=1999-12-31");
    let none = none.await.expect(StatusCode::NOT_FOUND);
    assert_eq!(none["error"]["code"], "no_data");
    assert!(none["error"]["message"].as_str().unwrap().contains("from 20"), "{none}");
    let none = app.get(&user, "/api/v1/market_data/BTCUSDT/1h").await;
    none.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn wrong_questions_are_422() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let field = async |query: &str| {
        let reply = app.get(&user, &format!("/api/v1/market_data/BTCUSDT/{query}")).await;
        reply.field_errors()[0].0.clone()
    };
    assert_eq!(field("7m").await, "timeframe");
    assert_eq!(field("1d?limit=0").await, "limit");
    assert_eq!(field("1d?limit=10&per_page=20").await, "limit");
    assert_eq!(field("1d?start_time=2020-02-01&end_time=2020-01-01").await, "end_time");
    assert_eq!(field("1d?strat=1").await, "strat");
}
