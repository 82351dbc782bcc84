//! What the service takes as processes on one machine: backtests a second, latency at half load, memory and CPU time of each.

mod clients;
mod floor;
mod processes;
mod usage;

use std::time::Duration;

use tests::{TestCluster, kafka::TestKafka};

use crate::{Figure, percentile};
use clients::Clients;
use processes::{Part, Service, Stored};
use usage::Usage;

const EMBEDDED: &str = "load_embedded";
const KAFKA: &str = "load_kafka";
/// A word for all figures of the same processes.
pub(crate) const NAMES: [&str; 2] = [EMBEDDED, KAFKA];
/// While the API alone is measured.
const ACCEPT_FOR: Duration = Duration::from_secs(6);
/// That are asked for at once and timed until the last one is completed.
const RUNS: usize = 800;
/// Requests under way at a time while runs are asked for at once.
const CONNECTIONS: usize = 32;
const WARM_UP_RUNS: usize = 60;
/// While runs are asked for at half of what two executor processes have just completed.
const LATENCY_FOR: Duration = Duration::from_secs(15);

pub(crate) type Failure = Box<dyn std::error::Error>;

/// Without Kafka first, then through a real broker where there is one.
pub(crate) async fn measure(
    cluster: &TestCluster,
    is_wanted: impl Fn(&[&str]) -> bool,
) -> Result<Vec<Figure>, Failure> {
    let mut figures = Vec::new();
    if is_wanted(&[EMBEDDED]) {
        let floor = floor::measure(cluster).await?;
        figures.push(accepted(cluster).await?);
        figures.extend(embedded(cluster, floor).await?);
    }
    if !is_wanted(&[KAFKA]) {
        return Ok(figures);
    }
    let kafka = TestKafka::private();
    if kafka.is_real() {
        figures.extend(streamed(cluster, &kafka).await?);
    }
    Ok(figures)
}

/// What one API process takes while nobody runs anything.
async fn accepted(cluster: &TestCluster) -> Result<Figure, Failure> {
    let service = Service::start(cluster, None).await?;
    let clients = Clients::sign_up(&service).await;
    clients.ask_for(ACCEPT_FOR / 6).await?;
    let accepted = clients.ask_for(ACCEPT_FOR).await?;
    let rate = accepted as f64 / ACCEPT_FOR.as_secs_f64();
    Ok(Figure::alone("load_accepted", rate, "runs/s", "–"))
}

/// Executors that follow the log.
async fn embedded(cluster: &TestCluster, floor: f64) -> Result<Vec<Figure>, Failure> {
    let mut service = Service::start(cluster, None).await?;
    let clients = Clients::sign_up(&service).await;
    service.executors(1).await;
    clients.complete(WARM_UP_RUNS).await?;
    let one = clients.complete(RUNS).await?;
    service.executors(2).await;
    let (before, stored) = (service.usage()?, service.stored().await?);
    let two = clients.complete(RUNS).await?;
    let (used, now) = (service.usage()?.since(&before), service.stored().await?);
    let half = two / 2.0;
    let latencies_ms = clients.latencies_ms(half, LATENCY_FOR).await?;
    service.executors(4).await;
    let four = clients.complete(RUNS).await?;
    let unit = "runs/s";
    let mut figures = vec![
        Figure::alone("load_completed_1_executor", one, unit, "–"),
        Figure::beside("load_completed_2_executors", two, unit, one, "–"),
        Figure::beside("load_completed_4_executors", four, unit, one, "–"),
        Figure::beside("load_beside_floor", two, unit, floor, "ratio >= 0.12"),
    ];
    figures.extend(kept(&stored, &now));
    let names = [
        (Part::Api, "load_cpu_api"),
        (Part::Projector, "load_cpu_projector"),
        (Part::Executor, "load_cpu_executors"),
        (Part::Postgres, "load_cpu_postgres"),
    ];
    figures.extend(cpu(&used, &names));
    figures.extend([
        Figure::alone("load_half", half, unit, "–"),
        Figure::alone("load_latency_p50", percentile(&latencies_ms, 0.5), "ms", "–"),
        Figure::alone("load_latency_p99", percentile(&latencies_ms, 0.99), "ms", "–"),
    ]);
    Ok(figures)
}

/// The same through Kafka.
async fn streamed(cluster: &TestCluster, kafka: &TestKafka) -> Result<Vec<Figure>, Failure> {
    let mut service = Service::start(cluster, Some(kafka)).await?;
    let clients = Clients::sign_up(&service).await;
    service.executors(2).await;
    // The broker has just started: its JVM compiles for a while, which takes as much of the processors as the runs.
    clients.complete(RUNS).await?;
    let before = service.usage()?;
    let completed = clients.complete(RUNS).await?;
    let used = service.usage()?.since(&before);
    let half = completed / 2.0;
    let latencies_ms = clients.latencies_ms(half, LATENCY_FOR).await?;
    let mut figures =
        vec![Figure::alone("load_completed_2_executors_kafka", completed, "runs/s", "–")];
    let names = [(Part::Relay, "load_cpu_relay"), (Part::Kafka, "load_cpu_kafka")];
    figures.extend(cpu(&used, &names));
    figures.extend([
        Figure::alone("load_half_kafka", half, "runs/s", "–"),
        Figure::alone("load_latency_kafka_p50", percentile(&latencies_ms, 0.5), "ms", "–"),
        Figure::alone("load_latency_kafka_p99", percentile(&latencies_ms, 0.99), "ms", "–"),
    ]);
    let usage = service.usage()?;
    let names = [
        (Part::Api, "load_memory_api"),
        (Part::Projector, "load_memory_projector"),
        (Part::Relay, "load_memory_relay"),
        (Part::Executor, "load_memory_executor"),
        (Part::Postgres, "load_memory_postgres"),
        (Part::Kafka, "load_memory_kafka"),
    ];
    let memory = names.map(|(part, name)| Figure::alone(name, usage.memory_mb(part), "MB", "–"));
    figures.extend(memory);
    Ok(figures)
}

/// What each of the measured runs left in the database.
fn kept(before: &Stored, now: &Stored) -> [Figure; 3] {
    let each = |before: i64, now: i64| (now - before) as f64 / RUNS as f64;
    let events = each(before.events, now.events);
    let log_kb = each(before.log_bytes, now.log_bytes) / 1e3;
    let all_kb = each(before.bytes, now.bytes) / 1e3;
    [
        Figure::alone("load_events", events, "a run", "–"),
        Figure::alone("load_disk_log", log_kb, "kB a run", "–"),
        Figure::alone("load_disk", all_kb, "kB a run", "–"),
    ]
}

/// Milliseconds of a core for each run of the measured ones.
fn cpu(used: &Usage, names: &[(Part, &'static str)]) -> Vec<Figure> {
    let each = |part| used.cpu_ms(part) / RUNS as f64;
    names.iter().map(|&(part, name)| Figure::alone(name, each(part), "ms a run", "–")).collect()
}
