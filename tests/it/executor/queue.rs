//! The queue of jobs: which is next, who holds a lease, and what the log adds.

use std::time::Duration;

use domain::ids::{BacktestId, UserId};
use infra::{
    clock::Clock,
    postgres::jobs::{BACKTEST, JobKind, JobLease, JobQueue, NewJob, RUNS, SWEEPS},
};
use projections::ReadModels;
use uuid::Uuid;

use super::{Desk, desk::user};

const LONG: Duration = Duration::from_secs(60);
const LIMIT: i64 = 2;

async fn requested(desk: &Desk, users: &[UserId]) -> Vec<Uuid> {
    let mut runs = Vec::new();
    for user in users {
        let strategy = desk.strategy(*user).await;
        runs.push(desk.request(*user, strategy).await.uuid());
    }
    let followed = desk.queue.follow().await.unwrap();
    assert!(followed.waiting == [RUNS] && !followed.is_behind);
    assert_eq!(followed.position, desk.store.head().await.unwrap());
    runs
}

async fn pick(queue: &JobQueue) -> Option<JobLease> {
    queue.pick(RUNS, "one", LONG, LIMIT).await.unwrap()
}

#[tokio::test]
async fn who_has_fewest_running_is_served_first_then_who_came_first() {
    let desk = Desk::with_minutes(10).await;
    let (anna, ben) = (user(), user());
    let runs = requested(&desk, &[anna, anna, anna, ben, ben]).await;
    let mut picked = Vec::new();
    while let Some(lease) = pick(&desk.queue).await {
        picked.push(lease.id);
    }
    assert_eq!(picked, [runs[0], runs[3], runs[1], runs[4]], "and two each at most");
}

#[tokio::test]
async fn a_full_user_gets_the_next_place_when_one_of_theirs_is_over() {
    let desk = Desk::with_minutes(10).await;
    let anna = user();
    let runs = requested(&desk, &[anna, anna, anna]).await;
    let first = pick(&desk.queue).await.unwrap();
    assert!(pick(&desk.queue).await.is_some());
    assert_eq!(pick(&desk.queue).await, None);
    assert!(desk.queue.finish(&first).await.unwrap());
    assert_eq!(pick(&desk.queue).await.unwrap().id, runs[2]);
}

/// Pages that the server has looked at for statements with that text.
async fn pages(desk: &Desk, text: &str) -> i64 {
    let sql = "SELECT coalesce(sum(shared_blks_hit + shared_blks_read), 0)::bigint FROM pg_stat_statements \
               WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \
               AND query LIKE '%' || $1 || '%' AND query NOT LIKE '%pg_stat_statements%'";
    let superuser = desk.superuser().await;
    superuser.query_one(sql, &[&text]).await.unwrap().get(0)
}

/// Makes the server count pages, and the log longer: runs that ended long ago, at 1 kB each.
const HISTORY: &str = "CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
    INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
    SELECT 'backtest', gen_random_uuid(), 1, 'BacktestRequested', '1.0', json_build_object('request',
        json_build_object('owner_id', gen_random_uuid()), 'filling', repeat(md5(n::text), 30)), '{}'
    FROM generate_series(1, 3000) AS n";

#[tokio::test]
async fn a_message_costs_its_own_events_however_long_the_log_has_grown() {
    const ADD: &str = "INSERT INTO jobs";
    const EXISTS: &str = "SELECT position FROM events WHERE aggregate_type";
    let desk = Desk::with_minutes(10).await;
    let reads = ReadModels::new(desk.database().clone());
    reads.prepare().await.unwrap();
    let message = async || {
        let (id, ready_at) = (Clock::system().new_uuid(), Clock::system().now());
        let job = NewJob { id, owner_id: user(), position: None, ready_at };
        assert_eq!(desk.queue.add(&BACKTEST, &[job]).await.unwrap(), 1);
        assert!(reads.backtest(BacktestId::new(id)).await.unwrap().is_none());
    };
    // PostgreSQL keeps the plan of the sixth, for a log that is short.
    for _ in 0..10 {
        message().await;
    }
    desk.superuser().await.batch_execute(HISTORY).await.unwrap();
    message().await;
    let before = [pages(&desk, ADD).await, pages(&desk, EXISTS).await];
    message().await;
    let after = [pages(&desk, ADD).await, pages(&desk, EXISTS).await];
    let looked = [after[0] - before[0], after[1] - before[1]];
    assert!(looked.iter().all(|pages| (1..50).contains(pages)), "{looked:?}");
}

