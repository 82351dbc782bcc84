//! Users and their sessions, in plain tables: who signs in is not part of the log.

mod error;
mod passwords;
mod sessions;
mod users;

pub use error::AccountError;
pub use sessions::{SESSION_DAYS, Session};
pub use users::{Accounts, Created, NewUser, User};
