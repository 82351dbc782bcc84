//! The result of a sweep: as JSON in the words of the API, or as tables.

use comfy_table::Table;
use commands::SweepOutcome;
use domain::{
    dataset::Dataset,
    number::Number,
    simulation::{
        metrics::{Metrics, is_key},
        sweep::{Figures, Row, RowResult, Window, ranking},
    },
    sweep::SweepRequest,
};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use crate::cli::table::{fits, right_aligned};

/// Columns of the table behind the parameters and the objective, as many of them as fit.
const SHOWN: [&str; 4] = ["total_return", "sharpe_ratio", "max_drawdown_percentage", "win_rate"];
/// Fractions inside that are percent on the wire.
const PERCENT: [&str; 2] = ["max_drawdown_percentage", "total_pnl_percentage"];

/// The rows, best first, and what the service's completion event would say.
pub(super) fn json(request: &SweepRequest, dataset: &Dataset, outcome: &SweepOutcome) -> Value {
    let objective = &request.spec.objective;
    let rows = ranking(&outcome.rows, objective).into_iter().zip(1..);
    let rows = rows.map(|(index, rank)| row(&outcome.rows[index], rank, &objective.metric));
    let rows = rows.collect::<Vec<_>>();
    let walk_forward = outcome.completion.walk_forward.as_ref().map(|walk| {
        json!({
            "windows": walk.windows.iter().map(|it| window(it, &objective.metric)).collect::<Vec<_>>(),
            "stitched": walk.stitched.as_ref().map(|of| figures(of, &objective.metric)),
        })
    });
    json!({
        "objective": objective,
        "combinations_count": request.combinations_count,
        "failed_rows_count": outcome.completion.failed_rows_count,
        "dataset": dataset,
        "rows": rows,
        "walk_forward_result": walk_forward,
        "warnings": outcome.completion.warnings,
        "result_hash": outcome.completion.result_hash,
    })
}

fn row(row: &Row, rank: u32, objective: &str) -> Value {
    let mut shown = json!({"number": row.number, "rank": rank, "parameters": row.parameters});
    match &row.result {
        RowResult::Figures(of) => {
            if let (Value::Object(shown), Value::Object(of)) = (&mut shown, figures(of, objective))
            {
                shown.extend(of);
            }
        }
        RowResult::Error(error) => shown["error"] = json!(error),
    }
    shown
}

fn window(window: &Window, objective: &str) -> Value {
    let figures = |of: &Option<Figures>| of.as_ref().map(|of| figures(of, objective));
    json!({
        "best": window.best,
        "parameters": window.parameters,
        "in_sample": {
            "start_time": window.in_sample.start_time,
            "end_time": window.in_sample.end_time,
            "candles_count": window.in_sample.candles_count,
            "figures": figures(&window.in_sample_figures),
        },
        "out_of_sample": {
            "start_time": window.out_of_sample.start_time,
            "end_time": window.out_of_sample.end_time,
            "candles_count": window.out_of_sample.candles_count,
            "figures": figures(&window.out_of_sample_figures),
        },
    })
}

/// Numbers as numbers. A metric that every row has, and the objective, is null where it is undefined.
fn figures(figures: &Figures, objective: &str) -> Value {
    let mut metrics = Map::new();
    for name in Metrics::all_names() {
        let value = wire(&figures.metrics, name).and_then(Number::try_new);
        if is_key(name) || name == objective || value.is_some() {
            metrics.insert(name.to_owned(), json!(value));
        }
    }
    json!({
        "final_balance": number(figures.final_balance),
        "trades_count": figures.trades_count,
        "ambiguous_trades_count": figures.ambiguous_trades_count,
        "metrics": metrics,
    })
}

/// A metric in the units of the wire.
fn wire(metrics: &Metrics, name: &str) -> Option<f64> {
    let factor = if PERCENT.contains(&name) { 100.0 } else { 1.0 };
    metrics.get(name).map(|value| value * factor)
}

/// The number nearest to a decimal: the same digits, up to fifteen of them.
fn number(decimal: Decimal) -> Option<Number> {
    decimal.to_string().parse().ok().and_then(Number::try_new)
}

