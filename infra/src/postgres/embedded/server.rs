//! The server process: initialises, starts, recognises, reaches and stops it.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Output,
    time::{Duration, Instant},
};

use rustix::process::{Pid, test_kill_process};

use super::{account::Account, binaries::Binaries, error::EmbeddedError};

/// The superuser of embedded clusters.
const SUPERUSER: &str = "postgres";
/// The database that holds everything.
const DATABASE: &str = "backtrail";
/// How long a start may take, crash recovery included.
const START_BOUND: Duration = Duration::from_secs(60);
/// Each is `name=value` on the server's command line; everything else is PostgreSQL's default.
const SETTINGS: &[&str] = &[
    "listen_addresses=",
    "port=5432",
    "cluster_name=backtrail",
    "max_connections=200",
    "shared_buffers=256MB",
    "max_wal_size=4GB",
    "checkpoint_timeout=15min",
    "checkpoint_completion_target=0.9",
    "jit=off",
];

/// What `postmaster.pid` says about a server that may still run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Postmaster {
    pub pid: i32,
    pub socket: PathBuf,
    pub is_ready: bool,
}

/// Returns the superuser's URL of a database on the server behind that socket.
fn url_of(socket: &Path, database: &str) -> String {
    let host: String = socket
        .to_string_lossy()
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect();
    format!("postgresql://{SUPERUSER}@/{database}?host={host}")
}

/// Returns the URL of the application's database.
pub(super) fn url(socket: &Path) -> String {
    url_of(socket, DATABASE)
}

/// Returns the major version of the cluster in that folder; `None` if there is no cluster.
///
/// # Errors
/// The file system's.
pub(super) fn cluster_version(cluster: &Path) -> Result<Option<String>, EmbeddedError> {
    let path = cluster.join("PG_VERSION");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(EmbeddedError::io(&path, "cannot read")(error)),
    }
}

/// Creates a cluster in `draft` and moves it to `folder`, so that there is a complete cluster or none.
///
/// # Errors
/// `initdb`'s, the file system's.
pub(super) async fn initialise(
    binaries: &Binaries,
    account: &Account,
    draft: &Path,
    folder: &Path,
) -> Result<(), EmbeddedError> {
    let options = ["--auth=trust", "--encoding=UTF8", "--no-locale", "--username=postgres"];
    let mut arguments: Vec<&OsStr> = options.iter().map(OsStr::new).collect();
    arguments.extend([OsStr::new("-D"), draft.as_os_str()]);
    let output = account.run(&binaries.path("initdb"), &arguments).await?;
    if !output.status.success() {
        return Err(failure("initdb", folder, &output, ""));
    }
    fs::rename(draft, folder).map_err(EmbeddedError::io(folder, "cannot create the folder"))
}

/// Returns the server that `postmaster.pid` names, if that process really runs on this cluster.
///
/// # Errors
/// The file system's.
pub(super) fn running(cluster: &Path) -> Result<Option<Postmaster>, EmbeddedError> {
    let path = cluster.join("postmaster.pid");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(EmbeddedError::io(&path, "cannot read")(error)),
    };
    let Some(postmaster) = parse_postmaster(&text) else { return Ok(None) };
    let alive = Pid::from_raw(postmaster.pid)
        .is_some_and(|pid| !matches!(test_kill_process(pid), Err(rustix::io::Errno::SRCH)));
    if alive && is_server_of(postmaster.pid, cluster) {
        return Ok(Some(postmaster));
    }
    if alive && !someone_works_in(cluster) {
        // The pid went to a stranger, whom Postgres would take for its own server and refuse to start.
        fs::remove_file(&path).map_err(EmbeddedError::io(&path, "cannot remove the stale"))?;
    }
    Ok(None)
}

/// The lines: pid, data folder, start time, port, socket folder, address, shared memory, status.
fn parse_postmaster(text: &str) -> Option<Postmaster> {
    let lines: Vec<&str> = text.lines().collect();
    Some(Postmaster {
        pid: lines.first()?.trim().parse().ok()?,
        socket: PathBuf::from(lines.get(4).copied().unwrap_or_default()),
        is_ready: lines.get(7).is_some_and(|status| status.trim() == "ready"),
    })
}

