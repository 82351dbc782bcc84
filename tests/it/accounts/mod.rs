//! Users and sessions in a real database.

use std::time::Duration;

use infra::{
    clock::{Clock, ManualClock},
    postgres::accounts::{AccountError, Accounts, NewUser, SESSION_DAYS},
};
use tests::TestDatabase;

const PASSWORD: &str = "correct horse battery";
const ADA: NewUser = NewUser { email: "ada@example.com", password: PASSWORD, name: "Ada" };

#[tokio::test]
async fn a_session_lasts_until_it_is_closed() {
    let database = TestDatabase::new().await;
    let accounts = Accounts::new(database.database.clone(), Clock::system());
    let user = accounts.create_user(ADA, None).await.unwrap().user;
    let session = accounts.open_session("ADA@example.com", PASSWORD).await.unwrap();
    assert_eq!(session.user, user);
    assert_eq!(accounts.authenticate(&session.token).await.unwrap(), Some(user));
    accounts.close_session(&session.token).await.unwrap();
    assert_eq!(accounts.authenticate(&session.token).await.unwrap(), None);
}

#[tokio::test]
async fn an_expired_session_is_none() {
    let database = TestDatabase::new().await;
    let manual = ManualClock::new(chrono::DateTime::UNIX_EPOCH);
    let accounts = Accounts::new(database.database.clone(), manual.clock());
    accounts.create_user(ADA, None).await.unwrap();
    let session = accounts.open_session("ada@example.com", PASSWORD).await.unwrap();
    manual.advance(Duration::from_secs(SESSION_DAYS.cast_unsigned() * 24 * 60 * 60));
    assert_eq!(accounts.authenticate(&session.token).await.unwrap(), None);
}

#[tokio::test]
async fn wrong_passwords_unknown_and_taken_addresses_are_refused() {
    let database = TestDatabase::new().await;
    let accounts = Accounts::new(database.database.clone(), Clock::system());
    accounts.create_user(ADA, None).await.unwrap();
    let wrong = accounts.open_session("ada@example.com", "something else").await;
    assert!(matches!(wrong, Err(AccountError::WrongCredentials)));
    let unknown = accounts.open_session("eve@example.com", PASSWORD).await;
    assert!(matches!(unknown, Err(AccountError::WrongCredentials)));
    let other = NewUser { email: "Ada@Example.com", name: "Other", ..ADA };
    let taken = accounts.create_user(other, None).await;
    assert!(matches!(taken, Err(AccountError::EmailTaken)));
}

#[tokio::test]
async fn no_table_holds_a_password_or_a_token() {
    let database = TestDatabase::new().await;
    let accounts = Accounts::new(database.database.clone(), Clock::system());
    accounts.create_user(ADA, None).await.unwrap();
    let session = accounts.open_session("ada@example.com", PASSWORD).await.unwrap();
    let connection = database.database.get().await.unwrap();
    let sql = "SELECT u::text || s::text FROM users u, sessions s";
    let rows: String = connection.query_one(sql, &[]).await.unwrap().get(0);
    assert!(!rows.contains(PASSWORD) && !rows.contains(&session.token));
    assert!(rows.contains("$argon2id$"));
}
