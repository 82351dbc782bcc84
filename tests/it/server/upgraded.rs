//! The database of an older binary: this one migrates it, reads all of it, and finishes what was at work.

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
};

use domain::{
    backtest::BacktestEvent,
    event::RecordedEvent,
    ledger::{LedgerEvent, hash::LedgerHasher},
    simulation::ENGINE_VERSION,
};
use infra::postgres::{Database, EventStore, event_store::EventFilter};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::{ANYONE, Backtrail, Remote, TestCluster, TestUser};

use super::fleet::until;
use crate::BACKTRAIL;

/// Beside the script that made them.
const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/upgrade");
const BACKTESTS: &str = "/api/v1/backtests";
const SWEEPS: &str = "/api/v1/sweeps";

/// What `make.py` noted of one user.
struct OldUser {
    user: TestUser,
    noted: Value,
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn unzipped(name: &str) -> Command {
    let mut command = Command::new("gzip");
    command.args(["-dc", &format!("{FIXTURE}/{name}")]).stdout(Stdio::piped());
    command
}

fn noted() -> Value {
    let output = unzipped("expected.json.gz").output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The dump in a cluster that has the roles; the leases of the killed executors have run out.
fn restore(cluster: &TestCluster) -> String {
    assert!(cluster.program("createdb").arg("upgraded").status().unwrap().success());
    let mut dump = unzipped("database.sql.gz").spawn().unwrap();
    let mut psql = cluster.program("psql");
    psql.args(["-Xq", "-v", "ON_ERROR_STOP=1", "-d", "upgraded"]);
    let restored = psql.stdin(dump.stdout.take().unwrap()).stdout(Stdio::null()).output().unwrap();
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    assert!(dump.wait().unwrap().success());
    for queue in ["run_queue", "sweep_queue"] {
        let expire =
            format!("UPDATE {queue} SET lease_until = now() WHERE lease_until IS NOT NULL");
        let mut psql = cluster.program("psql");
        assert!(psql.args(["-Xqc", &expire, "-d", "upgraded"]).status().unwrap().success());
    }
    cluster.url("upgraded")
}

async fn sign_in(remote: &Remote, noted: Value) -> OldUser {
    let email = text(&noted["email"]).to_owned();
    let body = json!({"email": email, "password": noted["password"]});
    let session = remote.post(&ANYONE, "/api/v1/sessions", body).await.expect(StatusCode::OK);
    let session = &session["data"];
    let token = Some(text(&session["token"]).to_owned());
    OldUser { user: TestUser { token, id: text(&session["user"]["id"]).to_owned(), email }, noted }
}

impl OldUser {
    /// `(id, status in the dump, body)` of everything under that path.
    fn jobs<'a>(&'a self, kind: &str, path: &str) -> Vec<(&'a str, &'a str, &'a Value)> {
        let jobs = self.noted[kind].as_array().unwrap().iter();
        jobs.map(|job| {
            let id = text(&job["id"]);
            let shown = &self.noted["shown"][format!("{path}/{id}")];
            (id, text(&shown["status"]), &job["body"])
        })
        .collect()
    }

    async fn read(&self, remote: &Remote, path: &str) -> Value {
        remote.get(&self.user, path).await.expect(StatusCode::OK)["data"].take()
    }

    async fn ended(&self, remote: &Remote, path: &str) -> Value {
        until(async || {
            let shown = self.read(remote, path).await;
            let is_over = !["pending", "running"].contains(&text(&shown["status"]));
            is_over.then_some(shown)
        })
        .await
    }

    /// Asks for the same once more; returns how it ended.
    async fn again(&self, remote: &Remote, path: &str, body: &Value) -> Value {
        let asked = remote.post(&self.user, path, body.clone()).await;
        let asked = asked.expect(StatusCode::ACCEPTED);
        let path = format!("{path}/{}", text(&asked["data"]["id"]));
        self.ended(remote, &path).await
    }
}

/// Everything that was shown is shown still; new fields may have come.
fn assert_shows(actual: &Value, expected: &Value, path: &str) {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => {
            for (name, expected) in expected {
                let actual = actual.get(name).unwrap_or(&Value::Null);
                assert_shows(actual, expected, &format!("{path} {name}"));
            }
        }
        (Value::Array(actual), Value::Array(expected)) => {
            assert_eq!(actual.len(), expected.len(), "{path}");
            for (index, (actual, expected)) in actual.iter().zip(expected).enumerate() {
                assert_shows(actual, expected, &format!("{path}[{index}]"));
            }
        }
        (actual, expected) => assert_eq!(actual, expected, "{path}"),
    }
}

/// A request that is run again has the same result, if the same engine ran it: another engine's results are its own.
fn assert_same_result(again: &Value, before: &Value) {
    assert_eq!(again["engine_version"], ENGINE_VERSION, "{again}");
    let engine = text(&before["engine_version"]);
    assert!([ENGINE_VERSION, "1"].contains(&engine), "{before}");
    if engine == ENGINE_VERSION && again["dataset"] == before["dataset"] {
        assert_eq!(again["result_hash"], before["result_hash"], "{before}");
        return;
    }
    // Engine 1 pinned the candles: the same ones, but for a shorter warm-up.
    let count = |run: &Value, name: &str| run["dataset"][name].as_u64().unwrap();
    let range = |run: &Value| {
        let rows = count(run, "rows") - count(run, "warmup_rows");
        (rows, run["dataset"]["revision"].clone(), run["dataset"]["last"].clone())
    };
    assert_eq!(range(again), range(before), "{before}");
    assert!(count(before, "warmup_rows") < count(again, "warmup_rows"), "{before}");
}

