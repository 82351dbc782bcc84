//! `/sweeps`: asking, watching, ending; rows, heat maps, a row as a backtest; nobody else's.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{ANYONE, TestApp, TestUser};

use super::has_status;

const PATH: &str = "/api/v1/sweeps";

/// Twelve combinations over three years of days.
fn golden_crosses() -> Value {
    json!({
        "strategy_id": "golden-cross",
        "symbol": "BTCUSDT",
        "start_time": "2020-01-01",
        "end_date": "2022-12-31",
        "initial_balance": "10000",
        "grid": {"short_window": {"from": 5, "to": 20, "step": 5}, "long": [20, 50, 100, 5]},
        "constraints": ["short_window < long_window", "long_window > 10"],
        "walk_forward": {"mode": "anchored", "windows": 2},
    })
}

/// Asks for the sweep and waits for its end.
async fn completed(app: &TestApp, user: &TestUser, body: Value) -> Value {
    let wait = [("prefer", "wait=30")];
    let reply = app.send(user, Method::POST, PATH, Some(body), &wait).await;
    let sweep = reply.expect(StatusCode::CREATED)["data"].clone();
    assert_eq!(sweep["status"], "completed", "{sweep}");
    sweep
}

#[tokio::test]
async fn a_sweep_is_accepted_and_found_with_its_winners_and_its_walk_forward() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let reply = app.post(&user, PATH, golden_crosses()).await;
    let location = reply.header("location").to_owned();
    assert!(reply.header("x-backtrail-position").parse::<i64>().unwrap() > 0);
    let made = reply.expect(StatusCode::ACCEPTED)["data"].clone();
    assert_eq!(location, format!("{PATH}/{}", made["id"].as_str().unwrap()));
    assert_eq!(made["combinations_count"], 11);
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(20));
    let sweep = loop {
        looks.tick().await;
        let sweep = app.get(&user, &location).await.expect(StatusCode::OK)["data"].clone();
        if sweep["status"] == "completed" {
            break sweep;
        }
    };
    assert_eq!((&sweep["progress"], &sweep["rows_count"]), (&json!(100), &json!(11)));
    assert_eq!(sweep["search"]["axes"]["long_window"], json!([20, 50, 100, 5]));
    let objective = json!({"metric": "sharpe_ratio", "direction": "maximize"});
    assert_eq!(sweep["objective"], objective);
    assert_eq!(sweep["winners"].as_array().unwrap().len(), 10);
    assert_eq!(sweep["winners"][0]["rank"], 1);
    let windows = sweep["walk_forward_result"]["windows"].as_array().unwrap();
    assert_eq!(windows.len(), 2);
    for window in windows {
        assert_eq!(window["in_sample"]["start_time"], "2020-01-01T00:00:00Z");
        assert!(window["in_sample"]["figures"]["metrics"]["sharpe_ratio"].is_string());
        assert!(window["out_of_sample"]["figures"]["final_balance"].is_string());
    }
    assert_eq!(windows[1]["out_of_sample"]["end_time"], "2022-12-31T00:00:00Z");
    assert!(sweep["walk_forward_result"]["stitched"]["final_balance"].is_string());
    let list = app.get(&user, &format!("{PATH}?strategy_id=golden-cross&status=completed")).await;
    let list = list.expect(StatusCode::OK);
    assert_eq!((&list["meta"]["total"], &list["data"][0]["id"]), (&json!(1), &sweep["id"]));
    let none = app.get(&user, &format!("{PATH}?status=failed")).await.expect(StatusCode::OK);
    assert_eq!(none["meta"]["total"], 0);
}

