//! Jobs, which executors work on: what backtests and sweeps have in common, from request to end.

use cqrs_es::Aggregate;
use serde::{Deserialize, Serialize};

use crate::{dataset::Dataset, ids::UserId};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Pending,
    Running,
    Completed,
    Failed,
    Cancelled,
}

impl Status {
    /// Every one.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Running, Self::Completed, Self::Failed, Self::Cancelled];

    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the job is over: nothing but deletion follows.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::Running => false,
            Self::Completed | Self::Failed | Self::Cancelled => true,
        }
    }
}

/// Which executor works on a job, in which attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The process's name, unique.
    pub executor: String,
    /// From 1.
    pub attempt: u32,
}

/// Everything that pins a job, as it was asked for.
pub trait JobRequest: PartialEq {
    /// What the job is called in messages.
    const NOUN: &'static str;

    fn owner_id(&self) -> UserId;
}

/// The state of a job that was requested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job<R> {
    pub request: R,
    pub status: Status,
    pub is_deleted: bool,
    pub cancellation_requested: bool,
    /// The claim that counts: of the latest attempt. None before the first.
    pub claim: Option<Claim>,
    pub dataset: Option<Dataset>,
    pub engine_version: Option<String>,
    /// Of a completed job, hex.
    pub result_hash: Option<String>,
}

/// An aggregate whose state is a job.
pub trait JobAggregate:
    Aggregate<Services = (), Error = JobError, Command: From<JobCommand>> + Clone
{
    type Request: JobRequest;
    const EVENTS: &'static JobEvents;

    /// `None` before the request.
    fn job(&self) -> Option<&Job<Self::Request>>;
}

/// The types of the events that every kind of job has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobEvents {
    pub requested: &'static str,
    pub cancellation_requested: &'static str,
    /// Nothing is left to do after one of these: completed, failed, cancelled, deleted.
    pub endings: [&'static str; 4],
}

/// What executors and owners ask of any job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobCommand {
    /// Ends the job; as cancelled, if that was asked for. No claim: by the holder of the job's lease.
    Fail {
        claim: Option<Claim>,
        code: String,
        message: String,
    },
    /// The executor stopped a job whose cancellation was asked for. No claim: as with `Fail`.
    ConfirmCancellation {
        claim: Option<Claim>,
    },
    /// Pending: cancelled at once; running: asked for.
    Cancel,
    Delete,
}

