//! `Idempotency-Key`s of requests that append no events: what each was sent with, and what it created, for a day.

use tokio_postgres::GenericClient;
use uuid::Uuid;

use super::database::{Database, DatabaseError};

/// A client's key, and what it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// The user, or what stands for an anonymous client.
    pub owner: Uuid,
    /// `POST /users`
    pub route: String,
    pub key: String,
    /// SHA-256 of the body, without its secrets.
    pub body_hash: Vec<u8>,
}

/// An earlier request with the same owner, route and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierRequest {
    /// What it created; empty if that is nothing.
    pub resource_id: String,
    /// Whether it had the same body.
    pub is_same: bool,
}

/// The stored keys.
#[derive(Clone)]
pub struct RequestKeys {
    database: Database,
}

impl RequestKeys {
    /// The keys stored in `database`.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Remembers a request that creates nothing; returns the earlier one if its key has been used.
    ///
    /// # Errors
    /// The database.
    pub async fn remember(
        &self,
        key: &RequestKey,
    ) -> Result<Option<EarlierRequest>, DatabaseError> {
        let client = self.database.get().await?;
        if insert(&**client, key, "").await? {
            return Ok(None);
        }
        find(&**client, key).await
    }
}

/// Returns the request of the last 24 hours that used this key.
pub(super) async fn find(
    client: &impl GenericClient,
    key: &RequestKey,
) -> Result<Option<EarlierRequest>, DatabaseError> {
    let sql = "SELECT resource_id, body_hash = $4 AS is_same FROM request_keys
               WHERE owner = $1 AND route = $2 AND key = $3 AND recorded_at > now() - interval '24 hours'";
    let row = client.query_opt(sql, &[&key.owner, &key.route, &key.key, &key.body_hash]).await?;
    let earlier = row.map(|row| {
        Ok(EarlierRequest {
            resource_id: row.try_get("resource_id")?,
            is_same: row.try_get("is_same")?,
        })
    });
    earlier.transpose()
}

/// Stores a key with what its request creates; false if another request has used it. Waits for a transaction that is about to.
pub(super) async fn insert(
    client: &impl GenericClient,
    key: &RequestKey,
    resource_id: &str,
) -> Result<bool, DatabaseError> {
    let sql = "INSERT INTO request_keys AS own (owner, route, key, body_hash, resource_id) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (owner, route, key) DO UPDATE
               SET body_hash = excluded.body_hash, resource_id = excluded.resource_id, recorded_at = excluded.recorded_at
               WHERE own.recorded_at <= now() - interval '24 hours'";
    let inserted = client
        .execute(sql, &[&key.owner, &key.route, &key.key, &key.body_hash, &resource_id])
        .await?;
    Ok(inserted == 1)
}
