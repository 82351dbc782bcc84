//! Migrations and privileges.

use infra::postgres::Database;
use tests::TestDatabase;

#[tokio::test]
async fn migrating_again_and_at_once_changes_nothing() {
    let test = TestDatabase::new().await;
    let (one, two) = tokio::join!(Database::migrate(&test.url), Database::migrate(&test.url));
    one.unwrap();
    two.unwrap();
    let row = test
        .superuser()
        .await
        .query_one("SELECT count(*) FROM refinery_schema_history WHERE name = 'create_events'", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, i64>(0), 1);
}

#[tokio::test]
async fn pooled_connections_act_as_the_application() {
    let test = TestDatabase::new().await;
    let client = test.database.get().await.unwrap();
    let row = client.query_one("SELECT current_user::text", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "backtrail_app");
}
