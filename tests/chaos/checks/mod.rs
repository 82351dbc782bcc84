//! What must hold at the end, whatever happened before.

pub(crate) mod commands;
pub(crate) mod drain;
pub(crate) mod log;
pub(crate) mod read_models;
pub(crate) mod runs;
pub(crate) mod topics;
