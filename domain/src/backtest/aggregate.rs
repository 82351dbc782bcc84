//! The backtest aggregate: decides and applies.

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use super::{
    commands::BacktestCommand,
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
    pub executor: Option<String>,
    /// Attempts so far, from 1 with the first claim.
    pub attempt: u32,
    pub dataset: Option<Dataset>,
    pub engine_version: Option<String>,
}

impl Backtest {
    /// The events that `command` makes in this state; none when it is done already.
    ///
    /// # Errors
    /// The refusal.
    pub fn decide(&self, _command: BacktestCommand) -> Result<Vec<BacktestEvent>, BacktestError> {
        todo!()
    }
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

    fn apply(&mut self, _event: BacktestEvent) {
        todo!()
    }
}
