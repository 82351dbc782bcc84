//! `/version`.

use domain::simulation::ENGINE_VERSION;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use crate::{http::response::Item, rest::Chapter};

/// The version of the service.
pub(crate) struct VersionInfo;

/// The version of the service.
#[derive(Debug, Serialize, Object)]
pub(crate) struct Version {
    version: String,
    /// Included in every result hash.
    engine_version: String,
}

#[OpenApi(tag = "Chapter::Service")]
impl VersionInfo {
    /// The version of the service.
    #[oai(path = "/version", method = "get", operation_id = "getVersion")]
    async fn get(&self) -> Item<Version> {
        Item::new(Version {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            engine_version: ENGINE_VERSION.to_owned(),
        })
    }
}
