//! Long lists: every order to its end, filters that find little, and what pages say about themselves.

use domain::{ids::StrategyId, job::Status};
use projections::{
    backtests::{BacktestFilter, BacktestRow, BacktestSort},
    metric::{Comparison, Metric, MetricFilter},
    page::{Page, PageRequest, Total},
};
use tests::copy_backtests;
use uuid::Uuid;

use super::{Bench, history::*};

/// Many times as many as a page looks at without an index, also of those without the metric of an order.
const MANY: i64 = 150_000;
/// So few that a test can look at all of them.
const SOME: i64 = 3_000;

async fn list_of(count: i64) -> Bench {
    let bench = Bench::new().await;
    run(&bench.store, Uuid::from_u128(1), user(7), 1, Some(1.0)).await;
    bench.catch_up().await;
    copy_backtests(&bench.database.superuser().await, count).await;
    bench
}

fn mine() -> BacktestFilter {
    BacktestFilter { owner_id: Some(user(7)), ..BacktestFilter::default() }
}

fn by(name: &str) -> BacktestSort {
    BacktestSort::Metric(Metric::parse(name).expect("a metric"))
}

async fn list(
    bench: &Bench,
    filter: &BacktestFilter,
    (sort, descending): (BacktestSort, bool),
    request: PageRequest,
) -> Page<BacktestRow> {
    bench.reads.list_backtests(filter, sort, descending, &request).await.expect("a page")
}

fn number(page: i64) -> PageRequest {
    PageRequest::Number { page, limit: 20 }
}

/// Every page by cursor: how many rows, and how many pages that did not look at everything.
async fn all(
    bench: &Bench,
    filter: &BacktestFilter,
    order: (BacktestSort, bool),
) -> (Vec<BacktestRow>, usize) {
    let (mut rows, mut incomplete, mut cursor) = (Vec::new(), 0, None);
    loop {
        let page = list(bench, filter, order, PageRequest::Cursor { cursor, limit: 500 }).await;
        rows.extend(page.rows);
        incomplete += usize::from(!page.is_complete);
        let Some(next) = page.next_cursor else { return (rows, incomplete) };
        cursor = Some(next);
    }
}

