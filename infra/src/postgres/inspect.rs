//! What an operator wants to know about a server before Backtrail uses it; nothing is changed.

use chrono::{DateTime, Utc};

use super::{
    database::{DatabaseError, connect_alone, parse},
    migrations::MIGRATIONS,
};

/// A server and one of its databases, as the URL's user sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// `15.14 (Debian 15.14-0+deb12u1)`
    pub version: String,
    /// 15
    pub major: i32,
    /// The server's limit, for all its databases.
    pub connections_max: i32,
    /// Connections that are open now, this one included.
    pub connections_count: i64,
    /// The server's clock.
    pub now: DateTime<Utc>,
    /// Whether Backtrail has ever been migrated into the database.
    pub has_schema: bool,
    /// Migrations that have not been applied; `None` if the user may not read which have been.
    pub pending_migrations_count: Option<usize>,
}

/// Asks the server at `url`.
///
/// # Errors
/// [`DatabaseError::Unavailable`] if it cannot be reached or refuses the user.
pub async fn inspect(url: &str) -> Result<Inspection, DatabaseError> {
    let client = connect_alone(&parse(url)?).await?;
    let sql = "SELECT current_setting('server_version'),
                      current_setting('server_version_num')::int / 10000,
                      current_setting('max_connections')::int,
                      (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
                      clock_timestamp(),
                      to_regclass('public.refinery_schema_history') IS NOT NULL,
                      coalesce(has_table_privilege(
                          to_regclass('public.refinery_schema_history'), 'SELECT'), true)";
    let row = client.query_one(sql, &[]).await?;
    let (has_history, may_read): (bool, bool) = (row.try_get(5)?, row.try_get(6)?);
    let pending_migrations_count = match (has_history, may_read) {
        (false, _) => Some(MIGRATIONS.len()),
        (true, false) => None,
        (true, true) => {
            let sql = "SELECT 'V' || version || '__' || name FROM public.refinery_schema_history";
            let applied: Vec<String> = client
                .query(sql, &[])
                .await?
                .iter()
                .map(|row| row.try_get(0))
                .collect::<Result<_, _>>()?;
            let is_pending = |(name, _): &&(&str, &str)| !applied.iter().any(|one| one == name);
            Some(MIGRATIONS.iter().filter(is_pending).count())
        }
    };
    Ok(Inspection {
        version: row.try_get(0)?,
        major: row.try_get(1)?,
        connections_max: row.try_get(2)?,
        connections_count: row.try_get(3)?,
        now: row.try_get(4)?,
        has_schema: has_history,
        pending_migrations_count,
    })
}
