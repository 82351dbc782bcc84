//! A Postgres cluster of one's own, stopped and removed however its process ends.

use std::{
    io::Write,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::TestDatabase;

/// A private server on a socket in a short directory; trusts everyone, its superuser is `postgres`.
pub struct TestCluster {
    folder: PathBuf,
    bin: PathBuf,
    /// Stops the server when its stdin closes, which the end of this process does too, kill -9 included.
    watchdog: Child,
}

/// The database that every test's own one is cloned from.
pub(crate) const TEMPLATE: &str = "backtrail_template";
const PORT: u16 = 5432;
const UNPRIVILEGED: &str = "nobody";
/// How long a server may need to start over what a killed one left.
const PATIENCE: Duration = Duration::from_secs(60);

/// Shared by all tests of this process.
static SHARED: OnceCell<TestCluster> = OnceCell::const_new();

impl TestCluster {
    /// The cluster of this test binary, for tests that leave others alone.
    pub async fn shared() -> &'static Self {
        SHARED.get_or_init(Self::private).await
    }

    /// A cluster for one test that kills backends, changes roles or stops the server. It does not survive a power cut.
    pub async fn private() -> Self {
        let statements = "shared_preload_libraries=pg_stat_statements";
        Self::start(&["fsync=off", "full_page_writes=off", statements]).await
    }

    /// A cluster that writes as safely as one in production, to be measured.
    pub async fn durable() -> Self {
        Self::start(&["max_wal_size=4GB", "shared_buffers=512MB"]).await
    }

    async fn start(settings: &[&str]) -> Self {
        let bin = binaries();
        let folder = TempDir::with_prefix_in("backtrail-", "/tmp").expect("a folder").keep();
        if rustix::process::geteuid().is_root() {
            let (user, group) = (id("-u"), id("-g"));
            chown(&folder, Some(user), Some(group)).expect("the folder's owner");
        }
        let data = folder.join("data");
        run(unprivileged(&bin.join("initdb"))
            .args([
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
                "--pgdata",
            ])
            .arg(&data));
        let mut configuration = std::fs::OpenOptions::new()
            .append(true)
            .open(data.join("postgresql.conf"))
            .expect("postgresql.conf");
        let common = ["listen_addresses=''", "max_connections=300", "timezone='UTC'"];
        for line in common.iter().chain(settings) {
            writeln!(configuration, "{line}").expect("a setting");
        }
        writeln!(configuration, "unix_socket_directories='{}'", folder.display())
            .expect("a setting");
        start(&bin, &folder);
        let cluster = Self { watchdog: watch(&bin, &folder), folder, bin };
        cluster.admin("postgres", &format!("CREATE DATABASE {TEMPLATE}")).await;
        infra::postgres::migrate(&cluster.url(TEMPLATE)).await.expect("the migrations");
        cluster
    }

    /// The superuser's URL of a database in it.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.url_as("postgres", database)
    }

    /// The URL of a database for a user.
    #[must_use]
    pub fn url_as(&self, user: &str, database: &str) -> String {
        format!("postgres:///{database}?host={}&port={PORT}&user={user}", self.folder.display())
    }

    /// A migrated database of one's own.
    pub async fn database(&self) -> TestDatabase {
        TestDatabase::clone_template(self).await
    }

    /// One of Postgres's programs, ready to connect to this cluster as its superuser.
    #[must_use]
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        command
            .env("PGHOST", &self.folder)
            .env("PGPORT", PORT.to_string())
            .env("PGUSER", "postgres");
        command
    }

    /// Stops the server at once, as a crash does, and starts it again; it recovers from its log.
    pub fn crash_and_restart(&self) {
        run(unprivileged(&self.bin.join("pg_ctl"))
            .args(["restart", "--wait", "--silent", "--mode=immediate", "--pgdata"])
            .arg(self.folder.join("data"))
            .arg("--log")
            .arg(self.folder.join("log")));
    }

    /// Stops the server as an administrator does, connections and all.
    pub fn stop(&self) {
        run(unprivileged(&self.bin.join("pg_ctl"))
            .args(["stop", "--wait", "--silent", "--mode=fast", "--pgdata"])
            .arg(self.folder.join("data")));
    }

    /// Starts it again after [`Self::stop`].
    pub fn start_again(&self) {
        start(&self.bin, &self.folder);
    }

    /// Kills the server and everything that it started, as a machine's death does.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Stops the server's processes where they are, connections included.
    ///
    /// # Panics
    /// When it does not run.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets them go on.
    ///
    /// # Panics
    /// When it does not run.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Starts it after [`Self::kill`]: it is refused until the last process of its predecessor is gone.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_after_kill(&self) {
        let deadline = Instant::now() + PATIENCE;
        while let Err(complaint) = try_start(&self.bin, &self.folder) {
            assert!(Instant::now() < deadline, "{complaint}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// The folder of its socket, `.s.PGSQL.5432`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// To the postmaster, which starts no other process then, and to its children.
    fn signal(&self, signal: Signal) {
        let text = std::fs::read_to_string(self.folder.join("data/postmaster.pid"));
        let text = text.expect("a server that runs");
        let postmaster = text.lines().next().and_then(|line| line.trim().parse().ok());
        let postmaster = postmaster.expect("the postmaster's process");
        send(postmaster, signal);
        for child in children(postmaster) {
            send(child, signal);
        }
    }

    /// Runs a statement as the superuser.
    pub(crate) async fn admin(&self, database: &str, statement: &str) {
        let (client, connection) =
            tokio_postgres::connect(&self.url(database), tokio_postgres::NoTls)
                .await
                .expect("a connection");
        let connection = tokio::spawn(connection);
        client.batch_execute(statement).await.expect(statement);
        drop(client);
        connection.await.expect("the connection's task").expect("the connection's end");
    }
}

impl Drop for TestCluster {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        self.watchdog.wait().expect("the server's end");
    }
}

