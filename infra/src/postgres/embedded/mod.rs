//! The embedded cluster: finds PostgreSQL's binaries; initialises, starts, adopts and stops a private server.

mod account;
mod binaries;
mod error;
mod place;
mod server;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

pub use binaries::MINIMUM_MAJOR;
pub use error::EmbeddedError;

use tokio::time::{Instant, interval};

use account::Account;
use binaries::Binaries;

/// How long the kernel may take to release the lock of a killed process.
const LOCK_WAIT: Duration = Duration::from_secs(2);
const LOCK_LOOK_PAUSE: Duration = Duration::from_millis(50);
/// How long an attaching process waits for the holder's server.
const ATTACH_BOUND: Duration = Duration::from_secs(20);
/// How long a live server may take to respond, crash recovery included.
const ANSWER_BOUND: Duration = Duration::from_secs(60);
/// How long a fast stop may take before an immediate one, from which the next start recovers.
const STOP_SECONDS: u32 = 5;

/// A running private cluster. The process that holds the lock stops it, at the latest on drop.
#[derive(Debug)]
pub struct EmbeddedCluster {
    url: String,
    directory: PathBuf,
    origin: Origin,
    holder: Option<Holder>,
}

/// What there is to run a cluster with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prospect {
    /// Whether the cluster has been created.
    pub has_cluster: bool,
    /// The folder of PostgreSQL's programs that would run it.
    pub programs: PathBuf,
    pub major: u32,
}

/// How this process came by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Created and started.
    Created,
    Started,
    /// Found running, left behind by a process that died.
    Adopted,
    /// Another live process holds it.
    Attached,
}

#[derive(Debug)]
struct Holder {
    /// Released after the server has stopped.
    _lock: place::Lock,
    binaries: Binaries,
    account: Account,
}

impl EmbeddedCluster {
    /// Starts or adopts the cluster of `data_dir` and holds its lock.
    ///
    /// # Errors
    /// What is missing or in the way, with the remedy; [`EmbeddedError::LockTaken`] if another process holds it.
    pub async fn start(data_dir: &Path) -> Result<Self, EmbeddedError> {
        let data_dir = prepare_data_dir(data_dir)?;
        match Self::lock(&data_dir).await? {
            Ok(lock) => Self::hold(&data_dir, lock).await,
            Err(holder) => Err(EmbeddedError::LockTaken { data_dir, holder }),
        }
    }

    /// Takes the lock, or returns its holder: a killed process keeps it until the kernel has cleaned up.
    async fn lock(data_dir: &Path) -> Result<Result<place::Lock, String>, EmbeddedError> {
        let deadline = Instant::now() + LOCK_WAIT;
        let mut looks = interval(LOCK_LOOK_PAUSE);
        loop {
            looks.tick().await;
            let locked = place::try_lock(data_dir)?;
            if locked.is_ok() || Instant::now() >= deadline {
                return Ok(locked);
            }
        }
    }

    /// Attaches to the cluster of `data_dir` if another live process holds it; otherwise does what [`Self::start`] does.
    ///
    /// # Errors
    /// What is missing or in the way, with the remedy.
    pub async fn start_or_attach(data_dir: &Path) -> Result<Self, EmbeddedError> {
        let data_dir = prepare_data_dir(data_dir)?;
        match place::try_lock(&data_dir)? {
            Ok(lock) => Self::hold(&data_dir, lock).await,
            Err(holder) => Self::attach(data_dir, holder).await,
        }
    }

    /// Attaches to the cluster of `data_dir` if another live process holds it; otherwise starts or adopts it. Never creates
    /// one, nor the folder.
    ///
    /// # Errors
    /// [`EmbeddedError::NoCluster`] if there is no cluster; otherwise what prevents the start, and how to fix it.
    pub async fn start_existing(data_dir: &Path) -> Result<Self, EmbeddedError> {
        let cluster = place::cluster_folder(data_dir)?;
        // A holder of the lock may be about to create the cluster.
        if server::cluster_version(&cluster)?.is_none() && !place::has_lock(data_dir) {
            return Err(no_cluster(data_dir));
        }
        let data_dir = prepare_data_dir(data_dir)?;
        match place::try_lock(&data_dir)? {
            Ok(_) if server::cluster_version(&place::cluster_folder(&data_dir)?)?.is_none() => {
                Err(no_cluster(&data_dir))
            }
            Ok(lock) => Self::hold(&data_dir, lock).await,
            Err(holder) => Self::attach(data_dir, holder).await,
        }
    }

    /// Looks for the cluster of `data_dir` and for the programs that would run it; creates and starts nothing.
    ///
    /// # Errors
    /// What is missing, with the remedy.
    pub async fn prospect(data_dir: &Path) -> Result<Prospect, EmbeddedError> {
        let directory = place::cluster_folder(data_dir)?;
        let version = server::cluster_version(&directory)?;
        let binaries = binaries::find(&directory, version.as_deref()).await?;
        let Binaries { directory: programs, major } = binaries;
        Ok(Prospect { has_cluster: version.is_some(), programs, major })
    }

    /// Returns the superuser's connection URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the folder of its files.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns how this process came by it.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Checks that the disk has room for the server to work.
    ///
    /// # Errors
    /// [`EmbeddedError::DiskFull`].
    pub fn check_disk(&self) -> Result<(), EmbeddedError> {
        match server::is_disk_full(&self.directory) {
            true => Err(EmbeddedError::DiskFull(self.directory.clone())),
            false => Ok(()),
        }
    }

