//! Candles in revisions: imports write what differs, and every earlier dataset can be rebuilt.

use std::time::Duration;

use domain::{
    decimals::Decimals,
    market::{Candle, Market, MarketKind, Symbol, Timeframe},
    simulation::{Candles, Warning, hash::dataset_sha256},
};
use infra::postgres::market_data::{CandleStore, Imported, Markets};
use tests::TestDatabase;

const MINUTE: i64 = 60_000;

fn minutes(first: i64, count: i64) -> Candles {
    let candle = |i: i64| Candle {
        open_time: (first + i) * MINUTE,
        open: 100.0,
        high: 102.0,
        low: 99.0,
        close: 101.0,
        volume: 0.1,
    };
    (0..count).map(candle).collect()
}

fn btc() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

async fn import(store: &CandleStore, candles: &Candles) -> Imported {
    store.import(&btc(), Timeframe::OneMinute, candles, None, |_| {}).await.unwrap()
}

async fn series(store: &CandleStore, timeframe: Timeframe, revision: Option<i64>) -> Candles {
    let series = store.series(&btc(), timeframe, revision).await.unwrap();
    series.map(|series| (*series.candles).clone()).unwrap_or_default()
}

#[tokio::test]
async fn a_second_import_of_the_same_candles_writes_nothing() {
    let database = TestDatabase::new().await;
    let store = CandleStore::new(database.database.clone());
    let candles = minutes(0, 1_000);
    let first = import(&store, &candles).await;
    assert_eq!((first.inserted, first.corrected, first.unchanged), (1_000, 0, 0));
    let second = import(&store, &candles).await;
    assert_eq!(
        second,
        Imported { revision: first.revision, inserted: 0, corrected: 0, unchanged: 1_000 }
    );
    assert_eq!(series(&store, Timeframe::OneMinute, None).await, candles);
}

#[tokio::test]
async fn a_correction_is_a_new_revision_and_the_old_one_can_be_rebuilt() {
    let database = TestDatabase::new().await;
    let store = CandleStore::new(database.database.clone());
    let before = minutes(0, 10);
    let first = import(&store, &before).await;
    let mut after = minutes(5, 10);
    after.close[0] = 101.5;
    let second = import(&store, &after).await;
    assert_eq!((second.inserted, second.corrected, second.unchanged), (5, 1, 4));
    assert!(second.revision > first.revision);

    // A separate store has nothing in its cache.
    let fresh = CandleStore::new(database.database.clone());
    assert_eq!(series(&fresh, Timeframe::OneMinute, Some(first.revision)).await, before);
    let now = series(&fresh, Timeframe::OneMinute, None).await;
    assert_eq!(now.len(), 15);
    assert_eq!(now.close[5], 101.5);
    let coverage = store.coverage().await.unwrap();
    assert_eq!(coverage.len(), 1);
    assert_eq!((coverage[0].rows, coverage[0].revision), (15, second.revision));
    assert_eq!(coverage[0].last.timestamp_millis(), 14 * MINUTE);
}

#[tokio::test]
async fn a_timeframe_that_is_not_stored_is_resampled_from_a_finer_one_under_its_revision() {
    let database = TestDatabase::new().await;
    let store = CandleStore::new(database.database.clone());
    let first = import(&store, &minutes(0, 61)).await;
    let hours = store.series(&btc(), Timeframe::OneHour, None).await.unwrap().unwrap();
    assert_eq!(hours.revision, first.revision);
    assert_eq!(hours.candles.open_time, [0], "the second hour is not whole");
    assert_eq!(hours.candles.volume, [6.0], "sixty times 0.1, to the last digit");
    import(&store, &minutes(61, 59)).await;
    assert_eq!(series(&store, Timeframe::OneHour, None).await.len(), 2);
    assert_eq!(series(&store, Timeframe::OneHour, Some(first.revision)).await.len(), 1);
}

#[tokio::test]
async fn a_finer_file_changes_nothing_that_was_resampled_from_an_older_revision() {
    let database = TestDatabase::new().await;
    let markets = Markets::new(database.database.clone());
    let symbol: Symbol = "TSTUSDT".parse().unwrap();
    let store = CandleStore::new(database.database.clone());
    let candles = |step: i64, count: i64, price: f64, volume: f64| -> Candles {
        let candle = |i: i64| Candle {
            open_time: i * step,
            open: price,
            high: price,
            low: price,
            close: price,
            volume,
        };
        (0..count).map(candle).collect()
    };
    let coarse = candles(15 * MINUTE, 4, 0.5, 0.123);
    let decimals = Decimals::of(&coarse);
    assert_eq!(decimals, Decimals { price: 1, volume: 3 });
    let market = Market {
        symbol: symbol.clone(),
        base: "TST".to_owned(),
        quote: "USDT".to_owned(),
        kind: MarketKind::Crypto,
        lot: "0.00000001".parse().unwrap(),
        price_decimals: 1,
        volume_decimals: 0,
    };
    markets.add(&market).await.unwrap();
    let import = async |timeframe, candles: &Candles| {
        store.import(&symbol, timeframe, candles, None, |_| {}).await.unwrap().revision
    };
    let hours = async |revision| {
        // A store of its own has nothing in its cache.
        let fresh = CandleStore::new(database.database.clone());
        let series =
            fresh.series(&symbol, Timeframe::OneHour, Some(revision)).await.unwrap().unwrap();
        (series.decimals, series.candles.volume.clone(), dataset_sha256(&series.candles))
    };
    let old = import(Timeframe::FifteenMinutes, &coarse).await;
    let before = hours(old).await;
    assert_eq!((before.0, &before.1), (decimals, &vec![0.492]), "not the market's decimals");
    let new = import(Timeframe::OneMinute, &candles(MINUTE, 60, 0.000_123_45, 0.000_01)).await;
    assert_eq!(hours(old).await, before);
    let (finer, volume, _) = hours(new).await;
    assert_eq!((finer, volume), (Decimals { price: 8, volume: 5 }, vec![0.0006]));
    // A correction of one candle takes no digits from the others.
    let corrected = import(Timeframe::OneMinute, &candles(MINUTE, 1, 2.0, 1.0)).await;
    assert_eq!(hours(corrected).await.0, finer);
}

