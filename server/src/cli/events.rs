//! `backtrail events`: prints the event log as text or JSON lines, once or as it grows.

use std::time::Duration;

use chrono::SecondsFormat;
use domain::{aggregates::catalogue, event::RecordedEvent};
use infra::postgres::EventStore;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    backend::{Access, Backend},
    config::Config,
    output, signals,
};

/// Events per read.
const BATCH: i64 = 1_000;
/// The last digits of an id, which are random, tell aggregates apart.
const ID_DIGITS_SHOWN: usize = 8;
/// How long `--follow` sleeps without a wake-up, which is only a hint.
const POLL: Duration = Duration::from_millis(200);

/// Print the event log, in order of position.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  backtrail events --follow\n  backtrail events --aggregate backtest --after 120 --format json"
)]
pub(super) struct Arguments {
    /// Keep printing events as they are appended, until Ctrl-C.
    #[arg(long)]
    follow: bool,
    /// Only events of one aggregate type or of one aggregate: `backtest`, `strategy/0192…`. The last digits of an id will do, as the text shows them.
    #[arg(long, value_name = "TYPE[/ID]")]
    aggregate: Option<String>,
    /// Only events after this position.
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    after: i64,
    /// Print the JSON Schemas of all events instead, as one JSON array.
    #[arg(long, conflicts_with_all = ["follow", "aggregate", "after", "format"])]
    schemas: bool,
    /// One line per event: a short text without the payload, or JSON with all of it. Defaults to text on a terminal and to JSON otherwise.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) async fn run(config: &Config, arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.schemas {
        let schemas: Vec<_> = catalogue().into_iter().map(|entry| entry.schema).collect();
        return Ok(output::line(&serde_json::to_string_pretty(&schemas)?)?);
    }
    let mut stop = signals::watch_for_stop()?;
    let backend = Backend::open(config, Access::Existing).await?;
    let store = EventStore::start(backend.database.clone());
    let printed = tokio::select! {
        printed = print(&store, arguments) => printed,
        () = signals::stopped(&mut stop) => Ok(()),
    };
    drop(store);
    backend.finish(printed).await
}

async fn print(store: &EventStore, arguments: &Arguments) -> anyhow::Result<()> {
    let format = arguments.format.unwrap_or(match output::is_terminal() {
        true => Format::Text,
        false => Format::Json,
    });
    let mut source = Source::new(store, arguments);
    let mut wakeups = store.wakeups();
    loop {
        let (events, is_end) = source.next().await?;
        for event in &events {
            output::line(&render(event, format)?)?;
        }
        if !is_end {
            continue;
        }
        if !arguments.follow {
            return Ok(());
        }
        wait(&mut wakeups).await;
    }
}

/// Waits until the log may have grown.
async fn wait(wakeups: &mut watch::Receiver<u64>) {
    match tokio::time::timeout(POLL, wakeups.changed()).await {
        Ok(Ok(())) | Err(_) => {}
        Ok(Err(_)) => tokio::time::sleep(POLL).await,
    }
}

/// Where the events come from: the log, filtered by type and end of id, or one stream.
struct Source<'a> {
    store: &'a EventStore,
    aggregate_type: Option<&'a str>,
    /// The id of one stream.
    aggregate_id: Option<&'a str>,
    /// The last digits of an id.
    id_end: Option<&'a str>,
    after: i64,
    sequence: i64,
}

impl<'a> Source<'a> {
    fn new(store: &'a EventStore, arguments: &'a Arguments) -> Self {
        let (aggregate_type, aggregate_id) = match arguments.aggregate.as_deref() {
            Some(aggregate) => match aggregate.split_once('/') {
                Some((aggregate_type, id)) => (Some(aggregate_type), Some(id)),
                None => (Some(aggregate), None),
            },
            None => (None, None),
        };
        let is_whole = |id: &&str| id.parse::<Uuid>().is_ok();
        let id_end = aggregate_id.filter(|id| !is_whole(id)).map(|id| id.trim_start_matches('…'));
        let aggregate_id = aggregate_id.filter(is_whole);
        Self { store, aggregate_type, aggregate_id, id_end, after: arguments.after, sequence: 0 }
    }

