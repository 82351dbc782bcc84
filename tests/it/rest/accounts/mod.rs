//! `/users` and `/sessions`.

mod sessions;
mod users;
