//! Who sends a command, under which request, and what a command returns.

use domain::access::Actor;

/// What comes with every command.
#[derive(Debug, Clone)]
pub struct CommandContext {
    pub actor: Actor,
    /// `X-Request-Id`.
    pub request_id: String,
    pub traceparent: Option<String>,
    pub idempotency: Option<IdempotencyKey>,
    /// `If-Match`: the aggregate must have one of these sequences.
    pub expected_sequences: Option<Vec<i64>>,
}

/// The client's `Idempotency-Key` with what it was sent for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// `POST /strategies`
    pub route: String,
    pub key: String,
    /// SHA-256 of the body.
    pub body_hash: Vec<u8>,
}

/// A command that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted<T> {
    pub value: T,
    /// Position of its last event (of the earlier one for a replay or a repeat).
    pub position: i64,
    /// The result of an earlier request with the same `Idempotency-Key`.
    pub is_replayed: bool,
}
