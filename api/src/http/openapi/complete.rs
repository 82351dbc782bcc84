//! What every operation of the document says: parameters one by one, headers, and each error that it can respond with.

use std::collections::BTreeMap;

use domain::simulation::metrics::Unit;
use projections::metric::Metric;
use serde_json::{Map, Value, json};

/// One request and response for each operation, recorded from the service itself by its tests.
const EXAMPLES: &str = include_str!("../../../contract/examples.json");

/// A status, what it means, and the name and description of the header that comes with it, if one does.
type ErrorStatus = (&'static str, &'static str, Option<(&'static str, &'static str)>);

/// Every status of an error.
const ERRORS: [ErrorStatus; 12] = [
    ("400", "The request cannot be parsed.", None),
    ("401", "There is no valid session.", Some(("WWW-Authenticate", "`Bearer`."))),
    ("403", "The resource belongs to another user.", None),
    ("404", "The resource does not exist.", None),
    ("409", "The state of a resource excludes this, or it was changed concurrently.", None),
    (
        "412",
        "The resource has changed since `If-Match`.",
        Some(("ETag", "Its present entity tag.")),
    ),
    ("413", "The body is too large.", None),
    ("415", "The body is not JSON by its `Content-Type`.", None),
    ("422", "Fields are invalid; `error.details` lists all of them.", None),
    ("429", "Too many requests.", Some(("Retry-After", "Seconds to wait."))),
    ("500", "Something went wrong in the service; quote the request id.", None),
    ("503", "The service is temporarily unavailable.", Some(("Retry-After", "Seconds to wait."))),
];
/// Comparisons of filters in brackets.
const COMPARISONS: [&str; 5] = ["gt", "gte", "lt", "lte", "eq"];
/// Times by which backtests can be filtered in brackets.
const TIMES: [&str; 4] = ["created_at", "completed_at", "start_time", "end_time"];

/// Adds what poem-openapi cannot know: query fields one by one, common parameters, headers and errors, GraphQL, order.
///
/// # Errors
/// When the examples are not JSON.
pub(super) fn complete(document: &mut Value) -> Result<(), serde_json::Error> {
    let examples: Value = serde_json::from_str(EXAMPLES)?;
    let responses = ERRORS.into_iter().map(|(status, meaning, header)| {
        (format!("Error{status}"), error_response(meaning, header))
    });
    document["components"]["responses"] = Value::Object(responses.collect());
    let Some(paths) = document["paths"].as_object_mut() else { return Ok(()) };
    paths.insert("/graphql".to_owned(), graphql());
    for (path, operations) in paths.iter_mut() {
        let operations = operations.as_object_mut().into_iter().flatten();
        for (method, operation) in operations {
            complete_operation(path, method, operation);
            add_examples(&examples, operation);
        }
    }
    let sorted: BTreeMap<String, Value> = std::mem::take(paths).into_iter().collect();
    paths.extend(sorted);
    Ok(())
}

/// Shows what was sent and what came back, where that has a body.
fn add_examples(examples: &Value, operation: &mut Value) {
    const JSON: &str = "application/json";
    let example = &examples[operation["operationId"].as_str().unwrap_or_default()];
    if !example["request"].is_null() {
        operation["requestBody"]["content"][JSON]["example"] = example["request"].clone();
    }
    let responses = operation["responses"].as_object_mut().into_iter().flatten();
    for (_, response) in responses.filter(|(status, _)| status.starts_with('2')) {
        if let Some(media) = response["content"].get_mut(JSON)
            && !example["response"].is_null()
        {
            media["example"] = example["response"].clone();
        }
    }
}

fn complete_operation(path: &str, method: &str, operation: &mut Value) {
    let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
    let parameters = parameters(method, &id, operation);
    if !parameters.is_empty() {
        operation["parameters"] = Value::Array(parameters);
    }
    if matches!(id.as_str(), "createBacktest" | "createSweep" | "createBacktestOfSweepRow") {
        // `Prefer: wait` and a job that ended by then.
        operation["responses"]["201"] = operation["responses"]["202"].clone();
    }
    describe_headers(method, &id, operation);
    let statuses = errors_of(path, method, &id, operation);
    for status in statuses {
        let error = json!({"$ref": format!("#/components/responses/Error{status}")});
        if operation["responses"][status].is_null() {
            operation["responses"][status] = error;
        }
    }
    operation["responses"]["default"] = json!({"$ref": "#/components/responses/Error500"});
}

