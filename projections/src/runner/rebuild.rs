//! Rebuilds a read model beside the live one and swaps them, checkpoint and all, in one transaction.

use deadpool_postgres::{Object, Transaction};
use domain::aggregates::EventAhead;
use infra::postgres::{DatabaseError, EventStore};

use crate::{
    error::UnknownReadModel,
    handle::ReadModels,
    read_model::ReadModel,
    registry,
    runner::{
        batch_writer::{BatchWriter, Step},
        tables,
    },
};

/// The progress of a rebuild.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RebuildProgress {
    pub position: i64,
    /// The end of the log when the rebuild began.
    pub target: i64,
}

/// A read model was not rebuilt; the live one is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    #[error(transparent)]
    Unknown(#[from] UnknownReadModel),
    #[error("`{0}` is already being rebuilt")]
    AlreadyRunning(&'static str),
    #[error("the event after position {position} cannot be folded; see the dead letters")]
    Poisoned { position: i64 },
    /// Only a newer version of Backtrail can rebuild it.
    #[error(transparent)]
    Ahead(EventAhead),
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<tokio_postgres::Error> for RebuildError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

impl ReadModels {
    /// Folds the whole log into a new table and swaps it for the live one, which stays readable and current meanwhile.
    /// Returns how many events were folded.
    ///
    /// # Errors
    /// See [`RebuildError`].
    pub async fn rebuild(
        &self,
        store: &EventStore,
        name: &str,
        mut progress: impl FnMut(RebuildProgress) + Send,
    ) -> Result<u64, RebuildError> {
        let model = registry::find(name)?;
        // Out of the pool: the lock ends with this connection, however this call ends.
        let guard = Object::take(self.database.get().await?);
        let sql = "SELECT pg_try_advisory_lock($1)";
        let is_alone: bool =
            guard.query_one(sql, &[&tables::rebuild_lock(model)]).await?.try_get(0)?;
        if !is_alone {
            return Err(RebuildError::AlreadyRunning(model.name));
        }
        let table = format!("{}{}", model.table, tables::REBUILD_SUFFIX);
        tables::ensure(&self.database, model, model.table).await?;
        self.start_over(model, &table).await?;
        let target = store.head().await?;
        let mut writer = BatchWriter::new(self, store, model, table.clone());
        let mut events = 0;
        loop {
            events += match writer.step().await? {
                Step::Advanced { events, .. } => events,
                Step::AtEnd => break,
                step @ (Step::Elsewhere | Step::Stopped { .. } | Step::Ahead(_)) => {
                    return Err(failure(step, &writer));
                }
            };
            progress(RebuildProgress { position: writer.position(), target });
            if writer.position() >= target {
                break;
            }
        }
        events += self.swap(model, &table, &mut writer).await?;
        Ok(u64::try_from(events).unwrap_or_default())
    }

    /// Makes an empty table for the rebuild, whatever an earlier one left.
    async fn start_over(&self, model: &ReadModel, table: &str) -> Result<(), DatabaseError> {
        let mut client = self.database.get().await?;
        let transaction = client.transaction().await?;
        tables::lock(&transaction).await?;
        tables::drop_table(&transaction, table).await?;
        transaction.commit().await?;
        drop(client);
        tables::ensure(&self.database, model, table).await
    }

    /// Locks the live table, catches up with it, and puts the new table in its place.
    async fn swap(
        &self,
        model: &'static ReadModel,
        table: &str,
        writer: &mut BatchWriter,
    ) -> Result<usize, RebuildError> {
        // Out of the pool, too: the writer needs another one meanwhile, and a small pool has no two.
        let mut client = Object::take(self.database.get().await?);
        let transaction = client.transaction().await?;
        tables::lock(&transaction).await?;
        let sql = "SELECT position FROM read_models.checkpoints WHERE table_name = $1 FOR UPDATE";
        let live: i64 = transaction.query_one(sql, &[&model.table]).await?.try_get(0)?;
        let mut events = 0;
        while writer.position() < live {
            events += match writer.step().await? {
                Step::Advanced { events, .. } => events,
                step @ (Step::AtEnd | Step::Elsewhere | Step::Stopped { .. } | Step::Ahead(_)) => {
                    return Err(failure(step, writer));
                }
            };
        }
        if !writer.settle().await? {
            return Err(failure(Step::Elsewhere, writer));
        }
        rename(&transaction, model, table).await?;
        transaction.commit().await?;
        Ok(events)
    }
}

fn failure(step: Step, writer: &BatchWriter) -> RebuildError {
    match step {
        Step::Stopped { position } => RebuildError::Poisoned { position },
        Step::Ahead(ahead) => RebuildError::Ahead(ahead),
        Step::Advanced { .. } | Step::AtEnd | Step::Elsewhere => {
            RebuildError::Database(DatabaseError::Corrupt(format!(
                "the checkpoint of {} was moved by another",
                writer.table
            )))
        }
    }
}

async fn rename(
    transaction: &Transaction<'_>,
    model: &ReadModel,
    table: &str,
) -> Result<(), DatabaseError> {
    let (name, live) = (model.name, model.table);
    transaction.batch_execute(&format!("DROP VIEW IF EXISTS read_models.{name}")).await?;
    for member in tables::family(transaction, live).await? {
        transaction.batch_execute(&format!("DROP TABLE read_models.{member}")).await?;
    }
    for member in tables::family(transaction, table).await? {
        let renamed = member.replacen(table, live, 1);
        transaction
            .batch_execute(&format!("ALTER TABLE read_models.{member} RENAME TO {renamed}"))
            .await?;
    }
    let sql = "SELECT indexname FROM pg_indexes \
               WHERE schemaname = 'read_models' AND starts_with(indexname, $1)";
    for row in transaction.query(sql, &[&table]).await? {
        let index: &str = row.try_get(0)?;
        let renamed = index.replacen(table, live, 1);
        transaction
            .batch_execute(&format!("ALTER INDEX read_models.{index} RENAME TO {renamed}"))
            .await?;
    }
    // What was discarded stays so; the other dead letters of the old rows went with them.
    for sql in [
        "DELETE FROM read_models.dead_letters WHERE table_name = $1 AND state <> 'discarded'",
        "DELETE FROM read_models.checkpoints WHERE table_name = $1",
    ] {
        transaction.execute(sql, &[&live]).await?;
    }
    for sql in [
        "UPDATE read_models.dead_letters SET table_name = $1 WHERE table_name = $2",
        "UPDATE read_models.checkpoints SET table_name = $1, caught_up_at = now() \
         WHERE table_name = $2",
    ] {
        transaction.execute(sql, &[&live, &table]).await?;
    }
    tables::show_newest(transaction, model).await
}
