//! `/metrics`: what this process counted, and what it finds in the database at the moment of the scrape, for Prometheus.

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use domain::simulation::ENGINE_VERSION;
use infra::{
    postgres::{
        DatabaseError,
        jobs::{JobQueue, KINDS},
        leaders::LeaderState,
    },
    telemetry::{self, *},
};
use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use poem::{Response, handler, http::Method, http::StatusCode, web::Data};
use projections::status::State;
use tokio::time::Instant;

use super::health::{Health, Probe};

/// Seconds, from a fast read to a long run.
const SECONDS: [f64; 16] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0,
    300.0,
];
/// Events in a group, which holds up to 250 unless one append is longer.
const EVENTS: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 1_000.0];
/// How long the database may take; a scrape has its own patience.
const RESPONSE_BOUND: Duration = Duration::from_secs(2);
/// How often what was recorded is put into its buckets, scraped or not.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
/// Locked while the recorder is looked up or installed.
static BEGINNING: Mutex<()> = Mutex::new(());

/// Starts to count, once in a process; runs for ever, to be spawned.
///
/// # Errors
/// When another recorder counts already.
pub fn record() -> Result<impl Future<Output = ()> + Send + 'static, BuildError> {
    let beginning = BEGINNING.lock().unwrap_or_else(PoisonError::into_inner);
    if RECORDER.get().is_none() {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
            .set_buckets_for_metric(Matcher::Full(APPEND_GROUP_EVENTS.to_owned()), &EVENTS)?;
        let handle = builder.install_recorder()?;
        let kinds = KINDS.map(|kind| kind.name);
        telemetry::describe(env!("CARGO_PKG_VERSION"), ENGINE_VERSION, &kinds);
        RECORDER.get_or_init(|| handle);
    }
    drop(beginning);
    Ok(async {
        let mut ticks = tokio::time::interval(UPKEEP_EVERY);
        loop {
            ticks.tick().await;
            if let Some(recorder) = RECORDER.get() {
                recorder.run_upkeep();
            }
        }
    })
}

/// One request. The route is its template, so that there are few of them.
pub(crate) fn count_request(
    method: &Method,
    route: Option<String>,
    status: StatusCode,
    begun: Instant,
) {
    let method = match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    };
    let route = route.unwrap_or_else(|| "none".to_owned());
    let status = status.as_str().to_owned();
    counter!(HTTP_REQUESTS, "method" => method, "route" => route.clone(), "status" => status)
        .increment(1);
    histogram!(HTTP_REQUEST_SECONDS, "method" => method, "route" => route).record(begun.elapsed());
}

/// What Prometheus scrapes.
#[handler]
pub(crate) async fn scrape(health: Data<&Arc<Health>>) -> Response {
    let Some(recorder) = RECORDER.get() else {
        return Response::builder().status(StatusCode::NOT_FOUND).finish();
    };
    look_at_process(&health);
    let looked = tokio::time::timeout(RESPONSE_BOUND, look_at_database(&health)).await;
    let is_up = match looked {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!(%error, "a scrape without the database");
            false
        }
        Err(_) => false,
    };
    gauge!(DATABASE_UP).set(f64::from(is_up));
    Response::builder()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(recorder.render())
}

fn look_at_process(health: &Health) {
    for (name, pool) in health.database.pools() {
        gauge!(POOL_CONNECTIONS_MAX, "pool" => name).set(pool.connections_max as f64);
        gauge!(POOL_CONNECTIONS, "pool" => name).set(pool.size as f64);
        gauge!(POOL_AVAILABLE, "pool" => name).set(pool.available as f64);
        gauge!(POOL_WAITING, "pool" => name).set(pool.waiting as f64);
    }
    for probe in &health.probes {
        if let Some(candidate) = probe.candidate() {
            let leads = matches!(candidate.state(), LeaderState::Leading { .. });
            gauge!(LEADER, "role" => probe.role()).set(f64::from(leads));
        }
    }
}

async fn look_at_database(health: &Health) -> Result<(), DatabaseError> {
    for depth in JobQueue::new(health.database.clone(), &KINDS).depth().await? {
        gauge!(RUNS_WAITING, "kind" => depth.kind).set(depth.waiting as f64);
        gauge!(RUNS_RUNNING, "kind" => depth.kind).set(depth.running as f64);
    }
    let mut head = 0;
    for model in health.reads.status().await? {
        head = head.max(model.position + model.lag);
        let stopped = f64::from(model.state == State::Stopped);
        gauge!(READ_MODEL_POSITION, "read_model" => model.name).set(model.position as f64);
        gauge!(READ_MODEL_LAG_EVENTS, "read_model" => model.name).set(model.lag as f64);
        gauge!(READ_MODEL_STOPPED, "read_model" => model.name).set(stopped);
        gauge!(DEAD_LETTERS_OPEN, "read_model" => model.name).set(model.dead_letters_count as f64);
    }
    gauge!(LOG_POSITION).set(head as f64);
    for probe in &health.probes {
        if let Probe::Relay(relay) = probe {
            let status = relay.1.status().await?;
            gauge!(RELAY_LAG_EVENTS).set((status.head - status.position) as f64);
        }
    }
    Ok(())
}
