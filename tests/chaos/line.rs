//! The line between one process and PostgreSQL: it can be held up, and cut after the server did what the process will not hear of.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    sync::watch,
    task::JoinSet,
    time,
};

/// Forwards connections from a separate socket to the server's.
pub(crate) struct Line {
    folder: TempDir,
    flow: watch::Sender<Flow>,
    /// Counts the cuts: a connection ends with the next one.
    cuts: watch::Sender<u32>,
    /// Ends with the line.
    _forwarding: JoinSet<()>,
}

/// What goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Both,
    /// The server hears, and is not heard.
    Requests,
    Nothing,
}

/// Of PostgreSQL, by its port.
const SOCKET: &str = ".s.PGSQL.5432";
const BUFFER_BYTES: usize = 64 * 1024;
/// How long answers are held back before a cut: the server does what it was asked in the meantime.
const LOST: Duration = Duration::from_millis(100);

impl Line {
    /// To the server with its socket in that folder.
    pub(crate) fn new(server: &Path) -> Self {
        let folder = TempDir::with_prefix("line-").expect("a folder");
        let listener = UnixListener::bind(folder.path().join(SOCKET)).expect("a socket");
        let (flow, cuts) = (watch::Sender::new(Flow::Both), watch::Sender::new(0));
        let mut forwarding = JoinSet::new();
        forwarding.spawn(accept(listener, server.join(SOCKET), flow.clone(), cuts.clone()));
        Self { folder, flow, cuts, _forwarding: forwarding }
    }

    /// The superuser's URL through this line.
    pub(crate) fn url(&self, database: &str) -> String {
        format!(
            "postgres:///{database}?host={}&port=5432&user=postgres",
            self.folder.path().display()
        )
    }

    /// Ends every connection, answers unheard; new ones can be made at once.
    pub(crate) async fn cut(&self) {
        self.flow.send_replace(Flow::Requests);
        time::sleep(LOST).await;
        self.cuts.send_modify(|cuts| *cuts += 1);
        self.flow.send_replace(Flow::Both);
    }

    /// Nothing goes through for so long; then all of it.
    pub(crate) async fn stall(&self, duration: Duration) {
        self.flow.send_replace(Flow::Nothing);
        time::sleep(duration).await;
        self.flow.send_replace(Flow::Both);
    }
}

async fn accept(
    listener: UnixListener,
    server: PathBuf,
    flow: watch::Sender<Flow>,
    cuts: watch::Sender<u32>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (client, _) = accepted.expect("a connection");
                let (flow, mut cut) = (flow.subscribe(), cuts.subscribe());
                let server = server.clone();
                connections.spawn(async move {
                    tokio::select! {
                        // Either side may break off: that is the other's to see.
                        _ = forward(client, &server, flow) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn forward(client: UnixStream, server: &Path, flow: watch::Receiver<Flow>) -> io::Result<()> {
    let server = UnixStream::connect(server).await?;
    let (client_reads, client_writes) = client.into_split();
    let (server_reads, server_writes) = server.into_split();
    tokio::select! {
        ended = copy(client_reads, server_writes, flow.clone(), |flow| flow != Flow::Nothing) => ended,
        ended = copy(server_reads, client_writes, flow, |flow| flow == Flow::Both) => ended,
    }
}

async fn copy(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut flow: watch::Receiver<Flow>,
    is_open: impl Fn(Flow) -> bool,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = from.read(&mut buffer).await?;
        if flow.wait_for(|flow| is_open(*flow)).await.is_err() || count == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..count]).await?;
    }
}
