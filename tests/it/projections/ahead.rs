//! Events that a newer binary wrote: a projection rests before them, and says so.

use domain::event::Metadata;
use infra::postgres::event_store::{Append, NewEvent, Priority, StreamAppend};
use projections::{
    rebuild::RebuildError,
    runner::{self, CatchUpError},
    status::State,
    trades,
};
use uuid::Uuid;

use super::{Bench, history::*};

/// Two runs with an event of a newer binary between them, whose payload an older shape would take in; returns its position.
async fn two_runs_around(bench: &Bench, event_type: &str, event_version: &str) -> i64 {
    let before = run(&bench.store, Uuid::from_u128(11), user(7), 3, None).await;
    let event = NewEvent {
        event_type: event_type.to_owned(),
        event_version: event_version.to_owned(),
        payload: r#"{"type": "LedgerRestarted", "engine_version": "1"}"#.to_owned(),
    };
    let append = Append {
        streams: vec![StreamAppend {
            aggregate_type: "ledger",
            aggregate_id: Uuid::from_u128(99).to_string(),
            expected_sequence: 0,
            events: vec![event],
        }],
        metadata: Metadata::default(),
        command: None,
        reservations: Vec::new(),
        priority: Priority::Interactive,
    };
    bench.store.append(append).await.expect("an append");
    run(&bench.store, Uuid::from_u128(12), user(7), 4, None).await;
    before + 1
}

#[tokio::test]
async fn a_projection_rests_before_an_event_type_that_it_does_not_know() {
    rests_and_resumes("TradeSplit", "1.0").await;
}

#[tokio::test]
async fn a_projection_rests_before_version_99() {
    rests_and_resumes("LedgerRestarted", "99").await;
}

async fn rests_and_resumes(event_type: &str, event_version: &str) {
    let bench = Bench::new().await;
    let ahead = two_runs_around(&bench, event_type, event_version).await;
    for _ in 0..2 {
        let rests = runner::catch_up(&bench.reads, &bench.store, trades::NAME).await.unwrap_err();
        assert!(matches!(&rests, CatchUpError::Ahead(found) if found.position == ahead), "{rests}");
        assert!(rests.to_string().contains(event_type), "{rests}");
        assert_eq!(bench.rows("trades_v4").await.len(), 3, "what came before is in");
    }

    let all = bench.reads.status().await.unwrap();
    let status = all.iter().find(|status| status.name == trades::NAME).unwrap();
    assert_eq!((status.state, status.position), (State::Resting, ahead - 1));
    assert_eq!(status.dead_letters_count, 0);
    let reason = status.reason.clone().unwrap();
    assert!(reason.contains(&format!("`{event_type}` {event_version} of `ledger`")), "{reason}");
    assert_eq!(bench.reads.dead_letters().await.unwrap(), []);
    let trouble = bench.reads.trouble().await.unwrap().unwrap();
    assert!(trouble.contains(event_type) || trouble.contains("being built"), "{trouble}");
    let rebuilt = bench.reads.rebuild(&bench.store, trades::NAME, |_| {}).await;
    assert!(matches!(rebuilt, Err(RebuildError::Ahead(_))), "{rebuilt:?}");

    // To a newer binary it is an event like the others.
    let known = format!(
        "ALTER TABLE events DISABLE TRIGGER refuse_change; UPDATE events SET \
         event_type = 'LedgerRestarted', event_version = '1.0' WHERE position = {ahead}"
    );
    bench.database.superuser().await.batch_execute(&known).await.unwrap();
    runner::catch_up(&bench.reads, &bench.store, trades::NAME).await.unwrap();
    assert_eq!(bench.rows("trades_v4").await.len(), 7);
    let all = bench.reads.status().await.unwrap();
    let status = all.iter().find(|status| status.name == trades::NAME).unwrap();
    assert_eq!((status.state, &status.reason), (State::Live, &None));
}

#[tokio::test]
async fn projections_of_other_aggregates_do_not_mind() {
    let bench = Bench::new().await;
    two_runs_around(&bench, "TradeSplit", "1.0").await;
    runner::catch_up(&bench.reads, &bench.store, "strategies").await.unwrap();
    let all = bench.reads.status().await.unwrap();
    let strategies = all.iter().find(|status| status.name == "strategies").unwrap();
    assert_eq!((strategies.state, strategies.lag), (State::Live, 0));
}
