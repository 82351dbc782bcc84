//! Old events of sweeps become current ones when they are read.

use crate::upcasting::Upcasters;

/// One step a version, older first. Every event is of its first version so far; a new version adds its step here,
/// and the sample of the old one stays in `testdata/events/sweep`.
#[must_use]
pub fn upcasters() -> Upcasters {
    Vec::new()
}
