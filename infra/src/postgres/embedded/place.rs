//! The places of a cluster: its lock, its files, its socket.

use std::{
    env, fs,
    fs::{File, TryLockError},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{account::Account, error::EmbeddedError};

/// A Unix socket's path has at most 107 bytes; the server's is `<folder>/.s.PGSQL.5432`.
const SOCKET_FOLDER_BYTES_MAX: usize = 107 - "/.s.PGSQL.5432".len();

/// The kernel's lock on a `data_dir`, which it releases when the holder dies, however that happens.
#[derive(Debug)]
pub(super) struct Lock {
    /// Never read: holding it open holds the lock.
    _file: File,
}

/// Takes the lock, or returns the process that has it.
///
/// # Errors
/// The file system's.
pub(super) fn try_lock(data_dir: &Path) -> Result<Result<Lock, String>, EmbeddedError> {
    let path = data_dir.join("lock");
    let failed = || EmbeddedError::io(&path, "cannot lock");
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(&path).map_err(failed())?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0).map_err(failed())?;
            file.rewind().map_err(failed())?;
            writeln!(file, "{}", std::process::id()).map_err(failed())?;
            Ok(Ok(Lock { _file: file }))
        }
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).map_err(failed())?;
            let holder = holder.trim();
            Ok(Err(if holder.is_empty() { "unknown" } else { holder }.to_owned()))
        }
        Err(TryLockError::Error(error)) => Err(failed()(error)),
    }
}

/// Whether a process has ever locked the `data_dir`.
pub(super) fn has_lock(data_dir: &Path) -> bool {
    data_dir.join("lock").exists()
}

/// Returns the folder of the cluster: `data_dir/postgres`, or the place named in `data_dir/postgres.location`.
///
/// # Errors
/// The file system's.
pub(super) fn cluster_folder(data_dir: &Path) -> Result<PathBuf, EmbeddedError> {
    let path = data_dir.join("postgres.location");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(PathBuf::from(text.trim())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(data_dir.join("postgres")),
        Err(error) => Err(EmbeddedError::io(&path, "cannot read")(error)),
    }
}

/// Creates an empty folder that the account can use for a new cluster: next to `data_dir/postgres`, whose name it gets
/// once it is complete, or elsewhere if the account cannot reach `data_dir` (below `/root`, say).
/// Returns the draft and the final folder.
///
/// # Errors
/// The file system's.
pub(super) async fn new_cluster_folder(
    data_dir: &Path,
    account: &Account,
) -> Result<(PathBuf, PathBuf), EmbeddedError> {
    let folder = data_dir.join("postgres");
    let draft = data_dir.join("postgres.new");
    let note = data_dir.join("postgres.location");
    remove(&draft)?;
    account.make_private(&draft)?;
    if account.can_use(&draft).await? {
        if note.exists() {
            fs::remove_file(&note).map_err(EmbeddedError::io(&note, "cannot remove"))?;
        }
        return Ok((draft, folder));
    }
    remove(&draft)?;
    let mut refusals = Vec::new();
    // Not /var/tmp first: systemd clears old files there.
    for base in ["/var/lib/backtrail", "/var/tmp"] {
        let folder = Path::new(base).join(format!("backtrail-{}", uuid::Uuid::now_v7().simple()));
        let draft = folder.with_extension("new");
        let made = fs::create_dir_all(base)
            .map_err(EmbeddedError::io(base, "cannot create the folder"))
            .and_then(|()| account.make_private(&draft));
        match made {
            Ok(()) if account.can_use(&draft).await? => {
                fs::write(&note, format!("{}\n", folder.display()))
                    .map_err(EmbeddedError::io(&note, "cannot write"))?;
                return Ok((draft, folder));
            }
            Ok(()) => {
                remove(&draft)?;
                refusals.push(format!("{base} cannot be used by the server's account"));
            }
            Err(error) => refusals.push(error.to_string()),
        }
    }
    Err(EmbeddedError::Failed(format!(
        "no place for the cluster: {} cannot be used by the server's account; {}",
        data_dir.display(),
        refusals.join("; ")
    )))
}

/// Removes what an interrupted start left behind.
fn remove(folder: &Path) -> Result<(), EmbeddedError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(EmbeddedError::io(folder, "cannot remove")(error))
        }
        _ => Ok(()),
    }
}

/// Returns a short private folder for the socket of this cluster.
///
/// # Errors
/// None of the usual places will do.
pub(super) fn socket_folder(cluster: &Path, account: &Account) -> Result<PathBuf, EmbeddedError> {
    let hash = Sha256::digest(cluster.as_os_str().as_encoded_bytes());
    let name = format!("backtrail-{:02x}{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3]);
    let runtime = match account {
        Account::Own => env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from),
        Account::Other { .. } => Some(PathBuf::from("/run")),
    };
    let bases = runtime.into_iter().chain([env::temp_dir(), PathBuf::from("/tmp")]);
    let mut refusals = Vec::new();
    for folder in bases.map(|base| base.join(&name)) {
        if folder.as_os_str().len() > SOCKET_FOLDER_BYTES_MAX || !folder.is_absolute() {
            refusals.push(format!("{} is too long for a socket", folder.display()));
            continue;
        }
        match account.make_private(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) => refusals.push(error.to_string()),
        }
    }
    Err(EmbeddedError::Failed(format!("no place for the socket: {}", refusals.join("; "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_has_one_holder_who_is_named_to_others() {
        let data_dir = tempfile::tempdir().unwrap();
        let lock = try_lock(data_dir.path()).unwrap().unwrap();
        let holder = try_lock(data_dir.path()).unwrap().unwrap_err();
        assert_eq!(holder, std::process::id().to_string());
        drop(lock);
        assert!(try_lock(data_dir.path()).unwrap().is_ok());
    }

    #[test]
    fn a_socket_folder_is_short_and_private_however_long_the_cluster_path_is() {
        use std::os::unix::fs::PermissionsExt;
        let cluster =
            PathBuf::from("/").join("long".repeat(60)).join(uuid::Uuid::now_v7().to_string());
        let folder = socket_folder(&cluster, &Account::Own).unwrap();
        assert!(folder.as_os_str().len() <= SOCKET_FOLDER_BYTES_MAX);
        let mode = fs::metadata(&folder).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        fs::remove_dir(&folder).unwrap();
    }
}