fn parameters(method: &str, id: &str, operation: &Value) -> Vec<Value> {
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
    if id == "listBacktests" {
        parameters.extend(Metric::filters().map(metric_filter));
        parameters.extend(TIMES.map(time_filter));
    }
    if method == "get" && !is_graphql(id) {
        parameters.extend(read_parameters());
    }
    if has_key(method, id) {
        parameters.push(header_parameter(
            "Idempotency-Key",
            "1 to 255 characters. For 24 hours, a repeated request with the same key and body is not carried out again, but answered with what the first one did. Another body with the same key is 422. Keys are yours alone, and separate for each path; without a session, they belong to your address.",
        ));
    }
    if is_conditional(method, id) {
        parameters.push(header_parameter("If-Match", "The ETag of the version to change. Responds with 412 if the resource has changed since."));
    }
    if is_command(method, id) {
        parameters.push(header_parameter(
            "Prefer",
            "`respond-async` responds without waiting for the read models. `wait=N` waits up to N seconds (at most 30) for the run to finish.",
        ));
    }
    parameters
}

fn is_graphql(id: &str) -> bool {
    id.ends_with("GraphQl")
}

/// Whether it appends events.
fn is_command(method: &str, id: &str) -> bool {
    method != "get"
        && !is_graphql(id)
        && !matches!(id, "createUser" | "openSession" | "closeSession" | "validateStrategy")
}

/// Whether it creates something that belongs to the caller.
fn is_creation(method: &str, id: &str) -> bool {
    method == "post" && id.starts_with("create") && id != "createUser"
}

/// Whether an `Idempotency-Key` keeps it from happening twice.
fn has_key(method: &str, id: &str) -> bool {
    method == "post" && id != "openSession" && !is_graphql(id)
}

fn is_conditional(method: &str, id: &str) -> bool {
    let is_change = matches!(method, "put" | "patch" | "delete") && id != "closeSession";
    is_change || matches!(id, "cancelBacktest" | "cancelSweep")
}

/// The statuses of the errors that the operation can respond with.
fn errors_of(path: &str, method: &str, id: &str, operation: &Value) -> Vec<&'static str> {
    let has_body = !operation["requestBody"].is_null();
    // By its path, or a strategy by a field.
    let names_a_resource = path.contains('{')
        || is_creation(method, id)
        || matches!(id, "listBacktests" | "listSweeps");
    let is_private = !operation["security"].is_null();
    let is_possible = |status: &str| match status {
        "401" => is_private || id == "openSession",
        "403" => names_a_resource && is_private,
        "404" => names_a_resource,
        "409" => is_command(method, id) || id == "createUser",
        "412" => is_conditional(method, id),
        "413" | "415" => has_body,
        // No bucket is counted yet.
        "429" => false,
        _ => true,
    };
    ERRORS.into_iter().map(|(status, ..)| status).filter(|status| is_possible(status)).collect()
}

fn error_response(meaning: &str, header: Option<(&str, &str)>) -> Value {
    let mut headers = request_id();
    if let Some((name, description)) = header {
        headers.insert(name.to_owned(), text_header(description));
    }
    json!({
        "description": meaning,
        "headers": headers,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorEnvelope"}}},
    })
}

fn text_header(description: &str) -> Value {
    json!({"description": description, "schema": {"type": "string"}})
}

fn request_id() -> Map<String, Value> {
    let description = "The request's id: yours if you sent one, otherwise a ULID.";
    Map::from_iter([("X-Request-Id".to_owned(), text_header(description))])
}

/// The headers of what succeeds.
fn describe_headers(method: &str, id: &str, operation: &mut Value) {
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for (status, response) in responses.iter_mut().filter(|(status, _)| status.starts_with('2')) {
        let mut headers = request_id();
        let mut add = |name: &str, header: Value| headers.insert(name.to_owned(), header);
        let meta = &response["content"]["application/json"]["schema"]["properties"]["meta"];
        let is_list = meta["$ref"] == "#/components/schemas/ListMeta";
        if is_list {
            add(
                "Link",
                text_header(
                    "`first`, `prev`, `next` and `last` of numbered pages; `next` of pages by cursor (RFC 8288).",
                ),
            );
        }
        if status != "204" && (method == "get" || is_command(method, id)) && !is_graphql(id) {
            add(
                "ETag",
                text_header(
                    "Changes with the resource. Send it as `If-None-Match` to get 304, or as `If-Match` with a change.",
                ),
            );
        }
        if id.starts_with("create") && id != "createUser" {
            add("Location", text_header("Path of what was created."));
        }
        if has_key(method, id) {
            add(
                "Idempotency-Replayed",
                text_header(
                    "`true` if the request with this `Idempotency-Key` was carried out before.",
                ),
            );
        }
        if is_command(method, id) {
            add(
                "X-Backtrail-Position",
                json!({
                    "description": "Position of the command's last event. Pass it to a later read as `min_position`.",
                    "schema": {"type": "integer", "format": "int64"},
                }),
            );
            add(
                "X-Backtrail-Pending",
                text_header("`true` if the read models do not reflect the command yet."),
            );
        }
        response["headers"] = Value::Object(headers);
    }
}

