//! A dump that is restored elsewhere goes on counting.

use infra::postgres::{self, Database, EventStore, event_store::Outcome};
use tests::{TestCluster, TestDatabase};

use super::{append_to, command};

#[tokio::test]
async fn a_restored_dump_goes_on_counting() {
    let test = TestDatabase::new().await;
    let store = test.store();
    let mut first = append_to("a", 0, 3);
    first.command = Some(command("key", "a"));
    store.append(first).await.unwrap();
    store.append(append_to("b", 0, 2)).await.unwrap();
    let before = store.read_after(0, 100).await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("dump");
    let run = |command: &mut std::process::Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let shared = TestCluster::shared().await;
    run(shared.program("pg_dump").args(["--format=custom", "--file"]).arg(&dump).arg(&test.name));
    // Another cluster: its transaction ids start anew.
    let other = TestCluster::private().await;
    run(other.program("createdb").arg("restored"));
    run(other.program("pg_restore").args(["--exit-on-error", "--dbname=restored"]).arg(&dump));
    let url = other.url("restored");
    postgres::migrate(&url).await.unwrap();

    let store = EventStore::start(Database::connect(&url, 2).await.unwrap());
    assert_eq!(store.read_after(0, 100).await.unwrap(), before);
    assert_eq!(store.append(append_to("b", 1, 1)).await.unwrap(), Outcome::Conflict);
    let mut again = append_to("c", 0, 1);
    again.command = Some(command("key", "c"));
    assert!(matches!(store.append(again).await.unwrap(), Outcome::Duplicate { position: 3, .. }));
    let next = store.append(append_to("b", 2, 1)).await.unwrap();
    assert_eq!(next, Outcome::Appended { first_position: 6, last_position: 6 });
    let last = store.read_after(5, 1).await.unwrap().remove(0);
    assert!(last.recorded_at >= before[4].recorded_at);
}
