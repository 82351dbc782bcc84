//! Snapshots of what is published: a difference is a change of the API. `UPDATE_CONTRACT=1` writes them.

/// Holds the text against `contract/<name>`.
pub(crate) fn assert_published(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("contract").join(name);
    if std::env::var_os("UPDATE_CONTRACT").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == text,
        "{name} is not what is published; see the difference with UPDATE_CONTRACT=1 and git diff"
    );
}