/// `sharpe_ratio[gte]=2`.
fn metric_filter(name: &str) -> Value {
    let comparisons = COMPARISONS.map(|name| (name.to_owned(), json!({"type": "number"})));
    let unit = match name {
        "initial_balance" | "final_balance" => Unit::Money,
        name => Unit::of(name),
    };
    bracketed(name, unit.sentence(), &comparisons.into_iter().collect())
}

fn time_filter(name: &str) -> Value {
    let time = || json!({"type": "string", "format": "date-time"});
    bracketed(
        name,
        "A time or a date.",
        &["gte", "lte"].into_iter().map(|name| (name.to_owned(), time())).collect(),
    )
}

fn bracketed(name: &str, unit: &str, comparisons: &Map<String, Value>) -> Value {
    json!({
        "name": name, "in": "query", "required": false, "style": "deepObject", "explode": true,
        "description": format!("Filters by `{name}`: `{name}[gte]=…`. {unit}"),
        "schema": {"type": "object", "properties": comparisons, "additionalProperties": false},
    })
}

fn query_parameter(name: &str, schema: &Value) -> Value {
    let mut schema = schema.clone();
    let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
    let mut parameter = json!({"name": name, "in": "query", "required": false, "schema": schema, "description": description});
    if schema["type"] == "array" {
        // Separated by commas.
        parameter["style"] = json!("form");
        parameter["explode"] = json!(false);
    }
    parameter
}

fn read_parameters() -> [Value; 2] {
    let fields = json!({"type": "string", "description": "Returns only these fields, by path: `id,performance_summary.total_pnl`."});
    let position = json!({"type": "integer", "format": "int64", "minimum": 0, "description": "Waits until the read models have reached this position. Responds with 503 if they do not in time, and with 422 if it is beyond the end of the log."});
    [query_parameter("fields", &fields), query_parameter("min_position", &position)]
}

fn header_parameter(name: &str, description: &str) -> Value {
    json!({"name": name, "in": "header", "required": false, "schema": {"type": "string"}, "description": description})
}

/// The path of GraphQL, whose schema is published by itself.
fn graphql() -> Value {
    let answer = || {
        let one = json!({"type": "object", "properties": {
            "data": {"type": "object", "nullable": true},
            "errors": {"type": "array", "items": {"type": "object"}},
        }});
        let schema = json!({"oneOf": [one, {"type": "array", "maxItems": 10, "items": one}]});
        let envelope = json!({"$ref": "#/components/schemas/ErrorEnvelope"});
        json!({
            "200": {
                "description": "What was asked for, and what went wrong with it.",
                "content": {
                    "application/graphql-response+json": {"schema": schema},
                    "application/json": {"schema": schema},
                },
            },
            "400": {
                "description": "The request cannot be parsed; or, if you accept `application/graphql-response+json`, nothing of the query was executed.",
                "headers": request_id(),
                "content": {
                    "application/graphql-response+json": {"schema": one},
                    "application/json": {"schema": envelope},
                },
            },
        })
    };
    let security = json!([{"Session": []}]);
    let texts = ["query", "operationName", "variables", "extensions"];
    let parameters = texts.map(|name| {
        let mut parameter = query_parameter(name, &json!({"type": "string"}));
        parameter["required"] = json!(name == "query");
        parameter
    });
    let body = json!({"type": "object", "required": ["query"], "properties": {
        "query": {"type": "string"},
        "operationName": {"type": "string", "nullable": true},
        "variables": {"type": "object", "nullable": true},
        "extensions": {"type": "object", "nullable": true},
    }});
    json!({
        "get": {
            "operationId": "getGraphQl", "tags": ["Service"], "security": security,
            "summary": "Executes a GraphQL query given as query parameters.",
            "parameters": parameters, "responses": answer(),
        },
        "post": {
            "operationId": "postGraphQl", "tags": ["Service"], "security": security,
            "summary": "Executes a GraphQL query, or a batch of at most 10.",
            "requestBody": {"required": true, "content": {"application/json": {"schema": {
                "oneOf": [body, {"type": "array", "maxItems": 10, "items": body}],
            }}}},
            "responses": answer(),
        },
    })
}
