//! Events are facts: nobody changes or removes them, and the application adds them only through the function.

use tests::TestDatabase;
use tokio_postgres::error::SqlState;

use super::append_to;

const CHANGES: [&str; 4] = [
    "UPDATE events SET payload = '{}'",
    "UPDATE events SET position = position + 1 WHERE false",
    "DELETE FROM events",
    "TRUNCATE events",
];

#[tokio::test]
async fn changes_are_refused_to_everyone() {
    let test = TestDatabase::new().await;
    let store = test.store();
    store.append(append_to("a", 0, 2)).await.unwrap();
    let before = store.read_after(0, 10).await.unwrap();
    let client = test.superuser().await;
    for role in ["backtrail_app", "backtrail_foreign", "backtrail_owner", "postgres"] {
        client.batch_execute(&format!("SET ROLE {role}")).await.unwrap();
        for change in CHANGES {
            let error = client.batch_execute(change).await.unwrap_err();
            assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{role}: {change}");
        }
    }
    assert_eq!(store.read_after(0, 10).await.unwrap(), before);
}

#[tokio::test]
async fn the_application_cannot_insert_past_the_function_nor_touch_what_guards_it() {
    let test = TestDatabase::new().await;
    let client = test.database.get().await.unwrap();
    for statement in [
        "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata) \
         VALUES ('tally', 'a', 1, 'Counted', '1.0', '{}', '{}')",
        "INSERT INTO command_ids VALUES (gen_random_uuid(), '', '', '', 1, '', now())",
        "DELETE FROM command_ids",
        "DELETE FROM reservations",
        "ALTER TABLE events DISABLE TRIGGER refuse_change",
        "DROP TABLE events",
        "CREATE TABLE public.mine (a int)",
    ] {
        let error = client.batch_execute(statement).await.unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{statement}");
    }
    client.batch_execute("CREATE TABLE read_models.mine (a int)").await.unwrap();
}

#[tokio::test]
async fn foreign_writers_cannot_choose_their_position_or_time() {
    let test = TestDatabase::new().await;
    let foreign = test.foreign().await;
    for column in ["position", "recorded_at", "event_id"] {
        let insert = format!("INSERT INTO events ({column}) VALUES (DEFAULT)");
        let error = foreign.batch_execute(&insert).await.unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{column}");
    }
}
