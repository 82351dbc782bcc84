//! The schema: the database roles, then the migrations in order.

use refinery::{Migration, Runner};
use tokio_postgres::{Client, error::SqlState};

use super::database::{DatabaseError, connect_alone, parse};

macro_rules! migration {
    ($version:literal, $name:literal) => {
        (
            concat!("V", $version, "__", $name),
            include_str!(concat!("../../../migrations/", $version, "_", $name, ".sql")),
        )
    };
}

/// All migrations; add a new file here (rules: migrations/README.md).
pub(super) const MIGRATIONS: &[(&str, &str)] = &[
    migration!("20261122000100", "create_events"),
    migration!("20261122000200", "create_markets"),
    migration!("20261122000250", "create_candles"),
    migration!("20261122000300", "create_accounts"),
    migration!("20261122000400", "create_run_queue"),
    migration!("20261122000500", "create_read_models"),
    migration!("20261127000100", "create_leaders"),
    migration!("20261127000200", "add_reaping"),
    migration!("20261127000250", "measure_append_lock"),
    migration!("20261127000300", "create_relays"),
    migration!("20261127000600", "create_sweeps"),
    migration!("20261128000100", "limit_events"),
    migration!("20261128000110", "validate_events"),
    migration!("20261128000120", "drop_events_owner"),
    migration!("20261128000200", "create_jobs"),
    migration!("20261128000300", "add_revision_decimals"),
    migration!("20261128002000", "drop_older_queues"),
    migration!("20261128003000", "drop_equity_curves"),
    migration!("20261128004000", "create_request_keys"),
    migration!("20261129001000", "number_candle_series"),
    migration!("20261129002000", "plan_picks_once"),
];

/// Processes that migrate at the same time take turns on this session lock ("backmigr" in ASCII).
const LOCK: i64 = 0x6261_636b_6d69_6772;

/// Brings the schema up to date: the roles as the connecting user, the rest as `backtrail_owner`. Idempotent, and safe
/// while other processes do the same.
///
/// # Errors
/// [`DatabaseError::Forbidden`] if the user lacks a right; the migration that failed.
pub async fn migrate(url: &str) -> Result<(), DatabaseError> {
    let mut client = connect_alone(&parse(url)?).await?;
    // Held until this connection closes, which is the end of this function.
    client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await?;
    prepare(&client).await?;
    client.batch_execute("SET ROLE backtrail_owner").await?;
    let migrations = MIGRATIONS
        .iter()
        .map(|(name, sql)| Migration::unapplied(name, sql))
        .collect::<Result<Vec<_>, _>>()?;
    // An older binary may start beside a schema that a newer one has migrated.
    Runner::new(&migrations).set_abort_missing(false).run_async(&mut client).await?;
    Ok(())
}

/// What must be there before the owner can work: roles, privileges on the database, the read models' schema.
async fn prepare(client: &Client) -> Result<(), DatabaseError> {
    client.batch_execute(PREPARATION).await.map_err(|error| {
        if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
            DatabaseError::Forbidden(format!(
                "this user may not prepare the database ({}); let a superuser run `backtrail migrate` once, \
                 or create the roles backtrail_owner, backtrail_app and backtrail_foreign, grant the first two to this user, \
                 and grant backtrail_owner CREATE on the database and on the schema public",
                error.as_db_error().map_or_else(|| error.to_string(), |e| e.message().to_owned()),
            ))
        } else {
            error.into()
        }
    })
}

/// Every step looks first, so that a user with fewer rights can run it on a prepared database. Roles belong to the whole
/// cluster: another database's migration may create them at the same moment.
const PREPARATION: &str = r"
DO $$
DECLARE
    role_name text;
    member    boolean;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['backtrail_owner', 'backtrail_app', 'backtrail_foreign'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I', role_name);
                IF role_name = 'backtrail_foreign' THEN
                    ALTER ROLE backtrail_foreign LOGIN;
                    ALTER ROLE backtrail_foreign SET idle_in_transaction_session_timeout = '1s';
                END IF;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
        IF role_name <> 'backtrail_foreign' AND NOT pg_has_role(current_user, role_name, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO %I', role_name, current_user);
        END IF;
    END LOOP;
    IF NOT has_database_privilege('backtrail_owner', current_database(), 'CREATE') THEN
        EXECUTE format('GRANT CREATE ON DATABASE %I TO backtrail_owner', current_database());
    END IF;
    IF NOT has_schema_privilege('backtrail_owner', 'public', 'CREATE') THEN
        GRANT USAGE, CREATE ON SCHEMA public TO backtrail_owner;
    END IF;
    -- Before PostgreSQL 15 everyone may create in it, and append_events looks there.
    IF has_schema_privilege('backtrail_app', 'public', 'CREATE') THEN
        REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'read_models') THEN
        CREATE SCHEMA read_models AUTHORIZATION backtrail_app;
    END IF;
END $$;
";
