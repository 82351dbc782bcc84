//! The one error that a client can get. Rule of use: refuse with a named constructor and a message for the client;
//! hand what went wrong inside to [`ApiError::internal`], which is logged once at the boundary and never shown.

use std::fmt::Display;

use commands::CommandError;
use domain::{
    access::Forbidden, error_code::ErrorCode, fields::FieldError, market_names::NoMarket,
};
use infra::postgres::{DatabaseError, accounts::AccountError};
use poem::{
    Response,
    error::ResponseError,
    http::{HeaderName, HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse, Object,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};
use projections::{Behind, QueryError};
use serde::Serialize;
use serde_json::{Value, json};

/// An error; see its status.
#[derive(Debug, thiserror::Error)]
#[error("{} {}: {}", .0.status.as_u16(), .0.code, .0.message)]
pub(crate) struct ApiError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    code: ErrorCode,
    message: String,
    details: Vec<FieldError>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// For the log alone.
    cause: Option<Cause>,
}

/// Why something did not work that should have.
#[derive(Debug)]
enum Cause {
    /// The service is at fault.
    Fault(String),
    /// The service is behind or busy, which clients can bring about.
    Load(String),
}

/// What went wrong.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Error")]
pub(crate) struct ErrorBody {
    /// A stable, machine-readable code.
    code: String,
    /// A human-readable message.
    message: String,
    /// Every invalid field, by path (`entry_rules.conditions[0].indicator`).
    details: Vec<ErrorDetail>,
    /// Quote it when you ask for support.
    request_id: String,
}

/// An invalid field.
#[derive(Debug, Serialize, Object)]
pub(crate) struct ErrorDetail {
    /// The field as a path, or the name of a query parameter or header.
    field: String,
    /// A stable, machine-readable code.
    code: String,
    message: String,
}

/// An entry of the envelope's `errors`.
#[derive(Debug, Serialize, Object)]
pub(crate) struct ErrorEntry {
    code: String,
    message: String,
    field: Option<String>,
}

/// The envelope of an error response.
#[derive(Debug, Serialize, Object)]
pub(crate) struct ErrorEnvelope {
    error: ErrorBody,
    errors: Vec<ErrorEntry>,
    /// Always null.
    data: Option<String>,
    /// Always empty.
    meta: Value,
}

impl ApiError {
    /// An error of that status, code and message.
    pub(crate) fn new(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            status,
            code,
            message: message.into(),
            details: Vec::new(),
            headers: Vec::new(),
            cause: None,
        }))
    }

    /// 400: what came is not what it says it is.
    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::Malformed, message)
    }

    /// 401.
    pub(crate) fn unauthorized(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, message)
            .with_header(header::WWW_AUTHENTICATE, "Bearer")
    }

    /// 403.
    pub(crate) fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, ErrorCode::Forbidden, "This belongs to another user.")
    }

    /// 404 of a named thing.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, format!("There is no such {what}."))
    }

    /// 404 of what fields of a body name.
    pub(crate) fn missing(details: Vec<FieldError>) -> Self {
        let mut error = Self::invalid(details);
        error.0.status = StatusCode::NOT_FOUND;
        error.0.code = ErrorCode::NotFound;
        error
    }

    /// 413.
    pub(crate) fn too_large(bytes_max: usize) -> Self {
        let message = format!("The body may have at most {bytes_max} bytes.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::TooLarge, message)
    }

    /// 415.
    pub(crate) fn unsupported_media_type() -> Self {
        let message = "Send the body as JSON, with `Content-Type: application/json`.";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::UnsupportedMediaType, message)
    }

    /// 422 with everything that is wrong.
    pub(crate) fn invalid(details: Vec<FieldError>) -> Self {
        let message = match details.as_slice() {
            [only] => only.message.clone(),
            _ => "The request is invalid; see `details`.".to_owned(),
        };
        let code = ErrorCode::ValidationFailed;
        let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message);
        error.0.details = details;
        error
    }

    /// 422 of one field.
    pub(crate) fn invalid_field(field: &str, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::new(field, ErrorCode::Invalid, message)])
    }

    /// 422: the key of the request belongs to another one.
    pub(crate) fn idempotency_mismatch() -> Self {
        let message = "This Idempotency-Key was used with another body.";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::IdempotencyMismatch, message)
    }

    /// 500; `cause` goes to the log alone.
    pub(crate) fn internal(cause: impl Display) -> Self {
        let message =
            "Something went wrong on our side. Quote the request id when you ask for support.";
        let mut error = Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Internal, message);
        error.0.cause = Some(Cause::Fault(cause.to_string()));
        error
    }

    /// 503 for now: others have to be served first.
    pub(crate) fn busy(message: &str, cause: impl Display) -> Self {
        let cause = Cause::Load(cause.to_string());
        let mut error = Self::unavailable(message, "");
        error.0.cause = Some(cause);
        error
    }

    /// 503; `cause` goes to the log alone.
    pub(crate) fn unavailable(message: &str, cause: impl Display) -> Self {
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, message)
            .with_header(header::RETRY_AFTER, "1");
        error.0.cause = Some(Cause::Fault(cause.to_string()));
        error
    }

    /// The same error with a header.
    pub(crate) fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers.push((name, value));
        }
        self
    }

    /// What poem itself refused, by its status.
    pub(crate) fn of_poem(error: &poem::Error) -> Self {
        let status = error.status();
        let (code, message) = match status {
            StatusCode::NOT_FOUND => (ErrorCode::NotFound, "There is no resource at this path."),
            StatusCode::METHOD_NOT_ALLOWED => (
                ErrorCode::MethodNotAllowed,
                "This path does not support this method; see `Allow`.",
            ),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => return Self::unsupported_media_type(),
            StatusCode::PAYLOAD_TOO_LARGE => (ErrorCode::TooLarge, "The body is too large."),
            _ if status.is_client_error() => (ErrorCode::Malformed, "The request is malformed."),
            _ => return Self::internal(error),
        };
        Self::new(status, code, message)
    }

    /// Its status.
    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Its code.
    pub(crate) fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// Its fields that are wrong.
    #[cfg(test)]
    pub(crate) fn details(&self) -> &[FieldError] {
        &self.0.details
    }

    /// Its message for the client.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// Logs what is hidden from the client.
    pub(crate) fn log(&self) {
        let (status, code) = (self.0.status.as_u16(), self.0.code.as_str());
        match &self.0.cause {
            Some(Cause::Fault(cause)) => tracing::error!(status, code, "{cause}"),
            Some(Cause::Load(cause)) => tracing::info!(status, code, "{cause}"),
            None => {}
        }
    }

    /// The response: in the envelope, or alone under the alias.
    pub(crate) fn to_response(&self, request_id: &str, is_bare: bool) -> Response {
        let inner = &self.0;
        let details: Vec<Value> = (inner.details.iter())
            .map(|detail| json!({"field": detail.field, "code": detail.code, "message": detail.message}))
            .collect();
        let error = json!({
            "code": inner.code, "message": inner.message, "details": details, "request_id": request_id,
        });
        let body = if is_bare {
            json!({"error": error})
        } else {
            json!({"error": error, "errors": self.entries(), "data": null, "meta": {}})
        };
        let mut response = Response::builder()
            .status(inner.status)
            .content_type("application/json")
            .body(body.to_string());
        for (name, value) in &inner.headers {
            response.headers_mut().insert(name, value.clone());
        }
        response
    }

    fn entries(&self) -> Vec<Value> {
        let inner = &self.0;
        if inner.details.is_empty() {
            return vec![json!({"code": inner.code, "message": inner.message, "field": null})];
        }
        let entry = |detail: &FieldError| json!({"code": detail.code, "message": detail.message, "field": detail.field});
        inner.details.iter().map(entry).collect()
    }
}

