//! Why a job stands where it stands, in one sentence.

use super::{Done, Operations};
use crate::model::job::{Job, JobState, WaitReason, Waiting};
use crate::model::{Attempt, Pause};
use crate::store::{MappingVersion, Standing, WorkerSeen};
use jiff::Timestamp;
use std::time::Duration;

/// Everything that the sentence goes by.
struct Facts<'a> {
    job: &'a Job,
    attempts: &'a [Attempt],
    standing: Option<Standing>,
    pauses: Vec<Pause>,
    /// The version of the job's mapping that is in force.
    version: Option<MappingVersion>,
    workers: Vec<WorkerSeen>,
    /// How long a job that is over is kept.
    kept: Duration,
    now: Timestamp,
}

impl Operations {
    /// One sentence on where a job stands and what moves it on.
    pub(super) async fn why(&self, job: &Job, attempts: &[Attempt]) -> Done<String> {
        let store = &self.inner.store;
        let facts = Facts {
            job,
            attempts,
            standing: store.standing(&job.id).await?,
            pauses: store.pauses().await?,
            version: store.mapping_version(&job.connection, &job.mapping).await?,
            workers: self.inner.engine.living_workers().await?,
            kept: self.state().config.store.retention.done.duration(),
            now: Timestamp::now(),
        };
        Ok(facts.sentence())
    }
}

