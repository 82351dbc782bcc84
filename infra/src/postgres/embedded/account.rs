//! The account that runs the server: our own, or an unprivileged one if we are root, which PostgreSQL refuses.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::Path,
    process::Output,
};

use tokio::process::Command;

use super::error::EmbeddedError;

/// The account that runs the server and owns its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Account {
    Own,
    Other { uid: u32, gid: u32 },
}

impl Account {
    /// Chooses our own account or, for root, the owner of an existing cluster, then `postgres`, then `nobody`.
    ///
    /// # Errors
    /// [`EmbeddedError::NoUser`].
    pub(super) async fn choose(cluster: &Path) -> Result<Self, EmbeddedError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Own);
        }
        if let Ok(metadata) = fs::metadata(cluster)
            && metadata.uid() != 0
        {
            return Ok(Self::Other { uid: metadata.uid(), gid: metadata.gid() });
        }
        for name in ["postgres", "nobody"] {
            if let (Some(uid), Some(gid)) = (id(name, "-u").await, id(name, "-g").await)
                && uid != 0
            {
                return Ok(Self::Other { uid, gid });
            }
        }
        Err(EmbeddedError::NoUser)
    }

    /// Returns its numeric user id.
    pub(super) fn uid(&self) -> u32 {
        match self {
            Self::Own => rustix::process::geteuid().as_raw(),
            Self::Other { uid, .. } => *uid,
        }
    }

    /// Builds a command that runs under this account, detached from our terminal's signals, our folder and our `PG…` variables.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> std::process::Command {
        let mut command = std::process::Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"PG") {
                command.env_remove(name);
            }
        }
        command.env("LC_ALL", "C").current_dir("/").process_group(0);
        command.stdin(std::process::Stdio::null());
        if let Self::Other { uid, gid } = self {
            command.uid(*uid).gid(*gid);
        }
        command
    }

    /// Runs the command until it ends.
    ///
    /// # Errors
    /// The command cannot be run.
    pub(super) async fn run(
        &self,
        program: &Path,
        arguments: &[&OsStr],
    ) -> Result<Output, EmbeddedError> {
        let mut command = self.command(program);
        command.args(arguments);
        Command::from(command).output().await.map_err(EmbeddedError::io(program, "cannot run"))
    }

    /// Creates a private folder owned by this account, or checks that an existing one is.
    ///
    /// # Errors
    /// The file system's, or another owner.
    pub(super) fn make_private(&self, folder: &Path) -> Result<(), EmbeddedError> {
        let failed = || EmbeddedError::io(folder, "cannot create the folder");
        match fs::DirBuilder::new().mode(0o700).create(folder) {
            Ok(()) => {
                if let Self::Other { uid, gid } = self {
                    chown(folder, Some(*uid), Some(*gid)).map_err(failed())?;
                }
                return Ok(());
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed()(error)),
        }
        let metadata = fs::symlink_metadata(folder).map_err(failed())?;
        if !metadata.is_dir() || metadata.uid() != self.uid() {
            let folder = folder.display();
            let reason = format!("{folder} belongs to someone else; remove it and start again");
            return Err(EmbeddedError::Failed(reason));
        }
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(failed())
    }

    /// Whether it can enter and write to the folder.
    ///
    /// # Errors
    /// The attempt itself fails.
    pub(super) async fn can_use(&self, folder: &Path) -> Result<bool, EmbeddedError> {
        let arguments = ["-w".as_ref(), folder.as_os_str(), "-a".as_ref(), "-x".as_ref()];
        let arguments = [arguments.as_slice(), &[folder.as_os_str()]].concat();
        Ok(self.run(Path::new("test"), &arguments).await?.status.success())
    }
}

/// Returns a number that `id` prints for a user; `None` if there is no such user.
async fn id(name: &str, flag: &str) -> Option<u32> {
    let output = Command::new("id").args([flag, name]).output().await.ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}
