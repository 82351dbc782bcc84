//! The ledger aggregate: keeps entries in order and cash exact.

use cqrs_es::{Aggregate, event_sink::EventSink};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{commands::LedgerCommand, error::LedgerError, events::LedgerEvent};

/// A ledger as its events left it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    pub is_open: bool,
    pub is_closed: bool,
    pub cash: Decimal,
    pub trades_count: u32,
    /// The number of the trade that is open.
    pub open_trade: Option<u32>,
}

impl Ledger {
    /// The events that `command` makes in this state.
    ///
    /// # Errors
    /// The refusal.
    pub fn decide(&self, _command: LedgerCommand) -> Result<Vec<LedgerEvent>, LedgerError> {
        todo!()
    }
}

impl Aggregate for Ledger {
    const TYPE: &'static str = "ledger";
    type Command = LedgerCommand;
    type Event = LedgerEvent;
    type Error = LedgerError;
    type Services = ();

    async fn handle(
        &mut self,
        command: LedgerCommand,
        _services: &(),
        sink: &EventSink<Self>,
    ) -> Result<(), LedgerError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, _event: LedgerEvent) {
        todo!()
    }
}
