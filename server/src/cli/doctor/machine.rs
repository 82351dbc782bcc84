//! The machine and its neighbours: brokers, the port, the disk, open files.

use std::{io::ErrorKind, net::TcpListener, time::Duration};

use infra::{kafka, process};

use super::Check;
use crate::config::Config;

/// Below this the embedded server and imports soon have no room.
const FREE_BYTES_WANTED: u64 = 1 << 30;
/// Below this PostgreSQL cannot write its log.
const FREE_BYTES_MIN: u64 = 64 << 20;
/// Requests that a busy server may hold open, besides its connections to the database.
const SOCKETS: u64 = 1_024;
const ANSWER_BOUND: Duration = Duration::from_secs(2);

pub(super) async fn kafka(config: &Config) -> Check {
    let Some(options) = config.kafka.options() else {
        return Check::fine("kafka", "not configured; executors follow the log in PostgreSQL");
    };
    let brokers = &options.brokers;
    match kafka::missing_topics(&options).await {
        Ok(missing) if missing.is_empty() => {
            Check::fine("kafka", format!("{brokers} responds and has every topic"))
        }
        Ok(missing) if config.database.migrate_at_start => {
            let finding =
                format!("{brokers} responds; {} topics to create at the next start", missing.len());
            Check::fine("kafka", finding)
        }
        Ok(missing) => {
            let finding = format!("{brokers} lacks the topics {}", missing.join(", "));
            Check::failed("kafka", finding, "run `backtrail migrate`")
        }
        Err(error) => Check::failed(
            "kafka",
            error.to_string(),
            "start the brokers, or correct kafka.brokers (BACKTRAIL_KAFKA__BROKERS)",
        ),
    }
}

pub(super) async fn port(config: &Config) -> Check {
    let listen = &config.http.listen;
    match TcpListener::bind(listen) {
        Ok(_) => Check::fine("port", format!("{listen} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_backtrail(listen).await => {
            Check::fine("port", format!("a Backtrail listens on {listen}"))
        }
        Err(error) => Check::failed(
            "port",
            format!("cannot listen on {listen}: {error}"),
            "stop the program that uses it, or choose another address (BACKTRAIL_HTTP__LISTEN)",
        ),
    }
}

/// Whether what listens there has our metrics.
async fn is_backtrail(listen: &str) -> bool {
    let scrape = async {
        let response = reqwest::get(format!("http://{listen}/metrics")).await?;
        response.text().await
    };
    let scraped = tokio::time::timeout(ANSWER_BOUND, scrape).await;
    scraped.is_ok_and(|text| text.is_ok_and(|text| text.contains(infra::telemetry::BUILD_INFO)))
}

pub(super) fn disk(config: &Config) -> Check {
    let data_dir = config.data_dir.display();
    let remedy = "free some space, or set BACKTRAIL_DATA_DIR to a larger disk";
    let free = match process::free_disk_bytes(&config.data_dir) {
        Ok(free) => free,
        Err(error) => return Check::failed("disk", format!("{data_dir}: {error}"), remedy),
    };
    let finding = format!("{} MiB free for {data_dir}", free >> 20);
    match free {
        _ if !config.database.url.is_empty() => Check::fine("disk", finding),
        FREE_BYTES_WANTED.. => Check::fine("disk", finding),
        FREE_BYTES_MIN.. => Check::warning("disk", finding, remedy),
        _ => Check::failed("disk", finding, remedy),
    }
}

pub(super) fn open_files(config: &Config) -> Check {
    let needed = config.database.connections_max as u64 + SOCKETS;
    match process::open_files_max() {
        Some(limit) if limit < needed => Check::warning(
            "open files",
            format!("at most {limit}; a busy server needs {needed}"),
            format!("run `ulimit -n {needed}` first, or raise LimitNOFILE of the service"),
        ),
        Some(limit) => Check::fine("open files", format!("at most {limit}")),
        None => Check::fine("open files", "no limit"),
    }
}
