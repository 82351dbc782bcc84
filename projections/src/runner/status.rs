//! What an operator sees of the projections.

use std::time::Duration;

use infra::postgres::DatabaseError;

use crate::{
    handle::ReadModels, read_model::ReadModel, registry::READ_MODELS,
    runner::tables::REBUILD_SUFFIX,
};

/// A follower looks at the log several times a second, and says so after each batch.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// A read model of this binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Description {
    pub name: &'static str,
    /// With its version.
    pub table: &'static str,
    /// The aggregates from whose events it comes.
    pub aggregates: &'static [&'static str],
}

/// Where a read model stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub name: &'static str,
    pub table: &'static str,
    pub state: State,
    /// Every event up to here is in.
    pub position: i64,
    /// Events of the log after it.
    pub lag: i64,
    /// How far a rebuild is that runs or was broken off.
    pub rebuild_position: Option<i64>,
    pub dead_letters_count: i64,
}

/// What a projection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its table has not been made.
    Missing,
    /// It has never reached the end of the log.
    Building,
    /// It follows the log.
    Live,
    /// A dead letter must be retried or discarded.
    Stopped,
}

impl State {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Building => "building",
            Self::Live => "live",
            Self::Stopped => "stopped",
        }
    }
}

/// Every read model of this binary.
#[must_use]
pub fn list() -> Vec<Description> {
    let describe = |model: &&'static ReadModel| Description {
        name: model.name,
        table: model.table,
        aggregates: model.aggregates,
    };
    READ_MODELS.iter().map(describe).collect()
}

impl ReadModels {
    /// Where every read model stands.
    ///
    /// # Errors
    /// The database.
    pub async fn status(&self) -> Result<Vec<Status>, DatabaseError> {
        let client = self.database.get().await?;
        let sql = "SELECT checkpoint.position, checkpoint.state, \
                   checkpoint.caught_up_at IS NOT NULL AS has_caught_up, \
                   rebuild.position AS rebuild_position, \
                   coalesce((SELECT max(position) FROM events), 0) AS head, \
                   (SELECT count(*) FROM read_models.dead_letters \
                    WHERE table_name = $1 AND state = 'open') AS dead_letters_count \
                   FROM (SELECT) AS one \
                   LEFT JOIN read_models.checkpoints AS checkpoint ON checkpoint.table_name = $1 \
                   LEFT JOIN read_models.checkpoints AS rebuild ON rebuild.table_name = $2";
        let statement = client.prepare_cached(sql).await?;
        let mut all = Vec::with_capacity(READ_MODELS.len());
        for model in READ_MODELS {
            let rebuild = format!("{}{REBUILD_SUFFIX}", model.table);
            let row = client.query_one(&statement, &[&model.table, &rebuild]).await?;
            let position: Option<i64> = row.try_get("position")?;
            let state: Option<&str> = row.try_get("state")?;
            let has_caught_up: bool = row.try_get("has_caught_up")?;
            let head: i64 = row.try_get("head")?;
            all.push(Status {
                name: model.name,
                table: model.table,
                state: match state {
                    None => State::Missing,
                    Some("stopped") => State::Stopped,
                    Some(_) if has_caught_up => State::Live,
                    Some(_) => State::Building,
                },
                position: position.unwrap_or_default(),
                lag: (head - position.unwrap_or_default()).max(0),
                rebuild_position: row.try_get("rebuild_position")?,
                dead_letters_count: row.try_get("dead_letters_count")?,
            });
        }
        Ok(all)
    }

    /// What is not as it should be with the projections of this process; none when they follow the log.
    ///
    /// # Errors
    /// The database.
    pub async fn trouble(&self) -> Result<Option<String>, DatabaseError> {
        for Status { name, state, position, .. } in self.status().await? {
            match state {
                State::Live => {}
                State::Missing | State::Building => {
                    return Ok(Some(format!("{name} is being built, at position {position}")));
                }
                State::Stopped => {
                    let advice = "see `backtrail projections status` and its dead letters";
                    return Ok(Some(format!(
                        "{name} has stopped after position {position}; {advice}"
                    )));
                }
            }
            let pulse = self.progress.pulse(name);
            if let Some(Err(wrong)) = pulse.map(|pulse| pulse.check(SILENCE_MAX)) {
                return Ok(Some(format!("{name}: {wrong}")));
            }
        }
        Ok(None)
    }

    /// Whether every read model has reached the end of the log once, so that reads may be answered.
    ///
    /// # Errors
    /// The database.
    pub async fn is_ready(&self) -> Result<bool, DatabaseError> {
        let client = self.database.get().await?;
        let tables = READ_MODELS.map(|model| model.table);
        let sql = "SELECT count(*) FROM read_models.checkpoints \
                   WHERE table_name = ANY ($1) AND caught_up_at IS NOT NULL";
        let statement = client.prepare_cached(sql).await?;
        let caught_up: i64 =
            client.query_one(&statement, &[&tables.as_slice()]).await?.try_get(0)?;
        Ok(usize::try_from(caught_up).is_ok_and(|count| count == tables.len()))
    }
}