    /// Stops the server, if this process holds the lock.
    ///
    /// # Errors
    /// The server does not stop.
    pub async fn stop(mut self) -> Result<(), EmbeddedError> {
        let Some(holder) = self.holder.take() else { return Ok(()) };
        let directory = std::mem::take(&mut self.directory);
        let stopping = tokio::task::spawn_blocking(move || holder.stop(&directory));
        stopping.await.map_err(|error| EmbeddedError::Failed(error.to_string()))?
    }

    async fn hold(data_dir: &Path, lock: place::Lock) -> Result<Self, EmbeddedError> {
        let mut directory = place::cluster_folder(data_dir)?;
        let account = Account::choose(&directory).await?;
        let version = server::cluster_version(&directory)?;
        let binaries = binaries::find(&directory, version.as_deref()).await?;
        let mut origin = Origin::Started;
        if version.is_none() {
            let (draft, folder) = place::new_cluster_folder(data_dir, &account).await?;
            server::initialise(&binaries, &account, &draft, &folder).await?;
            (directory, origin) = (folder, Origin::Created);
        }
        if server::running(&directory)?.is_some() {
            origin = Origin::Adopted;
        }
        // From here on whatever fails stops the server again, by the drop of the holder.
        let holder = Holder { _lock: lock, binaries, account };
        let mut cluster = Self { url: String::new(), directory, origin, holder: Some(holder) };
        if let Some(holder) = cluster.holder.as_ref().filter(|_| origin != Origin::Adopted) {
            let socket = place::socket_folder(&cluster.directory, &holder.account)?;
            server::start(&holder.binaries, &holder.account, &cluster.directory, &socket).await?;
        }
        let socket = server::prepare(&cluster.directory, ANSWER_BOUND).await?;
        cluster.url = server::url(&socket);
        Ok(cluster)
    }

    async fn attach(data_dir: PathBuf, holder: String) -> Result<Self, EmbeddedError> {
        let deadline = std::time::Instant::now() + ATTACH_BOUND;
        loop {
            // Looked up each time: the holder may be about to create the cluster elsewhere.
            let directory = place::cluster_folder(&data_dir)?;
            match server::prepare(&directory, Duration::ZERO).await {
                Ok(socket) => {
                    let (url, origin) = (server::url(&socket), Origin::Attached);
                    return Ok(Self { url, directory, origin, holder: None });
                }
                Err(error) if std::time::Instant::now() > deadline => {
                    let reason = error.to_string();
                    return Err(EmbeddedError::Unreachable { data_dir, holder, reason });
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

impl Drop for EmbeddedCluster {
    fn drop(&mut self) {
        if let Some(holder) = self.holder.take()
            && let Err(error) = holder.stop(&self.directory)
        {
            tracing::error!(%error, "the embedded PostgreSQL server could not be stopped");
        }
    }
}

impl Holder {
    /// Stops the server if it runs, and removes the folder of its socket.
    fn stop(self, cluster: &Path) -> Result<(), EmbeddedError> {
        let Some(postmaster) = server::running(cluster)? else {
            tracing::warn!("the PostgreSQL server in {} ended by itself", cluster.display());
            return Ok(());
        };
        let mut said = String::new();
        for mode in ["fast", "immediate"] {
            let mut command =
                server::stop_command(&self.binaries, &self.account, cluster, mode, STOP_SECONDS);
            let output = command.output().map_err(EmbeddedError::io(cluster, "cannot stop"))?;
            if output.status.success() {
                if let Err(error) = fs::remove_dir(&postmaster.socket) {
                    tracing::debug!(%error, folder = %postmaster.socket.display(), "left in place");
                }
                return Ok(());
            }
            said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        }
        let cluster = cluster.display();
        let message = format!("the PostgreSQL server in {cluster} does not stop: {said}");
        Err(EmbeddedError::Failed(message))
    }
}

fn no_cluster(data_dir: &Path) -> EmbeddedError {
    let absolute = std::path::absolute(data_dir);
    EmbeddedError::NoCluster(absolute.unwrap_or_else(|_| data_dir.to_owned()))
}

/// Creates `data_dir` if it is missing, and returns its absolute path.
fn prepare_data_dir(data_dir: &Path) -> Result<PathBuf, EmbeddedError> {
    fs::create_dir_all(data_dir)
        .and_then(|()| fs::canonicalize(data_dir))
        .map_err(EmbeddedError::io(data_dir, "cannot create the folder"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_created_where_only_an_existing_cluster_will_do() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join(".backtrail");
        let expect_none = async || {
            let error = EmbeddedCluster::start_existing(&data_dir).await.unwrap_err();
            assert!(matches!(&error, EmbeddedError::NoCluster(at) if *at == data_dir), "{error}");
        };
        expect_none().await;
        assert!(!data_dir.exists());
        // What a process leaves behind that ended before it had created the cluster.
        fs::create_dir(&data_dir).unwrap();
        drop(place::try_lock(&data_dir).unwrap().unwrap());
        expect_none().await;
        assert!(!data_dir.join("postgres").exists());
    }

    #[tokio::test]
    async fn the_lock_of_a_process_that_is_just_dying_is_waited_for() {
        let data_dir = tempfile::tempdir().unwrap();
        let dying = place::try_lock(data_dir.path()).unwrap().unwrap();
        // The first look comes before the lock is released.
        let (answer, ()) =
            tokio::join!(EmbeddedCluster::lock(data_dir.path()), async { drop(dying) });
        assert!(answer.unwrap().is_ok());
    }
}
