//! Appends and their outcomes.

use domain::ids::UserId;
use futures_util::future::join_all;
use infra::postgres::event_store::{Append, Outcome, Priority, Reservation, ReservationAction};
use tests::TestDatabase;
use uuid::Uuid;

use super::{append_to, command};

fn slug(name: &str, action: ReservationAction) -> Reservation {
    Reservation {
        kind: "strategy_slug",
        owner_id: UserId::new(Uuid::from_u128(7)),
        name: name.to_owned(),
        aggregate_id: "holder".to_owned(),
        action,
    }
}

#[tokio::test]
async fn positions_are_dense_from_one_over_all_streams() {
    let test = TestDatabase::new().await;
    let store = test.store();
    assert_eq!(store.head().await.unwrap(), 0);
    let first = store.append(append_to("a", 0, 3)).await.unwrap();
    assert_eq!(first, Outcome::Appended { first_position: 1, last_position: 3 });
    let second = store.append(append_to("b", 0, 2)).await.unwrap();
    assert_eq!(second, Outcome::Appended { first_position: 4, last_position: 5 });
    let positions: Vec<i64> =
        store.read_after(0, 10).await.unwrap().iter().map(|event| event.position).collect();
    assert_eq!(positions, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn an_append_to_several_streams_is_all_or_nothing() {
    let test = TestDatabase::new().await;
    let store = test.store();
    store.append(append_to("old", 0, 1)).await.unwrap();
    let mut both = append_to("new", 0, 1);
    both.streams.extend(append_to("old", 0, 1).streams);
    assert_eq!(store.append(both.clone()).await.unwrap(), Outcome::Conflict);
    assert_eq!(store.head().await.unwrap(), 1);
    both.streams[1].expected_sequence = 1;
    let done = store.append(both).await.unwrap();
    assert_eq!(done, Outcome::Appended { first_position: 2, last_position: 3 });
}

#[tokio::test]
async fn of_two_writers_with_the_same_expected_sequence_one_wins() {
    let test = TestDatabase::new().await;
    let (here, there) = (test.store(), test.store());
    for sequence in 0..50 {
        let (one, two) = tokio::join!(
            here.append(append_to("contended", sequence, 1)),
            there.append(append_to("contended", sequence, 1)),
        );
        let outcomes = [one.unwrap(), two.unwrap()];
        let won = outcomes.iter().filter(|o| matches!(o, Outcome::Appended { .. })).count();
        let lost = outcomes.iter().filter(|o| **o == Outcome::Conflict).count();
        assert_eq!((won, lost), (1, 1), "{outcomes:?}");
    }
}

#[tokio::test]
async fn the_innocent_of_a_group_are_not_disturbed_by_its_losers() {
    let test = TestDatabase::new().await;
    let store = test.store();
    store.append(append_to("contended", 0, 1)).await.unwrap();
    let appends = (0..100).map(|number| {
        let append = match number % 10 {
            3 => append_to("contended", 0, 1),
            7 => {
                let mut refused = append_to(&format!("refused {number}"), 0, 1);
                refused.streams[0].events[0].payload = "not JSON".to_owned();
                refused
            }
            _ => append_to(&format!("innocent {number}"), 0, 2),
        };
        store.append(append)
    });
    let outcomes = join_all(appends).await;
    for (number, outcome) in outcomes.into_iter().enumerate() {
        match number % 10 {
            3 => assert_eq!(outcome.unwrap(), Outcome::Conflict),
            7 => assert!(outcome.unwrap_err().to_string().contains("json"), "{number}"),
            _ => assert!(matches!(outcome.unwrap(), Outcome::Appended { .. }), "{number}"),
        }
    }
    assert_eq!(store.head().await.unwrap(), 1 + 80 * 2);
}

#[tokio::test]
async fn a_repeated_command_is_answered_with_the_first_one() {
    let test = TestDatabase::new().await;
    let store = test.store();
    let mut first = append_to("a", 0, 2);
    first.command = Some(command("key", "a"));
    let mut again = append_to("b", 0, 2);
    again.command = Some(command("key", "b"));
    let duplicate =
        Outcome::Duplicate { position: 2, aggregate_id: "a".to_owned(), body_hash: vec![1, 2, 3] };
    // In one group, and later.
    let (one, two) = tokio::join!(store.append(first), store.append(again.clone()));
    assert_eq!(one.unwrap(), Outcome::Appended { first_position: 1, last_position: 2 });
    assert_eq!(two.unwrap(), duplicate);
    assert_eq!(store.append(again.clone()).await.unwrap(), duplicate);

    let mut other_route = again;
    other_route.command.as_mut().unwrap().route = "POST /others".to_owned();
    assert!(matches!(store.append(other_route).await.unwrap(), Outcome::Appended { .. }));
}

#[tokio::test]
async fn a_key_may_be_used_again_after_a_day() {
    let test = TestDatabase::new().await;
    let store = test.store();
    let keyed = |stream: &str| {
        let mut append = append_to(stream, 0, 1);
        append.command = Some(command("key", stream));
        append
    };
    store.append(keyed("a")).await.unwrap();
    let age = "UPDATE command_ids SET recorded_at = recorded_at - interval '24 hours 1 second'";
    test.superuser().await.batch_execute(age).await.unwrap();
    let second = store.append(keyed("b")).await.unwrap();
    assert_eq!(second, Outcome::Appended { first_position: 2, last_position: 2 });
    assert!(matches!(store.append(keyed("c")).await.unwrap(), Outcome::Duplicate { .. }));
}

#[tokio::test]
async fn a_name_is_taken_once_and_may_be_taken_again_after_its_release() {
    let test = TestDatabase::new().await;
    let store = test.store();
    let reserving = |stream: &str, sequence, action| {
        let mut append = append_to(stream, sequence, 1);
        append.reservations = vec![slug("trend", action)];
        append
    };
    let taken = Outcome::Taken { kind: "strategy_slug".to_owned(), name: "trend".to_owned() };
    let (one, two) = tokio::join!(
        store.append(reserving("a", 0, ReservationAction::Take)),
        store.append(reserving("b", 0, ReservationAction::Take)),
    );
    assert!(matches!(one.unwrap(), Outcome::Appended { .. }));
    assert_eq!(two.unwrap(), taken);
    let third = store.append(reserving("c", 0, ReservationAction::Take)).await.unwrap();
    assert_eq!(third, taken);
    store.append(reserving("a", 1, ReservationAction::Release)).await.unwrap();
    let fourth = store.append(reserving("c", 0, ReservationAction::Take)).await.unwrap();
    assert_eq!(fourth, Outcome::Appended { first_position: 3, last_position: 3 });
}

#[tokio::test]
async fn interactive_commands_go_before_ledgers_that_wait_longer() {
    let test = TestDatabase::new().await;
    let store = test.store();
    let ledgers = |numbers: std::ops::Range<i32>| {
        numbers.map(|number| {
            let ledger = append_to(&format!("ledger {number}"), 0, 250);
            Append { priority: Priority::Ledger, ..ledger }
        })
    };
    // So that none of the groups waits until its connection is made.
    join_all(ledgers(0..4).map(|append| store.append(append))).await;
    let appends = ledgers(4..44).chain([append_to("command", 0, 1)]);
    let outcomes = join_all(appends.map(|append| store.append(append))).await;
    let Outcome::Appended { first_position: position, .. } =
        *outcomes.last().unwrap().as_ref().unwrap()
    else {
        panic!("the command was not appended")
    };
    // Groups that are on their way beside it may be done first.
    let waited = position - 1 - 4 * 250;
    assert!(waited <= 2_000, "the command waited for {waited} ledger events of 10,000");
    assert_eq!(store.head().await.unwrap(), 44 * 250 + 1);
}

#[tokio::test]
async fn an_append_larger_than_a_group_is_appended_whole() {
    let test = TestDatabase::new().await;
    let store = test.store();
    let (large, small) =
        tokio::join!(store.append(append_to("large", 0, 5000)), store.append(append_to("a", 0, 1)));
    let Outcome::Appended { first_position, last_position } = large.unwrap() else { panic!() };
    assert_eq!(last_position - first_position, 4999);
    assert!(matches!(small.unwrap(), Outcome::Appended { .. }));
}

#[tokio::test]
async fn commands_are_forgotten_when_nobody_may_repeat_them() {
    let test = TestDatabase::new().await;
    let store = test.store();
    for (stream, age) in [("old", "26 hours"), ("recent", "23 hours")] {
        let mut append = append_to(stream, 0, 1);
        append.command = Some(command(stream, stream));
        store.append(append).await.unwrap();
        let age = format!(
            "UPDATE command_ids SET recorded_at = recorded_at - interval '{age}' WHERE key = '{stream}'"
        );
        test.superuser().await.batch_execute(&age).await.unwrap();
    }
    let app = test.database.get().await.unwrap();
    let forget =
        async || -> i64 { app.query_one("SELECT forget_commands()", &[]).await.unwrap().get(0) };
    assert_eq!((forget().await, forget().await), (1, 0));
    let owner = UserId::new(Uuid::from_u128(7));
    assert_eq!(store.find_command(owner, "POST /tallies", "old").await.unwrap(), None);
    let recent = store.find_command(owner, "POST /tallies", "recent").await.unwrap();
    let duplicate = Outcome::Duplicate {
        position: 2,
        aggregate_id: "recent".to_owned(),
        body_hash: vec![1, 2, 3],
    };
    assert_eq!(recent, Some(duplicate));
}