#[tokio::test]
async fn a_revision_of_an_older_binary_has_the_decimals_of_its_market() {
    let database = TestDatabase::new().await;
    let store = CandleStore::new(database.database.clone());
    let revision = import(&store, &minutes(0, 5)).await.revision;
    let connection = database.database.get().await.unwrap();
    let sql = "UPDATE candle_revisions SET price_decimals = NULL, volume_decimals = NULL";
    connection.execute(sql, &[]).await.unwrap();
    let series = store.series(&btc(), Timeframe::FiveMinutes, Some(revision)).await.unwrap();
    assert_eq!(series.unwrap().decimals, Decimals { price: 2, volume: 6 });
}

#[tokio::test]
async fn warnings_of_a_file_stay_with_its_revision_and_later_ones() {
    let database = TestDatabase::new().await;
    let store = CandleStore::new(database.database.clone());
    let file = async |candles: &Candles, line: u32| {
        let warnings = [Warning::new("bad_rows", format!("line {line}"))];
        let (symbol, minute) = (btc(), Timeframe::OneMinute);
        let import = store.import_file(&symbol, minute, candles, None, &warnings, |_| {});
        import.await.unwrap().revision
    };
    let first = file(&minutes(0, 5), 3).await;
    let second = file(&minutes(5, 5), 8).await;
    let messages = async |revision| {
        let series = store.series(&btc(), Timeframe::OneMinute, Some(revision)).await.unwrap();
        let warnings = series.unwrap().warnings;
        warnings.iter().map(|warning| warning.message.clone()).collect::<Vec<_>>()
    };
    assert_eq!(messages(first).await, ["line 3"]);
    assert_eq!(messages(second).await, ["line 3; line 8"]);
}

#[tokio::test]
async fn a_candle_that_was_not_closed_is_stored_and_no_series_shows_it() {
    let database = TestDatabase::new().await;
    let store = CandleStore::new(database.database.clone());
    let candles = minutes(0, 3);
    let open_from = Some(2 * MINUTE);
    store.import(&btc(), Timeframe::OneMinute, &candles, open_from, |_| {}).await.unwrap();
    assert_eq!(series(&store, Timeframe::OneMinute, None).await.len(), 2);
    let closed = import(&store, &candles).await;
    assert_eq!((closed.corrected, closed.unchanged), (1, 2));
    assert_eq!(series(&store, Timeframe::OneMinute, None).await.len(), 3);
}

#[tokio::test]
async fn what_a_dead_importer_left_is_in_no_series_and_goes_with_the_next_import() {
    let database = TestDatabase::new().await;
    let store = CandleStore::new(database.database.clone());
    import(&store, &minutes(0, 2)).await;
    let connection = database.database.get().await.unwrap();
    connection
        .batch_execute(
            "WITH dead AS (INSERT INTO candle_revisions (symbol, timeframe) VALUES ('BTCUSDT', '1m')
                           RETURNING revision)
             INSERT INTO candles SELECT 120000, revision, 1, 1, 1, 1, 1, id, false FROM dead, candle_series",
        )
        .await
        .unwrap();
    assert_eq!(series(&store, Timeframe::OneMinute, None).await.len(), 2);
    import(&store, &minutes(2, 1)).await;
    let now = series(&store, Timeframe::OneMinute, None).await;
    assert_eq!((now.len(), now.close[2]), (3, 101.0));
    let rows = connection.query_one("SELECT count(*) FROM candles", &[]).await.unwrap();
    assert_eq!(rows.get::<_, i64>(0), 3);
}

#[tokio::test]
async fn two_importers_of_one_series_wait_for_each_other() {
    let database = TestDatabase::new().await;
    let store = CandleStore::new(database.database.clone());
    let (one, other) = (minutes(0, 500), minutes(250, 500));
    let (one, other) = tokio::join!(import(&store, &one), import(&store, &other));
    assert_eq!(one.inserted + other.inserted, 750);
    assert_eq!(one.unchanged + other.unchanged, 250);
    assert_eq!(series(&store, Timeframe::OneMinute, None).await, minutes(0, 750));
}

#[tokio::test]
async fn candles_whose_loading_is_cut_off_are_asked_for_again_another_time() {
    let database = TestDatabase::new().await;
    let store = CandleStore::new(database.database.clone());
    let candles = minutes(0, 1_000);
    import(&store, &candles).await;
    let mut holder = database.superuser().await;
    let hold = holder.transaction().await.unwrap();
    hold.batch_execute("LOCK TABLE candles IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let symbol = btc();
    let load = store.series(&symbol, Timeframe::OneMinute, None);
    let cut_off = async {
        let observer = database.superuser().await;
        let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while observer.query_one(cut, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::task::yield_now().await;
        }
    };
    let (loaded, ()) = tokio::join!(load, cut_off);
    let error = loaded.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    hold.commit().await.unwrap();
    // The pool may hand the broken connection out once more, before it has heard of its end.
    let again = async {
        loop {
            match store.series(&symbol, Timeframe::OneMinute, None).await {
                Err(error) if error.is_unavailable() => tokio::task::yield_now().await,
                loaded => return loaded.unwrap().unwrap(),
            }
        }
    };
    let again = tokio::time::timeout(Duration::from_secs(20), again).await.unwrap();
    assert_eq!(*again.candles, candles);
}
