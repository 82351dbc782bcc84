//! Markets and assets: reference data that imports extend.

use domain::{
    market::{Asset, Market, MarketKind, Symbol},
    market_names::{self, NoMarket},
};
use moka::future::Cache;
use tokio_postgres::Row;

use crate::postgres::database::{Database, DatabaseError};

const MARKET: &str =
    "SELECT symbol, base, quote, kind, lot, price_decimals, volume_decimals FROM markets";

/// Markets that a process remembers.
const REMEMBERED_MAX: u64 = 10_000;

/// The markets and assets. A market never changes, so each is read once; clones share what was read.
#[derive(Clone)]
pub struct Markets {
    database: Database,
    known: Cache<Symbol, Market>,
}

impl Markets {
    /// The markets stored in `database`.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database, known: Cache::new(REMEMBERED_MAX) }
    }

    /// Finds the market that a user means; see [`market_names::resolve`].
    ///
    /// # Errors
    /// The database.
    pub async fn resolve(
        &self,
        text: &str,
        quote: Option<&str>,
    ) -> Result<Result<Market, NoMarket>, DatabaseError> {
        if let Ok(symbol) = text.parse()
            && quote.is_none()
            && let Some(market) = self.get(&symbol).await?
        {
            return Ok(Ok(market));
        }
        let markets = self.markets().await?;
        Ok(market_names::resolve(text, quote, &markets).cloned())
    }

    /// Returns the market with exactly this symbol.
    ///
    /// # Errors
    /// The database.
    pub async fn get(&self, symbol: &Symbol) -> Result<Option<Market>, DatabaseError> {
        if let Some(market) = self.known.get(symbol).await {
            return Ok(Some(market));
        }
        let connection = self.database.get().await?;
        let statement = connection.prepare_cached(&format!("{MARKET} WHERE symbol = $1")).await?;
        let row = connection.query_opt(&statement, &[&symbol.as_str()]).await?;
        let Some(market) = row.as_ref().map(market).transpose()? else { return Ok(None) };
        self.known.insert(symbol.clone(), market.clone()).await;
        Ok(Some(market))
    }

    /// Lists all markets, by symbol.
    ///
    /// # Errors
    /// The database.
    pub async fn markets(&self) -> Result<Vec<Market>, DatabaseError> {
        let connection = self.database.get().await?;
        let rows = connection.query(&format!("{MARKET} ORDER BY symbol"), &[]).await?;
        rows.iter().map(market).collect()
    }

    /// Lists all assets, by symbol, each with the markets whose base it is.
    ///
    /// # Errors
    /// The database.
    pub async fn assets(&self) -> Result<Vec<Asset>, DatabaseError> {
        let connection = self.database.get().await?;
        let sql = "SELECT a.symbol, a.name, a.kind, a.active,
                          array_remove(array_agg(m.symbol ORDER BY m.symbol), NULL) AS markets
                   FROM assets a LEFT JOIN markets m ON m.base = a.symbol
                   GROUP BY a.symbol ORDER BY a.symbol";
        connection.query(sql, &[]).await?.iter().map(asset).collect()
    }

    /// Adds a market and its assets unless they exist; existing ones stay as they are.
    ///
    /// # Errors
    /// The database.
    pub async fn add(&self, market: &Market) -> Result<(), DatabaseError> {
        let kind = market.kind.as_str();
        // Only the base is surely of the market's kind: a quote that is new is money.
        let quote_kind = if market.kind == MarketKind::Crypto { "crypto" } else { "fiat" };
        let decimals = [market.price_decimals, market.volume_decimals].map(u32::cast_signed);
        let connection = self.database.get().await?;
        connection
            .execute(
                "WITH added AS (
                     INSERT INTO assets (symbol, name, kind) VALUES ($2, $2, $4), ($3, $3, $5)
                     ON CONFLICT DO NOTHING)
                 INSERT INTO markets (symbol, base, quote, kind, lot, price_decimals, volume_decimals)
                 VALUES ($1, $2, $3, $4, $6, $7, $8) ON CONFLICT DO NOTHING",
                &[
                    &market.symbol.as_str(),
                    &market.base,
                    &market.quote,
                    &kind,
                    &quote_kind,
                    &market.lot,
                    &decimals[0],
                    &decimals[1],
                ],
            )
            .await?;
        Ok(())
    }
}

fn market(row: &Row) -> Result<Market, DatabaseError> {
    Ok(Market {
        symbol: symbol(row.try_get("symbol")?)?,
        base: row.try_get("base")?,
        quote: row.try_get("quote")?,
        kind: kind(row.try_get("kind")?)?,
        lot: row.try_get("lot")?,
        price_decimals: row.try_get::<_, i32>("price_decimals")?.unsigned_abs(),
        volume_decimals: row.try_get::<_, i32>("volume_decimals")?.unsigned_abs(),
    })
}

fn asset(row: &Row) -> Result<Asset, DatabaseError> {
    let markets: Vec<String> = row.try_get("markets")?;
    Ok(Asset {
        symbol: row.try_get("symbol")?,
        name: row.try_get("name")?,
        kind: kind(row.try_get("kind")?)?,
        active: row.try_get("active")?,
        markets: markets.iter().map(|text| symbol(text)).collect::<Result<_, _>>()?,
    })
}

fn symbol(text: &str) -> Result<Symbol, DatabaseError> {
    text.parse().map_err(|error| DatabaseError::Corrupt(format!("{error}")))
}

fn kind(text: &str) -> Result<MarketKind, DatabaseError> {
    match text {
        "crypto" => Ok(MarketKind::Crypto),
        "fiat" => Ok(MarketKind::Fiat),
        "equity" => Ok(MarketKind::Equity),
        other => Err(DatabaseError::Corrupt(format!("`{other}` is not a kind of market"))),
    }
}
