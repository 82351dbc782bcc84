//! Rows by their ids, each found by the primary key.

/// Selects columns of the rows, called `t`, whose ids are among `$1`.
///
/// Prepared statements keep the plan that they got while a table was small, where PostgreSQL reads all of it for `id = ANY ($1)`. This
/// form leaves it nothing but the index.
pub(crate) fn select(columns: &str, table: &str) -> String {
    format!(
        "SELECT {columns} FROM unnest($1::uuid[]) AS wanted (id) CROSS JOIN LATERAL \
         (SELECT * FROM read_models.{table} AS own WHERE own.id = wanted.id OFFSET 0) AS t"
    )
}

/// The part that adds to the rows called `of` the row of the same id in another table, called `name`, if there is one.
pub(crate) fn and_row_of(table: &str, name: &str, of: &str) -> String {
    format!(
        " LEFT JOIN LATERAL (SELECT * FROM read_models.{table} AS own WHERE own.id = {of}.id OFFSET 0) AS {name} ON true"
    )
}