#[tokio::test]
async fn following_looks_at_what_is_new_however_long_the_log_is() {
    let desk = Desk::with_minutes(10).await;
    const CHECKPOINTS: &str = "FROM job_checkpoints";
    let superuser = desk.superuser().await;
    superuser.batch_execute(HISTORY).await.unwrap();
    desk.queue.follow().await.unwrap();
    superuser.batch_execute("TRUNCATE jobs").await.unwrap();
    let before = pages(&desk, CHECKPOINTS).await;
    let runs = requested(&desk, &[user()]).await;
    assert_eq!(pick(&desk.queue).await.unwrap().id, runs[0]);
    let looked = pages(&desk, CHECKPOINTS).await - before;
    assert!((1..300).contains(&looked), "{looked} pages, of some 500 in the log");
}

#[tokio::test]
async fn the_log_is_queued_once_however_often_it_is_followed() {
    let desk = Desk::with_minutes(10).await;
    let runs = requested(&desk, &[user()]).await;
    let again = desk.queue.follow().await.unwrap();
    assert_eq!(again.waiting, [RUNS]);
    let lease = pick(&desk.queue).await.unwrap();
    assert_eq!(lease.id, runs[0]);
    assert!(desk.queue.finish(&lease).await.unwrap());
    let waiting = desk.queue.follow().await.unwrap().waiting;
    assert!(waiting.is_empty(), "the past is not queued again");
}

#[tokio::test]
async fn a_lease_that_ran_out_can_be_taken_and_its_holder_learns_that_it_is_lost() {
    let desk = Desk::with_minutes(10).await;
    requested(&desk, &[user()]).await;
    let short = Duration::from_millis(1);
    let lost = desk.queue.pick(RUNS, "one", short, LIMIT).await.unwrap().unwrap();
    desk.until(async || desk.queue.waiting().await.unwrap() == [RUNS]).await;
    let taken = desk.queue.pick(RUNS, "two", LONG, LIMIT).await.unwrap().unwrap();
    assert_eq!((taken.term, taken.attempt), (lost.term + 1, 2));
    assert!(!desk.queue.heartbeat(&lost, LONG, 50).await.unwrap());
    assert!(!desk.queue.release(&lost, None).await.unwrap());
    assert!(!desk.queue.retry_at(&lost, LONG).await.unwrap());
    assert!(!desk.queue.finish(&lost).await.unwrap());
    assert!(desk.queue.heartbeat(&taken, LONG, 0).await.unwrap());
}

#[tokio::test]
async fn a_lease_that_is_given_back_does_not_count_as_an_attempt() {
    let desk = Desk::with_minutes(10).await;
    requested(&desk, &[user()]).await;
    let first = pick(&desk.queue).await.unwrap();
    assert!(desk.queue.release(&first, None).await.unwrap());
    let second = pick(&desk.queue).await.unwrap();
    assert_eq!((first.attempt, second.attempt), (1, 1));
    assert_eq!(second.term, first.term + 1);
}

#[tokio::test]
async fn progress_is_known_of_queued_jobs_alone() {
    let desk = Desk::with_minutes(10).await;
    let runs = requested(&desk, &[user(), user()]).await;
    let lease = pick(&desk.queue).await.unwrap();
    assert!(desk.queue.heartbeat(&lease, LONG, 42).await.unwrap());
    let progress = desk.queue.progress(&BACKTEST, &runs).await.unwrap();
    assert_eq!(progress.into_iter().collect::<Vec<_>>(), [(runs[0], 42), (runs[1], 0)]);
    assert!(desk.queue.finish(&lease).await.unwrap());
    assert!(!desk.queue.progress(&BACKTEST, &runs).await.unwrap().contains_key(&runs[0]));
}

#[tokio::test]
async fn many_executors_never_take_more_than_a_users_share() {
    let desk = Desk::with_minutes(10).await;
    let anna = user();
    requested(&desk, &[anna; 8]).await;
    let picks = (0..8).map(|_| async { pick(&desk.queue).await });
    let picked = futures_util::future::join_all(picks).await;
    assert_eq!(picked.into_iter().flatten().count(), 2);
}

