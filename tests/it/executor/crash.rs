//! The real binary, killed again and again in the middle of a run: nothing of the ledger is lost or written twice.

use std::{
    collections::BTreeMap,
    fs::File,
    path::Path,
    process::{Child, Command, Stdio},
};

use domain::{
    backtest::Backtest, ids::BacktestId, job::Status, ledger::LedgerEvent, market::Candle,
    simulation::Candles,
};
use infra::{
    files::candle_csv::{self, Options},
    postgres::event_store::{Append, NewEvent, Priority, StreamAppend},
};
use rand::Rng;

use super::{
    Desk,
    desk::{context, draft, user},
};

const KILLS: usize = 10;

/// Milliseconds without a heartbeat after which the next process takes the run over.
const LEASE_MS: &str = "1000";

/// `backtrail serve` on the desk's database; killed at the latest when this is dropped.
struct Serving(Child);

impl Serving {
    fn start(desk: &Desk, folder: &Path) -> Self {
        let child = Command::new(crate::BACKTRAIL)
            .arg("serve")
            .current_dir(folder)
            .env("BACKTRAIL_DATABASE__URL", desk.url())
            .env("BACKTRAIL_HTTP__LISTEN", "127.0.0.1:0")
            .env("BACKTRAIL_EXECUTOR__LEASE_MS", LEASE_MS)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Twice does no harm.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Real minutes of March 2024, laid end to end twice: a run that is long enough for ten kills on a fast machine.
fn minutes() -> Candles {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../domain/testdata/candles");
    let file = File::open(folder.join("BTCUSDT_1m_2024-03.csv.gz")).unwrap();
    let options = Options { timeframe: None, now: i64::MAX, accept_bad_rows: false };
    let march = candle_csv::parse(file, &options).unwrap().candles;
    let mut candles = march.clone();
    let length = march.open_time[march.len() - 1] + 60_000 - march.open_time[0];
    for candle in (0..march.len()).filter_map(|index| march.get(index)) {
        candles.push(Candle { open_time: candle.open_time + length, ..candle });
    }
    candles
}

/// The ledger's payloads, byte for byte.
async fn payloads(desk: &Desk, id: BacktestId) -> Vec<String> {
    desk.ledger(id).await.into_iter().map(|entry| entry.payload).collect()
}

/// The sequence of the ledger's last entry.
async fn ledger_length(desk: &Desk, id: BacktestId) -> i64 {
    let statement = "SELECT coalesce(max(sequence), 0) FROM events WHERE aggregate_type = 'ledger' AND aggregate_id = $1";
    let client = desk.database().get().await.unwrap();
    client.query_one(statement, &[&id.to_string()]).await.unwrap().get(0)
}

/// The same run, id included, in another database where nobody disturbs it.
async fn undisturbed(desk: &Desk, id: BacktestId, candles: &Candles) -> Vec<String> {
    let other = Desk::with(candles).await;
    let requested = desk.history(id).await.swap_remove(0);
    let stream = StreamAppend {
        aggregate_type: "backtest",
        aggregate_id: id.to_string(),
        expected_sequence: 0,
        events: vec![NewEvent {
            event_type: requested.event_type,
            event_version: requested.event_version,
            payload: requested.payload,
        }],
    };
    let append = Append {
        streams: vec![stream],
        metadata: serde_json::from_str(&requested.metadata).unwrap(),
        command: None,
        reservations: Vec::new(),
        priority: Priority::Interactive,
    };
    other.store.append(append).await.unwrap();
    let executor = other.executor("undisturbed");
    other.until_status(id, Status::Completed).await;
    executor.stop().await;
    payloads(&other, id).await
}

/// Which trades were opened and closed, and how often.
fn trades(entries: &[LedgerEvent]) -> BTreeMap<u32, (usize, usize)> {
    let mut trades = BTreeMap::<u32, (usize, usize)>::new();
    for entry in entries {
        match entry {
            LedgerEvent::TradeOpened { number, .. } => trades.entry(*number).or_default().0 += 1,
            LedgerEvent::TradeClosed(closed) => {
                trades.entry(closed.number).or_default().1 += 1;
            }
            LedgerEvent::TradeReduced { part, .. } => {
                let part = trades.entry(part.number).or_default();
                (part.0, part.1) = (part.0 + 1, part.1 + 1);
            }
            LedgerEvent::LedgerOpened { .. }
            | LedgerEvent::EquityRecorded(_)
            | LedgerEvent::LedgerRestarted { .. }
            | LedgerEvent::LedgerClosed { .. } => {}
        }
    }
    trades
}

async fn claims(desk: &Desk, id: BacktestId) -> usize {
    desk.types(id).await.iter().filter(|kind| *kind == "BacktestClaimed").count()
}

#[tokio::test]
async fn a_process_killed_ten_times_in_a_run_leaves_the_ledger_of_an_undisturbed_one() {
    let candles = minutes();
    let desk = Desk::with(&candles).await;
    let owner = user();
    let restless = draft("Restless", &super::desk::restless());
    let strategy = desk.commands.create_strategy(&context(owner), restless).await.unwrap().value;
    let id = desk.request(owner, strategy).await;
    let expected = undisturbed(&desk, id, &candles).await;
    assert!(expected.len() > 40_000, "{} entries", expected.len());

    let folder = tempfile::tempdir().unwrap();
    // Each kill waits for new entries and some more, but leaves the others something to interrupt.
    let more_max = i64::try_from(expected.len()).unwrap() / 20;
    let mut length = 0;
    for kill in 0..KILLS {
        let serving = Serving::start(&desk, folder.path());
        let more = rand::rng().random_range(0..more_max);
        // What the last process had under way may still arrive after its end.
        desk.until(async || claims(&desk, id).await > kill).await;
        desk.until(async || ledger_length(&desk, id).await > length + more).await;
        serving.kill();
        length = ledger_length(&desk, id).await;
        let status = desk.store.load::<Backtest>(&id.to_string()).await.unwrap();
        let status = status.aggregate.live.unwrap().status;
        assert_eq!(status, Status::Running, "after kill {kill} at {length} entries");
    }
    let serving = Serving::start(&desk, folder.path());
    desk.until_status(id, Status::Completed).await;
    serving.kill();

    assert_eq!(payloads(&desk, id).await, expected);
    let entries = desk.entries(id).await;
    let trades = trades(&entries);
    let numbers: Vec<u32> = trades.keys().copied().collect();
    assert_eq!(numbers, (1..=u32::try_from(trades.len()).unwrap()).collect::<Vec<_>>());
    assert!(trades.values().all(|times| *times == (1, 1)), "each opened and closed once");
    let claims = claims(&desk, id).await;
    // A busy machine may lose a lease now and then, which is one claim more.
    assert!(claims > KILLS, "{claims} claims");
}
