//! `/backtests/{id}/equity`: every day of a run, with what was held and what the market did.

use domain::{
    market::{Candle, Timeframe},
    simulation::Candles,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use server::roles::{Role, Roles};
use tests::{TestApp, TestUser};

use super::PATH;
use crate::rest::{completed, golden_cross};

const DAY_MS: i64 = 86_400_000;

/// What is under that path of the run.
async fn get(app: &TestApp, user: &TestUser, run: &Value, part: &str) -> Vec<Value> {
    let path = format!("{PATH}/{}/{part}", run["id"].as_str().unwrap());
    let body = app.get(user, &path).await.expect(StatusCode::OK);
    body["data"].as_array().unwrap().clone()
}

/// Candles that open at these times; the price rises by 1 with each.
fn rising(times: impl IntoIterator<Item = i64>) -> Candles {
    let candle = |(open_time, price): (i64, u32)| {
        let price = f64::from(price);
        Candle { open_time, open: price, high: price, low: price, close: price, volume: 1.0 }
    };
    times.into_iter().zip(100..).map(candle).collect()
}

/// Buys and holds these candles.
async fn held(app: &TestApp, user: &TestUser, timeframe: Timeframe, candles: &Candles) -> Value {
    let symbol = "ETHUSDT".parse().unwrap();
    let import = app.context().candles.import(&symbol, timeframe, candles, None, |_| {});
    import.await.unwrap();
    let body = json!({
        "strategy_id": "buy-and-hold", "symbol": "ETHUSDT", "timeframe": timeframe.as_str(),
        "start_time": candles.open_time[0], "end_time": candles.open_time[candles.len() - 1],
        "metadata": {"commission": 0, "lot": "0.00000001"},
    });
    completed(app, user, body).await
}

#[tokio::test]
async fn equity_is_a_point_a_day_and_fewer_that_look_the_same() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let run = completed(&app, &user, golden_cross()).await;
    let all = get(&app, &user, &run, "equity").await;
    // 2020 to 2022: 366 + 365 + 365 days.
    assert_eq!(all.len(), 1_096);
    let (last, balance) = (all[1_095]["equity"].as_str(), run["final_balance"].as_str().unwrap());
    let difference = last.unwrap().parse::<f64>().unwrap() - balance.parse::<f64>().unwrap();
    assert!(difference.abs() <= 0.000_051, "{last:?} is not {balance}");
    let few = get(&app, &user, &run, "equity?max_points=100").await;
    assert_eq!(few.len(), 100);
    assert_eq!((few.first(), few.last()), (all.first(), all.last()));
    assert!(few.iter().all(|point| all.contains(point)));
}

/// Computed in Python with `decimal`, by a script that shares no code with the engine: half of equity into each cross of the
/// averages over 20 and 50 days, 0.1 % a side, filled at the next open, sold where they cross back. Equity, drawdown
/// in percent, exposure, buy and hold.
const HALF_INVESTED: [(&str, &str, f64, f64, f64); 8] = [
    ("2020-01-01", "10000", 0.0, 0.0, 10_000.0),
    ("2020-02-14", "11414.8884", 0.0, 0.561_975_561, 14_365.470_743),
    ("2020-03-12", "10609.4742", 7.055_821_939, 0.0, 6_665.879_723),
    ("2020-12-31", "20618.2993", 0.0, 0.716_718_746, 40_166.966_400),
    ("2021-04-14", "38007.7573", 0.820_550_011, 0.846_326_695, 87_433.469_660),
    ("2022-08-01", "30691.5703", 21.808_589_338, 0.493_624_074, 32_312.865_842),
    ("2022-12-30", "25812.0592", 34.239_880_814, 0.496_391_388, 23_063.221_703),
    ("2022-12-31", "25749.0865", 34.400_313_278, 0.0, 22_972.843_484),
];

