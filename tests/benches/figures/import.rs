//! A million minutes stored as candles, against a bare COPY of the same rows into a table without an index.

use std::{pin::pin, time::Instant};

use domain::{market::Timeframe, simulation::Candles};
use infra::postgres::market_data::CandleStore;
use tests::{TestCluster, TestDatabase};
use tokio_postgres::{binary_copy::BinaryCopyInWriter, types::Type};

use crate::{Figure, median, simulation::minutes};

pub(crate) const NAMES: [&str; 1] = ["import_1m_candles"];
const CANDLES: usize = 1_000_000;
const ROUNDS: usize = 3;

/// Candles a second, medians of alternating rounds, each into tables that are empty.
pub(crate) async fn measure(
    cluster: &TestCluster,
) -> Result<Vec<Figure>, Box<dyn std::error::Error>> {
    let candles = minutes::minutes(CANDLES)?;
    let symbol = "BTCUSDT".parse()?;
    let (mut bares, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let test = cluster.database().await;
        let started = Instant::now();
        bare(&test, &candles).await?;
        bares.push(CANDLES as f64 / started.elapsed().as_secs_f64());
        let store = CandleStore::new(test.database.clone());
        let started = Instant::now();
        store.import(&symbol, Timeframe::OneMinute, &candles, None, |_| {}).await?;
        ours.push(CANDLES as f64 / started.elapsed().as_secs_f64());
    }
    let aim = "value >= 500000";
    Ok(vec![Figure::beside(NAMES[0], median(ours), "candles/s", median(bares), aim)])
}

async fn bare(test: &TestDatabase, candles: &Candles) -> Result<(), tokio_postgres::Error> {
    let client = test.superuser().await;
    client.batch_execute("CREATE TABLE bare (LIKE candles)").await?;
    let types = [&[Type::INT8; 2][..], &[Type::FLOAT8; 5], &[Type::INT4, Type::BOOL]].concat();
    let sink = client.copy_in("COPY bare FROM STDIN (FORMAT binary)").await?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
    for index in 0..candles.len() {
        let (revision, series, is_open) = (1_i64, 1_i32, false);
        writer
            .as_mut()
            .write(&[
                &candles.open_time[index],
                &revision,
                &candles.open[index],
                &candles.high[index],
                &candles.low[index],
                &candles.close[index],
                &candles.volume[index],
                &series,
                &is_open,
            ])
            .await?;
    }
    writer.finish().await?;
    Ok(())
}
