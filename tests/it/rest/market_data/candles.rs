//! `/market_data`: with auth.

use reqwest::StatusCode;
use serde_json::json;
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
    for prefix in ["/api/v1", "/api"] {
        let path = |what: &str| format!("{prefix}/market_data/{what}");
        let symbols = app.get(&user, &path("symbols")).await.expect(StatusCode::OK);
        assert!(symbols["data"].as_array().unwrap().contains(&json!("BTCUSDT")), "{symbols}");
        let timeframes = app.get(&user, &path("timeframes")).await.expect(StatusCode::OK);
        assert_eq!(timeframes["data"], json!(["1m", "5m", "15m", "1h", "4h", "1d"]));
        let details = app.get(&user, &path("timeframes?details=true")).await.expect(StatusCode::OK);
        assert_eq!(details["data"][0], json!({"timeframe": "1m", "seconds": 60}));
    }
    let path = "/api/v1/market_data/symbols?details=true";
    let symbols = app.get(&user, path).await.expect(StatusCode::OK);
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

#[tokio::test]
async fn a_walk_by_cursor_stays_in_its_revision_and_only_its_pages_are_immutable() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let path = "/api/v1/market_data/BTCUSDT/1d?start_time=2020-01-01&limit=2";
    let first = app.get(&user, path).await;
    assert_eq!(first.header("cache-control"), "private, no-cache");
    let body = first.expect(StatusCode::OK);
    let next = format!("{path}&cursor={}", body["meta"]["next_cursor"].as_str().unwrap());
    let second = app.get(&user, &next).await;
    assert!(second.header("cache-control").ends_with("immutable"));
    let before = second.expect(StatusCode::OK);
    assert_eq!(before["data"][0]["timestamp"], "2020-01-03T00:00:00Z");

    correct_close(&app, "2020-01-03T00:00:00Z").await;
    assert_eq!(app.get(&user, &next).await.expect(StatusCode::OK), before);
    let day = "/api/v1/market_data/BTCUSDT/1d?start_time=2020-01-03&end_time=2020-01-03";
    let corrected = app.get(&user, day).await.expect(StatusCode::OK);
    assert_ne!(corrected["data"][0]["close"], before["data"][0]["close"]);
    // Of a revision that does not exist, of another list, and not a cursor.
    let hex = |json: &str| json.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let unknown = hex(r#"{"candle":{"revision":999,"open_time_ms":0}}"#);
    for cursor in [unknown, hex(r#"{"event":1}"#), "999.0".to_owned()] {
        let other = format!("{path}&cursor={cursor}");
        assert_eq!(app.get(&user, &other).await.field_errors()[0].0, "cursor");
    }
}

/// Imports that day's candle again, with its high as its close.
async fn correct_close(app: &TestApp, time: &str) {
    let candles = &app.context().candles;
    let (symbol, timeframe) = ("BTCUSDT".parse().unwrap(), "1d".parse().unwrap());
    let series = candles.series(&symbol, timeframe, None).await.unwrap().unwrap();
    let time: chrono::DateTime<chrono::Utc> = time.parse().unwrap();
    let row = series.candles.open_time.binary_search(&time.timestamp_millis()).unwrap();
    let mut candle = series.candles.get(row).unwrap();
    candle.close = candle.high;
    let mut correction = domain::simulation::Candles::default();
    correction.push(candle);
    candles.import(&symbol, timeframe, &correction, None, |_| {}).await.unwrap();
}
