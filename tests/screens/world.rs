//! A world in memory that answers every request of the control room, so that the whole app can be driven
//! without a store and without a network.

#[path = "drafts.rs"]
pub mod drafts;
#[path = "world/heard.rs"]
mod heard;
#[path = "world/mapped.rs"]
mod mapped;
#[path = "world/objects.rs"]
mod objects;
#[path = "world/standing.rs"]
mod standing;
#[path = "world/worked.rs"]
mod worked;

pub use heard::*;
pub use mapped::*;
pub use objects::*;
pub use standing::*;
pub use worked::*;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::path::PathBuf;
use tramline::config::Tui;
use tramline::model::audit::AuditEntry;
use tramline::model::bulk::{Bulk, BulkAction, BulkState};
use tramline::model::call::{Api, BudgetView, Call};
use tramline::model::contact::{Membership, Part, ScoreValue, Surroundings};
use tramline::model::export::{ExportCounts, ExportOptions, RequestCounts, Run, RunState};
use tramline::model::group::FailureGroup;
use tramline::model::job::{JobContact, JobCounts, JobEnd};
use tramline::model::view::{Outcome, Preview, PreviewField, PreviewRule, SyncResult, SyncedField};
use tramline::model::{
    Act, Action, Attempt, BulkId, ConnectionName, DataType, Effect, EffectState, Email, ErrorClass,
    FieldKind, Finding, Job, JobId, JobState, Level, MappingName, ObjectKey, ObjectSchema, Pause,
    PauseKind, Problem, Property, PropertyOption, Record, RecordId, RunId, SegmentMatches, Trigger,
    WaitReason, Waiting,
};
use tramline::operations::connections::ConnectionSummary;
use tramline::operations::drafts::Saved;
use tramline::operations::filters::{FilterOf, SavedFilter};
use tramline::operations::mappings::{MappingDetail, MappingLine, MappingSummary};
use tramline::operations::pace::Pace;
use tramline::operations::pauses::Scope;
use tramline::operations::queue::{Chosen, JobCursor, JobDetail, JobList, JobQuery};
use tramline::operations::records::file::{Filed, RecordFile, Rows};
use tramline::operations::records::{
    RecordCursor, RecordList, RecordOrder, RecordSearch, RelatedRecord,
};
use tramline::operations::reload::Reloaded;
use tramline::operations::retried::{AfterRetry, Count};
use tramline::operations::schemas::SchemaSummary;
use tramline::operations::status::{LastError, Status};
use tramline::operations::{LogLevel, LogLine};
use tramline::tui::request::{Configured, Reply, Request, SchemaDetail};
use tramline::tui::{Options, Overrides};

/// What the world is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Normal,
    Empty,
    Broken,
    /// Long and hostile text everywhere.
    Hostile,
    /// A million rows in every list that has pages.
    Million,
    /// A person and a breaker stopped the work.
    Paused,
}

/// Noon of the day on which all happens.
pub fn noon() -> Timestamp {
    "2026-11-23T14:02:30Z".parse().unwrap()
}

pub const NASTY: &str =
    "\u{1b}]52;c;aGk=\u{7}\u{1b}[2J\u{9b}31m\u{202e}evil\u{200b} 日本語 🐕‍🦺 שלום e\u{301} \r\n\ttab";

pub fn text(mood: Mood, plain: &str) -> String {
    match mood {
        Mood::Hostile => format!("{plain} {NASTY} {}", "long ".repeat(400)),
        _ => plain.to_owned(),
    }
}

pub fn changed_meanwhile() -> Problem {
    Problem::new(
        ErrorClass::Config,
        "config.toml: mappings.pets: the file says something else by now; nothing was written",
    )
}

pub fn problem() -> Problem {
    Problem {
        status: Some(401),
        request_id: Some("f3a9-77".into()),
        ..Problem::new(ErrorClass::Auth, "the token is refused").remedy(
            "set GHL_TOKEN to a Private Integration Token with the scope objects/record.readonly",
        )
    }
}

pub fn done<T>(mood: Mood, value: T) -> Result<T, Problem> {
    match mood {
        Mood::Broken => Err(problem()),
        _ => Ok(value),
    }
}

pub fn pets() -> ObjectKey {
    ObjectKey::from("custom_objects.pets")
}

