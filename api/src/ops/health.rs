//! How well each role of this process is.

use std::time::Duration;

use infra::{
    kafka::{Relay, relay::RelayState},
    postgres::{
        Database, DatabaseError, EventStore,
        leaders::{Candidate, LeaderState},
    },
    process::Pulse,
};
use projections::ReadModels;

/// Every role of the service, in the order of `/readyz`.
pub(super) const ROLES: [&str; 5] = ["api", "projector", "executor", "relay", "reaper"];
/// How long the database may take; probes do not wait for ever.
const RESPONSE_BOUND: Duration = Duration::from_secs(2);
/// An executor looks at the queue at least twice a second.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// What is asked of this process about itself.
#[derive(Clone)]
pub struct Health {
    pub database: Database,
    pub store: EventStore,
    pub reads: ReadModels,
    /// One for each role that this process has.
    pub probes: Vec<Probe>,
}

/// How a role is asked.
#[derive(Clone)]
pub enum Probe {
    /// Well when the database responds and every read model has reached the end of the log at least once.
    Api,
    /// Well when every read model follows the log.
    Projector,
    /// Well when each of its loops, by name, looked at the queue a moment ago.
    Executor(Vec<(&'static str, Pulse)>),
    /// Well when it leads and follows the log, or knows who leads.
    Relay(Box<(Candidate, Relay)>),
    /// Well when it leads or knows who does.
    Reaper(Box<Candidate>),
}

/// What a role reports: how it is, or what is wrong.
pub(super) type Report = Result<String, String>;

impl Probe {
    pub(crate) fn role(&self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Projector => "projector",
            Self::Executor(_) => "executor",
            Self::Relay(_) => "relay",
            Self::Reaper(_) => "reaper",
        }
    }

    /// Who leads the role, where one process does.
    pub(crate) fn candidate(&self) -> Option<&Candidate> {
        match self {
            Self::Api | Self::Projector | Self::Executor(_) => None,
            Self::Relay(relay) => Some(&relay.0),
            Self::Reaper(candidate) => Some(candidate),
        }
    }

    /// Asks the role how it is.
    pub(super) async fn ask(&self, health: &Health) -> Report {
        // These decode events on their way; the projector says by itself before which event it rests.
        if let (Self::Api | Self::Executor(_), Some(ahead)) = (self, health.store.ahead()) {
            return Err(format!("rests: {ahead}"));
        }
        match self {
            Self::Api => match bounded(health.reads.is_ready()).await? {
                true => Ok("responds".to_owned()),
                false => Err("the read models are being built".to_owned()),
            },
            Self::Projector => match bounded(health.reads.trouble()).await? {
                None => Ok("follows the log".to_owned()),
                Some(trouble) => Err(trouble),
            },
            Self::Executor(pulses) => {
                for (name, pulse) in pulses {
                    pulse.check(SILENCE_MAX).map_err(|trouble| format!("{name}: {trouble}"))?;
                }
                Ok("looks at the queue".to_owned())
            }
            Self::Relay(relay) => {
                let standing = standing(&relay.0)?;
                match relay.1.state() {
                    RelayState::Following => Ok(format!("{standing}, follows the log")),
                    RelayState::Standby => Ok(standing),
                    RelayState::Waiting { reason } => Err(format!("waits: {reason}")),
                    RelayState::Stopped { position, reason } => {
                        Err(format!("has stopped before position {position}: {reason}"))
                    }
                }
            }
            Self::Reaper(candidate) => standing(candidate),
        }
    }
}

async fn bounded<T>(asked: impl Future<Output = Result<T, DatabaseError>>) -> Result<T, String> {
    let responded = tokio::time::timeout(RESPONSE_BOUND, asked).await;
    let responded = responded.map_err(|_| "the database does not respond".to_owned())?;
    responded.map_err(|error| {
        tracing::warn!(%error, "not ready");
        "the database does not respond".to_owned()
    })
}

fn standing(candidate: &Candidate) -> Report {
    match candidate.state() {
        LeaderState::Leading { term } => Ok(format!("leads, term {term}")),
        LeaderState::Standby { holder } => Ok(format!("stands by for {holder}")),
        LeaderState::Absent => Err("has not asked yet who leads".to_owned()),
        LeaderState::Unknown { .. } => Err("does not know who leads: the database".to_owned()),
    }
}
