//! Pages of lists: by number with a total, or by a cursor that names the last row seen.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use infra::postgres::{Database, DatabaseError};
use serde::{Deserialize, Serialize};
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use crate::error::QueryError;

/// Which page is asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum PageRequest {
    /// From 1.
    Number { page: i64, limit: i64 },
    /// After the row that stood there; from the first row without one.
    Cursor { cursor: Option<Place>, limit: i64 },
}

/// One page.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    pub rows: Vec<T>,
    /// One for each row: the cursor of the page that starts after it.
    pub cursors: Vec<Place>,
    /// On numbered pages; none with a cursor.
    pub total: Option<Total>,
    /// For the next page; `None` at the end.
    pub next_cursor: Option<Place>,
    /// Whether the page saw every row that it could show.
    pub is_complete: bool,
}

/// How many rows a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    pub count: i64,
    /// Otherwise there are at least so many.
    pub is_exact: bool,
}

/// The most rows that are counted.
pub(crate) const COUNTED_MAX: i64 = 10_000;

impl Total {
    /// A number that is known.
    #[must_use]
    pub const fn exact(count: i64) -> Self {
        Self { count, is_exact: true }
    }

    /// What was found when more than [`COUNTED_MAX`] rows were not to be counted, but one more was.
    pub(crate) fn counted(count: i64) -> Self {
        Self { count: count.min(COUNTED_MAX), is_exact: count <= COUNTED_MAX }
    }
}

/// The order of a list: one expression and, where that is not unique, the id.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) expression: &'static str,
    pub(crate) kind: KeyKind,
    pub(crate) descending: bool,
    /// A column that tells rows with equal keys apart.
    pub(crate) tie: Option<&'static str>,
}

/// The type of an order's expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Time,
    Integer,
    Text,
    /// May be null; nulls come last in both directions.
    Number,
    /// See [`Self::Number`].
    OptionalTime,
}

impl KeyKind {
    /// Whether rows may lack the key.
    const fn is_optional(self) -> bool {
        matches!(self, Self::Number | Self::OptionalTime)
    }
}

/// A row's value of the order's expression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Key {
    /// Microseconds since the epoch.
    Time(i64),
    Integer(i64),
    Text(String),
    Number(Option<f64>),
    OptionalTime(Option<i64>),
}

/// Where a row stands in an order: the next page starts after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The order, so that it is refused in another one.
    order: String,
    key: Key,
    id: Option<Uuid>,
}