/// A server's working directory is its cluster; without `/proc`, its name has to do.
fn is_server_of(pid: i32, cluster: &Path) -> bool {
    if Path::new("/proc/self/cwd").exists() {
        return works_in(Path::new("/proc").join(pid.to_string()).as_path(), cluster);
    }
    let name =
        std::process::Command::new("ps").args(["-o", "comm=", "-p", &pid.to_string()]).output();
    name.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("postgres"))
}

fn works_in(process: &Path, cluster: &Path) -> bool {
    match (fs::read_link(process.join("cwd")), fs::canonicalize(cluster)) {
        (Ok(folder), Ok(cluster)) => folder == cluster,
        _ => false,
    }
}

/// Whether a process, such as an orphan of a dead server, works in the cluster.
fn someone_works_in(cluster: &Path) -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.into_iter().any(|process| works_in(&process.path(), cluster))
}

/// Starts the server and waits until it accepts connections.
///
/// # Errors
/// What the server says, with the end of its log.
pub(super) async fn start(
    binaries: &Binaries,
    account: &Account,
    cluster: &Path,
    socket: &Path,
) -> Result<(), EmbeddedError> {
    let mut options = format!("-c unix_socket_directories='{}'", socket.display());
    for setting in SETTINGS {
        options.push_str(&format!(" -c '{setting}'"));
    }
    let log = cluster.join("server.log");
    let seconds = START_BOUND.as_secs().to_string();
    let arguments: [&OsStr; 11] = [
        "start".as_ref(),
        "-w".as_ref(),
        "-s".as_ref(),
        "-t".as_ref(),
        seconds.as_ref(),
        "-D".as_ref(),
        cluster.as_os_str(),
        "-l".as_ref(),
        log.as_os_str(),
        "-o".as_ref(),
        options.as_ref(),
    ];
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        // Removes a stale pid file, which the first try could not while children were left.
        if running(cluster)?.is_none() {
            remove_stale_socket(cluster, socket)?;
        }
        let logged = fs::metadata(&log).map_or(0, |metadata| metadata.len());
        let output = account.run(&binaries.path("pg_ctl"), &arguments).await?;
        if output.status.success() {
            return Ok(());
        }
        let said = log_after(&log, logged);
        // The children of a server that was killed need a moment to notice.
        let has_children =
            said.contains("pre-existing shared memory block") || said.contains("already exists");
        if !has_children || Instant::now() > deadline {
            return Err(failure("the PostgreSQL server did not start", cluster, &output, &said));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Removes the socket of a server that died: if its pid lives on, as a zombie or as another program, PostgreSQL would
/// consider the socket in use. The folder belongs to this cluster alone.
fn remove_stale_socket(cluster: &Path, socket: &Path) -> Result<(), EmbeddedError> {
    if someone_works_in(cluster) {
        return Ok(());
    }
    for name in [".s.PGSQL.5432.lock", ".s.PGSQL.5432"] {
        let path = socket.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(EmbeddedError::io(&path, "cannot remove the stale")(error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Returns the log from this byte on; empty if it cannot be read.
fn log_after(log: &Path, bytes: u64) -> String {
    let text = fs::read(log).unwrap_or_default();
    let start = usize::try_from(bytes).map_or(0, |bytes| bytes.min(text.len()));
    String::from_utf8_lossy(&text[start..]).into_owned()
}

/// Whether too little is free for PostgreSQL to write its log, in files of 16 MiB.
pub(super) fn is_disk_full(cluster: &Path) -> bool {
    const NEEDED_BYTES: u64 = 32 << 20;
    // A cluster that is still to be made lies in the folder above.
    let found = rustix::fs::statvfs(cluster)
        .or_else(|_| rustix::fs::statvfs(cluster.parent().unwrap_or(cluster)));
    found.is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < NEEDED_BYTES)
}

/// Makes an error of what a program and the log say.
fn failure(what: &str, cluster: &Path, output: &Output, log: &str) -> EmbeddedError {
    let errors = String::from_utf8_lossy(&output.stderr);
    let said =
        format!("{}\n{}\n{log}", String::from_utf8_lossy(&output.stdout).trim(), errors.trim());
    const SIGNS: [&str; 3] =
        ["No space left on device", "Disk quota exceeded", "Check free disk space"];
    if SIGNS.iter().any(|sign| said.contains(sign)) || is_disk_full(cluster) {
        return EmbeddedError::DiskFull(cluster.to_owned());
    }
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(12)..].join("\n  ");
    EmbeddedError::Failed(format!("{what} ({}):\n  {last}", cluster.display()))
}

/// Connects as soon as the server responds, and creates the application's database if it is missing.
///
/// # Errors
/// It does not respond within the bound.
pub(super) async fn prepare(cluster: &Path, bound: Duration) -> Result<PathBuf, EmbeddedError> {
    let deadline = Instant::now() + bound;
    loop {
        let reason = match running(cluster)? {
            Some(postmaster) => match make_database(&postmaster.socket).await {
                Ok(()) => return Ok(postmaster.socket),
                Err(error) => describe(&error),
            },
            None => "it does not run".to_owned(),
        };
        if Instant::now() > deadline {
            let cluster = cluster.display();
            let message = format!("the PostgreSQL server in {cluster} does not respond: {reason}");
            return Err(EmbeddedError::Failed(message));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The driver's error with its causes.
fn describe(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

async fn make_database(socket: &Path) -> Result<(), tokio_postgres::Error> {
    let (client, connection) =
        tokio_postgres::connect(&url_of(socket, "postgres"), tokio_postgres::NoTls).await?;
    let connection = tokio::spawn(connection);
    let known = "SELECT FROM pg_database WHERE datname = $1";
    if client.query_opt(known, &[&DATABASE]).await?.is_none()
        && let Err(error) = client.batch_execute(&format!("CREATE DATABASE {DATABASE}")).await
        && error.code() != Some(&tokio_postgres::error::SqlState::DUPLICATE_DATABASE)
    {
        return Err(error);
    }
    drop(client);
    if let Ok(ended) = connection.await {
        ended?;
    }
    Ok(())
}

/// Builds the command that stops the server in one of pg_ctl's modes.
pub(super) fn stop_command(
    binaries: &Binaries,
    account: &Account,
    cluster: &Path,
    mode: &str,
    seconds: u32,
) -> std::process::Command {
    let mut command = account.command(binaries.path("pg_ctl"));
    command.args(["stop", "-w", "-s", "-m", mode, "-t", &seconds.to_string(), "-D"]).arg(cluster);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_read_from_its_pid_file() {
        let text = "42\n/data/postgres\n1700000000\n5432\n/run/bt\n\n  1 2\nready   \n";
        let expected = Postmaster { pid: 42, socket: "/run/bt".into(), is_ready: true };
        assert_eq!(parse_postmaster(text), Some(expected));
        assert_eq!(parse_postmaster(""), None);
    }

    #[test]
    fn a_pid_file_that_names_a_stranger_is_stale_and_removed() {
        let cluster = tempfile::tempdir().unwrap();
        let path = cluster.path().join("postmaster.pid");
        fs::write(&path, format!("{}\n", std::process::id())).unwrap();
        assert_eq!(running(cluster.path()).unwrap(), None);
        assert!(!path.exists());
    }

    #[test]
    fn a_full_disk_is_told_from_other_failures() {
        let output = std::process::Command::new("false").output().unwrap();
        let full = failure("initdb", Path::new("/data"), &output, "… No space left on device");
        assert_eq!(full.to_string(), "the disk is full at /data: free some space and start again");
        let other = failure("initdb", Path::new("/data"), &output, "something else");
        assert_eq!(other.to_string(), "initdb (/data):\n  something else");
    }

    #[test]
    fn a_socket_path_is_escaped_in_the_url() {
        let url = url(Path::new("/run/a b"));
        assert_eq!(url, "postgresql://postgres@/backtrail?host=%2Frun%2Fa%20b");
    }
}
