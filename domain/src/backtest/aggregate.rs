//! The backtest aggregate: decides and applies.

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use super::{
    commands::{BacktestCommand, Completion},
    events::{BacktestEvent, Request},
};
use crate::{
    dataset::Dataset,
    decimals::Decimals,
    ids::UserId,
    job::{
        Claim, Job, JobAggregate, JobChange, JobCommand, JobError, JobEvents, JobRequest, Status,
    },
};

/// A backtest as its events left it; `live` is none before the request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Backtest {
    pub live: Option<LiveBacktest>,
}

/// The state of a backtest that was requested.
pub type LiveBacktest = Job<Request>;

impl JobRequest for Request {
    const NOUN: &'static str = "backtest";

    fn owner_id(&self) -> UserId {
        self.run.owner_id
    }
}

type Decision = Result<Vec<BacktestEvent>, JobError>;

impl Backtest {
    /// Returns the events that `command` makes in this state; none if it has already been done.
    ///
    /// # Errors
    /// The refusal.
    pub fn decide(&self, command: BacktestCommand) -> Decision {
        let live = match (&self.live, &command) {
            (None, BacktestCommand::Request(request)) => {
                let request = request.clone();
                return Ok(vec![BacktestEvent::BacktestRequested { request }]);
            }
            (None, _) => return Err(JobError::NotFound(Request::NOUN)),
            (Some(live), _) => live,
        };
        let change = match command {
            BacktestCommand::Request(request) => {
                return live.request_again(&request).map(|()| Vec::new());
            }
            BacktestCommand::Claim(claim) => return live.claim(claim),
            BacktestCommand::Start { claim, dataset, decimals, engine_version } => {
                return live.start(&claim, dataset, decimals, engine_version);
            }
            BacktestCommand::Complete { claim, completion } => {
                return live.complete(&claim, *completion);
            }
            BacktestCommand::Fail { claim, code, message } => {
                live.fail(claim.as_ref(), code, message)
            }
            BacktestCommand::Cancel => live.cancel(),
            BacktestCommand::ConfirmCancellation { claim } => {
                live.confirm_cancellation(claim.as_ref())
            }
            BacktestCommand::Delete => live.delete(),
        };
        Ok(change?.map(BacktestEvent::from).into_iter().collect())
    }
}

impl Job<Request> {
    fn claim(&self, claim: Claim) -> Decision {
        self.check_unfinished()?;
        if self.claim.as_ref() == Some(&claim) {
            return Ok(Vec::new());
        }
        self.check_attempt(&claim)?;
        let Claim { executor, attempt } = claim;
        Ok(vec![BacktestEvent::BacktestClaimed { executor, attempt }])
    }

    fn start(
        &self,
        claim: &Claim,
        dataset: Dataset,
        decimals: Decimals,
        engine_version: String,
    ) -> Decision {
        self.check_unfinished()?;
        self.check_claim(claim)?;
        self.check_dataset(&dataset)?;
        let is_same_engine = self.engine_version.as_ref() == Some(&engine_version);
        if self.dataset.is_some() && is_same_engine {
            return Ok(Vec::new());
        }
        Ok(vec![BacktestEvent::BacktestStarted {
            dataset,
            price_decimals: Some(decimals.price),
            volume_decimals: Some(decimals.volume),
            engine_version,
        }])
    }

    fn complete(&self, claim: &Claim, completion: Completion) -> Decision {
        if self.is_completed(claim, &completion.result_hash)? {
            return Ok(Vec::new());
        }
        if self.status == Status::Pending {
            return Err(Self::not_runnable("it was not started"));
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
            rejections,
            rejections_count,
            expiries,
            expiries_count,
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
            rejections,
            rejections_count: Some(rejections_count),
            expiries,
            expiries_count: Some(expiries_count),
        }])
    }
}

impl From<JobChange> for BacktestEvent {
    fn from(change: JobChange) -> Self {
        match change {
            JobChange::Failed { code, message } => Self::BacktestFailed { code, message },
            JobChange::CancellationRequested => Self::BacktestCancellationRequested {},
            JobChange::Cancelled => Self::BacktestCancelled {},
            JobChange::Deleted => Self::BacktestDeleted {},
        }
    }
}

impl From<JobCommand> for BacktestCommand {
    fn from(command: JobCommand) -> Self {
        match command {
            JobCommand::Fail { claim, code, message } => Self::Fail { claim, code, message },
            JobCommand::ConfirmCancellation { claim } => Self::ConfirmCancellation { claim },
            JobCommand::Cancel => Self::Cancel,
            JobCommand::Delete => Self::Delete,
        }
    }
}

impl JobAggregate for Backtest {
    type Request = Request;
    const EVENTS: &'static JobEvents = &JobEvents {
        requested: "BacktestRequested",
        cancellation_requested: "BacktestCancellationRequested",
        endings: ["BacktestCompleted", "BacktestFailed", "BacktestCancelled", "BacktestDeleted"],
    };

    fn job(&self) -> Option<&Job<Request>> {
        self.live.as_ref()
    }
}

impl Aggregate for Backtest {
    const TYPE: &'static str = "backtest";
    type Command = BacktestCommand;
    type Event = BacktestEvent;
    type Error = JobError;
    type Services = ();

    async fn handle(
        &mut self,
        command: BacktestCommand,
        _services: &(),
        sink: &EventSink<Self>,
    ) -> Result<(), JobError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: BacktestEvent) {
        if let BacktestEvent::BacktestRequested { request } = event {
            self.live = Some(Job::requested(*request));
        } else if let Some(live) = &mut self.live {
            live.follow(event);
        }
    }
}

impl Job<Request> {
    fn follow(&mut self, event: BacktestEvent) {
        match event {
            BacktestEvent::BacktestRequested { .. } => {}
            BacktestEvent::BacktestClaimed { executor, attempt } => {
                self.claim = Some(Claim { executor, attempt });
            }
            BacktestEvent::BacktestStarted { dataset, engine_version, .. } => {
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
