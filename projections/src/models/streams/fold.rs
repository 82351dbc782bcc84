//! Turns the first events of streams into rows with the owner that each names.

use deadpool_postgres::Transaction;
use domain::{
    aggregates::{AGGREGATE_TYPES, DecodeError},
    event::RecordedEvent,
};
use futures_util::{FutureExt, future::BoxFuture};
use infra::postgres::DatabaseError;
use serde::Deserialize;
use uuid::Uuid;

use super::{NAME, TABLE};
use crate::read_model::{Changes, Folded, ReadModel};

pub(crate) const READ_MODEL: ReadModel = ReadModel {
    name: NAME,
    table: TABLE,
    aggregates: &AGGREGATE_TYPES,
    first_events_only: true,
    create,
    fold,
};

/// What the first event of a stream says about its owner, whatever else it says.
#[derive(Deserialize)]
struct FirstEvent {
    owner_id: Option<Uuid>,
    request: Option<RequestOwner>,
}

#[derive(Deserialize)]
struct RequestOwner {
    owner_id: Option<Uuid>,
}

/// Streams that begin in a batch, column by column.
#[derive(Default)]
struct NewStreams {
    aggregate_types: Vec<String>,
    aggregate_ids: Vec<String>,
    owner_ids: Vec<Option<Uuid>>,
    first_positions: Vec<i64>,
}

impl Changes for NewStreams {
    fn is_empty(&self) -> bool {
        self.first_positions.is_empty()
    }

    fn write<'a>(
        self: Box<Self>,
        transaction: &'a Transaction<'a>,
        table: &'a str,
    ) -> BoxFuture<'a, Result<(), DatabaseError>> {
        const NEW: &str = "unnest($1::text[], $2::text[], $3::uuid[], $4::bigint[]) \
                           AS new (aggregate_type, aggregate_id, owner_id, first_position)";
        async move {
            let columns = "aggregate_type, aggregate_id, owner_id, first_position";
            let owned = format!(
                "INSERT INTO read_models.{table} ({columns}) \
                 SELECT {columns} FROM {NEW} WHERE owner_id IS NOT NULL ON CONFLICT DO NOTHING"
            );
            // A ledger has the id, and so the owner, of its backtest.
            let ledgers = format!(
                "INSERT INTO read_models.{table} ({columns}) \
                 SELECT new.aggregate_type, new.aggregate_id, backtest.owner_id, new.first_position \
                 FROM {NEW} JOIN read_models.{table} AS backtest \
                 ON backtest.aggregate_type = 'backtest' AND backtest.aggregate_id = new.aggregate_id \
                 WHERE new.aggregate_type = 'ledger' ON CONFLICT DO NOTHING"
            );
            for sql in [owned, ledgers] {
                let statement = transaction.prepare_cached(&sql).await?;
                let Self { aggregate_types, aggregate_ids, owner_ids, first_positions } = &*self;
                transaction
                    .execute(
                        &statement,
                        &[aggregate_types, aggregate_ids, owner_ids, first_positions],
                    )
                    .await?;
            }
            Ok(())
        }
        .boxed()
    }
}

fn create(table: &str) -> String {
    format!(
        "CREATE TABLE read_models.{table} (aggregate_type text NOT NULL, \
         aggregate_id text NOT NULL, owner_id uuid NOT NULL, first_position bigint NOT NULL, \
         PRIMARY KEY (aggregate_type, aggregate_id)); \
         CREATE INDEX {table}_owner ON read_models.{table} (owner_id, first_position);"
    )
}

fn fold(events: &[&RecordedEvent]) -> Folded {
    let mut new = NewStreams::default();
    for event in events {
        let first: FirstEvent =
            serde_json::from_str(&event.payload).map_err(DecodeError::Payload)?;
        let of_request = first.request.and_then(|request| request.owner_id);
        new.aggregate_types.push(event.aggregate_type.clone());
        new.aggregate_ids.push(event.aggregate_id.clone());
        new.owner_ids.push(first.owner_id.or(of_request));
        new.first_positions.push(event.position);
    }
    Ok(Box::new(new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_aggregate_makes_another_version_of_the_table() {
        assert_eq!((AGGREGATE_TYPES.len(), TABLE), (4, "streams_v1"));
    }
}
