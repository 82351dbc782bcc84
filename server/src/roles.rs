//! The roles of a process: all by default, any subset on any number of machines.

use std::collections::BTreeSet;

use clap::ValueEnum as _;

/// One part of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Role {
    /// Answers HTTP.
    Api,
    /// Feeds the read models.
    Projector,
    /// Publishes events to Kafka, where that is configured.
    Relay,
    /// Runs backtests.
    Executor,
    /// Removes what is left over: expired leases and sessions, old command ids, dead imports. One at a time leads.
    Reaper,
}

/// The roles that a process has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles(BTreeSet<Role>);

impl Role {
    /// Its name, as in `--roles`.
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

    /// Their names, separated by commas.
    #[must_use]
    pub fn names(&self) -> String {
        self.0.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ")
    }
}
