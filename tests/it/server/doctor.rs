//! `backtrail doctor` and `backtrail completions`: what a newcomer runs before and when something is wrong.

use std::net::TcpListener;

use tests::Backtrail;

use crate::BACKTRAIL;

/// The line of a check.
fn line<'a>(report: &'a str, check: &str) -> &'a str {
    let found = report.lines().find(|line| line.split_whitespace().nth(1) == Some(check));
    found.unwrap_or_else(|| panic!("no line of {check} in\n{report}"))
}

#[test]
fn a_new_installation_is_fine_and_is_told_how_to_get_candles() {
    let backtrail = Backtrail::new(BACKTRAIL);
    let report = backtrail.succeed(&["doctor"]);
    for check in ["postgresql", "kafka", "port", "disk", "open"] {
        assert!(!line(&report, check).starts_with("FAILED"), "{report}");
    }
    assert!(line(&report, "candles").ends_with("run `backtrail import-candles --sample`"));
    assert!(!backtrail.data_dir().exists(), "it only looks");

    let _ = backtrail.succeed(&["import-candles", "--sample"]);
    let report = backtrail.succeed(&["doctor"]);
    assert!(line(&report, "candles").contains("3028 in 1 series"), "{report}");
    assert!(line(&report, "schema").ends_with("up to date"), "{report}");
    assert!(line(&report, "clock").starts_with("ok"), "{report}");
    assert!(line(&report, "connections").starts_with("ok"), "{report}");
    assert_eq!(backtrail.postmaster(), None, "what it started it stopped");
}

#[test]
fn a_running_server_is_recognised_and_left_alone() {
    let backtrail = Backtrail::new(BACKTRAIL);
    let served = backtrail.serve();
    let listen = served.address().trim_start_matches("http://");
    let output = backtrail.command(&["doctor"]).env("BACKTRAIL_HTTP__LISTEN", listen).output();
    let output = output.unwrap();
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{report}");
    assert!(line(&report, "port").contains("a Backtrail listens on"), "{report}");
    assert!(backtrail.postmaster().is_some());
    assert!(served.terminate().0.success());
}

#[test]
fn what_is_configured_and_broken_fails_with_a_remedy_on_its_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let backtrail = Backtrail::new(BACKTRAIL)
        .with("BACKTRAIL_DATABASE__URL", "postgresql://me:hunter2@127.0.0.1:1/backtrail")
        .with("BACKTRAIL_KAFKA__BROKERS", "127.0.0.1:1")
        .with("BACKTRAIL_HTTP__LISTEN", &taken.local_addr().unwrap().to_string());
    let output = backtrail.run(&["doctor"]);
    assert!(!output.status.success());
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    for (check, remedy) in [
        ("postgresql", "BACKTRAIL_DATABASE__URL"),
        ("kafka", "BACKTRAIL_KAFKA__BROKERS"),
        ("port", "BACKTRAIL_HTTP__LISTEN"),
    ] {
        let line = line(&report, check);
        assert!(line.starts_with("FAILED") && line.contains(remedy), "{line}");
    }
    assert!(!report.contains("hunter2"), "{report}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("3 of 5 checks failed"));
}

#[test]
fn missing_programs_are_one_line_with_what_to_install() {
    let backtrail = Backtrail::new(BACKTRAIL).with("PGBIN", "/nowhere");
    let output = backtrail.run(&["doctor"]);
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(line(&report, "postgresql").contains("apt-get install postgresql"), "{report}");
    assert!(!output.status.success());
}

#[test]
fn completions_know_the_subcommands() {
    let backtrail = Backtrail::new(BACKTRAIL);
    for shell in ["bash", "zsh", "fish"] {
        assert!(backtrail.succeed(&["completions", shell]).contains("import-candles"), "{shell}");
    }
}
