//! The OpenAPI document: made from the handlers, completed, and asked for methods and fields.

use std::collections::BTreeMap;

use bytes::Bytes;
use poem::{Endpoint, Request, Response};
use poem_openapi::{OpenApi, OpenApiService};
use serde_json::{Map, Value, json};

/// The published document.
pub(crate) struct Document {
    pub(crate) text: String,
    value: Value,
    swagger: Bytes,
    /// Segments of each path with its methods.
    methods: Vec<(Vec<String>, String)>,
}

/// Serves one form of the document.
pub(crate) struct DocumentEndpoint {
    content_type: &'static str,
    body: Bytes,
}

impl Document {
    /// Makes it from the service.
    ///
    /// # Errors
    /// When what poem-openapi writes is not JSON.
    pub(crate) fn build<T: OpenApi + 'static>(
        service: &OpenApiService<T, ()>,
    ) -> Result<Self, serde_json::Error> {
        let raw = service.spec();
        let mut value: Value = serde_json::from_str(&raw)?;
        complete(&mut value);
        let text = serde_json::to_string_pretty(&value)?;
        let swagger = service.swagger_ui_html().replace(&raw, &text);
        let methods = methods_of(&value);
        Ok(Self { text, value, swagger: Bytes::from(swagger), methods })
    }

    /// `GET, POST` for a path of the API.
    pub(crate) fn allowed(&self, path: &str) -> Option<String> {
        self.route(path).map(|(_, methods)| methods.clone())
    }

    /// `/api/v1/backtests/{id}` for a path of the API: one of few, whatever is asked.
    pub(crate) fn template(&self, path: &str) -> Option<String> {
        self.route(path).map(|(segments, _)| format!("/{}", segments.join("/")))
    }

    fn route(&self, path: &str) -> Option<&(Vec<String>, String)> {
        let asked: Vec<&str> = path.trim_matches('/').split('/').collect();
        let is_exact =
            |known: &[String]| known.iter().zip(&asked).all(|(known, asked)| known == asked);
        let fits = |known: &[String]| {
            known.len() == asked.len()
                && known
                    .iter()
                    .zip(&asked)
                    .all(|(known, asked)| known.starts_with('{') || known == asked)
        };
        let mut fitting: Vec<_> = self.methods.iter().filter(|(known, _)| fits(known)).collect();
        fitting.sort_by_key(|(known, _)| !is_exact(known));
        fitting.first().copied()
    }

    /// Whether the schema has the field at this path; what has no fixed fields has them all.
    pub(crate) fn has_field(&self, schema: &str, path: &[String]) -> bool {
        let schema = &self.value["components"]["schemas"][schema];
        !schema.is_object() || self.has_path(schema, path)
    }

    fn has_path(&self, schema: &Value, path: &[String]) -> bool {
        let Some((first, rest)) = path.split_first() else { return true };
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap_or_default();
            return self.has_path(&self.value["components"]["schemas"][name], path);
        }
        if let Some(all) = schema["allOf"].as_array() {
            return all.iter().any(|one| self.has_path(one, path));
        }
        if schema["items"].is_object() {
            return self.has_path(&schema["items"], path);
        }
        match schema["properties"].as_object() {
            Some(fields) => fields.get(first).is_some_and(|field| self.has_path(field, rest)),
            None => schema["type"] == "object" || schema["type"].is_null(),
        }
    }
}

impl DocumentEndpoint {
    /// The JSON.
    pub(crate) fn json(document: &Document) -> Self {
        let body = Bytes::from(document.text.clone());
        Self { content_type: "application/json", body }
    }

    /// The page that shows it; all of its code is in it.
    pub(crate) fn swagger(document: &Document) -> Self {
        Self { content_type: "text/html; charset=utf-8", body: document.swagger.clone() }
    }
}

impl Endpoint for DocumentEndpoint {
    type Output = Response;

    async fn call(&self, _request: Request) -> poem::Result<Response> {
        let response = Response::builder().content_type(self.content_type);
        let response = response.header("cache-control", "public, max-age=3600");
        Ok(response.body(self.body.clone()))
    }
}

fn methods_of(document: &Value) -> Vec<(Vec<String>, String)> {
    let Some(paths) = document["paths"].as_object() else { return Vec::new() };
    let mut methods = Vec::new();
    for (path, operations) in paths {
        let names = operations.as_object().into_iter().flat_map(Map::keys);
        let mut names: Vec<String> = names.map(|name| name.to_uppercase()).collect();
        if names.iter().any(|name| name == "GET") {
            names.push("HEAD".to_owned());
        }
        names.push("OPTIONS".to_owned());
        let full = format!("api/v1{path}");
        methods.push((full.split('/').map(str::to_owned).collect(), names.join(", ")));
    }
    let read = ["livez", "healthz", "readyz", "metrics", "api/docs", "api/v1/openapi.json"];
    let others = read.map(|path| (path, "GET, HEAD, OPTIONS"));
    let queries = ["graphql", "api/v1/graphql"].map(|path| (path, "GET, HEAD, POST, OPTIONS"));
    for (path, names) in others.into_iter().chain(queries) {
        methods.push((path.split('/').map(str::to_owned).collect(), names.to_owned()));
    }
    methods
}

