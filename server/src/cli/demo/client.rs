//! The demo's HTTP client: signs up, then sends what a user's client would send.

use anyhow::{Context, bail};
use infra::clock::Clock;
use reqwest::{Method, Response};
use serde_json::{Value, json};

/// Rows asked for at a time.
const PAGE: usize = 200;

/// A signed-in client of the API.
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    /// Signs a fresh user up and in: a demo that runs again meets no earlier one.
    ///
    /// # Errors
    /// What the API refuses.
    pub(super) async fn sign_up(base: &str) -> anyhow::Result<Self> {
        let name = Clock::system().new_ulid().to_string().to_lowercase();
        let email = format!("demo-{name}@example.org");
        let password = Clock::system().new_ulid().to_string();
        let http = reqwest::Client::new();
        let mut client = Self { http, base: format!("{base}/api/v1"), token: String::new() };
        let user = json!({ "email": email, "password": password, "name": "Demo" });
        client.post("/users", &user).await?;
        let session = json!({ "email": email, "password": password });
        let session = client.post("/sessions", &session).await?;
        let token = session["token"].as_str().context("the session holds no token")?;
        client.token = token.to_owned();
        Ok(client)
    }

    /// The bearer token of the session.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// The `data` of a resource.
    ///
    /// # Errors
    /// What the API refuses.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        Ok(self.send(Method::GET, path, None).await?["data"].take())
    }

    /// The `data` of what was made.
    ///
    /// # Errors
    /// What the API refuses.
    pub(super) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        Ok(self.send(Method::POST, path, Some(body)).await?["data"].take())
    }

    /// All rows of a list, page after page.
    ///
    /// # Errors
    /// What the API refuses.
    pub(super) async fn all(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut rows = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("{path}?limit={PAGE}{cursor}");
            let mut page = self.send(Method::GET, &path, None).await?;
            if let Value::Array(data) = page["data"].take() {
                rows.extend(data);
            }
            match page["meta"]["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(rows),
            }
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let what = format!("{method} {path}");
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.with_context(|| what.clone())?;
        read(response).await.with_context(|| what)
    }
}

async fn read(response: Response) -> anyhow::Result<Value> {
    let status = response.status();
    let text = response.text().await?;
    if !status.is_success() {
        bail!("{status}: {text}");
    }
    Ok(serde_json::from_str(&text)?)
}
