//! Creating, revising and deleting strategies.

use commands::{CommandContext, CommandError, Commands, IdempotencyKey, StrategyDraft};
use domain::{
    ids::{StrategyId, UserId},
    strategy::{LiveStrategy, Strategy},
};
use futures_util::future::join_all;
use infra::clock::Clock;

use crate::executor::desk::{Desk, context, draft, restless, user};

fn named(name: &str) -> StrategyDraft {
    draft(name, &restless())
}

async fn create(commands: &Commands, user: UserId, name: &str) -> StrategyId {
    commands.create_strategy(&context(user), named(name)).await.unwrap().value
}

async fn live(desk: &Desk, id: StrategyId) -> Option<LiveStrategy> {
    desk.store.load::<Strategy>(&id.to_string()).await.unwrap().aggregate.live
}

async fn slug(desk: &Desk, id: StrategyId) -> String {
    live(desk, id).await.unwrap().slug
}

fn keyed(user: UserId, key: &str, body: &[u8]) -> CommandContext {
    let idempotency = IdempotencyKey {
        route: "POST /strategies".to_owned(),
        key: key.to_owned(),
        body_hash: body.to_vec(),
    };
    CommandContext { idempotency: Some(idempotency), ..context(user) }
}

#[tokio::test]
async fn a_name_that_is_taken_gets_the_next_number_and_each_user_has_their_own() {
    let desk = Desk::with_minutes(10).await;
    let (anna, ben) = (user(), user());
    let mut slugs = Vec::new();
    for owner in [anna, anna, anna, anna, anna, anna, ben] {
        let id = create(&desk.commands, owner, "My Strategy").await;
        slugs.push(slug(&desk, id).await);
    }
    let expected = [
        "my-strategy",
        "my-strategy-2",
        "my-strategy-3",
        "my-strategy-4",
        "my-strategy-5",
        "my-strategy-6",
        "my-strategy",
    ];
    assert_eq!(slugs, expected);
}

#[tokio::test]
async fn slugs_of_built_ins_and_path_words_are_never_given() {
    let desk = Desk::with_minutes(10).await;
    let owner = user();
    let mut slugs = Vec::new();
    for name in ["Golden Cross", "golden_cross", "Validate", "Connors RSI", "Connors RSI"] {
        let id = create(&desk.commands, owner, name).await;
        slugs.push(slug(&desk, id).await);
    }
    // `connors-rsi-2` is a built-in's.
    let expected =
        ["golden-cross-2", "golden-cross-3", "validate-2", "connors-rsi", "connors-rsi-3"];
    assert_eq!(slugs, expected);
    let id = create(&desk.commands, owner, "0190163d-8694-739b-aea5-966c26f8ad91").await;
    assert_eq!(slug(&desk, id).await, "0190163d-8694-739b-aea5-966c26f8ad91-2");
}

#[tokio::test]
async fn ten_at_once_under_one_name_all_get_a_slug_of_their_own() {
    let desk = Desk::with_minutes(10).await;
    let owner = user();
    let created = join_all((0..10).map(|_| create(&desk.commands, owner, "Same"))).await;
    let mut slugs = join_all(created.into_iter().map(|id| slug(&desk, id))).await;
    slugs.sort();
    slugs.dedup();
    assert_eq!(slugs.len(), 10, "{slugs:?}");
}

#[tokio::test]
async fn deleting_frees_the_slug() {
    let desk = Desk::with_minutes(10).await;
    let owner = user();
    let first = create(&desk.commands, owner, "Mine").await;
    desk.commands.delete_strategy(&context(owner), first).await.unwrap();
    assert_eq!(live(&desk, first).await, None);
    let second = create(&desk.commands, owner, "Mine").await;
    assert_eq!(slug(&desk, second).await, "mine");
    let again = desk.commands.delete_strategy(&context(owner), first).await.unwrap_err();
    assert!(matches!(again, CommandError::NotFound("strategy")));
}

