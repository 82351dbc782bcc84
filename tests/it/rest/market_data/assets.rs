//! `/assets`: public.

use reqwest::StatusCode;
use tests::{ANYONE, TestApp};

#[tokio::test]
async fn assets_are_listed_found_and_filtered() {
    let app = TestApp::start().await;
    let list = app.get(&ANYONE, "/api/v1/assets?search=bitc&type=crypto").await;
    let list = list.expect(StatusCode::OK);
    assert_eq!(list["data"][0]["symbol"], "BTC");
    assert_eq!(list["data"][0]["markets"][0], "BTCUSDT");
    let one = app.get(&ANYONE, "/api/v1/assets/btc").await.expect(StatusCode::OK);
    assert_eq!(one["data"]["type"], "crypto");
    app.get(&ANYONE, "/api/v1/assets/NOPE").await.expect(StatusCode::NOT_FOUND);
    let wrong = app.get(&ANYONE, "/api/v1/assets?type=stone").await;
    assert_eq!(wrong.field_errors()[0].0, "type");
}

#[tokio::test]
async fn a_price_series_is_the_market_s_in_pages_by_cursor() {
    let app = TestApp::with_candles().await;
    let path =
        "/api/v1/assets/BTC/price-series?interval=1d&start=2020-01-01&end=2020-01-05&limit=3";
    let reply = app.get(&ANYONE, path).await;
    assert!(reply.header("link").contains("rel=\"next\""));
    let first = reply.expect(StatusCode::OK);
    assert_eq!(first["data"][0]["timestamp"], "2020-01-01T00:00:00Z");
    // As domain/testdata/candles/BTCUSDT_1d.csv has it.
    assert_eq!(first["data"][0]["open"], "7195.24");
    assert_eq!(first["data"][0]["asset_id"], "BTC");
    let cursor = first["meta"]["next_cursor"].as_str().unwrap();
    let rest = app.get(&ANYONE, &format!("{path}&cursor={cursor}")).await.expect(StatusCode::OK);
    assert_eq!(rest["data"].as_array().map(Vec::len), Some(2));
    assert_eq!(rest["data"][0]["timestamp"], "2020-01-04T00:00:00Z");
    assert_eq!(rest["meta"]["has_more"], false);
}
