//! Use cases of strategies.

use domain::{
    access::{self, Access, Ownership},
    ids::{StrategyId, UserId},
    strategy::{
        LiveStrategy, Strategy, StrategyCommand, StrategyContent,
        slug::{is_reserved, slug, with_suffix},
    },
};
use infra::postgres::event_store::{Loaded, Reservation, ReservationAction};

use crate::{
    context::{Accepted, CommandContext},
    error::CommandError,
    execute::{Executed, Intent, create, execute, replayed},
    handle::Commands,
};

/// The reservations that make slugs unique; each names its strategy.
const SLUG: &str = "strategy_slug";

/// How often a slug is looked for while others take what was found free.
const SLUG_TRIES_MAX: usize = 50;

/// A strategy as a user wants it; the content is valid by construction.
#[derive(Debug, Clone)]
pub struct StrategyDraft {
    pub content: StrategyContent,
    pub is_active: bool,
    pub is_public: bool,
}

impl Commands {
    /// Creates a strategy under a unique slug (`-2`, `-3` if the name is taken).
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn create_strategy(
        &self,
        context: &CommandContext,
        draft: StrategyDraft,
    ) -> Result<Accepted<StrategyId>, CommandError> {
        if let Some(earlier) = replayed(&self.store, context).await? {
            return strategy_id(earlier);
        }
        let owner_id = context.actor.user_id().ok_or(CommandError::Forbidden)?;
        let base = slug(&draft.content.name);
        // A reserved slug counts as taken.
        let mut number = 1;
        while is_reserved(&with_suffix(&base, number)) {
            number += 1;
        }
        for _ in 0..SLUG_TRIES_MAX {
            let slug = with_suffix(&base, number);
            match self.create_as(context, owner_id, slug, draft.clone()).await? {
                Some(accepted) => return Ok(accepted),
                None => number = self.free_number(owner_id, &base, number).await?,
            }
        }
        Err(CommandError::Conflict("strategy"))
    }

    /// Replaces content and flags; what does not differ makes no event.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn revise_strategy(
        &self,
        context: &CommandContext,
        id: StrategyId,
        draft: StrategyDraft,
    ) -> Result<Accepted<()>, CommandError> {
        let intend = |loaded: &Loaded<Strategy>| {
            writable(context, loaded)?;
            let StrategyDraft { content, is_active, is_public } = draft.clone();
            Ok(StrategyCommand::Revise { content, is_active, is_public })
        };
        execute(self, &id.to_string(), context, intend).await?.accepted(|_: Strategy| ())
    }

    /// Deletes a strategy and frees its slug.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn delete_strategy(
        &self,
        context: &CommandContext,
        id: StrategyId,
    ) -> Result<Accepted<()>, CommandError> {
        let intend = |loaded: &Loaded<Strategy>| {
            let live = writable(context, loaded)?;
            let release = Reservation {
                kind: SLUG,
                owner_id: live.owner_id,
                name: live.slug.clone(),
                aggregate_id: id.to_string(),
                action: ReservationAction::Release,
            };
            Ok(Intent { command: StrategyCommand::Delete, reservations: vec![release] })
        };
        execute(self, &id.to_string(), context, intend).await?.accepted(|_: Strategy| ())
    }

    /// The owner's strategy that has a slug, from the moment when it takes it: no read model need know it yet.
    ///
    /// # Errors
    /// The database.
    pub async fn strategy_with_slug(
        &self,
        owner_id: UserId,
        slug: &str,
    ) -> Result<Option<StrategyId>, CommandError> {
        let holder = self.store.reserved(SLUG, owner_id, slug).await?;
        let id = holder.map(|id| id.parse()).transpose();
        id.map_err(|error| CommandError::Internal(format!("{error}")))
    }

    /// Returns `None` if the slug is taken.
    async fn create_as(
        &self,
        context: &CommandContext,
        owner_id: UserId,
        slug: String,
        draft: StrategyDraft,
    ) -> Result<Option<Accepted<StrategyId>>, CommandError> {
        let id = StrategyId::new(self.clock.new_uuid());
        let take = Reservation {
            kind: SLUG,
            owner_id,
            name: slug.clone(),
            aggregate_id: id.to_string(),
            action: ReservationAction::Take,
        };
        let StrategyDraft { content, is_active, is_public } = draft;
        let command = StrategyCommand::Create { owner_id, slug, content, is_active, is_public };
        let intent = Intent { command, reservations: vec![take] };
        match create::<Strategy>(self, &id.to_string(), context, intent).await? {
            Executed::Done { position, .. } => {
                Ok(Some(Accepted { value: id, position, is_replayed: false }))
            }
            Executed::Replayed { aggregate_id, position } => {
                strategy_id(Accepted { value: aggregate_id, position, is_replayed: true }).map(Some)
            }
            Executed::Taken => Ok(None),
        }
    }

    /// A number above `taken` whose slug is free: by doubling and halving, so that the thousandth strategy of
    /// a name costs twenty look-ups.
    async fn free_number(
        &self,
        owner_id: UserId,
        base: &str,
        taken: u32,
    ) -> Result<u32, CommandError> {
        let is_free = async |number: u32| {
            let name = with_suffix(base, number);
            if is_reserved(&name) {
                return Ok(false);
            }
            self.strategy_with_slug(owner_id, &name).await.map(|holder| holder.is_none())
        };
        let (mut taken, mut step) = (taken, 1);
        while !is_free(taken.saturating_add(step)).await? {
            taken = taken.saturating_add(step);
            step = step.saturating_mul(2);
        }
        let mut free = taken.saturating_add(step);
        while free - taken > 1 {
            let middle = taken + (free - taken) / 2;
            if is_free(middle).await? {
                free = middle;
            } else {
                taken = middle;
            }
        }
        Ok(free)
    }
}

/// The strategy, if it exists and the actor may change it.
fn writable<'a>(
    context: &CommandContext,
    loaded: &'a Loaded<Strategy>,
) -> Result<&'a LiveStrategy, CommandError> {
    let live = loaded.aggregate.live.as_ref().ok_or(CommandError::NotFound("strategy"))?;
    let ownership = Ownership { owner_id: Some(live.owner_id), is_public: live.is_public };
    access::check(&context.actor, Access::Write, ownership)?;
    Ok(live)
}

fn strategy_id(accepted: Accepted<String>) -> Result<Accepted<StrategyId>, CommandError> {
    let Accepted { value, position, is_replayed } = accepted;
    let value = value.parse().map_err(|error| CommandError::Internal(format!("{error}")))?;
    Ok(Accepted { value, position, is_replayed })
}
