//! `/version` and `/time`: the service itself.

mod time;
mod version;

use poem_openapi::OpenApi;

/// The resources of this chapter.
pub(crate) fn api() -> impl OpenApi {
    (version::VersionInfo, time::CurrentTime)
}