#[tokio::test]
async fn rows_are_listed_by_rank_or_metric_in_pages_and_shown_as_a_heat_map() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let sweep = completed(&app, &user, golden_crosses()).await;
    let path = format!("{PATH}/{}", sweep["id"].as_str().unwrap());
    let rows = async |query: &str| {
        let reply = app.get(&user, &format!("{path}/results?{query}")).await;
        reply.expect(StatusCode::OK)
    };
    let by_rank = rows("").await;
    assert_eq!(by_rank["meta"]["total"], 11);
    assert_eq!(by_rank["data"][0], sweep["winners"][0]);
    let values = |list: &Value, name: &str| -> Vec<f64> {
        let rows = list["data"].as_array().unwrap().iter();
        let texts = rows.filter_map(|row| row["metrics"][name].as_str()?.parse().ok());
        texts.collect()
    };
    let drawdowns = values(&rows("sort=max_drawdown_percentage").await, "max_drawdown_percentage");
    assert!(drawdowns.len() == 11 && drawdowns.is_sorted(), "{drawdowns:?}");
    assert!(drawdowns[10] > 1.0, "in percent");
    let mut seen = Vec::new();
    let mut query = "sort=-total_pnl&limit=4&cursor=".to_owned();
    let first = rows("sort=-total_pnl&limit=4").await;
    seen.extend(values(&first, "total_pnl"));
    let mut cursor = first["meta"]["next_cursor"].clone();
    while let Some(next) = cursor.as_str() {
        query.truncate("sort=-total_pnl&limit=4&cursor=".len());
        query.push_str(next);
        let page = rows(&query).await;
        seen.extend(values(&page, "total_pnl"));
        cursor = page["meta"]["next_cursor"].clone();
    }
    assert!(seen.len() == 11 && seen.is_sorted_by(|left, right| left >= right), "{seen:?}");
    let wrong = app.get(&user, &format!("{path}/results?sort=sharp_ratio")).await;
    assert_eq!(wrong.field_errors()[0].0, "sort");

    let map = app.get(&user, &format!("{path}/heatmap?x=short_window&y=long_window")).await;
    let map = map.expect(StatusCode::OK)["data"].clone();
    assert_eq!(map["x"], json!({"name": "short_window", "values": [5, 10, 15, 20]}));
    assert_eq!(map["y"], json!({"name": "long_window", "values": [20, 50, 100]}));
    assert_eq!(map["cells"][0][3], Value::Null, "20 is not below 20");
    let best = &sweep["winners"][0];
    let cells: Vec<&Value> =
        map["cells"].as_array().unwrap().iter().flat_map(|line| line.as_array().unwrap()).collect();
    let cell = cells.iter().find(|cell| cell["number"] == best["number"]).unwrap();
    assert_eq!(cell["value"], best["metrics"]["sharpe_ratio"]);
    let other = app.get(&user, &format!("{path}/heatmap?metric=win_rate")).await;
    let other = other.expect(StatusCode::OK)["data"].clone();
    assert_eq!(other["x"]["name"], "long_window", "of two, the first by name");
    let wrong = app.get(&user, &format!("{path}/heatmap?x=shirt_window")).await;
    assert_eq!(wrong.field_errors()[0].0, "x");
    for (wrong, field) in [("x=long_window&y=long_window", "y"), ("metric=alpha", "metric")] {
        let wrong = app.get(&user, &format!("{path}/heatmap?{wrong}")).await;
        assert_eq!(wrong.field_errors(), [(field.to_owned(), "invalid".to_owned())]);
    }
}

#[tokio::test]
async fn rows_are_found_by_number_and_by_what_they_have() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let sweep = completed(&app, &user, golden_crosses()).await;
    let path = format!("{PATH}/{}/results", sweep["id"].as_str().unwrap());
    let best = &sweep["winners"][0];
    let row = app.get(&user, &format!("{path}/{}", best["number"])).await;
    assert_eq!(row.expect(StatusCode::OK)["data"], *best);
    for none in ["0", "99", "-1", "first", "4294967296"] {
        app.get(&user, &format!("{path}/{none}")).await.expect(StatusCode::NOT_FOUND);
    }
    let rows = async |query: &str| {
        let reply = app.get(&user, &format!("{path}?limit=50&{query}")).await;
        let list = reply.expect(StatusCode::OK);
        let rows = list["data"].as_array().unwrap().clone();
        assert_eq!(list["meta"]["total"], rows.len());
        rows
    };
    let all = rows("").await;
    let number = |value: &Value| -> f64 { value.as_str().unwrap().parse().unwrap() };
    let drawdown = |row: &Value| number(&row["metrics"]["max_drawdown_percentage"]);
    let bound = drawdown(best);
    let expected: Vec<_> = all.iter().filter(|row| drawdown(row) <= bound).cloned().collect();
    assert!(!expected.is_empty() && expected.len() < all.len());
    assert_eq!(rows(&format!("max_drawdown_percentage[lte]={}", bound + 1e-9)).await, expected);
    let expected: Vec<_> =
        all.iter().filter(|row| row["parameters"]["long_window"] == 50).cloned().collect();
    assert_eq!(rows("long_window[eq]=50").await, expected);
    assert_eq!(rows("long_window[eq]=50&short_window[lt]=5").await, Vec::<Value>::new());
    let richest = all.iter().map(|row| number(&row["final_balance"])).fold(0.0, f64::max);
    assert_eq!(rows(&format!("final_balance[gt]={}", richest - 1e-6)).await.len(), 1);
    for (wrong, field, hint) in [
        ("sort=alpha", "sort", "objective is `sharpe_ratio`"),
        ("sort=-luck_percentile", "sort", "objective is `sharpe_ratio`"),
        ("sort=sharp_ratio", "sort", "Did you mean `sharpe_ratio`? Choose from rank, number"),
        ("beta[gt]=1", "beta[gt]", "objective is `sharpe_ratio`"),
        ("long_windou[gt]=1", "long_windou[gt]", "Did you mean `long_window`?"),
        ("long_window[above]=1", "long_window[above]", "use gt, gte, lt, lte or eq"),
        ("long_window[gt]=NaN", "long_window[gt]", "finite"),
    ] {
        let reply = app.get(&user, &format!("{path}?{wrong}")).await;
        assert_eq!(reply.field_errors()[0].0, field);
        let message = reply.body["error"]["message"].as_str().unwrap();
        assert!(message.contains(hint), "{message}");
    }
}

