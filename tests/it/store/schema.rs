//! Migrations and roles.

use futures_util::future::join_all;
use infra::postgres::{Database, DatabaseError};
use tests::{TestCluster, TestDatabase};

#[tokio::test]
async fn processes_that_migrate_a_new_database_at_once_take_turns() {
    let test = TestDatabase::new().await;
    let name = format!("{}_new", test.name);
    test.superuser().await.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    let url = TestCluster::shared().await.url(&name);
    for result in join_all((0..4).map(|_| Database::migrate(&url))).await {
        result.unwrap();
    }
    Database::migrate(&url).await.unwrap();
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
    let error = Database::migrate(&url).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Forbidden(_)), "{error:?}");
    assert!(error.to_string().contains("backtrail_owner"), "{error}");

    superuser.batch_execute("GRANT backtrail_owner, backtrail_app TO plain").await.unwrap();
    Database::migrate(&url).await.unwrap();
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
