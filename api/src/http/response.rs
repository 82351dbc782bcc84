//! What handlers return: one item or a page of a list; the middleware writes it in the shape of the prefix.

use std::borrow::Cow;

use poem::{
    IntoResponse, Response,
    http::{HeaderName, HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse,
    registry::{MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
    types::Type,
};
use projections::page::Total;
use serde::Serialize;

use super::{
    cursor::Cursor,
    envelope::{Envelope, enveloped},
    error::ApiError,
    paging::{ListMeta, Paging},
};

/// One item, with `STATUS`.
pub(crate) struct Item<T, const STATUS: u16 = 200> {
    value: T,
    extras: Extras,
}

/// A page of a list.
pub(crate) struct List<T> {
    rows: Vec<T>,
    meta: ListMeta,
    extras: Extras,
}

/// 204.
#[derive(Default)]
pub(crate) struct NoContent {
    extras: Extras,
}

#[derive(Default)]
struct Extras {
    status: Option<StatusCode>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Extras {
    fn push(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
    }

    fn apply(self, response: &mut Response) {
        if let Some(status) = self.status {
            response.set_status(status);
        }
        response.headers_mut().extend(self.headers);
    }
}

/// Adds headers to what a handler returns.
pub(crate) trait WithHeaders: Sized {
    /// The same with a header.
    fn with_header(self, name: HeaderName, value: &str) -> Self;

    /// The same with an entity tag.
    fn with_etag(self, tag: &str) -> Self {
        self.with_header(header::ETAG, &format!("\"{tag}\""))
    }

    /// The same, for anyone to keep for an hour.
    fn cached_publicly(self) -> Self {
        self.with_header(header::CACHE_CONTROL, "public, max-age=3600")
    }
}

impl<T, const STATUS: u16> WithHeaders for Item<T, STATUS> {
    fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        self.extras.push(name, value);
        self
    }
}

impl<T> WithHeaders for List<T> {
    fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        self.extras.push(name, value);
        self
    }
}

impl WithHeaders for NoContent {
    fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        self.extras.push(name, value);
        self
    }
}

impl<T, const STATUS: u16> Item<T, STATUS> {
    /// The item.
    pub(crate) fn new(value: T) -> Self {
        Self { value, extras: Extras::default() }
    }

    /// The same with another status than the usual one.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.extras.status = Some(status);
        self
    }
}

impl<T> List<T> {
    /// Converts a page of a read model, row by row.
    pub(crate) fn of<R>(
        paging: &Paging,
        page: projections::page::Page<R>,
        show: impl FnMut(R) -> T,
    ) -> Self {
        let mut page = page;
        let rows = std::mem::take(&mut page.rows).into_iter().map(show).collect();
        Self::of_shown(paging, rows, &page)
    }

    /// The page with its rows as they are shown.
    pub(crate) fn of_shown<R>(
        paging: &Paging,
        rows: Vec<T>,
        page: &projections::page::Page<R>,
    ) -> Self {
        let next_cursor = page.next_cursor.clone().map(Cursor::Row);
        let mut list = Self::new(paging, rows, page.total, next_cursor);
        list.meta.is_complete = page.is_complete;
        list
    }

    /// A page of these rows.
    #[expect(clippy::needless_pass_by_value, reason = "made for this list")]
    pub(crate) fn new(
        paging: &Paging,
        rows: Vec<T>,
        total: Option<Total>,
        next_cursor: Option<Cursor>,
    ) -> Self {
        Self { rows, meta: paging.meta(total, next_cursor.as_ref()), extras: Extras::default() }
    }

    /// All that there is, on one page.
    pub(crate) fn whole(rows: Vec<T>) -> Self {
        let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let meta = ListMeta {
            total: Some(count),
            page: Some(1),
            limit: count,
            per_page: count,
            total_pages: Some(1),
            total_count: Some(count),
            next_cursor: None,
            has_more: false,
            is_complete: true,
            total_is_exact: Some(true),
        };
        Self { rows, meta, extras: Extras::default() }
    }
}

impl<T: Serialize + Type, const STATUS: u16> IntoResponse for Item<T, STATUS> {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(STATUS).unwrap_or(StatusCode::OK);
        respond(status, &self.value, T::name(), None, self.extras)
    }
}

impl<T: Serialize + Type> IntoResponse for List<T> {
    fn into_response(self) -> Response {
        respond(StatusCode::OK, &self.rows, T::name(), Some(self.meta), self.extras)
    }
}

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        let mut response = StatusCode::NO_CONTENT.into_response();
        self.extras.apply(&mut response);
        response
    }
}

fn respond<T: Serialize>(
    status: StatusCode,
    data: &T,
    schema: Cow<'static, str>,
    meta: Option<ListMeta>,
    extras: Extras,
) -> Response {
    match serde_json::to_string(data) {
        Ok(data) => {
            let mut response = Response::builder().status(status).finish();
            response.set_data(Envelope { data, schema, meta });
            extras.apply(&mut response);
            response
        }
        Err(error) => {
            let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
            response.set_data(std::sync::Arc::new(ApiError::internal(error)));
            response
        }
    }
}

impl<T: Type, const STATUS: u16> ApiResponse for Item<T, STATUS> {
    fn meta() -> MetaResponses {
        let meta = MetaSchemaRef::Inline(Box::new(MetaSchema::new("object")));
        enveloped(STATUS, T::schema_ref(), meta)
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Type> ApiResponse for List<T> {
    fn meta() -> MetaResponses {
        let mut rows = MetaSchema::new("array");
        rows.items = Some(Box::new(T::schema_ref()));
        let rows = MetaSchemaRef::Inline(Box::new(rows));
        enveloped(200, rows, <ListMeta as Type>::schema_ref())
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
        <ListMeta as Type>::register(registry);
    }
}

impl ApiResponse for NoContent {
    fn meta() -> MetaResponses {
        let response = MetaResponse {
            description: "Success. No content.",
            status: Some(204),
            status_range: None,
            content: Vec::new(),
            headers: Vec::new(),
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(_registry: &mut Registry) {}
}
