//! Programs that know nothing of Backtrail read its topics: kcat, and a few lines of Python.

use std::process::{Command, Output};

use tests::{TestDatabase, kafka::TestKafka};
use tokio::task::block_in_place;

use super::{Relaying, append, relayed};

const EVENTS: usize = 20;

/// Topics with a log in them, and what the program says about them; none, told loudly, where it is not installed.
async fn output_of(command: &str, arguments: impl Fn(&str, &str) -> Vec<String>) -> Option<String> {
    let kafka = TestKafka::shared().await;
    let (database, options) = (TestDatabase::new().await, kafka.options());
    let store = database.store();
    append(&store, ("ledger", 7), 0, EVENTS, 100).await;
    let relaying = Relaying::start(&store, &options);
    relayed(&store, &options).await;
    relaying.end().await;
    let arguments = arguments(kafka.brokers(), &options.topic("ledger"));
    let run = || Command::new(command).args(arguments).output();
    let Ok(Output { status, stdout, stderr }) = block_in_place(run) else {
        eprintln!("SKIPPED: {command} is not installed");
        return None;
    };
    let stderr = String::from_utf8_lossy(&stderr);
    if stderr.contains("No module named 'confluent_kafka'") {
        eprintln!("SKIPPED: Python has no confluent-kafka");
        return None;
    }
    assert!(status.success(), "{stderr}");
    Some(String::from_utf8_lossy(&stdout).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn kcat_reads_keys_headers_and_payloads() {
    let arguments = |brokers: &str, topic: &str| {
        let format = "%k|%h|%s\\n";
        let arguments =
            ["-C", "-q", "-e", "-b", brokers, "-t", topic, "-o", "beginning", "-f", format];
        arguments.map(str::to_owned).into()
    };
    let Some(output) = output_of("kcat", arguments).await else { return };
    let lines: Vec<Vec<&str>> = output.lines().map(|line| line.split('|').collect()).collect();
    assert_eq!(lines.len(), EVENTS, "{output}");
    for (index, line) in lines.iter().enumerate() {
        assert_eq!(line[0], "00000000-0000-0000-0000-000000000007");
        for header in [
            "ce_specversion=1.0".to_owned(),
            "ce_type=Counted".to_owned(),
            format!("ce_sequence={}", index + 1),
            format!("ce_position={}", index + 1),
        ] {
            assert!(line[1].split(',').any(|found| found == header), "{header}: {}", line[1]);
        }
        let payload: serde_json::Value = serde_json::from_str(line[2]).unwrap();
        assert_eq!(payload["number"], index);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_of_the_documentation_reads_every_event_once() {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/consumer.py");
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let arguments =
        |brokers: &str, topic: &str| [program, brokers, topic].map(str::to_owned).into();
    let Some(output) = output_of(&python, arguments).await else { return };
    let positions: Vec<String> = (1..=EVENTS).map(|position| position.to_string()).collect();
    let read: Vec<&str> = output.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(read, positions, "{output}");
}
