//! `/assets`: what can be held; public.

use domain::market::Asset;
use poem_openapi::{Object, OpenApi, param::Path};
use serde::Serialize;

use crate::{
    http::{
        caller::Visitor,
        error::ApiError,
        fields::{Field, Fields, Input, Kind, field},
        paging::{self, Paging},
        query::Query,
        response::{Item, List, WithHeaders as _},
    },
    rest::Chapter,
};

/// What can be held.
pub(crate) struct Assets;

/// An asset: something that can be held.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Asset")]
pub(crate) struct AssetResource {
    symbol: String,
    name: String,
    /// `crypto`, `fiat` or `equity`.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    kind: String,
    active: bool,
    /// The markets that have it as their base.
    markets: Vec<String>,
}

impl From<Asset> for AssetResource {
    fn from(asset: Asset) -> Self {
        Self {
            symbol: asset.symbol,
            name: asset.name,
            kind: asset.kind.as_str().to_owned(),
            active: asset.active,
            markets: asset.markets.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Which assets a list shows.
pub(crate) struct AssetQuery {
    search: Option<String>,
    kind: Option<&'static str>,
    active: Option<bool>,
    paging: Paging,
}

impl Input for AssetQuery {
    const NAME: &'static str = "AssetQuery";
    const FIELDS: &'static [Field] = &[
        field(
            "search",
            Kind::Text,
            "Filters by a substring of the symbol or name, case-insensitive.",
        ),
        field("type", Kind::OneOf(&["crypto", "fiat", "equity"]), "Filters by type."),
        field("active", Kind::Boolean, "Filters by activity: `true` or `false`."),
        paging::PAGE,
        paging::LIMIT,
        paging::PER_PAGE,
        paging::CURSOR,
    ];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            search: fields.text(&["search"], 100).map(|text| text.to_lowercase()),
            kind: fields.one_of("type", &["crypto", "fiat", "equity"]),
            active: fields.boolean("active"),
            paging: Paging::read(fields),
        })
    }
}

impl AssetQuery {
    fn fits(&self, asset: &Asset) -> bool {
        let is_found = self.search.as_ref().is_none_or(|search| {
            asset.symbol.to_lowercase().contains(search)
                || asset.name.to_lowercase().contains(search)
        });
        is_found
            && self.kind.is_none_or(|kind| asset.kind.as_str() == kind)
            && self.active.is_none_or(|active| asset.active == active)
    }
}

#[OpenApi(tag = "Chapter::MarketData")]
impl Assets {
    /// Lists assets.
    #[oai(path = "/assets", method = "get", operation_id = "listAssets")]
    async fn list(
        &self,
        visitor: Visitor,
        query: Query<AssetQuery>,
    ) -> Result<List<AssetResource>, ApiError> {
        let mut assets = visitor.api.markets.assets().await?;
        assets.retain(|asset| query.0.fits(asset));
        let paging = &query.0.paging;
        let slice = paging.slice(assets, |asset| asset.symbol.clone())?;
        let rows = slice.rows.into_iter().map(AssetResource::from).collect();
        Ok(List::new(paging, rows, slice.total, slice.next_cursor).cached_publicly())
    }

    /// Returns an asset.
    #[oai(path = "/assets/:symbol", method = "get", operation_id = "getAsset")]
    async fn get(
        &self,
        visitor: Visitor,
        symbol: Path<String>,
    ) -> Result<Item<AssetResource>, ApiError> {
        let assets = visitor.api.markets.assets().await?;
        let found = assets.into_iter().find(|asset| asset.symbol.eq_ignore_ascii_case(&symbol.0));
        let asset = found.ok_or_else(|| ApiError::not_found("asset"))?;
        Ok(Item::new(asset.into()).cached_publicly())
    }
}