fn start(bin: &Path, folder: &Path) {
    try_start(bin, folder).unwrap_or_else(|complaint| panic!("{complaint}"));
}

fn try_start(bin: &Path, folder: &Path) -> Result<(), String> {
    try_run(
        unprivileged(&bin.join("pg_ctl"))
            .args(["start", "--wait", "--silent", "--pgdata"])
            .arg(folder.join("data"))
            .arg("--log")
            .arg(folder.join("log")),
    )
}

/// One that has ended meanwhile is no matter.
fn send(process: i32, signal: Signal) {
    let pid = Pid::from_raw(process).expect("a process id");
    match kill_process(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(error) => panic!("{signal:?} to {process}: {error}"),
    }
}

/// The processes that this one started.
fn children(parent: i32) -> Vec<i32> {
    let parent = parent.to_string();
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers
        .filter(|process| {
            // `1234 (name that may hold anything) S 1 …`: state, then the parent.
            let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
            let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
            rest.split(' ').nth(1) == Some(parent.as_str())
        })
        .collect()
}

/// A process that outlives this one by the moment that it takes to stop the server and remove its folder.
fn watch(bin: &Path, folder: &Path) -> Child {
    let script = r#"cat >/dev/null
        "$0" "$@" >/dev/null 2>&1
        rm -rf "$FOLDER""#;
    let stop = unprivileged(&bin.join("pg_ctl"));
    Command::new("sh")
        .args(["-c", script])
        .arg(stop.get_program())
        .args(stop.get_args())
        .args(["stop", "--wait", "--mode=immediate", "--pgdata"])
        .arg(folder.join("data"))
        .env("FOLDER", folder)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C in the terminal ends the tests, not this.
        .process_group(0)
        .spawn()
        .expect("sh")
}

/// The folder of Postgres's programs: `PGBIN`, `PATH`, or the distribution's, newest first.
fn binaries() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .collect();
    versions.sort_unstable_by_key(|(version, _)| std::cmp::Reverse(*version));
    std::env::var_os("PGBIN")
        .map(PathBuf::from)
        .into_iter()
        .chain(std::env::split_paths(&path))
        .chain(versions.into_iter().map(|(_, bin)| bin))
        // A link may lead to a folder that has the other programs too.
        .find_map(|bin| Some(bin.join("initdb").canonicalize().ok()?.parent()?.to_owned()))
        .expect("Postgres's programs: install the package postgresql, or set PGBIN")
}

/// A command that does not run as root, which Postgres refuses.
fn unprivileged(program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args([format!("--reuid={}", id("-u")), format!("--regid={}", id("-g"))])
        .arg("--clear-groups")
        .arg(program);
    command
}

fn id(flag: &str) -> u32 {
    let output = Command::new("id").args([flag, UNPRIVILEGED]).output().expect("id");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("an id")
}

fn run(command: &mut Command) {
    try_run(command).unwrap_or_else(|complaint| panic!("{complaint}"));
}

fn try_run(command: &mut Command) -> Result<(), String> {
    let output = command.current_dir("/").output().expect("a program");
    let [stdout, stderr] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    if output.status.success() { Ok(()) } else { Err(format!("{command:?}: {stdout}{stderr}")) }
}
