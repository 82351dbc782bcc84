//! Passwords: hashed by argon2id, checked in the same time whether or not the address is known.

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier, password_hash::SaltString};
use rand::RngCore;

use super::error::AccountError;

/// A hash that matches no password, so that refusing an unknown address takes as long as refusing a wrong password.
pub(super) const NO_PASSWORD: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LWhhcy10aGlz$\
                      Jm3qF8WcXo3hQv0dZ0m8dJc1n5zVw0Qm2n9kq3J4X7o";

/// Hashes with argon2id and the crate's defaults (19 MiB, 2 passes), off the async threads.
pub(super) async fn hash_password(password: String) -> Result<String, AccountError> {
    blocking(move || {
        let mut salt = [0_u8; 16];
        rand::rng().fill_bytes(&mut salt);
        let salt = SaltString::encode_b64(&salt)?;
        Ok(Argon2::default().hash_password(password.as_bytes(), &salt)?.to_string())
    })
    .await
}

pub(super) async fn verify_password(password: String, hash: String) -> Result<bool, AccountError> {
    blocking(move || {
        let hash = PasswordHash::new(&hash)?;
        Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, argon2::password_hash::Error> + Send + 'static,
) -> Result<T, AccountError> {
    let result = tokio::task::spawn_blocking(work).await;
    let result = result.map_err(|error| AccountError::Hash(error.to_string()))?;
    result.map_err(|error| AccountError::Hash(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_own_hash_alone() {
        let hash = hash_password("correct horse battery".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(verify_password("correct horse battery".into(), hash.clone()).await.unwrap());
        assert!(!verify_password("correct horse".into(), hash).await.unwrap());
    }

    #[tokio::test]
    async fn the_hash_without_a_password_is_well_formed_and_matches_nothing() {
        assert!(!verify_password("nobody".into(), NO_PASSWORD.into()).await.unwrap());
    }
}
