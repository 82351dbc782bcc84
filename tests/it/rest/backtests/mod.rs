//! `/backtests`: asking, watching, ending.

mod body;
mod equity;
mod plans;
mod results;

use domain::{market::Timeframe, simulation::Warning};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use server::roles::{Role, Roles};
use tests::{ANYONE, TestApp};

use super::{completed, golden_cross, has_status};

const PATH: &str = "/api/v1/backtests";

#[tokio::test]
async fn a_run_is_accepted_there_at_once_and_ends() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let reply = app.post(&user, PATH, golden_cross()).await;
    let location = reply.header("location").to_owned();
    assert!(reply.header("x-backtrail-position").parse::<i64>().unwrap() > 0);
    let made = reply.expect(StatusCode::ACCEPTED)["data"].clone();
    assert_eq!(location, format!("{PATH}/{}", made["id"].as_str().unwrap()));
    app.get(&user, &location).await.expect(StatusCode::OK);
    let run = has_status(&app, &user, made["id"].as_str().unwrap(), "completed").await;
    assert_eq!(run["progress"], 100);
    for (one, other) in [
        ("symbol", "BTCUSDT"),
        ("asset_symbol", "BTC"),
        ("timeframe", "1d"),
        ("interval", "1d"),
        ("start_time", "2020-01-01T00:00:00Z"),
        ("start_date", "2020-01-01T00:00:00Z"),
        ("initial_balance", "10000"),
        ("initial_capital", "10000"),
        ("origin", "user"),
    ] {
        assert_eq!(run[one], other, "{one}");
    }
    assert_eq!(run["parameters"], json!({"short_window": 20, "long_window": 50}));
    assert_eq!(run["metadata"]["commission"], 0.001);
    assert!(run["performance_summary"]["total_trades"].as_i64().unwrap() > 0);
    assert!(run["performance_summary"]["sharpe_ratio"].is_string());
    assert!(run["final_balance"].is_string());
    assert!(run["dataset"]["sha256"].is_string());
}

#[tokio::test]
async fn a_run_s_own_answer_asks_for_the_same_run_again() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let first = completed(&app, &user, golden_cross()).await;
    let path = format!("{PATH}/{}?include=metrics,strategy", first["id"].as_str().unwrap());
    let whole = app.get(&user, &path).await.expect(StatusCode::OK)["data"].clone();
    assert!(whole["metrics"].is_object() && whole["strategy"].is_object(), "{whole}");
    let made = app.post(&user, PATH, whole.clone()).await.expect(StatusCode::ACCEPTED);
    let pending = format!("{PATH}/{}?include=metrics", made["data"]["id"].as_str().unwrap());
    let pending = app.get(&user, &pending).await.expect(StatusCode::OK)["data"].clone();
    assert!(pending.as_object().unwrap().contains_key("metrics"), "{pending}");
    let again = completed(&app, &user, whole.clone()).await;
    assert_ne!(again["id"], first["id"]);
    assert_eq!(again["result_hash"], first["result_hash"]);
    let mut other = whole;
    other["asset_symbol"] = "ETH".into();
    let reply = app.post(&user, PATH, other).await;
    let conflict = |field: &str| (field.to_owned(), "conflicting_synonyms".to_owned());
    assert_eq!(reply.field_errors(), [conflict("symbol"), conflict("asset_symbol")]);
}

#[tokio::test]
async fn a_range_beyond_the_candles_says_what_was_run() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let mut body = golden_cross();
    body["start_time"] = "2010-01-01".into();
    body["end_date"] = "2030-12-31".into();
    let run = completed(&app, &user, body).await;
    let warning = run["warnings"][0].clone();
    assert_eq!(warning["code"], "range_not_covered");
    let message = warning["message"].as_str().unwrap();
    assert!(message.contains("from 2017-08-17T00:00:00Z to 2025-11-30T00:00:00Z"), "{message}");
    let run = completed(&app, &user, golden_cross()).await;
    let codes = run["warnings"].as_array().unwrap().iter().map(|warning| &warning["code"]);
    assert!(codes.into_iter().all(|code| code != "range_not_covered"), "{run}");
}