/// The log up to `position` by stream, `(type, id)`.
type Streams = BTreeMap<(String, String), Vec<RecordedEvent>>;

async fn streams(store: &EventStore) -> Streams {
    let mut streams = Streams::new();
    for event in store.read_filtered(&EventFilter::default(), 1_000_000).await.unwrap() {
        let key = (event.aggregate_type.clone(), event.aggregate_id.clone());
        streams.entry(key).or_default().push(event);
    }
    streams
}

/// The stream's last event ends the job.
fn has_ended(events: &[RecordedEvent]) -> bool {
    let last = &events.last().unwrap().event_type;
    ["Completed", "Failed", "Cancelled", "Deleted"].iter().any(|end| last.ends_with(end))
}

/// The hash that the run's completion names is that of the stored ledger; returns how many were checked.
fn verify_ledgers(streams: &Streams) -> usize {
    let mut checked = 0;
    for ((kind, id), events) in streams {
        let completed = events.iter().find(|event| event.event_type == "BacktestCompleted");
        let Some(completed) = completed.filter(|_| kind == "backtest") else { continue };
        let BacktestEvent::BacktestCompleted { ledger_hash, .. } = completed.decode().unwrap()
        else {
            panic!("{id}")
        };
        let mut hasher = LedgerHasher::default();
        for (at, entry) in streams[&("ledger".to_owned(), id.clone())].iter().enumerate() {
            assert_eq!(entry.sequence, i64::try_from(at).unwrap() + 1, "{id}");
            // As it is stored, and it can be read.
            hasher.add_stored(&entry.payload).unwrap();
            entry.decode::<LedgerEvent>().unwrap();
        }
        assert_eq!(hasher.finish().to_string(), ledger_hash, "{id}");
        checked += 1;
    }
    checked
}

/// What the read model of equity has left: it is no more.
async fn left_of_equity_curves(database: &Database) -> i64 {
    let sql = "SELECT (SELECT count(*) FROM pg_class WHERE relname ~ '^equity_curves')
                    + (SELECT count(*) FROM read_models.checkpoints WHERE table_name ~ '^equity_curves')";
    let client = database.get().await.unwrap();
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn the_database_of_an_older_binary_is_migrated_read_and_finished() {
    let cluster = TestCluster::private().await;
    let url = restore(&cluster);
    let backtrail = Backtrail::new(BACKTRAIL).with("BACKTRAIL_DATABASE__URL", &url);

    // Nothing is executed yet: everything is as it was shown.
    let front = backtrail.serve_with(&["serve", "--roles", "api,projector"]);
    let remote = Remote::new(front.address());
    remote.until_ready().await;
    let mut users = Vec::new();
    for noted in noted()["users"].as_array().unwrap() {
        users.push(sign_in(&remote, noted.clone()).await);
    }
    for user in &users {
        for (path, shown) in user.noted["shown"].as_object().unwrap() {
            assert_shows(&user.read(&remote, path).await, shown, path);
        }
    }
    let database = Database::connect(&url, 2).await.unwrap();
    assert_eq!(left_of_equity_curves(&database).await, 0);
    let store = EventStore::start(database);
    let before = streams(&store).await;
    assert_eq!(verify_ledgers(&before), 5, "one of them deleted");

    let executor = backtrail.serve_with(&["serve", "--roles", "executor,reaper"]);
    for user in &users {
        for (kind, path) in [("backtests", BACKTESTS), ("sweeps", SWEEPS)] {
            for (id, status, body) in user.jobs(kind, path) {
                let ended = user.ended(&remote, &format!("{path}/{id}")).await;
                let was_at_work = ["pending", "running"].contains(&status);
                let expected = if was_at_work { "completed" } else { status };
                assert_eq!(ended["status"], expected, "{path}/{id}: {ended}");
                // A run that was killed is resumed: its second attempt.
                let attempts = if status == "running" { 2 } else { 1 };
                if expected == "completed" {
                    assert_eq!(ended["attempt"], attempts, "{path}/{id}");
                    if !body.is_null() {
                        assert_same_result(&user.again(&remote, path, body).await, &ended);
                    }
                }
            }
        }
    }

    let after = streams(&store).await;
    assert_eq!(verify_ledgers(&after), 5 + 3 + 6, "those that were at work, and those run again");
    for (stream, events) in &before {
        let now = &after[stream];
        assert_eq!(&now[..events.len()], events, "{stream:?}");
        let is_job = ["backtest", "sweep"].contains(&stream.0.as_str());
        if is_job && has_ended(events) {
            assert_eq!(now.len(), events.len(), "{stream:?} had ended and was queued again");
        }
    }
    // Every job that began in the log has an end there, and the queues are empty.
    for ((kind, id), events) in &after {
        assert!(
            !["backtest", "sweep"].contains(&kind.as_str()) || has_ended(events),
            "{kind} {id}"
        );
    }
    remote.until_ready().await;
    assert!(executor.terminate().0.success());
    assert!(front.terminate().0.success());
}
