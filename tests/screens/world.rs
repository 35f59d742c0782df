//! A world in memory that answers every request of the control room, so that the whole app can be driven
//! without a store and without a network.

#[path = "drafts.rs"]
pub mod drafts;

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
use tramline::model::job::{JobContact, JobCounts};
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

fn log_length(mood: Mood) -> u64 {
    match mood {
        Mood::Empty => 0,
        Mood::Million => 2_000,
        _ => 40,
    }
}

/// A line of the log, 7 seconds after the next older one; every third is the line of a call.
fn log_line(mood: Mood, number: u64) -> LogLine {
    let at = noon() - SignedDuration::from_secs(7 * number as i64 + 3);
    let job = format!("0192a{:03}", number % 1000 / 2);
    let line = match number % 4 {
        0 => json!({
            "timestamp": at.to_string(), "level": "INFO", "message": "call", "api": "activecampaign",
            "method": "POST", "path": text(mood, "/api/3/contact/sync"), "status": 422, "millis": 41,
            "request_id": format!("ac-{number}"), "error": text(mood, "E-mail is not valid"), "job": job,
            "mapping": "pets",
        }),
        1 => json!({
            "timestamp": at.to_string(), "level": "INFO", "message": "job settled", "job": job,
            "record": record(mood, number).id, "mapping": "pets", "outcome": "synced",
        }),
        2 => json!({
            "timestamp": at.to_string(), "level": "WARN", "mapping": "pets",
            "message": text(mood, "the mapping changed since the run began"),
        }),
        _ => json!({
            "timestamp": at.to_string(), "level": "ERROR", "message": "job settled", "job": job,
            "error": text(mood, "E-mail is not valid"), "outcome": "failed",
        }),
    };
    match line {
        Value::Object(map) => LogLine(map),
        _ => unreachable!(),
    }
}

/// A line of the log that tells of a call, and the call as its own process saw it.
pub fn logged_call(mood: Mood, number: u64) -> (LogLine, Call) {
    let line = log_line(mood, number * 4);
    let call = line.call().unwrap();
    (line, call)
}

