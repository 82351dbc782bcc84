//! Kafka messages that a consumer could not decode, kept beside the events that a read model could not process.

use serde_json::Value;

use super::database::{Database, DatabaseError};

/// A message that could not be decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadMessage {
    /// `backtrail.backtest`
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    /// Key, headers, and payload in base64.
    pub content: Value,
    /// From its headers; empty if they do not say.
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub event_type: String,
    /// What is wrong with it.
    pub error: String,
}

impl DeadMessage {
    /// Stores the message, once however often it is delivered.
    ///
    /// # Errors
    /// The database.
    pub async fn record(&self, database: &Database) -> Result<(), DatabaseError> {
        const RECORD: &str = "
            INSERT INTO read_models.dead_letters
                (table_name, position, aggregate_type, aggregate_id, event_type, error, message)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (table_name, position) DO NOTHING";
        let place = format!("{}[{}]", self.topic, self.partition);
        let client = database.get().await?;
        let statement = client.prepare_cached(RECORD).await?;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 7] = [
            &place,
            &self.offset,
            &self.aggregate_type,
            &self.aggregate_id,
            &self.event_type,
            &self.error,
            &self.content,
        ];
        client.execute(&statement, &parameters).await?;
        Ok(())
    }
}
