//! The hash of a ledger, which an auditor can recompute from the stored payloads.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::events::LedgerEvent;
use crate::simulation::hash::{CanonicalError, Digest, canonical};

/// SHA-256 over the payloads from `LedgerOpened` up to `LedgerClosed`, without it, as canonical JSON (RFC 8785)
/// without the fields `id`, `trade_id` and `backtest_id`, joined by newlines. `LedgerRestarted` begins anew and is
/// not part of it, so that an interrupted run has the hash of an undisturbed one.
///
/// Payloads are hashed as they are stored, in the version in which they were written: an old ledger keeps its hash.
#[derive(Debug, Clone, Default)]
pub struct LedgerHasher {
    sha256: Sha256,
    is_begun: bool,
}

impl LedgerHasher {
    /// Takes the next event of the ledger as it is stored today; `LedgerClosed` changes nothing.
    ///
    /// # Errors
    /// A payload that canonical JSON cannot hold.
    pub fn add(&mut self, event: &LedgerEvent) -> Result<(), CanonicalError> {
        self.add_payload(serde_json::to_value(event)?)
    }

    /// Takes the next stored payload of the ledger, of whatever version; `LedgerClosed` changes nothing.
    ///
    /// # Errors
    /// A text that is not JSON.
    pub fn add_stored(&mut self, payload: &str) -> Result<(), CanonicalError> {
        self.add_payload(serde_json::from_str(payload)?)
    }

    fn add_payload(&mut self, mut payload: Value) -> Result<(), CanonicalError> {
        match payload["type"].as_str() {
            Some("LedgerRestarted") => {
                *self = Self::default();
                return Ok(());
            }
            Some("LedgerClosed") => return Ok(()),
            _ => leave_out_ids(&mut payload),
        }
        if self.is_begun {
            self.sha256.update(b"\n");
        }
        self.sha256.update(canonical(&payload)?);
        self.is_begun = true;
        Ok(())
    }

    /// The hash of what was added.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(self.sha256.finalize().into())
    }
}

/// Ids are no part of what happened: the same run has the same hash each time.
fn leave_out_ids(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.retain(|name, _| !matches!(name.as_str(), "id" | "trade_id" | "backtest_id"));
        fields.values_mut().for_each(leave_out_ids);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use chrono::DateTime;
    use flate2::read::GzDecoder;
    use ulid::Ulid;

    use super::*;
    use crate::{
        event::{Decoded, RecordedEvent},
        ledger::{Ledger, LedgerCommand},
    };

    /// Named by the run's `BacktestCompleted`: `testdata/ledgers/README.md`.
    const ENGINE_1: &str = "5c1876b3c33e3c23b0064ba28acd219ac4a1025477b4d05b313b0f2532dd199b";

    fn of_engine_1() -> Vec<RecordedEvent> {
        let bytes = include_bytes!("../../testdata/ledgers/engine_1.jsonl.gz");
        let lines = BufReader::new(GzDecoder::new(&bytes[..])).lines().zip(1..);
        let events = lines.map(|(line, sequence)| {
            let payload = line.unwrap();
            let value: Value = serde_json::from_str(&payload).unwrap();
            RecordedEvent {
                position: sequence,
                event_id: Ulid::nil(),
                aggregate_type: "ledger".to_owned(),
                aggregate_id: "01a22104-13ae-7503-aec0-f053f5b7d572".to_owned(),
                sequence,
                event_type: value["type"].as_str().unwrap().to_owned(),
                event_version: "1.0".to_owned(),
                payload,
                metadata: "{}".to_owned(),
                recorded_at: DateTime::UNIX_EPOCH,
                decoded: Decoded::default(),
            }
        });
        events.collect()
    }

    #[test]
    fn a_ledger_of_engine_1_keeps_its_hash_and_is_read() {
        let stored = of_engine_1();
        let mut hasher = LedgerHasher::default();
        for event in &stored {
            hasher.add_stored(&event.payload).unwrap();
        }
        assert_eq!(hasher.finish().to_string(), ENGINE_1);
        let events: Vec<LedgerEvent> = stored.iter().map(|event| event.decode().unwrap()).collect();
        let Some(LedgerEvent::LedgerClosed { ledger_hash, .. }) = events.last() else { panic!() };
        assert_eq!(ledger_hash, ENGINE_1);
        let decided = Ledger::default().decide(LedgerCommand::Record(events.clone()));
        assert_eq!(decided, Ok(events), "it still adds up");
    }
}