#[tokio::test]
async fn a_request_that_is_sent_again_with_its_key_makes_one_strategy() {
    let desk = Desk::with_minutes(10).await;
    let owner = user();
    let context = keyed(owner, "k", b"one");
    let send = || desk.commands.create_strategy(&context, named("Once"));
    let answers = join_all((0..5).map(|_| send())).await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    let (value, position) = (answers[0].value, answers[0].position);
    assert!(answers.iter().all(|answer| (answer.value, answer.position) == (value, position)));
    assert_eq!(answers.iter().filter(|answer| !answer.is_replayed).count(), 1);
    let later = send().await.unwrap();
    assert_eq!((later.value, later.position, later.is_replayed), (value, position, true));
    let head = desk.store.head().await.unwrap();
    assert_eq!(head, 1);
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused_and_belongs_to_its_user() {
    let desk = Desk::with_minutes(10).await;
    let (anna, ben) = (user(), user());
    desk.commands.create_strategy(&keyed(anna, "k", b"one"), named("One")).await.unwrap();
    let other = desk.commands.create_strategy(&keyed(anna, "k", b"two"), named("Two")).await;
    assert!(matches!(other.unwrap_err(), CommandError::IdempotencyMismatch));
    let bens = desk.commands.create_strategy(&keyed(ben, "k", b"two"), named("Two")).await;
    assert!(!bens.unwrap().is_replayed);
}

#[tokio::test]
async fn revising_to_the_same_makes_no_event_and_answers_with_the_earlier_position() {
    let desk = Desk::with_minutes(10).await;
    let owner = user();
    let created = desk.commands.create_strategy(&context(owner), named("Mine")).await.unwrap();
    let same = desk.commands.revise_strategy(&context(owner), created.value, named("Mine")).await;
    assert_eq!(same.unwrap().position, created.position);
    let other = desk.commands.revise_strategy(&context(owner), created.value, named("New")).await;
    assert_eq!(other.unwrap().position, created.position + 1);
    let live = live(&desk, created.value).await.unwrap();
    assert_eq!((live.version, live.slug.as_str()), (2, "mine"), "the slug stays");
}

#[tokio::test]
async fn revisions_at_the_same_time_are_decided_one_after_the_other() {
    let desk = Desk::with_minutes(10).await;
    let owner = user();
    let id = create(&desk.commands, owner, "Mine").await;
    let context = context(owner);
    let revise = |name| desk.commands.revise_strategy(&context, id, named(name));
    let (one, two) = tokio::join!(revise("One"), revise("Two"));
    assert_ne!(one.unwrap().position, two.unwrap().position);
    assert_eq!(live(&desk, id).await.unwrap().version, 3);
}

#[tokio::test]
async fn a_precondition_that_does_not_hold_says_where_the_strategy_is() {
    let desk = Desk::with_minutes(10).await;
    let owner = user();
    let id = create(&desk.commands, owner, "Mine").await;
    let at =
        |sequence| CommandContext { expected_sequences: Some(vec![sequence]), ..context(owner) };
    let stale = desk.commands.revise_strategy(&at(7), id, named("New")).await.unwrap_err();
    assert!(matches!(stale, CommandError::PreconditionFailed { actual: 1 }));
    desk.commands.revise_strategy(&at(1), id, named("New")).await.unwrap();
    let stale = desk.commands.delete_strategy(&at(1), id).await.unwrap_err();
    assert!(matches!(stale, CommandError::PreconditionFailed { actual: 2 }));
    desk.commands.delete_strategy(&at(2), id).await.unwrap();
}

#[tokio::test]
async fn nobody_changes_anothers_strategy_not_even_a_public_one() {
    let desk = Desk::with_minutes(10).await;
    let (anna, ben) = (user(), user());
    let public = StrategyDraft { is_public: true, ..named("Hers") };
    let id = desk.commands.create_strategy(&context(anna), public).await.unwrap().value;
    let revised = desk.commands.revise_strategy(&context(ben), id, named("His")).await;
    assert!(matches!(revised.unwrap_err(), CommandError::Forbidden));
    let deleted = desk.commands.delete_strategy(&context(ben), id).await;
    assert!(matches!(deleted.unwrap_err(), CommandError::Forbidden));
    let nothing = StrategyId::new(Clock::system().new_uuid());
    let missing = desk.commands.delete_strategy(&context(ben), nothing).await;
    assert!(matches!(missing.unwrap_err(), CommandError::NotFound("strategy")));
}
