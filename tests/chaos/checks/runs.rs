//! Every backtest has ended as it may, and each completed one has the ledger and the result of a run that nobody disturbed.

use std::time::Duration;

use domain::event::RecordedEvent;
use infra::postgres::{
    EventStore,
    event_store::{Append, NewEvent, Priority, StreamAppend},
};
use tests::Backtrail;

use super::log::{Happened, Log};
use crate::{ship::until, world::World};

/// How the runs ended.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    pub(crate) completed: Vec<String>,
    pub(crate) cancelled: usize,
    /// Before they had ended.
    pub(crate) deleted: usize,
    pub(crate) attempts: usize,
    /// Runs that more than one attempt was made at.
    pub(crate) repeated: usize,
}

/// For one run; the undisturbed ones are many.
const PATIENCE: Duration = Duration::from_secs(10);
const LEDGER_MAX: i64 = 10_000_000;

/// Says which runs have not ended, or not as they may.
pub(crate) fn ends(world: &World, log: &Log) -> Ends {
    let mut ends = Ends::default();
    for (id, story) in log.stories("backtest") {
        let claims = story.iter().filter(|event| event.event_type == "BacktestClaimed").count();
        ends.attempts += claims;
        ends.repeated += usize::from(claims > 1);
        let finals: Vec<&Happened> = story.iter().filter(|event| is_final(event)).collect();
        match finals.as_slice() {
            [end] => match (end.event_type.as_str(), end.code.as_deref()) {
                ("BacktestCompleted", _) => ends.completed.push(id.to_owned()),
                ("BacktestCancelled", _) => ends.cancelled += 1,
                (_, code) => world.journal.wrong(&format!("{id} failed with {code:?}")),
            },
            [] if story.iter().any(|event| event.event_type == "BacktestDeleted") => {
                ends.deleted += 1;
            }
            [] => world.journal.wrong(&format!("{id} has not ended: {}", types(story))),
            _ => world.journal.wrong(&format!("{id} has ended twice: {}", types(story))),
        }
    }
    ends
}

fn is_final(event: &Happened) -> bool {
    ["BacktestCompleted", "BacktestFailed", "BacktestCancelled"]
        .contains(&event.event_type.as_str())
}

fn types(story: &[Happened]) -> String {
    let types: Vec<&str> = story.iter().map(|event| event.event_type.as_str()).collect();
    types.join(", ")
}

/// Runs all that completed once more, ids included, in a database of their own where nobody disturbs them, and compares byte
/// by byte. Answers how many ledger entries were compared.
pub(crate) async fn compare_with_undisturbed(world: &World, completed: &[String]) -> usize {
    let database = world.cluster.database().await;
    let backtrail = Backtrail::new(crate::BACKTRAIL)
        .with("BACKTRAIL_DATABASE__URL", &database.url)
        .with("BACKTRAIL_EXECUTOR__LEASE_MS", "600000")
        .with("BACKTRAIL_EXECUTOR__RUNNING_PER_USER_MAX", "10000");
    tokio::task::block_in_place(|| {
        backtrail.import_days();
        backtrail.import_minutes();
    });
    let store = database.store();
    for id in completed {
        let events = world.store.read_stream("backtest", id, 0, 1).await.expect("the request");
        request_again(&store, events.into_iter().next().expect("a request")).await;
    }
    let executor =
        tokio::task::block_in_place(|| backtrail.serve_with(&["serve", "--roles", "executor"]));
    let mut entries_count = 0;
    for id in completed {
        let is_completed = async || result(&store, id).await.is_some();
        if until(PATIENCE, is_completed).await.is_none() {
            world.journal.wrong(&format!("the undisturbed run of {id} does not complete"));
            continue;
        }
        let (ledger, expected) = (ledger(&world.store, id).await, ledger(&store, id).await);
        entries_count += ledger.len();
        if let Some(difference) = difference(&ledger, &expected) {
            world.journal.wrong(&format!("the ledger of {id}: {difference}"));
        }
        if result(&world.store, id).await != result(&store, id).await {
            world.journal.wrong(&format!("the result of {id} differs from an undisturbed run's"));
        }
    }
    executor.kill();
    entries_count
}

async fn request_again(store: &EventStore, requested: RecordedEvent) {
    let stream = StreamAppend {
        aggregate_type: "backtest",
        aggregate_id: requested.aggregate_id,
        expected_sequence: 0,
        events: vec![NewEvent {
            event_type: requested.event_type,
            event_version: requested.event_version,
            payload: requested.payload,
        }],
    };
    let append = Append {
        streams: vec![stream],
        metadata: serde_json::from_str(&requested.metadata).expect("metadata"),
        command: None,
        reservations: Vec::new(),
        priority: Priority::Interactive,
    };
    store.append(append).await.expect("a request");
}

/// Type, version and payload of each entry.
async fn ledger(store: &EventStore, id: &str) -> Vec<[String; 3]> {
    let entries = store.read_stream("ledger", id, 0, LEDGER_MAX).await.expect("a ledger");
    let parts = |entry: RecordedEvent| [entry.event_type, entry.event_version, entry.payload];
    entries.into_iter().map(parts).collect()
}

/// The payload of its completion.
async fn result(store: &EventStore, id: &str) -> Option<String> {
    let events = store.read_stream("backtest", id, 0, 1_000).await.expect("a backtest");
    let mut completed = events.into_iter().filter(|event| event.event_type == "BacktestCompleted");
    completed.next().map(|event| event.payload)
}

fn difference(found: &[[String; 3]], expected: &[[String; 3]]) -> Option<String> {
    if found.len() != expected.len() {
        return Some(format!("{} entries, where {} are right", found.len(), expected.len()));
    }
    let differs = found.iter().zip(expected).position(|(found, expected)| found != expected)?;
    Some(format!(
        "entry {}: {:?}, where {:?} is right",
        differs + 1,
        found[differs],
        expected[differs]
    ))
}
