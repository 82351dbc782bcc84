//! The binary as a user runs it.

mod configuration;
mod demo;
mod embedded;
mod files;
mod serving;