impl Facts<'_> {
    fn sentence(&self) -> String {
        match self.job.state {
            JobState::Ready => self.ready(),
            JobState::Waiting => self.waiting(),
            JobState::Running => self.running(),
            JobState::Failed => format!(
                "It failed and needs a person: {}.",
                self.error("the reason was not kept")
            ),
            JobState::Unknown => self.unknown(),
            JobState::Done => {
                let last = self.attempts.last().map(|attempt| attempt.outcome.as_str());
                let end = self.job.ended.as_ref();
                let outcome = end.map(|end| end.outcome.name()).or(last);
                let outcome = outcome.map(|outcome| format!(" ({outcome})"));
                let why = end.and_then(|end| end.why.as_ref());
                let why = why.map(|why| format!(": {why}"));
                format!(
                    "It is done{}{}{}.",
                    outcome.unwrap_or_default(),
                    why.unwrap_or_default(),
                    self.kept()
                )
            }
            JobState::Discarded => {
                format!("A person gave it up {}{}.", self.since(), self.kept())
            }
        }
    }

    /// Why no worker will take it, if none will.
    fn nobody(&self) -> Option<String> {
        if self.workers.is_empty() {
            return Some(
                "no worker is alive: start `tramline worker` or open the control room".into(),
            );
        }
        let version = self.version.as_ref()?;
        if self.workers.iter().any(|worker| worker.follows(version)) {
            return None;
        }
        Some(format!(
            "no living worker has the version of mapping {} that {} put in force at {}: let one read the configuration \
             again, or restart it",
            version.mapping,
            version.by,
            clock(version.since, self.now)
        ))
    }

    fn ready(&self) -> String {
        if let Some(nobody) = self.nobody() {
            return format!("It is ready, but {nobody}.");
        }
        match self.standing.as_ref().map(|standing| standing.ahead) {
            None | Some((0, _)) => "It is ready and next in its turn.".into(),
            Some((1, _)) => "It is ready; one job of its account goes first.".into(),
            Some((ahead, exact)) => format!(
                "It is ready; {}{ahead} jobs of its account go first.",
                if exact { "" } else { "more than " }
            ),
        }
    }

    fn running(&self) -> String {
        match self
            .standing
            .as_ref()
            .and_then(|standing| standing.holder.as_ref())
        {
            Some(holder) if holder.until <= self.now => format!(
                "Worker {} had it since {} and its lease ran out at {}; the next worker takes it over{}.",
                holder.worker,
                clock(holder.since, self.now),
                clock(holder.until, self.now),
                self.nobody()
                    .map(|nobody| format!(", but {nobody}"))
                    .unwrap_or_default()
            ),
            Some(holder) => format!(
                "Worker {} is on it since {}; its lease lasts until {} and is prolonged while it works.",
                holder.worker,
                clock(holder.since, self.now),
                clock(holder.until, self.now)
            ),
            None => "A worker is on it.".into(),
        }
    }

    fn waiting(&self) -> String {
        let Some(waiting) = &self.job.waiting else {
            return "It waits.".into();
        };
        let until = until(waiting, self.now);
        let by = if waiting.by.is_empty() {
            String::new()
        } else {
            format!(", set by {}", waiting.by)
        };
        let mut sentence = match waiting.reason {
            WaitReason::Scheduled if self.job.error.is_some() => format!(
                "It is tried again by itself{until}{by}: {}",
                self.error("the last try failed")
            ),
            WaitReason::Scheduled => format!("It is scheduled and waits{until}{by}"),
            WaitReason::RateLimited => format!("The rate limit was met; it waits{until}{by}"),
            WaitReason::Paused => format!("It is paused{until}{by}{}", self.pause()),
            WaitReason::BreakerOpen => format!(
                "The breaker of its account is open{by}; the account is asked again{}{}",
                until.replace(" until", " at"),
                self.pause()
            ),
            WaitReason::ContactBusy => {
                format!("Another write to its contact is under way; it waits{until}{by}")
            }
            WaitReason::NoContactYet => format!(
                "The record's association leads to no contact yet; it is looked at again{}{by}",
                until.replace(" until", " at")
            ),
        };
        if let Some(nobody) = self.nobody() {
            sentence.push_str("; and ");
            sentence.push_str(&nobody);
        }
        sentence.push('.');
        sentence
    }

    /// The reason of the pause that the job waits for.
    fn pause(&self) -> String {
        let (connection, mapping) = (self.job.connection.as_str(), self.job.mapping.as_str());
        self.pauses
            .iter()
            .find(|pause| pause.stops(connection, mapping))
            .map(|pause| {
                let what = match &pause.mapping {
                    Some(mapping) => format!("mapping {mapping}"),
                    None => format!("connection {}", pause.connection),
                };
                format!(" ({what}: {})", pause.reason)
            })
            .unwrap_or_default()
    }

    fn unknown(&self) -> String {
        // The last request that was sent; what follows its line is its body.
        let write = self.attempts.iter().rev().find_map(|attempt| {
            let request = attempt.request.as_deref()?;
            let line: Vec<&str> = request.splitn(3, ' ').take(2).collect();
            Some(line.join(" "))
        });
        let write = write.map_or_else(|| "its last write".into(), |write| format!("`{write}`"));
        format!(
            "It is not known whether {write} took effect; look at the contact, then retry or discard: {}.",
            self.error("no answer came")
        )
    }

    fn error(&self, otherwise: &str) -> String {
        let Some(error) = &self.job.error else {
            return otherwise.into();
        };
        let text = format!("{} {error}", error.class.name());
        text.trim_end_matches('.').to_owned()
    }

    fn since(&self) -> String {
        format!("at {}", clock(self.job.updated_at, self.now))
    }

    fn kept(&self) -> String {
        match self.job.updated_at.checked_add(self.kept) {
            Ok(end) => format!("; it is kept until {}", end.strftime("%Y-%m-%d")),
            Err(_) => "; it is kept for good".into(),
        }
    }
}

fn until(waiting: &Waiting, now: Timestamp) -> String {
    match waiting.until {
        Some(until) => format!(" until {}", clock(until, now)),
        None => String::new(),
    }
}

