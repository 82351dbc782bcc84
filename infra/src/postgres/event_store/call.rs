//! Calls `append_events`: turns appends into columns, and the row that it returns into outcomes.

use deadpool_postgres::Object;
use domain::ids::UserId;
use metrics::histogram;
use tokio::time::Instant;
use tokio_postgres::{Row, types::ToSql};
use ulid::Ulid;
use uuid::Uuid;

use super::append::{Append, CommandKey, Outcome, ReservationAction, StreamAppend};
use crate::{postgres::database::DatabaseError, telemetry};

/// An append with everything that must be the same when it is sent again.
#[derive(Debug)]
pub(super) struct Prepared {
    pub append: Append,
    command: CommandKey,
    metadata: String,
    event_ids: Vec<Uuid>,
}

impl Prepared {
    pub(super) fn new(append: Append) -> Result<Self, DatabaseError> {
        for (i, stream) in append.streams.iter().enumerate() {
            let is_same = |other: &&StreamAppend| {
                (other.aggregate_type, &other.aggregate_id)
                    == (stream.aggregate_type, &stream.aggregate_id)
            };
            let earlier = append.streams[..i].iter().rfind(is_same);
            let after = |earlier: &StreamAppend| {
                i64::try_from(earlier.events.len()).map(|count| earlier.expected_sequence + count)
            };
            if earlier.is_some_and(|earlier| after(earlier) != Ok(stream.expected_sequence)) {
                let (kind, id) = (stream.aggregate_type, &stream.aggregate_id);
                return Err(DatabaseError::Corrupt(format!(
                    "an append names the stream {kind} {id} twice, and the second time not as it goes on"
                )));
            }
        }
        let metadata = serde_json::to_string(&append.metadata)
            .map_err(|error| DatabaseError::Corrupt(format!("metadata: {error}")))?;
        Ok(Self {
            command: append.command.clone().unwrap_or_else(fresh_command),
            metadata,
            event_ids: (0..append.events_count()).map(|_| Ulid::generate().into()).collect(),
            append,
        })
    }

    fn events_count(&self) -> i64 {
        self.event_ids.len() as i64
    }
}

/// A unique id, by which the append is recognised if its connection is lost.
fn fresh_command() -> CommandKey {
    CommandKey {
        owner_id: UserId::new(Uuid::nil()),
        route: String::new(),
        key: Ulid::generate().to_string(),
        body_hash: Vec::new(),
        aggregate_id: String::new(),
    }
}

/// Appends the group in one statement. After a lost connection `is_resent` says that the group may have been done already.
pub(super) async fn append_events(
    client: &Object,
    group: &[&Prepared],
    is_resent: bool,
) -> Result<Vec<Outcome>, DatabaseError> {
    let asked = Instant::now();
    let statement = client.prepare_cached(CALL).await?;
    let columns = Columns::of(group);
    let row = client.query_one(&statement, &columns.parameters()).await?;
    histogram!(telemetry::APPEND_SECONDS).record(asked.elapsed());
    histogram!(telemetry::APPEND_GROUP_EVENTS).record(columns.event_ids.len() as f64);
    // None of an older schema.
    if let Some(wait_us) = row.try_get::<_, Option<i64>>(7)? {
        histogram!(telemetry::APPEND_LOCK_WAIT_SECONDS).record(wait_us as f64 / 1e6);
    }
    outcomes(&row, group, is_resent)
}

const CALL: &str = "SELECT base_position, lost_appends, lost_reasons, lost_positions, lost_subjects, lost_details, \
                           lost_body_hashes, current_setting('backtrail.lock_wait_us', true)::bigint \
                    FROM append_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)";

/// The parameters of the function, one vector each.
#[derive(Default)]
struct Columns<'a> {
    // Of appends.
    event_counts: Vec<i32>,
    owners: Vec<Uuid>,
    routes: Vec<&'a str>,
    keys: Vec<&'a str>,
    body_hashes: Vec<&'a [u8]>,
    command_aggregate_ids: Vec<&'a str>,
    // Of events.
    aggregate_types: Vec<&'a str>,
    aggregate_ids: Vec<&'a str>,
    sequences: Vec<i64>,
    event_types: Vec<&'a str>,
    event_versions: Vec<&'a str>,
    payloads: Vec<&'a str>,
    metadatas: Vec<&'a str>,
    event_ids: Vec<Uuid>,
    // Of reservations.
    reservation_appends: Vec<i32>,
    reservation_kinds: Vec<&'a str>,
    reservation_owners: Vec<Uuid>,
    reservation_names: Vec<&'a str>,
    reservation_aggregate_ids: Vec<&'a str>,
    reservation_takes: Vec<bool>,
}

