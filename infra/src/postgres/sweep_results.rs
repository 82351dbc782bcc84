//! Writes the rows of a sweep, all at once, under the hash that its completion event will name.

use domain::{
    ids::SweepId,
    simulation::sweep::{Objective, Row, RowResult, ranking},
};
use rust_decimal::Decimal;
use tokio::pin;
use tokio_postgres::{
    binary_copy::BinaryCopyInWriter,
    types::{Json, Type},
};
use uuid::Uuid;

use super::database::{Database, DatabaseError};

const COLUMNS: [(&str, Type); 11] = [
    ("sweep_id", Type::UUID),
    ("result_hash", Type::TEXT),
    ("number", Type::INT4),
    ("id", Type::UUID),
    ("rank", Type::INT4),
    ("parameters", Type::JSON),
    ("final_balance", Type::NUMERIC),
    ("trades_count", Type::INT4),
    ("ambiguous_trades_count", Type::INT4),
    ("metrics", Type::JSON),
    ("error", Type::JSON),
];

/// Writes the rows of a sweep in one transaction; those that an attempt wrote before under the same hash are the same rows,
/// and are written again.
///
/// # Errors
/// The database.
pub async fn write(
    database: &Database,
    sweep_id: SweepId,
    result_hash: &str,
    rows: &[Row],
    objective: &Objective,
) -> Result<(), DatabaseError> {
    let mut client = database.get().await?;
    let transaction = client.transaction().await?;
    let id = sweep_id.uuid();
    let delete = "DELETE FROM read_models.sweep_results WHERE sweep_id = $1 AND result_hash = $2";
    transaction.execute(delete, &[&id, &result_hash]).await?;
    let (names, types): (Vec<&str>, Vec<Type>) = COLUMNS.into_iter().unzip();
    let copy =
        format!("COPY read_models.sweep_results ({}) FROM STDIN (FORMAT binary)", names.join(", "));
    let mut ranks = vec![0; rows.len()];
    for (rank, index) in ranking(rows, objective).into_iter().enumerate() {
        ranks[index] = integer(u32::try_from(rank + 1).unwrap_or(u32::MAX));
    }
    let writer = BinaryCopyInWriter::new(transaction.copy_in(&copy).await?, &types);
    pin!(writer);
    for (row, rank) in rows.iter().zip(&ranks) {
        let row_id = Uuid::from_u128(u128::from(row.number));
        let (figures, error) = match &row.result {
            RowResult::Figures(figures) => (Some(figures), None),
            RowResult::Error(error) => (None, Some(Json(error))),
        };
        let final_balance: Option<Decimal> = figures.map(|figures| figures.final_balance);
        let trades = figures.map(|figures| integer(figures.trades_count));
        let ambiguous = figures.map(|figures| integer(figures.ambiguous_trades_count));
        let metrics = figures.map(|figures| Json(&figures.metrics));
        writer
            .as_mut()
            .write(&[
                &id,
                &result_hash,
                &integer(row.number),
                &row_id,
                rank,
                &Json(&row.parameters),
                &final_balance,
                &trades,
                &ambiguous,
                &metrics,
                &error,
            ])
            .await?;
    }
    writer.finish().await?;
    transaction.commit().await?;
    Ok(())
}

/// Removes all rows of a sweep but those under its result's hash.
///
/// # Errors
/// The database.
pub async fn keep_only(
    database: &Database,
    sweep_id: SweepId,
    result_hash: Option<&str>,
) -> Result<(), DatabaseError> {
    let client = database.get().await?;
    let delete = "DELETE FROM read_models.sweep_results
        WHERE sweep_id = $1 AND result_hash IS DISTINCT FROM $2";
    client.execute(delete, &[&sweep_id.uuid(), &result_hash]).await?;
    Ok(())
}

/// A count as the table holds it.
fn integer(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
