//! How events become the rows of sweeps; with a deleted sweep go its stored rows.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use domain::{
    event::RecordedEvent,
    ids::SweepId,
    job::Status,
    sweep::{SweepEvent, SweepRequest},
};
use futures_util::{FutureExt, future::BoxFuture};
use infra::postgres::DatabaseError;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    NAME, TABLE, results,
    row::{SweepRow, read},
};
use crate::{
    error::Poison,
    models::{
        lifecycle_rows::{self, Located},
        run_columns,
    },
    read_model::{Changes, Folded, ReadModel},
    sql::bulk::{self, Columns, definitions},
};

pub(crate) const READ_MODEL: ReadModel = ReadModel {
    name: NAME,
    table: TABLE,
    aggregates: &["sweep"],
    first_events_only: false,
    create,
    fold,
};

/// Every column but those of what pins the runs.
const COLUMNS: &Columns = &[
    ("id", "uuid PRIMARY KEY"),
    ("spec", "json NOT NULL"),
    ("combinations_count", "integer NOT NULL"),
    ("status", "text NOT NULL"),
    ("cancellation_requested_at", "timestamptz"),
    ("error_code", "text"),
    ("error_message", "text"),
    ("dataset", "json"),
    ("engine_version", "text"),
    ("result_hash", "text"),
    ("rows_count", "integer NOT NULL"),
    ("failed_rows_count", "integer NOT NULL"),
    ("winners", "json NOT NULL"),
    ("walk_forward", "json"),
    ("warnings", "json NOT NULL"),
    ("executor", "text"),
    ("attempt", "integer NOT NULL"),
    ("created_at", "timestamptz NOT NULL"),
    ("started_at", "timestamptz"),
    ("completed_at", "timestamptz"),
    ("updated_at", "timestamptz NOT NULL"),
    ("sequence", "bigint NOT NULL"),
    ("position", "bigint NOT NULL"),
];

/// Events of a batch, and the sweeps that they delete.
struct SweepChanges {
    events: Vec<Located<SweepEvent>>,
    deleted: Vec<Uuid>,
}

impl Changes for SweepChanges {
    fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    fn write<'a>(
        self: Box<Self>,
        transaction: &'a Transaction<'a>,
        table: &'a str,
    ) -> BoxFuture<'a, Result<(), DatabaseError>> {
        async move {
            let columns: Vec<&str> =
                COLUMNS.iter().chain(run_columns::COLUMNS).map(|(name, _)| *name).collect();
            let read = |row: &Row| read(row).map(|sweep| (sweep.id.uuid(), sweep));
            lifecycle_rows::update(transaction, table, &columns, self.events, read, apply).await?;
            bulk::delete(transaction, results::TABLE, "sweep_id", &self.deleted).await
        }
        .boxed()
    }
}

fn create(table: &str) -> String {
    format!(
        "CREATE TABLE read_models.{table} ({}); \
         CREATE INDEX {table}_owner ON read_models.{table} (owner_id, created_at, id);",
        definitions(&[COLUMNS, run_columns::COLUMNS].concat()),
    )
}

fn fold(events: &[&RecordedEvent]) -> Folded {
    let mut changes =
        SweepChanges { events: Vec::with_capacity(events.len()), deleted: Vec::new() };
    for recorded in events {
        let located = Located::new(recorded, recorded.decode()?)?;
        if located.event == (SweepEvent::SweepDeleted {}) {
            changes.deleted.push(located.id);
        }
        changes.events.push(located);
    }
    Ok(Box::new(changes))
}

fn apply(row: &mut Option<SweepRow>, located: Located<SweepEvent>) {
    let Located { id, sequence, position, recorded_at: now, event } = located;
    match event {
        SweepEvent::SweepRequested { request } => {
            *row = Some(requested(id, *request, sequence, position, now));
        }
        SweepEvent::SweepDeleted {} => *row = None,
        event @ (SweepEvent::SweepStarted { .. }
        | SweepEvent::SweepCompleted { .. }
        | SweepEvent::SweepFailed { .. }
        | SweepEvent::SweepCancellationRequested {}
        | SweepEvent::SweepCancelled {}) => {
            if let Some(sweep) = row {
                (sweep.sequence, sweep.position, sweep.updated_at) = (sequence, position, now);
                sweep.live(event, now);
            }
        }
    }
}

impl SweepRow {
    /// Returns the row that a sweep's own events make, without the read model; `None` after its deletion.
    ///
    /// # Errors
    /// An event that cannot be folded.
    pub fn of_events(events: &[RecordedEvent]) -> Result<Option<Self>, Poison> {
        lifecycle_rows::fold_one(events, |recorded| Ok(recorded.decode()?), apply)
    }

    fn live(&mut self, event: SweepEvent, now: DateTime<Utc>) {
        match event {
            SweepEvent::SweepRequested { .. } | SweepEvent::SweepDeleted {} => {}
            SweepEvent::SweepStarted { executor, attempt, dataset, engine_version } => {
                self.status = Status::Running;
                self.executor = Some(executor);
                self.attempt = attempt;
                self.dataset = Some(dataset);
                self.engine_version = Some(engine_version);
                self.started_at = self.started_at.or(Some(now));
            }
            SweepEvent::SweepCompleted { completion } => {
                self.status = Status::Completed;
                self.rows_count = completion.rows_count;
                self.failed_rows_count = completion.failed_rows_count;
                self.winners = completion.winners;
                self.walk_forward = completion.walk_forward;
                self.warnings = completion.warnings;
                self.result_hash = Some(completion.result_hash);
                self.completed_at = Some(now);
            }
            SweepEvent::SweepFailed { code, message } => {
                self.status = Status::Failed;
                self.error_code = Some(code);
                self.error_message = Some(message);
                self.completed_at = Some(now);
            }
            SweepEvent::SweepCancellationRequested {} => self.cancellation_requested_at = Some(now),
            SweepEvent::SweepCancelled {} => {
                self.status = Status::Cancelled;
                self.completed_at = Some(now);
            }
        }
    }
}

/// A sweep as its request made it.
fn requested(
    id: Uuid,
    SweepRequest { run, spec, combinations_count }: SweepRequest,
    sequence: i64,
    position: i64,
    now: DateTime<Utc>,
) -> SweepRow {
    SweepRow {
        id: SweepId::new(id),
        run: run.into(),
        spec,
        combinations_count,
        status: Status::Pending,
        cancellation_requested_at: None,
        error_code: None,
        error_message: None,
        dataset: None,
        engine_version: None,
        result_hash: None,
        rows_count: 0,
        failed_rows_count: 0,
        winners: Vec::new(),
        walk_forward: None,
        warnings: Vec::new(),
        executor: None,
        attempt: 0,
        created_at: now,
        started_at: None,
        completed_at: None,
        updated_at: now,
        sequence,
        position,
    }
}