#[tokio::test]
async fn a_run_warns_of_what_was_found_when_its_candles_were_imported() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let store = &app.context().candles;
    let (symbol, day) = ("BTCUSDT".parse().unwrap(), Timeframe::OneDay);
    let days = store.series(&symbol, day, None).await.unwrap().unwrap();
    let mut corrected = days.candles.rows(100..101);
    corrected.volume[0] += 1.0;
    let warnings = [Warning::new("bad_rows", "1 of 2 rows was left out; line 2: no")];
    let import = store.import_file(&symbol, day, &corrected, None, &warnings, |_| {});
    import.await.unwrap();
    let run = completed(&app, &user, golden_cross()).await;
    let told = json!({"code": "bad_rows", "message": "1 of 2 rows was left out; line 2: no"});
    assert_eq!(run["warnings"][0], told);
    // So does a sweep, which also says that its range is not covered.
    let mut sweep = golden_cross();
    sweep["grid"] = json!({"short_window": [5, 10]});
    sweep["end_date"] = json!("2030-01-01");
    let wait = [("prefer", "wait=30")];
    let reply = app.send(&user, Method::POST, "/api/v1/sweeps", Some(sweep), &wait).await;
    let warnings = reply.expect(StatusCode::CREATED)["data"]["warnings"].clone();
    assert_eq!((&warnings[0]["code"], &warnings[1]), (&json!("range_not_covered"), &told));
}

#[tokio::test]
async fn waiting_answers_201_with_the_finished_run() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let run = completed(&app, &user, golden_cross()).await;
    let id = run["id"].as_str().unwrap();
    let included = app.get(&user, &format!("{PATH}/{id}?include=metrics,strategy")).await;
    let included = included.expect(StatusCode::OK);
    assert_eq!(included["data"]["strategy"]["slug"], "golden-cross");
    assert_eq!(
        included["data"]["metrics"]["sharpe_ratio"],
        run["performance_summary"]["sharpe_ratio"]
    );
    let wrong = app.get(&user, &format!("{PATH}/{id}?include=everything")).await;
    assert_eq!(wrong.field_errors()[0].0, "include");
}

#[tokio::test]
async fn whoever_does_not_want_to_wait_gets_the_same_answer_marked_as_pending() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let headers = [("prefer", "respond-async")];
    let reply = app.send(&user, Method::POST, PATH, Some(golden_cross()), &headers).await;
    assert_eq!(reply.header("x-backtrail-pending"), "true");
    let made = reply.expect(StatusCode::ACCEPTED)["data"].clone();
    assert_eq!(made["asset_symbol"], "BTC");
    has_status(&app, &user, made["id"].as_str().unwrap(), "completed").await;
}

#[tokio::test]
async fn a_run_that_ended_within_the_wait_is_whole_without_waiting_for_the_read_models() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let headers = [("prefer", "respond-async, wait=30")];
    let reply = app.send(&user, Method::POST, PATH, Some(golden_cross()), &headers).await;
    let made = reply.expect(StatusCode::CREATED)["data"].clone();
    assert_eq!(made["status"], "completed");
    assert!(made["final_balance"].is_string(), "{made}");
    let path = format!("{PATH}/{}", made["id"].as_str().unwrap());
    assert_eq!(made, app.get(&user, &path).await.expect(StatusCode::OK)["data"]);
}

