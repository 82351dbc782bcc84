//! PostgreSQL and what it holds: version, schema, connections, clock, candles.

use chrono::TimeDelta;
use infra::{
    clock::Clock,
    postgres::{
        Database, DatabaseError, Inspection,
        embedded::{EmbeddedCluster, EmbeddedError, MINIMUM_MAJOR},
        inspect,
        market_data::{CandleStore, Coverage},
    },
};

use super::Check;
use crate::config::Config;

/// Leases and sessions tolerate this much difference between two clocks.
const OFFSET_MAX: TimeDelta = TimeDelta::seconds(1);

/// Everything that a connection to the database can tell.
pub(super) async fn check(config: &Config) -> Vec<Check> {
    if !config.database.url.is_empty() {
        return look(config, &config.database.url, "of database.url").await;
    }
    let prospect = match EmbeddedCluster::prospect(&config.data_dir).await {
        Ok(prospect) => prospect,
        Err(error) => return vec![cannot_start(&error)],
    };
    let data_dir = config.data_dir.display();
    if !prospect.has_cluster {
        let programs = prospect.programs.display();
        let finding = format!(
            "PostgreSQL {} in {programs}; the first start creates the database in {data_dir}",
            prospect.major
        );
        return vec![Check::fine("postgresql", finding), no_candles()];
    }
    let cluster = match EmbeddedCluster::start_or_attach(&config.data_dir).await {
        Ok(cluster) => cluster,
        Err(error) => return vec![cannot_start(&error)],
    };
    let place = format!("embedded in {data_dir}");
    let mut checks = look(config, cluster.url(), &place).await;
    if let Err(error) = cluster.stop().await {
        checks.push(cannot_start(&error));
    }
    checks
}

fn cannot_start(error: &EmbeddedError) -> Check {
    let remedy = "see above, or set BACKTRAIL_DATABASE__URL to a PostgreSQL of yours";
    Check::failed("postgresql", error.to_string(), remedy)
}

async fn look(config: &Config, url: &str, place: &str) -> Vec<Check> {
    let clock = Clock::system();
    let asked = clock.now();
    let inspection = match inspect(url).await {
        Ok(inspection) => inspection,
        Err(error) => {
            let remedy = "start PostgreSQL, or correct database.url (BACKTRAIL_DATABASE__URL)";
            return vec![Check::failed("postgresql", error.to_string(), remedy)];
        }
    };
    // Half of the round trip lies before the server read its clock.
    let responded = clock.now();
    let offset = inspection.now - (asked + (responded - asked) / 2);
    let mut checks = vec![
        version(&inspection, place),
        schema(config, &inspection),
        connections(config, &inspection),
        clocks(offset),
    ];
    if inspection.pending_migrations_count == Some(0) {
        checks.push(candles(stored(url).await));
    }
    checks
}

fn version(inspection: &Inspection, place: &str) -> Check {
    let finding = format!("PostgreSQL {} {place}", inspection.version);
    match u32::try_from(inspection.major).is_ok_and(|major| major >= MINIMUM_MAJOR) {
        true => Check::fine("postgresql", finding),
        false => Check::failed(
            "postgresql",
            finding,
            format!("upgrade to PostgreSQL {MINIMUM_MAJOR} or newer"),
        ),
    }
}

fn schema(config: &Config, inspection: &Inspection) -> Check {
    let migrates = config.database.url.is_empty() || config.database.migrate_at_start;
    match inspection.pending_migrations_count {
        Some(0) => Check::fine("schema", "up to date"),
        Some(count) if migrates => {
            Check::fine("schema", format!("{count} migrations to apply at the next start"))
        }
        Some(count) => {
            let finding = format!("{count} migrations have not been applied");
            Check::failed("schema", finding, "run `backtrail migrate`")
        }
        None => Check::warning(
            "schema",
            "this user may not read which migrations have been applied",
            "run `backtrail migrate` as the owner, who sees them",
        ),
    }
}

fn connections(config: &Config, inspection: &Inspection) -> Check {
    let Inspection { connections_max, connections_count, .. } = inspection;
    let needed = config.database.connections_max as i64;
    let finding = format!(
        "{connections_count} of the server's {connections_max} in use; this process may open {needed}"
    );
    match i64::from(*connections_max) >= needed + connections_count {
        true => Check::fine("connections", finding),
        false => Check::warning(
            "connections",
            finding,
            "raise the server's max_connections or lower database.connections_max",
        ),
    }
}

fn clocks(offset: TimeDelta) -> Check {
    let milliseconds = offset.num_milliseconds();
    match offset.abs() <= OFFSET_MAX {
        true => Check::fine("clock", format!("{milliseconds} ms from the database's")),
        false => Check::warning(
            "clock",
            format!("the database's clock is {milliseconds} ms from this machine's"),
            "synchronise both (NTP): sessions expire by this one, leases by the database's",
        ),
    }
}

async fn stored(url: &str) -> Result<Vec<Coverage>, DatabaseError> {
    let database = Database::connect(url, 10).await?;
    let coverage = CandleStore::new(database.clone()).coverage().await;
    database.close();
    coverage
}

fn candles(stored: Result<Vec<Coverage>, DatabaseError>) -> Check {
    match stored {
        Ok(series) if series.is_empty() => no_candles(),
        Ok(series) => {
            let rows: i64 = series.iter().map(|one| one.rows).sum();
            Check::fine("candles", format!("{rows} in {} series", series.len()))
        }
        Err(error) => Check::failed(
            "candles",
            error.to_string(),
            "grant backtrail_app to this user, or run `backtrail migrate` as a superuser",
        ),
    }
}

fn no_candles() -> Check {
    Check::warning("candles", "none yet", "run `backtrail import-candles --sample`")
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn inspection() -> Inspection {
        Inspection {
            version: "15.14".to_owned(),
            major: 15,
            connections_max: 100,
            connections_count: 3,
            now: DateTime::UNIX_EPOCH,
            has_schema: true,
            pending_migrations_count: Some(2),
        }
    }

    fn config(environment: &[(&str, &str)]) -> Config {
        let pairs = environment.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Config::load(None, pairs).unwrap()
    }

    #[test]
    fn an_old_server_fails() {
        let old = Inspection { major: 13, ..inspection() };
        assert!(version(&old, "").line().starts_with("FAILED"));
        assert!(version(&inspection(), "").line().starts_with("ok"));
    }

    #[test]
    fn migrations_that_nothing_will_apply_fail() {
        let url = ("BACKTRAIL_DATABASE__URL", "postgresql://h/d");
        let waits = config(&[url, ("BACKTRAIL_DATABASE__MIGRATE_AT_START", "false")]);
        assert!(schema(&waits, &inspection()).line().contains("run `backtrail migrate`"));
        assert!(schema(&config(&[url]), &inspection()).line().starts_with("ok"));
    }

    #[test]
    fn too_few_connections_and_clocks_that_differ_are_warnings() {
        let full = Inspection { connections_count: 95, ..inspection() };
        assert!(connections(&config(&[]), &full).line().starts_with("warning"));
        assert!(connections(&config(&[]), &inspection()).line().starts_with("ok"));
        assert!(clocks(TimeDelta::seconds(-2)).line().starts_with("warning"));
        assert!(clocks(TimeDelta::milliseconds(40)).line().starts_with("ok"));
    }
}