#[tokio::test]
async fn a_sweep_s_events_are_its_owner_s_and_a_promoted_run_names_its_row() {
    let app = TestApp::with_candles().await;
    let (user, stranger) = (app.user().await, app.user().await);
    let sweep = completed(&app, &user, golden_crosses()).await;
    let id = sweep["id"].as_str().unwrap();
    let types = async |path: &str| -> Vec<String> {
        let list = app.get(&user, path).await.expect(StatusCode::OK);
        let rows = list["data"].as_array().unwrap().iter();
        rows.map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    };
    let own = types(&format!("{PATH}/{id}/events")).await;
    assert_eq!(
        (own.first().unwrap().as_str(), own.last().unwrap().as_str()),
        ("SweepRequested", "SweepCompleted")
    );
    assert_eq!(types("/api/v1/events?aggregate_type=sweep").await, own);
    assert_eq!(types(&format!("/api/v1/events?aggregate_id={}", id.to_uppercase())).await, own);
    let refused = app.get(&stranger, &format!("{PATH}/{id}/events")).await;
    refused.expect(StatusCode::FORBIDDEN);
    let path = format!("{PATH}/{id}/results/3/backtest");
    let wait = [("prefer", "wait=30")];
    let run = app.send(&user, Method::POST, &path, None, &wait).await;
    let run = run.expect(StatusCode::CREATED)["data"].clone();
    assert_eq!((&run["sweep_id"], &run["sweep_row"]), (&sweep["id"], &json!(3)));
    let plain = super::completed(&app, &user, super::golden_cross()).await;
    assert_eq!((&plain["sweep_id"], &plain["sweep_row"]), (&Value::Null, &Value::Null));
    let query = format!(
        r#"{{ backtest(id: "{}") {{ origin sweepId sweepRow }} }}"#,
        run["id"].as_str().unwrap()
    );
    let shown = app.post(&user, "/graphql", json!({"query": query})).await.expect(StatusCode::OK);
    let expected = json!({"origin": "SWEEP", "sweepId": id, "sweepRow": 3});
    assert_eq!(shown["data"]["backtest"], expected);
    let list = app.get(&user, "/api/v1/backtests?origin=sweep").await.expect(StatusCode::OK);
    assert_eq!(list["meta"]["total"], 1);
    let sweeps = app.get(&user, &format!("{PATH}?symbol=BTC&status=completed,failed")).await;
    assert_eq!(sweeps.expect(StatusCode::OK)["meta"]["total"], 1);
}

