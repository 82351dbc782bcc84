//! The OpenAPI document: made from the handlers, completed, and asked for methods and fields.

mod complete;
mod schemas;

use bytes::Bytes;
use poem::{
    Endpoint, Request, Response,
    http::{HeaderMap, HeaderValue, header},
};
use poem_openapi::{OpenApi, OpenApiService};
use serde_json::{Map, Value};

use super::conditional;

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
    /// With its caching and its entity tag.
    headers: HeaderMap,
}

impl Document {
    /// Makes it from the service.
    ///
    /// # Errors
    /// When what poem-openapi writes, or a file of examples, is not JSON.
    pub(crate) fn build<T: OpenApi + 'static>(
        service: &OpenApiService<T, ()>,
    ) -> Result<Self, serde_json::Error> {
        let raw = service.spec();
        let mut value: Value = serde_json::from_str(&raw)?;
        let methods = methods_of(&value);
        schemas::complete(&mut value);
        complete::complete(&mut value)?;
        let text = serde_json::to_string_pretty(&value)?;
        let swagger = service.swagger_ui_html().replace(&raw, &text);
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
        Self::new("application/json", Bytes::from(document.text.clone()))
    }

    /// The page that shows it; all of its code is in it.
    pub(crate) fn swagger(document: &Document) -> Self {
        Self::new("text/html; charset=utf-8", document.swagger.clone())
    }

    fn new(content_type: &'static str, body: Bytes) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
        conditional::complete_caching(&mut headers, &body);
        Self { content_type, body, headers }
    }
}

impl Endpoint for DocumentEndpoint {
    type Output = Response;

    async fn call(&self, _request: Request) -> poem::Result<Response> {
        let response = Response::builder().content_type(self.content_type);
        let mut response = response.body(self.body.clone());
        response.headers_mut().extend(self.headers.clone());
        Ok(response)
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
