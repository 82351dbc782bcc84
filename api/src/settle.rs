//! Read your writes: after a command, waits for the read models that it touches, and says so in headers.

use commands::Accepted;
use poem::http::HeaderName;

use crate::{answer::WithHeaders, request::Caller};

/// How a command stands with the read models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settled {
    position: i64,
    is_replayed: bool,
    /// The read models did not have it within the bound, or nobody wanted to wait.
    pub(crate) is_pending: bool,
}

impl Caller {
    /// Waits until these read models have what the command did, unless the caller does not want to.
    pub(crate) async fn settle<T>(
        &self,
        accepted: &Accepted<T>,
        read_models: &[&'static str],
    ) -> Settled {
        let Accepted { position, is_replayed, .. } = *accepted;
        let is_pending = self.headers.respond_async || {
            let bound = self.api.options.write_wait;
            let waited = self.api.reads.wait_for(read_models, position, bound).await;
            if let Err(behind) = &waited {
                tracing::warn!(%behind, "answering before the read model has the command");
            }
            waited.is_err()
        };
        Settled { position, is_replayed, is_pending }
    }
}

impl Settled {
    /// Adds what it says to an answer.
    pub(crate) fn mark<T: WithHeaders>(self, mut answer: T) -> T {
        let header = HeaderName::from_static;
        answer = answer.with_header(header("x-backtrail-position"), &self.position.to_string());
        if self.is_pending {
            answer = answer.with_header(header("x-backtrail-pending"), "true");
        }
        if self.is_replayed {
            answer = answer.with_header(header("idempotency-replayed"), "true");
        }
        answer
    }
}
