//! The pages of lists: what is asked for, and what a list says about itself.

use domain::error_code::ErrorCode;
use poem_openapi::Object;
use projections::page::{PageRequest, Total};
use serde::Serialize;

use super::{
    cursor::{Cursor, InvalidCursor},
    fields::{Field, Fields, Input, Kind, field},
};

/// The fields of every list's query.
pub(crate) const PAGE: Field = field(
    "page",
    Kind::Integer(1, PAGE_MAX),
    "Page number, starting at 1. Cannot be combined with `cursor`.",
);
/// See [`PAGE`].
pub(crate) const LIMIT: Field =
    field("limit", Kind::Integer(1, LIMIT_MAX), "Rows per page. Defaults to 20.");
/// See [`PAGE`].
pub(crate) const PER_PAGE: Field =
    field("per_page", Kind::Integer(1, LIMIT_MAX), "Alias of `limit`.");
/// See [`PAGE`].
pub(crate) const CURSOR: Field = field(
    "cursor",
    Kind::Text,
    "The `next_cursor` of the previous page. Pages stay consistent while rows are added.",
);

/// The last page that can be asked for.
const PAGE_MAX: i64 = 1_000_000;
/// The last row that numbered pages reach.
const NUMBERED_ROWS_MAX: i64 = 20_000;
/// How many rows a list gives.
pub(crate) const LIMIT_DEFAULT: i64 = 20;
/// How many rows a list gives at most.
pub(crate) const LIMIT_MAX: i64 = 200;

/// The number of the last page of so many rows that has one.
pub(crate) const fn last_numbered(limit: i64) -> i64 {
    if limit > 0 { NUMBERED_ROWS_MAX / limit } else { 1 }
}

/// Pagination of a list.
#[derive(Debug, Clone, Serialize, Object)]
pub(crate) struct ListMeta {
    /// Number of rows, or at least so many if `total_is_exact` is false. Null with a cursor.
    pub(crate) total: Option<i64>,
    /// Page number, starting at 1. Null with a cursor.
    pub(crate) page: Option<i64>,
    pub(crate) limit: i64,
    /// Alias of `limit`.
    pub(crate) per_page: i64,
    /// Null with a cursor, and unless `total_is_exact`.
    pub(crate) total_pages: Option<i64>,
    /// Alias of `total`.
    pub(crate) total_count: Option<i64>,
    /// Pass it as `cursor` to get the next page. Null on the last page.
    pub(crate) next_cursor: Option<String>,
    pub(crate) has_more: bool,
    /// False if the page did not look at every row that could be on it: a filter without an index looks at 10,000 rows at most and then
    /// gives a page that may be short or empty, with `next_cursor`; an order without an index sorts the newest 50,000.
    pub(crate) is_complete: bool,
    /// Null with a cursor.
    pub(crate) total_is_exact: Option<bool>,
}

/// Which page is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Paging {
    page: Option<i64>,
    limit: i64,
    cursor: Option<Cursor>,
}

/// A page of rows that are all in memory.
pub(crate) struct Slice<T> {
    pub(crate) rows: Vec<T>,
    /// `None` with a cursor.
    pub(crate) total: Option<Total>,
    pub(crate) next_cursor: Option<Cursor>,
}

impl Input for Paging {
    const NAME: &'static str = "Paging";
    const FIELDS: &'static [Field] = &[PAGE, LIMIT, PER_PAGE, CURSOR];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self::read(fields))
    }
}

impl Paging {
    /// Reads the page of an ordinary list.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Self {
        Self::read_with(fields, LIMIT_DEFAULT, LIMIT_MAX)
    }

    /// Reads the page of a list with the given limits.
    pub(crate) fn read_with(fields: &mut Fields<'_>, limit_default: i64, limit_max: i64) -> Self {
        if fields.has(&["page"]) && fields.has(&["cursor"]) {
            fields.error("page", ErrorCode::Invalid, "Use either `page` or `cursor`.");
        }
        let limit = fields.integer(&["limit", "per_page"], 1, limit_max).unwrap_or(limit_default);
        let page = fields.integer(&["page"], 1, PAGE_MAX);
        if page.is_some_and(|page| page > 1 && page.saturating_mul(limit) > NUMBERED_ROWS_MAX) {
            let message = format!(
                "Numbered pages reach row {NUMBERED_ROWS_MAX}. To read on, pass `next_cursor` as `cursor`."
            );
            fields.error("page", ErrorCode::OutOfRange, message);
        }
        Self { page, limit, cursor: read_cursor(fields) }
    }

    /// Returns the page as the read models want it.
    ///
    /// # Errors
    /// The cursor is of another kind of list.
    pub(crate) fn request(&self) -> Result<PageRequest, InvalidCursor> {
        let limit = self.limit;
        match &self.cursor {
            Some(Cursor::Row(place)) => {
                Ok(PageRequest::Cursor { cursor: Some(place.clone()), limit })
            }
            Some(_) => Err(InvalidCursor),
            None => Ok(PageRequest::Number { page: self.page.unwrap_or(1), limit }),
        }
    }

    /// Rows on a page.
    pub(crate) fn limit(&self) -> i64 {
        self.limit
    }

    /// Where the page before ended.
    pub(crate) fn cursor(&self) -> Option<&Cursor> {
        self.cursor.as_ref()
    }

    /// Returns the page of rows that are all in memory, ascending by `key`.
    ///
    /// # Errors
    /// The cursor is of another kind of list.
    pub(crate) fn slice<T>(
        &self,
        rows: Vec<T>,
        key: impl Fn(&T) -> String,
    ) -> Result<Slice<T>, InvalidCursor> {
        let total = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let (skipped, total) = match &self.cursor {
            Some(Cursor::Key(last)) => {
                (rows.iter().take_while(|row| key(row) <= *last).count(), None)
            }
            Some(_) => return Err(InvalidCursor),
            None => {
                let before = (self.page.unwrap_or(1) - 1).saturating_mul(self.limit);
                (usize::try_from(before).unwrap_or(usize::MAX), Some(Total::exact(total)))
            }
        };
        let mut rest = rows.into_iter().skip(skipped);
        let rows: Vec<T> = rest.by_ref().take(limit).collect();
        let next = if rest.next().is_some() { rows.last().map(&key) } else { None };
        Ok(Slice { rows, total, next_cursor: next.map(Cursor::Key) })
    }

    /// What the list says about itself.
    pub(crate) fn meta(&self, total: Option<Total>, next_cursor: Option<&Cursor>) -> ListMeta {
        let total = total.filter(|_| self.cursor.is_none());
        let exact = total.filter(|total| total.is_exact);
        let total_pages = exact.map(|total| (total.count + self.limit - 1) / self.limit);
        let page = (self.cursor.is_none() && total.is_some()).then(|| self.page.unwrap_or(1));
        let has_more = match (page, total_pages) {
            (Some(page), Some(pages)) => page < pages,
            _ => next_cursor.is_some(),
        };
        ListMeta {
            total: total.map(|total| total.count),
            page,
            limit: self.limit,
            per_page: self.limit,
            total_pages,
            total_count: total.map(|total| total.count),
            next_cursor: next_cursor.map(Cursor::to_string),
            has_more,
            is_complete: true,
            total_is_exact: total.map(|total| total.is_exact),
        }
    }
}

fn read_cursor(fields: &mut Fields<'_>) -> Option<Cursor> {
    let text = fields.text(&["cursor"], 500)?;
    match text.parse() {
        Ok(cursor) => Some(cursor),
        Err(InvalidCursor) => {
            fields.error("cursor", ErrorCode::Invalid, InvalidCursor.to_string());
            None
        }
    }
}