/// A time of day in UTC; with its date where that is not today's.
fn clock(at: Timestamp, now: Timestamp) -> String {
    let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
    if day(at) == day(now) {
        at.strftime("%H:%M:%S UTC").to_string()
    } else {
        at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ErrorClass, PauseKind, Problem, Trigger};

    const NOW: i64 = 1_800_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(NOW + seconds).unwrap()
    }

    fn job(state: JobState) -> Job {
        Job {
            id: "j1".into(),
            mapping: "pets".into(),
            connection: "default".into(),
            object: "custom_objects.pets".into(),
            record: "r1".into(),
            contact: Default::default(),
            state,
            waiting: None,
            trigger: Trigger::Webhook,
            attempts: 1,
            error: None,
            ended: None,
            created_at: at(-60),
            updated_at: at(-50),
        }
    }

    fn worker(hash: &str) -> WorkerSeen {
        WorkerSeen {
            owner: "host/1/2".into(),
            versions: [(("default".into(), "pets".into()), hash.to_owned())].into(),
            started_at: at(-100),
            alive_until: at(20),
        }
    }

    fn facts(job: &Job) -> Facts<'_> {
        Facts {
            job,
            attempts: &[],
            standing: None,
            pauses: Vec::new(),
            version: Some(MappingVersion {
                connection: "default".into(),
                mapping: "pets".into(),
                hash: "h2".into(),
                by: "host/3/4".into(),
                since: at(-10),
            }),
            workers: vec![worker("h2")],
            kept: Duration::from_secs(86_400),
            now: at(0),
        }
    }

    #[test]
    fn a_ready_job_tells_who_goes_first_or_that_nobody_takes_it() {
        let job = job(JobState::Ready);
        let mut facts = facts(&job);
        assert_eq!(facts.sentence(), "It is ready and next in its turn.");
        for (ahead, text) in [
            ((1, true), "one job of its account goes first"),
            ((7, true), "; 7 jobs of its account go first"),
            (
                (10_000, false),
                "more than 10000 jobs of its account go first",
            ),
        ] {
            facts.standing = Some(Standing {
                ahead,
                holder: None,
            });
            assert!(facts.sentence().contains(text), "{}", facts.sentence());
        }
        facts.workers = vec![worker("h1")];
        assert!(
            facts
                .sentence()
                .contains("version of mapping pets that host/3/4 put in force")
        );
        facts.workers.clear();
        assert!(facts.sentence().contains("no worker is alive"));
    }

    #[test]
    fn every_wait_tells_until_when_and_set_by_whom() {
        for reason in WaitReason::ALL {
            let mut job = job(JobState::Waiting);
            job.waiting = Some(Waiting {
                reason,
                until: Some(at(90)),
                by: "jo".into(),
            });
            let mut facts = facts(&job);
            facts.pauses = vec![Pause {
                connection: "default".into(),
                mapping: None,
                kind: PauseKind::Person,
                reason: "the account moves".into(),
                by: "jo".into(),
                since: at(-5),
                until: Some(at(90)),
            }];
            let sentence = facts.sentence();
            let end = clock(at(90), at(0));
            assert!(sentence.contains(&end), "{sentence}");
            assert!(sentence.contains("set by jo"), "{sentence}");
            assert_eq!(
                sentence.contains("the account moves"),
                matches!(reason, WaitReason::Paused | WaitReason::BreakerOpen),
                "{sentence}"
            );
        }
    }

    #[test]
    fn what_needs_a_person_says_what_and_what_is_over_how_long_it_is_kept() {
        let mut failed = job(JobState::Failed);
        failed.error = Some(
            Problem::new(ErrorClass::Invalid, "12 is too old")
                .field("%AGE%")
                .remedy("fix it"),
        );
        let sentence = facts(&failed).sentence();
        for part in ["invalid", "%AGE%", "12 is too old", "fix it"] {
            assert!(sentence.contains(part), "{sentence}");
        }
        let unknown = job(JobState::Unknown);
        let attempt = Attempt {
            number: 1,
            started_at: at(-50),
            ended_at: None,
            worker: "host/1/2".into(),
            outcome: "unknown".into(),
            error: None,
            request: Some("POST /contactAutomations {\"contactAutomation\":{}}".into()),
            response: None,
            mapping_hash: "h2".into(),
            edit: None,
            warning: None,
        };
        let mut facts_of = facts(&unknown);
        let attempts = [attempt];
        facts_of.attempts = &attempts;
        assert!(facts_of.sentence().contains("`POST /contactAutomations`"));
        let done = job(JobState::Done);
        let kept = at(-50 + 86_400).strftime("%Y-%m-%d").to_string();
        assert!(facts(&done).sentence().contains(&kept));
    }

    #[test]
    fn a_running_job_tells_who_has_it_and_for_how_long() {
        let job = job(JobState::Running);
        let mut facts = facts(&job);
        let holder = |until: i64| Standing {
            ahead: (0, true),
            holder: Some(crate::store::Holder {
                worker: "host/1/2".into(),
                since: at(-50),
                until: at(until),
            }),
        };
        facts.standing = Some(holder(20));
        let sentence = facts.sentence();
        assert!(
            sentence.contains("host/1/2") && sentence.contains(&clock(at(20), at(0))),
            "{sentence}"
        );
        facts.standing = Some(holder(-1));
        assert!(facts.sentence().contains("the next worker takes it over"));
    }
}