fn audit(mood: Mood, number: u64) -> AuditEntry {
    let (action, target) = [
        ("retry", "state:failed mapping:pets"),
        ("record update", "custom_objects.pets 66b1c0ffee"),
        ("pause", "mapping:pets"),
        ("discard", "0192a000"),
    ][number as usize];
    AuditEntry {
        at: noon() - SignedDuration::from_secs(20 * number as i64 + 5),
        who: text(mood, "jo from 10.0.0.7"),
        action: action.into(),
        target: text(mood, target),
        connection: Some(ConnectionName::from("default")),
        reason: (number == 2).then(|| text(mood, "the field is being renamed")),
        count: (number == 0).then_some(41),
        outcome: match number {
            1 => Some("HighLevel: 422 born is no date".into()),
            3 => None,
            _ => Some("done".into()),
        },
    }
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

fn property(mood: Mood, key: &str, name: &str, data_type: DataType, options: &[&str]) -> Property {
    Property {
        id: format!("p-{key}"),
        key: key.into(),
        name: text(mood, name),
        data_type,
        options: options
            .iter()
            .map(|o| PropertyOption {
                key: o.to_lowercase(),
                label: (*o).into(),
            })
            .collect(),
        allow_custom_option: false,
        required: Some(key == "name"),
        unique: Some(key == "chip"),
    }
}

pub fn schema(mood: Mood, key: &ObjectKey) -> ObjectSchema {
    let (singular, plural) = match key.short() {
        "pets" => ("Pet", "Pets"),
        "visits" => ("Visit", "Visits"),
        "shelters" => ("Shelter", "Shelters"),
        "contact" => ("Contact", "Contacts"),
        "opportunity" => ("Opportunity", "Opportunities"),
        _ => ("Business", "Businesses"),
    };
    let of = |key, name, kind, options: &[&str]| property(mood, key, name, kind, options);
    ObjectSchema {
        id: format!("o-{}", key.short()),
        key: key.clone(),
        singular: text(mood, singular),
        plural: text(mood, plural),
        description: None,
        standard: !key.as_str().starts_with("custom_objects."),
        primary_property: "name".into(),
        searchable: vec!["name".into()],
        updated_at: None,
        properties: vec![
            of("name", "Name", DataType::Text, &[]),
            of("owner_email", "Owner e-mail", DataType::Email, &[]),
            of(
                "status",
                "Status",
                DataType::SingleOptions,
                &["Available", "Adopted", "Pending"],
            ),
            of("weight", "Weight", DataType::Numerical, &[]),
            of("fee", "Fee", DataType::Monetory, &[]),
            of("born", "Born", DataType::Date, &[]),
            of(
                "temperament",
                "Temperament",
                DataType::MultipleOptions,
                &["Calm", "Shy", "Bold"],
            ),
            of("chip", "Chip number", DataType::Text, &[]),
            of(
                "notes",
                "Notes",
                DataType::TextboxList,
                &["Kitchen", "Garden"],
            ),
            of("papers", "Papers", DataType::FileUpload, &[]),
            of(
                "mood_ring",
                "Mood ring",
                DataType::Unknown("HOLOGRAM".into()),
                &[],
            ),
        ],
    }
}

pub fn record(mood: Mood, number: u64) -> Record {
    let names = ["Rex", "Luna", "Böser Wolf", "Mia 🐕", "小雪", "Max"];
    let name = names[(number % names.len() as u64) as usize];
    let weight: Value = serde_json::from_str(&format!("{}.40", 3 + number % 40)).unwrap();
    let properties = json!({
        "name": text(mood, name),
        "owner_email": format!("owner{number}@example.org"),
        "status": if number.is_multiple_of(3) { "adopted" } else { "available" },
        "weight": weight,
        "fee": { "currency": "EUR", "value": 120 + number % 9 },
        "born": if number == 0 { "2024-13-01" } else { "2024-05-01" },
        "temperament": ["calm", "shy"],
        "chip": format!("978-{number:09}"),
        "notes.kitchen": text(mood, "sleeps by the stove"),
        "unknown_property": [1, { "deep": true }],
    });
    let Value::Object(properties) = properties else {
        unreachable!()
    };
    Record {
        id: RecordId::new(format!("66b1c0ffee{number:014x}")),
        object: pets(),
        properties,
        owners: vec![],
        followers: vec![],
        created_at: Some(noon() - SignedDuration::from_hours(48)),
        updated_at: Some(noon() - SignedDuration::from_mins(number as i64 % 500)),
        relations: None,
        search_after: None,
    }
}

/// Records there are in all.
fn total(mood: Mood, query: Option<&str>) -> u64 {
    match (mood, query) {
        (Mood::Empty, _) => 0,
        (_, Some(_)) => 2,
        (Mood::Million, _) => 1_000_000,
        _ => 230,
    }
}

fn records(mood: Mood, search: &RecordSearch, page: usize, limit: u32) -> RecordList {
    let total = total(mood, search.query.as_deref());
    let from = page as u64 * u64::from(limit);
    let to = (from + u64::from(limit)).min(total);
    let number = |at| match search.order {
        RecordOrder::Newest => at,
        RecordOrder::Oldest => total - 1 - at,
    };
    RecordList {
        records: (from..to).map(|at| record(mood, number(at))).collect(),
        total: Some(total),
        sorted: true,
        next: (to < total).then(|| RecordCursor::Page(page as u32 + 2)),
    }
}

/// What becomes of a file: `there.csv` is there already, and there is no folder `/nowhere`.
fn filed(mood: Mood, file: &RecordFile) -> Result<Filed, Problem> {
    if file.path.starts_with("/nowhere") {
        let problem = Problem::new(ErrorClass::Store, "/nowhere: No such file or directory");
        let remedy = "name a folder that is there";
        return Err(problem.field("path").remedy(remedy));
    }
    let path = PathBuf::from(&file.path);
    if file.path.ends_with("there.csv") && !file.overwrite {
        return Ok(Filed::Exists(path));
    }
    let records = match &file.rows {
        Rows::These(records) => records.len() as u64,
        Rows::All { query } => total(mood, query.as_deref()),
    };
    done(mood, Filed::Written { path, records })
}

pub fn mapping(name: &str, object: &str) -> MappingSummary {
    MappingSummary {
        name: MappingName::from(name),
        connection: ConnectionName::from("default"),
        object: ObjectKey::from(object),
        email: "owner_email".into(),
        fields: 5,
        rules: vec!["adopted".into()],
        schedule: Some("*/15 * * * *".into()),
        enabled: name != "shelters",
    }
}

fn line(
    source: &str,
    kind: Option<DataType>,
    transform: bool,
    target: &str,
    to: Option<FieldKind>,
) -> MappingLine {
    MappingLine {
        source: source.into(),
        source_type: kind,
        template: source.contains("{{"),
        transform,
        target: target.into(),
        builtin: to.is_none(),
        target_type: to,
        problem: None,
    }
}

fn mapping_detail(mood: Mood, name: &MappingName) -> MappingDetail {
    let mut lines = vec![
        line(
            "owner_first_name",
            Some(DataType::Text),
            false,
            "first_name",
            None,
        ),
        line(
            "name",
            Some(DataType::Text),
            false,
            "%PET_NAME%",
            Some(FieldKind::Text),
        ),
        line(
            "{{ weight | round(1) }}",
            None,
            true,
            "%WEIGHT_KG%",
            Some(FieldKind::Text),
        ),
        line(
            "temperament",
            Some(DataType::MultipleOptions),
            false,
            "%TEMPERAMENT%",
            Some(FieldKind::Listbox),
        ),
        line(
            "born",
            Some(DataType::Date),
            false,
            "%BORN%",
            Some(FieldKind::Number),
        ),
    ];
    lines[4].problem = Some((Level::Error, "DATE cannot become a number".into()));
    if mood == Mood::Hostile {
        for line in &mut lines {
            line.source = text(mood, &line.source);
            line.target = text(mood, &line.target);
        }
    }
    if name.as_str() == "visits" {
        lines.push(drafts::lacking());
    }
    MappingDetail {
        summary: mapping(name.as_str(), "custom_objects.pets"),
        lines: if mood == Mood::Empty { vec![] } else { lines },
        findings: vec![
            Finding::ok("mapping pets", "5 fields"),
            Finding::error(
                "mapping pets: %BORN%",
                text(mood, "DATE cannot become a number"),
            )
            .remedy("map it to a date field, or use a template"),
        ],
    }
}

/// The number that a record's id was made of.
fn number_of(id: &RecordId) -> u64 {
    u64::from_str_radix(&id.as_str()[10..], 16).unwrap_or(0)
}

pub fn preview(mood: Mood, record: Record) -> Preview {
    let record_id = record.id.clone();
    let field =
        |field: &str, source: &str, raw: &str, send: Option<&str>, contact: Option<&str>| {
            PreviewField {
                field: text(mood, field),
                source: text(mood, source),
                record: Some(text(mood, raw)),
                send: send.map(|s| text(mood, s)),
                contact: contact.map(|s| text(mood, s)),
                changes: send.is_some() && send != contact,
                problem: None,
                warning: None,
            }
        };
    let mut fields = vec![
        field("%PET_NAME%", "name", "\"Rex\"", Some("Rex"), Some("Rex")),
        field(
            "%STATUS%",
            "status",
            "\"adopted\"",
            Some("Adopted"),
            Some("Available"),
        ),
        field(
            "%WEIGHT_KG%",
            "{{ weight | round(1) }}",
            "12.40",
            Some("12.4"),
            None,
        ),
        field(
            "%TEMPERAMENT%",
            "temperament",
            "[\"calm\",\"shy\"]",
            Some("||Calm||Shy||"),
            None,
        ),
        field("%BORN%", "born", "\"2024-13-01\"", None, Some("2024-12-01")),
    ];
    fields[2].warning = Some("arithmetic is double precision".into());
    fields[4].problem = Some(Problem::new(ErrorClass::Invalid, "not a date").field("born"));
    Preview {
        mapping: "pets".into(),
        title: text(mood, "Rex"),
        record,
        email: Email::parse("jo@example.org").ok(),
        contact_id: Some("4711".into()),
        fields,
        rules: vec![
            PreviewRule {
                holds: true,
                name: "adopted".into(),
                fires: true,
                actions: vec![
                    "tag pet-adopted".into(),
                    "automation \"Adoption welcome\"".into(),
                ],
                note: None,
            },
            PreviewRule {
                holds: false,
                name: "heavy".into(),
                fires: false,
                actions: vec![],
                note: Some("never confirmed before".into()),
            },
        ],
        skips: false,
        problem: None,
        last_sent: Some("2026-11-23T13:58:00Z".parse().unwrap()),
        superseded_by: None,
        warning: None,
        edit: None,
        surroundings: Some(Surroundings {
            tags: Part::Read(vec![text(mood, "pet-owner"), "vip".into()]),
            lists: Part::Read(vec![
                Membership {
                    list: "Newsletter".into(),
                    status: "active".into(),
                },
                Membership {
                    list: "Adopters".into(),
                    status: "unsubscribed".into(),
                },
            ]),
            automations: Part::default(),
            scores: match number_of(&record_id) {
                0 => Part::Read(vec![ScoreValue {
                    score: "Engagement".into(),
                    value: "42".into(),
                }]),
                // Not every record's contact is open to the token's user.
                _ => Part::Refused {
                    refused: "403 You do not have permission to view scores.".into(),
                },
            },
        }),
    }
}

pub fn job(mood: Mood, number: u64) -> Job {
    let state = JobState::ALL[(number % 7) as usize];
    let failed = matches!(state, JobState::Failed | JobState::Unknown);
    Job {
        id: JobId::new(format!("0192f0c1-0000-7000-8000-{number:012x}")),
        mapping: "pets".into(),
        connection: "default".into(),
        object: pets(),
        record: RecordId::new(format!("66b1c0ffee{number:014x}")),
        contact: JobContact {
            id: (number.is_multiple_of(2)).then(|| "4711".into()),
            email: Email::parse(&format!("owner{number}@example.org")).ok(),
        },
        state,
        waiting: (state == JobState::Waiting).then(|| Waiting {
            reason: WaitReason::RateLimited,
            until: Some(noon() + SignedDuration::from_secs(42)),
            by: "activecampaign".into(),
        }),
        trigger: match number % 3 {
            0 => Trigger::Manual,
            1 => Trigger::Webhook,
            _ => Trigger::Export(RunId::from("0192aaaa-1111-7000-8000-000000000001")),
        },
        attempts: (number % 5) as u32,
        error: failed.then(|| Problem {
            status: Some(422),
            request_id: Some("req-9".into()),
            ..Problem::new(ErrorClass::Invalid, text(mood, "invalid e-mail")).field("email")
        }),
        created_at: noon() - SignedDuration::from_mins(90),
        updated_at: noon() - SignedDuration::from_secs(number as i64),
    }
}

fn jobs(mood: Mood, query: &JobQuery, page: usize) -> JobList {
    // The failed ones of the second run were taken up again since.
    let taken_up = query
        .filter
        .contains("run:0192aaaa-1111-7000-8000-000000000002");
    let total: u64 = match mood {
        Mood::Empty => 0,
        _ if taken_up => 0,
        Mood::Million => 1_000_000,
        _ => 230,
    };
    let from = page as u64 * u64::from(query.limit);
    let to = (from + u64::from(query.limit)).min(total);
    let jobs: Vec<Job> = (from..to).map(|n| job(mood, n)).collect();
    JobList {
        next: (to < total).then(|| JobCursor {
            updated_at: jiff::Timestamp::from_microsecond(to as i64).unwrap(),
            id: JobId::new(format!("{to}")),
        }),
        total: Some(total),
        jobs,
    }
}

fn groups(mood: Mood) -> Vec<FailureGroup> {
    let group = |number: u64, class, field: Option<&str>, message: &str, count| FailureGroup {
        group: format!("5afe{number:08x}"),
        connection: "default".into(),
        class,
        field: field.map(str::to_owned),
        message: text(mood, message),
        count,
        first_seen: noon() - SignedDuration::from_hours(30),
        last_seen: noon() - SignedDuration::from_secs(number as i64 + 19),
        sample: job(mood, 4 + 7 * number).id,
    };
    let invalid = |number, count| {
        let message = "422 Contact Email Address is not valid.";
        group(number, ErrorClass::Invalid, Some("email"), message, count)
    };
    match mood {
        Mood::Empty => vec![],
        Mood::Million => (0..200).map(|n| invalid(n, 9_999 - n)).collect(),
        _ => vec![
            invalid(0, 28),
            group(
                1,
                ErrorClass::Missing,
                None,
                "the record leads to no contact, and on_missing_email is \"fail\"",
                13,
            ),
            group(
                2,
                ErrorClass::Unknown,
                Some("%STATUS%"),
                "no answer: whether the automation was started is not known",
                1,
            ),
        ],
    }
}

fn effects(mood: Mood) -> Vec<Effect> {
    if mood == Mood::Empty {
        return Vec::new();
    }
    let effect = |action, target: &str, state, error: Option<Problem>| Effect {
        rule: text(mood, "adopted"),
        act: Act {
            action,
            target: text(mood, target),
        },
        state,
        contact_id: Some("17".into()),
        response: error.is_none().then(|| text(mood, "201")),
        error,
        request: None,
        updated_at: noon(),
    };
    let missing = Problem::new(
        ErrorClass::Invalid,
        text(mood, "there is no automation called \"Adoption welcome\""),
    );
    vec![
        effect(Action::AddTag, "pet-adopted", EffectState::Done, None),
        effect(
            Action::StartAutomation,
            "Adoption welcome",
            EffectState::Failed,
            Some(missing),
        ),
    ]
}

fn job_detail(mood: Mood) -> JobDetail {
    let mut job = job(mood, 3);
    job.attempts = 2;
    let attempt = |number: u32, outcome: &str| Attempt {
        number,
        started_at: noon() - SignedDuration::from_mins(10 - i64::from(number)),
        ended_at: Some(
            noon() - SignedDuration::from_mins(10 - i64::from(number))
                + SignedDuration::from_millis(312),
        ),
        worker: "host:4242".into(),
        outcome: outcome.into(),
        error: job.error.clone(),
        request: Some(text(
            mood,
            "POST /contact/sync {\"contact\":{\"email\":\"jo@\"}}",
        )),
        response: Some(text(
            mood,
            "422 {\"errors\":[{\"title\":\"Contact Email Address is not valid.\"}]}",
        )),
        edit: None,
        warning: None,
        mapping_hash: "8c1fd00dcafe0123".into(),
    };
    JobDetail {
        attempts: vec![attempt(1, "retry"), attempt(2, "failed")],
        effects: effects(mood),
        edits: Vec::new(),
        why: "it failed for good: the data is refused. Mend the record, then retry it.".into(),
        job,
    }
}

pub fn run(mood: Mood, number: u64, state: RunState) -> Run {
    Run {
        id: RunId::new(format!("0192aaaa-1111-7000-8000-{number:012}")),
        mapping: "pets".into(),
        connection: "default".into(),
        state,
        options: ExportOptions {
            dry_run: number == 3,
            ..ExportOptions::default()
        },
        counts: ExportCounts {
            read: 6400,
            unchanged: 0,
            synced: 6085,
            superseded: 15,
            skipped: 50,
            failed: 50,
        },
        total: Some(10_000),
        sent: 200,
        requests: RequestCounts {
            highlevel: 64,
            activecampaign: 52,
        },
        throttled: 0,
        checkpoint: Some("page 64".into()),
        waiting: None,
        error: (state == RunState::Failed)
            .then(|| Problem::new(ErrorClass::Transient, text(mood, "no answer"))),
        started_at: noon() - SignedDuration::from_mins(5 * number as i64),
        updated_at: noon(),
        ended_at: None,
        elapsed_ms: 310_000,
    }
}

fn runs(mood: Mood) -> Vec<Run> {
    match mood {
        Mood::Empty => vec![],
        _ => vec![
            run(mood, 1, RunState::Running),
            run(mood, 2, RunState::Paused),
            run(mood, 3, RunState::Completed),
            run(mood, 4, RunState::Failed),
            run(mood, 5, RunState::Cancelled),
        ],
    }
}

pub fn call(mood: Mood, number: u64) -> Call {
    let throttled = number % 7 == 3;
    Call {
        at: noon() - SignedDuration::from_secs(number as i64),
        api: if number.is_multiple_of(2) {
            Api::HighLevel
        } else {
            Api::ActiveCampaign
        },
        method: "POST".into(),
        path: text(mood, "/objects/custom_objects.pets/records/search"),
        status: if throttled {
            Some(429)
        } else if number % 11 == 5 {
            None
        } else {
            Some(200)
        },
        millis: 40 + number % 200,
        request_id: Some(format!("req-{number}")),
        retry_after: throttled.then_some(3),
        error: (number % 11 == 5).then(|| text(mood, "connection reset")),
        class: None,
        connection: None,
    }
}

fn budget(name: &str, left: u32, size: u32, window_ms: u64) -> BudgetView {
    BudgetView {
        name: name.into(),
        left,
        size,
        window_ms,
        daily_left: (name == "highlevel").then_some(198_204),
        blocked_until: None,
    }
}

/// A mapping that a person paused for an hour, and the account's breaker.
pub fn pauses() -> Vec<Pause> {
    let pause = Pause {
        connection: "default".into(),
        mapping: Some("pets".into()),
        kind: PauseKind::Person,
        reason: "the campaign of the shelters is being rewritten".into(),
        by: "jo from 192.0.2.7".into(),
        since: noon() - SignedDuration::from_mins(17),
        until: Some(noon() + SignedDuration::from_mins(60)),
    };
    let breaker = Pause {
        mapping: None,
        kind: PauseKind::Breaker,
        // What an API says is anybody's text.
        reason: format!("401 the token is refused {NASTY}"),
        by: "host:4242".into(),
        until: None,
        ..pause.clone()
    };
    vec![pause, breaker]
}

fn status(mood: Mood) -> Status {
    if mood == Mood::Empty {
        return Status::default();
    }
    Status {
        highlevel: Some(budget("highlevel", 81, 100, 10_000)),
        activecampaign: Some(budget("activecampaign", 2, 5, 1000)),
        imports: Some(budget("import", 96, 100, 60_000)),
        counts: JobCounts {
            ready: 1200,
            waiting: 3,
            running: 4,
            failed: 41,
            unknown: 1,
            done: 9959,
            discarded: 0,
        },
        workers: 2,
        pauses: match mood {
            Mood::Paused => pauses(),
            _ => Vec::new(),
        },
        outdated: Vec::new(),
        exports: vec![run(mood, 1, RunState::Running)],
        at_work: Vec::new(),
        bulks: Vec::new(),
        last_error: Some(LastError {
            at: "2026-11-23T14:02:11Z".parse().unwrap(),
            problem: Problem {
                status: Some(422),
                ..Problem::new(
                    ErrorClass::Invalid,
                    text(mood, "422 invalid  \"e-mail\" state:bad"),
                )
            },
            count: 17,
        }),
    }
}

/// Imports settle some hundreds every ten seconds, jobs of their own a few a second; before that there was a rest.
fn pace(mood: Mood, since: Timestamp) -> Pace {
    let to_go = match mood {
        Mood::Empty => return Pace::default(),
        Mood::Million => 734_000,
        _ => 1204,
    };
    let second = |back: i64| {
        let at = noon() - SignedDuration::from_secs(back);
        let number = match back {
            1..=170 if back % 10 == 3 => 150 + (back as u64 * 7) % 200,
            1..=170 => back as u64 % 4,
            _ => 0,
        };
        (at, number)
    };
    let settled = (0..300).rev().map(second);
    Pace {
        settled: settled.filter(|(at, n)| *n > 0 && *at >= since).collect(),
        to_go,
    }
}

/// Two connections, of which the second is paused.
fn connections(mood: Mood) -> Vec<ConnectionSummary> {
    let connection = |name: &str, host: &str, location: &str| ConnectionSummary {
        name: name.into(),
        account: name.into(),
        host: text(mood, host),
        location: location.to_owned(),
        pauses: Vec::new(),
    };
    let mut eu = connection("eu", "acme-eu.api-us1.com", "eu7Kq2mR8h8vShlRW1KT");
    eu.pauses = pauses().into_iter().take(1).collect();
    vec![
        connection("default", "acme.api-us1.com", "ve9EPM428h8vShlRW1KT"),
        eu,
    ]
}

/// What a person has saved.
fn saved_filters(mood: Mood, of: FilterOf) -> Vec<SavedFilter> {
    let filter = |name: &str, part: Option<&str>, filter: &str| SavedFilter {
        of,
        name: text(mood, name),
        part: part.map(str::to_owned),
        filter: filter.to_owned(),
    };
    match (mood, of) {
        (Mood::Empty, _) => Vec::new(),
        (_, FilterOf::Queue) => vec![
            filter("bad addresses", Some("failed"), "error:\"invalid e-mail\""),
            filter("pets of today", None, "mapping:pets age<1d"),
        ],
        (_, FilterOf::Activity) => vec![filter("refused calls", Some("calls"), "status:4xx")],
    }
}

/// An action on all failed jobs that was just begun.
pub fn bulk(action: BulkAction) -> Bulk {
    Bulk {
        id: "0192b01c".into(),
        action,
        filter: Some("state:failed".into()),
        jobs: None,
        by: "jo".into(),
        state: BulkState::Open,
        changed: 0,
        start_at: noon() + SignedDuration::from_millis(5200),
        created_at: noon() + SignedDuration::from_millis(200),
        ended_at: None,
    }
}

/// config.toml, read again and found as it was.
pub fn configured(mood: Mood) -> Configured {
    let Reply::Mappings(mappings) = answer(mood, Request::Mappings) else {
        unreachable!("mappings answer mappings")
    };
    Configured {
        reloaded: Reloaded::default(),
        problems: vec![],
        options: Options::of(&Tui::default(), &Overrides::default(), "default".into()),
        account: "acme".into(),
        environment: "sandbox".into(),
        production: false,
        mappings,
        connections: vec!["default".into()],
        connected: true,
    }
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
                vec![RelatedRecord {
                    association: "pet_owner".into(),
                    object: "contact".into(),
                    record: "c-1".into(),
                    title: Some(text(mood, "Jo Doe <jo@example.org>")),
                }],
            ),
        ),
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
        Request::Create(..) | Request::Update(..) => Reply::Saved(done(mood, record(mood, 0))),
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
