//! Every read model equals a rebuild from zero, row by row.

use projections::status;

use crate::world::World;

/// Rebuilds each and compares; returns how many rows were compared.
pub(crate) async fn check(world: &World) -> i64 {
    let mut rows_count = 0;
    let client = world.database.superuser().await;
    for model in status::list() {
        let table = model.table;
        let kept = format!(
            "DROP TABLE IF EXISTS chaos_live; \
             CREATE TABLE chaos_live AS SELECT one::text AS row FROM read_models.{table} AS one"
        );
        client.batch_execute(&kept).await.expect("a copy");
        tokio::task::block_in_place(|| {
            let _ = world.by_hand.succeed(&["projections", "rebuild", model.name]);
        });
        let rebuilt = format!("SELECT one::text AS row FROM read_models.{table} AS one");
        let live = "SELECT row FROM chaos_live";
        for (what, sql) in [
            ("only the live one has", format!("{live} EXCEPT ALL {rebuilt}")),
            ("only the rebuilt one has", format!("{rebuilt} EXCEPT ALL {live}")),
        ] {
            let rows = client.query(&sql, &[]).await.expect("a comparison");
            if let Some(row) = rows.first() {
                let (count, first) = (rows.len(), row.get::<_, String>(0));
                world
                    .journal
                    .wrong(&format!("{}: {what} {count} rows, such as {first}", model.name));
            }
        }
        let count =
            client.query_one("SELECT count(*) FROM chaos_live", &[]).await.expect("a count");
        rows_count += count.get::<_, i64>(0);
    }
    let letters = "SELECT count(*) FROM read_models.dead_letters";
    if world.number(letters).await != Some(0) {
        world.journal.wrong("events lie in the dead letters");
    }
    rows_count
}
