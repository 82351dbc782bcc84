//! The roles of a process: all of them by default, or any subset, on any number of machines.

use std::collections::BTreeSet;

use clap::ValueEnum as _;

/// One part of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Role {
    /// Serves the HTTP API.
    Api,
    /// Feeds the read models.
    Projector,
    /// Publishes events to Kafka, if that is configured.
    Relay,
    /// Runs backtests and sweeps.
    Executor,
    /// Cleans up expired leases and sessions, old command ids and dead imports.
    Reaper,
}

/// The roles that a process has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles(BTreeSet<Role>);

impl Role {
    /// Returns its name, as in `--roles`.
    #[must_use]
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

impl Roles {
    /// Every role.
    #[must_use]
    pub fn all() -> Self {
        Self(Role::value_variants().iter().copied().collect())
    }

    /// The given roles, or all of them if none is given.
    #[must_use]
    pub fn of(roles: &[Role]) -> Self {
        if roles.is_empty() { Self::all() } else { Self(roles.iter().copied().collect()) }
    }

    /// Whether the process has this role.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// Returns their names, separated by commas.
    #[must_use]
    pub fn names(&self) -> String {
        self.0.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ")
    }
}