#[tokio::test]
async fn a_job_that_is_retried_counts_its_attempt_and_waits_until_it_is_ready() {
    let desk = Desk::with_minutes(10).await;
    let runs = requested(&desk, &[user(), user()]).await;
    let first = pick(&desk.queue).await.unwrap();
    assert!(desk.queue.retry_at(&first, LONG).await.unwrap());
    assert_eq!(pick(&desk.queue).await.unwrap().id, runs[1]);
    assert_eq!(pick(&desk.queue).await, None, "it backs off");
    assert!(desk.queue.waiting().await.unwrap().is_empty());
    let now = "UPDATE jobs SET ready_at = now() WHERE lease_owner IS NULL";
    desk.superuser().await.batch_execute(now).await.unwrap();
    let again = pick(&desk.queue).await.unwrap();
    assert_eq!((again.id, again.attempt), (runs[0], 2));
}

#[tokio::test]
async fn a_binary_does_not_move_past_a_kind_that_it_does_not_know() {
    const OLDER: &[JobKind] = &[BACKTEST];
    let desk = Desk::with_minutes(10).await;
    let sweep = "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
        VALUES ('sweep', gen_random_uuid(), 1, 'SweepRequested', '1.0',
            json_build_object('request', json_build_object('owner_id', gen_random_uuid())), '{}')";
    desk.superuser().await.batch_execute(sweep).await.unwrap();
    let owner = user();
    let strategy = desk.strategy(owner).await;
    let run = desk.request(owner, strategy).await.uuid();
    let older = JobQueue::new(desk.database().clone(), OLDER);
    assert_eq!(older.follow().await.unwrap().waiting, [RUNS]);
    let lease = pick(&older).await.unwrap();
    assert!(lease.id == run && older.finish(&lease).await.unwrap());
    let followed = desk.queue.follow().await.unwrap();
    assert_eq!(followed.waiting, [SWEEPS], "the sweep is found, and the run is not found again");
    assert_eq!(older.pick(SWEEPS, "one", LONG, LIMIT).await.unwrap(), None);
}

#[tokio::test]
async fn a_job_that_no_event_asked_for_is_added_once_picked_and_finished() {
    const FETCH: JobKind =
        JobKind { name: "candle_fetch", pool: "io", requested: None, endings: &[] };
    let desk = Desk::with_minutes(10).await;
    let queue = JobQueue::new(desk.database().clone(), &[FETCH]);
    let (owner_id, ready_at) = (user(), Clock::system().now());
    let job = NewJob { id: Clock::system().new_uuid(), owner_id, position: None, ready_at };
    assert_eq!(queue.add(&FETCH, &[job]).await.unwrap(), 1);
    assert_eq!(queue.add(&FETCH, &[job]).await.unwrap(), 0);
    assert_eq!(queue.follow().await.unwrap().waiting, ["io"]);
    assert_eq!(queue.depth().await.unwrap()[0].waiting, 1);
    let lease = queue.pick("io", "one", LONG, LIMIT).await.unwrap().unwrap();
    assert_eq!((lease.kind.as_str(), lease.id), ("candle_fetch", job.id));
    assert!(queue.finish(&lease).await.unwrap());
    assert!(queue.waiting().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_crowd_of_jobs_hides_none_of_another_owner() {
    let desk = Desk::with_minutes(10).await;
    let (busy, quiet) = (Clock::system().new_uuid(), Clock::system().new_uuid());
    let add = "INSERT INTO jobs (kind, id, pool, owner_id, position, ready_at)
        SELECT 'backtest', gen_random_uuid(), 'runs', CASE WHEN n <= 100 THEN $1::uuid ELSE $2 END, n, now() - interval '1 second' + n * interval '1 ms'
        FROM generate_series(1, 102) AS n";
    desk.superuser().await.execute(add, &[&busy, &quiet]).await.unwrap();
    let owner = async || pick(&desk.queue).await.unwrap().owner_id.uuid();
    assert_eq!(owner().await, busy, "the oldest");
    assert_eq!(owner().await, quiet, "who has no lease, however many wait before");
    assert_eq!(owner().await, busy, "both have one: the oldest");
    assert_eq!(owner().await, quiet);
}