/// The answer to a request.
pub fn answer(mood: Mood, request: Request) -> Reply {
    match request {
        Request::Remembered => Reply::Remembered(Ok(None)),
        Request::Status => Reply::Status(Ok(status(mood))),
        Request::Mappings => Reply::Mappings(match mood {
            Mood::Empty => vec![],
            _ => vec![
                mapping("pets", "custom_objects.pets"),
                mapping("shelters", "custom_objects.shelters"),
                mapping("visits", "custom_objects.visits"),
            ],
        }),
        Request::Reload { .. } => Reply::Reloaded(Ok(Box::new(configured(mood)))),
        Request::Schemas { totals } => {
            let keys = [
                "custom_objects.pets",
                "custom_objects.visits",
                "custom_objects.shelters",
                "contact",
                "opportunity",
                "business",
            ];
            let all = keys.iter().enumerate().map(|(at, key)| {
                let mut schema = schema(mood, &ObjectKey::from(*key));
                schema.properties.clear();
                SchemaSummary {
                    records: (totals && !schema.standard)
                        .then_some([10_000, 1_234_567, 12][at % 3]),
                    problem: None,
                    schema,
                }
            });
            Reply::Schemas {
                totals,
                result: done(
                    mood,
                    if mood == Mood::Empty {
                        vec![]
                    } else {
                        all.collect()
                    },
                ),
            }
        }
        Request::Schema(key) => {
            let schema = schema(mood, &key);
            let mapped_to = vec![
                ("name".into(), "%PET_NAME%".into()),
                ("weight".into(), "%WEIGHT_KG%".into()),
            ];
            let result = done(mood, SchemaDetail { schema, mapped_to });
            Reply::Schema(key, result)
        }
        Request::Records {
            search,
            page,
            limit,
            ..
        } => Reply::Records {
            page,
            result: done(mood, records(mood, &search, page, limit)),
        },
        Request::FileRecords(file) => {
            let result = filed(mood, &file);
            Reply::Filed(file, result)
        }
        Request::Record(_, id) => {
            let record = Record {
                id,
                ..record(mood, 7)
            };
            Reply::Record(done(mood, record))
        }
        Request::Mend(object, id) => {
            let schema = schema(mood, &object);
            let mapped_to = vec![("weight".into(), "%WEIGHT_KG%".into())];
            let record = Record {
                id,
                ..record(mood, 3)
            };
            Reply::Mend(done(mood, (SchemaDetail { schema, mapped_to }, record)))
        }
        Request::Related(_, id) => Reply::Related(
            id,
            done(
                mood,
                vec![
                    RelatedRecord {
                        association: "pet_owner".into(),
                        object: "contact".into(),
                        record: "c-1".into(),
                        title: Some(text(mood, "Jo Doe <jo@example.org>")),
                    },
                    RelatedRecord {
                        association: "pet_visit".into(),
                        object: "custom_objects.visits".into(),
                        record: record(mood, 7).id,
                        title: None,
                    },
                ],
            ),
        ),
        Request::AfterRetry(since) => {
            let became = AfterRetry {
                done: Count::exactly(30),
                failed: Count::exactly(11),
                to_go: Count::exactly(0),
            };
            Reply::AfterRetry(since, done(mood, became))
        }
        Request::Preview(_, id) => {
            let record = Record {
                id: id.clone(),
                ..record(mood, 0)
            };
            Reply::Preview(id, done(mood, preview(mood, record)))
        }
        Request::Segments(contact) => {
            let matches = SegmentMatches {
                matching: Part::Read(vec![text(mood, "Adopted pets"), "Calm pets".into()]),
                unasked: 3,
            };
            Reply::Segments(contact, done(mood, matches))
        }
        Request::Sync(_, ids) => Reply::Synced(done(
            mood,
            ids.into_iter()
                .map(|record| SyncResult {
                    record,
                    outcome: Outcome::Synced,
                    contact_id: Some("4711".into()),
                    fields: vec![SyncedField {
                        field: "%STATUS%".into(),
                        old: Some("Available".into()),
                        new: Some("Adopted".into()),
                        changes: true,
                        problem: None,
                    }],
                    superseded_by: None,
                    warning: None,
                    rules: Vec::new(),
                    why: None,
                    error: None,
                })
                .collect(),
        )),
        Request::Create(..) => Reply::Saved(done(mood, record(mood, 0))),
        Request::Update(change) => {
            let saved = Record {
                id: change.record,
                ..record(mood, 0)
            };
            Reply::Saved(done(mood, saved))
        }
        Request::Delete(_, ids) => match mood {
            Mood::Broken => Reply::Deleted(vec![], Some(problem())),
            _ => Reply::Deleted(ids, None),
        },
        Request::MappingDetail(name) => {
            let result = done(mood, mapping_detail(mood, &name));
            Reply::MappingDetail(name, result)
        }
        Request::Samples(name) => {
            let many = if mood == Mood::Empty { 0 } else { 5 };
            let result = done(mood, (0..many).map(|n| record(mood, n)).collect());
            Reply::Samples(name, result)
        }
        Request::SamplePreview(_, record) => {
            Reply::SamplePreview(done(mood, preview(mood, *record)))
        }
        Request::DraftDetail(name, draft) => {
            let detail = drafts::detail(mapping_detail(mood, &name), &draft);
            Reply::MappingDetail(name, done(mood, detail))
        }
        Request::DraftPreview(_, draft, record) => {
            Reply::SamplePreview(drafts::trial(mood, &draft, *record))
        }
        Request::Trial(_, draft, record) => Reply::Trial(drafts::trial(mood, &draft, *record)),
        Request::Draft(name) => {
            let draft = Box::new(drafts::draft(mood, &name));
            Reply::Draft(name, done(mood, draft))
        }
        Request::TryRule(_, draft, at, record) => {
            Reply::RuleTried(drafts::rule_trial(mood, &draft, at, *record))
        }
        Request::ActionNames => Reply::ActionNames(done(mood, drafts::action_names(mood))),
        Request::CreateField(new) => Reply::FieldCreated(done(mood, drafts::created(&new))),
        Request::SaveMapping(name, _) => Reply::MappingSaved(name, done(mood, Saved::default())),
        Request::Survey(name, _) => Reply::Survey(name, done(mood, drafts::survey(mood))),
        Request::Suggest(..) => Reply::Suggestions(done(mood, drafts::suggested(mood))),
        Request::Check => Reply::Findings(vec![
            Finding::ok("highlevel token", "accepted"),
            Finding::warning(
                "highlevel scopes",
                text(mood, "objects/record.write is not verifiable"),
            ),
        ]),
        Request::Jobs { query, page } => Reply::Jobs {
            page,
            result: done(mood, jobs(mood, &query, page)),
        },
        Request::Job(_) => Reply::Job(done(mood, job_detail(mood))),
        Request::Groups => Reply::Groups(done(mood, groups(mood))),
        Request::Count(chosen) | Request::CountDiscardable(chosen) => {
            Reply::Count(chosen, done(mood, 41))
        }
        Request::Pause { scope, .. } => Reply::Paused(scope, done(mood, pauses())),
        Request::Resume(scope) => {
            let wanted = match &scope {
                Scope::Mapping(name) => Some(name.clone()),
                _ => None,
            };
            let ended = pauses().into_iter().filter(|p| p.mapping == wanted);
            Reply::Resumed(scope, done(mood, ended.collect()))
        }
        Request::Retry(chosen) => {
            let done_already = |id: &JobId| {
                (0..230).any(|n| {
                    let job = job(mood, n);
                    job.id == *id && job.state == JobState::Done
                })
            };
            let count = match &chosen {
                Chosen::Ids(ids) => ids.iter().filter(|id| !done_already(id)).count() as u64,
                Chosen::Filter(_) => 41,
            };
            Reply::Retried(chosen, done(mood, count))
        }
        Request::Later(action, _, total) => {
            Reply::Begun(action, total, done(mood, BulkId::from("0192b01c")))
        }
        Request::CancelBulk(id) => Reply::Cancelled(id, done(mood, true)),
        Request::Connections => Reply::Connections(done(mood, connections(mood))),
        Request::Filters(of) => Reply::Filters(of, done(mood, saved_filters(mood, of))),
        Request::SaveFilter(filter) => Reply::FilterSaved(done(mood, filter)),
        Request::DeleteFilter(filter) => Reply::FilterDeleted(filter, done(mood, true)),
        Request::Pace(since) => Reply::Pace(since, done(mood, pace(mood, since))),
        Request::Bulks => Reply::Bulks(done(mood, vec![bulk(BulkAction::Retry)])),
        Request::Exports => Reply::Exports(done(mood, runs(mood))),
        Request::StillFailed(id) => {
            let failed = runs(mood).into_iter().find(|run| run.id == id);
            let failed = failed.map_or(0, |run| run.counts.failed);
            Reply::StillFailed(id, done(mood, failed))
        }
        Request::StartExport(..) => {
            Reply::Run("started", done(mood, run(mood, 2, RunState::Running)))
        }
        Request::PauseExport(_) => Reply::Run("paused", done(mood, run(mood, 1, RunState::Paused))),
        Request::ResumeExport(_) => {
            Reply::Run("resumed", done(mood, run(mood, 1, RunState::Running)))
        }
        Request::CancelExport(_) => {
            Reply::Run("cancelled", done(mood, run(mood, 1, RunState::Cancelled)))
        }
        Request::Calls => Reply::Calls(match mood {
            Mood::Empty => vec![],
            _ => (0..60).rev().map(|n| call(mood, n)).collect(),
        }),
        Request::Log { filter, limit } => {
            let lines = (0..log_length(mood)).map(|n| log_line(mood, n));
            let wanted = |line: &LogLine| {
                let level = filter.level.as_deref().and_then(LogLevel::from_name);
                level.is_none_or(|level| line.level() >= Some(level))
                    && filter.job.as_deref().is_none_or(|id| line.is_of_job(id))
            };
            let mut lines: Vec<LogLine> = lines.filter(wanted).take(limit).collect();
            lines.reverse();
            Reply::Log {
                since: false,
                result: done(mood, (lines, tramline::operations::Activity::default())),
            }
        }
        Request::LogSince(place) => Reply::Log {
            since: true,
            result: done(mood, (Vec::new(), *place)),
        },
        Request::Audit { .. } => {
            let rows = if mood == Mood::Empty { 0 } else { 4 };
            Reply::Audit(done(mood, (0..rows).map(|n| audit(mood, n)).collect()))
        }
    }
}
