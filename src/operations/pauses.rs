//! Pausing accounts and mappings, and letting them go on.

use super::audit::Act;
use super::{Done, Operations, who::who};
use crate::model::{ConnectionName, ErrorClass, MappingName, Pause, Period, Problem};
use crate::store::NewPause;
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
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

/// How the end of a pause is written.
pub const MOMENTS: &str = "write 90s, 30m, 2h, 1d, 18:00 or 2026-11-30T08:00:00Z";

/// A point in time such as `2026-11-30T08:00:00Z`, a length of time from now such as `90s`, `15m`, `2h`, `1d`, or the next time
/// the clock shows `9:00` in this time zone.
pub fn moment(text: &str, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(at) = text.parse() {
        return Some(at);
    }
    if let Ok(period) = Period::parse(text) {
        let later = now.checked_add(period.duration()).ok();
        return later.filter(|later| *later > now);
    }
    let time = time_of_day(text)?;
    let today = now.to_zoned(zone.clone()).date();
    let on = |day: Date| {
        Some(
            day.to_datetime(time)
                .to_zoned(zone.clone())
                .ok()?
                .timestamp(),
        )
    };
    on(today)
        .filter(|at| *at > now)
        .or_else(|| on(today.tomorrow().ok()?))
}

/// `9:00`, `18:30`, `18:30:15`.
fn time_of_day(text: &str) -> Option<Time> {
    let parts: Vec<i8> = text
        .split(':')
        .map(|part| {
            let digits = matches!(part.len(), 1 | 2) && part.bytes().all(|b| b.is_ascii_digit());
            part.parse().ok().filter(|_| digits)
        })
        .collect::<Option<_>>()?;
    match parts.as_slice() {
        [hour, minute] => Time::new(*hour, *minute, 0, 0).ok(),
        [hour, minute, second] => Time::new(*hour, *minute, *second, 0).ok(),
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_at_a_time_after_a_while_or_at_the_next_such_hour() {
        let now: Timestamp = "2026-11-23T14:02:30Z".parse().unwrap();
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let end = |text: &str| moment(text, now, &zone).map(|at| at.to_string());
        for (text, at) in [
            ("2h", "2026-11-23T16:02:30Z"),
            (" 18:00 ", "2026-11-23T17:00:00Z"),
            ("08:30", "2026-11-24T07:30:00Z"),
            ("9:00", "2026-11-24T08:00:00Z"),
            ("15:02:31", "2026-11-23T14:02:31Z"),
            // It is just that time: the next one is tomorrow's.
            ("15:02:30", "2026-11-24T14:02:30Z"),
            ("2026-11-30T08:00:00Z", "2026-11-30T08:00:00Z"),
            ("2026-11-30T08:00:00+02:00", "2026-11-30T06:00:00Z"),
        ] {
            assert_eq!(end(text).as_deref(), Some(at), "{text}");
        }
        for wrong in [
            "", "soon", "25:00", "-2h", "0m", "2", "é", "9:0:0:0", "9:60", "+9:00", "009:00", ":",
        ] {
            assert_eq!(end(wrong), None, "{wrong}");
        }
    }
}