impl<'a> Columns<'a> {
    fn of(group: &[&'a Prepared]) -> Self {
        let mut columns = Self::default();
        for (prepared, number) in group.iter().zip(1..) {
            columns.add_command(prepared);
            columns.add_events(prepared);
            for reservation in &prepared.append.reservations {
                columns.reservation_appends.push(number);
                columns.reservation_kinds.push(reservation.kind);
                columns.reservation_owners.push(reservation.owner_id.uuid());
                columns.reservation_names.push(&reservation.name);
                columns.reservation_aggregate_ids.push(&reservation.aggregate_id);
                columns.reservation_takes.push(reservation.action == ReservationAction::Take);
            }
        }
        columns
    }

    fn add_command(&mut self, prepared: &'a Prepared) {
        let command = &prepared.command;
        self.event_counts.push(prepared.event_ids.len() as i32);
        self.owners.push(command.owner_id.uuid());
        self.routes.push(&command.route);
        self.keys.push(&command.key);
        self.body_hashes.push(&command.body_hash);
        self.command_aggregate_ids.push(&command.aggregate_id);
    }

    fn add_events(&mut self, prepared: &'a Prepared) {
        for stream in &prepared.append.streams {
            for (event, sequence) in stream.events.iter().zip(stream.expected_sequence + 1..) {
                self.aggregate_types.push(stream.aggregate_type);
                self.aggregate_ids.push(&stream.aggregate_id);
                self.sequences.push(sequence);
                self.event_types.push(&event.event_type);
                self.event_versions.push(&event.event_version);
                self.payloads.push(&event.payload);
                self.metadatas.push(&prepared.metadata);
            }
        }
        self.event_ids.extend(&prepared.event_ids);
    }

    fn parameters(&self) -> [&(dyn ToSql + Sync); 20] {
        [
            &self.event_counts,
            &self.owners,
            &self.routes,
            &self.keys,
            &self.body_hashes,
            &self.command_aggregate_ids,
            &self.aggregate_types,
            &self.aggregate_ids,
            &self.sequences,
            &self.event_types,
            &self.event_versions,
            &self.payloads,
            &self.metadatas,
            &self.event_ids,
            &self.reservation_appends,
            &self.reservation_kinds,
            &self.reservation_owners,
            &self.reservation_names,
            &self.reservation_aggregate_ids,
            &self.reservation_takes,
        ]
    }
}

/// What the row says about each append, in their order.
fn outcomes(
    row: &Row,
    group: &[&Prepared],
    is_resent: bool,
) -> Result<Vec<Outcome>, DatabaseError> {
    let base_position: i64 = row.try_get(0)?;
    let mut lost = Lost {
        appends: row.try_get(1)?,
        reasons: row.try_get(2)?,
        positions: row.try_get(3)?,
        subjects: row.try_get(4)?,
        details: row.try_get(5)?,
        body_hashes: row.try_get(6)?,
    };
    let mut last_position = base_position;
    let mut outcomes = Vec::with_capacity(group.len());
    for (prepared, number) in group.iter().zip(1..) {
        let outcome = match lost.appends.iter().position(|append| *append == number) {
            Some(index) => lost.outcome(index, prepared, is_resent)?,
            None => {
                let first_position = last_position + 1;
                last_position += prepared.events_count();
                Outcome::Appended { first_position, last_position }
            }
        };
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// The losers' columns.
struct Lost {
    appends: Vec<i32>,
    reasons: Vec<String>,
    positions: Vec<i64>,
    subjects: Vec<String>,
    details: Vec<String>,
    body_hashes: Vec<Vec<u8>>,
}

impl Lost {
    fn outcome(
        &mut self,
        index: usize,
        prepared: &Prepared,
        is_resent: bool,
    ) -> Result<Outcome, DatabaseError> {
        match self.reasons[index].as_str() {
            "duplicate" => {
                let position = self.positions[index];
                let aggregate_id = std::mem::take(&mut self.subjects[index]);
                let body_hash = std::mem::take(&mut self.body_hashes[index]);
                let command = &prepared.command;
                // Ours: done by the call whose response was lost.
                if is_resent
                    && aggregate_id == command.aggregate_id
                    && body_hash == command.body_hash
                {
                    return Ok(Outcome::Appended {
                        first_position: position - prepared.events_count() + 1,
                        last_position: position,
                    });
                }
                Ok(Outcome::Duplicate { position, aggregate_id, body_hash })
            }
            "conflict" => Ok(Outcome::Conflict),
            "taken" => Ok(Outcome::Taken {
                kind: std::mem::take(&mut self.subjects[index]),
                name: std::mem::take(&mut self.details[index]),
            }),
            other => Err(DatabaseError::Corrupt(format!("the outcome `{other}`"))),
        }
    }
}
