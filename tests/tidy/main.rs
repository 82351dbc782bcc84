//! The shape of the repository: who may depend on whom, which crate belongs where, how files look.

mod circles;
mod dependencies;
mod files;

use std::path::PathBuf;

/// The root of the repository.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
