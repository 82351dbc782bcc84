//! Why there is no embedded cluster, with a remedy for each reason.

use std::{io, path::PathBuf};

/// What is missing or in the way.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// Says which folders were searched and what to install.
    #[error(
        "no server binaries of PostgreSQL {minimum} or newer were found ({looked_in}).\n\
         Install them (Debian, Ubuntu: `apt-get install postgresql`; Fedora, RHEL: \
         `dnf install postgresql-server`; macOS: `brew install postgresql`),\n\
         or set PGBIN to the folder that holds `initdb` and `postgres`, or configure database.url"
    )]
    NoBinaries { looked_in: String, minimum: u32 },
    /// The cluster was created by a major version that is not installed.
    #[error(
        "the cluster in {} was created by PostgreSQL {cluster}, but only {installed} is installed; \
         install PostgreSQL {cluster}, or move the folder away to start afresh",
        .directory.display()
    )]
    WrongVersion { directory: PathBuf, cluster: String, installed: String },
    /// A command that only reads found nothing to read.
    #[error(
        "there is no database in {}. Run this command in the folder in which `backtrail serve` runs,\n\
         or point to the database: BACKTRAIL_DATA_DIR is the folder of an embedded one, \
         BACKTRAIL_DATABASE__URL the address of another.\n\
         `backtrail migrate` creates a new one here",
        .0.display()
    )]
    NoCluster(PathBuf),
    /// Another live process holds the lock.
    #[error(
        "{} is in use by another backtrail (process {holder}); stop it first, \
         or set another BACKTRAIL_DATA_DIR",
        .data_dir.display()
    )]
    LockTaken { data_dir: PathBuf, holder: String },
    /// The holder of the lock has no server that responds.
    #[error(
        "{} is in use by another backtrail (process {holder}), whose PostgreSQL does not respond: {reason}",
        .data_dir.display()
    )]
    Unreachable { data_dir: PathBuf, holder: String, reason: String },
    #[error("the disk is full at {}: free some space and start again", .0.display())]
    DiskFull(PathBuf),
    /// This process runs as root, which PostgreSQL refuses.
    #[error(
        "PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody` to run it"
    )]
    NoUser,
    #[error("{context}: {source}")]
    Io { context: String, source: io::Error },
    #[error("{0}")]
    Failed(String),
}

impl EmbeddedError {
    /// Names what failed and recognises a full disk.
    pub(super) fn io(path: impl Into<PathBuf>, context: &str) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        let context = format!("{context} {}", path.display());
        move |source| {
            let kind = source.kind();
            if kind == io::ErrorKind::StorageFull || kind == io::ErrorKind::QuotaExceeded {
                return Self::DiskFull(path);
            }
            Self::Io { context, source }
        }
    }
}
