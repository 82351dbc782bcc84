//! The names of all metrics that a process exposes at `/metrics`, in one place; docs/operations.md explains them.

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};

pub const APPEND_SECONDS: &str = "backtrail_append_seconds";
pub const APPEND_LOCK_WAIT_SECONDS: &str = "backtrail_append_lock_wait_seconds";
pub const APPEND_GROUP_EVENTS: &str = "backtrail_append_group_events";
pub const RUN_SECONDS: &str = "backtrail_run_seconds";
pub const HTTP_REQUEST_SECONDS: &str = "backtrail_http_request_seconds";

pub const LEASE_EXPIRIES: &str = "backtrail_lease_expiries_total";
pub const CLAIM_CONFLICTS: &str = "backtrail_claim_conflicts_total";
pub const DUPLICATES_DROPPED: &str = "backtrail_duplicates_dropped_total";
pub const HTTP_REQUESTS: &str = "backtrail_http_requests_total";

pub const BUILD_INFO: &str = "backtrail_build_info";
pub const DATABASE_UP: &str = "backtrail_database_up";
pub const LOG_POSITION: &str = "backtrail_log_position";
pub const READ_MODEL_POSITION: &str = "backtrail_read_model_position";
pub const READ_MODEL_LAG_EVENTS: &str = "backtrail_read_model_lag_events";
pub const READ_MODEL_STOPPED: &str = "backtrail_read_model_stopped";
pub const DEAD_LETTERS_OPEN: &str = "backtrail_dead_letters_open";
pub const RUNS_WAITING: &str = "backtrail_runs_waiting";
pub const RUNS_RUNNING: &str = "backtrail_runs_running";
pub const LEADER: &str = "backtrail_leader";
pub const RELAY_LAG_EVENTS: &str = "backtrail_relay_lag_events";
pub const POOL_CONNECTIONS_MAX: &str = "backtrail_pool_connections_max";
pub const POOL_CONNECTIONS: &str = "backtrail_pool_connections";
pub const POOL_AVAILABLE: &str = "backtrail_pool_available";
pub const POOL_WAITING: &str = "backtrail_pool_waiting";

/// Distributions, each with its unit and its description.
pub const HISTOGRAMS: &[(&str, Unit, &str)] = &[
    (APPEND_SECONDS, Unit::Seconds, "Calls of append_events, with their commit"),
    (
        APPEND_LOCK_WAIT_SECONDS,
        Unit::Seconds,
        "Time that such a call waited for the lock of the log",
    ),
    (APPEND_GROUP_EVENTS, Unit::Count, "Events in one call of append_events"),
    (RUN_SECONDS, Unit::Seconds, "Attempts at jobs, by kind and how they ended"),
    (HTTP_REQUEST_SECONDS, Unit::Seconds, "Time until the response begins, by method and route"),
];

/// Values that only grow from the start of the process.
pub const COUNTERS: &[(&str, &str)] = &[
    (LEASE_EXPIRIES, "Leases that expired, by kind, each counted by the process that found it"),
    (
        CLAIM_CONFLICTS,
        "Jobs lost between lease and claim to another executor or to their own end, by kind",
    ),
    (
        DUPLICATES_DROPPED,
        "Requests for jobs from Kafka that were already queued or finished, by kind",
    ),
    (HTTP_REQUESTS, "Requests, by method, route and status"),
];

/// Values at the moment of the scrape. Those of the log, the read models and the queue are the same in every process.
pub const GAUGES: &[(&str, &str)] = &[
    (BUILD_INFO, "1, with the versions of program and engine as labels"),
    (
        DATABASE_UP,
        "1 if the database responded to this scrape; 0 if not, and then its values are as old as its last response",
    ),
    (LOG_POSITION, "Position of the last event"),
    (READ_MODEL_POSITION, "Position up to which a read model has processed every event"),
    (READ_MODEL_LAG_EVENTS, "Events of the log that a read model has not processed yet"),
    (READ_MODEL_STOPPED, "1 if a read model has stopped before a dead letter, else 0"),
    (DEAD_LETTERS_OPEN, "Events that a read model could not process"),
    (RUNS_WAITING, "Jobs in the queue without a lease, by kind"),
    (RUNS_RUNNING, "Jobs in the queue under a lease, by kind"),
    (LEADER, "1 if this process leads the role, else 0"),
    (RELAY_LAG_EVENTS, "Events of the log that the relay has not published yet"),
    (POOL_CONNECTIONS_MAX, "The most connections that a pool of this process may open"),
    (POOL_CONNECTIONS, "Connections that it has open"),
    (POOL_AVAILABLE, "Open connections that are idle"),
    (POOL_WAITING, "Tasks that wait for a connection"),
];

/// Describes the metrics to the recorder and starts the counters of these kinds of jobs at 0.
pub fn describe(version: &'static str, engine_version: &'static str, kinds: &[&'static str]) {
    for (name, unit, text) in HISTOGRAMS {
        describe_histogram!(*name, *unit, *text);
    }
    for (name, text) in COUNTERS {
        describe_counter!(*name, *text);
    }
    for (name, text) in GAUGES {
        describe_gauge!(*name, *text);
    }
    for name in [LEASE_EXPIRIES, CLAIM_CONFLICTS, DUPLICATES_DROPPED] {
        for kind in kinds {
            counter!(name, "kind" => *kind).increment(0);
        }
    }
    gauge!(BUILD_INFO, "version" => version, "engine_version" => engine_version).set(1.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_explained_in_the_documentation() {
        let page = include_str!("../../docs/operations.md");
        let histograms = HISTOGRAMS.iter().map(|(name, ..)| *name);
        let others = COUNTERS.iter().chain(GAUGES).map(|(name, _)| *name);
        for name in histograms.chain(others) {
            assert!(page.contains(&format!("`{name}`")), "{name}");
        }
    }
}
