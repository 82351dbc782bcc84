//! Several users who ask for backtests over eight years of daily candles, all at once or at a steady rate.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use futures_util::future::{Either, join_all, select, try_join_all};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::{Remote, TestUser};
use tokio::{sync::watch, time};

use super::{CONNECTIONS, Failure, processes::Service};

/// Enough that no user's own limit of runs at a time holds the executors back.
const USERS: usize = 8;
const BACKTESTS: &str = "/api/v1/backtests";
/// Between two looks into the log for what was completed.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Of the events after a position, the last position and the number of those that complete a run.
const NEWLY_COMPLETED: &str = "
    SELECT coalesce(max(position), $1), count(*) FILTER (WHERE event_type = 'BacktestCompleted')
    FROM events WHERE position > $1";
/// The ids of those that complete a run.
const WHICH_COMPLETED: &str = "
    SELECT position, aggregate_id FROM events
    WHERE position > $1 AND event_type = 'BacktestCompleted' ORDER BY position";
/// Between two looks at the log, and between two reads of a run that it calls completed: latencies are so much too high at most.
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
    /// due until a read says that it is completed. Nobody reads before the log says so: a hundred reads a second by each client
    /// that waits would measure themselves.
    pub(super) async fn latencies_ms(
        &self,
        rate: f64,
        duration: Duration,
    ) -> Result<Vec<f64>, Failure> {
        let completed = watch::Sender::new(HashSet::new());
        let started = Instant::now();
        let count = (rate * duration.as_secs_f64()) as usize;
        let due = (0..count).map(|number| started + Duration::from_secs_f64(number as f64 / rate));
        let run = async |due: Instant| -> Result<f64, Failure> {
            time::sleep_until(due.into()).await;
            self.run(completed.subscribe()).await?;
            Ok(due.elapsed().as_secs_f64() * 1e3)
        };
        let runs = Box::pin(try_join_all(due.map(run)));
        let mut latencies_ms = match select(runs, Box::pin(self.follow(&completed))).await {
            Either::Left((latencies_ms, _)) => latencies_ms?,
            Either::Right((failure, _)) => return Err(failure),
        };
        latencies_ms.sort_by(f64::total_cmp);
        Ok(latencies_ms)
    }

    /// Notes the ids of the runs that the log calls completed; ends only when it cannot be read.
    async fn follow(&self, completed: &watch::Sender<HashSet<String>>) -> Failure {
        let mut position = 0_i64;
        loop {
            match self.database.query(WHICH_COMPLETED, &[&position]).await {
                Ok(rows) => {
                    position = rows.last().map_or(position, |row| row.get(0));
                    let ids = rows.iter().map(|row| row.get::<_, String>(1));
                    completed.send_modify(|known| known.extend(ids));
                }
                Err(error) => return error.into(),
            }
            time::sleep(POLL_EVERY).await;
        }
    }

    /// From the request to the first read that says that the run is completed.
    async fn run(&self, mut completed: watch::Receiver<HashSet<String>>) -> Result<(), Failure> {
        let (user, run) = self.ask().await?;
        let id = run["id"].as_str().ok_or("no id")?;
        time::timeout(PATIENCE, completed.wait_for(|ids| ids.contains(id))).await??;
        let path = format!("{BACKTESTS}/{id}");
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
