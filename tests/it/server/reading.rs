//! What the subcommands print that only read: where there is nothing to read, and in how many columns.

use std::fs;

use tests::{Backtrail, TestCluster, testdata};

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

/// Sentences may be longer: terminals wrap them, and only tables break by that.
#[track_caller]
fn assert_narrow(printed: &str) {
    for line in printed.lines().filter(|line| !line.starts_with("warning ")) {
        assert!(line.chars().count() <= 80, "{line}\n{printed}");
    }
}

#[test]
fn tables_and_events_fit_eighty_columns() {
    let backtrail = Backtrail::new(BACKTRAIL);
    fs::write(backtrail.folder().join("golden.json"), r#"{"code_ref": "golden_cross"}"#).unwrap();
    let days = testdata("candles/BTCUSDT_1d.csv");
    let files = ["--candles", &days, "--strategy", "golden.json"];
    let table = backtrail.succeed(&[["simulate"].as_slice(), &files].concat());
    assert_narrow(&table);
    let grid = ["--grid", "short_window=20:50:10", "--grid", "long_window=100,200"];
    let walk = ["--walk-forward", "rolling:3"];
    let table = backtrail.succeed(&[["sweep"].as_slice(), &files, &grid, &walk].concat());
    assert_narrow(&table);
    assert!(table.contains("no room for"), "{table}");
    assert!(table.contains("sharpe_") && table.contains("final_"), "{table}");
    let cores = [["sweep"].as_slice(), &files, &grid, &["--threads", "0"]].concat();
    let one = [["sweep"].as_slice(), &files, &grid, &["--threads", "1"]].concat();
    assert_eq!(backtrail.succeed(&cores), backtrail.succeed(&one));

    let _ = backtrail.succeed(&["demo", "--once"]);
    let text = backtrail.succeed(&["events", "--format", "text"]);
    assert!(text.lines().count() > 5, "{text}");
    assert_narrow(&text);
    // The end of an id is enough to see the rest of its events.
    let line = text.lines().find(|line| line.contains("BacktestCompleted")).unwrap();
    let aggregate = line.split_whitespace().nth(3).unwrap();
    let of_one = backtrail.succeed(&["events", "--aggregate", aggregate, "--format", "text"]);
    assert!(of_one.lines().all(|line| line.contains(aggregate)), "{of_one}");
    assert!(of_one.contains("BacktestRequested") && of_one.contains("BacktestCompleted"));
    assert_narrow(&backtrail.succeed(&["projections", "status"]));
    assert_narrow(&backtrail.succeed(&["projections", "list"]));
}
