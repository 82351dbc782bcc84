//! Bulk writes: rows as one JSON document, or as one binary COPY.

use std::{fmt::Debug, pin::pin};

use deadpool_postgres::Transaction;
use infra::postgres::DatabaseError;
use serde::Serialize;
use tokio_postgres::{
    binary_copy::BinaryCopyInWriter,
    types::{Json, ToSql, Type},
};
use uuid::Uuid;

/// Columns of a table with their SQL types.
pub(crate) type Columns = [(&'static str, &'static str)];

/// A column's name and type, and how a row fills it.
pub(crate) type CopyColumn<T> = (&'static str, Type, fn(&T) -> &(dyn ToSql + Sync));

/// The columns as `CREATE TABLE` wants them.
pub(crate) fn definitions(columns: &Columns) -> String {
    let definitions = columns.iter().map(|(name, kind)| format!("{name} {kind}"));
    definitions.collect::<Vec<_>>().join(", ")
}

/// The columns in the order in which a row is read fastest: what has a fixed width and is never null first, what may be long last.
pub(crate) fn packed(columns: &Columns) -> Vec<(&'static str, &'static str)> {
    let rank = |(_, kind): &(&str, &str)| {
        let is_long = ["json", "[]"].iter().any(|long| kind.contains(long));
        let is_fixed = !["text", "numeric"].iter().any(|short| kind.starts_with(short));
        let is_never_null = kind.contains("NOT NULL") || kind.contains("PRIMARY KEY");
        (is_long, !is_fixed, !is_never_null)
    };
    let mut packed = columns.to_vec();
    packed.sort_by_key(rank);
    packed
}

/// Inserts rows (objects whose fields are the table's columns), or overwrites those with the same key.
pub(crate) async fn upsert<T: Serialize + Debug + Sync>(
    transaction: &Transaction<'_>,
    table: &str,
    key: &str,
    columns: &[&str],
    rows: &[T],
) -> Result<(), DatabaseError> {
    if rows.is_empty() {
        return Ok(());
    }
    let names = columns.join(", ");
    let changes: Vec<String> =
        columns.iter().map(|column| format!("{column} = excluded.{column}")).collect();
    let sql = format!(
        "INSERT INTO read_models.{table} ({names}) SELECT {names} \
         FROM json_populate_recordset(NULL::read_models.{table}, $1) \
         ON CONFLICT ({key}) DO UPDATE SET {}",
        changes.join(", ")
    );
    let statement = transaction.prepare_cached(&sql).await?;
    transaction.execute(&statement, &[&Json(rows)]).await?;
    Ok(())
}

/// Deletes the rows whose `column` is one of the ids.
pub(crate) async fn delete(
    transaction: &Transaction<'_>,
    table: &str,
    column: &str,
    ids: &[Uuid],
) -> Result<(), DatabaseError> {
    if ids.is_empty() {
        return Ok(());
    }
    let sql = format!("DELETE FROM read_models.{table} WHERE {column} = ANY ($1)");
    let statement = transaction.prepare_cached(&sql).await?;
    transaction.execute(&statement, &[&ids]).await?;
    Ok(())
}

/// Inserts rows that are new for certain.
pub(crate) async fn copy<T: Sync>(
    transaction: &Transaction<'_>,
    table: &str,
    columns: &[CopyColumn<T>],
    rows: &[T],
) -> Result<(), DatabaseError> {
    if rows.is_empty() {
        return Ok(());
    }
    let (names, types) = names_and_types(columns);
    let sql = format!("COPY read_models.{table} ({names}) FROM STDIN BINARY");
    let statement = transaction.prepare_cached(&sql).await?;
    let mut writer = pin!(BinaryCopyInWriter::new(transaction.copy_in(&statement).await?, &types));
    for row in rows {
        writer.as_mut().write(&values(columns, row)).await?;
    }
    writer.finish().await?;
    Ok(())
}

fn names_and_types<T>(columns: &[CopyColumn<T>]) -> (String, Vec<Type>) {
    let names: Vec<&str> = columns.iter().map(|(name, ..)| *name).collect();
    (names.join(", "), columns.iter().map(|(_, kind, _)| kind.clone()).collect())
}

fn values<'a, T>(columns: &[CopyColumn<T>], row: &'a T) -> Vec<&'a (dyn ToSql + Sync)> {
    columns.iter().map(|(.., value)| value(row)).collect()
}