#[tokio::test]
async fn a_run_that_ended_before_any_read_model_knows_it_is_whole() {
    let roles = Roles::of(&[Role::Api, Role::Executor]);
    let wait = [("BACKTRAIL_API__WRITE_WAIT_MS", "10".to_owned())];
    let app = TestApp::launch(&roles, &wait).await;
    app.import_daily_btcusdt().await;
    let user = app.user().await;
    let headers = [("prefer", "respond-async, wait=30")];
    let reply = app.send(&user, Method::POST, PATH, Some(golden_cross()), &headers).await;
    assert_eq!(reply.header("x-backtrail-pending"), "true");
    let made = reply.expect(StatusCode::ACCEPTED)["data"].clone();
    assert_eq!(made["status"], "completed");
    assert!(made["final_balance"].is_string(), "{made}");
    assert!(made["performance_summary"]["sharpe_ratio"].is_string(), "{made}");
}

#[tokio::test]
async fn the_bare_alias_answers_in_the_other_design_s_shape() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let body = json!({
        "strategy_id": "golden_cross".replace('_', "-"), "asset_symbol": "BTC", "interval": "1d",
        "start_date": "2021-01-01", "end_date": "2021-12-31", "initial_capital": 5000,
    });
    let reply = app.post(&user, "/api/backtests", body).await;
    assert!(reply.header("location").starts_with("/api/backtests/"));
    let made = reply.expect(StatusCode::ACCEPTED);
    assert_eq!(made["initial_balance"], "5000");
    assert_eq!(made["end_time"], "2021-12-31T23:59:59.999Z");
    has_status(&app, &user, made["id"].as_str().unwrap(), "completed").await;
}

#[tokio::test]
async fn lists_filter_sort_and_page() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    for (short, long) in [(10, 20), (20, 50), (50, 100)] {
        let mut body = golden_cross();
        body["parameters"] = json!({"short_window": short, "long_window": long});
        completed(&app, &user, body).await;
    }
    let list = async |query: &str| {
        let reply = app.get(&user, &format!("{PATH}?{query}")).await;
        reply.expect(StatusCode::OK)
    };
    for (query, total) in [
        ("status=completed", 3),
        ("status=failed", 0),
        ("status=completed,failed", 3),
        ("status=pending,%20failed", 0),
        ("origin=user", 3),
        ("origin=sweep,replay", 0),
        ("search=golden", 3),
        ("search=silver", 0),
        ("final_balance[gt]=1", 3),
        ("final_balance[gt]=1e9", 0),
        ("initial_balance[eq]=10000", 3),
        ("symbol=BTC/USDT", 3),
        ("symbol=btc-usdt", 3),
        ("symbol=BTC", 3),
        ("symbol=BTCUSDT&timeframe=1d", 3),
        ("asset_symbol=ETH", 0),
        ("strategy_id=golden-cross", 3),
        ("total_trades[gte]=1", 3),
        ("sharpe_ratio[gt]=100", 0),
        ("created_at[gte]=2020-01-01", 3),
    ] {
        assert_eq!(list(query).await["meta"]["total"], total, "{query}");
    }
    let sorted = list("sort=-sharpe_ratio").await;
    let ratios: Vec<f64> = sorted["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["performance_summary"]["sharpe_ratio"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(ratios.is_sorted_by(|a, b| a >= b), "{ratios:?}");
    let richest = list("sort=-final_balance").await["data"].as_array().unwrap().clone();
    let balance = |run: &Value| run["final_balance"].as_str().unwrap().parse::<f64>().unwrap();
    assert!(richest.is_sorted_by(|a, b| balance(a) >= balance(b)), "{richest:?}");
    let page = list("limit=2&page=2").await;
    assert_eq!(page["data"].as_array().map(Vec::len), Some(1));
    assert_eq!((&page["meta"]["total_count"], &page["meta"]["per_page"]), (&json!(3), &json!(2)));
    for (query, field) in [
        ("sort=-sharp_ratio", "sort"),
        ("sharp_ratio[gte]=1", "sharp_ratio[gte]"),
        ("status=done", "status"),
        ("status=completed,done", "status"),
        ("status=", "status"),
        ("origin=me", "origin"),
        ("symbol=no%20symbol", "symbol"),
        ("include=all", "include"),
        ("page=0", "page"),
        ("limit=201", "limit"),
        ("cursor=x", "cursor"),
        ("fields=idd", "fields"),
    ] {
        let reply = app.get(&user, &format!("{PATH}?{query}")).await;
        assert_eq!(reply.field_errors()[0].0, field, "{query}");
    }
}

