//! Which sweeps a list shows.

use domain::{job::Status, market::Symbol};

use crate::{
    http::{
        fields::{Field, Fields, Input, Kind, field},
        paging::{self, Paging},
    },
    rest::job,
};

/// Which sweeps a list shows.
pub(crate) struct SweepQuery {
    pub(super) strategy: Option<String>,
    pub(super) status: Option<Status>,
    pub(super) symbol: Option<Symbol>,
    pub(super) descending: bool,
    pub(super) paging: Paging,
}

impl Input for SweepQuery {
    const NAME: &'static str = "SweepQuery";
    const FIELDS: &'static [Field] = &[
        job::STRATEGY_ID,
        job::STATUS,
        field("symbol", Kind::Text, "Filters by market."),
        field("sort", Kind::OneOf(&["created_at", "-created_at"]), "Defaults to `-created_at`."),
        paging::PAGE,
        paging::LIMIT,
        paging::PER_PAGE,
        paging::CURSOR,
    ];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let status = job::read_status(fields);
        let symbol = fields.parsed(&["symbol"], |value| {
            let text = value.as_str().unwrap_or_default();
            text.parse::<Symbol>().map_err(|error| error.to_string())
        });
        Some(Self {
            strategy: fields.text(&["strategy_id"], 200),
            status,
            symbol,
            descending: fields.one_of("sort", &["created_at", "-created_at"]) != Some("created_at"),
            paging: Paging::read(fields),
        })
    }
}
