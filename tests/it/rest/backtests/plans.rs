//! What a page of backtests reads where one owner has 300,000: every order and filter that the contracts name, by its plan.

use std::{collections::BTreeSet, fs, path::PathBuf};

use reqwest::StatusCode;
use serde_json::Value;
use tests::{Backtrail, Remote, TestApp, TestCluster, TestUser, copy_backtests};

use super::{PATH, completed, golden_cross};

const RUNS: i64 = 300_000;
const TABLES: &str = "backtests_v6";
/// Rows that a page of 20 reads of a table by its index: those of the page, and few enough besides for a millisecond or two.
const INDEXED_MAX: f64 = 5_000.0;
/// The same where there is no index, or of a count.
const BOUNDED_MAX: f64 = 50_001.0;
const COUNTED_MAX: f64 = 10_001.0;

/// What API.md sorts by an index.
const INDEXED_SORTS: [&str; 16] = [
    "created_at",
    "completed_at",
    "total_return",
    "annual_return",
    "cagr",
    "sharpe_ratio",
    "sortino_ratio",
    "calmar_ratio",
    "volatility",
    "max_drawdown",
    "max_drawdown_percentage",
    "win_rate",
    "profit_factor",
    "expectancy",
    "total_trades",
    "final_balance",
];
/// What it filters by an index, with a value that many runs have, and one that few or none have.
const INDEXED_FILTERS: [(&str, [&str; 2]); 7] = [
    (
        "strategy_id",
        ["01900000-0000-7000-8000-000000000003", "01900000-0000-7000-8000-000000000077"],
    ),
    ("symbol", ["SOLUSDT", "EURUSD"]),
    ("asset_symbol", ["SOL", "EUR"]),
    ("timeframe", ["1h", "4h"]),
    ("interval", ["1h", "4h"]),
    ("status", ["failed", "cancelled"]),
    ("origin", ["user", "replay"]),
];
/// Filters without an index, with a value that fits nothing.
const BOUNDED_FILTERS: [(&str, &str); 1] = [("search", "nothing")];
/// Parameters that neither order nor filter.
const OTHERS: [&str; 8] =
    ["cursor", "fields", "include", "limit", "min_position", "page", "per_page", "sort"];

/// A second API on the database of the first, each statement of which PostgreSQL explains in its log.
struct Explained {
    _app: TestApp,
    api: Remote,
    _served: tests::Served,
    user: TestUser,
    log: PathBuf,
    read_to: usize,
}

/// What a statement reads of a table.
#[derive(Debug)]
struct Scan {
    is_count: bool,
    kind: String,
    rows: f64,
}

impl Explained {
    async fn start() -> Self {
        let app = TestApp::with_candles().await;
        let user = app.user().await;
        completed(&app, &user, golden_cross()).await;
        let superuser = app.database().superuser().await;
        copy_backtests(&superuser, RUNS).await;
        for setting in [
            "session_preload_libraries = 'auto_explain'",
            "auto_explain.log_min_duration = 0",
            "auto_explain.log_analyze = on",
            "auto_explain.log_timing = off",
            "auto_explain.log_format = json",
        ] {
            let sql = format!("ALTER DATABASE {} SET {setting}", app.database().name);
            superuser.batch_execute(&sql).await.expect(setting);
        }
        let backtrail =
            Backtrail::new(crate::BACKTRAIL).with("BACKTRAIL_DATABASE__URL", &app.database().url);
        let served = backtrail.serve_with(&["serve", "--roles", "api"]);
        let api = Remote::new(served.address());
        api.until_ready().await;
        let log = TestCluster::shared().await.folder().join("log");
        let mut explained = Self { _app: app, api, _served: served, user, log, read_to: 0 };
        explained.scans();
        explained
    }

    /// What has been read of the runs since the last look.
    fn scans(&mut self) -> Vec<Scan> {
        let log = fs::read(&self.log).expect("the log");
        let new = String::from_utf8_lossy(&log[self.read_to..]).into_owned();
        self.read_to = log.len();
        let mut scans = Vec::new();
        for plan in new.split("plan:\n").skip(1) {
            let lines = plan.lines().take_while(|line| line.starts_with('\t'));
            let text: String = lines.collect();
            let plan: Value = serde_json::from_str(&text).expect("a plan");
            let query = plan["Query Text"].as_str().unwrap_or_default();
            collect(&plan["Plan"], query.contains("count(*)"), &mut scans);
        }
        scans
    }

    async fn list(&mut self, query: &str) -> Vec<Scan> {
        self.api.get(&self.user, &format!("{PATH}?{query}")).await.expect(StatusCode::OK);
        self.scans()
    }
}

fn collect(node: &Value, is_count: bool, scans: &mut Vec<Scan>) {
    if node["Relation Name"].as_str().is_some_and(|table| table.starts_with(TABLES)) {
        let number = |name: &str| node[name].as_f64().unwrap_or_default();
        let read = number("Actual Rows") + number("Rows Removed by Filter");
        let kind = node["Node Type"].as_str().unwrap_or_default().to_owned();
        scans.push(Scan { is_count, kind, rows: read * number("Actual Loops") });
    }
    for child in node["Plans"].as_array().into_iter().flatten() {
        collect(child, is_count, scans);
    }
}

