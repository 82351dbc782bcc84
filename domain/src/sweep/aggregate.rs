//! The sweep aggregate: decides and applies.

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use super::{
    commands::SweepCommand,
    events::{SweepCompletion, SweepEvent, SweepRequest},
};
use crate::{
    dataset::Dataset,
    ids::UserId,
    job::{
        Claim, Job, JobAggregate, JobChange, JobCommand, JobError, JobEvents, JobRequest, Status,
    },
};

/// A sweep as its events left it; `live` is none before the request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    pub live: Option<LiveSweep>,
}

/// The state of a sweep that was requested.
pub type LiveSweep = Job<SweepRequest>;

impl JobRequest for SweepRequest {
    const NOUN: &'static str = "sweep";

    fn owner_id(&self) -> UserId {
        self.run.owner_id
    }
}

type Decision = Result<Vec<SweepEvent>, JobError>;

impl Sweep {
    /// Returns the events that `command` makes in this state; none if it has already been done.
    ///
    /// # Errors
    /// The refusal.
    pub fn decide(&self, command: SweepCommand) -> Decision {
        let live = match (&self.live, &command) {
            (None, SweepCommand::Request(request)) => {
                return Ok(vec![SweepEvent::SweepRequested { request: request.clone() }]);
            }
            (None, _) => return Err(JobError::NotFound(SweepRequest::NOUN)),
            (Some(live), _) => live,
        };
        let change = match command {
            SweepCommand::Request(request) => {
                return live.request_again(&request).map(|()| Vec::new());
            }
            SweepCommand::Start { claim, dataset, engine_version } => {
                return live.start(claim, dataset, engine_version);
            }
            SweepCommand::Complete { claim, completion } => {
                return live.complete(&claim, completion);
            }
            SweepCommand::Fail { claim, code, message } => live.fail(claim.as_ref(), code, message),
            SweepCommand::Cancel => live.cancel(),
            SweepCommand::ConfirmCancellation { claim } => {
                live.confirm_cancellation(claim.as_ref())
            }
            SweepCommand::Delete => live.delete(),
        };
        Ok(change?.map(SweepEvent::from).into_iter().collect())
    }
}

impl Job<SweepRequest> {
    /// Another engine may start anew: rows are written whole, and only with the completion.
    fn start(&self, claim: Claim, dataset: Dataset, engine_version: String) -> Decision {
        self.check_unfinished()?;
        self.check_attempt(&claim)?;
        self.check_dataset(&dataset)?;
        let is_same_engine = self.engine_version.as_ref() == Some(&engine_version);
        if self.dataset.is_some() && self.claim.as_ref() == Some(&claim) && is_same_engine {
            return Ok(Vec::new());
        }
        let Claim { executor, attempt } = claim;
        Ok(vec![SweepEvent::SweepStarted { executor, attempt, dataset, engine_version }])
    }

    fn complete(&self, claim: &Claim, completion: Box<SweepCompletion>) -> Decision {
        if self.is_completed(claim, &completion.result_hash)? {
            return Ok(Vec::new());
        }
        Ok(vec![SweepEvent::SweepCompleted { completion }])
    }
}

impl From<JobChange> for SweepEvent {
    fn from(change: JobChange) -> Self {
        match change {
            JobChange::Failed { code, message } => Self::SweepFailed { code, message },
            JobChange::CancellationRequested => Self::SweepCancellationRequested {},
            JobChange::Cancelled => Self::SweepCancelled {},
            JobChange::Deleted => Self::SweepDeleted {},
        }
    }
}

impl From<JobCommand> for SweepCommand {
    fn from(command: JobCommand) -> Self {
        match command {
            JobCommand::Fail { claim, code, message } => Self::Fail { claim, code, message },
            JobCommand::ConfirmCancellation { claim } => Self::ConfirmCancellation { claim },
            JobCommand::Cancel => Self::Cancel,
            JobCommand::Delete => Self::Delete,
        }
    }
}

impl JobAggregate for Sweep {
    type Request = SweepRequest;
    const EVENTS: &'static JobEvents = &JobEvents {
        requested: "SweepRequested",
        cancellation_requested: "SweepCancellationRequested",
        endings: ["SweepCompleted", "SweepFailed", "SweepCancelled", "SweepDeleted"],
    };

    fn job(&self) -> Option<&Job<SweepRequest>> {
        self.live.as_ref()
    }
}

impl Aggregate for Sweep {
    const TYPE: &'static str = "sweep";
    type Command = SweepCommand;
    type Event = SweepEvent;
    type Error = JobError;
    type Services = ();

    async fn handle(
        &mut self,
        command: SweepCommand,
        _services: &(),
        sink: &EventSink<Self>,
    ) -> Result<(), JobError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: SweepEvent) {
        if let SweepEvent::SweepRequested { request } = event {
            self.live = Some(Job::requested(*request));
        } else if let Some(live) = &mut self.live {
            live.follow(event);
        }
    }
}

impl Job<SweepRequest> {
    fn follow(&mut self, event: SweepEvent) {
        match event {
            SweepEvent::SweepRequested { .. } => {}
            SweepEvent::SweepStarted { executor, attempt, dataset, engine_version } => {
                self.status = Status::Running;
                self.claim = Some(Claim { executor, attempt });
                self.dataset = Some(dataset);
                self.engine_version = Some(engine_version);
            }
            SweepEvent::SweepCompleted { completion } => {
                self.status = Status::Completed;
                self.result_hash = Some(completion.result_hash);
            }
            SweepEvent::SweepFailed { .. } => self.status = Status::Failed,
            SweepEvent::SweepCancellationRequested {} => self.cancellation_requested = true,
            SweepEvent::SweepCancelled {} => self.status = Status::Cancelled,
            SweepEvent::SweepDeleted {} => self.is_deleted = true,
        }
    }
}
