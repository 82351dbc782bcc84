//! `/events` and `/backtests/{id}/events`: what happened to one's own.

use domain::event::{Metadata, RecordedEvent};
use infra::postgres::event_store::{Direction, EventFilter};
use poem::http::header;
use poem_openapi::{Object, OpenApi, param::Path};
use serde::Serialize;
use serde_json::Value;

use super::{Chapter, backtests};
use crate::http::{
    caller::Caller,
    error::ApiError,
    fields::{Field, Fields, Input, Kind, field},
    query::{self, Paging, Query},
    response::{List, WithHeaders as _},
    values::{DayEnd, time_text},
};

/// What happened to one's own.
pub(crate) struct Events;

/// A recorded event.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Event")]
pub(crate) struct EventResource {
    /// Place in the whole log.
    position: i64,
    /// A ULID.
    id: String,
    aggregate_type: String,
    aggregate_id: String,
    /// Place in its stream.
    sequence: i64,
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    kind: String,
    version: String,
    payload: Value,
    metadata: EventMetadata,
    recorded_at: String,
}

/// Who caused an event, and by which request.
#[derive(Debug, Serialize, Object)]
pub(crate) struct EventMetadata {
    /// `user:<id>` or `system:<name>`.
    actor: String,
    correlation_id: Option<String>,
    causation_id: Option<String>,
    request_id: Option<String>,
}

impl EventResource {
    fn new(event: RecordedEvent) -> Result<Self, ApiError> {
        let metadata: Metadata =
            serde_json::from_str(&event.metadata).map_err(ApiError::internal)?;
        Ok(Self {
            position: event.position,
            id: event.event_id.to_string(),
            aggregate_type: event.aggregate_type,
            aggregate_id: event.aggregate_id,
            sequence: event.sequence,
            kind: event.event_type,
            version: event.event_version,
            payload: serde_json::from_str(&event.payload).map_err(ApiError::internal)?,
            metadata: EventMetadata {
                actor: metadata.actor,
                correlation_id: metadata.correlation_id,
                causation_id: metadata.causation_id,
                request_id: metadata.request_id,
            },
            recorded_at: time_text(event.recorded_at),
        })
    }
}

/// Which events a list shows.
pub(crate) struct EventQuery {
    filter: EventFilter,
    paging: Paging,
}

const AFTER: Field = field("after", Kind::Integer, "A position: only those after it.");
const DIRECTION: Field =
    field("direction", Kind::OneOf(&["forward", "backward"]), "`forward` unless told.");
const EVENT_TYPE: Field = field("event_type", Kind::Text, "Only of that type: `TradeClosed`.");
const FROM: Field = field("from", Kind::Time, "Recorded then or later.");
const TO: Field = field("to", Kind::Time, "Recorded then or before.");

impl Input for EventQuery {
    const NAME: &'static str = "EventQuery";
    const FIELDS: &'static [Field] = &[
        AFTER,
        field("aggregate_type", Kind::Text, "`strategy`, `backtest` or `ledger`."),
        field("aggregate_id", Kind::Text, "Only of that strategy, backtest or ledger."),
        EVENT_TYPE,
        field("actor", Kind::Text, "`user:<id>` or `system:<name>`."),
        field("correlation_id", Kind::Text, "Only what follows from one request."),
        FROM,
        TO,
        DIRECTION,
        query::LIMIT,
        query::PER_PAGE,
        query::CURSOR,
    ];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let paging = Paging::read(fields);
        let after = match paging.cursor().map(str::parse::<i64>) {
            Some(Ok(position)) => Some(position),
            Some(Err(_)) => {
                fields.error("cursor", "invalid", "The cursor is not valid.");
                None
            }
            None => fields.integer(&["after"], 0, i64::MAX),
        };
        let direction = match fields.one_of("direction", &["forward", "backward"]) {
            Some("backward") => Direction::Backward,
            _ => Direction::Forward,
        };
        let filter = EventFilter {
            after,
            aggregate_type: fields.text(&["aggregate_type"], 60),
            aggregate_id: fields.text(&["aggregate_id"], 60),
            event_type: fields.text(&["event_type"], 60),
            actor: fields.text(&["actor"], 100),
            correlation_id: fields.text(&["correlation_id"], 60),
            from: fields.time(&["from"], DayEnd::Start),
            to: fields.time(&["to"], DayEnd::End),
            owner_id: None,
            direction,
        };
        Some(Self { filter, paging })
    }
}

/// The events of one run that a list shows.
pub(crate) struct RunEventQuery(EventQuery);

impl Input for RunEventQuery {
    const NAME: &'static str = "RunEventQuery";
    const FIELDS: &'static [Field] =
        &[AFTER, EVENT_TYPE, FROM, TO, DIRECTION, query::LIMIT, query::PER_PAGE, query::CURSOR];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        EventQuery::read(fields).map(Self)
    }
}

async fn list(caller: &Caller, query: EventQuery) -> Result<List<EventResource>, ApiError> {
    let EventQuery { filter, paging } = query;
    let mut events = caller.api.store.read_filtered(&filter, paging.limit() + 1).await?;
    let shown = usize::try_from(paging.limit()).unwrap_or(usize::MAX);
    let is_full = events.len() > shown;
    events.truncate(shown);
    let next = events.last().filter(|_| is_full).map(|event| event.position.to_string());
    let rows = events.into_iter().map(EventResource::new).collect::<Result<_, _>>()?;
    let list = List::new(&paging, rows, None, next);
    // Events never change, and a full page that reads forward never does either.
    Ok(match (is_full, filter.direction) {
        (true, Direction::Forward) => {
            list.with_header(header::CACHE_CONTROL, "private, max-age=31536000, immutable")
        }
        (_, Direction::Forward | Direction::Backward) => list,
    })
}

#[OpenApi(tag = "Chapter::Events")]
impl Events {
    /// Lists the events of one's own strategies, backtests and ledgers.
    #[oai(path = "/events", method = "get", operation_id = "listEvents")]
    async fn list(
        &self,
        caller: Caller,
        query: Query<EventQuery>,
    ) -> Result<List<EventResource>, ApiError> {
        let mut query = query.0;
        query.filter.owner_id = Some(caller.user.id);
        list(&caller, query).await
    }

    /// Lists the events of a run: its lifecycle and its ledger.
    #[oai(path = "/backtests/:id/events", method = "get", operation_id = "listBacktestEvents")]
    async fn of_backtest(
        &self,
        caller: Caller,
        id: Path<String>,
        query: Query<RunEventQuery>,
    ) -> Result<List<EventResource>, ApiError> {
        let row = backtests::find(&caller, &id.0).await?;
        let RunEventQuery(mut query) = query.0;
        query.filter.aggregate_id = Some(row.id.to_string());
        list(&caller, query).await
    }
}
