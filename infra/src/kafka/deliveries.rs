//! Which messages the brokers have, in the order of sending: a checkpoint may only cover what has no hole before it.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use tokio::sync::watch;

/// How far the messages of one producer are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Everything up to this position is with the brokers (or was passed over).
    pub(super) done: i64,
    /// Sent, and not below [`Self::done`].
    pub(super) in_flight: usize,
    /// The first failure that has a reason.
    pub(super) failure: Option<Failure>,
}

/// A message that did not arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) position: i64,
    /// The last one that failed like it: messages travel in batches, and share their fate.
    pub(super) until: i64,
    pub(super) reason: String,
    /// It will not arrive by being sent again.
    pub(super) is_of_the_message: bool,
}

/// The messages of one producer. Delivery reports come partition by partition, so in any order.
pub(super) struct Deliveries {
    sent: Mutex<Sent>,
    progress: watch::Sender<Progress>,
}

#[derive(Default)]
struct Sent {
    /// From the oldest that has not arrived; each with its position, and whether it has arrived.
    messages: VecDeque<(i64, bool)>,
    /// Number of the first of them.
    first: usize,
}

impl Deliveries {
    /// Of a producer that begins after `position`.
    pub(super) fn after(position: i64) -> Self {
        let progress = watch::Sender::new(Progress { done: position, ..Progress::default() });
        Self { sent: Mutex::default(), progress }
    }

    pub(super) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Notes a message before it is sent; returns its number.
    pub(super) fn sending(&self, position: i64) -> usize {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.messages.push_back((position, false));
        let number = sent.first + sent.messages.len() - 1;
        self.progress.send_modify(|progress| progress.in_flight = sent.messages.len());
        number
    }

    /// The last one noted was not sent after all.
    pub(super) fn not_sent(&self) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.messages.pop_back();
        self.progress.send_modify(|progress| progress.in_flight = sent.messages.len());
    }

    /// A message has arrived.
    pub(super) fn arrived(&self, number: usize) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let place = number.checked_sub(sent.first);
        let Some(message) = place.and_then(|place| sent.messages.get_mut(place)) else { return };
        message.1 = true;
        if place != Some(0) {
            return;
        }
        let mut done = None;
        while let Some((position, true)) = sent.messages.front().copied() {
            done = Some(position);
            sent.messages.pop_front();
            sent.first += 1;
        }
        self.progress.send_modify(|progress| {
            progress.done = done.unwrap_or(progress.done);
            progress.in_flight = sent.messages.len();
        });
    }

    /// A message will not arrive.
    pub(super) fn failed(&self, number: usize, reason: &str, is_of_the_message: bool) {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let place = number.checked_sub(sent.first);
        let Some((position, _)) = place.and_then(|place| sent.messages.get(place)).copied() else {
            return;
        };
        self.progress.send_modify(|progress| match &mut progress.failure {
            Some(known) if known.is_of_the_message && !is_of_the_message => {}
            Some(known) if known.is_of_the_message == is_of_the_message => {
                known.position = known.position.min(position);
                known.until = known.until.max(position);
            }
            Some(_) | None => {
                let reason = reason.to_owned();
                progress.failure =
                    Some(Failure { position, until: position, reason, is_of_the_message });
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_has_no_hole_before_it() {
        let deliveries = Deliveries::after(10);
        let progress = deliveries.progress();
        let done = || (progress.borrow().done, progress.borrow().in_flight);
        let numbers: Vec<usize> =
            [11, 12, 15, 16].map(|position| deliveries.sending(position)).into();
        assert_eq!(done(), (10, 4));
        deliveries.arrived(numbers[1]);
        deliveries.arrived(numbers[3]);
        assert_eq!(done(), (10, 4));
        deliveries.arrived(numbers[0]);
        assert_eq!(done(), (12, 2));
        deliveries.arrived(numbers[2]);
        assert_eq!(done(), (16, 0));
    }

    #[test]
    fn a_message_that_was_not_sent_leaves_no_trace() {
        let deliveries = Deliveries::after(0);
        let first = deliveries.sending(1);
        deliveries.sending(2);
        deliveries.not_sent();
        let second = deliveries.sending(2);
        deliveries.arrived(second);
        assert_eq!(deliveries.progress().borrow().done, 0);
        deliveries.arrived(first);
        assert_eq!(deliveries.progress().borrow().done, 2);
    }

    #[test]
    fn the_failure_that_is_kept_is_the_first_of_a_message_itself() {
        let deliveries = Deliveries::after(0);
        let numbers: Vec<usize> = (1..=4).map(|position| deliveries.sending(position)).collect();
        let failed = || {
            let failure = deliveries.progress().borrow().failure.clone().unwrap();
            (failure.position, failure.until, failure.is_of_the_message)
        };
        deliveries.failed(numbers[3], "purged", false);
        assert_eq!(failed(), (4, 4, false));
        deliveries.failed(numbers[2], "too large", true);
        deliveries.failed(numbers[0], "purged", false);
        assert_eq!(failed(), (3, 3, true));
        deliveries.failed(numbers[1], "too large", true);
        assert_eq!(failed(), (2, 3, true));
    }
}
