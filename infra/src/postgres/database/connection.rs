//! Single connections: how a URL is read, and connections outside the pools.

use std::time::Duration;

use tokio_postgres::{Client, Config, NoTls};

use super::error::{DatabaseError, with_sources};

/// How long a connection may take to be made or to become free.
pub(super) const CONNECTION_WAIT: Duration = Duration::from_secs(5);

/// How long a connection (over TCP) may be silent before it is probed.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Opens a connection outside the pools, as the URL's user; it closes when the client is dropped.
pub(in crate::postgres) async fn connect_alone(config: &Config) -> Result<Client, DatabaseError> {
    let (client, connection) = config
        .connect(NoTls)
        .await
        .map_err(|error| DatabaseError::Unavailable(with_sources(&error)))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(%error, "a connection to the database ended");
        }
    });
    Ok(client)
}

/// Parses a URL and fills in the time-outs and the application name that it leaves open.
pub(in crate::postgres) fn parse(url: &str) -> Result<Config, DatabaseError> {
    let mut config =
        url.parse::<Config>().map_err(|error| DatabaseError::Unavailable(with_sources(&error)))?;
    config.connect_timeout(CONNECTION_WAIT);
    // A server that vanished silently (its machine, a cable, a firewall) is noticed in seconds, not hours.
    if !url.contains("keepalives") {
        config.keepalives_idle(SILENCE_MAX).keepalives_interval(SILENCE_MAX / 5);
        config.keepalives_retries(3);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE_MAX * 2);
    }
    if config.get_application_name().is_none() {
        config.application_name("backtrail");
    }
    Ok(config)
}