/// A SELECT that grows condition by condition.
pub(crate) struct Select {
    columns: String,
    table: &'static str,
    conditions: Vec<String>,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Select {
    pub(crate) fn new(columns: impl Into<String>, table: &'static str) -> Self {
        Self { columns: columns.into(), table, conditions: Vec::new(), values: Vec::new() }
    }

    /// Adds a value and names its placeholder.
    pub(crate) fn bind(&mut self, value: impl ToSql + Sync + Send + 'static) -> String {
        self.values.push(Box::new(value));
        format!("${}", self.values.len())
    }

    /// Adds a condition that holds for every row.
    pub(crate) fn only(&mut self, condition: String) {
        self.conditions.push(condition);
    }

    /// Adds `left value`, as in `("status =", "running")`.
    pub(crate) fn compare(&mut self, left: &str, value: impl ToSql + Sync + Send + 'static) {
        let placeholder = self.bind(value);
        self.only(format!("{left} {placeholder}"));
    }

    /// Adds the condition that a column holds one of these words; none of them is no condition.
    pub(crate) fn any<T: Copy>(&mut self, column: &str, values: &[T], word: fn(T) -> &'static str) {
        match values {
            [] => {}
            [only] => self.compare(&format!("{column} ="), word(*only)),
            values => {
                let words = self.bind(values.iter().copied().map(word).collect::<Vec<_>>());
                self.only(format!("{column} = ANY({words})"));
            }
        }
    }

    /// Adds the condition that one of these columns contains a text, in any case.
    pub(crate) fn contains(&mut self, columns: &[&str], text: &str) {
        let part = self.bind(text.to_lowercase());
        let found = columns.iter().map(|column| format!("strpos(lower({column}), {part}) > 0"));
        self.only(format!("({})", found.collect::<Vec<_>>().join(" OR ")));
    }

    /// Takes the conditions so far, as SQL.
    pub(crate) fn take_conditions(&mut self) -> String {
        let conditions = std::mem::take(&mut self.conditions);
        if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") }
    }

    /// Runs it for one page. `total` is counted where it is not known, up to [`COUNTED_MAX`].
    pub(crate) async fn page<T>(
        mut self,
        database: &Database,
        order: &Order,
        request: &PageRequest,
        total: Option<i64>,
        read: impl Fn(&Row) -> Result<(T, Place), DatabaseError>,
    ) -> Result<Page<T>, QueryError> {
        let client = database.get().await?;
        let (limit, offset, total) = match request {
            PageRequest::Number { page, limit } => {
                let total = match total {
                    Some(total) => Total::exact(total),
                    None => {
                        let sql = format!(
                            "SELECT count(*) FROM (SELECT FROM read_models.{} {} LIMIT {}) AS counted",
                            self.table,
                            self.filter(),
                            COUNTED_MAX + 1
                        );
                        let row = client.query_one(&sql, &self.parameters()).await?;
                        Total::counted(row.try_get(0)?)
                    }
                };
                let offset = page.saturating_sub(1).max(0).saturating_mul(*limit);
                (*limit, offset, Some(total))
            }
            PageRequest::Cursor { cursor, limit } => {
                if let Some(cursor) = cursor {
                    self.after(order, cursor.checked(order)?);
                }
                (*limit, 0, None)
            }
        };
        let mut sql =
            format!("SELECT {} FROM read_models.{} {}", self.columns, self.table, self.filter());
        let (limit_plus_one, offset) = (self.bind(limit.saturating_add(1)), self.bind(offset));
        let order_by = order.sql();
        let _ = write!(sql, " ORDER BY {order_by} LIMIT {limit_plus_one} OFFSET {offset}");
        let found = client.query(&sql, &self.parameters()).await?;
        Page::of(&found, limit, order, total, read)
    }

    fn filter(&self) -> String {
        if self.conditions.is_empty() {
            return String::new();
        }
        format!("WHERE {}", self.conditions.join(" AND "))
    }

    pub(crate) fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| value.as_ref() as &(dyn ToSql + Sync)).collect()
    }

    /// The SQL of a place's key; `None` if it is null.
    pub(crate) fn bind_key(&mut self, place: &Place) -> Option<String> {
        let mut time = |micros| self.bind(DateTime::<Utc>::from_timestamp_micros(micros));
        match &place.key {
            Key::Time(micros) => Some(time(*micros)),
            Key::OptionalTime(micros) => micros.map(time),
            Key::Integer(integer) => Some(self.bind(*integer) + "::bigint"),
            Key::Text(text) => Some(self.bind(text.clone())),
            Key::Number(number) => number.map(|number| self.bind(number)),
        }
    }

    /// A statement with only those of the values that it mentions: PostgreSQL knows no type for others.
    pub(crate) fn used(&self, sql: &str) -> (String, Vec<&(dyn ToSql + Sync)>) {
        let (mut renumbered, mut used) = (String::with_capacity(sql.len()), Vec::new());
        let mut parts = sql.split('$');
        renumbered.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, rest) = part.split_at(digits);
            let index = number.parse::<usize>().unwrap_or_default();
            let place = used.iter().position(|known| *known == index).unwrap_or_else(|| {
                used.push(index);
                used.len() - 1
            });
            let _ = write!(renumbered, "${}{rest}", place + 1);
        }
        let values = used.into_iter().filter_map(|index| self.values.get(index.checked_sub(1)?));
        (renumbered, values.map(|value| value.as_ref() as &(dyn ToSql + Sync)).collect())
    }

    /// Adds the condition that a row comes after that place.
    fn after(&mut self, order: &Order, place: &Place) {
        let (expression, beyond) = (order.expression, if order.descending { "<" } else { ">" });
        let key = self.bind_key(place);
        let tie = order.tie.zip(place.id).map(|(column, id)| (column, self.bind(id)));
        self.only(match (key, tie) {
            (Some(key), Some((column, id))) if order.kind.is_optional() => format!(
                "({expression} {beyond} {key} OR ({expression} = {key} AND {column} {beyond} {id}) \
                 OR {expression} IS NULL)"
            ),
            (Some(key), Some((column, id))) => {
                format!("({expression}, {column}) {beyond} ({key}, {id})")
            }
            (Some(key), None) => format!("{expression} {beyond} {key}"),
            (None, Some((column, id))) => {
                format!("({expression} IS NULL AND {column} {beyond} {id})")
            }
            (None, None) => "false".to_owned(),
        });
    }
}

