//! Users: their accounts, and how one is created.

use chrono::{DateTime, Utc};
use domain::ids::UserId;
use tokio_postgres::{Row, error::SqlState};
use uuid::Uuid;

use super::{
    error::AccountError,
    passwords::{hash_password, verify_password},
};
use crate::{
    clock::Clock,
    postgres::{
        database::{Database, DatabaseError},
        request_keys::{RequestKey, find, insert},
    },
};

/// Users and their sessions.
#[derive(Clone)]
pub struct Accounts {
    pub(super) database: Database,
    pub(super) clock: Clock,
}

/// Who signs up.
#[derive(Clone, Copy)]
pub struct NewUser<'a> {
    pub email: &'a str,
    pub password: &'a str,
    pub name: &'a str,
}

/// A user who was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    pub user: User,
    /// By an earlier request with the same key.
    pub is_replayed: bool,
}

/// A user, without the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub created_at: DateTime<Utc>,
}

impl Accounts {
    /// The accounts stored in `database`; `clock` says when a session expires.
    #[must_use]
    pub fn new(database: Database, clock: Clock) -> Self {
        Self { database, clock }
    }

    /// Creates a user, or returns the one that was created under the same key; the caller has checked the form of the email
    /// address and the length of the password.
    ///
    /// # Errors
    /// [`AccountError::EmailTaken`], [`AccountError::KeyReused`], the database.
    pub async fn create_user(
        &self,
        user: NewUser<'_>,
        key: Option<&RequestKey>,
    ) -> Result<Created, AccountError> {
        if let Some(created) = self.created_before(user, key).await? {
            return Ok(created);
        }
        let hash = hash_password(user.password.to_owned()).await?;
        let id = self.clock.new_uuid();
        let mut connection = self.database.get().await.map_err(AccountError::Database)?;
        let transaction = connection.transaction().await?;
        if let Some(key) = key
            && !insert(&*transaction, key, &id.to_string()).await?
        {
            drop(transaction);
            drop(connection);
            let created = self.created_before(user, Some(key)).await?;
            return created.ok_or(AccountError::EmailTaken);
        }
        let inserted = transaction
            .query_one(
                "INSERT INTO users (id, email, name, password_hash, created_at) VALUES ($1, $2, $3, $4, $5)
                 RETURNING id, email, name, created_at",
                &[&id, &user.email, &user.name, &hash, &self.clock.now()],
            )
            .await;
        match inserted {
            Ok(row) => {
                transaction.commit().await?;
                Ok(Created { user: read(&row)?, is_replayed: false })
            }
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                Err(AccountError::EmailTaken)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the user that an earlier request with this key created, if the password is the same: it is not part of the hash
    /// of the body, which is cheaper to guess than its own.
    async fn created_before(
        &self,
        user: NewUser<'_>,
        key: Option<&RequestKey>,
    ) -> Result<Option<Created>, AccountError> {
        let Some(key) = key else { return Ok(None) };
        let connection = self.database.get().await.map_err(AccountError::Database)?;
        let Some(earlier) = find(&**connection, key).await? else { return Ok(None) };
        if !earlier.is_same {
            return Err(AccountError::KeyReused);
        }
        let sql =
            "SELECT id, email, name, created_at, password_hash FROM users WHERE id::text = $1";
        let row = connection.query_opt(sql, &[&earlier.resource_id]).await?;
        // It may have been deleted since.
        let Some(row) = row else { return Err(AccountError::KeyReused) };
        match verify_password(user.password.to_owned(), row.try_get("password_hash")?).await? {
            true => Ok(Some(Created { user: read(&row)?, is_replayed: true })),
            false => Err(AccountError::KeyReused),
        }
    }
}

pub(super) fn read(row: &Row) -> Result<User, DatabaseError> {
    Ok(User {
        id: UserId::new(row.try_get::<_, Uuid>("id")?),
        email: row.try_get("email")?,
        name: row.try_get("name")?,
        created_at: row.try_get("created_at")?,
    })
}