/// Says what is wrong with a page that should read no more than so many rows.
fn complain(what: &str, scans: &[Scan], rows_max: f64) -> Option<String> {
    let is_too_much = |scan: &&Scan| {
        let most = if scan.is_count { rows_max.max(COUNTED_MAX) } else { rows_max };
        scan.rows > most || (scan.kind == "Seq Scan" && scan.rows > INDEXED_MAX)
    };
    if scans.is_empty() {
        return Some(format!("{what}: nothing was read"));
    }
    scans.iter().find(is_too_much).map(|scan| format!("{what}: {scan:?}"))
}

/// The parameters of the list; those that hold a number against a bound are its sorts too.
fn parameters() -> (BTreeSet<String>, BTreeSet<String>) {
    let text = include_str!("../../../../api/contract/openapi.json");
    let document: Value = serde_json::from_str(text).expect("JSON");
    let parameters = document["paths"]["/backtests"]["get"]["parameters"].as_array();
    let name = |parameter: &Value| parameter["name"].as_str().unwrap_or_default().to_owned();
    let (numbers, others): (Vec<&Value>, Vec<&Value>) = parameters
        .expect("parameters")
        .iter()
        .partition(|parameter| parameter["schema"]["properties"]["gt"].is_object());
    assert!(numbers.len() > 40, "the metrics are among them");
    (numbers.into_iter().map(name).collect(), others.into_iter().map(name).collect())
}

/// The values of an enum, or the fields of an input, of the GraphQL schema.
fn graphql_names(header: &str) -> Vec<String> {
    let schema = include_str!("../../../../api/contract/schema.graphql");
    let (_, body) = schema.split_once(&format!("{header} {{\n")).expect(header);
    let (body, _) = body.split_once("\n}").expect("an end");
    let lines = body.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut is_text = false;
    let names = lines.filter(|line| {
        is_text ^= *line == "\"\"\"";
        !is_text && *line != "\"\"\""
    });
    let names: Vec<String> =
        names.map(|line| line.split([':', '(']).next().unwrap_or(line).to_owned()).collect();
    assert!(names.len() > 5, "{header}: {names:?}");
    names
}

fn snake_case(name: &str) -> String {
    name.chars().fold(String::new(), |mut name, letter| {
        name.extend(letter.is_uppercase().then_some('_'));
        name.push(letter.to_ascii_lowercase());
        name
    })
}

#[tokio::test]
async fn every_order_and_filter_of_the_contracts_reads_a_bounded_number_of_rows() {
    let mut explained = Explained::start().await;
    let mut complaints: Vec<String> = Vec::new();
    let (numbers, others) = parameters();
    let times = ["created_at", "completed_at", "start_time", "end_time"];
    let bound = |sort: &str| match INDEXED_SORTS.contains(&sort) {
        true => INDEXED_MAX,
        false => BOUNDED_MAX,
    };
    let sorts = numbers.iter().map(String::as_str).chain(["created_at", "completed_at"]);
    for sort in sorts.clone() {
        for direction in ["", "-"] {
            let query = format!("sort={direction}{sort}");
            let scans = explained.list(&query).await;
            complaints.extend(complain(&query, &scans, bound(sort)));
        }
    }
    for (filter, values) in INDEXED_FILTERS {
        for value in values {
            for sort in INDEXED_SORTS {
                let query = format!("{filter}={value}&sort=-{sort}");
                let scans = explained.list(&query).await;
                complaints.extend(complain(&query, &scans, INDEXED_MAX));
            }
        }
    }
    for number in &numbers {
        let query = format!("{number}[gt]=1e300");
        let scans = explained.list(&query).await;
        complaints.extend(complain(&query, &scans, BOUNDED_MAX));
    }
    let known = INDEXED_FILTERS.iter().map(|(name, _)| *name).chain(OTHERS).chain(times);
    let known: BTreeSet<&str> = known.chain(BOUNDED_FILTERS.map(|(name, _)| name)).collect();
    for parameter in &others {
        let is_known = known.contains(parameter.as_str());
        complaints.extend((!is_known).then(|| format!("`{parameter}` has no plan here")));
    }
    for (filter, value) in BOUNDED_FILTERS.into_iter().chain(times.map(|time| (time, ""))) {
        let query = match value {
            "" => format!("{filter}[gte]=2100-01-01"),
            value => format!("{filter}={value}"),
        };
        for sort in ["created_at", "sharpe_ratio", "kelly"] {
            let query = format!("{query}&sort=-{sort}");
            let scans = explained.list(&query).await;
            complaints.extend(complain(&query, &scans, BOUNDED_MAX));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[tokio::test]
async fn every_order_and_filter_of_graphql_is_one_of_rest() {
    let (numbers, others) = parameters();
    for field in graphql_names("enum BacktestOrderField") {
        let field = field.to_lowercase();
        let is_known = numbers.contains(&field) || INDEXED_SORTS.contains(&field.as_str());
        assert!(is_known, "`{field}` orders in GraphQL, but not in REST");
    }
    for field in graphql_names("input MetricsFilter") {
        assert!(
            numbers.contains(&snake_case(&field)),
            "`{field}` filters in GraphQL, but not in REST"
        );
    }
    for field in graphql_names("input BacktestFilter") {
        let name = snake_case(&field);
        assert!(
            others.contains(&name) || name == "metrics",
            "`{name}` filters in GraphQL, but not in REST"
        );
    }
}
