//! The binary as a user runs it.

mod ahead;
mod compose;
mod configuration;
mod demo;
mod doctor;
mod embedded;
mod files;
pub(crate) mod fleet;
mod instances;
mod metrics;
mod outage;
mod reading;
mod restored;
mod roles;
mod serving;
mod upgraded;
