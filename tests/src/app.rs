//! The real service over a separate database, in this process.

use std::io::Cursor;

use api::Context;
use infra::{
    clock::Clock,
    files::candle_csv::{self, Options},
};
use server::{
    app::{self, App},
    config::Config,
    roles::Roles,
};

use crate::{Remote, TestDatabase};

/// The service, started as the binary starts it, on a separate port. Dropping it fails the test if work is left undone.
pub struct TestApp {
    /// Dropped before the database.
    app: App,
    remote: Remote,
    database: TestDatabase,
}

impl TestApp {
    /// With every role.
    pub async fn start() -> Self {
        Self::launch(&Roles::all(), &[]).await
    }

    /// With every role, at the time of `clock`.
    pub async fn start_at(clock: Clock) -> Self {
        Self::launch_at(&Roles::all(), &[], clock).await
    }

    /// With some roles, and more in its environment.
    pub async fn launch(roles: &Roles, more: &[(&str, String)]) -> Self {
        Self::launch_at(roles, more, Clock::system()).await
    }

    async fn launch_at(roles: &Roles, more: &[(&str, String)], clock: Clock) -> Self {
        let database = TestDatabase::new().await;
        let environment = [
            ("BACKTRAIL_DATABASE__URL", database.url.as_str()),
            ("BACKTRAIL_HTTP__LISTEN", "127.0.0.1:0"),
            ("BACKTRAIL_DATABASE__CONNECTIONS_MAX", "12"),
            ("BACKTRAIL_EXECUTOR__CONCURRENCY", "1"),
        ];
        let more = more.iter().map(|(name, value)| (*name, value.as_str()));
        let environment = environment.into_iter().chain(more);
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Config::load(None, environment).expect("the configuration");
        let app = app::start(&config, roles, clock).await.expect("the app");
        let remote = Remote::new(&format!("http://{}", app.address()));
        Self { app, remote, database }
    }

    /// With every role and the daily candles of BTCUSDT.
    pub async fn with_candles() -> Self {
        let app = Self::start().await;
        app.import_daily_btcusdt().await;
        app
    }

    /// The handles that its requests use.
    #[must_use]
    pub fn context(&self) -> &Context {
        self.app.context()
    }

    /// The database underneath.
    #[must_use]
    pub fn database(&self) -> &TestDatabase {
        &self.database
    }

    /// Imports the daily candles of BTCUSDT.
    pub async fn import_daily_btcusdt(&self) {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../domain/testdata/candles/BTCUSDT_1d.csv");
        let text = std::fs::read(path).expect("the candles");
        let now = Clock::system().now().timestamp_millis();
        let options = Options { timeframe: None, now, accept_bad_rows: false };
        let read = candle_csv::parse(Cursor::new(text), &options).expect("candles");
        let symbol = "BTCUSDT".parse().expect("a symbol");
        let timeframe = "1d".parse().expect("a timeframe");
        let candles = &self.context().candles;
        let imported = candles.import(&symbol, timeframe, &read.candles, None, |_| {}).await;
        imported.expect("an import");
    }
}

impl std::ops::Deref for TestApp {
    type Target = Remote;

    fn deref(&self) -> &Remote {
        &self.remote
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let url = self.database.url.clone();
        // A separate runtime: the test's may be waiting for this.
        let left = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(undone(&url))
        });
        let left = left.join().expect("an answer");
        assert!(left.is_empty(), "work is left undone: {left:?}");
    }
}

/// Jobs that are not over, and events that no read model could take. (The row of a job goes a moment after its last event.)
async fn undone(url: &str) -> Vec<String> {
    let (client, connection) =
        tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("a connection");
    tokio::spawn(connection);
    let sql = "SELECT kind || ' ' || id FROM jobs WHERE NOT EXISTS ( \
                   SELECT FROM events WHERE aggregate_type = kind AND aggregate_id = id::text \
                   AND event_type ~ '(Completed|Failed|Cancelled|Deleted)$') \
               UNION ALL \
               SELECT 'dead letter ' || id FROM read_models.dead_letters WHERE state = 'open'";
    let rows = client.query(sql, &[]).await.expect("what is left");
    rows.iter().map(|row| row.get(0)).collect()
}
