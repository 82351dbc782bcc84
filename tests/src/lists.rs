//! Read models filled by SQL, for lists that are too long to be made by runs.

use tokio_postgres::Client;

const STATES: &str = "backtests_v6";
const METRICS: &str = "backtests_v6_metrics";
/// What differs from copy `n` to copy `n`: column and expression.
const OF_STATES: [(&str, &str); 8] = [
    ("id", "('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"),
    ("strategy_id", "('01900000-0000-7000-8000-' || lpad((n % 10)::text, 12, '0'))::uuid"),
    ("strategy_name", "'Strategy ' || n % 10"),
    ("symbol", "(ARRAY['BTCUSDT', 'ETHUSDT', 'SOLUSDT', 'BTCEUR'])[n % 4 + 1]"),
    ("asset_symbol", "(ARRAY['BTC', 'ETH', 'SOL', 'BTC'])[n % 4 + 1]"),
    ("timeframe", "(ARRAY['1d', '1h'])[n % 2 + 1]"),
    ("status", "CASE n % 100 WHEN 1 THEN 'failed' WHEN 2 THEN 'pending' ELSE 'completed' END"),
    ("created_at", "own.created_at + n * interval '1 minute'"),
];
const COMPLETED_AT: (&str, &str) =
    ("completed_at", "CASE WHEN n % 100 <> 2 THEN own.created_at + n * interval '61 seconds' END");
const OF_METRICS: [(&str, &str); 10] = [
    ("id", "state.id"),
    ("strategy_id", "state.strategy_id"),
    ("symbol", "state.symbol"),
    ("asset_symbol", "state.asset_symbol"),
    ("timeframe", "state.timeframe"),
    ("created_at", "state.created_at"),
    ("sharpe_ratio", "CASE WHEN n % 50 <> 0 THEN (n * 7919 % 100003) / 10000.0 END"),
    ("max_drawdown_fraction", "(n * 104729 % 100003) / 100003.0"),
    ("kelly", "(n * 15485863 % 100003) / 100003.0"),
    ("total_trades", "n % 500"),
];

/// Copies the only backtest in the read model, which is completed, until its owner has `count` more: newer and newer ones, of ten
/// strategies, four markets and two timeframes; one in a hundred failed, and one in a hundred is pending.
///
/// # Panics
/// If the database refuses.
pub async fn copy_backtests(superuser: &Client, count: i64) {
    let mut indexes = Vec::new();
    for table in [STATES, METRICS] {
        // Built afterwards, which is faster.
        let secondary = "SELECT indexname, indexdef FROM pg_indexes \
                         WHERE schemaname = 'read_models' AND tablename = $1 AND indexname <> $1 || '_pkey'";
        for row in superuser.query(secondary, &[&table]).await.expect("indexes") {
            let (name, definition): (String, String) = (row.get(0), row.get(1));
            let drop = format!("DROP INDEX read_models.{name}");
            superuser.batch_execute(&drop).await.expect("an index that goes");
            indexes.push(definition);
        }
    }
    let of_states = [&OF_STATES[..], &[COMPLETED_AT]].concat();
    let from = format!("read_models.{STATES} AS own, generate_series(1, {count}::bigint) AS n");
    fill(superuser, STATES, &of_states, &from).await;
    let from = format!(
        "read_models.{METRICS} AS own, read_models.{STATES} AS state, LATERAL (SELECT \
         ('x' || right(replace(state.id::text, '-', ''), 12))::bit(48)::bigint AS n) AS numbered \
         WHERE state.id <> own.id AND state.status = 'completed'"
    );
    fill(superuser, METRICS, &OF_METRICS, &from).await;
    let counts = format!(
        "INSERT INTO read_models.{STATES}_counts AS own \
         SELECT owner_id, status, count(*) FROM read_models.{STATES} GROUP BY 1, 2 \
         ON CONFLICT (owner_id, status) DO UPDATE SET count = excluded.count"
    );
    superuser.execute(&counts, &[]).await.expect("counts");
    for definition in indexes {
        superuser.batch_execute(&definition).await.expect("an index");
    }
    for table in [STATES, METRICS] {
        let vacuum = format!("VACUUM (ANALYZE) read_models.{table}");
        superuser.batch_execute(&vacuum).await.expect("statistics");
    }
}

/// Inserts rows into the table: of the columns these, the others as they are in the row `own`.
async fn fill(superuser: &Client, table: &str, changed: &[(&str, &str)], from: &str) {
    let all = "SELECT column_name::text FROM information_schema.columns \
               WHERE table_schema = 'read_models' AND table_name = $1";
    let rows = superuser.query(all, &[&table]).await.expect("columns");
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let value = |name: &String| {
        let found = changed.iter().find(|(column, _)| column == name);
        found.map_or_else(|| format!("own.{name}"), |(_, expression)| (*expression).to_owned())
    };
    let values: Vec<String> = names.iter().map(value).collect();
    let insert = format!(
        "INSERT INTO read_models.{table} ({}) SELECT {} FROM {from}",
        names.join(", "),
        values.join(", ")
    );
    superuser.execute(&insert, &[]).await.expect("rows");
}
