//! Pausing accounts and mappings, and letting them go on.

use super::audit::Act;
use super::{Done, Operations, who::who};
use crate::model::{ConnectionName, ErrorClass, MappingName, Pause, Problem};
use crate::store::NewPause;
use jiff::{SignedDuration, Timestamp};
use std::fmt;

/// What a pause is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every connection of config.toml.
    All,
    Connection(ConnectionName),
    Mapping(MappingName),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("everything"),
            Self::Connection(name) => write!(f, "connection {name}"),
            Self::Mapping(name) => write!(f, "mapping {name}"),
        }
    }
}

/// A point in time such as `2026-11-30T08:00:00Z`, or a length of time from now such as `90s`, `15m`, `2h`, `1d`.
pub fn moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(at) = text.parse() {
        return Some(at);
    }
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let number: i64 = text[..text.len() - 1].parse().ok()?;
    let seconds = number.checked_mul(unit).filter(|seconds| *seconds > 0)?;
    now.checked_add(SignedDuration::from_secs(seconds)).ok()
}

impl Operations {
    /// The pauses in force: persons' and breakers'.
    pub async fn pauses(&self) -> Done<Vec<Pause>> {
        Ok(self.inner.store.pauses().await?)
    }

    /// Lets no job of the scope begin until a person resumes it, or until `until`. What was sent is still confirmed; a running
    /// export sends nothing new and waits. Answers with the pauses that are in force then.
    ///
    /// # Errors
    /// There is no such connection or mapping, no reason was given, or the time is over.
    pub async fn pause(
        &self,
        scope: &Scope,
        reason: &str,
        until: Option<Timestamp>,
    ) -> Done<Vec<Pause>> {
        self.writable()?;
        let reason = reason.trim();
        if reason.is_empty() {
            return Err(Problem::new(ErrorClass::Config, "a pause needs a reason")
                .remedy("whoever finds the queue paused wants to know why"));
        }
        if until.is_some_and(|until| until <= Timestamp::now()) {
            return Err(
                Problem::new(ErrorClass::Config, "that time is over").remedy("give a later one")
            );
        }
        for (connection, mapping) in self.scopes(scope)? {
            let act = Act::new("pause", scope.to_string())
                .of(&connection)
                .reason(reason);
            let pause = NewPause {
                connection,
                mapping,
                reason: reason.to_owned(),
                by: who(),
                until,
            };
            let doing = async { Ok(self.inner.store.pause(&pause).await?) };
            self.audited(act, doing, |()| None).await?;
        }
        self.pauses().await
    }

    /// Ends the pauses of a scope, also a breaker's: if its credential is still refused, the breaker opens again with the
    /// next job. `All` ends every pause there is. Answers with those that ended.
    ///
    /// # Errors
    /// There is no such connection or mapping.
    pub async fn resume(&self, scope: &Scope) -> Done<Vec<Pause>> {
        self.writable()?;
        let scopes = match scope {
            // Also of what config.toml names no more.
            Scope::All => self
                .pauses()
                .await?
                .into_iter()
                .map(|pause| (pause.connection, pause.mapping))
                .collect(),
            scope => self.scopes(scope)?,
        };
        let mut ended = Vec::new();
        for (connection, mapping) in scopes {
            let act = Act::new("resume", scope.to_string()).of(&connection);
            let store = &self.inner.store;
            let doing = async { Ok(store.resume(&connection, mapping.as_ref()).await?) };
            let number = |ended: &Vec<Pause>| Some(ended.len() as u64);
            ended.extend(self.audited(act, doing, number).await?);
        }
        self.inner.engine.wake();
        Ok(ended)
    }

    fn scopes(&self, scope: &Scope) -> Done<Vec<(ConnectionName, Option<MappingName>)>> {
        Ok(match scope {
            Scope::All => self
                .connections()
                .into_iter()
                .map(|connection| (connection, None))
                .collect(),
            Scope::Connection(name) => vec![(self.connection(Some(name.as_str()))?, None)],
            Scope::Mapping(name) => vec![(self.state().spec(name)?.1, Some(name.clone()))],
        })
    }
}
