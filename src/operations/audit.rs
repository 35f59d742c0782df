//! The audit: every action of a person, written down before it is done and told its end.

use super::{Done, Operations, who::who};
use crate::model::ConnectionName;
use crate::model::audit::AuditEntry;
use crate::store::NewAudit;

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
}

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
        let result = doing.await;
        let Told { outcome, number } = match &result {
            Ok(value) => told(value),
            Err(problem) => Told {
                outcome: problem.to_string(),
                number: None,
            },
        };
        // It was done, whether or not this can be written down: the row that began tells of it.
        if let Err(error) = store.audit_ends(seq, &outcome, number).await {
            tracing::warn!(%error, "the end of an action could not be written into the audit");
        }
        result
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
        if let Err(problem) = &begun
            && let Err(error) = store.audit_ends(seq, &problem.to_string(), None).await
        {
            tracing::warn!(%error, "the end of an action could not be written into the audit");
        }
        begun
    }

    /// The latest actions of people, the newest first; those of a connection where one is given, and those of all.
    pub async fn audit(&self, limit: u32, only: Option<&ConnectionName>) -> Done<Vec<AuditEntry>> {
        Ok(self.inner.store.audit_of(limit, only).await?)
    }
}
