//! What the subcommands print that only read: where there is nothing to read.

use tests::{Backtrail, TestCluster};

use crate::BACKTRAIL;

/// What reads or maintains a database, but never makes one.
const READERS: [&[&str]; 9] = [
    &["events"],
    &["events", "--follow"],
    &["projections", "status"],
    &["projections", "rebuild", "all"],
    &["projections", "prune"],
    &["projections", "dead-letters"],
    &["projections", "retry", "0192d3a5-0000-7000-8000-000000000000"],
    &["relay", "status"],
    &["relay", "skip", "7", "--reason", "too large"],
];

#[test]
fn a_folder_without_a_database_is_named_and_left_as_it_is() {
    let backtrail = Backtrail::new(BACKTRAIL);
    for arguments in READERS {
        let complaint = backtrail.fail(arguments);
        let data_dir = backtrail.data_dir().display().to_string();
        let expected = format!("there is no database in {data_dir}");
        assert!(complaint.contains(&expected), "{arguments:?}: {complaint}");
        for hint in ["BACKTRAIL_DATA_DIR", "BACKTRAIL_DATABASE__URL"] {
            assert!(complaint.contains(hint), "{arguments:?}: {complaint}");
        }
    }
    assert!(!backtrail.data_dir().exists());
}

#[tokio::test]
async fn an_empty_database_is_not_filled_with_a_schema_by_a_reader() {
    let cluster = TestCluster::private().await;
    let url = cluster.url("postgres");
    let backtrail = Backtrail::new(BACKTRAIL).with("BACKTRAIL_DATABASE__URL", &url);
    for arguments in READERS {
        let complaint = backtrail.fail(arguments);
        assert!(complaint.contains("holds nothing of Backtrail"), "{arguments:?}: {complaint}");
        assert!(complaint.contains("backtrail migrate"), "{arguments:?}: {complaint}");
    }
    let _ = backtrail.succeed(&["migrate"]);
    let shown = backtrail.succeed(&["relay", "status"]);
    assert!(shown.starts_with("Kafka is not configured"), "{shown}");
    assert!(shown.contains("position  0 of 0"), "{shown}");
    assert_eq!(backtrail.succeed(&["events"]), "");
}
