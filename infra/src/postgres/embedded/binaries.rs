//! Finds PostgreSQL's server binaries in `PGBIN`, `PATH` and the distributions' folders, newest first.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
};

use tokio::process::Command;

use super::error::EmbeddedError;

/// The oldest major version that is supported upstream and tested here.
pub const MINIMUM_MAJOR: u32 = 14;

/// A folder with `initdb`, `pg_ctl` and `postgres` of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    pub directory: PathBuf,
    pub major: u32,
}

impl Binaries {
    /// Returns the path of one of them.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// Finds the binaries of a cluster's major version or, for a new cluster, the first that are new enough.
///
/// # Errors
/// [`EmbeddedError::NoBinaries`], [`EmbeddedError::WrongVersion`].
pub(super) async fn find(cluster: &Path, major: Option<&str>) -> Result<Binaries, EmbeddedError> {
    let folders =
        candidates(env::var_os("PGBIN").map(PathBuf::from), env::var_os("PATH").as_deref());
    let mut installed = Vec::new();
    for directory in &folders {
        if let Some(major) = version(directory).await {
            installed.push(Binaries { directory: directory.clone(), major });
        }
    }
    let looked_in =
        folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ");
    let no_binaries = || EmbeddedError::NoBinaries {
        looked_in: match looked_in.as_str() {
            "" => "looked at PGBIN, in PATH and in the distributions' folders".to_owned(),
            folders => format!("looked in {folders}"),
        },
        minimum: MINIMUM_MAJOR,
    };
    let Some(major) = major.filter(|_| !installed.is_empty()) else {
        let new_enough = installed.into_iter().find(|found| found.major >= MINIMUM_MAJOR);
        return new_enough.ok_or_else(no_binaries);
    };
    let versions: Vec<_> = installed.iter().map(|found| found.major.to_string()).collect();
    installed.into_iter().find(|found| found.major.to_string() == major).ok_or_else(|| {
        EmbeddedError::WrongVersion {
            directory: cluster.to_owned(),
            cluster: major.to_owned(),
            installed: versions.join(", "),
        }
    })
}

/// Lists folders that contain the binaries. An explicit `PGBIN` is the only candidate.
fn candidates(pgbin: Option<PathBuf>, path: Option<&OsStr>) -> Vec<PathBuf> {
    if let Some(pgbin) = pgbin {
        return vec![pgbin];
    }
    let mut folders: Vec<PathBuf> = path
        .iter()
        .flat_map(env::split_paths)
        .filter(|folder| !folder.as_os_str().is_empty())
        .collect();
    folders.extend(versioned("/usr/lib/postgresql", "", "bin"));
    folders.extend(versioned("/usr", "pgsql-", "bin"));
    folders.push(PathBuf::from("/usr/local/pgsql/bin"));
    for homebrew in ["/opt/homebrew/opt", "/usr/local/opt", "/home/linuxbrew/.linuxbrew/opt"] {
        folders.extend(versioned(homebrew, "postgresql@", "bin"));
        folders.push(Path::new(homebrew).join("postgresql/bin"));
    }
    folders.retain(|folder| {
        ["initdb", "pg_ctl", "postgres"].iter().all(|name| folder.join(name).is_file())
    });
    folders
}

/// Lists `base/<prefix><number>/<end>` for every existing number, highest first.
fn versioned(base: &str, prefix: &str, end: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(base).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let number = name.strip_prefix(prefix)?.parse().ok()?;
            Some((number, entry.path().join(end)))
        })
        .collect();
    found.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    found.into_iter().map(|(_, folder)| folder).collect()
}

/// Asks the `postgres` in a folder for its major version: `postgres (PostgreSQL) 15.14 (Debian …)`.
async fn version(directory: &Path) -> Option<u32> {
    let output = Command::new(directory.join("postgres")).arg("--version").output().await.ok()?;
    parse_version(&String::from_utf8_lossy(&output.stdout))
}

fn parse_version(text: &str) -> Option<u32> {
    let number = text.split_once("(PostgreSQL) ")?.1;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_postgres_prints() {
        let debian = "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n";
        assert_eq!(parse_version(debian), Some(15));
        assert_eq!(parse_version("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(parse_version("something else"), None);
    }

    #[test]
    fn folders_of_versions_come_newest_first() {
        let base = tempfile::tempdir().unwrap();
        for version in ["9.6", "14", "9", "17"] {
            std::fs::create_dir(base.path().join(version)).unwrap();
        }
        let found = versioned(base.path().to_str().unwrap(), "", "bin");
        let expected = ["17/bin", "14/bin", "9/bin"].map(|end| base.path().join(end));
        assert_eq!(found, expected);
    }

    #[test]
    fn an_explicit_pgbin_is_the_only_candidate() {
        let path = Some(OsStr::new("/usr/bin"));
        assert_eq!(candidates(Some("/opt/pg".into()), path), [PathBuf::from("/opt/pg")]);
    }

    #[tokio::test]
    async fn a_folder_without_binaries_is_named_with_what_to_install() {
        let looked_in = "looked in /nowhere".to_owned();
        let message = EmbeddedError::NoBinaries { looked_in, minimum: 14 }.to_string();
        assert!(message.contains("/nowhere") && message.contains("apt-get install postgresql"));
        assert_eq!(version(Path::new("/nowhere")).await, None);
    }
}
