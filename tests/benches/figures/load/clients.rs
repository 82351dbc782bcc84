//! Several users who ask for backtests over eight years of daily candles, all at once or at a steady rate.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use futures_util::future::{join_all, try_join_all};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::{Remote, TestUser};
use tokio::time;

use super::{Failure, processes::Service};

/// Enough that no user's own limit of runs at a time holds the executors back.
const USERS: usize = 8;
/// Requests under way at a time while runs are asked for at once.
const CONNECTIONS: usize = 32;
const BACKTESTS: &str = "/api/v1/backtests";
/// Between two looks into the log for what was completed.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Of the events after a position, the last position and the number of those that complete a run.
const NEWLY_COMPLETED: &str = "
    SELECT coalesce(max(position), $1), count(*) FILTER (WHERE event_type = 'BacktestCompleted')
    FROM events WHERE position > $1";
/// Between two reads of a run by the client that waits for it: latencies are this much too high at most.
const POLL_EVERY: Duration = Duration::from_millis(10);
/// What does not end by then will not.
const PATIENCE: Duration = Duration::from_secs(180);

/// Users of one service.
pub(super) struct Clients {
    remote: Remote,
    /// To look at the log, which costs the service less than asking it.
    database: tokio_postgres::Client,
    users: Vec<TestUser>,
    next: AtomicUsize,
}

impl Clients {
    pub(super) async fn sign_up(service: &Service) -> Self {
        let (remote, database) = (service.client(), service.database().await);
        let users = join_all((0..USERS).map(|_| remote.user())).await;
        Self { remote, database, users, next: AtomicUsize::new(0) }
    }

    /// As many runs as are accepted in that time, over all connections.
    pub(super) async fn ask_for(&self, duration: Duration) -> Result<usize, Failure> {
        let deadline = Instant::now() + duration;
        let connection = async || -> Result<usize, Failure> {
            let mut count = 0;
            while Instant::now() < deadline {
                self.ask().await?;
                count += 1;
            }
            Ok(count)
        };
        Ok(try_join_all((0..CONNECTIONS).map(|_| connection())).await?.iter().sum())
    }

    /// Asks for so many runs as fast as it goes; runs a second until all of them are completed.
    pub(super) async fn complete(&self, runs: usize) -> Result<f64, Failure> {
        let before = self.completed().await?;
        let head = "SELECT coalesce(max(position), 0) FROM events";
        let mut position: i64 = self.database.query_one(head, &[]).await?.get(0);
        let mut completed = 0;
        let started = Instant::now();
        let left = AtomicUsize::new(runs);
        let take = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        let connection = async || -> Result<(), Failure> {
            while take().is_ok() {
                self.ask().await?;
            }
            Ok(())
        };
        try_join_all((0..CONNECTIONS).map(|_| connection())).await?;
        while completed < i64::try_from(runs)? {
            if started.elapsed() > PATIENCE {
                return Err("the runs do not end".into());
            }
            time::sleep(LOOK_EVERY).await;
            let row = self.database.query_one(NEWLY_COMPLETED, &[&position]).await?;
            (position, completed) = (row.get(0), completed + row.get::<_, i64>(1));
        }
        let rate = runs as f64 / started.elapsed().as_secs_f64();
        // Reads follow at once.
        while self.completed().await? < before + runs {
            if started.elapsed() > PATIENCE {
                return Err("the reads do not follow".into());
            }
            time::sleep(LOOK_EVERY).await;
        }
        Ok(rate)
    }

    /// Sorted, of runs that are asked for at that rate whatever became of those before: each from the moment when it was
    /// due until a read says that it is completed.
    pub(super) async fn latencies_ms(
        &self,
        rate: f64,
        duration: Duration,
    ) -> Result<Vec<f64>, Failure> {
        let started = Instant::now();
        let count = (rate * duration.as_secs_f64()) as usize;
        let due = (0..count).map(|number| started + Duration::from_secs_f64(number as f64 / rate));
        let run = async |due: Instant| -> Result<f64, Failure> {
            time::sleep_until(due.into()).await;
            self.run().await?;
            Ok(due.elapsed().as_secs_f64() * 1e3)
        };
        let mut latencies_ms = try_join_all(due.map(run)).await?;
        latencies_ms.sort_by(f64::total_cmp);
        Ok(latencies_ms)
    }

    /// From the request to the first read that says that the run is completed.
    async fn run(&self) -> Result<(), Failure> {
        let (user, run) = self.ask().await?;
        let path = format!("{BACKTESTS}/{}", run["id"].as_str().ok_or("no id")?);
        let started = Instant::now();
        loop {
            let reply = self.remote.get(user, &path).await.expect(StatusCode::OK);
            match reply["data"]["status"].as_str() {
                Some("completed") => return Ok(()),
                Some("pending" | "running") if started.elapsed() < PATIENCE => {
                    time::sleep(POLL_EVERY).await;
                }
                _ => return Err(reply.to_string().into()),
            }
        }
    }

    /// The next user asks for a run, which is accepted.
    async fn ask(&self) -> Result<(&TestUser, Value), Failure> {
        let user = &self.users[self.next.fetch_add(1, Ordering::Relaxed) % self.users.len()];
        let body = json!({
            "strategy_id": "golden-cross", "symbol": "BTCUSDT", "timeframe": "1d", "initial_balance": "10000",
        });
        let reply = self.remote.post(user, BACKTESTS, body).await;
        match reply.status {
            StatusCode::ACCEPTED => Ok((user, reply.body["data"].clone())),
            status => Err(format!("{status}: {}", reply.text).into()),
        }
    }

    /// How many runs of all users reads call completed.
    async fn completed(&self) -> Result<usize, Failure> {
        let path = format!("{BACKTESTS}?status=completed&limit=1");
        let totals = self.users.iter().map(async |user| -> Result<usize, Failure> {
            let reply = self.remote.get(user, &path).await.expect(StatusCode::OK);
            let total = reply["meta"]["total"].as_u64().ok_or("no total")?;
            Ok(usize::try_from(total)?)
        });
        Ok(try_join_all(totals).await?.iter().sum())
    }
}
