//! What a query comes to, as it is written: data and errors, each error with a code.

use async_graphql::{PathSegment, Response, ServerError, Value};
use domain::error_code::ErrorCode;
use serde::Serialize;

use super::error::with_code;

/// The response to one query.
#[derive(Debug, Serialize)]
pub(super) struct Reply {
    /// Absent if nothing was executed.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ServerError>,
}

impl Reply {
    /// The response to a query that is not executed.
    pub(super) fn refused(error: ServerError) -> Self {
        Self { data: None, errors: vec![error] }
    }

    /// Whether nothing was executed.
    pub(super) fn is_refused(&self) -> bool {
        self.data.is_none()
    }
}

impl From<Response> for Reply {
    fn from(response: Response) -> Self {
        let Response { data, errors, .. } = response;
        // An error of a field that was executed names its path.
        let is_refused = !errors.is_empty() && errors.iter().all(|error| error.path.is_empty());
        // async-graphql leaves out a field that failed but must not be null; what holds it would not be of its type.
        let is_broken = errors.iter().any(|error| is_left_out(&data, &error.path));
        let data = if is_broken { Value::Null } else { data };
        let errors = errors.into_iter().map(|error| with_code(error, ErrorCode::ValidationFailed));
        Self { data: (!is_refused).then_some(data), errors: errors.collect() }
    }
}

/// Whether the data has nothing at this path. A field that may be null is null itself; an object without any field is, too.
fn is_left_out(data: &Value, path: &[PathSegment]) -> bool {
    let Some((first, rest)) = path.split_first() else { return false };
    match (data, first) {
        (Value::Object(fields), PathSegment::Field(name)) => {
            fields.get(name.as_str()).is_none_or(|value| is_left_out(value, rest))
        }
        (Value::List(items), PathSegment::Index(index)) => {
            items.get(*index).is_none_or(|value| is_left_out(value, rest))
        }
        (Value::Null, _) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{EmptyMutation, EmptySubscription, Object, Schema};
    use serde_json::{Value as Json, json};

    use super::*;

    struct Query;

    #[Object]
    impl Query {
        async fn fine(&self) -> i32 {
            1
        }

        async fn broken(&self) -> async_graphql::Result<i32> {
            Err("broken".into())
        }

        async fn missing(&self) -> Option<async_graphql::Result<i32>> {
            Some(Err("missing".into()))
        }

        async fn list(&self) -> Vec<Self> {
            vec![Self]
        }
    }

    async fn reply_to(query: &str) -> (bool, Json) {
        let schema = Schema::build(Query, EmptyMutation, EmptySubscription).finish();
        let reply = Reply::from(schema.execute(query).await);
        (reply.is_refused(), serde_json::to_value(reply).unwrap())
    }

    #[tokio::test]
    async fn there_is_data_only_if_the_query_was_executed() {
        assert_eq!(reply_to("{ fine }").await, (false, json!({"data": {"fine": 1}})));
        let (is_refused, reply) = reply_to("{ fine broken }").await;
        assert_eq!((is_refused, &reply["data"]), (false, &Json::Null));
        assert!(reply.as_object().unwrap().contains_key("data"));
        for query in ["{ fine list { fine broken } }", "{ broken }", "{ list { list { broken } } }"]
        {
            let (is_refused, reply) = reply_to(query).await;
            assert_eq!((is_refused, &reply["data"]), (false, &Json::Null), "{query}: {reply}");
        }
        let (_, reply) = reply_to("{ list { fine missing } missing }").await;
        assert_eq!(reply["data"], json!({"list": [{"fine": 1, "missing": null}], "missing": null}));
        for query in ["{ nothing }", "{ fine", "query A { fine } query B { fine }", ""] {
            let (is_refused, reply) = reply_to(query).await;
            assert!(is_refused && !reply.as_object().unwrap().contains_key("data"), "{query}");
            assert_eq!(reply["errors"][0]["extensions"]["code"], "validation_failed", "{query}");
        }
    }
}
