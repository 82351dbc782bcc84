//! The backtest aggregate: decides and applies.

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use super::{
    commands::{BacktestCommand, Claim, Completion},
    error::BacktestError,
    events::{BacktestEvent, Dataset, Request},
};

/// Where a backtest stands.
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

    /// Whether the run is over: nothing but deletion follows.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::Running => false,
            Self::Completed | Self::Failed | Self::Cancelled => true,
        }
    }
}

/// A backtest as its events left it; `live` is none before the request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Backtest {
    pub live: Option<LiveBacktest>,
}

/// The state of a backtest that was requested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveBacktest {
    pub request: Request,
    pub status: Status,
    pub is_deleted: bool,
    pub cancellation_requested: bool,
    /// The claim that counts: of the latest attempt. None before the first.
    pub claim: Option<Claim>,
    pub dataset: Option<Dataset>,
    pub engine_version: Option<String>,
    /// Of a completed run, hex.
    pub result_hash: Option<String>,
}

type Decision = Result<Vec<BacktestEvent>, BacktestError>;

impl Backtest {
    /// The events that `command` makes in this state; none when it is done already.
    ///
    /// # Errors
    /// The refusal.
    pub fn decide(&self, command: BacktestCommand) -> Decision {
        let live = match (&self.live, &command) {
            (None, BacktestCommand::Request(request)) => {
                let request = request.clone();
                return Ok(vec![BacktestEvent::BacktestRequested { request }]);
            }
            (None, _) => return Err(BacktestError::NotFound),
            (Some(live), _) => live,
        };
        match command {
            BacktestCommand::Request(request) => live.request_again(&request),
            BacktestCommand::Claim(claim) => live.claim(claim),
            BacktestCommand::Start { claim, dataset, engine_version } => {
                live.start(&claim, dataset, engine_version)
            }
            BacktestCommand::Complete { claim, completion } => live.complete(&claim, *completion),
            BacktestCommand::Fail { claim, code, message } => {
                live.fail(claim.as_ref(), code, message)
            }
            BacktestCommand::Cancel => live.cancel(),
            BacktestCommand::ConfirmCancellation { claim } => {
                live.confirm_cancellation(claim.as_ref())
            }
            BacktestCommand::Delete => live.delete(),
        }
    }
}

