//! Migrations and roles.

use futures_util::future::join_all;
use infra::postgres::{Database, DatabaseError, migrate};
use tests::{TestCluster, TestDatabase};
use tokio_postgres::error::SqlState;

#[tokio::test]
async fn processes_that_migrate_a_new_database_at_once_take_turns() {
    let test = TestDatabase::new().await;
    let name = format!("{}_new", test.name);
    test.superuser().await.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    let url = TestCluster::shared().await.url(&name);
    for result in join_all((0..4).map(|_| migrate(&url))).await {
        result.unwrap();
    }
    migrate(&url).await.unwrap();
    let database = Database::connect(&url, 1).await.unwrap();
    let applied = "SELECT count(*) FROM pg_tables WHERE tablename = 'events'";
    let row = database.get().await.unwrap().query_one(applied, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 1);
}

#[tokio::test]
async fn pooled_connections_act_as_the_application() {
    let test = TestDatabase::new().await;
    let client = test.database.get().await.unwrap();
    let row = client.query_one("SELECT current_user::text", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "backtrail_app");
}

#[tokio::test]
async fn a_plain_user_is_told_what_is_missing_and_migrates_when_it_is_granted() {
    let cluster = TestCluster::private().await;
    let test = cluster.database().await;
    let superuser = test.superuser().await;
    superuser.batch_execute("CREATE ROLE plain LOGIN").await.unwrap();
    superuser.batch_execute("CREATE DATABASE plain OWNER plain").await.unwrap();
    let url = cluster.url_as("plain", "plain");
    let error = migrate(&url).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Forbidden(_)), "{error:?}");
    assert!(error.to_string().contains("backtrail_owner"), "{error}");

    superuser.batch_execute("GRANT backtrail_owner, backtrail_app TO plain").await.unwrap();
    migrate(&url).await.unwrap();
    let database = Database::connect(&url, 1).await.unwrap();
    let client = database.get().await.unwrap();
    client
        .batch_execute("SELECT FROM events; CREATE TABLE read_models.mine (a int)")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_named_as_such() {
    let url = "postgres:///postgres?host=/nowhere&user=postgres";
    let error = Database::connect(url, 1).await.err().unwrap();
    assert!(matches!(error, DatabaseError::Unavailable(_)), "{error:?}");
    assert!(error.to_string().starts_with("the database cannot be reached: "), "{error}");
}

#[tokio::test]
async fn a_database_of_another_encoding_is_refused() {
    let cluster = TestCluster::private().await;
    let mut createdb = cluster.program("createdb");
    createdb.args(["--encoding=LATIN1", "--locale=C", "--template=template0", "latin"]);
    assert!(createdb.status().unwrap().success());
    let error = migrate(&cluster.url("latin")).await.unwrap_err();
    assert!(error.to_string().contains("needs UTF8"), "{error}");
}

#[tokio::test]
async fn texts_of_events_have_at_most_1024_bytes() {
    let test = TestDatabase::new().await;
    let client = test.superuser().await;
    let insert = "INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, \
                  payload, metadata, recorded_at) VALUES ($1, $2, $3, 1, $4, $5, '{}', '{}', now())";
    // Bytes count, not characters.
    let (longest, longer) = ("ä".repeat(512), format!("{}a", "ä".repeat(512)));
    client.execute(insert, &[&1_i64, &longest, &longest, &longest, &longest]).await.unwrap();
    for column in 0..4 {
        let texts: [&String; 4] =
            std::array::from_fn(|at| if at == column { &longer } else { &longest });
        let [kind, id, event_type, version] = texts;
        let error = client.execute(insert, &[&2_i64, kind, id, event_type, version]).await;
        let error = error.unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::CHECK_VIOLATION), "{column}: {error}");
    }
}

#[tokio::test]
async fn times_of_events_have_microseconds_since_1970() {
    let test = TestDatabase::new().await;
    let client = test.superuser().await;
    let insert = async |position: i64, time: &str| {
        let sql = format!(
            "INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, \
             payload, metadata, recorded_at) VALUES ({position}, 'tally', 'a', {position}, '', '', '{{}}', '{{}}', '{time}')"
        );
        client.batch_execute(&sql).await.map_err(|error| error.code().cloned())
    };
    for (position, time) in [(1, "0001-01-01 00:00Z"), (2, "9999-12-31 23:59:59.999999Z")] {
        insert(position, time).await.unwrap();
    }
    for time in ["0001-12-31 23:59:59.999999Z BC", "10000-01-01 00:00Z", "infinity", "-infinity"] {
        let refused = insert(3, time).await;
        assert_eq!(refused, Err(Some(SqlState::CHECK_VIOLATION)), "{time}");
    }
}
