//! The `Link` header of lists, and parameters of the query as the client wrote it.

use poem::http::Uri;

use super::paging::{self, ListMeta};

/// A longer query has no links; `meta` says as much.
const QUERY_BYTES_MAX: usize = 1_000;

/// The parameter's value, decoded.
pub(crate) fn parameter(uri: &Uri, name: &str) -> Option<String> {
    pairs(uri).into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

fn pairs(uri: &Uri) -> Vec<(String, String)> {
    let query = uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// Returns `first`, `prev`, `next` and `last` of numbered pages, and `next` of pages by cursor; `None` if there are none.
pub(crate) fn link(uri: &Uri, meta: &ListMeta) -> Option<String> {
    // Each of them repeats the query.
    if uri.query().is_some_and(|query| query.len() > QUERY_BYTES_MAX) {
        return None;
    }
    let mut links = Vec::new();
    if let (Some(page), Some(pages)) = (meta.page, meta.total_pages) {
        let mut add = |rel, page: i64| links.push(one(uri, rel, "page", &page.to_string()));
        add("first", 1);
        if page > 1 {
            add("prev", (page - 1).min(pages.max(1)));
        }
        let reachable = paging::last_numbered(meta.limit);
        if page < pages.min(reachable) {
            add("next", page + 1);
        }
        if pages <= reachable {
            add("last", pages.max(1));
        }
        if page >= reachable
            && let Some(cursor) = &meta.next_cursor
        {
            links.push(one(uri, "next", "cursor", cursor));
        }
    } else if let Some(cursor) = &meta.next_cursor {
        links.push(one(uri, "next", "cursor", cursor));
    }
    (!links.is_empty()).then(|| links.join(", "))
}

fn one(uri: &Uri, rel: &str, name: &str, value: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    // A page is named by its number or by a cursor, never by both.
    let is_other = |known: &str| !matches!(known, "page" | "cursor");
    query.extend_pairs(pairs(uri).into_iter().filter(|(known, _)| is_other(known)));
    query.append_pair(name, value);
    format!("<{}?{}>; rel=\"{rel}\"", uri.path(), query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second_of_three() -> ListMeta {
        ListMeta {
            total: Some(50),
            page: Some(2),
            limit: 20,
            per_page: 20,
            total_pages: Some(3),
            total_count: Some(50),
            next_cursor: None,
            has_more: true,
            is_complete: true,
            total_is_exact: Some(true),
        }
    }

    #[test]
    fn a_long_query_is_not_repeated() {
        let uri: Uri = format!("/api/v1/backtests?fields={}", "id,".repeat(8_000)).parse().unwrap();
        assert_eq!(link(&uri, &second_of_three()), None);
    }

    #[test]
    fn beyond_the_last_numbered_page_a_cursor_leads_on() {
        let uri: Uri = "/api/v1/backtests?limit=200&page=100".parse().unwrap();
        let meta = ListMeta {
            total: Some(50_000),
            page: Some(100),
            limit: 200,
            per_page: 200,
            total_pages: Some(250),
            next_cursor: Some("abc".to_owned()),
            ..second_of_three()
        };
        let link = link(&uri, &meta).unwrap();
        assert!(link.contains("?limit=200&cursor=abc>; rel=\"next\""), "{link}");
        assert!(!link.contains("last") && !link.contains("page=101"), "{link}");
    }

    #[test]
    fn links_keep_the_other_parameters() {
        let uri: Uri = "/api/v1/backtests?status=failed&page=2".parse().unwrap();
        let meta = second_of_three();
        let expected = r#"</api/v1/backtests?status=failed&page=1>; rel="first", </api/v1/backtests?status=failed&page=1>; rel="prev", </api/v1/backtests?status=failed&page=3>; rel="next", </api/v1/backtests?status=failed&page=3>; rel="last""#;
        assert_eq!(link(&uri, &meta).as_deref(), Some(expected));
    }
}
