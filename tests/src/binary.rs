//! The binary as a user runs it: in a separate folder, with an embedded server, on a free port.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::testdata;

/// How long anything may take before a test is given up.
const PATIENCE: Duration = Duration::from_secs(180);

/// Runs the binary in a separate folder, which is removed with whatever still runs in it.
pub struct Backtrail {
    program: PathBuf,
    folder: TempDir,
    environment: Vec<(String, String)>,
}

/// A serving process, killed at the latest when this is dropped.
pub struct Served {
    child: Child,
    address: String,
    lines: mpsc::Receiver<String>,
}

impl Backtrail {
    /// The program in a fresh folder that everyone can reach.
    #[must_use]
    pub fn new(program: &str) -> Self {
        let folder = TempDir::with_prefix("backtrail-").expect("a folder");
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.path(), mode).expect("the folder's mode");
        Self { program: program.into(), folder, environment: Vec::new() }
            .with("BACKTRAIL_HTTP__LISTEN", "127.0.0.1:0")
    }

    /// With one more variable in its environment.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The working folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The `data_dir`.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join(".backtrail")
    }

    /// A command in the folder, with none of our own settings.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("BACKTRAIL_") {
                command.env_remove(name);
            }
        }
        command.current_dir(self.folder.path()).args(arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// Runs to the end.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program runs")
    }

    /// Runs to the end, which must be a success, and returns what it printed.
    #[must_use]
    pub fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs to the end, which must be a failure, and returns what it complained about.
    #[must_use]
    pub fn fail(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?} succeeded");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Imports eight years of BTCUSDT by the day.
    pub fn import_days(&self) {
        let _ = self.succeed(&["import-candles", &testdata("candles/BTCUSDT_1d.csv")]);
    }

    /// Imports a month of BTCUSDT by the minute.
    pub fn import_minutes(&self) {
        let file = testdata("candles/BTCUSDT_1m_2024-03.csv.gz");
        let market = ["--symbol", "BTCUSDT", "--timeframe", "1m"];
        let _ = self.succeed(&[["import-candles", &file].as_slice(), &market].concat());
    }

    /// Serves until it is told to stop.
    #[must_use]
    pub fn serve(&self) -> Served {
        self.serve_with(&["serve"])
    }

    /// Runs a subcommand that serves, and waits until it listens.
    #[must_use]
    pub fn serve_with(&self, arguments: &[&str]) -> Served {
        let mut served = self.start(arguments);
        assert!(served.until_listening(), "{arguments:?} ended before it listened");
        served
    }

    /// Starts a subcommand and leaves it running.
    #[must_use]
    pub fn start(&self, arguments: &[&str]) -> Served {
        let log = fs::File::options().create(true).append(true).open(self.folder().join("log"));
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(log.expect("a log"));
        let mut child = command.spawn().expect("the program starts");
        let lines = read_lines(child.stdout.take().expect("its output"));
        Served { child, address: String::new(), lines }
    }

    /// The process of the embedded server; none when it does not run.
    #[must_use]
    pub fn postmaster(&self) -> Option<u32> {
        let location = fs::read_to_string(self.data_dir().join("postgres.location"));
        let cluster = location.map_or(self.data_dir().join("postgres"), |path| path.trim().into());
        let text = fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
        let pid: u32 = text.lines().next()?.trim().parse().ok()?;
        Path::new("/proc").join(pid.to_string()).exists().then_some(pid)
    }
}

impl Drop for Backtrail {
    fn drop(&mut self) {
        // A killed process leaves its server to the next one, which stops it.
        if self.postmaster().is_some() {
            let output = self.run(&["migrate"]);
            if !output.status.success() && !thread::panicking() {
                panic!("{}", String::from_utf8_lossy(&output.stderr));
            }
        }
        if let Ok(elsewhere) = fs::read_to_string(self.data_dir().join("postgres.location")) {
            fs::remove_dir_all(elsewhere.trim()).expect("the folder elsewhere is removed");
        }
    }
}

impl Served {
    /// `http://127.0.0.1:…`
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Waits until it says where it listens; false when it ended before.
    ///
    /// # Panics
    /// When it is silent for too long.
    #[must_use]
    pub fn until_listening(&mut self) -> bool {
        let Some(line) = self.next_line_with("listening on http://") else { return false };
        let address = line.split("listening on ").nth(1).expect("an address");
        address.trim().clone_into(&mut self.address);
        true
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it can be asked")
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line of its output that holds the text.
    ///
    /// # Panics
    /// When it ends, or is silent for too long.
    pub fn line_with(&mut self, text: &str) -> String {
        self.next_line_with(text).unwrap_or_else(|| panic!("it ended without a line with `{text}`"))
    }

    /// None when it ends before.
    fn next_line_with(&mut self, text: &str) -> Option<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(text) => return Some(line),
                Ok(_) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return None,
                Err(error @ mpsc::RecvTimeoutError::Timeout) => {
                    panic!("no line with `{text}`: {error}")
                }
            }
        }
    }

    /// SIGSTOP.
    pub fn pause(&self) {
        kill_process(Pid::from_child(&self.child), Signal::STOP).expect("it is stopped");
    }

    /// SIGCONT.
    pub fn resume(&self) {
        kill_process(Pid::from_child(&self.child), Signal::CONT).expect("it goes on");
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().expect("it is killed");
        self.child.wait().expect("it ends");
    }

    /// SIGTERM; returns how and how fast it ended.
    ///
    /// # Panics
    /// When it does not end.
    #[must_use]
    pub fn terminate(mut self) -> (ExitStatus, Duration) {
        let started = Instant::now();
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("it is signalled");
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be asked") {
                return (status, started.elapsed());
            }
            assert!(started.elapsed() < PATIENCE, "it does not end");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.child.kill().expect("it is killed");
            self.child.wait().expect("it ends");
        }
    }
}

fn read_lines(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        let mut line = Vec::new();
        while reader.by_ref().read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
            if sender.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });
    receiver
}
