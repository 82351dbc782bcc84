//! The run queue: who is next, who holds a lease, and what the log adds.

use std::time::Duration;

use domain::ids::{BacktestId, UserId};
use infra::postgres::run_queue::{Lease, RunQueue};

use super::{Desk, desk::user};

const LONG: Duration = Duration::from_secs(60);
const LIMIT: i64 = 2;

async fn requested(desk: &Desk, users: &[UserId]) -> Vec<BacktestId> {
    let mut runs = Vec::new();
    for user in users {
        let strategy = desk.strategy(*user).await;
        runs.push(desk.request(*user, strategy).await);
    }
    let followed = desk.queue.follow("log").await.unwrap();
    assert!(followed.has_waiting && !followed.is_behind);
    assert_eq!(followed.position, desk.store.head().await.unwrap());
    runs
}

async fn pick(queue: &RunQueue) -> Option<Lease> {
    queue.pick("one", LONG, LIMIT).await.unwrap()
}

#[tokio::test]
async fn who_has_fewest_running_is_served_first_then_who_came_first() {
    let desk = Desk::with_minutes(10).await;
    let (anna, ben) = (user(), user());
    let runs = requested(&desk, &[anna, anna, anna, ben, ben]).await;
    let mut picked = Vec::new();
    while let Some(lease) = pick(&desk.queue).await {
        picked.push(lease.backtest_id);
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
    assert!(desk.queue.remove(&first).await.unwrap());
    assert_eq!(pick(&desk.queue).await.unwrap().backtest_id, runs[2]);
}

/// Pages that the server has looked at for statements on the queue's checkpoints.
async fn pages(desk: &Desk) -> i64 {
    let sql = "SELECT coalesce(sum(shared_blks_hit + shared_blks_read), 0)::bigint FROM pg_stat_statements \
               WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \
               AND query LIKE '%FROM run_queue_followers%' AND query NOT LIKE '%pg_stat_statements%'";
    let superuser = desk.superuser().await;
    superuser.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn following_looks_at_what_is_new_however_long_the_log_is() {
    let desk = Desk::with_minutes(10).await;
    let superuser = desk.superuser().await;
    // Ended long ago, at 1 kB each.
    let history = "CREATE EXTENSION pg_stat_statements;
        INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
        SELECT 'backtest', gen_random_uuid(), 1, 'BacktestRequested', '1.0', json_build_object('request',
            json_build_object('owner_id', gen_random_uuid()), 'filling', repeat(md5(n::text), 30)), '{}'
        FROM generate_series(1, 3000) AS n";
    superuser.batch_execute(history).await.unwrap();
    desk.queue.follow("log").await.unwrap();
    superuser.batch_execute("TRUNCATE run_queue").await.unwrap();
    let before = pages(&desk).await;
    let runs = requested(&desk, &[user()]).await;
    assert_eq!(pick(&desk.queue).await.unwrap().backtest_id, runs[0]);
    let looked = pages(&desk).await - before;
    assert!((1..300).contains(&looked), "{looked} pages, of some 500 in the log");
}

#[tokio::test]
async fn the_log_is_queued_once_however_often_it_is_followed() {
    let desk = Desk::with_minutes(10).await;
    let runs = requested(&desk, &[user()]).await;
    let again = desk.queue.follow("log").await.unwrap();
    assert!(again.has_waiting);
    let lease = pick(&desk.queue).await.unwrap();
    assert_eq!(lease.backtest_id, runs[0]);
    assert!(desk.queue.remove(&lease).await.unwrap());
    assert!(!desk.queue.follow("log").await.unwrap().has_waiting, "the past is not queued again");
}

#[tokio::test]
async fn a_lease_that_ran_out_can_be_taken_and_its_holder_learns_that_it_is_lost() {
    let desk = Desk::with_minutes(10).await;
    requested(&desk, &[user()]).await;
    let short = Duration::from_millis(1);
    let lost = desk.queue.pick("one", short, LIMIT).await.unwrap().unwrap();
    desk.until(async || desk.queue.follow("log").await.unwrap().has_waiting).await;
    let taken = desk.queue.pick("two", LONG, LIMIT).await.unwrap().unwrap();
    assert_eq!((taken.term, taken.attempt), (lost.term + 1, 2));
    assert!(!desk.queue.heartbeat(&lost, LONG).await.unwrap());
    assert!(!desk.queue.record_progress(&lost, 50).await.unwrap());
    assert!(!desk.queue.release(&lost).await.unwrap());
    assert!(!desk.queue.remove(&lost).await.unwrap());
    assert!(desk.queue.heartbeat(&taken, LONG).await.unwrap());
}

#[tokio::test]
async fn a_lease_that_is_given_back_does_not_count_as_an_attempt() {
    let desk = Desk::with_minutes(10).await;
    requested(&desk, &[user()]).await;
    let first = pick(&desk.queue).await.unwrap();
    assert!(desk.queue.release(&first).await.unwrap());
    let second = pick(&desk.queue).await.unwrap();
    assert_eq!((first.attempt, second.attempt), (1, 1));
    assert_eq!(second.term, first.term + 1);
}

#[tokio::test]
async fn progress_is_known_of_queued_runs_alone() {
    let desk = Desk::with_minutes(10).await;
    let runs = requested(&desk, &[user(), user()]).await;
    let lease = pick(&desk.queue).await.unwrap();
    assert!(desk.queue.record_progress(&lease, 42).await.unwrap());
    let progress = desk.queue.progress(&runs).await.unwrap();
    assert_eq!(progress.into_iter().collect::<Vec<_>>(), [(runs[0], 42), (runs[1], 0)]);
    assert!(desk.queue.remove(&lease).await.unwrap());
    assert!(!desk.queue.progress(&runs).await.unwrap().contains_key(&runs[0]));
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
