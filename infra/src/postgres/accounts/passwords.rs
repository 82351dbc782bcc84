//! Passwords: hashed by argon2id, checked in the same time whether or not the address is known.

use std::{
    sync::{LazyLock, Mutex, PoisonError},
    thread,
};

use argon2::{
    Algorithm, Argon2, Block, Params, PasswordHash, Version,
    password_hash::{Error, Output, ParamsString, SaltString},
};
use rand::RngCore;
use tokio::sync::Semaphore;

use super::error::AccountError;

/// A hash that matches no password, so that refusing an unknown address takes as long as refusing a wrong password.
pub(super) const NO_PASSWORD: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LWhhcy10aGlz$\
                      Jm3qF8WcXo3hQv0dZ0m8dJc1n5zVw0Qm2n9kq3J4X7o";

/// As many hashes at a time as there are cores, and the memory of each (19 MiB), which is used again: memory that is freed after each
/// hash would stay with the thread that allocated it, of which there are many.
static HASHING: LazyLock<Hashing> = LazyLock::new(|| Hashing {
    places: Semaphore::new(thread::available_parallelism().map_or(1, usize::from)),
    memory: Mutex::default(),
});

struct Hashing {
    places: Semaphore,
    memory: Mutex<Vec<Vec<Block>>>,
}

/// Hashes with argon2id and the crate's defaults (19 MiB, 2 passes), off the async threads.
pub(super) async fn hash_password(password: String) -> Result<String, AccountError> {
    blocking(move || {
        let mut salt = [0_u8; 16];
        rand::rng().fill_bytes(&mut salt);
        let salt = SaltString::encode_b64(&salt)?;
        let params = Params::default();
        let hash = PasswordHash {
            algorithm: Algorithm::default().ident(),
            version: Some(Version::default().into()),
            params: ParamsString::try_from(&params)?,
            salt: Some(salt.as_salt()),
            hash: None,
        };
        Ok(PasswordHash { hash: Some(output(&password, &hash)?), ..hash }.to_string())
    })
    .await
}

pub(super) async fn verify_password(password: String, hash: String) -> Result<bool, AccountError> {
    blocking(move || {
        let hash = PasswordHash::new(&hash)?;
        // Outputs are compared in constant time.
        Ok(hash.hash == Some(output(&password, &hash)?))
    })
    .await
}

/// What the password becomes by the parameters and the salt of that hash.
fn output(password: &str, hash: &PasswordHash<'_>) -> Result<Output, Error> {
    let params = Params::try_from(hash)?;
    let version = hash.version.map_or(Ok(Version::default()), Version::try_from)?;
    let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    let blocks = params.block_count();
    let argon2 = Argon2::new(Algorithm::new(hash.algorithm)?, version, params);
    let mut salt = [0; 64];
    let salt = hash.salt.ok_or(Error::PhcStringField)?.decode_b64(&mut salt)?;
    let mut memory = HASHING.take();
    memory.resize(blocks.max(memory.len()), Block::default());
    let output = Output::init_with(length, |out| {
        Ok(argon2.hash_password_into_with_memory(password.as_bytes(), salt, out, &mut memory)?)
    });
    HASHING.give_back(memory);
    output
}

impl Hashing {
    fn take(&self) -> Vec<Block> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give_back(&self, memory: Vec<Block>) {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, AccountError> {
    let place = HASHING.places.acquire().await;
    let place = place.map_err(|error| AccountError::Hash(error.to_string()))?;
    let result = tokio::task::spawn_blocking(move || {
        // Held to the end of the work, even if nobody waits for it any more.
        let _place = place;
        work()
    });
    let result = result.await.map_err(|error| AccountError::Hash(error.to_string()))?;
    result.map_err(|error| AccountError::Hash(error.to_string()))
}

#[cfg(test)]
mod tests {
    use argon2::{PasswordHasher, PasswordVerifier};

    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_own_hash_alone() {
        let hash = hash_password("correct horse battery".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(verify_password("correct horse battery".into(), hash.clone()).await.unwrap());
        assert!(!verify_password("correct horse".into(), hash).await.unwrap());
    }

    #[tokio::test]
    async fn memory_that_is_used_again_changes_no_hash() {
        let theirs = |password: &str| {
            let salt = SaltString::encode_b64(b"sixteen bytes...").unwrap();
            Argon2::default().hash_password(password.as_bytes(), &salt).unwrap().to_string()
        };
        for password in ["one password", "another password", "one password"] {
            assert!(verify_password(password.into(), theirs(password)).await.unwrap());
            let ours = hash_password(password.into()).await.unwrap();
            let parsed = PasswordHash::new(&ours).unwrap();
            Argon2::default().verify_password(password.as_bytes(), &parsed).unwrap();
        }
        assert!(
            HASHING.memory.lock().unwrap().len() <= thread::available_parallelism().unwrap().get()
        );
    }

    #[tokio::test]
    async fn the_hash_without_a_password_is_well_formed_and_matches_nothing() {
        assert!(!verify_password("nobody".into(), NO_PASSWORD.into()).await.unwrap());
    }
}
