//! What an operator sees of the projections.

use std::time::Duration;

use domain::aggregates::EventAhead;
use infra::postgres::DatabaseError;
use tokio_postgres::{Row, types::ToSql};

use crate::{
    handle::ReadModels, read_model::ReadModel, registry::READ_MODELS,
    runner::tables::REBUILD_SUFFIX,
};

/// A follower looks at the log several times a second, and beats after each batch.
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

/// The state of a read model.
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
    /// Why it rests, if it does.
    pub reason: Option<String>,
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
    /// The next event is newer than this binary: only a newer one takes it in.
    Resting,
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
            Self::Resting => "resting",
        }
    }
}

/// The event after the checkpoint, if this binary is too old for it.
fn next_ahead(row: &Row, position: i64) -> Result<Option<EventAhead>, DatabaseError> {
    let Some(aggregate_type) = row.try_get::<_, Option<&str>>("aggregate_type")? else {
        return Ok(None);
    };
    let (event_type, version) = (row.try_get("event_type")?, row.try_get("event_version")?);
    Ok(EventAhead::of(position + 1, aggregate_type, event_type, version))
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
    /// Returns the state of every read model.
    ///
    /// # Errors
    /// The database.
    pub async fn status(&self) -> Result<Vec<Status>, DatabaseError> {
        let client = self.database.get().await?;
        let sql = "SELECT checkpoint.position, checkpoint.state, \
                   checkpoint.caught_up_at IS NOT NULL AS has_caught_up, \
                   next.aggregate_type, next.event_type, next.event_version, \
                   rebuild.position AS rebuild_position, \
                   coalesce((SELECT max(position) FROM events), 0) AS head, \
                   (SELECT count(*) FROM read_models.dead_letters \
                    WHERE table_name = $1 AND state = 'open') AS dead_letters_count \
                   FROM (SELECT) AS one \
                   LEFT JOIN read_models.checkpoints AS checkpoint ON checkpoint.table_name = $1 \
                   LEFT JOIN read_models.checkpoints AS rebuild ON rebuild.table_name = $2 \
                   LEFT JOIN events AS next ON next.position = checkpoint.position + 1 \
                   AND next.aggregate_type = ANY ($3)";
        let statement = client.prepare_cached(sql).await?;
        let mut all = Vec::with_capacity(READ_MODELS.len());
        for model in READ_MODELS {
            let rebuild = format!("{}{REBUILD_SUFFIX}", model.table);
            let parameters: [&(dyn ToSql + Sync); 3] = [&model.table, &rebuild, &model.aggregates];
            let row = client.query_one(&statement, &parameters).await?;
            let position: Option<i64> = row.try_get("position")?;
            let ahead = next_ahead(&row, position.unwrap_or_default())?;
            let state: Option<&str> = row.try_get("state")?;
            let has_caught_up: bool = row.try_get("has_caught_up")?;
            let head: i64 = row.try_get("head")?;
            all.push(Status {
                name: model.name,
                table: model.table,
                state: match state {
                    None => State::Missing,
                    Some("stopped") => State::Stopped,
                    Some(_) if ahead.is_some() => State::Resting,
                    Some(_) if has_caught_up => State::Live,
                    Some(_) => State::Building,
                },
                position: position.unwrap_or_default(),
                lag: (head - position.unwrap_or_default()).max(0),
                rebuild_position: row.try_get("rebuild_position")?,
                dead_letters_count: row.try_get("dead_letters_count")?,
                reason: ahead.map(|ahead| ahead.to_string()),
            });
        }
        Ok(all)
    }

    /// Returns what is wrong with the projections of this process; `None` if they follow the log.
    ///
    /// # Errors
    /// The database.
    pub async fn trouble(&self) -> Result<Option<String>, DatabaseError> {
        for Status { name, state, position, reason, .. } in self.status().await? {
            match state {
                State::Live => {}
                State::Missing | State::Building => {
                    return Ok(Some(format!("{name} is being built, at position {position}")));
                }
                State::Resting => {
                    return Ok(Some(format!("{name} rests: {}", reason.unwrap_or_default())));
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

    /// Returns whether every read model has reached the end of the log once, so that reads may be served.
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
