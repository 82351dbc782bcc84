//! Markets and assets: reference data that imports extend.

use domain::market::{Asset, Market, Symbol};

use super::database::{Database, DatabaseError};

/// The markets and assets.
#[derive(Clone)]
pub struct Markets {
    database: Database,
}

impl Markets {
    /// Those in `database`.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// The market that a user means: an exact symbol wins, else the asset in the quote (`USDT` for none).
    ///
    /// # Errors
    /// The database.
    pub async fn resolve(
        &self,
        _text: &str,
        _quote: Option<&str>,
    ) -> Result<Option<Market>, DatabaseError> {
        let _ = &self.database;
        todo!()
    }

    /// All markets, by symbol.
    ///
    /// # Errors
    /// The database.
    pub async fn markets(&self) -> Result<Vec<Market>, DatabaseError> {
        todo!()
    }

    /// All assets, by symbol.
    ///
    /// # Errors
    /// The database.
    pub async fn assets(&self) -> Result<Vec<Asset>, DatabaseError> {
        todo!()
    }

    /// Adds a market and its assets where they are not known.
    ///
    /// # Errors
    /// The database.
    pub async fn add(&self, _market: &Market) -> Result<(), DatabaseError> {
        todo!()
    }

    /// The market of exactly that symbol.
    ///
    /// # Errors
    /// The database.
    pub async fn get(&self, _symbol: &Symbol) -> Result<Option<Market>, DatabaseError> {
        todo!()
    }
}
