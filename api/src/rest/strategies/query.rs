//! Which strategies a list shows, and in which order.

use domain::strategy::{Builtin, builtins};
use projections::strategies::StrategySort;

use crate::http::{
    fields::{Field, Fields, Input, Kind, field},
    paging::{self, Paging},
};

const SCOPES: &[&str] = &["mine", "public", "builtin", "all"];
const SORTS: &[&str] = &["created_at", "-created_at", "name", "-name"];

/// Which strategies a list shows.
pub(crate) struct StrategyQuery {
    pub(super) scope: Option<&'static str>,
    pub(super) is_active: Option<bool>,
    pub(super) search: Option<String>,
    sort: &'static str,
    pub(super) paging: Paging,
}

impl Input for StrategyQuery {
    const NAME: &'static str = "StrategyQuery";
    const FIELDS: &'static [Field] = &[
        field(
            "scope",
            Kind::OneOf(SCOPES),
            "Defaults to `mine` plus the built-ins under `/api/v1`, and to `mine` under `/api`.",
        ),
        field("is_active", Kind::Boolean, "Filters by activity: `true` or `false`."),
        field(
            "search",
            Kind::Text,
            "Filters by a substring of the name or description, case-insensitive.",
        ),
        field("sort", Kind::OneOf(SORTS), "Defaults to `-created_at`."),
        paging::PAGE,
        paging::LIMIT,
        paging::PER_PAGE,
        paging::CURSOR,
    ];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            scope: fields.one_of("scope", SCOPES),
            is_active: fields.boolean("is_active"),
            search: fields.text(&["search"], 200),
            sort: fields.one_of("sort", SORTS).unwrap_or("-created_at"),
            paging: Paging::read(fields),
        })
    }
}

impl StrategyQuery {
    /// Returns the built-ins that the list shows.
    pub(super) fn builtins(&self) -> Vec<&'static Builtin> {
        let search = self.search.as_ref().map(|search| search.to_lowercase());
        let fits = |builtin: &&Builtin| {
            let text = format!("{} {}", builtin.title, builtin.description).to_lowercase();
            self.is_active != Some(false)
                && search.as_ref().is_none_or(|search| text.contains(search))
        };
        builtins::ALL.iter().copied().filter(fits).collect()
    }

    /// Returns the order and whether it descends.
    pub(super) fn sort(&self) -> (StrategySort, bool) {
        let is_name = self.sort.ends_with("name");
        let sort = if is_name { StrategySort::Name } else { StrategySort::CreatedAt };
        (sort, self.sort.starts_with('-'))
    }
}