/// Why a job refuses a command; with what it is called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    #[error("the {0} already exists")]
    AlreadyExists(&'static str),
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A finished job cannot be cancelled.
    #[error("the {noun} is {} and cannot be cancelled", .status.as_str())]
    NotCancellable { noun: &'static str, status: Status },
    /// Cancelled, deleted, done or taken by a later attempt: the executor gives it up.
    #[error("the {0} takes no more work: {1}")]
    NotRunnable(&'static str, String),
    /// A later attempt brought other candles than those that the first start pinned.
    #[error("the {noun} is pinned to the dataset {pinned}, not {given}")]
    OtherDataset {
        noun: &'static str,
        /// SHA-256 of the pinned dataset.
        pinned: String,
        /// SHA-256 of the one that was brought.
        given: String,
    },
}

/// What commands that all jobs have change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JobChange {
    Failed { code: String, message: String },
    CancellationRequested,
    Cancelled,
    Deleted,
}

/// None: it is done already.
type Decision = Result<Option<JobChange>, JobError>;

impl<R: JobRequest> Job<R> {
    pub(crate) fn requested(request: R) -> Self {
        Self {
            request,
            status: Status::Pending,
            is_deleted: false,
            cancellation_requested: false,
            claim: None,
            dataset: None,
            engine_version: None,
            result_hash: None,
        }
    }

    /// Attempts so far, from 1 with the first.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.claim.as_ref().map_or(0, |claim| claim.attempt)
    }

    /// Whether there is something left to do.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        !self.is_deleted && !self.status.is_final()
    }

    /// The same request again is done already.
    pub(crate) fn request_again(&self, request: &R) -> Result<(), JobError> {
        if self.is_deleted || self.request != *request {
            return Err(JobError::AlreadyExists(R::NOUN));
        }
        Ok(())
    }

    pub(crate) fn check_unfinished(&self) -> Result<(), JobError> {
        if self.is_deleted {
            return Err(Self::not_runnable("it was deleted"));
        }
        if self.status.is_final() {
            return Err(Self::not_runnable(format!("it is {}", self.status.as_str())));
        }
        Ok(())
    }

    pub(crate) fn check_claim(&self, claim: &Claim) -> Result<(), JobError> {
        if self.claim.as_ref() == Some(claim) { Ok(()) } else { Err(self.superseded()) }
    }

    /// Another executor may take the same attempt after a graceful release, which does not count.
    pub(crate) fn check_attempt(&self, claim: &Claim) -> Result<(), JobError> {
        if claim.attempt == 0 || claim.attempt < self.attempt() {
            return Err(self.superseded());
        }
        Ok(())
    }

    /// That `dataset` is the one that the first start pinned, if there was one.
    pub(crate) fn check_dataset(&self, dataset: &Dataset) -> Result<(), JobError> {
        match &self.dataset {
            Some(pinned) if pinned != dataset => Err(JobError::OtherDataset {
                noun: R::NOUN,
                pinned: pinned.sha256.clone(),
                given: dataset.sha256.clone(),
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether it is completed with that result already; else that `claim` may complete it. A cancellation that was only
    /// asked for comes too late: the result stands.
    pub(crate) fn is_completed(&self, claim: &Claim, result_hash: &str) -> Result<bool, JobError> {
        let is_same = self.result_hash.as_deref() == Some(result_hash);
        if self.status == Status::Completed && !self.is_deleted && is_same {
            return Ok(true);
        }
        self.check_unfinished()?;
        self.check_claim(claim)?;
        Ok(false)
    }

    pub(crate) fn fail(&self, claim: Option<&Claim>, code: String, message: String) -> Decision {
        let ended_so = self.status == Status::Failed
            || (self.status == Status::Cancelled && self.cancellation_requested);
        if ended_so && !self.is_deleted {
            return Ok(None);
        }
        self.check_unfinished()?;
        self.check_optional_claim(claim)?;
        if self.cancellation_requested {
            return Ok(Some(JobChange::Cancelled));
        }
        Ok(Some(JobChange::Failed { code, message }))
    }

    pub(crate) fn cancel(&self) -> Decision {
        if self.is_deleted {
            return Err(JobError::NotFound(R::NOUN));
        }
        match self.status {
            Status::Pending => Ok(Some(JobChange::Cancelled)),
            Status::Running if self.cancellation_requested => Ok(None),
            Status::Running => Ok(Some(JobChange::CancellationRequested)),
            Status::Cancelled => Ok(None),
            Status::Completed | Status::Failed => {
                Err(JobError::NotCancellable { noun: R::NOUN, status: self.status })
            }
        }
    }

    pub(crate) fn confirm_cancellation(&self, claim: Option<&Claim>) -> Decision {
        if self.status == Status::Cancelled && !self.is_deleted {
            return Ok(None);
        }
        self.check_unfinished()?;
        self.check_optional_claim(claim)?;
        if !self.cancellation_requested {
            return Err(Self::not_runnable("its cancellation was not asked for"));
        }
        Ok(Some(JobChange::Cancelled))
    }

    pub(crate) fn delete(&self) -> Decision {
        if self.is_deleted {
            return Err(JobError::NotFound(R::NOUN));
        }
        Ok(Some(JobChange::Deleted))
    }

    pub(crate) fn not_runnable(reason: impl Into<String>) -> JobError {
        JobError::NotRunnable(R::NOUN, reason.into())
    }

    fn check_optional_claim(&self, claim: Option<&Claim>) -> Result<(), JobError> {
        claim.map_or(Ok(()), |claim| self.check_claim(claim))
    }

    fn superseded(&self) -> JobError {
        match self.attempt() {
            0 => Self::not_runnable("no executor has taken it"),
            attempt => Self::not_runnable(format!("attempt {attempt} of another executor has it")),
        }
    }
}

#[cfg(test)]
mod tests {
    use cqrs_es::DomainEvent;

    use super::*;
    use crate::{backtest::Backtest, sweep::Sweep};

    #[test]
    fn every_kind_of_job_names_its_events_as_they_are_recorded() {
        named::<Backtest>();
        named::<Sweep>();
    }

    fn named<A: JobAggregate<Event: From<JobChange>>>() {
        let name = |change: JobChange| A::Event::from(change).event_type();
        let (code, message) = (String::new(), String::new());
        let [completed, failed, cancelled, deleted] = A::EVENTS.endings;
        assert_eq!(name(JobChange::Failed { code, message }), failed);
        assert_eq!(name(JobChange::CancellationRequested), A::EVENTS.cancellation_requested);
        assert_eq!(name(JobChange::Cancelled), cancelled);
        assert_eq!(name(JobChange::Deleted), deleted);
        for (event, of) in [(completed, "Completed"), (A::EVENTS.requested, "Requested")] {
            assert_eq!(event, failed.replace("Failed", of));
        }
    }
}
