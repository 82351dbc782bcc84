//! Holds every response that a test gets against the published document: status, types, nulls, words, formats, no other fields.

use std::sync::LazyLock;

use chrono::DateTime;
use reqwest::{Method, StatusCode, Url};
use serde_json::{Map, Value};

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!("../../api/contract/openapi.json");
    serde_json::from_str(text).expect("the published document is JSON")
});

/// What is wrong with a response of that media type under `/api/v1`, by path; empty for paths that the document does not know.
pub(crate) fn violations(
    (method, url): (&Method, &Url),
    status: StatusCode,
    media: &str,
    text: &str,
) -> Vec<String> {
    let Some(path) = url.path().strip_prefix("/api/v1") else { return Vec::new() };
    let Some(operation) = operation(method, path) else { return Vec::new() };
    if matches!(status, StatusCode::NOT_MODIFIED) || method == Method::HEAD {
        return Vec::new();
    }
    let response = &operation["responses"][status.as_str()];
    if response.is_null() {
        return vec![format!("the status {status} is not documented")];
    }
    let response = resolved(response);
    let Some(content) = response["content"].as_object() else {
        let is_empty = text.is_empty();
        return if is_empty { Vec::new() } else { vec!["there is a body".to_owned()] };
    };
    let Ok(body) = serde_json::from_str(text) else {
        return vec!["the body is not JSON".to_owned()];
    };
    let essence = media.split(';').next().unwrap_or_default();
    let Some(schema) = content.get(essence).map(|media| &media["schema"]) else {
        return vec![format!("the media type `{media}` is not documented")];
    };
    let is_partial = url.query_pairs().any(|(name, _)| name == "fields");
    let mut found = Vec::new();
    check(schema, &body, "", is_partial, &mut found);
    found
}

fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let asked: Vec<&str> = path.trim_matches('/').split('/').collect();
    let paths = DOCUMENT["paths"].as_object()?;
    let fits = |known: &str| {
        let known: Vec<&str> = known.trim_matches('/').split('/').collect();
        known.len() == asked.len()
            && known
                .iter()
                .zip(&asked)
                .all(|(known, asked)| known.starts_with('{') || known == asked)
    };
    let mut fitting: Vec<_> = paths.iter().filter(|(known, _)| fits(known)).collect();
    fitting.sort_by_key(|(known, _)| known.matches('{').count());
    let operation = &fitting.first()?.1[method.as_str().to_lowercase()];
    (!operation.is_null()).then_some(operation)
}

/// What a reference refers to.
fn resolved(schema: &Value) -> &Value {
    let Some(reference) = schema["$ref"].as_str() else { return schema };
    let parts = reference.trim_start_matches("#/").split('/');
    parts.fold(&*DOCUMENT, |value, part| &value[part])
}

fn check(schema: &Value, value: &Value, at: &str, is_partial: bool, found: &mut Vec<String>) {
    let schema = resolved(schema);
    if value.is_null() {
        let is_anything = schema["type"].is_null() && schema["allOf"].is_null();
        if schema["nullable"] != true && !is_anything {
            found.push(format!("`{at}` is null"));
        }
        return;
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        check(part, value, at, is_partial, found);
    }
    let words = schema["enum"].as_array();
    if words.is_some_and(|words| !words.contains(value)) {
        found.push(format!("`{at}` is {value}, which is not among its words"));
    }
    let is_of_type = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.as_str().is_some_and(|text| has_format(schema, text)),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        _ => true,
    };
    if !is_of_type {
        found.push(format!("`{at}` is {value}, not a {} {}", schema["type"], schema["format"]));
        return;
    }
    if let (Some(fields), Some(object)) = (schema["properties"].as_object(), value.as_object()) {
        check_fields(schema, fields, object, at, is_partial, found);
    }
    if let (false, Some(items)) = (schema["items"].is_null(), value.as_array()) {
        for (index, item) in items.iter().enumerate() {
            check(&schema["items"], item, &format!("{at}[{index}]"), is_partial, found);
        }
    }
}

fn check_fields(
    schema: &Value,
    fields: &Map<String, Value>,
    object: &Map<String, Value>,
    at: &str,
    is_partial: bool,
    found: &mut Vec<String>,
) {
    for name in object.keys().filter(|name| !fields.contains_key(*name)) {
        found.push(format!("`{at}.{name}` is not documented"));
    }
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    for name in required.filter(|name| !is_partial && !object.contains_key(*name)) {
        found.push(format!("`{at}.{name}` is missing"));
    }
    for (name, value) in object {
        if let Some(schema) = fields.get(name) {
            check(schema, value, &format!("{at}.{name}"), is_partial, found);
        }
    }
}

fn has_format(schema: &Value, text: &str) -> bool {
    match schema["format"].as_str() {
        Some("date-time") => DateTime::parse_from_rfc3339(text).is_ok(),
        Some("decimal") => text.parse::<f64>().is_ok_and(f64::is_finite) && !text.contains('e'),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, status: u16, text: &str) -> Vec<String> {
        let url = Url::parse(&format!("http://localhost{path}")).unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        violations((&Method::GET, &url), status, "application/json", text)
    }

    #[test]
    fn every_example_is_as_published() {
        let paths = DOCUMENT["paths"].as_object().unwrap().values();
        let operations = paths.flat_map(|path| path.as_object().unwrap().values());
        let responses =
            operations.flat_map(|operation| operation["responses"].as_object().unwrap());
        let media = responses.filter_map(|(_, response)| {
            let media = &response["content"]["application/json"];
            (!media["example"].is_null()).then_some(media)
        });
        let mut count = 0;
        for media in media {
            let mut found = Vec::new();
            check(&media["schema"], &media["example"], "", false, &mut found);
            assert_eq!(found, [""; 0]);
            count += 1;
        }
        assert!(count > 30, "{count} examples");
    }

    #[test]
    fn what_is_not_as_published_is_found() {
        let time = |data: &str| format!(r#"{{"data":{data},"meta":{{}},"errors":[]}}"#);
        let good = r#"{"epoch_ms":1,"time":"2026-01-01T00:00:00Z"}"#;
        assert_eq!(of("/api/v1/time", 200, &time(good)), [""; 0]);
        let wrong = r#"{"epoch_ms":null,"time":"today","zone":"UTC"}"#;
        assert_eq!(of("/api/v1/time", 200, &time(wrong)).len(), 3);
        assert_eq!(of("/api/v1/time?fields=time", 200, &time("{}")), [""; 0]);
        assert_eq!(of("/api/v1/time", 200, &time("{}")).len(), 2);
        assert_eq!(of("/api/v1/time", 418, "{}").len(), 1);
    }
}
