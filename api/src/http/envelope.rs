//! The envelope of every response: `{"data", "meta", "errors"}`, or the alias's bare shape.

use std::{borrow::Cow, fmt::Write as _};

use poem_openapi::registry::{
    MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef,
};

use super::paging::ListMeta;

/// What the middleware finds in a response: data that has no shape yet.
#[derive(Clone)]
pub(crate) struct Envelope {
    /// JSON text.
    pub(crate) data: String,
    /// The name of its schema in the document.
    pub(crate) schema: Cow<'static, str>,
    /// For lists.
    pub(crate) meta: Option<ListMeta>,
}

impl Envelope {
    /// The body: in the envelope, or in the alias's bare shape.
    ///
    /// # Errors
    /// When the meta cannot be written.
    pub(crate) fn body(&self, is_bare: bool) -> Result<String, serde_json::Error> {
        let mut body = String::with_capacity(self.data.len() + 256);
        match (&self.meta, is_bare) {
            (None, true) => body.push_str(&self.data),
            (Some(meta), true) => {
                let meta = serde_json::to_string(meta)?;
                let _ = write!(body, r#"{{"data":{},"meta":{meta}}}"#, self.data);
            }
            (meta, false) => {
                let meta = match meta {
                    Some(meta) => serde_json::to_string(meta)?,
                    None => "{}".to_owned(),
                };
                let _ = write!(body, r#"{{"data":{},"meta":{meta},"errors":[]}}"#, self.data);
            }
        }
        Ok(body)
    }
}

/// Describes the envelope for the document.
pub(crate) fn enveloped(status: u16, data: MetaSchemaRef, meta: MetaSchemaRef) -> MetaResponses {
    let mut errors = MetaSchema::new("array");
    errors.items = Some(Box::new(MetaSchemaRef::Inline(Box::new(MetaSchema::new("object")))));
    errors.max_items = Some(0);
    let mut envelope = MetaSchema::new("object");
    envelope.required = vec!["data", "meta", "errors"];
    envelope.properties =
        vec![("data", data), ("meta", meta), ("errors", MetaSchemaRef::Inline(Box::new(errors)))];
    let content = MetaMediaType {
        content_type: "application/json",
        schema: MetaSchemaRef::Inline(Box::new(envelope)),
    };
    let response = MetaResponse {
        description: if status == 202 { "Accepted." } else { "Success." },
        status: Some(status),
        status_range: None,
        content: vec![content],
        headers: Vec::new(),
    };
    MetaResponses { responses: vec![response] }
}
