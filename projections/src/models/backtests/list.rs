//! Pages of backtests. An order walks one index; what has no value for it comes last, by id; filters and orders without an index look
//! at a bounded number of rows, so that a page takes less than 50 ms.

use domain::{ids::UserId, job::Status};
use infra::postgres::DatabaseError;
use tokio_postgres::{Client, Row};

use super::{
    BacktestFilter, BacktestSort, METRICS, TABLE,
    metric::Metric,
    row::{self, BacktestRow, columns},
    walk::Walk,
};
use crate::{
    error::QueryError,
    handle::ReadModels,
    sql::{
        by_ids,
        page::{COUNTED_MAX, KeyKind, Order, Page, PageRequest, Place, Select, Total},
    },
};

/// Rows that an order without an index sorts.
const SORTED_MAX: i64 = 50_000;
/// Rows that a page looks at for filters without an index, in the order in which they were written: there they lie side by side.
const SCANNED_IN_TIME_MAX: i64 = 10_000;
/// The same in any other order, or where each row is looked up in the other table, too.
const SCANNED_MAX: i64 = 5_000;

/// A list: SQL without values, which its `Select` binds.
struct List {
    select: Select,
    /// On columns that both tables have.
    keys: String,
    /// On the status, which only the table of states has.
    states: String,
    /// Whether completed runs are among them, and others.
    has_completed: bool,
    has_others: bool,
    /// Without an index; `None` if there are none. On the tables `t` and `m`.
    others: Option<String>,
    /// Whether those look at the table of states, and at that of metrics: runs without metrics never fit then.
    needs_states: bool,
    needs_metrics: bool,
    walk: Walk,
    order: Order,
}

impl ReadModels {
    /// A page of backtests.
    ///
    /// # Errors
    /// A cursor of another order, or the database.
    pub async fn list_backtests(
        &self,
        filter: &BacktestFilter,
        sort: BacktestSort,
        descending: bool,
        page: &PageRequest,
    ) -> Result<Page<BacktestRow>, QueryError> {
        let mut list = List::new(filter, sort, descending);
        let client = self.database.get().await?;
        let (limit, offset, cursor) = match page {
            PageRequest::Number { page, limit } => {
                (*limit, page.saturating_sub(1).max(0).saturating_mul(*limit), None)
            }
            PageRequest::Cursor { cursor, limit } => (*limit, 0, cursor.as_ref()),
        };
        let cursor = cursor.map(|place| place.checked(&list.order)).transpose()?;
        let total = match page {
            PageRequest::Number { .. } => Some(list.count(&client, filter).await?),
            PageRequest::Cursor { .. } => None,
        };
        let mut page = list.page(&client, cursor, (limit, offset), total).await?;
        if list.walk.is_of_newest() && list.has_walk() {
            let is_all_sorted = match filter.counted_owner() {
                Some(owner) => {
                    counted(&client, owner, &list.walked_statuses(filter)).await? <= SORTED_MAX
                }
                None => !list.is_beyond_newest(&client).await?,
            };
            page.is_complete &= is_all_sorted;
        }
        Ok(page)
    }
}

impl List {
    fn new(filter: &BacktestFilter, sort: BacktestSort, descending: bool) -> Self {
        let mut select = Select::new("", TABLE);
        filter.add_keys(&mut select);
        let keys = select.take_conditions();
        let (has_completed, has_others) = filter.add_states(&mut select);
        let states = select.take_conditions();
        filter.add_others(&mut select);
        let others = Some(select.take_conditions()).filter(|others| others != "true");
        let needs_metrics = filter.metrics.iter().any(|one| !one.metric.is_of_states());
        let (walk, expression, kind) = match sort {
            BacktestSort::CreatedAt if needs_metrics => {
                (Walk::Completed, "created_at", KeyKind::Time)
            }
            BacktestSort::CreatedAt => (Walk::States, "created_at", KeyKind::Time),
            BacktestSort::CompletedAt => (Walk::EndedStates, "completed_at", KeyKind::OptionalTime),
            BacktestSort::Metric(metric) => {
                let walk = match (metric.is_indexed(), metric.is_of_states()) {
                    (true, _) => Walk::Metrics,
                    (false, true) => Walk::NewestStates,
                    (false, false) => Walk::NewestMetrics,
                };
                (walk, metric.expression(), KeyKind::Number)
            }
        };
        let order = Order { expression, kind, descending, tie: Some("id") };
        let needs_states = filter.needs_states();
        Self {
            select,
            keys,
            states,
            has_completed,
            has_others,
            others,
            needs_states,
            needs_metrics,
            walk,
            order,
        }
    }

