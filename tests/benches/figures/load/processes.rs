//! The service as an operator runs it: a process of the real binary for each role, on one database.

use std::path::Path;

use tests::{
    Backtrail, Remote, Served, TestCluster, TestDatabase,
    kafka::{TestKafka, kafka_environment},
};

use super::{
    Failure,
    usage::{self, Usage},
};

const BACKTRAIL: &str = env!("CARGO_BIN_EXE_backtrail-under-test");
/// The default of `kafka.partitions`.
const PARTITIONS: i32 = 12;

/// What is looked at by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Api,
    Projector,
    Relay,
    /// All of them together.
    Executor,
    /// The server with all its processes.
    Postgres,
    Kafka,
}

/// Processes; they end before their database goes.
pub(super) struct Service {
    processes: Vec<(Part, Served)>,
    /// Of the API.
    address: String,
    postmaster: u32,
    broker: Option<u32>,
    backtrail: Backtrail,
    test: TestDatabase,
}

/// What a database holds.
pub(super) struct Stored {
    pub(super) events: i64,
    /// Of the events with their indexes.
    pub(super) log_bytes: i64,
    /// Of everything.
    pub(super) bytes: i64,
}

impl Service {
    /// Everything but executors, with daily candles in a separate database; with a relay where there is Kafka.
    pub(super) async fn start(
        cluster: &TestCluster,
        kafka: Option<&TestKafka>,
    ) -> Result<Self, Failure> {
        let test = cluster.database().await;
        let mut backtrail = Backtrail::new(BACKTRAIL).with("BACKTRAIL_DATABASE__URL", &test.url);
        if let Some(kafka) = kafka {
            let options = infra::kafka::KafkaOptions { partitions: PARTITIONS, ..kafka.options() };
            for (name, value) in kafka_environment(&options) {
                backtrail = backtrail.with(name, &value);
            }
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let candles = root.join("domain/testdata/candles/BTCUSDT_1d.csv");
        let _ = backtrail.succeed(&["import-candles", &candles.to_string_lossy()]);
        let api = backtrail.serve_with(&["serve", "--roles", "api"]);
        let backend = test.superuser().await.query_one("SELECT pg_backend_pid()", &[]).await?;
        let postmaster = usage::parent(u32::try_from(backend.get::<_, i32>(0))?)?;
        let broker = kafka.map(|kafka| usage::broker(kafka.brokers())).transpose()?;
        let address = api.address().to_owned();
        let processes = vec![(Part::Api, api)];
        let mut service = Self { processes, address, postmaster, broker, backtrail, test };
        service.add(Part::Projector, "projector,reaper").await;
        if kafka.is_some() {
            service.add(Part::Relay, "relay").await;
        }
        service.client().until_ready().await;
        Ok(service)
    }

    /// A client of the API.
    pub(super) fn client(&self) -> Remote {
        Remote::new(&self.address)
    }

    /// A connection to its database.
    pub(super) async fn database(&self) -> tokio_postgres::Client {
        self.test.superuser().await
    }

    /// Starts executors until there are so many.
    pub(super) async fn executors(&mut self, count: usize) {
        while self.processes.iter().filter(|(part, _)| *part == Part::Executor).count() < count {
            self.add(Part::Executor, "executor").await;
        }
    }

    async fn add(&mut self, part: Part, roles: &str) {
        let served = self.backtrail.serve_with(&["serve", "--roles", roles]);
        Remote::new(served.address()).until_ready().await;
        self.processes.push((part, served));
    }

    /// How much is stored.
    pub(super) async fn stored(&self) -> Result<Stored, Failure> {
        let sql = "SELECT coalesce(max(position), 0), pg_total_relation_size('events'),
                          pg_database_size(current_database()) FROM events";
        let row = self.database().await.query_one(sql, &[]).await?;
        let [events, log_bytes, bytes] = [row.get(0), row.get(1), row.get(2)];
        Ok(Stored { events, log_bytes, bytes })
    }

    /// What every part has used up to now.
    pub(super) fn usage(&self) -> Result<Usage, Failure> {
        let mut usage = Usage::default();
        for (part, served) in &self.processes {
            usage.add_process(*part, served.pid())?;
        }
        if let Some(broker) = self.broker {
            usage.add_process(Part::Kafka, broker)?;
        }
        usage.add_family(Part::Postgres, self.postmaster)?;
        Ok(usage)
    }
}
