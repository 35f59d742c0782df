//! The audit: every action of a person, written down before it is done and told its end.

use super::{Done, Operations, who::who};
use crate::model::ConnectionName;
use crate::model::audit::AuditEntry;
use crate::store::NewAudit;
use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError};

/// What a person is about to do.
pub(super) struct Act(NewAudit);

impl Act {
    /// An action on something: `retry` of `state:failed`.
    pub(super) fn new(action: &str, target: impl Into<String>) -> Self {
        Self(NewAudit {
            who: who(),
            action: action.to_owned(),
            target: target.into(),
            ..NewAudit::default()
        })
    }

    /// Of a connection.
    pub(super) fn of(mut self, connection: &ConnectionName) -> Self {
        self.0.connection = connection.to_string();
        self
    }

    /// For a reason that the person gave.
    pub(super) fn reason(mut self, reason: &str) -> Self {
        self.0.reason = Some(reason.to_owned());
        self
    }
}

/// What is written down of how an action ended.
pub(super) struct Told {
    /// `done`, or what is not.
    pub outcome: String,
    /// Number of jobs or records that it changed.
    pub number: Option<u64>,
    /// What it was about, where that is known only now: the id of what was made.
    pub target: Option<String>,
}

/// How an action stands that was not waited for to its end: what it enqueued goes on without it.
const LEFT: &str = "its process ended before it did";

impl Operations {
    /// Does what a person wants and keeps who, when, what and how it ended. What cannot be written down is not done.
    pub(super) async fn audited<T>(
        &self,
        act: Act,
        doing: impl Future<Output = Done<T>>,
        number: impl Fn(&T) -> Option<u64>,
    ) -> Done<T> {
        let told = |value: &T| Told {
            outcome: "done".to_owned(),
            number: number(value),
            target: None,
        };
        self.audited_as(act, doing, told).await
    }

    /// As [`Operations::audited`], where what is done may end in more than one way.
    pub(super) async fn audited_as<T>(
        &self,
        act: Act,
        doing: impl Future<Output = Done<T>>,
        told: impl Fn(&T) -> Told,
    ) -> Done<T> {
        let store = &self.inner.store;
        let seq = store.audit_begins(&act.0).await?;
        self.acts().insert(seq);
        let result = doing.await;
        let told = match &result {
            Ok(value) => told(value),
            Err(problem) => Told {
                outcome: problem.to_string(),
                number: None,
                target: None,
            },
        };
        self.audit_ends(seq, &told).await;
        // Only now: a process that ends before this has the row told by `leave_acts`.
        self.acts().remove(&seq);
        result
    }

    /// It was done, whether or not this can be written down: the row that began tells of it.
    async fn audit_ends(&self, seq: i64, told: &Told) {
        let (outcome, target) = (&told.outcome, told.target.as_deref());
        let ended = self
            .inner
            .store
            .audit_ends(seq, outcome, told.number, target);
        if let Err(error) = ended.await {
            tracing::warn!(%error, "the end of an action could not be written into the audit");
        }
    }

    /// The process ends: whoever reads the audit is to know of what was not waited for to its end.
    pub(super) async fn leave_acts(&self) {
        let left = std::mem::take(&mut *self.acts());
        for seq in left {
            if let Err(error) = self.inner.store.audit_left(seq, LEFT).await {
                tracing::warn!(%error, "what became of an action could not be written into the audit");
            }
        }
    }

    /// The rows of actions under way.
    fn acts(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        let acts = self.inner.acts.lock();
        acts.unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Operations::audited`], of what is begun now and ends behind the person's back: who ends it tells the row, whose
    /// number is given to `doing`. It says `begun` until then.
    pub(super) async fn audited_later<T>(
        &self,
        act: Act,
        doing: impl AsyncFnOnce(i64) -> Done<T>,
    ) -> Done<T> {
        let store = &self.inner.store;
        let seq = store.audit_begins(&act.0).await?;
        let begun = doing(seq).await;
        if let Err(problem) = &begun {
            let told = Told {
                outcome: problem.to_string(),
                number: None,
                target: None,
            };
            self.audit_ends(seq, &told).await;
        }
        begun
    }

    /// The latest actions of people, the newest first; those of a connection where one is given, and those of all.
    pub async fn audit(&self, limit: u32, only: Option<&ConnectionName>) -> Done<Vec<AuditEntry>> {
        Ok(self.inner.store.audit_of(limit, only).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::demo::Demo;
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::task::Poll;

    #[tokio::test]
    async fn an_action_whose_process_ends_before_its_end_is_written_is_told_to_be_left() {
        let demo = Demo::start(1).await.unwrap();
        let operations = &demo.operations;
        let done = Cell::new(false);
        let doing = async {
            done.set(true);
            Ok(())
        };
        let mut acting = Box::pin(operations.audited(Act::new("sync", "a"), doing, |()| None));
        while !done.get() {
            let acted = poll_fn(|cx| Poll::Ready(acting.as_mut().poll(cx))).await;
            assert!(acted.is_pending());
            tokio::task::yield_now().await;
        }
        // It was done, and its end is on its way into the store.
        drop(acting);
        operations.leave_acts().await;
        let outcome = async || operations.audit(1, None).await.unwrap()[0].outcome.clone();
        assert_eq!(outcome().await.as_deref(), Some(LEFT));
        // An end that was written just before stays.
        let acting = operations.audited(Act::new("sync", "b"), async { Ok(()) }, |()| None);
        acting.await.unwrap();
        operations.acts().extend(0..10);
        operations.leave_acts().await;
        assert_eq!(outcome().await.as_deref(), Some("done"));
        demo.end().await;
    }
}
