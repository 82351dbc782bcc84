//! The sweep aggregate: decides and applies.

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use super::{
    commands::SweepCommand,
    error::SweepError,
    events::{SweepCompletion, SweepEvent, SweepRequest},
};
use crate::backtest::{Claim, Dataset, Status};

/// A sweep as its events left it; `live` is none before the request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    pub live: Option<LiveSweep>,
}

/// The state of a sweep that was requested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveSweep {
    pub request: SweepRequest,
    pub status: Status,
    pub is_deleted: bool,
    pub cancellation_requested: bool,
    /// The claim that counts: of the latest start. None before the first.
    pub claim: Option<Claim>,
    pub dataset: Option<Dataset>,
    pub engine_version: Option<String>,
    /// Of a completed sweep, hex.
    pub result_hash: Option<String>,
}

type Decision = Result<Vec<SweepEvent>, SweepError>;

impl Sweep {
    /// The events that `command` makes in this state; none when it is done already.
    ///
    /// # Errors
    /// The refusal.
    pub fn decide(&self, command: SweepCommand) -> Decision {
        let live = match (&self.live, &command) {
            (None, SweepCommand::Request(request)) => {
                return Ok(vec![SweepEvent::SweepRequested { request: request.clone() }]);
            }
            (None, _) => return Err(SweepError::NotFound),
            (Some(live), _) => live,
        };
        match command {
            SweepCommand::Request(request) => live.request_again(&request),
            SweepCommand::Start { claim, dataset, engine_version } => {
                live.start(claim, dataset, engine_version)
            }
            SweepCommand::Complete { claim, completion } => live.complete(&claim, completion),
            SweepCommand::Fail { claim, code, message } => live.fail(claim.as_ref(), code, message),
            SweepCommand::Cancel => live.cancel(),
            SweepCommand::ConfirmCancellation { claim } => {
                live.confirm_cancellation(claim.as_ref())
            }
            SweepCommand::Delete => live.delete(),
        }
    }
}

impl LiveSweep {
    /// Attempts so far, from 1 with the first start.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.claim.as_ref().map_or(0, |claim| claim.attempt)
    }

    fn request_again(&self, request: &SweepRequest) -> Decision {
        if self.is_deleted || self.request != *request {
            return Err(SweepError::AlreadyExists);
        }
        Ok(Vec::new())
    }

    /// Another engine may start anew: rows are written whole, and only with the completion.
    fn start(&self, claim: Claim, dataset: Dataset, engine_version: String) -> Decision {
        self.check_unfinished()?;
        if claim.attempt == 0 || claim.attempt < self.attempt() {
            return Err(superseded(self.attempt()));
        }
        match &self.dataset {
            Some(pinned) if *pinned != dataset => Err(SweepError::OtherDataset {
                pinned: pinned.sha256.clone(),
                given: dataset.sha256,
            }),
            Some(_)
                if self.claim.as_ref() == Some(&claim)
                    && self.engine_version.as_ref() == Some(&engine_version) =>
            {
                Ok(Vec::new())
            }
            Some(_) | None => {
                let Claim { executor, attempt } = claim;
                let started =
                    SweepEvent::SweepStarted { executor, attempt, dataset, engine_version };
                Ok(vec![started])
            }
        }
    }

    /// A cancellation that was only asked for comes too late: the result stands.
    fn complete(&self, claim: &Claim, completion: Box<SweepCompletion>) -> Decision {
        let is_repeated = self.status == Status::Completed
            && !self.is_deleted
            && self.result_hash.as_ref() == Some(&completion.result_hash);
        if is_repeated {
            return Ok(Vec::new());
        }
        self.check_unfinished()?;
        self.check_claim(claim)?;
        Ok(vec![SweepEvent::SweepCompleted { completion }])
    }

    fn fail(&self, claim: Option<&Claim>, code: String, message: String) -> Decision {
        let ended_so = self.status == Status::Failed
            || (self.status == Status::Cancelled && self.cancellation_requested);
        if ended_so && !self.is_deleted {
            return Ok(Vec::new());
        }
        self.check_unfinished()?;
        self.check_optional_claim(claim)?;
        if self.cancellation_requested {
            return Ok(vec![SweepEvent::SweepCancelled {}]);
        }
        Ok(vec![SweepEvent::SweepFailed { code, message }])
    }

    fn cancel(&self) -> Decision {
        if self.is_deleted {
            return Err(SweepError::NotFound);
        }
        match self.status {
            Status::Pending => Ok(vec![SweepEvent::SweepCancelled {}]),
            Status::Running if self.cancellation_requested => Ok(Vec::new()),
            Status::Running => Ok(vec![SweepEvent::SweepCancellationRequested {}]),
            Status::Cancelled => Ok(Vec::new()),
            Status::Completed | Status::Failed => Err(SweepError::NotCancellable(self.status)),
        }
    }

    fn confirm_cancellation(&self, claim: Option<&Claim>) -> Decision {
        if self.status == Status::Cancelled && !self.is_deleted {
            return Ok(Vec::new());
        }
        self.check_unfinished()?;
        self.check_optional_claim(claim)?;
        if !self.cancellation_requested {
            let reason = "its cancellation was not asked for".to_owned();
            return Err(SweepError::NotRunnable(reason));
        }
        Ok(vec![SweepEvent::SweepCancelled {}])
    }

    fn delete(&self) -> Decision {
        if self.is_deleted {
            return Err(SweepError::NotFound);
        }
        Ok(vec![SweepEvent::SweepDeleted {}])
    }

    fn check_unfinished(&self) -> Result<(), SweepError> {
        if self.is_deleted {
            return Err(SweepError::NotRunnable("it was deleted".to_owned()));
        }
        if self.status.is_final() {
            return Err(SweepError::NotRunnable(format!("it is {}", self.status.as_str())));
        }
        Ok(())
    }

    fn check_claim(&self, claim: &Claim) -> Result<(), SweepError> {
        if self.claim.as_ref() == Some(claim) { Ok(()) } else { Err(superseded(self.attempt())) }
    }

    fn check_optional_claim(&self, claim: Option<&Claim>) -> Result<(), SweepError> {
        claim.map_or(Ok(()), |claim| self.check_claim(claim))
    }
}

fn superseded(attempt: u32) -> SweepError {
    let reason = match attempt {
        0 => "it was not started".to_owned(),
        attempt => format!("attempt {attempt} of another executor has it"),
    };
    SweepError::NotRunnable(reason)
}

impl Aggregate for Sweep {
    const TYPE: &'static str = "sweep";
    type Command = SweepCommand;
    type Event = SweepEvent;
    type Error = SweepError;
    type Services = ();

    async fn handle(
        &mut self,
        command: SweepCommand,
        _services: &(),
        sink: &EventSink<Self>,
    ) -> Result<(), SweepError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: SweepEvent) {
        if let SweepEvent::SweepRequested { request } = event {
            self.live = Some(LiveSweep {
                request: *request,
                status: Status::Pending,
                is_deleted: false,
                cancellation_requested: false,
                claim: None,
                dataset: None,
                engine_version: None,
                result_hash: None,
            });
        } else if let Some(live) = &mut self.live {
            live.apply(event);
        }
    }
}

impl LiveSweep {
    fn apply(&mut self, event: SweepEvent) {
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