    /// Returns the next matching events, and whether the end of the log has been reached.
    async fn next(&mut self) -> anyhow::Result<(Vec<RecordedEvent>, bool)> {
        let mut events = match (self.aggregate_type, self.aggregate_id) {
            (Some(kind), Some(id)) => {
                self.store.read_stream(kind, id, self.sequence, BATCH).await?
            }
            _ => self.store.read_after(self.after, BATCH).await?,
        };
        let is_end = events.len() < usize::try_from(BATCH)?;
        let after = self.after;
        if let Some(last) = events.last() {
            self.sequence = last.sequence;
            self.after = self.after.max(last.position);
        }
        events.retain(|event| {
            event.position > after
                && self.aggregate_type.is_none_or(|kind| kind == event.aggregate_type)
                && self.id_end.is_none_or(|end| event.aggregate_id.ends_with(end))
        });
        Ok((events, is_end))
    }
}

/// An event in the API's shape, payload and metadata as stored.
#[derive(Serialize)]
struct EventLine<'a> {
    position: i64,
    id: String,
    aggregate_type: &'a str,
    aggregate_id: &'a str,
    sequence: i64,
    #[serde(rename = "type")]
    event_type: &'a str,
    version: &'a str,
    payload: &'a RawValue,
    metadata: &'a RawValue,
    recorded_at: String,
}

fn render(event: &RecordedEvent, format: Format) -> serde_json::Result<String> {
    match format {
        Format::Text => Ok(text(event)),
        Format::Json => serde_json::to_string(&EventLine {
            position: event.position,
            id: event.event_id.to_string(),
            aggregate_type: &event.aggregate_type,
            aggregate_id: &event.aggregate_id,
            sequence: event.sequence,
            event_type: &event.event_type,
            version: &event.event_version,
            payload: serde_json::from_str(&event.payload)?,
            metadata: serde_json::from_str(&event.metadata)?,
            recorded_at: event.recorded_at.to_rfc3339_opts(SecondsFormat::Micros, true),
        }),
    }
}

/// One line that fits a terminal of 80 columns: position, time (UTC), aggregate, sequence and type.
fn text(event: &RecordedEvent) -> String {
    let id: Vec<char> = event.aggregate_id.chars().collect();
    let end: String = id[id.len().saturating_sub(ID_DIGITS_SHOWN)..].iter().collect();
    format!(
        "{:>7} {} {:<18} {:>3} {}",
        event.position,
        event.recorded_at.format("%Y-%m-%d %H:%M:%S"),
        format!("{}/…{end}", event.aggregate_type),
        event.sequence,
        event.event_type
    )
}

#[cfg(test)]
mod tests {
    use domain::event::Decoded;

    use super::*;

    #[test]
    fn a_line_of_text_is_short_whatever_the_payload() {
        for entry in catalogue() {
            let event = RecordedEvent {
                position: 1_234_567,
                event_id: Default::default(),
                aggregate_type: entry.aggregate_type.to_owned(),
                aggregate_id: "0192d3a5-0000-7000-8000-0000feedbee5".to_owned(),
                sequence: 100,
                event_type: entry.event_type.to_owned(),
                event_version: "1.0".to_owned(),
                payload: "x".repeat(10_000),
                metadata: "{}".to_owned(),
                recorded_at: chrono::DateTime::UNIX_EPOCH,
                decoded: Decoded::default(),
            };
            let line = text(&event);
            assert!(line.chars().count() <= 80, "{line}");
            let aggregate = format!("{}/…feedbee5", entry.aggregate_type);
            assert!(line.contains(&aggregate) && line.ends_with(&event.event_type), "{line}");
        }
    }
}
