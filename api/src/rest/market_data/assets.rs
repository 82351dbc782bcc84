//! `/assets`: what can be held, and its prices; public.

use domain::market::{Asset, MarketKind};
use poem_openapi::{Object, OpenApi, param::Path};
use serde::Serialize;

use super::candles::{self, SeriesQuery};
use crate::{
    http::{
        caller::Visitor,
        error::ApiError,
        fields::{Field, Fields, Input, Kind, field},
        query::{self, Paging, Query},
        response::{Item, List, WithHeaders as _},
        values::DecimalText,
    },
    rest::Chapter,
};

/// What can be held.
pub(crate) struct Assets;

/// Something that can be held.
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
    /// The markets whose base it is.
    markets: Vec<String>,
}

/// A candle of an asset in its market.
#[derive(Debug, Serialize, Object)]
pub(crate) struct PricePoint {
    asset_id: String,
    interval: String,
    /// The candle's opening.
    timestamp: String,
    open: DecimalText,
    high: DecimalText,
    low: DecimalText,
    close: DecimalText,
    volume: DecimalText,
}

impl From<Asset> for AssetResource {
    fn from(asset: Asset) -> Self {
        Self {
            symbol: asset.symbol,
            name: asset.name,
            kind: kind_name(asset.kind).to_owned(),
            active: asset.active,
            markets: asset.markets.iter().map(ToString::to_string).collect(),
        }
    }
}

pub(super) const fn kind_name(kind: MarketKind) -> &'static str {
    match kind {
        MarketKind::Crypto => "crypto",
        MarketKind::Fiat => "fiat",
        MarketKind::Equity => "equity",
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
        field("search", Kind::Text, "A part of symbol or name, in any case."),
        field("type", Kind::OneOf(&["crypto", "fiat", "equity"]), "Only of that type."),
        field("active", Kind::Boolean, "Only those that are, or are not."),
        query::PAGE,
        query::LIMIT,
        query::PER_PAGE,
        query::CURSOR,
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
            && self.kind.is_none_or(|kind| kind_name(asset.kind) == kind)
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
        let (assets, total, next) = paging.slice(assets, |asset| asset.symbol.clone());
        let rows = assets.into_iter().map(AssetResource::from).collect();
        Ok(List::new(paging, rows, total, next).cached_publicly())
    }

    /// An asset.
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

    /// The candles of an asset in its market (against `USDT` unless `quote` says otherwise).
    #[oai(
        path = "/assets/:symbol/price-series",
        method = "get",
        operation_id = "getAssetPriceSeries"
    )]
    async fn price_series(
        &self,
        visitor: Visitor,
        symbol: Path<String>,
        query: Query<SeriesQuery>,
    ) -> Result<List<PricePoint>, ApiError> {
        let SeriesQuery { timeframe, range } = query.0;
        let found = candles::find(&visitor.api, &symbol.0, timeframe, &range).await?;
        let asset_id = found.market.base.clone();
        Ok(found.list(&range, |candle| PricePoint {
            asset_id: asset_id.clone(),
            interval: timeframe.to_string(),
            timestamp: candle.timestamp,
            open: candle.open,
            high: candle.high,
            low: candle.low,
            close: candle.close,
            volume: candle.volume,
        }))
    }
}