#[tokio::test]
async fn every_order_is_whole_by_cursor_and_by_number() {
    let bench = &list_of(SOME).await;
    let count = usize::try_from(SOME).unwrap() + 1;
    let sorts = [
        BacktestSort::CreatedAt,
        BacktestSort::CompletedAt,
        by("sharpe_ratio"),
        by("kelly"),
        by("initial_balance"),
    ];
    for sort in sorts {
        let (mut ascending, _) = all(bench, &mine(), (sort, false)).await;
        let (descending, _) = all(bench, &mine(), (sort, true)).await;
        let mut ids: Vec<_> = ascending.iter().map(|row| row.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(
            (ids.len(), ascending.len(), descending.len()),
            (count, count, count),
            "{sort:?}"
        );
        let key = |row: &BacktestRow| match sort {
            BacktestSort::CreatedAt => Some(row.created_at.timestamp_micros() as f64),
            BacktestSort::CompletedAt => row.completed_at.map(|at| at.timestamp_micros() as f64),
            BacktestSort::Metric(metric) if metric.name() == "initial_balance" => Some(1.0),
            BacktestSort::Metric(metric) => {
                row.metrics.as_ref().and_then(|of| of.get(metric.name()))
            }
        };
        // Those without the key come last, in both directions.
        let with_key = ascending.iter().take_while(|row| key(row).is_some()).count();
        assert!(ascending[with_key..].iter().all(|row| key(row).is_none()));
        assert!(descending[..with_key].iter().all(|row| key(row).is_some()));
        ascending[..with_key].reverse();
        ascending[with_key..].reverse();
        assert!(ascending.iter().map(|row| row.id).eq(descending.iter().map(|row| row.id)));
        assert!(ascending[..with_key].is_sorted_by(|one, other| key(one) >= key(other)));
    }
    // A filter that lets everything through, on the other table than the order's.
    let balance = Metric::parse("initial_balance").unwrap();
    let rich = MetricFilter { metric: balance, comparison: Comparison::Gt, value: 0.0 };
    let rich = BacktestFilter { metrics: vec![rich], ..mine() };
    for sort in sorts {
        let (rows, _) = all(bench, &rich, (sort, true)).await;
        assert_eq!(rows.len(), count, "{sort:?}");
    }
    // Numbered pages cross from those with the key to those without.
    let failed = BacktestFilter { statuses: vec![Status::Failed, Status::Pending], ..mine() };
    let page = list(bench, &failed, (by("sharpe_ratio"), true), number(3)).await;
    assert_eq!((page.rows.len(), page.total), (20, Some(Total::exact(60))));
    assert_eq!(page.next_cursor, None);
    for number_of_page in [147, 148, 149, 151] {
        let place = BacktestFilter { ..mine() };
        let page = list(bench, &place, (by("sharpe_ratio"), true), number(number_of_page)).await;
        let before = usize::try_from(number_of_page - 1).unwrap() * 20;
        let (whole, _) = all(bench, &mine(), (by("sharpe_ratio"), true)).await;
        let expected = whole.iter().skip(before).take(20).map(|row| row.id);
        assert!(page.rows.iter().map(|row| row.id).eq(expected), "page {number_of_page}");
    }
}

#[tokio::test]
async fn long_lists_say_what_they_did_not_see() {
    let bench = list_of(MANY).await;
    totals_are_exact_or_a_floor(&bench).await;
    what_has_no_index_looks_at_a_bounded_number(&bench).await;
}

async fn totals_are_exact_or_a_floor(bench: &Bench) {
    let strategy_id =
        Some(StrategyId::new(Uuid::parse_str("01900000-0000-7000-8000-000000000003").unwrap()));
    for (filter, total) in [
        (mine(), Total::exact(MANY + 1)),
        (BacktestFilter { statuses: vec![Status::Failed], ..mine() }, Total::exact(MANY / 100)),
        (BacktestFilter { strategy_id, ..mine() }, Total { count: 10_000, is_exact: false }),
        (BacktestFilter { asset_symbol: Some("XRP".to_owned()), ..mine() }, Total::exact(0)),
        (
            BacktestFilter {
                statuses: vec![Status::Pending],
                asset_symbol: Some("SOL".to_owned()),
                ..mine()
            },
            Total::exact(MANY / 100),
        ),
    ] {
        let page = list(bench, &filter, (BacktestSort::CreatedAt, true), number(1)).await;
        assert_eq!(page.total, Some(total), "{filter:?}");
    }
}

async fn what_has_no_index_looks_at_a_bounded_number(bench: &Bench) {
    let kelly = |value| MetricFilter {
        metric: Metric::parse("kelly").unwrap(),
        comparison: Comparison::Gt,
        value,
    };
    let newest = (BacktestSort::CreatedAt, true);
    let nothing = BacktestFilter { metrics: vec![kelly(2.0)], ..mine() };
    let page = list(bench, &nothing, newest, number(1)).await;
    assert!(page.rows.is_empty() && !page.is_complete && page.next_cursor.is_some());
    assert_eq!(page.total, Some(Total { count: 0, is_exact: false }));
    let (rows, incomplete) = all(bench, &nothing, newest).await;
    assert_eq!((rows.len(), incomplete), (0, 14), "fifteen times 10,000 reach the end");
    // What little there is is found.
    let few = BacktestFilter { metrics: vec![kelly(0.999)], ..mine() };
    for order in [newest, (by("sharpe_ratio"), true), (by("sharpe_ratio"), false)] {
        let (rows, _) = all(bench, &few, order).await;
        let kelly = |row: &BacktestRow| row.metrics.as_ref().and_then(|of| of.kelly).unwrap();
        assert!(rows.len() > 80 && rows.iter().all(|row| kelly(row) > 0.999), "{}", rows.len());
    }
    let search = BacktestFilter { search: Some("STRATEGY 7".to_owned()), ..mine() };
    let page = list(bench, &search, newest, number(1)).await;
    assert!(page.rows.len() == 20 && page.is_complete);
    // Also far behind among the runs without the order's metric.
    let search = BacktestFilter { search: Some("strategy 1".to_owned()), ..mine() };
    let (rows, _) = all(bench, &search, (by("sharpe_ratio"), true)).await;
    let failed = rows.iter().filter(|row| row.status == Status::Failed).count();
    assert_eq!((rows.len(), failed), (15_000, 1_500));
    // An order without an index sorts the newest.
    let page = list(bench, &mine(), (by("kelly"), true), number(1)).await;
    assert!(page.rows.len() == 20 && !page.is_complete);
    let pending = BacktestFilter { statuses: vec![Status::Pending], ..mine() };
    let page = list(bench, &pending, (by("kelly"), true), number(1)).await;
    assert!(page.rows.len() == 20 && page.is_complete);
}
