//! What a user means by a symbol.

use domain::market::{Market, MarketKind};
use infra::postgres::market_data::Markets;
use tests::TestDatabase;

#[tokio::test]
async fn an_exact_symbol_wins_and_an_asset_means_its_market_in_the_quote() {
    let database = TestDatabase::new().await;
    let markets = Markets::new(database.database.clone());
    let found = async |text: &str, quote: Option<&str>| {
        let found = markets.resolve(text, quote).await.unwrap();
        found.map(|market| market.symbol.to_string()).ok()
    };
    assert_eq!(found("BTCUSDT", None).await.as_deref(), Some("BTCUSDT"));
    assert_eq!(found("btc", None).await.as_deref(), Some("BTCUSDT"));
    assert_eq!(found("GOOG", None).await.as_deref(), Some("GOOG"));
    assert_eq!(found("EUR", Some("usd")).await.as_deref(), Some("EURUSD"));
    assert_eq!(found("EUR", None).await.as_deref(), Some("EURUSD"));
    assert_eq!(found("BTC/USDT", None).await.as_deref(), Some("BTCUSDT"));
    assert_eq!(found("BTC", Some("EUR")).await, None);
}

#[tokio::test]
async fn an_import_adds_a_market_and_its_assets_once() {
    let database = TestDatabase::new().await;
    let markets = Markets::new(database.database.clone());
    let sol = Market {
        symbol: "SOLUSDT".parse().unwrap(),
        base: "SOL".into(),
        quote: "USDT".into(),
        kind: MarketKind::Crypto,
        lot: "0.001".parse().unwrap(),
        price_decimals: 2,
        volume_decimals: 3,
    };
    markets.add(&sol).await.unwrap();
    markets.add(&Market { price_decimals: 5, ..sol.clone() }).await.unwrap();
    assert_eq!(markets.get(&sol.symbol).await.unwrap(), Some(sol.clone()));
    let assets = markets.assets().await.unwrap();
    let added = assets.iter().find(|asset| asset.symbol == "SOL").unwrap();
    assert_eq!(added.markets, [sol.symbol]);
    let usdt = assets.iter().find(|asset| asset.symbol == "USDT").unwrap();
    assert!(usdt.markets.is_empty());
}
