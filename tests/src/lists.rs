//! Read models filled by SQL, for lists that are too long to be made by runs.

use tokio_postgres::Client;

/// Copies the only backtest in the read model, which is completed, until its owner has `count` more: newer and newer ones, of ten
/// strategies, four markets and two timeframes; one in a hundred failed, and one in a hundred is pending.
///
/// # Panics
/// If the database refuses.
pub async fn copy_backtests(superuser: &Client, count: i64) {
    let states = "INSERT INTO read_models.backtests_v5
        SELECT copied.* FROM read_models.backtests_v5 AS own, generate_series(1, $1::bigint) AS n,
        LATERAL json_populate_record(own, json_build_object(
            'id', '01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'),
            'strategy_id', '01900000-0000-7000-8000-' || lpad((n % 10)::text, 12, '0'),
            'strategy_name', 'Strategy ' || n % 10,
            'symbol', (ARRAY['BTCUSDT', 'ETHUSDT', 'SOLUSDT', 'BTCEUR'])[n % 4 + 1],
            'asset_symbol', (ARRAY['BTC', 'ETH', 'SOL', 'BTC'])[n % 4 + 1],
            'timeframe', (ARRAY['1d', '1h'])[n % 2 + 1],
            'status', CASE n % 100 WHEN 1 THEN 'failed' WHEN 2 THEN 'pending' ELSE 'completed' END,
            'created_at', own.created_at + n * interval '1 minute',
            'completed_at', CASE WHEN n % 100 <> 2 THEN own.created_at + n * interval '61 seconds' END
        )) AS copied";
    let metrics = "INSERT INTO read_models.backtests_v5_metrics
        SELECT copied.* FROM read_models.backtests_v5_metrics AS own, read_models.backtests_v5 AS state,
        LATERAL (SELECT ('x' || right(replace(state.id::text, '-', ''), 12))::bit(48)::bigint AS n) AS numbered,
        LATERAL json_populate_record(own, json_build_object(
            'id', state.id, 'strategy_id', state.strategy_id, 'symbol', state.symbol,
            'asset_symbol', state.asset_symbol, 'timeframe', state.timeframe, 'created_at', state.created_at,
            'sharpe_ratio', CASE WHEN n % 50 <> 0 THEN (n * 7919 % 100003) / 10000.0 END,
            'max_drawdown_fraction', (n * 104729 % 100003) / 100003.0,
            'kelly', (n * 15485863 % 100003) / 100003.0,
            'total_trades', n % 500)) AS copied
        WHERE state.id <> own.id AND state.status = 'completed'";
    let counts = "INSERT INTO read_models.backtests_v5_counts AS own
        SELECT owner_id, status, count(*) FROM read_models.backtests_v5 GROUP BY 1, 2
        ON CONFLICT (owner_id, status) DO UPDATE SET count = excluded.count";
    superuser.execute(states, &[&count]).await.expect("states");
    superuser.execute(metrics, &[]).await.expect("metrics");
    superuser.execute(counts, &[]).await.expect("counts");
    for table in ["backtests_v5", "backtests_v5_metrics"] {
        let vacuum = format!("VACUUM (ANALYZE) read_models.{table}");
        superuser.batch_execute(&vacuum).await.expect("statistics");
    }
}
