//! Which events a list shows.

use domain::error_code::ErrorCode;
use infra::postgres::event_store::{Direction, EventFilter};

use crate::http::{
    cursor::{Cursor, InvalidCursor},
    fields::{Field, Fields, Input, Kind, field},
    paging::{self, Paging},
    values::DayEnd,
};

/// Which events a list shows.
pub(crate) struct EventQuery {
    pub(crate) filter: EventFilter,
    pub(crate) paging: Paging,
}

const AFTER: Field = field("after", Kind::Integer, "Returns only events after this position.");
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
        field("aggregate_type", Kind::Text, "`strategy`, `backtest`, `ledger` or `sweep`."),
        field(
            "aggregate_id",
            Kind::Text,
            "Filters by the id of a strategy, backtest, ledger or sweep.",
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
pub(crate) struct RunEventQuery(pub(crate) EventQuery);

impl Input for RunEventQuery {
    const NAME: &'static str = "RunEventQuery";
    const FIELDS: &'static [Field] =
        &[AFTER, EVENT_TYPE, FROM, TO, DIRECTION, paging::LIMIT, paging::PER_PAGE, paging::CURSOR];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        EventQuery::read(fields).map(Self)
    }
}
