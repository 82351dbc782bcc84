//! Given events, when a command, then events: every command in every state.

use cqrs_es::test::TestFramework;
use rstest::rstest;
use serde_json::json;

use crate::ids::UserId;
use crate::strategy::{
    Strategy, StrategyCommand, StrategyContent, StrategyDefinition, StrategyError, StrategyEvent,
};

fn content(name: &str) -> StrategyContent {
    let body = json!({
        "entry_rules": {"indicator": "rsi(14)", "comparator": "<", "value": 30},
        "exit_rules": {"indicator": "rsi(14)", "comparator": ">", "value": 70},
    });
    StrategyContent {
        name: name.to_owned(),
        description: String::new(),
        definition: StrategyDefinition::parse(body.as_object().unwrap()).unwrap(),
        default_symbol: None,
    }
}

fn create(name: &str, is_active: bool, is_public: bool) -> StrategyCommand {
    StrategyCommand::Create {
        owner_id: UserId::default(),
        slug: "dip".to_owned(),
        content: content(name),
        is_active,
        is_public,
    }
}

fn created(is_active: bool, is_public: bool) -> StrategyEvent {
    StrategyEvent::StrategyCreated {
        owner_id: UserId::default(),
        slug: "dip".to_owned(),
        content: content("Dip"),
        is_active,
        is_public,
    }
}

fn revise(name: &str, is_active: bool, is_public: bool) -> StrategyCommand {
    StrategyCommand::Revise { content: content(name), is_active, is_public }
}

fn revised(name: &str, version: u32) -> StrategyEvent {
    StrategyEvent::StrategyRevised { version, content: content(name) }
}

const ACTIVATED: StrategyEvent = StrategyEvent::StrategyActivated {};
const DEACTIVATED: StrategyEvent = StrategyEvent::StrategyDeactivated {};
const PUBLISHED: StrategyEvent = StrategyEvent::StrategyPublished {};
const UNPUBLISHED: StrategyEvent = StrategyEvent::StrategyUnpublished {};
const DELETED: StrategyEvent = StrategyEvent::StrategyDeleted {};

#[rstest]
#[case::created(vec![], create("Dip", true, false), vec![created(true, false)])]
#[case::created_again(vec![created(true, false)], create("Dip", true, false), vec![])]
#[case::revised(vec![created(true, false)], revise("Drop", true, false), vec![revised("Drop", 2)])]
#[case::revised_without_difference(vec![created(true, false)], revise("Dip", true, false), vec![])]
#[case::revised_again(
    vec![created(true, false), revised("Drop", 2)],
    revise("Drop", true, false),
    vec![]
)]
#[case::revised_back(
    vec![created(true, false), revised("Drop", 2)],
    revise("Dip", true, false),
    vec![revised("Dip", 3)]
)]
#[case::deactivated(vec![created(true, false)], revise("Dip", false, false), vec![DEACTIVATED])]
#[case::deactivated_again(
    vec![created(true, false), DEACTIVATED],
    revise("Dip", false, false),
    vec![]
)]
#[case::activated(
    vec![created(true, false), DEACTIVATED],
    revise("Dip", true, false),
    vec![ACTIVATED]
)]
#[case::published(vec![created(true, false)], revise("Dip", true, true), vec![PUBLISHED])]
#[case::published_again(vec![created(true, false), PUBLISHED], revise("Dip", true, true), vec![])]
#[case::unpublished(vec![created(true, true)], revise("Dip", true, false), vec![UNPUBLISHED])]
#[case::everything_at_once(
    vec![created(true, false)],
    revise("Drop", false, true),
    vec![revised("Drop", 2), DEACTIVATED, PUBLISHED]
)]
#[case::deleted(vec![created(true, false)], StrategyCommand::Delete, vec![DELETED])]
#[case::deleted_while_inactive(
    vec![created(true, false), DEACTIVATED, PUBLISHED],
    StrategyCommand::Delete,
    vec![DELETED]
)]
fn a_command_makes_events(
    #[case] given: Vec<StrategyEvent>,
    #[case] when: StrategyCommand,
    #[case] then: Vec<StrategyEvent>,
) {
    TestFramework::<Strategy>::with(()).given(given).when(when).then_expect_events(then);
}

#[rstest]
#[case::other_creation(vec![created(true, false)], create("Drop", true, false), StrategyError::AlreadyExists)]
#[case::creation_with_other_flags(vec![created(true, false)], create("Dip", true, true), StrategyError::AlreadyExists)]
#[case::creation_after_a_revision(
    vec![created(true, false), revised("Drop", 2)],
    create("Drop", true, false),
    StrategyError::AlreadyExists
)]
#[case::creation_after_deletion(
    vec![created(true, false), DELETED],
    create("Dip", true, false),
    StrategyError::AlreadyExists
)]
#[case::revision_of_nothing(vec![], revise("Dip", true, false), StrategyError::NotFound)]
#[case::deletion_of_nothing(vec![], StrategyCommand::Delete, StrategyError::NotFound)]
#[case::revision_after_deletion(
    vec![created(true, false), DELETED],
    revise("Dip", true, false),
    StrategyError::NotFound
)]
#[case::second_deletion(vec![created(true, false), DELETED], StrategyCommand::Delete, StrategyError::NotFound)]
fn a_command_is_refused(
    #[case] given: Vec<StrategyEvent>,
    #[case] when: StrategyCommand,
    #[case] then: StrategyError,
) {
    TestFramework::<Strategy>::with(()).given(given).when(when).then_expect_error(then);
}
