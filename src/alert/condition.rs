//! What is alerted on, in words, and when a change of it is told.

use crate::model::call::Api;
use crate::model::export::Run;
use crate::model::sanitize;
use crate::model::{ConnectionName, MappingName, Pause};
use crate::store::Alert;
use jiff::Timestamp;
use std::time::Duration;

/// The longest foreign text in a message, in characters.
const LONGEST: usize = 300;

/// From where on a condition holds, and how often it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Jobs that fail within `within`.
    pub failed: u64,
    pub within: Duration,
    /// Due jobs of which none was attempted for so long.
    pub stalled: Duration,
    /// The shortest time between two alerts of one condition.
    pub cooldown: Duration,
}

/// A condition that holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// At least so many jobs failed within the time.
    Failed { number: u64, within: Duration },
    /// So many jobs are due, and nothing happens.
    Stalled {
        connection: ConnectionName,
        number: u64,
        time: Duration,
    },
    /// An API refuses the connection's credential, and its jobs wait for a better one. Which API it is, an older version
    /// did not write down.
    Credential {
        connection: ConnectionName,
        api: Option<Api>,
        reason: String,
    },
    /// The mapping's last export could not go on.
    Export(Box<Run>),
}

/// A condition's place in the store: the same for every process, and for as long as it holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Empty where it is about the whole store.
    pub connection: ConnectionName,
    pub name: String,
}

impl Key {
    fn new(connection: &ConnectionName, name: impl Into<String>) -> Self {
        Self {
            connection: connection.clone(),
            name: name.into(),
        }
    }

    /// That of a condition that is noted.
    pub fn of(alert: &Alert) -> Self {
        Self::new(&alert.connection, &alert.condition)
    }

    /// That of jobs that fail too often.
    pub fn failed() -> Self {
        Self::new(&ConnectionName::from(""), "failed")
    }

    /// That of a queue that stands still.
    pub fn stalled(connection: &ConnectionName) -> Self {
        Self::new(connection, "stalled")
    }

    /// That of a credential that an API refuses: each has its own, so that one is not kept quiet by the other's cooldown.
    /// Where the API is not known, it is the key of the versions that had one for both.
    pub fn credential(connection: &ConnectionName, api: Option<Api>) -> Self {
        match api {
            Some(api) => Self::new(connection, format!("credential {}", api.name())),
            None => Self::new(connection, "credential"),
        }
    }

    /// That of an export that could not go on.
    pub fn export(connection: &ConnectionName, mapping: &MappingName) -> Self {
        Self::new(connection, format!("export {mapping}"))
    }

    /// What people are told once the condition is over. `breaker` is what stops the connection all the same.
    pub fn over(&self, breaker: Option<&Pause>) -> String {
        let connection = &self.connection;
        match (kind(&self.name), self.name.split_once(' ')) {
            ("failed", _) => "over: jobs do not fail that often any more".to_owned(),
            ("stalled", _) => format!("over: the queue of {connection} goes on"),
            ("credential", api) => {
                let api = api.and_then(|(_, api)| Api::from_name(api));
                let by = api.map_or_else(String::new, |api| format!(" by {}", api.title()));
                let jobs = match breaker {
                    None => ", its jobs go on".to_owned(),
                    Some(breaker) => format!(
                        "; its jobs wait for its {}",
                        credential(breaker.refused_by())
                    ),
                };
                format!("over: the credential of {connection} is accepted{by}{jobs}")
            }
            (_, Some((_, mapping))) => {
                format!("over: the export of {mapping} has not failed any more")
            }
            _ => format!("over: {}", self.name),
        }
    }
}

/// A credential by the API that it is for, as far as that is known.
fn credential(api: Option<Api>) -> String {
    api.map_or_else(
        || "credential".to_owned(),
        |api| format!("{} credential", api.title()),
    )
}

/// The kind of a condition's name: one of a few, as a label of a metric must be.
pub fn kind(name: &str) -> &'static str {
    let first = name.split(' ').next().unwrap_or_default();
    ["failed", "stalled", "credential", "export"]
        .into_iter()
        .find(|kind| *kind == first)
        .unwrap_or("other")
}