impl LiveBacktest {
    /// Attempts so far, from 1 with the first claim.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.claim.as_ref().map_or(0, |claim| claim.attempt)
    }

    fn request_again(&self, request: &Request) -> Decision {
        if self.is_deleted || self.request != *request {
            return Err(BacktestError::AlreadyExists);
        }
        Ok(Vec::new())
    }

    fn claim(&self, claim: Claim) -> Decision {
        self.check_unfinished()?;
        if self.claim.as_ref() == Some(&claim) {
            return Ok(Vec::new());
        }
        if claim.attempt == 0 || claim.attempt < self.attempt() {
            return Err(superseded(self.attempt()));
        }
        let Claim { executor, attempt } = claim;
        Ok(vec![BacktestEvent::BacktestClaimed { executor, attempt }])
    }

    fn start(&self, claim: &Claim, dataset: Dataset, engine_version: String) -> Decision {
        self.check_unfinished()?;
        self.check_claim(claim)?;
        match &self.dataset {
            Some(pinned) if *pinned != dataset => Err(BacktestError::OtherDataset {
                pinned: pinned.sha256.clone(),
                given: dataset.sha256,
            }),
            Some(_) if self.engine_version.as_ref() == Some(&engine_version) => Ok(Vec::new()),
            Some(_) | None => Ok(vec![BacktestEvent::BacktestStarted { dataset, engine_version }]),
        }
    }

    /// A cancellation that was only asked for comes too late: the result stands.
    fn complete(&self, claim: &Claim, completion: Completion) -> Decision {
        let is_repeated = self.status == Status::Completed
            && !self.is_deleted
            && self.result_hash.as_ref() == Some(&completion.result_hash);
        if is_repeated {
            return Ok(Vec::new());
        }
        self.check_unfinished()?;
        self.check_claim(claim)?;
        if self.status == Status::Pending {
            return Err(BacktestError::NotRunnable("it was not started".to_owned()));
        }
        let Completion {
            metrics,
            final_balance,
            final_balance_stop_first,
            final_balance_target_first,
            trades_count,
            ambiguous_trades_count,
            ledger_hash,
            result_hash,
            warnings,
        } = completion;
        Ok(vec![BacktestEvent::BacktestCompleted {
            metrics,
            final_balance,
            final_balance_stop_first: Some(final_balance_stop_first),
            final_balance_target_first: Some(final_balance_target_first),
            trades_count,
            ambiguous_trades_count,
            ledger_hash,
            result_hash,
            warnings,
        }])
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
            return Ok(vec![BacktestEvent::BacktestCancelled {}]);
        }
        Ok(vec![BacktestEvent::BacktestFailed { code, message }])
    }

    fn cancel(&self) -> Decision {
        if self.is_deleted {
            return Err(BacktestError::NotFound);
        }
        match self.status {
            Status::Pending => Ok(vec![BacktestEvent::BacktestCancelled {}]),
            Status::Running if self.cancellation_requested => Ok(Vec::new()),
            Status::Running => Ok(vec![BacktestEvent::BacktestCancellationRequested {}]),
            Status::Cancelled => Ok(Vec::new()),
            Status::Completed | Status::Failed => Err(BacktestError::NotCancellable(self.status)),
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
            return Err(BacktestError::NotRunnable(reason));
        }
        Ok(vec![BacktestEvent::BacktestCancelled {}])
    }

    fn delete(&self) -> Decision {
        if self.is_deleted {
            return Err(BacktestError::NotFound);
        }
        Ok(vec![BacktestEvent::BacktestDeleted {}])
    }

    fn check_unfinished(&self) -> Result<(), BacktestError> {
        if self.is_deleted {
            return Err(BacktestError::NotRunnable("it was deleted".to_owned()));
        }
        if self.status.is_final() {
            return Err(BacktestError::NotRunnable(format!("it is {}", self.status.as_str())));
        }
        Ok(())
    }

    fn check_claim(&self, claim: &Claim) -> Result<(), BacktestError> {
        if self.claim.as_ref() == Some(claim) { Ok(()) } else { Err(superseded(self.attempt())) }
    }

    fn check_optional_claim(&self, claim: Option<&Claim>) -> Result<(), BacktestError> {
        claim.map_or(Ok(()), |claim| self.check_claim(claim))
    }
}

fn superseded(attempt: u32) -> BacktestError {
    let reason = match attempt {
        0 => "it was not claimed".to_owned(),
        attempt => format!("attempt {attempt} of another executor has it"),
    };
    BacktestError::NotRunnable(reason)
}

impl Aggregate for Backtest {
    const TYPE: &'static str = "backtest";
    type Command = BacktestCommand;
    type Event = BacktestEvent;
    type Error = BacktestError;
    type Services = ();

    async fn handle(
        &mut self,
        command: BacktestCommand,
        _services: &(),
        sink: &EventSink<Self>,
    ) -> Result<(), BacktestError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: BacktestEvent) {
        if let BacktestEvent::BacktestRequested { request } = event {
            self.live = Some(LiveBacktest {
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

impl LiveBacktest {
    fn apply(&mut self, event: BacktestEvent) {
        match event {
            BacktestEvent::BacktestRequested { .. } => {}
            BacktestEvent::BacktestClaimed { executor, attempt } => {
                self.claim = Some(Claim { executor, attempt });
            }
            BacktestEvent::BacktestStarted { dataset, engine_version } => {
                self.status = Status::Running;
                self.dataset = Some(dataset);
                self.engine_version = Some(engine_version);
            }
            BacktestEvent::BacktestCompleted { result_hash, .. } => {
                self.status = Status::Completed;
                self.result_hash = Some(result_hash);
            }
            BacktestEvent::BacktestFailed { .. } => self.status = Status::Failed,
            BacktestEvent::BacktestCancellationRequested {} => self.cancellation_requested = true,
            BacktestEvent::BacktestCancelled {} => self.status = Status::Cancelled,
            BacktestEvent::BacktestDeleted {} => self.is_deleted = true,
        }
    }
}
