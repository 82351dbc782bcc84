//! `/time`: the time by the clock of the service.

use poem::http::header;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use crate::{
    http::{
        caller::Visitor,
        response::{Item, WithHeaders as _},
        values::time_text,
    },
    rest::Chapter,
};

/// The current time of the service.
pub(crate) struct CurrentTime;

/// The current time of the service.
#[derive(Debug, Serialize, Object)]
pub(crate) struct Time {
    time: String,
    epoch_ms: i64,
}

#[OpenApi(tag = "Chapter::Service")]
impl CurrentTime {
    /// The current time of the service.
    #[oai(path = "/time", method = "get", operation_id = "getTime")]
    async fn get(&self, visitor: Visitor) -> Item<Time> {
        let now = visitor.api.clock.now();
        let time = Time { time: time_text(now), epoch_ms: now.timestamp_millis() };
        Item::new(time).with_header(header::CACHE_CONTROL, "no-store")
    }
}
