//! A database with candles, the commands on it, and executors that can be started, stopped and killed.

use std::{collections::BTreeMap, time::Duration};

use commands::{
    BacktestDraft, CommandContext, Commands, StrategyDraft,
    executors::{self, ExecutorOptions, SweepOptions},
};
use cqrs_es::DomainEvent;
use domain::{
    access::Actor,
    backtest::{Backtest, LiveBacktest, Origin},
    event::{Metadata, RecordedEvent},
    ids::{BacktestId, StrategyId, UserId},
    job::Status,
    ledger::LedgerEvent,
    market::{Candle, Symbol, Timeframe},
    simulation::{Candles, Settings},
    strategy::{StrategyContent, StrategyDefinition},
};
use infra::{
    clock::Clock,
    postgres::{
        Database, EventStore,
        event_store::{Append, Outcome, Priority, StreamAppend, new_event},
        jobs::{BACKTEST, JobQueue, KINDS},
        market_data::{CandleStore, Markets},
    },
};
use serde_json::{Value, json};
use tests::TestDatabase;
use tokio::{sync::watch, task::JoinHandle};

/// Long enough for a busy machine; a test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(180);
const MINUTE: i64 = 60_000;

/// What the tests of this folder work at.
pub(crate) struct Desk {
    database: TestDatabase,
    pub(crate) store: EventStore,
    pub(crate) candles: CandleStore,
    pub(crate) queue: JobQueue,
    pub(crate) commands: Commands,
}

/// A separate executor.
pub(crate) struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    /// Ends it as SIGTERM does.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
    }

    /// Ends it without a last word, as a crash does.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

impl Desk {
    /// With so many one-minute candles of BTCUSDT.
    pub(crate) async fn with_minutes(count: i64) -> Self {
        Self::with(&minutes(count)).await
    }

    /// With these one-minute candles of BTCUSDT.
    pub(crate) async fn with(candles: &Candles) -> Self {
        let desk = Self::over(TestDatabase::new().await);
        desk.import(candles).await;
        desk
    }

    /// The superuser's URL of the database, for a separate process.
    pub(crate) fn url(&self) -> &str {
        &self.database.url
    }

    pub(crate) async fn superuser(&self) -> tokio_postgres::Client {
        self.database.superuser().await
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database.database
    }

    /// Over a database of the test's own.
    pub(crate) fn over(database: TestDatabase) -> Self {
        let store = database.store();
        let candles = CandleStore::new(database.database.clone());
        let markets = Markets::new(database.database.clone());
        let queue = JobQueue::new(database.database.clone(), &KINDS);
        let commands = Commands::new(store.clone(), candles.clone(), markets, Clock::system());
        Self { database, store, candles, queue, commands }
    }

    pub(crate) async fn import(&self, candles: &Candles) {
        let minute = Timeframe::OneMinute;
        self.candles.import(&btcusdt(), minute, candles, None, |_| {}).await.unwrap();
    }

    /// Starts an executor with one run at a time and a lease of a second.
    pub(crate) fn executor(&self, name: &str) -> Running {
        self.executor_with(name, 1)
    }

    pub(crate) fn executor_with(&self, name: &str, concurrency: usize) -> Running {
        self.executor_of(name, concurrency, Duration::from_secs(1))
    }

    /// Starts one whose leases do not run out before a test does.
    pub(crate) fn patient_executor(&self, name: &str) -> Running {
        self.executor_of(name, 1, PATIENCE)
    }

    fn executor_of(&self, name: &str, concurrency: usize, lease: Duration) -> Running {
        let options = ExecutorOptions {
            name: name.to_owned(),
            concurrency,
            lease,
            running_per_user_max: 4,
            sweeps: SweepOptions { concurrency: 1, threads: 2 },
            source: executors::JobSource::Log,
        };
        let (stop, stopped) = watch::channel(false);
        // As in a separate process, with no candles in memory.
        let database = self.database();
        let (candles, markets) =
            (CandleStore::new(database.clone()), Markets::new(database.clone()));
        let commands = Commands::new(self.store.clone(), candles, markets, Clock::system());
        let task = executors::start(commands, options, stopped).task;
        Running { stop, task }
    }

    /// A strategy of this user that trades on nearly every candle.
    pub(crate) async fn strategy(&self, user: UserId) -> StrategyId {
        let draft = draft("Restless", &restless());
        self.commands.create_strategy(&context(user), draft).await.unwrap().value
    }

    /// Requests a run of that strategy over all candles.
    pub(crate) async fn request(&self, user: UserId, strategy: StrategyId) -> BacktestId {
        let draft = backtest(&strategy.to_string());
        self.commands.request_backtest(&context(user), &draft).await.unwrap().value
    }

    pub(crate) async fn history(&self, id: BacktestId) -> Vec<RecordedEvent> {
        self.store.read_stream("backtest", &id.to_string(), 0, 1_000).await.unwrap()
    }

    /// Types of the backtest's events.
    pub(crate) async fn types(&self, id: BacktestId) -> Vec<String> {
        self.history(id).await.into_iter().map(|event| event.event_type).collect()
    }