    const fn direction(&self) -> &'static str {
        if self.order.descending { "DESC" } else { "ASC" }
    }

    /// The order of an index: of keys that may be null, it has the nulls last when it is read forward.
    fn walked(&self) -> String {
        let nulls = match (self.walk.has_rest(), self.order.descending) {
            (false, _) => "",
            (true, true) => " NULLS LAST",
            (true, false) => " NULLS FIRST",
        };
        let (expression, direction) = (self.order.expression, self.direction());
        format!("{expression} {direction}{nulls}, id {direction}")
    }

    /// How many runs there are: by the counters where only owner and status are asked for, otherwise as far as is counted.
    async fn count(
        &mut self,
        client: &Client,
        filter: &BacktestFilter,
    ) -> Result<Total, QueryError> {
        if let Some(owner) = filter.counted_owner() {
            return Ok(Total::exact(counted(client, owner, &filter.statuses).await?));
        }
        if self.needs_metrics && !self.has_completed {
            return Ok(Total::exact(0));
        }
        // Of the table of metrics only if all that fits has them.
        let walk = if self.needs_metrics { Walk::Completed } else { Walk::States };
        let most = COUNTED_MAX + 1;
        let sql = match &self.others {
            None => format!(
                "SELECT count(*), count(*) FROM (SELECT FROM read_models.{} AS own WHERE {} LIMIT {most}) AS counted",
                walk.table().0,
                self.indexed(walk),
            ),
            Some(others) => format!(
                "SELECT count(*), count(*) FILTER (WHERE {others}) FROM {}",
                self.joined(walk, &self.newest(walk, "created_at", most))
            ),
        };
        let row = self.query_one(client, &sql).await?;
        let scanned: i64 = row.try_get(0)?;
        let found: i64 = row.try_get(1)?;
        Ok(Total { count: found.min(COUNTED_MAX), is_exact: scanned <= COUNTED_MAX })
    }

    async fn page(
        &mut self,
        client: &Client,
        cursor: Option<&Place>,
        (limit, offset): (i64, i64),
        total: Option<Total>,
    ) -> Result<Page<BacktestRow>, QueryError> {
        let is_in_rest = cursor.is_some_and(Place::is_null);
        let mut found = Vec::new();
        let mut scanned_to = None;
        if !is_in_rest && self.has_walk() {
            let after = self.after(cursor);
            found = self.rows(client, &self.walk_sql(&after, limit + 1, offset)).await?;
            if is_short(&found, limit) && self.others.is_some() {
                scanned_to = self.last_scanned(client, &after).await?;
            }
        }
        let has_rest = self.walk.has_rest() && !self.needs_metrics;
        if is_short(&found, limit) && has_rest && scanned_to.is_none() {
            let missing = limit + 1 - i64::try_from(found.len()).unwrap_or(i64::MAX);
            let offset = match (found.is_empty(), offset) {
                (true, 1..) => offset - self.walked_count(client, offset).await?,
                (true | false, _) => 0,
            };
            let after = if is_in_rest { self.after(cursor) } else { "true".to_owned() };
            found.extend(self.rows(client, &self.rest_sql(&after, missing, offset)).await?);
            if is_short(&found, limit) && self.others.is_some() {
                scanned_to = self.last_of_rest(client, &after).await?;
            }
        }
        let kind = self.order.kind;
        let mut page = Page::of(&found, limit, &self.order, total, |row| place(row, kind))?;
        if let Some(place) = scanned_to {
            page.is_complete = false;
            page.next_cursor = Some(place.of(&self.order));
        }
        Ok(page)
    }

    /// Whether there can be rows in the walk: a table of completed runs has none of other states.
    fn has_walk(&self) -> bool {
        self.walk.table().0 == TABLE || self.has_completed
    }

    /// The statuses of the runs that are walked; if empty, all.
    fn walked_statuses(&self, filter: &BacktestFilter) -> Vec<Status> {
        match self.walk.table().0 {
            METRICS => vec![Status::Completed],
            _ => filter.statuses.clone(),
        }
    }

    /// Whether a condition looks at the table that is not walked.
    fn is_joined(&self, walk: Walk) -> bool {
        match walk.table().1 {
            "t" => self.needs_metrics,
            _ => self.needs_states,
        }
    }

    /// Rows that the walk looks at where there are filters without an index.
    fn scanned_max(&self) -> i64 {
        if self.walk.is_in_time() && !self.is_joined(self.walk) {
            SCANNED_IN_TIME_MAX
        } else {
            SCANNED_MAX
        }
    }

    /// Rows that an order without an index sorts.
    fn sorted_max(&self) -> i64 {
        if self.is_joined(self.walk) { SCANNED_MAX } else { SORTED_MAX }
    }

    /// The condition that a row comes after the cursor, on columns without a table, or on the key of what was sorted.
    fn after(&mut self, cursor: Option<&Place>) -> String {
        let Some((place, id)) = cursor.and_then(|place| Some((place, place.id()?))) else {
            return "true".to_owned();
        };
        let beyond = if self.order.descending { "<" } else { ">" };
        let (key, id) = (self.select.bind_key(place), self.select.bind(id));
        let expression = if self.walk.is_of_newest() { "key" } else { self.order.expression };
        match key {
            Some(key) => format!("({expression}, id) {beyond} ({key}, {id})"),
            None => format!("id {beyond} {id}"),
        }
    }

    async fn query(&self, client: &Client, sql: &str) -> Result<Vec<Row>, DatabaseError> {
        let (sql, values) = self.select.used(sql);
        Ok(client.query(&sql, &values).await?)
    }

    async fn query_one(&self, client: &Client, sql: &str) -> Result<Row, DatabaseError> {
        let (sql, values) = self.select.used(sql);
        Ok(client.query_one(&sql, &values).await?)
    }

    async fn rows(&self, client: &Client, page: &str) -> Result<Vec<Row>, DatabaseError> {
        let (columns, direction) = (columns(), self.direction());
        let sql = format!(
            "SELECT {columns}, page.key AS sort_key FROM ({page}) AS page \
             JOIN read_models.{TABLE} AS t USING (id) LEFT JOIN read_models.{METRICS} AS m USING (id) \
             ORDER BY page.key {direction} NULLS LAST, id {direction}"
        );
        self.query(client, &sql).await
    }

    /// Ids and keys in the order of the walk.
    fn walk_sql(&self, after: &str, limit: i64, offset: i64) -> String {
        let direction = self.direction();
        let page =
            format!("ORDER BY key {direction}, id {direction} LIMIT {limit} OFFSET {offset}");
        if self.walk.is_of_newest() {
            let newest = self.newest(self.walk, self.order.expression, self.sorted_max());
            let newest = self.filtered(&newest);
            let has_key = if self.walk.has_rest() { "key IS NOT NULL" } else { "true" };
            return format!("SELECT id, key FROM {newest} WHERE {has_key} AND {after} {page}");
        }
        let candidates = self.candidates(&self.columns(self.order.expression), after);
        if self.others.is_none() {
            return format!("{candidates} LIMIT {limit} OFFSET {offset}");
        }
        let limit = self.scanned_max();
        let scanned = self.filtered(&format!("{candidates} LIMIT {limit}"));
        format!("SELECT id, key FROM {scanned} {page}")
    }

    /// Ids and keys of what the filters without an index let through of a selection of the walked table.
    fn filtered(&self, selection: &str) -> String {
        let (_, own) = self.walk.table();
        let others = self.others.as_deref().unwrap_or("true");
        let joined = self.joined(self.walk, selection);
        format!("(SELECT {own}.id, {own}.key FROM {joined} WHERE {others}) AS found")
    }

    /// A selection of the walked table, joined with the other one where a condition looks at that.
    fn joined(&self, walk: Walk, selection: &str) -> String {
        let (_, own) = walk.table();
        let join = match own {
            _ if !self.is_joined(walk) => String::new(),
            "t" => by_ids::and_row_of(METRICS, "m", "t"),
            _ => by_ids::and_row_of(TABLE, "t", "m"),
        };
        format!("({selection}) AS {own}{join}")
    }

    /// The conditions with an index on the walked table.
    fn indexed(&self, walk: Walk) -> String {
        let (table, _) = walk.table();
        if table == TABLE {
            format!("{} AND {}", self.keys, self.states)
        } else {
            self.keys.clone()
        }
    }

    /// Everything that the walk meets, before filters without an index.
    fn candidates(&self, columns: &str, after: &str) -> String {
        let (expression, walked) = (self.order.expression, self.walked());
        let indexed = self.indexed(self.walk);
        let (table, _) = self.walk.table();
        let has_key = if self.walk.has_rest() {
            format!("{expression} IS NOT NULL")
        } else {
            "true".to_owned()
        };
        format!(
            "SELECT {columns} FROM read_models.{table} AS own \
             WHERE {indexed} AND {has_key} AND {after} ORDER BY {walked}"
        )
    }

    /// What is selected of the walked table: all of it only if a condition looks at it later.
    fn columns(&self, key: &str) -> String {
        let all = if self.others.is_some() { "own.*" } else { "id" };
        format!("{all}, {key} AS key")
    }

    /// The newest runs that fit the filters with an index.
    fn newest(&self, walk: Walk, key: &str, limit: i64) -> String {
        let (columns, indexed) = (self.columns(key), self.indexed(walk));
        let (table, _) = walk.table();
        format!(
            "SELECT {columns} FROM read_models.{table} AS own WHERE {indexed} \
             ORDER BY created_at DESC, id DESC LIMIT {limit}"
        )
    }

    /// Ids of the runs without the key, of the first `reach` in the order of the ids.
    fn rest_ids(&self, after: &str, reach: i64) -> String {
        let (expression, keys, states, direction) =
            (self.order.expression, &self.keys, &self.states, self.direction());
        let part_of = |table: String, condition: &str| {
            format!(
                "(SELECT id FROM {table} WHERE {condition} AND {after} \
                 ORDER BY id {direction} LIMIT {reach})"
            )
        };
        let part = |table: &str, condition: &str| {
            part_of(format!("read_models.{table}"), &format!("{keys} AND {condition}"))
        };
        let mut parts = Vec::new();
        if self.walk == Walk::EndedStates {
            parts.push(part(TABLE, &format!("{states} AND completed_at IS NULL")));
        } else {
            match self.walk {
                _ if !self.has_completed => {}
                Walk::NewestMetrics => {
                    parts.push(part_of(
                        format!(
                            "({}) AS own",
                            self.newest(self.walk, expression, self.sorted_max())
                        ),
                        "key IS NULL",
                    ));
                }
                Walk::States
                | Walk::EndedStates
                | Walk::Completed
                | Walk::Metrics
                | Walk::NewestStates => {
                    parts.push(part(METRICS, &format!("{expression} IS NULL")));
                }
            }
            if self.has_others {
                parts.push(part(TABLE, &format!("{states} AND status <> 'completed'")));
            }
        }
        if parts.is_empty() {
            parts.push("(SELECT NULL::uuid AS id WHERE false)".to_owned());
        }
        let parts = parts.join(" UNION ALL ");
        format!("SELECT id FROM ({parts}) AS parts ORDER BY id {direction} LIMIT {reach}")
    }

    /// Ids and keys of the runs without the key.
    fn rest_sql(&self, after: &str, limit: i64, offset: i64) -> String {
        let reach = match self.others {
            Some(_) => SCANNED_MAX,
            None => limit.saturating_add(offset),
        };
        let (direction, rest) = (self.direction(), self.rest_ids(after, reach));
        let kind =
            if self.order.kind == KeyKind::Number { "double precision" } else { "timestamptz" };
        let filtered = match &self.others {
            None => String::new(),
            Some(others) => {
                let states = by_ids::and_row_of(TABLE, "t", "rest");
                let metrics = by_ids::and_row_of(METRICS, "m", "rest");
                format!("{states}{metrics} WHERE {others}")
            }
        };
        format!(
            "SELECT rest.id, NULL::{kind} AS key FROM ({rest}) AS rest{filtered} \
             ORDER BY rest.id {direction} LIMIT {limit} OFFSET {offset}"
        )
    }

    /// The last row that a page looked at, if it stopped there before the end.
    async fn last_scanned(
        &self,
        client: &Client,
        after: &str,
    ) -> Result<Option<Place>, DatabaseError> {
        if self.walk.is_of_newest() {
            return Ok(None);
        }
        let columns = format!("id, {} AS key", self.order.expression);
        let candidates = self.candidates(&columns, after);
        let sql = format!("{candidates} OFFSET {} LIMIT 2", self.scanned_max() - 1);
        let rows = self.query(client, &sql).await?;
        match rows.as_slice() {
            [last, _beyond] => Ok(Some(place_at(last, "key", self.order.kind)?)),
            _ => Ok(None),
        }
    }

    /// The last run without the key that a page looked at, if it stopped there before the end.
    async fn last_of_rest(
        &self,
        client: &Client,
        after: &str,
    ) -> Result<Option<Place>, DatabaseError> {
        let (rest, last) = (self.rest_ids(after, SCANNED_MAX + 1), SCANNED_MAX - 1);
        let rows = self.query(client, &format!("{rest} OFFSET {last}")).await?;
        match rows.as_slice() {
            [last, _beyond] => Ok(Some(match self.order.kind {
                KeyKind::Number => Place::number(None, last.try_get("id")?),
                KeyKind::Time | KeyKind::OptionalTime | KeyKind::Integer | KeyKind::Text => {
                    Place::optional_time(None, last.try_get("id")?)
                }
            })),
            _ => Ok(None),
        }
    }

    /// Whether there are more runs than the newest that are sorted.
    async fn is_beyond_newest(&self, client: &Client) -> Result<bool, DatabaseError> {
        let (table, _) = self.walk.table();
        let indexed = self.indexed(self.walk);
        let sql = format!(
            "SELECT EXISTS (SELECT FROM read_models.{table} AS own WHERE {indexed} \
             ORDER BY created_at DESC, id DESC OFFSET {})",
            self.sorted_max()
        );
        Ok(self.query_one(client, &sql).await?.try_get(0)?)
    }

    /// How many rows the walk has, up to `most`.
    async fn walked_count(&self, client: &Client, most: i64) -> Result<i64, DatabaseError> {
        if !self.has_walk() {
            return Ok(0);
        }
        let walked = self.walk_sql("true", most, 0);
        let sql = format!("SELECT count(*) FROM ({walked}) AS walked");
        Ok(self.query_one(client, &sql).await?.try_get(0)?)
    }
}

