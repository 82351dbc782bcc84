//! How long a page of backtests takes where one owner has hundreds of thousands, or millions.

use std::time::Instant;

use domain::{ids::StrategyId, job::Status};
use projections::{
    ReadModels,
    backtests::{BacktestFilter, BacktestSort},
    metric::{Comparison, Metric, MetricFilter},
    page::PageRequest,
};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tests::{TestApp, copy_backtests};
use uuid::Uuid;

use crate::Figure;

const SMALL: &str = "lists_300k";
const LARGE: &str = "lists_3m";
pub(crate) const NAMES: [&str; 2] = [SMALL, LARGE];
const SIZES: [(&str, i64); 2] = [(SMALL, 300_000), (LARGE, 3_000_000)];
/// Pages of each kind, of which the second slowest is told.
const PAGES: usize = 100;
const INDEXED: &str = "value < 10";
const BOUNDED: &str = "value < 50";

/// A kind of page.
struct Kind {
    name: &'static str,
    filter: BacktestFilter,
    sort: BacktestSort,
    page: i64,
    aim: &'static str,
}

pub(crate) async fn measure(is_wanted: impl Fn(&[&str]) -> bool) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (name, count) in SIZES {
        if is_wanted(&[name]) {
            figures.extend(measure_with(name, count).await);
        }
    }
    figures
}

async fn measure_with(size: &str, count: i64) -> Vec<Figure> {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let body =
        json!({"strategy_id": "golden-cross", "symbol": "BTCUSDT", "start_time": "2020-01-01"});
    let wait = [("prefer", "wait=30")];
    let made = app.send(&user, Method::POST, "/api/v1/backtests", Some(body), &wait).await;
    made.expect(StatusCode::CREATED);
    copy_backtests(&app.database().superuser().await, count).await;
    let owner = BacktestFilter { owner_id: user.id.parse().ok(), ..BacktestFilter::default() };
    let mut figures = Vec::new();
    for kind in kinds(&owner) {
        let milliseconds = slowest(&app.context().reads, &kind).await;
        let name = format!("{size}_{}", kind.name);
        figures.push(Figure::alone(name, milliseconds, "ms p99", kind.aim));
    }
    figures
}

async fn slowest(reads: &ReadModels, kind: &Kind) -> f64 {
    let mut times = Vec::with_capacity(PAGES);
    for _ in 0..PAGES {
        let started = Instant::now();
        let request = PageRequest::Number { page: kind.page, limit: 20 };
        let page = reads.list_backtests(&kind.filter, kind.sort, true, &request).await;
        page.expect(kind.name);
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    times[PAGES - 2]
}

fn kinds(owner: &BacktestFilter) -> Vec<Kind> {
    let by = |name: &str| Metric::parse(name).map_or(BacktestSort::CreatedAt, BacktestSort::Metric);
    let newest = BacktestSort::CreatedAt;
    let strategy_id = Uuid::parse_str("01900000-0000-7000-8000-000000000003").ok();
    let strategy =
        || BacktestFilter { strategy_id: strategy_id.map(StrategyId::new), ..owner.clone() };
    let failed = || BacktestFilter { statuses: vec![Status::Failed], ..owner.clone() };
    let asset =
        |asset: &str| BacktestFilter { asset_symbol: Some(asset.to_owned()), ..owner.clone() };
    let above = |name: &str, value| BacktestFilter {
        metrics: Metric::parse(name)
            .map(|metric| MetricFilter { metric, comparison: Comparison::Gt, value })
            .into_iter()
            .collect(),
        ..owner.clone()
    };
    let search = |text: &str| BacktestFilter { search: Some(text.to_owned()), ..owner.clone() };
    let kind = |name, filter, sort, page, aim| Kind { name, filter, sort, page, aim };
    vec![
        kind("newest", owner.clone(), newest, 1, INDEXED),
        kind("newest_page_1000", owner.clone(), newest, 1_000, INDEXED),
        kind("completed_at", owner.clone(), BacktestSort::CompletedAt, 1, INDEXED),
        kind("failed", failed(), newest, 1, INDEXED),
        kind("strategy", strategy(), newest, 1, INDEXED),
        kind("no_such_asset", asset("XRP"), newest, 1, INDEXED),
        kind("sharpe_ratio", owner.clone(), by("sharpe_ratio"), 1, INDEXED),
        kind("max_drawdown", owner.clone(), by("max_drawdown"), 1, INDEXED),
        kind("sharpe_ratio_of_strategy", strategy(), by("sharpe_ratio"), 1, INDEXED),
        kind("sharpe_ratio_of_asset", asset("SOL"), by("sharpe_ratio"), 1, INDEXED),
        kind("sharpe_ratio_of_no_asset", asset("XRP"), by("sharpe_ratio"), 1, INDEXED),
        kind("sharpe_ratio_of_failed", failed(), by("sharpe_ratio"), 1, INDEXED),
        kind("kelly", owner.clone(), by("kelly"), 1, BOUNDED),
        kind("kelly_above_nothing", above("kelly", 2.0), newest, 1, BOUNDED),
        kind("kelly_above_by_sharpe_ratio", above("kelly", 2.0), by("sharpe_ratio"), 1, BOUNDED),
        kind("search", search("strategy 7"), newest, 1, BOUNDED),
        kind("search_nothing", search("nothing"), newest, 1, BOUNDED),
    ]
}
