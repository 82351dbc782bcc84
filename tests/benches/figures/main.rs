//! Prints every published figure beside its baseline, both measured in this run: `scripts/bench [--json] [NAME…]`.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

mod command_latency;
mod import;
mod job_queue;
mod ledger_append;
mod lists;
mod load;
mod post_to_completed;
mod projection;
mod raw;
mod relay;
mod simulation;
mod single_commands;
mod strategies;
mod sweep;

use std::borrow::Cow;

use serde::Serialize;
use tests::TestCluster;

/// One measured number.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    pub name: Cow<'static, str>,
    pub value: f64,
    pub unit: &'static str,
    /// The reference, measured in the same run, in the same unit.
    pub baseline: Option<f64>,
    /// Value over baseline.
    pub ratio: Option<f64>,
    /// `ratio >= 0.85`, `value < 20`.
    pub aim: &'static str,
}

impl Figure {
    /// A number that is compared with a reference.
    pub(crate) fn beside(
        name: impl Into<Cow<'static, str>>,
        value: f64,
        unit: &'static str,
        baseline: f64,
        aim: &'static str,
    ) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            baseline: Some(baseline),
            ratio: Some(value / baseline),
            aim,
        }
    }

    /// A number that stands for itself.
    pub(crate) fn alone(
        name: impl Into<Cow<'static, str>>,
        value: f64,
        unit: &'static str,
        aim: &'static str,
    ) -> Self {
        Self { name: name.into(), value, unit, baseline: None, ratio: None, aim }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_json = arguments.iter().any(|argument| argument == "--json");
    let wanted: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|name| !name.starts_with("--")).collect();
    let is_wanted = |names: &[&str]| {
        wanted.is_empty() || wanted.iter().any(|word| names.iter().any(|name| name.contains(word)))
    };
    if !is_json {
        println!(
            "{:<44} {:>12} {:<9} {:>12} {:>7}  aim",
            "figure", "value", "unit", "baseline", "ratio"
        );
    }
    if is_wanted(&simulation::NAMES) {
        print(&simulation::measure()?, is_json)?;
    }
    if is_wanted(&strategies::NAMES) {
        print(&strategies::measure()?, is_json)?;
    }
    if is_wanted(&sweep::NAMES) {
        print(&sweep::measure()?, is_json)?;
    }
    if is_wanted(&lists::NAMES) {
        print(&lists::measure(is_wanted).await, is_json)?;
    }
    let names: Vec<&str> = [
        &import::NAMES[..],
        &ledger_append::NAMES,
        &single_commands::NAMES,
        &command_latency::NAMES,
        &job_queue::NAMES,
        &projection::NAMES,
        &relay::NAMES,
        &post_to_completed::NAMES,
        &load::NAMES,
    ]
    .concat();
    if !is_wanted(&names) {
        return Ok(());
    }
    let cluster = TestCluster::durable().await;
    if is_wanted(&import::NAMES) {
        print(&import::measure(&cluster).await?, is_json)?;
    }
    if is_wanted(&ledger_append::NAMES) {
        print(&ledger_append::measure(&cluster).await, is_json)?;
    }
    if is_wanted(&single_commands::NAMES) {
        print(&single_commands::measure(&cluster).await, is_json)?;
    }
    if is_wanted(&command_latency::NAMES) {
        print(&command_latency::measure(&cluster).await, is_json)?;
    }
    if is_wanted(&job_queue::NAMES) {
        print(&job_queue::measure(&cluster).await, is_json)?;
    }
    if is_wanted(&projection::NAMES) {
        print(&projection::measure(&cluster).await, is_json)?;
    }
    if is_wanted(&relay::NAMES) {
        print(&relay::measure(&cluster).await, is_json)?;
    }
    if is_wanted(&post_to_completed::NAMES) {
        print(&post_to_completed::measure(&cluster).await?, is_json)?;
    }
    if is_wanted(&load::NAMES) {
        print(&load::measure(&cluster, is_wanted).await?, is_json)?;
    }
    Ok(())
}

fn print(figures: &[Figure], is_json: bool) -> Result<(), serde_json::Error> {
    for figure in figures {
        if is_json {
            println!("{}", serde_json::to_string(figure)?);
        } else {
            let optional = |number: Option<f64>, decimals: usize| {
                number.map_or_else(|| "–".to_owned(), |number| format!("{number:.decimals$}"))
            };
            let decimals = if figure.value < 100.0 { 2 } else { 0 };
            println!(
                "{:<44} {:>12} {:<9} {:>12} {:>7}  {}",
                figure.name,
                optional(Some(figure.value), decimals),
                figure.unit,
                optional(figure.baseline, decimals),
                optional(figure.ratio, 2),
                figure.aim
            );
        }
    }
    Ok(())
}

/// The middle one of some rates.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The value below which a share of the sorted values lies (nearest rank).
pub(crate) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}
