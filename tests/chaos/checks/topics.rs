//! The distinct events of each topic are those of the log, and first come in the order of their key.

use std::collections::BTreeMap;

use rdkafka::message::Message;
use tests::kafka::{TopicReader, header, key};

use super::log::{Log, hash};
use crate::world::{Kafka, World};

/// Messages of all topics, and how many of them brought nothing new.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) messages: usize,
    pub(crate) duplicates: usize,
}

/// Reads all of them from their beginning.
pub(crate) fn check(world: &World, kafka: &Kafka, log: &Log) -> Counts {
    let mut counts = Counts::default();
    let mut seen = vec![false; log.entries.len()];
    // By topic and key.
    let mut sequences: BTreeMap<(String, String), i64> = BTreeMap::new();
    TopicReader::of_events(&kafka.options).read_to_end(|message| {
        counts.messages += 1;
        let number = |name| header(&message, name).and_then(|text| text.parse::<usize>().ok());
        let index = number("ce_position").and_then(|position| position.checked_sub(1));
        let Some((index, entry)) = index.and_then(|at| Some((at, log.entries.get(at)?))) else {
            return world.journal.wrong(&format!("a message of no event: {message:?}"));
        };
        let is_it = message.topic() == kafka.options.topic(&entry.aggregate_type)
            && key(&message) == entry.aggregate_id
            && number("ce_sequence").is_some_and(|sequence| sequence as i64 == entry.sequence)
            && hash(message.payload().unwrap_or_default()) == entry.payload;
        if !is_it {
            world.journal.wrong(&format!("a message unlike its event: {message:?}"));
        }
        if std::mem::replace(&mut seen[index], true) {
            counts.duplicates += 1;
            return;
        }
        let place = (message.topic().to_owned(), entry.aggregate_id.clone());
        let last = sequences.entry(place).or_default();
        if entry.sequence != *last + 1 {
            let (topic, id, found) = (message.topic(), &entry.aggregate_id, entry.sequence);
            world.journal.wrong(&format!("{topic} {id}: sequence {found} comes after {last}"));
        }
        *last = (*last).max(entry.sequence);
    });
    let missing = seen.iter().filter(|seen| !**seen).count();
    if missing > 0 {
        world.journal.wrong(&format!("{missing} events are in no topic"));
    }
    counts
}
