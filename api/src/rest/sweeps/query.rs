//! Which sweeps a list shows.

use domain::job::Status;

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
    pub(super) statuses: Vec<Status>,
    /// A market or an asset.
    pub(super) symbol: Option<String>,
    pub(super) descending: bool,
    pub(super) paging: Paging,
}

impl Input for SweepQuery {
    const NAME: &'static str = "SweepQuery";
    const FIELDS: &'static [Field] = &[
        job::STRATEGY_ID,
        job::STATUS,
        field("symbol", Kind::Text, "Filters by market, or by asset: all markets with that base."),
        field("sort", Kind::OneOf(&["created_at", "-created_at"]), "Defaults to `-created_at`."),
        paging::PAGE,
        paging::LIMIT,
        paging::PER_PAGE,
        paging::CURSOR,
    ];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let statuses = job::read_statuses(fields);
        Some(Self {
            strategy: fields.text(&["strategy_id"], 200),
            statuses,
            symbol: fields.text(&["symbol"], 60),
            descending: fields.one_of("sort", &["created_at", "-created_at"]) != Some("created_at"),
            paging: Paging::read(fields),
        })
    }
}