/// The best rows, the walk-forward and the hash.
pub(super) fn table(request: &SweepRequest, outcome: &SweepOutcome, top: usize) -> String {
    let objective = &request.spec.objective;
    let (rows, left_out) = rows_table(request, outcome, top);
    let mut lines = vec![rows.to_string()];
    if !left_out.is_empty() {
        lines.push(format!("no room for {}: --format json has them", left_out.join(", ")));
    }
    let count = outcome.rows.len();
    if count > top {
        lines.push(format!("the best {top} of {count} combinations"));
    }
    let failed = outcome.completion.failed_rows_count;
    if failed > 0 {
        lines.push(format!("{failed} combinations have no result"));
    }
    if let Some(walk) = &outcome.completion.walk_forward {
        lines.push(String::new());
        lines.push(windows_table(&walk.windows, &objective.metric));
        if let Some(stitched) = &walk.stitched {
            lines.push(format!(
                "out of sample, stitched: {} {}, final balance {}",
                objective.metric,
                four(wire(&stitched.metrics, &objective.metric)),
                two(stitched.final_balance)
            ));
        }
    }
    lines.push(format!("result hash: {}", outcome.completion.result_hash));
    lines.join("\n")
}

/// The best rows with the metrics that fit, and the names of those that do not.
fn rows_table<'a>(
    request: &'a SweepRequest,
    outcome: &SweepOutcome,
    top: usize,
) -> (Table, Vec<&'a str>) {
    let objective = request.spec.objective.metric.as_str();
    let mut metrics = vec![objective];
    let mut left_out = Vec::new();
    let mut table = metrics_table(request, outcome, top, &metrics);
    for name in SHOWN.into_iter().filter(|name| *name != objective) {
        metrics.push(name);
        let wider = metrics_table(request, outcome, top, &metrics);
        if fits(&wider) {
            table = wider;
        } else {
            left_out.extend(metrics.pop());
        }
    }
    (table, left_out)
}

fn metrics_table(
    request: &SweepRequest,
    outcome: &SweepOutcome,
    top: usize,
    metrics: &[&str],
) -> Table {
    let names = request.spec.search.names();
    let header = ["rank", "#"].into_iter().chain(names.iter().copied());
    let header = header.chain(metrics.iter().copied()).chain(["trades", "final_balance"]);
    let mut table = right_aligned(header);
    let ranked = ranking(&outcome.rows, &request.spec.objective);
    for (index, rank) in ranked.into_iter().zip(1..).take(top) {
        let row = &outcome.rows[index];
        let mut cells = vec![format!("{rank}"), row.number.to_string()];
        let parameter = |name: &&str| row.parameters.get(*name).map(|value| value.get());
        cells
            .extend(names.iter().map(|name| parameter(name).map_or("-".into(), |v| v.to_string())));
        match row.result.figures() {
            Some(of) => {
                cells.extend(metrics.iter().map(|name| four(wire(&of.metrics, name))));
                cells.extend([of.trades_count.to_string(), two(of.final_balance)]);
            }
            None => cells.extend(vec!["-".to_owned(); metrics.len() + 2]),
        }
        table.add_row(cells);
    }
    table
}

fn windows_table(windows: &[Window], metric: &str) -> String {
    let mut table = right_aligned(["in sample", metric, "best", "out of sample", metric]);
    for window in windows {
        let days = |span: &domain::simulation::sweep::walk_forward::Span| {
            format!("{} –\n{}", span.start_time.date_naive(), span.end_time.date_naive())
        };
        let value = |of: &Option<Figures>| {
            four(of.as_ref().and_then(|figures| wire(&figures.metrics, metric)))
        };
        let best = window.parameters.as_ref().map_or_else(
            || "-".to_owned(),
            |parameters| {
                let all = parameters.iter().map(|(name, value)| format!("{name}={}", value.get()));
                all.collect::<Vec<_>>().join("\n")
            },
        );
        table.add_row([
            days(&window.in_sample),
            value(&window.in_sample_figures),
            best,
            days(&window.out_of_sample),
            value(&window.out_of_sample_figures),
        ]);
    }
    table.to_string()
}

/// Four digits after the point are enough for eyes.
fn four(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}

fn two(decimal: Decimal) -> String {
    format!("{:.2}", decimal.round_dp(2))
}
