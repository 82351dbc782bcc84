//! Executors on a real server: queue, runs, cancellation, resumption.

mod ahead;
mod crash;
pub(crate) mod desk;
mod outage;
mod queue;
mod resume;
mod runs;
mod sweeps;

use desk::Desk;
