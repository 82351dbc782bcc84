//! Processes of the real binary on one database.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;
use tests::{ANYONE, Backtrail, Remote, Served, TestCluster, TestDatabase};

use crate::BACKTRAIL;

/// Long enough for a busy machine; a test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(180);

/// A database, and what is needed to start processes on it.
pub(crate) struct Fleet {
    pub(crate) backtrail: Backtrail,
    pub(crate) database: TestDatabase,
}

/// A process with its roles and a client of it.
pub(crate) struct Ship {
    pub(crate) served: Served,
    pub(crate) remote: Remote,
}

impl Fleet {
    /// In the cluster that all tests share.
    pub(crate) async fn start() -> Self {
        Self::over(TestCluster::shared().await).await
    }

    pub(crate) async fn over(cluster: &TestCluster) -> Self {
        let database = cluster.database().await;
        let backtrail = Backtrail::new(BACKTRAIL)
            .with("BACKTRAIL_DATABASE__URL", &database.url)
            .with("BACKTRAIL_DATABASE__CONNECTIONS_MAX", "10")
            .with("BACKTRAIL_EXECUTOR__CONCURRENCY", "1");
        Self { backtrail, database }
    }

    /// With one more variable in the environment of the processes to come.
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        Self { backtrail: self.backtrail.with(name, value), ..self }
    }

    /// Starts a process with these roles.
    pub(crate) fn serve(&self, roles: &str) -> Ship {
        let served = self.backtrail.serve_with(&["serve", "--roles", roles]);
        let remote = Remote::new(served.address());
        Ship { served, remote }
    }

    /// Eight years of BTCUSDT by the day.
    pub(crate) fn import_days(&self) {
        self.backtrail.import_days();
    }

    /// A month of BTCUSDT by the minute.
    pub(crate) fn import_minutes(&self) {
        self.backtrail.import_minutes();
    }

    /// The first column of the first row; none without a row.
    pub(crate) async fn select<T>(&self, sql: &str) -> Option<T>
    where
        T: for<'a> tokio_postgres::types::FromSql<'a>,
    {
        let client = self.database.database.get().await.unwrap();
        client.query_opt(sql, &[]).await.unwrap().map(|row| row.get(0))
    }

    /// Executes what only a superuser may.
    pub(crate) async fn execute(&self, sql: &str) {
        self.database.superuser().await.batch_execute(sql).await.unwrap();
    }
}

impl Ship {
    /// What `/readyz` says once the role is ready.
    pub(crate) async fn until_ready(&self, role: &str) -> Value {
        self.until_health(|health| health["roles"][role]["status"] == "ready").await
    }

    /// What `/readyz` says once it says that.
    pub(crate) async fn until_health(&self, is_it: impl Fn(&Value) -> bool) -> Value {
        let look = async || {
            let reply = self.remote.get(&ANYONE, "/readyz").await;
            let is_ready = reply.body["status"] == "ready";
            assert_eq!(reply.status == StatusCode::OK, is_ready, "{}", reply.text);
            is_it(&reply.body).then_some(reply.body)
        };
        until(look).await
    }
}

/// Looks until there is something to see.
pub(crate) async fn until<T>(look: impl AsyncFn() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it is seen in time")
}