#[tokio::test]
async fn a_row_becomes_a_backtest_once_for_each_key() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let sweep = completed(&app, &user, golden_crosses()).await;
    let best = sweep["winners"][0].clone();
    let id = sweep["id"].as_str().unwrap();
    let path = format!("{PATH}/{id}/results/{}/backtest", best["number"]);
    let key = [("idempotency-key", "once")];
    let reply = app.send(&user, Method::POST, &path, None, &key).await;
    let location = reply.header("location").to_owned();
    let run = reply.expect(StatusCode::ACCEPTED)["data"].clone();
    assert_eq!(location, format!("/api/v1/backtests/{}", run["id"].as_str().unwrap()));
    assert_eq!((&run["origin"], &run["parameters"]), (&json!("sweep"), &best["parameters"]));
    let again = app.send(&user, Method::POST, &path, None, &key).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(StatusCode::ACCEPTED)["data"]["id"], run["id"]);
    let run = has_status(&app, &user, run["id"].as_str().unwrap(), "completed").await;
    assert_eq!(run["final_balance"], best["final_balance"]);
    assert_eq!(run["dataset"], sweep["dataset"]);
    for name in ["sharpe_ratio", "max_drawdown_percentage", "total_pnl", "win_rate"] {
        assert_eq!(run["performance_summary"][name], best["metrics"][name], "{name}");
    }
    let path = format!("{PATH}/{id}/results/1/backtest");
    let wait = [("prefer", "wait=30")];
    let first = app.send(&user, Method::POST, &path, None, &wait).await;
    assert_eq!(first.expect(StatusCode::CREATED)["data"]["status"], "completed");
    let path = format!("{PATH}/{id}/results/99/backtest");
    app.send(&user, Method::POST, &path, None, &[]).await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_stranger_is_refused_everywhere() {
    let app = TestApp::with_candles().await;
    let (owner, stranger) = (app.user().await, app.user().await);
    let sweep = completed(&app, &owner, golden_crosses()).await;
    let path = format!("{PATH}/{}", sweep["id"].as_str().unwrap());
    let calls = [
        (Method::GET, path.clone()),
        (Method::GET, format!("{path}/results")),
        (Method::GET, format!("{path}/heatmap")),
        (Method::POST, format!("{path}/results/1/backtest")),
        (Method::POST, format!("{path}/cancel")),
        (Method::DELETE, path.clone()),
    ];
    for (method, path) in &calls {
        let reply = app.send(&stranger, method.clone(), path, None, &[]).await;
        reply.expect(StatusCode::FORBIDDEN);
        let reply = app.send(&ANYONE, method.clone(), path, None, &[]).await;
        reply.expect(StatusCode::UNAUTHORIZED);
    }
    let list = app.get(&stranger, PATH).await.expect(StatusCode::OK);
    assert_eq!(list["meta"]["total"], 0);
    app.send(&owner, Method::DELETE, &path, None, &[]).await.expect(StatusCode::NO_CONTENT);
    for (method, path) in &calls {
        let reply = app.send(&owner, method.clone(), path, None, &[]).await;
        reply.expect(StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_sweep_is_said_at_once() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let body = json!({
        "strategy_id": "golden-cross", "symbol": "NOPE", "initial_balance": -1,
        "grid": {"short_window": {"from": 5, "to": 1}, "wide": [1]},
        "objective": "sharp_ratio", "walk_forward": {"windows": 0}, "sorted": true,
        "metadata": {"intrabar": "lower_timeframe"},
    });
    let reply = app.post(&user, PATH, body.clone()).await;
    let fields: Vec<String> = reply.field_errors().into_iter().map(|(field, _)| field).collect();
    for field in [
        "sorted",
        "initial_balance",
        "objective",
        "walk_forward.windows",
        "symbol",
        "grid.wide",
        "metadata.intrabar",
    ] {
        assert!(fields.iter().any(|known| known == field), "{field} is not in {fields:?}");
    }
    let mut body = golden_crosses();
    body["grid"] = json!({"short_window": {"from": 5, "to": 1}, "wide": [1]});
    let reply = app.post(&user, PATH, body).await;
    assert_eq!(reply.field_errors()[0].0, "grid.wide");
    let mut fine = golden_crosses();
    fine["initial_balance"] = json!("10000.000000001");
    let errors = app.post(&user, PATH, fine).await.field_errors();
    assert_eq!(errors[0].0, "initial_balance", "as of backtests: {errors:?}");
    let mut many = golden_crosses();
    many["grid"]["short_window"] = json!({"from": 2, "to": 2.9, "step": 0.000_01});
    let reply = app.post(&user, PATH, many).await;
    let fields = reply.field_errors();
    assert_eq!(fields[0].0, "grid", "{fields:?}");
}

#[tokio::test]
async fn an_unfinished_sweep_has_no_rows_and_the_alias_is_bare() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let mut body = golden_crosses();
    body["grid"] = json!({"short_window": {"from": 2, "to": 90, "step": 1}, "long_window": {"from": 91, "to": 190}});
    body["walk_forward"] = Value::Null;
    let reply = app.post(&user, "/api/sweeps", body).await;
    let location = reply.header("location").to_owned();
    let made = reply.expect(StatusCode::ACCEPTED);
    assert_eq!(location, format!("/api/sweeps/{}", made["id"].as_str().unwrap()));
    let results = app.get(&user, &format!("{location}/results")).await;
    let cancelled = app.send(&user, Method::POST, &format!("{location}/cancel"), None, &[]).await;
    let cancelled = cancelled.expect(StatusCode::OK);
    assert_eq!(results.expect(StatusCode::NOT_FOUND)["error"]["code"], "not_completed");
    assert!(cancelled["status"] == "cancelled" || cancelled["status"] == "running", "{cancelled}");
    app.send(&user, Method::DELETE, &location, None, &[]).await.expect(StatusCode::NO_CONTENT);
}
