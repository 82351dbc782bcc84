//! Access rules: the one place that decides ownership, for commands and reads alike.

use crate::ids::UserId;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A signed-in user.
    User(UserId),
    /// A part of the system, named in metadata (`executor`, `demo`): may do what its use case needs.
    System(&'static str),
}

/// Who owns an object and who else may see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ownership {
    /// The owner; `None` for built-ins, which cannot be changed.
    pub owner_id: Option<UserId>,
    /// Everyone signed in may read it.
    pub is_public: bool,
}

/// What is to be done to the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// See it, or use it in a backtest.
    Read,
    /// Change, cancel or delete it.
    Write,
}

/// The object is another's (HTTP 403).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this belongs to another user")]
pub struct Forbidden;

impl Actor {
    /// The user, if a user asks.
    #[must_use]
    pub fn user_id(&self) -> Option<UserId> {
        match self {
            Self::User(id) => Some(*id),
            Self::System(_) => None,
        }
    }
}

/// Lets `actor` have `access` to an object of that `ownership`.
///
/// # Errors
/// [`Forbidden`] when the object is another's and not public, or when it is not theirs to change.
pub fn check(actor: &Actor, access: Access, ownership: Ownership) -> Result<(), Forbidden> {
    let own = match actor {
        Actor::System(_) => true,
        Actor::User(user) => ownership.owner_id == Some(*user),
    };
    let readable = ownership.is_public || ownership.owner_id.is_none();
    if own || (access == Access::Read && readable) { Ok(()) } else { Err(Forbidden) }
}