impl Condition {
    /// What people are told: what happened, where, and what to do.
    pub fn text(&self) -> String {
        match self {
            Self::Failed { number, within } => format!(
                "{number} jobs failed within {}; see why with: tramline queue groups",
                spell(*within)
            ),
            Self::Stalled {
                connection,
                number,
                time,
            } => format!(
                "the queue of {connection} stands still: jobs are due, and none was attempted for {} ({number} are open); \
                 see why with: tramline queue list --filter state:ready, tramline queue why ID, and the worker's log",
                spell(*time)
            ),
            Self::Credential {
                connection,
                api,
                reason,
            } => format!(
                "{connection} is paused, its {} is refused: {}; replace the credential, and the jobs go on by themselves",
                credential(*api),
                foreign(reason)
            ),
            Self::Export(run) => {
                let why = run.error.as_ref().map(ToString::to_string);
                format!(
                    "the export of {} stopped: {}; go on with: tramline exports resume {}",
                    run.mapping,
                    foreign(why.as_deref().unwrap_or("no reason is known")),
                    run.id
                )
            }
        }
    }
}

/// Text of an API, made harmless and short.
fn foreign(text: &str) -> String {
    let clean = sanitize::line(text);
    let mut short: String = clean.chars().take(LONGEST).collect();
    if short.len() < clean.len() {
        short.push('…');
    }
    short
}

fn spell(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds >= 60 && seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

/// How a condition is to be noted now, and whether people are to be told; `None` where nothing changes.
///
/// They are told once that it holds, and once that it is over. One that comes again soon waits for the end of the cooldown;
/// if it is over by then, nobody hears of it.
pub fn next(
    before: Option<&Alert>,
    key: &Key,
    holds: bool,
    cooldown: Duration,
    now: Timestamp,
) -> Option<(Alert, bool)> {
    let never = Alert {
        connection: key.connection.clone(),
        condition: key.name.clone(),
        firing: false,
        since: now,
        told: false,
        told_at: None,
    };
    let before = before.unwrap_or(&never);
    let mut after = before.clone();
    if before.firing != holds {
        after.firing = holds;
        after.since = now;
    }
    let cool = before
        .told_at
        .is_none_or(|at| now.duration_since(at).unsigned_abs() >= cooldown);
    let tell = match (holds, before.told) {
        (true, false) => cool,
        (false, told) => told,
        (true, true) => false,
    };
    if tell {
        after.told = holds;
        if holds {
            after.told_at = Some(now);
        }
    }
    (after != *before).then_some((after, tell))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOLDOWN: Duration = Duration::from_secs(3600);

    /// What is told while the condition holds or not at these seconds.
    fn told(course: &[(i64, bool)]) -> Vec<(i64, bool)> {
        let key = Key::failed();
        let mut alert: Option<Alert> = None;
        let mut told = Vec::new();
        for (second, holds) in course {
            let now = Timestamp::from_second(1_800_000_000 + second).unwrap();
            if let Some((after, tell)) = next(alert.as_ref(), &key, *holds, COOLDOWN, now) {
                alert = Some(after);
                if tell {
                    told.push((*second, *holds));
                }
            }
        }
        told
    }

    #[test]
    fn each_condition_is_told_once_and_once_that_it_is_over() {
        let course = [
            (0, false),
            (10, true),
            (20, true),
            (9_000, true),
            (9_010, false),
            (9_020, false),
        ];
        assert_eq!(told(&course), [(10, true), (9_010, false)]);
    }

    #[test]
    fn one_that_comes_again_soon_waits_for_the_cooldown() {
        let course = [
            (0, true),
            (10, false),
            (20, true),
            (30, false),
            (40, true),
            (3_599, true),
            (3_600, true),
            (3_700, false),
        ];
        assert_eq!(
            told(&course),
            [(0, true), (10, false), (3_600, true), (3_700, false)]
        );
    }

    #[test]
    fn nothing_is_noted_where_nothing_changes() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        assert_eq!(next(None, &Key::failed(), false, COOLDOWN, now), None);
    }

    #[test]
    fn foreign_text_is_short_and_harmless() {
        let condition = Condition::Credential {
            connection: "default".into(),
            api: Some(Api::HighLevel),
            reason: format!("\u{1b}[2J{}", "x".repeat(10_000)),
        };
        let text = condition.text();
        assert!(text.len() < 600 && !text.contains('\u{1b}'), "{text}");
    }
}
