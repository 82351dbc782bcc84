//! Health at the root: alive, and ready for traffic.

use std::sync::Arc;

use poem::{Response, handler, http::StatusCode, web::Data};

use crate::Context;

/// The process answers.
#[handler]
pub(crate) fn livez() -> Response {
    status(StatusCode::OK, "alive")
}

/// The database answers too, and every read model has reached the end of the log at least once.
#[handler]
pub(crate) async fn readyz(context: Data<&Arc<Context>>) -> Response {
    match context.reads.is_ready().await {
        Ok(true) => status(StatusCode::OK, "ready"),
        Ok(false) => status(StatusCode::SERVICE_UNAVAILABLE, "the read models are being built"),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            status(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer")
        }
    }
}

fn status(status: StatusCode, text: &str) -> Response {
    let body = serde_json::json!({"status": text}).to_string();
    Response::builder().status(status).content_type("application/json").body(body)
}
