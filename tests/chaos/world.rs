//! Everything that runs: PostgreSQL, Kafka and eight processes of the service, each with one role or two.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use infra::{
    kafka::KafkaOptions,
    postgres::{EventStore, relays::Relays},
};
use tests::{
    Backtrail, Remote, TestCluster, TestDatabase,
    kafka::{TestKafka, kafka_environment},
};

use crate::{journal::Journal, line::Line, ship::Ship};

/// Milliseconds without a heartbeat after which another executor has a run.
const LEASE_MS: &str = "2000";
/// Of the database, to each process.
const CONNECTIONS_MAX: &str = "10";

/// Names and roles; the relay's is left out where there is no Kafka.
const SHIPS: [(&str, &str); 8] = [
    ("api-1", "api"),
    ("api-2", "api"),
    ("projector", "projector,reaper"),
    ("relay", "relay,reaper"),
    ("executor-1", "executor"),
    ("executor-2", "executor"),
    ("executor-3", "executor"),
    ("executor-4", "executor"),
];
const APIS: usize = 2;

/// Dropped from the top: processes before the servers that they use.
pub(crate) struct World {
    pub(crate) ships: Vec<Ship>,
    /// The first binary that touches the database; also for what is done by hand.
    pub(crate) by_hand: Backtrail,
    /// The checks' own, which no fault touches.
    pub(crate) store: EventStore,
    pub(crate) database: TestDatabase,
    pub(crate) kafka: Option<Kafka>,
    pub(crate) cluster: TestCluster,
    /// Runs that are not over, as last looked at.
    pub(crate) unfinished: AtomicI64,
    pub(crate) journal: Journal,
}

/// A real broker, and the topics of this test.
pub(crate) struct Kafka {
    pub(crate) broker: TestKafka,
    pub(crate) options: KafkaOptions,
}

impl World {
    /// Starts it all, with candles to run on.
    pub(crate) async fn start(journal: Journal) -> Self {
        let cluster = TestCluster::private().await;
        let database = cluster.database().await;
        let broker = tokio::task::block_in_place(TestKafka::private);
        let kafka = broker.is_real().then(|| Kafka { options: broker.options(), broker });
        let mut environment = vec![
            ("BACKTRAIL_DATABASE__CONNECTIONS_MAX", CONNECTIONS_MAX.to_owned()),
            ("BACKTRAIL_EXECUTOR__CONCURRENCY", "1".to_owned()),
            ("BACKTRAIL_EXECUTOR__LEASE_MS", LEASE_MS.to_owned()),
        ];
        match &kafka {
            Some(kafka) => environment.extend(kafka_environment(&kafka.options)),
            None => journal.say(
                "!!! NO REAL KAFKA: executors follow the log, and neither relay nor topics are tested",
            ),
        }
        let new_ship = |(name, roles)| {
            let line = Line::new(cluster.folder());
            Ship::new(name, roles, (line, &database.name), &environment)
        };
        let is_here = |(name, _): &(&str, &str)| kafka.is_some() || *name != "relay";
        let ships = SHIPS.into_iter().filter(is_here).map(new_ship).collect();
        let by_hand = environment.iter().fold(
            Backtrail::new(crate::BACKTRAIL).with("BACKTRAIL_DATABASE__URL", &database.url),
            |backtrail, (name, value)| backtrail.with(name, value),
        );
        let store = database.store();
        let unfinished = AtomicI64::new(0);
        let world = Self { ships, by_hand, store, database, kafka, cluster, unfinished, journal };
        tokio::task::block_in_place(|| {
            let _ = world.by_hand.succeed(&["migrate"]);
            world.by_hand.import_days();
            world.by_hand.import_minutes();
            for ship in &world.ships {
                ship.start();
            }
        });
        for ship in &world.ships {
            if let Some((remote, _)) = ship.remote() {
                remote.until_ready().await;
            }
        }
        world
    }

    /// The processes that answer clients.
    pub(crate) fn apis(&self) -> &[Ship] {
        &self.ships[..APIS]
    }

    /// A client of one of them, the preferred one if it is there.
    pub(crate) fn api(&self, preferred: usize) -> Option<Arc<Remote>> {
        let apis = self.apis();
        let choice = [preferred, preferred + 1].map(|index| apis[index % APIS].remote());
        choice.into_iter().flatten().next().map(|(remote, _)| remote)
    }

    /// Looks how many runs are not over; keeps what it knew while the database is away.
    pub(crate) async fn look_at_runs(&self) {
        const UNFINISHED: &str = "
            SELECT count(*) FILTER (WHERE event_type = 'BacktestRequested')
                - count(DISTINCT aggregate_id) FILTER (WHERE event_type IN
                    ('BacktestCompleted', 'BacktestFailed', 'BacktestCancelled', 'BacktestDeleted'))
            FROM events WHERE aggregate_type = 'backtest'";
        if let Some(unfinished) = self.number(UNFINISHED).await {
            self.unfinished.store(unfinished, Ordering::Relaxed);
        }
    }

    /// What a query answers; none while the database is away.
    pub(crate) async fn number(&self, sql: &str) -> Option<i64> {
        let client = self.database.database.get().await.ok()?;
        client.query_one(sql, &[]).await.ok()?.try_get(0).ok()
    }

    /// Up to where the relay has published; none while the database is away.
    pub(crate) async fn relayed(&self) -> Option<i64> {
        let kafka = self.kafka.as_ref()?;
        let prefix = kafka.options.topic_prefix.clone();
        let status = Relays::new(self.database.database.clone(), prefix).status().await.ok()?;
        Some(status.position)
    }
}