#[tokio::test]
async fn a_filter_or_order_that_does_not_exist_is_refused_with_the_choices() {
    let app = TestApp::start().await;
    let user = app.user().await;
    for (query, choices) in [
        ("sort=-sharp_ratio", "Did you mean `sharpe_ratio`? Choose from created_at, completed_at"),
        ("sharp_ratio[gte]=1", "Did you mean `sharpe_ratio`? Choose from total_trades"),
        ("statuss=completed", "Did you mean `status`? Choose from strategy_id, status"),
        ("status=done", "must be one of pending, running, completed, failed, cancelled"),
    ] {
        let reply = app.get(&user, &format!("{PATH}?{query}")).await;
        let message = reply.body["error"]["message"].as_str().unwrap();
        assert!(message.contains(choices), "{message}");
    }
}

#[tokio::test]
async fn a_cancellation_is_carried_out_once_for_each_key() {
    let roles = Roles::of(&[Role::Api, Role::Projector]);
    let app = TestApp::launch(&roles, &[]).await;
    app.import_daily_btcusdt().await;
    let user = app.user().await;
    let run = app.post(&user, PATH, golden_cross()).await.expect(StatusCode::ACCEPTED);
    let path = format!("{PATH}/{}/cancel", run["data"]["id"].as_str().unwrap());
    let key = [("idempotency-key", "once")];
    let first = app.send(&user, Method::POST, &path, None, &key).await;
    assert_eq!(first.header("idempotency-replayed"), "");
    let position = first.header("x-backtrail-position").to_owned();
    let first = first.expect(StatusCode::OK);
    assert_eq!(first["data"]["status"], "cancelled");
    let again = app.send(&user, Method::POST, &path, None, &key).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.header("x-backtrail-position"), position);
    assert_eq!(again.expect(StatusCode::OK), first);
    let tagged = [("if-match", "\"1\"")];
    let stale = app.send(&user, Method::POST, &path, None, &tagged).await;
    stale.expect(StatusCode::PRECONDITION_FAILED);
}

#[tokio::test]
async fn a_market_that_is_not_there_is_suggested_by_name() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    for (fields, field, hint) in [
        (json!({"symbol": "BTCUSD"}), "symbol", "did you mean `BTCUSDT`?"),
        (json!({"symbol": "BTC/EUR"}), "symbol", "did you mean `BTCUSDT`?"),
        (json!({"symbol": "BTC", "quote": "EUR"}), "symbol", "there is `BTCUSDT`"),
        (json!({"symbol": "BTCUSDT", "quote": "EUR"}), "symbol", "quote asset of BTCUSDT is USDT"),
    ] {
        let mut body = golden_cross();
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let reply = app.post(&user, PATH, body).await;
        assert_eq!(reply.field_errors()[0].0, field);
        let message = reply.body["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains(hint), "{message}");
    }
    for symbol in ["BTC/USDT", "btc-usdt", "BTC"] {
        let mut body = golden_cross();
        body["symbol"] = json!(symbol);
        assert_eq!(completed(&app, &user, body).await["symbol"], "BTCUSDT");
    }
    let candles = app.get(&user, "/api/v1/market_data/BTC-USDT/1d?limit=1").await;
    candles.expect(StatusCode::OK);
    let candles = app.get(&user, "/api/v1/market_data/BTCUSD/1d").await;
    let error = candles.expect(StatusCode::NOT_FOUND);
    assert_eq!(error["error"]["message"], "There is no market `BTCUSD`; did you mean `BTCUSDT`?");
}

