//! Pages of backtests. An order walks one index; what has no value for it comes last, by id; filters without an index look at a
//! bounded number of rows.

use infra::postgres::DatabaseError;
use tokio_postgres::{Client, Row};

use super::{
    BacktestFilter, BacktestSort, METRICS, TABLE,
    metric::{Metric, MetricFilter},
    row::{self, BacktestRow, columns},
};
use crate::{
    error::QueryError,
    handle::ReadModels,
    sql::page::{COUNTED_MAX, KeyKind, Order, Page, PageRequest, Place, Select, Total},
};

/// Rows that a page looks at where an index does not do.
const SCANNED_MAX: i64 = 50_000;

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
    /// Runs without metrics never fit.
    needs_metrics: bool,
    walk: Walk,
    order: Order,
    /// The expression of the order on the tables `t` and `m`.
    qualified: String,
}

/// What is walked in the order of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Walk {
    /// Every run has the key.
    States,
    /// Runs without the key come last.
    EndedStates,
    /// Completed runs with the metric; then the others.
    Metrics,
    /// The newest runs, which are sorted then.
    Newest,
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
        list.page(&client, cursor, (limit, offset), total).await
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
        let (walk, expression, kind) = match sort {
            BacktestSort::CreatedAt => (Walk::States, "created_at", KeyKind::Time),
            BacktestSort::CompletedAt => (Walk::EndedStates, "completed_at", KeyKind::OptionalTime),
            BacktestSort::Metric(metric) => {
                let walk = if metric.is_indexed() { Walk::Metrics } else { Walk::Newest };
                (walk, metric.expression(), KeyKind::Number)
            }
        };
        let qualified = match sort {
            BacktestSort::CreatedAt | BacktestSort::CompletedAt => format!("t.{expression}"),
            BacktestSort::Metric(metric) => metric.qualified(),
        };
        let order = Order { expression, kind, descending, tie: Some("id") };
        let needs_metrics = !filter.metrics.is_empty();
        Self {
            select,
            keys,
            states,
            has_completed,
            has_others,
            others,
            needs_metrics,
            walk,
            order,
            qualified,
        }
    }

    const fn direction(&self) -> &'static str {
        if self.order.descending { "DESC" } else { "ASC" }
    }

    /// The order of an index that has the nulls of its key last when it is read forward.
    fn walked(&self) -> String {
        let nulls = if self.order.descending { "LAST" } else { "FIRST" };
        let (expression, direction) = (self.order.expression, self.direction());
        format!("{expression} {direction} NULLS {nulls}, id {direction}")
    }

    /// How many runs there are: by the counters where only owner and status are asked for, otherwise as far as is counted.
    async fn count(
        &mut self,
        client: &Client,
        filter: &BacktestFilter,
    ) -> Result<Total, QueryError> {
        if let Some(owner_id) = filter.counted_owner() {
            let statuses: Vec<&str> =
                filter.statuses.iter().map(|status| status.as_str()).collect();
            let sql = format!(
                "SELECT coalesce(sum(count), 0)::bigint FROM read_models.{TABLE}_counts \
                 WHERE owner_id = $1 AND (status = ANY ($2) OR cardinality($2) = 0)"
            );
            let statement = client.prepare(&sql).await?;
            let row = client.query_one(&statement, &[&owner_id.uuid(), &statuses]).await?;
            return Ok(Total::exact(row.try_get(0)?));
        }
        let (keys, states) = (&self.keys, &self.states);
        let limit = COUNTED_MAX + 1;
        let newest = format!(
            "SELECT id FROM read_models.{TABLE} WHERE {keys} AND {states} \
             ORDER BY created_at DESC, id DESC LIMIT {limit}"
        );
        let Some(others) = &self.others else {
            let sql = format!("SELECT count(*) FROM ({newest}) AS newest");
            let row = self.query_one(client, &sql).await?;
            return Ok(Total::counted(row.try_get(0)?));
        };
        let sql = format!(
            "SELECT count(*), count(*) FILTER (WHERE {others}) FROM ({newest}) AS newest \
             JOIN read_models.{TABLE} AS t USING (id) LEFT JOIN read_models.{METRICS} AS m USING (id)"
        );
        let row = self.query_one(client, &sql).await?;
        let scanned: i64 = row.try_get(0)?;
        Ok(Total { count: row.try_get(1)?, is_exact: scanned <= COUNTED_MAX })
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
        if !is_in_rest && (self.walk != Walk::Metrics || self.has_completed) {
            let after = self.after(cursor);
            found = self.rows(client, &self.walk_sql(&after, limit + 1, offset)).await?;
            if is_short(&found, limit) && self.others.is_some() {
                scanned_to = self.last_scanned(client, &after).await?;
            }
        }
        let has_rest =
            matches!(self.walk, Walk::Metrics | Walk::EndedStates) && !self.needs_metrics;
        if is_short(&found, limit) && has_rest && scanned_to.is_none() {
            let missing = limit + 1 - i64::try_from(found.len()).unwrap_or(i64::MAX);
            let offset = match (found.is_empty(), offset) {
                (true, 1..) => offset - self.walked_count(client, offset).await?,
                (true | false, _) => 0,
            };
            let after = if is_in_rest { self.after(cursor) } else { "true".to_owned() };
            found.extend(self.rows(client, &self.rest_sql(&after, missing, offset)).await?);
        }
        let kind = self.order.kind;
        let mut page = Page::of(&found, limit, &self.order, total, |row| place(row, kind))?;
        match self.walk {
            Walk::Newest => page.is_complete = !self.is_beyond_newest(client).await?,
            Walk::States | Walk::EndedStates | Walk::Metrics => {
                if let Some(place) = scanned_to {
                    page.is_complete = false;
                    page.next_cursor = Some(place.of(&self.order));
                }
            }
        }
        Ok(page)
    }

    /// The condition that a row comes after the cursor, on columns without a table, or on the key of what was sorted.
    fn after(&mut self, cursor: Option<&Place>) -> String {
        let Some((place, id)) = cursor.and_then(|place| Some((place, place.id()?))) else {
            return "true".to_owned();
        };
        let beyond = if self.order.descending { "<" } else { ">" };
        let (key, id) = (self.select.bind_key(place), self.select.bind(id));
        match (key, self.walk) {
            (Some(key), Walk::Newest) => {
                format!("((key, id) {beyond} ({key}, {id}) OR key IS NULL)")
            }
            (None, Walk::Newest) => format!("(key IS NULL AND id {beyond} {id})"),
            (Some(key), _) => format!("({}, id) {beyond} ({key}, {id})", self.order.expression),
            (None, _) => format!("id {beyond} {id}"),
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
        if self.walk == Walk::Newest {
            let (newest, expression) = (self.newest(), &self.qualified);
            let others = self.others.as_deref().unwrap_or("true");
            return format!(
                "SELECT id, key FROM (SELECT id, {expression} AS key FROM ({newest}) AS newest \
                 JOIN read_models.{TABLE} AS t USING (id) LEFT JOIN read_models.{METRICS} AS m USING (id) \
                 WHERE {others}) AS sorted WHERE {after} \
                 ORDER BY key {direction} NULLS LAST, id {direction} LIMIT {limit} OFFSET {offset}"
            );
        }
        let candidates = self.candidates(after);
        let Some(others) = &self.others else {
            return format!("{candidates} LIMIT {limit} OFFSET {offset}");
        };
        format!(
            "SELECT id, key FROM ({candidates} LIMIT {SCANNED_MAX}) AS scanned \
             JOIN read_models.{TABLE} AS t USING (id) LEFT JOIN read_models.{METRICS} AS m USING (id) \
             WHERE {others} ORDER BY key {direction}, id {direction} LIMIT {limit} OFFSET {offset}"
        )
    }

    /// Everything that the walk meets, before filters without an index.
    fn candidates(&self, after: &str) -> String {
        let (expression, keys, states, walked) =
            (self.order.expression, &self.keys, &self.states, self.walked());
        match self.walk {
            Walk::Metrics => format!(
                "SELECT id, {expression} AS key FROM read_models.{METRICS} \
                 WHERE {keys} AND {expression} IS NOT NULL AND {after} ORDER BY {walked}"
            ),
            Walk::EndedStates => format!(
                "SELECT id, {expression} AS key FROM read_models.{TABLE} \
                 WHERE {keys} AND {states} AND {expression} IS NOT NULL AND {after} ORDER BY {walked}"
            ),
            Walk::States | Walk::Newest => {
                let direction = self.direction();
                format!(
                    "SELECT id, {expression} AS key FROM read_models.{TABLE} WHERE {keys} AND {states} \
                     AND {after} ORDER BY {expression} {direction}, id {direction}"
                )
            }
        }
    }

    /// The newest runs that fit the filters with an index.
    fn newest(&self) -> String {
        let (keys, states) = (&self.keys, &self.states);
        format!(
            "SELECT id FROM read_models.{TABLE} WHERE {keys} AND {states} \
             ORDER BY created_at DESC, id DESC LIMIT {SCANNED_MAX}"
        )
    }

    /// Ids of the runs without the key.
    fn rest_sql(&self, after: &str, limit: i64, offset: i64) -> String {
        let (expression, keys, states, direction) =
            (self.order.expression, &self.keys, &self.states, self.direction());
        let reach = if self.others.is_some() { SCANNED_MAX } else { limit.saturating_add(offset) };
        let part = |table: &str, condition: &str| {
            format!(
                "(SELECT id FROM read_models.{table} WHERE {keys} AND {condition} AND {after} \
                 ORDER BY id {direction} LIMIT {reach})"
            )
        };
        let mut parts = Vec::new();
        if self.walk == Walk::EndedStates {
            parts.push(part(TABLE, &format!("{states} AND completed_at IS NULL")));
        } else {
            if self.has_completed {
                parts.push(part(METRICS, &format!("{expression} IS NULL")));
            }
            if self.has_others {
                parts.push(part(TABLE, &format!("{states} AND status <> 'completed'")));
            }
        }
        if parts.is_empty() {
            parts.push("(SELECT NULL::uuid AS id WHERE false)".to_owned());
        }
        let kind =
            if self.order.kind == KeyKind::Number { "double precision" } else { "timestamptz" };
        let (parts, others) = (parts.join(" UNION ALL "), self.others.as_deref().unwrap_or("true"));
        format!(
            "SELECT id, NULL::{kind} AS key FROM ({parts}) AS rest \
             JOIN read_models.{TABLE} AS t USING (id) LEFT JOIN read_models.{METRICS} AS m USING (id) \
             WHERE {others} ORDER BY id {direction} LIMIT {limit} OFFSET {offset}"
        )
    }

    /// The last row that a page looked at, if it stopped there before the end.
    async fn last_scanned(
        &self,
        client: &Client,
        after: &str,
    ) -> Result<Option<Place>, DatabaseError> {
        if self.walk == Walk::Newest {
            return Ok(None);
        }
        let sql = format!("{} OFFSET {SCANNED_MAX} - 1 LIMIT 2", self.candidates(after));
        let rows = self.query(client, &sql).await?;
        match rows.as_slice() {
            [last, _beyond] => Ok(Some(place_at(last, "key", self.order.kind)?)),
            _ => Ok(None),
        }
    }

    /// Whether there are more runs than the newest that are sorted.
    async fn is_beyond_newest(&self, client: &Client) -> Result<bool, DatabaseError> {
        let (keys, states) = (&self.keys, &self.states);
        let sql = format!(
            "SELECT EXISTS (SELECT FROM read_models.{TABLE} WHERE {keys} AND {states} \
             ORDER BY created_at DESC, id DESC OFFSET {SCANNED_MAX})"
        );
        Ok(self.query_one(client, &sql).await?.try_get(0)?)
    }

    /// How many rows the walk has, up to `most`.
    async fn walked_count(&self, client: &Client, most: i64) -> Result<i64, DatabaseError> {
        if self.walk == Walk::Metrics && !self.has_completed {
            return Ok(0);
        }
        let walked = self.walk_sql("true", most, 0);
        let sql = format!("SELECT count(*) FROM ({walked}) AS walked");
        Ok(self.query_one(client, &sql).await?.try_get(0)?)
    }
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

impl BacktestFilter {
    /// Adds the conditions on what a run is pinned to and on the time of its request: each has an index.
    fn add_keys(&self, select: &mut Select) {
        if let Some(owner) = self.owner_id {
            select.compare("owner_id =", owner.uuid());
        }
        if let Some(strategy) = self.strategy_id {
            select.compare("strategy_id =", strategy.uuid());
        }
        if let Some(symbol) = &self.symbol {
            select.compare("symbol =", symbol.as_str().to_owned());
        }
        if let Some(asset) = &self.asset_symbol {
            select.compare("asset_symbol =", asset.clone());
        }
        if let Some(timeframe) = self.timeframe {
            select.compare("timeframe =", timeframe.as_str());
        }
        select.any("origin", &self.origins, domain::backtest::Origin::as_str);
        self.created_at.add(select, "created_at");
    }

    /// Adds the condition on the status; returns whether it lets completed runs through, and others.
    fn add_states(&self, select: &mut Select) -> (bool, bool) {
        use domain::job::Status;
        select.any("status", &self.statuses, Status::as_str);
        let is_any = self.statuses.is_empty();
        let has_completed = is_any || self.statuses.contains(&Status::Completed);
        let has_others = is_any || self.statuses.iter().any(|one| *one != Status::Completed);
        (has_completed, has_others)
    }

    /// Adds the conditions without an index.
    fn add_others(&self, select: &mut Select) {
        for MetricFilter { metric, comparison, value } in &self.metrics {
            let expression = metric.qualified();
            select.compare(&format!("{expression} {}", comparison.sql()), *value);
        }
        self.completed_at.add(select, "t.completed_at");
        self.start_time.add(select, "t.start_time");
        self.end_time.add(select, "t.end_time");
        if let Some(search) = &self.search {
            select.contains(&["t.strategy_name", "t.symbol"], search);
        }
    }

    /// The owner, if nothing but owner and statuses is asked for.
    fn counted_owner(&self) -> Option<domain::ids::UserId> {
        let plain =
            Self { owner_id: self.owner_id, statuses: self.statuses.clone(), ..Self::default() };
        self.owner_id.filter(|_| *self == plain)
    }
}

impl Metric {
    /// Whether lists are sorted by it from an index.
    pub(super) fn is_indexed(self) -> bool {
        super::INDEXED_METRICS.contains(&self.name())
    }
}
