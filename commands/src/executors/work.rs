//! The work of a kind of job: what the executor does between the lease and the end of an attempt.

use infra::postgres::jobs::JobKind;

use super::{
    failure::{Failure, Finished},
    lease::Lease,
};

/// What is done for a kind of job.
pub(super) trait Work: Send + Sync + 'static {
    const KIND: JobKind;
    const POOL: &'static str = Self::KIND.pool;

    /// Works on a leased job until it is finished, or fails.
    fn work(&self, lease: &Lease) -> impl Future<Output = Result<Finished, Failure>> + Send;
}
