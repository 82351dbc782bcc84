//! Pages of GraphQL lists: how many rows, what they cost, and the connection.

use async_graphql::{
    OutputType, SimpleObject,
    connection::{Connection, Edge},
};
use projections::page::{Page, PageRequest};

use super::error::refusal;
use crate::http::{
    cursor::{Cursor, InvalidCursor},
    error::ApiError,
};

/// Rows of a list.
const FIRST_MAX: i32 = 100;
/// As much as a list costs at most: far above the limit, and low enough that sums of it do not overflow.
const COST_MAX: usize = 1_000_000_000;

/// Returns how many rows, from 1 to [`FIRST_MAX`].
pub(super) fn limit(first: i32) -> async_graphql::Result<i64> {
    if (1..=FIRST_MAX).contains(&first) {
        return Ok(i64::from(first));
    }
    let message = format!("`first` must lie between 1 and {FIRST_MAX}.");
    Err(refusal(ApiError::invalid_field("first", message)))
}

/// Returns the complexity of a list: its fields, times its rows.
pub(super) fn list_complexity(first: i32, child: usize) -> usize {
    let rows = usize::try_from(first).unwrap_or(usize::MAX);
    rows.saturating_mul(child.saturating_add(1)).min(COST_MAX)
}

/// Returns the page that `first` and `after` ask for.
pub(super) fn page_request(first: i32, after: Option<&str>) -> async_graphql::Result<PageRequest> {
    let cursor = match after.map(str::parse) {
        None => None,
        Some(Ok(Cursor::Row(place))) => Some(place),
        Some(_) => return Err(refusal(InvalidCursor)),
    };
    Ok(PageRequest::Cursor { cursor, limit: limit(first)? })
}

/// What a list says about itself besides the page.
#[derive(Debug, SimpleObject)]
pub(super) struct ListFields {
    /// False if the page did not look at every row that could be on it: a filter without an index looks at 10,000 rows at most and then
    /// gives a page that may be short or empty; an order without an index sorts the newest 50,000.
    is_complete: bool,
    /// Pass it as `after` to get the next page. It is the cursor of the last edge unless the page is short.
    next_cursor: Option<String>,
}

/// A page of a list.
pub(super) type List<T> = Connection<String, T, ListFields>;

/// Returns a page as a connection.
pub(super) fn connection<R, T: OutputType>(
    page: Page<R>,
    has_previous: bool,
    show: impl Fn(R) -> T,
) -> List<T> {
    let next_cursor = page.next_cursor.map(|place| Cursor::Row(place).to_string());
    let has_next = next_cursor.is_some();
    let fields = ListFields { is_complete: page.is_complete, next_cursor };
    let mut connection = Connection::with_additional_fields(has_previous, has_next, fields);
    let rows = page.cursors.into_iter().zip(page.rows);
    connection
        .edges
        .extend(rows.map(|(cursor, row)| Edge::new(Cursor::Row(cursor).to_string(), show(row))));
    connection
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_complexity_of_lists_in_lists_does_not_overflow() {
        let inner = list_complexity(i32::MAX, list_complexity(i32::MAX, 2));
        assert_eq!(list_complexity(-1, inner + inner), COST_MAX);
        assert_eq!(list_complexity(10, 4), 50);
    }
}