#[tokio::test]
async fn a_finished_run_cannot_be_cancelled_and_a_deleted_one_is_gone() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let run = completed(&app, &user, golden_cross()).await;
    let path = format!("{PATH}/{}", run["id"].as_str().unwrap());
    let reply = app.send(&user, Method::POST, &format!("{path}/cancel"), None, &[]).await;
    let error = reply.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(error["error"]["code"], "not_cancellable");
    let reply = app.send(&user, Method::DELETE, &path, None, &[]).await;
    reply.expect(StatusCode::NO_CONTENT);
    app.get(&user, &path).await.expect(StatusCode::NOT_FOUND);
    app.get(&user, &format!("{path}/trades")).await.expect(StatusCode::NOT_FOUND);
    let reply = app.send(&user, Method::DELETE, &path, None, &[]).await;
    reply.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_stranger_is_refused_everywhere() {
    let app = TestApp::with_candles().await;
    let (owner, stranger) = (app.user().await, app.user().await);
    let run = completed(&app, &owner, golden_cross()).await;
    let path = format!("{PATH}/{}", run["id"].as_str().unwrap());
    for part in ["", "/metrics", "/ledger", "/trades", "/equity", "/events"] {
        let path = format!("{path}{part}");
        app.get(&stranger, &path).await.expect(StatusCode::FORBIDDEN);
        app.get(&ANYONE, &path).await.expect(StatusCode::UNAUTHORIZED);
    }
    for (method, path) in [(Method::POST, format!("{path}/cancel")), (Method::DELETE, path.clone())]
    {
        let refused = app.send(&stranger, method.clone(), &path, None, &[]).await;
        refused.expect(StatusCode::FORBIDDEN);
        let refused = app.send(&ANYONE, method, &path, None, &[]).await;
        refused.expect(StatusCode::UNAUTHORIZED);
    }
    app.post(&ANYONE, PATH, golden_cross()).await.expect(StatusCode::UNAUTHORIZED);
    app.get(&ANYONE, PATH).await.expect(StatusCode::UNAUTHORIZED);
    let list = app.get(&stranger, PATH).await.expect(StatusCode::OK);
    assert_eq!(list["meta"]["total"], 0);
    let strategy = json!({"name": "Private", "code_ref": "buy_and_hold"});
    let strategy = app.post(&owner, "/api/v1/strategies", strategy).await;
    let strategy = strategy.expect(StatusCode::CREATED)["data"]["id"].clone();
    let mut body = golden_cross();
    body["strategy_id"] = strategy;
    body["parameters"] = Value::Null;
    app.post(&stranger, PATH, body).await.expect(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_is_unchanged_is_not_sent_again() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let run = completed(&app, &user, golden_cross()).await;
    let path = format!("{PATH}/{}", run["id"].as_str().unwrap());
    let reply = app.get(&user, &path).await;
    assert_eq!(reply.header("cache-control"), "private, no-cache");
    let tag = reply.header("etag").to_owned();
    let reply = app.send(&user, Method::GET, &path, None, &[("if-none-match", &tag)]).await;
    reply.expect(StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn a_repeated_key_starts_one_run() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let headers = [("idempotency-key", "one-run"), ("prefer", "wait=30")];
    let mut ids = Vec::new();
    for is_again in [false, true] {
        let reply = app.send(&user, Method::POST, PATH, Some(golden_cross()), &headers).await;
        assert_eq!(reply.header("idempotency-replayed") == "true", is_again);
        ids.push(reply.expect(StatusCode::CREATED)["data"]["id"].clone());
    }
    assert_eq!(ids[0], ids[1]);
    let mut other = golden_cross();
    other["initial_balance"] = json!(1);
    let reply = app.send(&user, Method::POST, PATH, Some(other), &headers).await;
    let error = reply.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(error["error"]["code"], "idempotency_mismatch");
}
