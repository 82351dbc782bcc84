//! The roles of a process: all by default, any subset on any number of machines.

use std::collections::BTreeSet;

/// One part of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Role {
    /// Answers HTTP.
    Api,
    /// Feeds the read models.
    Projector,
    /// Runs backtests.
    Executor,
}

/// The roles that a process has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles(BTreeSet<Role>);

impl Roles {
    /// Every role.
    #[must_use]
    pub fn all() -> Self {
        Self(BTreeSet::from([Role::Api, Role::Projector, Role::Executor]))
    }

    /// These; all of them where none is named.
    #[must_use]
    pub fn of(roles: &[Role]) -> Self {
        if roles.is_empty() { Self::all() } else { Self(roles.iter().copied().collect()) }
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }
}
