//! `/livez`, `/healthz`, `/readyz` and `/metrics` at the root of every process.

use std::sync::Arc;

use poem::{EndpointExt as _, Response, Route, handler, http::StatusCode, web::Data};
use serde_json::{Value, json};

use super::{
    health::{Health, ROLES},
    metrics,
};

/// `/livez`, `/healthz` (the same), `/readyz` and `/metrics`, for a process that serves nothing else.
pub fn endpoint(health: Health) -> impl poem::Endpoint<Output = Response> + 'static {
    add(Route::new()).data(Arc::new(health))
}

/// Adds them to other routes, which carry an [`Health`].
pub(crate) fn add(routes: Route) -> Route {
    routes
        .at("/livez", poem::get(livez))
        .at("/healthz", poem::get(livez))
        .at("/readyz", poem::get(readyz))
        .at("/metrics", poem::get(metrics::scrape))
}

/// The process responds.
#[handler]
fn livez() -> Response {
    json_response(StatusCode::OK, &json!({"status": "alive"}))
}

/// Every role of this process is well.
#[handler]
async fn readyz(health: Data<&Arc<Health>>) -> Response {
    let mut roles = serde_json::Map::new();
    let mut is_ready = true;
    for role in ROLES {
        let state = match health.probes.iter().find(|probe| probe.role() == role) {
            Some(probe) => probe.ask(&health).await,
            None => {
                roles.insert(role.to_owned(), entry("absent", "not a role of this process"));
                continue;
            }
        };
        is_ready &= state.is_ok();
        let of_role = match &state {
            Ok(detail) => entry("ready", detail),
            Err(detail) => entry("unready", detail),
        };
        roles.insert(role.to_owned(), of_role);
    }
    let (status, text) = match is_ready {
        true => (StatusCode::OK, "ready"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "unready"),
    };
    json_response(status, &json!({"status": text, "roles": roles}))
}

fn entry(status: &str, detail: &str) -> Value {
    json!({"status": status, "detail": detail})
}

fn json_response(status: StatusCode, body: &Value) -> Response {
    Response::builder().status(status).content_type("application/json").body(body.to_string())
}
