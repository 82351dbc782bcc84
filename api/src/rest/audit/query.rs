//! Which events a list shows.

use domain::{
    aggregates::{AGGREGATE_TYPES, event_types},
    error_code::ErrorCode,
    ids::UserId,
};
use infra::postgres::event_store::{Direction, EventFilter};

use crate::http::{
    cursor::{Cursor, InvalidCursor},
    fields::{Field, Fields, Input, Kind, choices, field},
    paging::{self, Paging},
    values::{self, DayEnd},
};

/// Which events a list shows.
pub(crate) struct EventQuery {
    pub(crate) filter: EventFilter,
    pub(crate) paging: Paging,
}

const AFTER: Field =
    field("after", Kind::Integer(0, i64::MAX), "Returns only events after this position.");
const DIRECTION: Field =
    field("direction", Kind::OneOf(&["forward", "backward"]), "Defaults to `forward`.");
const EVENT_TYPE: Field =
    field("event_type", Kind::Text, "Filters by event type, such as `TradeClosed`.");
const FROM: Field = field("from", Kind::Time, "Recorded at or after this time.");
const TO: Field = field("to", Kind::Time, "Recorded at or before this time.");

impl Input for EventQuery {
    const NAME: &'static str = "EventQuery";
    const FIELDS: &'static [Field] = &[
        AFTER,
        field(
            "aggregate_type",
            Kind::OneOf(&AGGREGATE_TYPES),
            "Filters by the kind of what the events belong to.",
        ),
        field(
            "aggregate_id",
            Kind::Text,
            "Filters by the id of a strategy, backtest or sweep. A ledger has the id of its backtest.",
        ),
        EVENT_TYPE,
        field("actor", Kind::Text, "`user:<id>` or `system:<name>`."),
        field(
            "correlation_id",
            Kind::Text,
            "Filters by the request that caused the events, directly or indirectly.",
        ),
        FROM,
        TO,
        DIRECTION,
        paging::LIMIT,
        paging::PER_PAGE,
        paging::CURSOR,
    ];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let paging = Paging::read(fields);
        let after = match paging.cursor() {
            Some(Cursor::Event(position)) => Some(*position),
            Some(_) => {
                fields.error("cursor", ErrorCode::Invalid, InvalidCursor.to_string());
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
            aggregate_type: fields.one_of("aggregate_type", &AGGREGATE_TYPES).map(str::to_owned),
            aggregate_id: fields.parsed(&["aggregate_id"], values::id),
            event_type: read_event_type(fields),
            actor: read_actor(fields),
            correlation_id: fields.parsed(&["correlation_id"], values::id),
            from: fields.time(&["from"], DayEnd::Start),
            to: fields.time(&["to"], DayEnd::End),
            owner_id: None,
            direction,
        };
        if filter.from.zip(filter.to).is_some_and(|(from, to)| to < from) {
            fields.error("to", ErrorCode::OutOfRange, "`to` must not be before `from`.");
        }
        Some(Self { filter, paging })
    }
}

fn read_event_type(fields: &mut Fields<'_>) -> Option<String> {
    let text = fields.text(&["event_type"], 60)?;
    let known: Vec<&str> = event_types().map(|(_, event_type)| event_type).collect();
    if !known.contains(&text.as_str()) {
        let message = format!("There is no event type `{text}`.{}", choices(&text, &known));
        fields.error("event_type", ErrorCode::Invalid, message);
    }
    Some(text)
}

fn read_actor(fields: &mut Fields<'_>) -> Option<String> {
    fields.parsed(&["actor"], |value| {
        let text = value.as_str().unwrap_or_default();
        let user = text.strip_prefix("user:").and_then(|id| id.parse::<UserId>().ok());
        let is_system = text.strip_prefix("system:").is_some_and(|name| !name.is_empty());
        match user {
            Some(id) => Ok(format!("user:{id}")),
            None if is_system && text.len() <= 100 => Ok(text.to_owned()),
            None => Err("must be `user:<id>` or `system:<name>`".to_owned()),
        }
    })
}

/// Which events of one aggregate a list shows.
pub(crate) struct StreamEventQuery(EventQuery);

impl Input for StreamEventQuery {
    const NAME: &'static str = "StreamEventQuery";
    const FIELDS: &'static [Field] =
        &[AFTER, EVENT_TYPE, FROM, TO, DIRECTION, paging::LIMIT, paging::PER_PAGE, paging::CURSOR];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        EventQuery::read(fields).map(Self)
    }
}

impl StreamEventQuery {
    /// The events of the aggregates with that id; the caller has checked who may see them.
    pub(crate) fn of(self, aggregate_id: String) -> EventQuery {
        let Self(mut query) = self;
        query.filter.aggregate_id = Some(aggregate_id);
        query
    }
}
