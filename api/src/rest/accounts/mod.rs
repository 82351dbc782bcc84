//! `/users` and `/sessions`: signing up, in and out.

pub(crate) mod sessions;
pub(crate) mod users;

use poem_openapi::OpenApi;

/// The resources of this chapter.
pub(crate) fn api() -> impl OpenApi {
    (users::Users, sessions::Sessions)
}
