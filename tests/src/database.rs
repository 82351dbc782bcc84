//! A migrated database of one test's own, dropped with it.

use std::sync::atomic::{AtomicU32, Ordering};

use infra::postgres::{Database, EventStore};

use crate::{TestCluster, cluster::TEMPLATE};

/// A database cloned from the migrated template, and a pool on it as the application's role.
pub struct TestDatabase {
    pub database: Database,
    /// The superuser's.
    pub url: String,
    pub name: String,
    /// The same for `backtrail_foreign`, as which others insert.
    pub foreign_url: String,
    drop_database: std::process::Command,
}

/// Enough for a test with a busy process and an API in it; the cluster allows 300 for all tests together.
const CONNECTIONS_MAX: usize = 16;

static COUNT: AtomicU32 = AtomicU32::new(1);

impl TestDatabase {
    /// A database in the cluster that all tests of this process share.
    pub async fn new() -> Self {
        TestCluster::shared().await.database().await
    }

    pub(crate) async fn clone_template(cluster: &TestCluster) -> Self {
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        cluster.admin("postgres", &format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}")).await;
        let url = cluster.url(&name);
        let database = Database::connect(&url, CONNECTIONS_MAX).await.expect("the database");
        let mut drop_database = cluster.program("dropdb");
        drop_database.args(["--force", "--if-exists", &name]);
        let foreign_url = cluster.url_as("backtrail_foreign", &name);
        Self { database, url, name, foreign_url, drop_database }
    }

    /// An event store on it, with a separate queue.
    #[must_use]
    pub fn store(&self) -> EventStore {
        EventStore::start(self.database.clone())
    }

    /// A connection as the superuser, outside of the pool.
    pub async fn superuser(&self) -> tokio_postgres::Client {
        connect(&self.url).await
    }

    /// Every row of a table of a read model, as text in a fixed order.
    pub async fn read_model_rows(&self, table: &str) -> Vec<String> {
        let client = self.superuser().await;
        let sql = format!("SELECT one::text FROM read_models.{table} AS one ORDER BY 1");
        let rows = client.query(&sql, &[]).await.expect("the rows");
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Every row of a read model's table and of those beside it, as text in a fixed order. Counters at zero are left out.
    pub async fn family_rows(&self, table: &str) -> Vec<String> {
        let client = self.superuser().await;
        let sql = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'read_models' \
                   AND (tablename = $1 OR starts_with(tablename, $1 || '_')) \
                   AND NOT starts_with(tablename, $1 || '_rebuild') ORDER BY tablename";
        let tables = client.query(sql, &[&table]).await.expect("the tables");
        let mut all = Vec::new();
        for table in &tables {
            let table: &str = table.get(0);
            let rows = self.read_model_rows(table).await;
            let is_counter = table.ends_with("_counts");
            all.extend(rows.into_iter().filter(|row| !is_counter || !row.ends_with(",0)")));
        }
        all
    }

    /// A connection as `backtrail_foreign`.
    pub async fn foreign(&self) -> tokio_postgres::Client {
        connect(&self.foreign_url).await
    }
}

/// A plain connection.
async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) =
        tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("a connection");
    // Ends with the client; a test that kills it sees the error at its next statement.
    tokio::spawn(connection);
    client
}

impl Drop for TestDatabase {
    #[expect(clippy::print_stderr, reason = "shown beside a failing test")]
    fn drop(&mut self) {
        // The cluster may be gone already, with everything in it.
        if let Err(error) = self.drop_database.output() {
            eprintln!("dropdb: {error}");
        }
    }
}
