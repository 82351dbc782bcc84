//! What the queue of jobs costs: a pick beside many that wait, and a pass over a log with nothing new.

use std::time::{Duration, Instant};

use infra::postgres::jobs::{JobQueue, KINDS, RUNS};
use tests::TestCluster;

use crate::{Figure, percentile};

pub(crate) const NAMES: [&str; 4] =
    ["pick_1000_waiting", "pick_10000_waiting", "pick_100000_waiting", "follow_1_append"];
/// Whose jobs wait.
const OWNERS: usize = 100;
const ROUNDS: usize = 300;
const LEASE: Duration = Duration::from_secs(60);

/// Medians in milliseconds.
pub(crate) async fn measure(cluster: &TestCluster) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (name, waiting) in NAMES.into_iter().zip([1_000_usize, 10_000, 100_000]) {
        figures.push(Figure::alone(name, pick(cluster, waiting).await, "ms", "value < 1"));
    }
    figures.push(Figure::alone(NAMES[3], follow(cluster).await, "ms", "value < 1"));
    figures
}

/// Leases the next of so many runs, of which two are leased at any time.
async fn pick(cluster: &TestCluster, waiting: usize) -> f64 {
    let test = cluster.database().await;
    let fill = format!(
        "INSERT INTO jobs (kind, id, pool, owner_id, position, ready_at)
         SELECT 'backtest', gen_random_uuid(), '{RUNS}', md5((n % {OWNERS})::text)::uuid, n, now() FROM generate_series(1, {waiting}) AS n"
    );
    test.superuser().await.batch_execute(&fill).await.expect("the jobs");
    let queue = JobQueue::new(test.database.clone(), &KINDS);
    let pick = async || queue.pick(RUNS, "bench", LEASE, 4).await.expect("a pick").expect("a job");
    let mut held = pick().await;
    median(ROUNDS, async || {
        let started = Instant::now();
        let picked = pick().await;
        let took = started.elapsed();
        let done = std::mem::replace(&mut held, picked);
        queue.finish(&done).await.expect("an end");
        took
    })
    .await
}

/// Looks at what one append brought, after a log of some length.
async fn follow(cluster: &TestCluster) -> f64 {
    let test = cluster.database().await;
    let append = |count: usize| {
        format!(
            "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
             SELECT 'backtest', gen_random_uuid(), 1, 'BacktestRequested', '1.0', json_build_object('request',
                 json_build_object('owner_id', gen_random_uuid()), 'filling', repeat(md5(n::text), 30)), '{{}}'
             FROM generate_series(1, {count}) AS n"
        )
    };
    let superuser = test.superuser().await;
    superuser.batch_execute(&append(100_000)).await.expect("a log");
    let queue = JobQueue::new(test.database.clone(), &KINDS);
    while queue.follow().await.expect("a pass").is_behind {}
    superuser.batch_execute("TRUNCATE jobs").await.expect("an empty queue");
    median(ROUNDS, async || {
        superuser.batch_execute(&append(1)).await.expect("an append");
        let started = Instant::now();
        queue.follow().await.expect("a pass");
        started.elapsed()
    })
    .await
}

async fn median(rounds: usize, mut measured: impl AsyncFnMut() -> Duration) -> f64 {
    let mut times = Vec::new();
    for _ in 0..rounds {
        times.push(measured().await.as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    percentile(&times, 0.5)
}