    pub(crate) async fn ledger(&self, id: BacktestId) -> Vec<RecordedEvent> {
        self.store.read_stream("ledger", &id.to_string(), 0, 1_000_000).await.unwrap()
    }

    pub(crate) async fn entries(&self, id: BacktestId) -> Vec<LedgerEvent> {
        self.ledger(id).await.iter().map(|entry| entry.decode().unwrap()).collect()
    }

    pub(crate) async fn backtest(&self, id: BacktestId) -> LiveBacktest {
        let loaded = self.store.load::<Backtest>(&id.to_string()).await.unwrap();
        loaded.aggregate.live.unwrap()
    }

    pub(crate) async fn until_status(&self, id: BacktestId, status: Status) {
        self.until(async || self.backtest(id).await.status == status).await;
    }

    /// Until the ledger holds more than `length` entries.
    pub(crate) async fn until_ledger_beyond(&self, id: BacktestId, length: usize) {
        self.until(async || self.ledger(id).await.len() > length).await;
    }

    /// Until the run has left the queue.
    pub(crate) async fn until_dequeued(&self, id: BacktestId) {
        self.until(async || self.queue.progress(&BACKTEST, &[id.uuid()]).await.unwrap().is_empty())
            .await;
    }

    /// Looks again whenever the log goes on, and now and then for what is not in the log.
    pub(crate) async fn until(&self, condition: impl AsyncFn() -> bool) {
        let mut wakeups = self.store.wakeups();
        let waiting = async {
            while !condition().await {
                let woken = tokio::time::timeout(Duration::from_millis(20), wakeups.changed());
                if let Ok(woken) = woken.await {
                    woken.unwrap();
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("the condition in time");
    }
}

/// Candles that go up and down nearly every minute.
pub(crate) fn minutes(count: i64) -> Candles {
    let candle = |i: i64| {
        let price = |i: i64| 100.0 + ((i * 7_919) % 97) as f64 / 10.0;
        let (open, close) = (price(i - 1), price(i));
        Candle {
            open_time: 1_700_000_000_000 / MINUTE * MINUTE + i * MINUTE,
            open,
            high: open.max(close) + 0.5,
            low: open.min(close) - 0.5,
            close,
            volume: 1.5,
        }
    };
    (1..=count).map(candle).collect()
}

pub(crate) fn btcusdt() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

pub(crate) fn user() -> UserId {
    UserId::new(Clock::system().new_uuid())
}

pub(crate) fn context(user: UserId) -> CommandContext {
    CommandContext {
        actor: Actor::User(user),
        request_id: Clock::system().new_ulid().to_string(),
        traceparent: None,
        idempotency: None,
        expected_sequences: None,
    }
}

/// Buys after every rise and sells after every fall.
pub(crate) fn restless() -> Value {
    json!({
        "entry_rules": {"operator": "and", "conditions": [
            {"indicator": "close", "comparator": ">", "value": "close[1]"}]},
        "exit_rules": {"operator": "and", "conditions": [
            {"indicator": "close", "comparator": "<", "value": "close[1]"}]},
        "config": {"position_sizing": "fixed_quantity", "size": 0.25},
    })
}

pub(crate) fn draft(name: &str, body: &Value) -> StrategyDraft {
    let content = StrategyContent {
        name: name.to_owned(),
        description: String::new(),
        definition: StrategyDefinition::parse(body.as_object().unwrap()).unwrap(),
        default_symbol: None,
    };
    StrategyDraft { content, is_active: true, is_public: false }
}

pub(crate) fn backtest(strategy: &str) -> BacktestDraft {
    BacktestDraft {
        strategy: Some(strategy.to_owned()),
        symbol: Some("BTCUSDT".to_owned()),
        asset: None,
        quote: None,
        timeframe: Timeframe::OneMinute,
        start_time: None,
        end_time: None,
        initial_balance: 1_000_000.into(),
        parameters: BTreeMap::new(),
        settings: Settings::default(),
        origin: Origin::User,
    }
}

/// Appends as another process would.
pub(crate) async fn append(desk: &Desk, streams: Vec<StreamAppend>) {
    let outcome = try_append(desk, streams).await;
    assert!(matches!(outcome, Outcome::Appended { .. }), "{outcome:?}");
}

pub(crate) async fn try_append(desk: &Desk, streams: Vec<StreamAppend>) -> Outcome {
    let append = Append {
        streams,
        metadata: Metadata::default(),
        command: None,
        reservations: Vec::new(),
        priority: Priority::Interactive,
    };
    desk.store.append(append).await.unwrap()
}

#[expect(clippy::needless_pass_by_value, reason = "ids of any kind")]
pub(crate) fn stream<E: DomainEvent>(
    aggregate_type: &'static str,
    id: impl ToString,
    expected_sequence: usize,
    events: &[E],
) -> StreamAppend {
    StreamAppend {
        aggregate_type,
        aggregate_id: id.to_string(),
        expected_sequence: i64::try_from(expected_sequence).unwrap(),
        events: events.iter().map(|event| new_event(event).unwrap()).collect(),
    }
}