impl<T> Page<T> {
    /// The page of these rows, of which one more than `limit` was asked for.
    pub(crate) fn of(
        found: &[Row],
        limit: i64,
        order: &Order,
        total: Option<Total>,
        read: impl Fn(&Row) -> Result<(T, Place), DatabaseError>,
    ) -> Result<Self, QueryError> {
        let is_last = found.len() <= usize::try_from(limit).unwrap_or(usize::MAX);
        let shown = if is_last { found.len() } else { found.len() - 1 };
        let (mut rows, mut cursors) = (Vec::with_capacity(shown), Vec::with_capacity(shown));
        for row in &found[..shown] {
            let (row, place) = read(row)?;
            rows.push(row);
            cursors.push(place.of(order));
        }
        let next_cursor = if is_last { None } else { cursors.last().cloned() };
        Ok(Self { rows, cursors, total, next_cursor, is_complete: true })
    }
}

impl Order {
    pub(crate) fn sql(&self) -> String {
        let direction = if self.descending { "DESC" } else { "ASC" };
        let nulls = if self.kind.is_optional() { " NULLS LAST" } else { "" };
        let tie = self.tie.map(|column| format!(", {column} {direction}")).unwrap_or_default();
        format!("{} {direction}{nulls}{tie}", self.expression)
    }

    /// Goes into the cursor, so that it is refused in another order.
    fn tag(&self) -> String {
        format!("{}{}", if self.descending { "-" } else { "" }, self.expression)
    }
}

impl Place {
    pub(crate) fn time(time: DateTime<Utc>, id: Uuid) -> Self {
        Self { order: String::new(), key: Key::Time(time.timestamp_micros()), id: Some(id) }
    }

    pub(crate) fn number(number: Option<f64>, id: Uuid) -> Self {
        Self { order: String::new(), key: Key::Number(number), id: Some(id) }
    }

    pub(crate) fn optional_time(time: Option<DateTime<Utc>>, id: Uuid) -> Self {
        let key = Key::OptionalTime(time.map(|time| time.timestamp_micros()));
        Self { order: String::new(), key, id: Some(id) }
    }

    /// The id of its row, where that tells rows apart.
    pub(crate) const fn id(&self) -> Option<Uuid> {
        self.id
    }

    /// Whether its row lacks the key.
    pub(crate) const fn is_null(&self) -> bool {
        matches!(self.key, Key::Number(None) | Key::OptionalTime(None))
    }

    pub(crate) fn text(text: String, id: Uuid) -> Self {
        Self { order: String::new(), key: Key::Text(text), id: Some(id) }
    }

    pub(crate) fn integer(integer: i64) -> Self {
        Self { order: String::new(), key: Key::Integer(integer), id: None }
    }

    /// The same in that order.
    pub(crate) fn of(self, order: &Order) -> Self {
        Self { order: order.tag(), ..self }
    }

    /// Returns itself if it is of that order.
    pub(crate) fn checked(&self, order: &Order) -> Result<&Self, QueryError> {
        let is_fitting = matches!(
            (order.kind, &self.key),
            (KeyKind::Time, Key::Time(_))
                | (KeyKind::Integer, Key::Integer(_))
                | (KeyKind::Text, Key::Text(_))
                | (KeyKind::Number, Key::Number(_))
                | (KeyKind::OptionalTime, Key::OptionalTime(_))
        );
        let is_ours = self.order == order.tag() && order.tie.is_some() == self.id.is_some();
        if is_fitting && is_ours { Ok(self) } else { Err(QueryError::BadCursor) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY_SHARPE: Order = Order {
        expression: "sharpe_ratio",
        kind: KeyKind::Number,
        descending: true,
        tie: Some("id"),
    };

    #[test]
    fn a_cursor_of_another_order_is_refused() {
        let ascending = Order { descending: false, ..BY_SHARPE };
        let by_time = Order { kind: KeyKind::Time, ..BY_SHARPE };
        let place = Place::number(Some(1.0), Uuid::nil());
        let place = Place { order: BY_SHARPE.tag(), ..place };
        assert!(place.checked(&BY_SHARPE).is_ok());
        for order in [&ascending, &by_time] {
            assert!(matches!(place.checked(order), Err(QueryError::BadCursor)));
        }
    }
}
