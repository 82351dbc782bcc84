//! The log at the end: dense positions, dense sequences, and the story of each strategy and backtest.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use serde_json::Value;

use crate::world::World;

/// The whole log, payloads by their hash.
pub(crate) struct Log {
    /// By position from 1.
    pub(crate) entries: Vec<Entry>,
    /// The events of each lifecycle, by aggregate type and id.
    pub(crate) stories: BTreeMap<(&'static str, String), Vec<Happened>>,
}

/// An event as the topics must show it.
pub(crate) struct Entry {
    pub(crate) aggregate_type: String,
    pub(crate) aggregate_id: String,
    pub(crate) sequence: i64,
    pub(crate) payload: u64,
}

/// An event of a lifecycle.
pub(crate) struct Happened {
    pub(crate) event_type: String,
    pub(crate) position: i64,
    /// Of a failure.
    pub(crate) code: Option<String>,
}

const PAGE: i64 = 5_000;
const LIFECYCLES: [&str; 2] = ["strategy", "backtest"];

impl Log {
    /// Reads all of it, and says what is wrong with its numbers.
    pub(crate) async fn read(world: &World) -> Self {
        let mut log = Self { entries: Vec::new(), stories: BTreeMap::new() };
        let mut sequences: BTreeMap<(String, String), i64> = BTreeMap::new();
        loop {
            let position = log.entries.len() as i64;
            let events = world.store.read_after(position, PAGE).await.expect("the log");
            if events.is_empty() {
                return log;
            }
            for (event, expected) in events.into_iter().zip(position + 1..) {
                let key = (event.aggregate_type.clone(), event.aggregate_id.clone());
                let last = sequences.entry(key).or_default();
                *last += 1;
                if event.position != expected || event.sequence != *last {
                    let text =
                        format!("position {expected}, sequence {last}: the log has {event:?}");
                    world.journal.wrong(&text);
                    return log;
                }
                log.tell(&event);
                log.entries.push(Entry {
                    sequence: event.sequence,
                    payload: hash(event.payload.as_bytes()),
                    aggregate_type: event.aggregate_type,
                    aggregate_id: event.aggregate_id,
                });
            }
        }
    }

    fn tell(&mut self, event: &domain::event::RecordedEvent) {
        let Some(kind) = LIFECYCLES.into_iter().find(|kind| *kind == event.aggregate_type) else {
            return;
        };
        let code = (event.event_type == "BacktestFailed").then(|| {
            let payload: Value = serde_json::from_str(&event.payload).expect("JSON");
            payload["code"].as_str().unwrap_or_default().to_owned()
        });
        let story = self.stories.entry((kind, event.aggregate_id.clone())).or_default();
        story.push(Happened {
            event_type: event.event_type.clone(),
            position: event.position,
            code,
        });
    }

    /// The stories of one kind of aggregate.
    pub(crate) fn stories(&self, kind: &str) -> impl Iterator<Item = (&str, &[Happened])> {
        let found = self.stories.iter().filter(move |((story, _), _)| *story == kind);
        found.map(|((_, id), story)| (id.as_str(), story.as_slice()))
    }
}

/// Where the events of that type lie.
pub(crate) fn positions(story: &[Happened], event_type: &str) -> Vec<i64> {
    let found = story.iter().filter(|event| event.event_type == event_type);
    found.map(|event| event.position).collect()
}

/// Enough to tell payloads apart.
pub(crate) fn hash(payload: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    payload.hash(&mut hasher);
    hasher.finish()
}
