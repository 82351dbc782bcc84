//! `/version` and `/time`.

use std::sync::Arc;

use domain::simulation::ENGINE_VERSION;
use poem::web::Data;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use super::Chapter;
use crate::{
    Context,
    http::response::{Item, WithHeaders as _},
    http::values::time_text,
};

/// The service itself.
pub(crate) struct ServiceInfo;

/// Which program answers.
#[derive(Debug, Serialize, Object)]
pub(crate) struct Version {
    version: String,
    /// Part of every result hash.
    engine_version: String,
}

/// The service's clock.
#[derive(Debug, Serialize, Object)]
pub(crate) struct Time {
    time: String,
    epoch_ms: i64,
}

#[OpenApi(tag = "Chapter::Service")]
impl ServiceInfo {
    /// Which program answers.
    #[oai(path = "/version", method = "get", operation_id = "getVersion")]
    async fn version(&self) -> Item<Version> {
        Item::new(Version {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            engine_version: ENGINE_VERSION.to_owned(),
        })
    }

    /// The service's clock.
    #[oai(path = "/time", method = "get", operation_id = "getTime")]
    async fn time(&self, context: Data<&Arc<Context>>) -> Item<Time> {
        let now = context.clock.now();
        let time = Time { time: time_text(now), epoch_ms: now.timestamp_millis() };
        Item::new(time).with_header(poem::http::header::CACHE_CONTROL, "no-store")
    }
}
