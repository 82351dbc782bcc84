//! Three processes of six writers each; one of them is killed again and again.

use std::{
    process::Stdio,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use infra::postgres::{Database, EventStore, event_store::Outcome};
use rand::Rng;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    task::JoinSet,
};

use crate::store::{append_to, tally::Tally};

const PROCESSES: usize = 3;
const WRITERS: usize = 6;
/// Streams that all writers of all processes contend for.
const SHARED_STREAMS: usize = 4;
/// Tells this binary, run again by the oracle, where to write and for how long.
const URL: &str = "BACKTRAIL_ORACLE_URL";
const DURATION_MS: &str = "BACKTRAIL_ORACLE_DURATION_MS";

/// What a writer was told.
#[derive(Debug, Clone)]
pub(super) struct Acknowledged {
    pub first_position: i64,
    pub last_position: i64,
    pub events_count: usize,
    pub streams: Vec<String>,
}

impl Acknowledged {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("acknowledged ")?.split(' ');
        Some(Self {
            first_position: words.next()?.parse().ok()?,
            last_position: words.next()?.parse().ok()?,
            events_count: words.next()?.parse().ok()?,
            streams: words.map(str::to_owned).collect(),
        })
    }
}

/// Runs the processes, killing one at a time at random moments and starting it anew; returns all that they were told.
pub(super) async fn run(url: &str, duration: Duration) -> Vec<Acknowledged> {
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let started = Instant::now();
    let left = || duration.saturating_sub(started.elapsed());
    let mut listeners = JoinSet::new();
    let mut start = || {
        let mut child = process(url, left());
        let stdout = child.stdout.take().unwrap();
        let acknowledged = acknowledged.clone();
        listeners.spawn(async move {
            let mut lines = BufReader::new(stdout).lines();
            while let Some(line) = lines.next_line().await.unwrap() {
                acknowledged.lock().unwrap().extend(Acknowledged::parse(&line));
            }
        });
        child
    };
    let mut children: Vec<Child> = (0..PROCESSES).map(|_| start()).collect();
    let mut kills = 0;
    while left() > Duration::from_secs(2) {
        tokio::time::sleep(Duration::from_millis(rand::rng().random_range(500..1500))).await;
        let victim = kills % PROCESSES;
        // SIGKILL.
        children[victim].kill().await.unwrap();
        children[victim] = start();
        kills += 1;
    }
    assert!(kills >= 3, "only {kills} processes were killed");
    for mut child in children {
        assert!(child.wait().await.unwrap().success(), "a writer failed");
    }
    listeners.join_all().await;
    Arc::into_inner(acknowledged).unwrap().into_inner().unwrap()
}

fn process(url: &str, duration: Duration) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            "store::oracle::writers::the_oracle_starts_this_binary_as_writers",
        ])
        .env(URL, url)
        .env(DURATION_MS, duration.as_millis().to_string())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Does nothing when the oracle did not start it.
#[tokio::test(flavor = "multi_thread")]
async fn the_oracle_starts_this_binary_as_writers() {
    let (Ok(url), Ok(duration)) = (std::env::var(URL), std::env::var(DURATION_MS)) else { return };
    let deadline = Instant::now() + Duration::from_millis(duration.parse().unwrap());
    let store = EventStore::start(Database::connect(&url, 4).await.unwrap());
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(write(store.clone(), format!("{}-{writer}", std::process::id()), deadline));
    }
    writers.join_all().await;
}

/// Appends to a separate stream, sometimes together with a shared one, with pauses.
async fn write(store: EventStore, own: String, deadline: Instant) {
    let mut own_sequence = 0;
    while Instant::now() < deadline {
        let (count, is_shared, pause, shared) = {
            let mut random = rand::rng();
            let shared = format!("shared-{}", random.random_range(0..SHARED_STREAMS));
            let pause = if random.random_bool(0.2) { random.random_range(1..50) } else { 0 };
            (random.random_range(1..40), random.random_bool(0.4), pause, shared)
        };
        let mut append = append_to(&own, own_sequence, count);
        let mut streams = own.clone();
        if is_shared {
            // A reader's connection may have been killed.
            let Ok(loaded) = store.load::<Tally>(&shared).await else { continue };
            append.streams.extend(append_to(&shared, loaded.sequence, 2).streams);
            streams = format!("{own} {shared}");
        }
        let events_count = append.events_count();
        match store.append(append).await.unwrap() {
            Outcome::Appended { first_position, last_position } => {
                own_sequence += count as i64;
                println!("acknowledged {first_position} {last_position} {events_count} {streams}");
            }
            Outcome::Conflict => assert!(is_shared, "a stream of one's own is contended"),
            other @ (Outcome::Duplicate { .. } | Outcome::Taken { .. }) => panic!("{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}
