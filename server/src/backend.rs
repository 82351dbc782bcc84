//! The database of a process: the configured one, or an embedded cluster that it starts, adopts or attaches to.

use anyhow::{Context, bail};
use infra::postgres::{
    self, Database, Inspection,
    embedded::{EmbeddedCluster, EmbeddedError, Origin},
};

use crate::config::Config;

const CHECK_URL: &str = "check database.url (BACKTRAIL_DATABASE__URL)";

/// What a subcommand does with the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Serves, and holds an embedded cluster exclusively.
    Serve,
    /// Writes, possibly while a server is running; creates what is missing.
    Share,
    /// Reads or maintains what is there, possibly while a server is running; creates neither a database nor a schema.
    Existing,
}

/// An open database; [`Backend::close`] stops what was started with it.
pub struct Backend {
    pub database: Database,
    cluster: Option<EmbeddedCluster>,
}

impl Backend {
    /// Opens the database and brings its schema up to date, unless the configuration leaves that to `backtrail migrate`.
    /// With [`Access::Existing`], the schema must be up to date.
    ///
    /// # Errors
    /// What is missing or in the way, with the remedy.
    pub async fn open(config: &Config, access: Access) -> anyhow::Result<Self> {
        let cluster = match config.database.url.is_empty() {
            true => Some(open_cluster(config, access).await?),
            false => None,
        };
        let url = cluster.as_ref().map_or(config.database.url.as_str(), EmbeddedCluster::url);
        if access == Access::Existing {
            check_schema(url).await?;
        } else if cluster.is_some() || config.database.migrate_at_start {
            let configured = config.database.migrate_url.as_str();
            let url = if configured.is_empty() { url } else { configured };
            postgres::migrate(url).await.context("the schema cannot be brought up to date")?;
        }
        let database =
            Database::connect(url, config.database.connections_max).await.context(CHECK_URL)?;
        Ok(Self { database, cluster })
    }

    /// Describes the database, without secrets.
    #[must_use]
    pub fn description(&self) -> String {
        match &self.cluster {
            Some(cluster) => format!("embedded, in {}", cluster.directory().display()),
            None => "the one of database.url".to_owned(),
        }
    }

    /// Closes after some work. On a full disk the work fails with a lost connection; the error then names the disk instead.
    ///
    /// # Errors
    /// The work's, and those of [`Self::close`].
    pub async fn finish<T>(self, done: anyhow::Result<T>) -> anyhow::Result<T> {
        let disk = match (&done, &self.cluster) {
            (Err(_), Some(cluster)) => cluster.check_disk(),
            (Ok(_), _) | (_, None) => Ok(()),
        };
        let closed = self.close().await;
        disk?;
        let done = done?;
        closed?;
        Ok(done)
    }

    /// Stops an embedded cluster that this process holds.
    ///
    /// # Errors
    /// The cluster does not stop.
    pub async fn close(self) -> Result<(), EmbeddedError> {
        self.database.close();
        match self.cluster {
            Some(cluster) => cluster.stop().await,
            None => Ok(()),
        }
    }
}

/// Checks that every migration has been applied, as far as this user may know.
async fn check_schema(url: &str) -> anyhow::Result<()> {
    let inspection = postgres::inspect(url).await.context(CHECK_URL)?;
    match inspection {
        Inspection { has_schema: false, .. } => bail!(
            "the database holds nothing of Backtrail: check database.url (BACKTRAIL_DATABASE__URL), \
             or run `backtrail migrate` to create the schema in it"
        ),
        Inspection { pending_migrations_count: Some(count), .. } if count > 0 => {
            bail!("{count} migrations have not been applied: run `backtrail migrate`")
        }
        Inspection { .. } => Ok(()),
    }
}

async fn open_cluster(config: &Config, access: Access) -> Result<EmbeddedCluster, EmbeddedError> {
    let cluster = match access {
        Access::Serve => EmbeddedCluster::start(&config.data_dir).await?,
        Access::Share => EmbeddedCluster::start_or_attach(&config.data_dir).await?,
        Access::Existing => EmbeddedCluster::start_existing(&config.data_dir).await?,
    };
    let what = match cluster.origin() {
        Origin::Created => "created an embedded PostgreSQL",
        Origin::Started => "started the embedded PostgreSQL",
        Origin::Adopted => "adopted the embedded PostgreSQL that was left running",
        Origin::Attached => "attached to the embedded PostgreSQL of another process",
    };
    tracing::info!(url = cluster.url(), "{what} in {}", cluster.directory().display());
    Ok(cluster)
}
