//! One supervised process of the real binary: started again until it listens, as systemd or Kubernetes would do.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

use reqwest::{Method, StatusCode};
use tests::{ANYONE, Backtrail, Remote, Served};

use crate::{journal::Journal, line::Line};

/// A process with its roles, and its own line to PostgreSQL.
pub(crate) struct Ship {
    pub(crate) name: &'static str,
    roles: &'static str,
    pub(crate) line: Line,
    backtrail: Backtrail,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    served: Option<Served>,
    /// None while it does not listen.
    remote: Option<Arc<Remote>>,
    starts_count: u32,
    failed_starts_count: u32,
}

/// Between an end and the next start.
const RESTART_PAUSE: Duration = Duration::from_millis(200);
/// A probe that takes longer has failed.
const PROBE_BOUND: Duration = Duration::from_millis(2_500);
/// What docs/operations.md promises for SIGTERM is ten seconds; a crowded machine may take some more.
const END_BOUND: Duration = Duration::from_secs(20);

impl Ship {
    /// Not started yet; `environment` beyond the database's.
    pub(crate) fn new(
        name: &'static str,
        roles: &'static str,
        (line, database): (Line, &str),
        environment: &[(&str, String)],
    ) -> Self {
        let backtrail =
            Backtrail::new(crate::BACKTRAIL).with("BACKTRAIL_DATABASE__URL", &line.url(database));
        let backtrail = environment
            .iter()
            .fold(backtrail, |backtrail, (name, value)| backtrail.with(name, value));
        Self { name, roles, line, backtrail, state: Mutex::default() }
    }

    /// Starts it, again and again until it listens; blocks.
    pub(crate) fn start(&self) {
        loop {
            let mut served = self.backtrail.start(&["serve", "--roles", self.roles]);
            let is_listening = served.until_listening();
            let mut state = self.state();
            if is_listening {
                state.remote = Some(Arc::new(Remote::new(served.address())));
                state.served = Some(served);
                state.starts_count += 1;
                return;
            }
            state.failed_starts_count += 1;
            drop(state);
            thread::sleep(RESTART_PAUSE);
        }
    }

    /// kill -9.
    pub(crate) fn kill(&self) {
        self.take().kill();
    }

    /// SIGTERM, and waits; blocks.
    pub(crate) fn terminate(&self, journal: &Journal) {
        let (status, took) = self.take().terminate();
        if took > END_BOUND {
            journal.wrong(&format!("{} took {took:?} to end", self.name));
        }
        if !status.success() {
            journal.say(&format!("{} ended with {status}", self.name));
        }
    }

    /// SIGSTOP.
    pub(crate) fn pause(&self) {
        self.state().served.as_ref().expect("it runs").pause();
    }

    /// SIGCONT.
    pub(crate) fn resume(&self) {
        self.state().served.as_ref().expect("it runs").resume();
    }

    /// Says when it ended though nobody asked it to, and starts it again; blocks.
    pub(crate) fn look_after(&self, journal: &Journal) {
        let ended = self.state().served.as_mut().and_then(Served::ended);
        if let Some(status) = ended {
            journal.wrong(&format!("{} ended by itself: {status}", self.name));
            drop(self.take());
            self.start();
        }
    }

    /// A client of it; none while it is away. The number counts its lives.
    pub(crate) fn remote(&self) -> Option<(Arc<Remote>, u32)> {
        let state = self.state();
        state.remote.clone().map(|remote| (remote, state.starts_count))
    }

    /// Whether all its roles are well.
    pub(crate) async fn is_ready(&self) -> bool {
        matches!(self.ask("/readyz").await, Some((StatusCode::OK, _, _)))
    }

    /// What `/metrics` says, with the number of its life.
    pub(crate) async fn figures(&self) -> Option<(u32, String)> {
        let (status, text, life) = self.ask("/metrics").await?;
        (status == StatusCode::OK).then_some((life, text))
    }

    async fn ask(&self, path: &str) -> Option<(StatusCode, String, u32)> {
        let (remote, life) = self.remote()?;
        let request = remote.request(&ANYONE, Method::GET, path).timeout(PROBE_BOUND);
        let response = request.send().await.ok()?;
        let status = response.status();
        Some((status, response.text().await.ok()?, life))
    }

    /// Starts, and those that failed because the database was away.
    pub(crate) fn starts(&self) -> (u32, u32) {
        let state = self.state();
        (state.starts_count, state.failed_starts_count)
    }

    /// What it wrote on its standard error, in all its lives.
    pub(crate) fn log(&self) -> PathBuf {
        self.backtrail.folder().join("log")
    }

    fn take(&self) -> Served {
        let mut state = self.state();
        state.remote = None;
        state.served.take().expect("it runs")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("the ship's state")
    }
}

/// How long something took to be so, looking often.
pub(crate) async fn until(bound: Duration, is_so: impl AsyncFn() -> bool) -> Option<Duration> {
    const LOOK_EVERY: Duration = Duration::from_millis(20);
    let started = Instant::now();
    while !is_so().await {
        if started.elapsed() > bound {
            return None;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Some(started.elapsed())
}