#[tokio::test]
async fn a_day_says_drawdown_exposure_and_buy_and_hold() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let config = json!({"position_sizing": "percent_of_equity", "size": 50});
    let strategy = json!({"name": "Half", "code_ref": "golden_cross", "config": config});
    let strategy = app.post(&user, "/api/v1/strategies", strategy).await;
    let mut body = golden_cross();
    body["strategy_id"] = strategy.expect(StatusCode::CREATED)["data"]["id"].clone();
    body["metadata"] = json!({"commission": 0.001, "lot": "0.00000001"});
    let run = completed(&app, &user, body).await;
    let all = get(&app, &user, &run, "equity").await;
    // From the cache the second time.
    assert_eq!(get(&app, &user, &run, "equity").await, all);
    for (day, equity, drawdown, exposure, buy_and_hold) in HALF_INVESTED {
        let time = json!(format!("{day}T00:00:00Z"));
        let point = all.iter().find(|point| point["timestamp"] == time).unwrap();
        assert_eq!(point["equity"], equity, "{day}");
        let expected = [
            ("drawdown_percentage", drawdown),
            ("exposure", exposure),
            ("buy_and_hold", buy_and_hold),
        ];
        for (name, expected) in expected {
            let actual: f64 = point[name].as_str().unwrap().parse().unwrap();
            assert!((actual - expected).abs() < 1e-6, "{day} {name}: {actual} is not {expected}");
        }
    }
}

#[tokio::test]
async fn every_day_of_twelve_years_is_there_and_a_day_without_candles_is_not() {
    let app = TestApp::start().await;
    let user = app.user().await;
    // 2010-01-01 to 2021-12-31, but for 2010-01-03.
    let days = (14_610..18_993).filter(|day| *day != 14_612);
    let candles = rising(days.map(|day| day * DAY_MS));
    let run = held(&app, &user, Timeframe::OneDay, &candles).await;
    let all = get(&app, &user, &run, "equity").await;
    assert_eq!(all.len(), 4_382);
    let times: Vec<&str> = all.iter().map(|point| point["timestamp"].as_str().unwrap()).collect();
    assert_eq!(
        times[..3],
        ["2010-01-01", "2010-01-02", "2010-01-04"].map(|day| day.to_owned() + "T00:00:00Z")
    );
    assert_eq!(times[4_381], "2021-12-31T00:00:00Z");
    assert!(times.is_sorted());
    let recorded = get(&app, &user, &run, "events?event_type=EquityRecorded").await;
    assert_eq!(recorded.len(), 2);
    assert!(recorded.iter().all(|event| event["version"] == "2.0"));
    let payload = &recorded[0]["payload"];
    assert_eq!(
        (&payload["from"], &payload["skipped"]),
        (&json!("2010-01-01"), &json!(["2010-01-03"]))
    );
    assert_eq!(payload["equity"].as_array().unwrap().len(), 4_095);
    assert_eq!(recorded[1]["payload"]["from"], "2021-03-20");
}

#[tokio::test]
async fn two_days_of_minutes_are_two_points() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let candles = rising((0..2_880).map(|minute| 17_000 * DAY_MS + minute * 60_000));
    let run = held(&app, &user, Timeframe::OneMinute, &candles).await;
    let all = get(&app, &user, &run, "equity").await;
    let expected = ["2016-07-18T00:00:00Z", "2016-07-19T00:00:00Z"];
    let times: Vec<&Value> = all.iter().map(|point| &point["timestamp"]).collect();
    assert_eq!(times, expected);
    // The price is 100 at first, and 100 + 1,439 and 100 + 2,879 at the ends of the days.
    let held: Vec<&Value> = all.iter().map(|point| &point["buy_and_hold"]).collect();
    assert_eq!(held, ["153900", "297900"]);
}

#[tokio::test]
async fn a_run_that_is_not_done_has_no_equity() {
    let app = TestApp::launch(&Roles::of(&[Role::Api, Role::Projector]), &[]).await;
    app.import_daily_btcusdt().await;
    let user = app.user().await;
    let run = app.post(&user, PATH, golden_cross()).await;
    let run = run.expect(StatusCode::ACCEPTED)["data"].clone();
    assert_eq!(get(&app, &user, &run, "equity").await, Vec::<Value>::new());
    let cancel = format!("{PATH}/{}/cancel", run["id"].as_str().unwrap());
    app.post(&user, &cancel, Value::Null).await.expect(StatusCode::OK);
    assert_eq!(get(&app, &user, &run, "equity").await, Vec::<Value>::new());
}
