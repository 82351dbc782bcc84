//! A client of the service, wherever that runs.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};

use crate::contract;

/// Long enough for a busy machine; a test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(180);

/// Talks to one process.
pub struct Remote {
    /// `http://127.0.0.1:…`
    address: String,
    http: reqwest::Client,
    users_count: AtomicU32,
}

/// Someone who is signed in, or not.
#[derive(Clone)]
pub struct TestUser {
    pub token: Option<String>,
    pub id: String,
    pub email: String,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Null where there was no JSON.
    pub body: Value,
    pub text: String,
}

/// Nobody.
pub const ANYONE: TestUser = TestUser { token: None, id: String::new(), email: String::new() };

impl Remote {
    /// Of the process at `http://host:port`.
    #[must_use]
    pub fn new(address: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { address: address.to_owned(), http, users_count: AtomicU32::new(0) }
    }

    /// Signs someone new up and in.
    pub async fn user(&self) -> TestUser {
        let number = self.users_count.fetch_add(1, Ordering::Relaxed);
        let email = format!("user-{number}@example.com");
        let password = "correct horse battery";
        let body = json!({"email": email, "password": password, "name": "Someone"});
        self.post(&ANYONE, "/api/v1/users", body).await.expect(StatusCode::CREATED);
        let body = json!({"email": email, "password": password});
        let session = self.post(&ANYONE, "/api/v1/sessions", body).await.expect(StatusCode::OK);
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let token = Some(text(&session["data"]["token"]));
        TestUser { token, id: text(&session["data"]["user"]["id"]), email }
    }

    /// Until every role of the process is well.
    pub async fn until_ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let reply = self.get(&ANYONE, "/readyz").await;
            if reply.status == StatusCode::OK {
                return;
            }
            assert!(Instant::now() < deadline, "{}", reply.text);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// GET.
    pub async fn get(&self, user: &TestUser, path: &str) -> Reply {
        self.send(user, Method::GET, path, None, &[]).await
    }

    /// POST of JSON.
    pub async fn post(&self, user: &TestUser, path: &str, body: Value) -> Reply {
        self.send(user, Method::POST, path, Some(body), &[]).await
    }

    /// Any request with JSON, or without a body.
    pub async fn send(
        &self,
        user: &TestUser,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let mut request = self.request(user, method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Reply::of(request).await
    }

    /// A request to be completed.
    pub fn request(&self, user: &TestUser, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.address));
        match &user.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

impl Reply {
    /// Sends the request.
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        Self::try_of(request).await.expect("a response")
    }

    /// Sends the request to where nobody may answer. What comes back is as the document says.
    ///
    /// # Errors
    /// The connection's.
    pub async fn try_of(request: reqwest::RequestBuilder) -> reqwest::Result<Self> {
        let (http, request) = request.build_split();
        let request = request?;
        let (method, url) = (request.method().clone(), request.url().clone());
        let response = http.execute(request).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await?;
        // Processes without the API have no document.
        let is_of_api = headers.contains_key("x-request-id");
        let violations = match is_of_api {
            true => {
                let media = headers.get("content-type").and_then(|media| media.to_str().ok());
                contract::violations((&method, &url), status, media.unwrap_or_default(), &text)
            }
            false => Vec::new(),
        };
        assert!(violations.is_empty(), "{method} {url} {status}: {violations:#?}\n{text}");
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Self { status, headers, body, text })
    }

    /// The body, if the status is that one.
    #[track_caller]
    pub fn expect(self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }

    /// A header's text; empty when it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Fields and codes of a 422, in order.
    #[track_caller]
    #[must_use]
    pub fn field_errors(&self) -> Vec<(String, String)> {
        assert_eq!(self.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", self.text);
        let errors = self.body["errors"].as_array().expect("errors");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        errors.iter().map(|error| (text(&error["field"]), text(&error["code"]))).collect()
    }
}