/// How many runs an owner has in any of the statuses, or in all.
async fn counted(
    client: &Client,
    owner: UserId,
    statuses: &[Status],
) -> Result<i64, DatabaseError> {
    let statuses: Vec<&str> = statuses.iter().map(|status| status.as_str()).collect();
    let sql = format!(
        "SELECT coalesce(sum(count), 0)::bigint FROM read_models.{TABLE}_counts \
         WHERE owner_id = $1 AND (status = ANY ($2) OR cardinality($2) = 0)"
    );
    Ok(client.query_one(&sql, &[&owner.uuid(), &statuses]).await?.try_get(0)?)
}

fn is_short(found: &[Row], limit: i64) -> bool {
    i64::try_from(found.len()).is_ok_and(|count| count <= limit)
}

fn place(row: &Row, kind: KeyKind) -> Result<(BacktestRow, Place), DatabaseError> {
    Ok((row::read(row)?, place_at(row, "sort_key", kind)?))
}

fn place_at(row: &Row, column: &str, kind: KeyKind) -> Result<Place, DatabaseError> {
    let id = row.try_get("id")?;
    Ok(match kind {
        KeyKind::Time => Place::time(row.try_get(column)?, id),
        KeyKind::OptionalTime => Place::optional_time(row.try_get(column)?, id),
        KeyKind::Number | KeyKind::Integer | KeyKind::Text => {
            Place::number(row.try_get(column)?, id)
        }
    })
}

impl Metric {
    /// Whether lists are sorted by it from an index.
    pub(super) fn is_indexed(self) -> bool {
        super::INDEXED_METRICS.contains(&self.name())
    }
}
