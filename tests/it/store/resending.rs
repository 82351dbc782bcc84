//! Appends whose connection is lost are sent again, and done once.

use std::path::Path;

use infra::postgres::{Database, EventStore, event_store::Outcome};
use tests::{TestCluster, TestDatabase};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{UnixListener, UnixStream},
    sync::watch,
    task::JoinSet,
};

use super::{append_to, command};

const WRITERS: usize = 8;
const APPENDS: i64 = 100;

/// Stands between a client and the server; while `is_deaf`, it hands requests on and loses the answer with its connection.
async fn lossy_proxy(listener: UnixListener, server: String, is_deaf: watch::Sender<bool>) {
    while let Ok((client, _)) = listener.accept().await {
        let (server, is_deaf) = (server.clone(), is_deaf.clone());
        tokio::spawn(async move {
            let server = UnixStream::connect(server).await.unwrap();
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            let requests =
                tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
            let mut buffer = vec![0; 1 << 16];
            while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
                if is_deaf.send_replace(false) {
                    break;
                }
                to_client.write_all(&buffer[..length]).await.unwrap();
            }
            requests.abort();
        });
    }
}

#[tokio::test]
async fn an_append_whose_answer_was_lost_is_sent_again_and_known_as_done() {
    let test = TestDatabase::new().await;
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
    let (_, query) = test.url.split_once("host=").unwrap();
    let (server, _) = query.split_once('&').unwrap();
    let is_deaf = watch::Sender::new(false);
    let server_socket = Path::new(server).join(".s.PGSQL.5432").display().to_string();
    let proxy = tokio::spawn(lossy_proxy(listener, server_socket, is_deaf.clone()));
    let url = test.url.replace(server, &folder.path().display().to_string());

    let store = EventStore::start(Database::connect(&url, 2).await.unwrap());
    // The statement is prepared by now, so that the next answer is that of the append.
    store.append(append_to("a", 0, 1)).await.unwrap();
    // The listener's polls go through the proxy too: repeat until an append was the one that lost its answer.
    for sequence in 1..20 {
        is_deaf.send_replace(true);
        let mut append = append_to("a", sequence, 1);
        append.command = (sequence % 2 == 0).then(|| command(&sequence.to_string(), "a"));
        let outcome = store.append(append).await.unwrap();
        let position = sequence + 1;
        assert_eq!(
            outcome,
            Outcome::Appended { first_position: position, last_position: position }
        );
    }
    assert_eq!(store.read_stream("tally", "a", 0, 100).await.unwrap().len(), 20);
    proxy.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_backends_and_a_crashed_server_lose_nothing_and_double_nothing() {
    let cluster = TestCluster::private().await;
    let test = cluster.database().await;
    let store = test.store();
    let done = watch::Sender::new(0);
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(append_one_by_one(store.clone(), format!("stream {writer}"), done.clone()));
    }
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let mut superuser = test.superuser().await;
    // Each time after some work was done, so that a slow machine is not killed faster than it works.
    for goal in (0..WRITERS as i64 * APPENDS).step_by(40) {
        done.subscribe().wait_for(|done| *done >= goal).await.unwrap();
        if goal == 400 {
            tokio::task::block_in_place(|| cluster.crash_and_restart());
            superuser = test.superuser().await;
        } else {
            superuser.query(kill, &[]).await.unwrap();
        }
    }
    writers.join_all().await;
    // Over a connection that nobody has killed a moment ago.
    let database = Database::connect(&test.url, 4).await.unwrap();
    let events = EventStore::start(database).read_after(0, 10_000).await.unwrap();
    assert!(events.iter().map(|event| event.position).eq(1..=WRITERS as i64 * APPENDS));
}

/// Appends of one event each; `done` counts all writers'.
async fn append_one_by_one(store: EventStore, stream: String, done: watch::Sender<i64>) {
    let mut last = 0;
    for sequence in 0..APPENDS {
        let outcome = store.append(append_to(&stream, sequence, 1)).await.unwrap();
        let Outcome::Appended { first_position, last_position } = outcome else {
            panic!("{outcome:?}")
        };
        assert!(first_position == last_position && last_position > last);
        last = last_position;
        done.send_modify(|done| *done += 1);
    }
}