impl ResponseError for ApiError {
    fn status(&self) -> StatusCode {
        self.0.status
    }
}

impl ApiResponse for ApiError {
    fn meta() -> MetaResponses {
        let content = MetaMediaType {
            content_type: "application/json",
            schema: <ErrorEnvelope as Type>::schema_ref(),
        };
        MetaResponses {
            responses: vec![MetaResponse {
                description: "An error; see its status.",
                status: None,
                status_range: Some("default".to_owned()),
                content: vec![content],
                headers: Vec::new(),
            }],
        }
    }

    fn register(registry: &mut Registry) {
        <ErrorEnvelope as Type>::register(registry);
    }
}

impl From<Vec<FieldError>> for ApiError {
    fn from(details: Vec<FieldError>) -> Self {
        Self::invalid(details)
    }
}

impl From<NoMarket> for ApiError {
    fn from(error: NoMarket) -> Self {
        let message = sentence(&error.to_string());
        match error {
            NoMarket::Unknown(_) => Self::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, message),
            NoMarket::OtherQuote(_) => Self::invalid_field("quote", message),
        }
    }
}

impl From<Forbidden> for ApiError {
    fn from(_: Forbidden) -> Self {
        Self::forbidden()
    }
}

impl From<DatabaseError> for ApiError {
    fn from(error: DatabaseError) -> Self {
        match error.is_unavailable() {
            true => Self::unavailable(
                "The service is temporarily unavailable. Try again.",
                describe(&error),
            ),
            false => Self::internal(describe(&error)),
        }
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Behind(error) => error.into(),
            QueryError::Busy => Self::busy("Too much is computed for others. Try again.", error),
            QueryError::BadCursor => Self::invalid_field("cursor", "The cursor is invalid."),
            QueryError::Database(error) => error.into(),
        }
    }
}

impl From<Behind> for ApiError {
    fn from(error: Behind) -> Self {
        Self::busy("The data has not reached this position yet. Try again.", error)
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::EmailTaken => {
                let message = "This email address is already in use.";
                let mut error = Self::new(StatusCode::CONFLICT, ErrorCode::EmailTaken, message);
                error.0.details = vec![FieldError::new("email", ErrorCode::EmailTaken, message)];
                error
            }
            AccountError::KeyReused => Self::idempotency_mismatch(),
            AccountError::WrongCredentials => {
                Self::unauthorized("The email address or the password is wrong.")
            }
            AccountError::Database(error) => error.into(),
            AccountError::Hash(cause) => Self::internal(cause),
        }
    }
}

impl From<CommandError> for ApiError {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Invalid(details) => Self::invalid(details),
            CommandError::NotFound(what) => Self::not_found(what),
            CommandError::Forbidden => Self::forbidden(),
            CommandError::Conflict(what) => Self::new(
                StatusCode::CONFLICT,
                ErrorCode::Conflict,
                format!("The {what} was changed concurrently. Try again."),
            ),
            CommandError::PreconditionFailed { actual } => Self::new(
                StatusCode::PRECONDITION_FAILED,
                ErrorCode::PreconditionFailed,
                "The resource has changed. Read it again.",
            )
            .with_header(header::ETAG, &format!("\"{actual}\"")),
            CommandError::Rejected { code, message } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
            }
            CommandError::IdempotencyMismatch => Self::idempotency_mismatch(),
            CommandError::Database(error) => error.into(),
            CommandError::Internal(cause) => Self::internal(cause),
        }
    }
}

/// A message of the domain as a sentence.
fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let end = if message.ends_with(['.', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

/// The error with its sources: `tokio_postgres` says little by itself.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