/// Adds what poem-openapi cannot know: query fields one by one, common parameters and headers, order.
fn complete(document: &mut Value) {
    let Some(paths) = document["paths"].as_object_mut() else { return };
    for operations in paths.values_mut().filter_map(Value::as_object_mut) {
        for (method, operation) in operations.iter_mut() {
            complete_operation(method, operation);
        }
    }
    let sorted: BTreeMap<String, Value> = std::mem::take(paths).into_iter().collect();
    paths.extend(sorted);
}

fn complete_operation(method: &str, operation: &mut Value) {
    let mut parameters = Vec::new();
    for parameter in operation["parameters"].as_array().cloned().unwrap_or_default() {
        match parameter["schema"]["properties"].as_object() {
            Some(fields) if parameter["in"] == "query" => {
                parameters
                    .extend(fields.iter().map(|(name, schema)| query_parameter(name, schema)));
            }
            _ => parameters.push(parameter),
        }
    }
    if method == "get" {
        parameters.extend(read_parameters());
    }
    let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
    if matches!(id.as_str(), "createStrategy" | "createBacktest") {
        parameters.push(header_parameter(
            "Idempotency-Key",
            "1 to 255 characters. For 24 hours, repeating the request with the same key and body returns the original response.",
        ));
    }
    if matches!(method, "put" | "patch" | "delete") && id != "closeSession" {
        parameters.push(header_parameter("If-Match", "The ETag of the version to change. Responds with 412 if the resource has changed since."));
    }
    if is_command(method, &id) {
        parameters.push(header_parameter(
            "Prefer",
            "`respond-async` responds without waiting for the read models. `wait=N` waits up to N seconds (at most 30) for the run to finish.",
        ));
    }
    if !parameters.is_empty() {
        operation["parameters"] = Value::Array(parameters);
    }
    if id == "createBacktest" {
        // `Prefer: wait` and a run that ended by then.
        operation["responses"]["201"] = operation["responses"]["202"].clone();
    }
    if is_command(method, &id) {
        describe_position(operation);
    }
}

/// Whether it appends events.
fn is_command(method: &str, id: &str) -> bool {
    method != "get"
        && !matches!(id, "createUser" | "openSession" | "closeSession" | "validateStrategy")
}

fn describe_position(operation: &mut Value) {
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for (_, response) in responses.iter_mut().filter(|(status, _)| status.starts_with('2')) {
        response["headers"] = json!({
            "X-Backtrail-Position": {
                "description": "Position of the command's last event. Pass it to a later read as `min_position`.",
                "schema": {"type": "integer", "format": "int64"},
            },
            "X-Backtrail-Pending": {
                "description": "`true` if the read models do not reflect the command yet.",
                "schema": {"type": "string"},
            },
        });
    }
}

fn query_parameter(name: &str, schema: &Value) -> Value {
    let mut schema = schema.clone();
    let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
    json!({"name": name, "in": "query", "required": false, "schema": schema, "description": description})
}

fn read_parameters() -> [Value; 2] {
    let fields = json!({"type": "string", "description": "Returns only these fields, by path: `id,performance_summary.total_pnl`."});
    let position = json!({"type": "integer", "format": "int64", "description": "Waits until the read models have reached this position. Responds with 503 if they do not in time."});
    [query_parameter("fields", &fields), query_parameter("min_position", &position)]
}

fn header_parameter(name: &str, description: &str) -> Value {
    json!({"name": name, "in": "header", "required": false, "schema": {"type": "string"}, "description": description})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::assert_published;

    fn document() -> Document {
        Document::build(&crate::rest::service()).unwrap()
    }

    #[test]
    fn the_document_is_the_published_one() {
        assert_published("openapi.json", &document().text);
    }

    #[test]
    fn every_operation_has_an_id_and_a_chapter() {
        let document = document();
        let paths = document.value["paths"].as_object().unwrap();
        for operation in paths.values().flat_map(|path| path.as_object().unwrap().values()) {
            assert!(operation["operationId"].is_string(), "{operation}");
            assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{operation}");
        }
    }

    #[test]
    fn a_path_knows_its_methods() {
        let document = document();
        let allowed = document.allowed("/api/v1/market_data/symbols");
        assert_eq!(allowed.as_deref(), Some("GET, HEAD, OPTIONS"));
        let allowed = document.allowed("/api/v1/sessions");
        assert_eq!(allowed.as_deref(), Some("DELETE, POST, OPTIONS"));
        assert_eq!(document.allowed("/api/v1/nothing"), None);
    }

    #[test]
    fn a_schema_knows_its_fields() {
        let document = document();
        let has = |schema: &str, path: &[&str]| {
            let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
            document.has_field(schema, &path)
        };
        assert!(has("Session", &["user", "email"]));
        assert!(!has("Session", &["user", "password"]));
        assert!(!has("Session", &["nothing"]));
    }
}
