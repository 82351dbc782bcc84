//! The embedded cluster: finds Postgres' binaries, initialises, starts, adopts and stops a private server.

use std::path::Path;

/// A private cluster that runs; whoever holds the lock stops it.
pub struct EmbeddedCluster {
    url: String,
}

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// Says what to install.
    #[error("{0}")]
    NoBinaries(String),
    #[error("{0}")]
    Failed(String),
}

impl EmbeddedCluster {
    /// Starts, or adopts, the cluster under `data_dir`.
    ///
    /// # Errors
    /// What is missing or in the way, with the way out.
    pub async fn start(_data_dir: &Path) -> Result<Self, EmbeddedError> {
        todo!()
    }

    /// Where it listens, as a connection URL of the superuser.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops the server, if this process holds the lock.
    ///
    /// # Errors
    /// When it does not stop.
    pub async fn stop(self) -> Result<(), EmbeddedError> {
        todo!()
    }
}
