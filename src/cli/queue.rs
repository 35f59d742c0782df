//! `tramline queue`

use super::input::{confirm, read_text};
use super::output::time;
use super::{Context, Exit, signals, usage};
use crate::model::job::JobState;
use crate::model::{self, JobId, Problem};
use crate::operations::queue::{Chosen, JobQuery};
use crate::operations::{EditValue, Operations, pauses};
use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

#[derive(Debug, Subcommand)]
pub enum Action {
    /// List jobs, the latest change first
    List {
        /// Such as 'state:failed mapping:pets age>1h "invalid e-mail"'
        #[arg(long, value_name = "F", default_value = "")]
        filter: String,
        /// At most so many jobs
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u64,
    },
    /// Show a job with its attempts and effects
    Show {
        /// The job's id, or a unique beginning of it
        id: String,
    },
    /// Say in one sentence why a job waits
    Why { id: String },
    /// List failures that differ only in ids, addresses and numbers, the most frequent first
    Groups {
        /// At most so many groups
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u32,
    },
    /// Make failed, unknown or waiting jobs ready again; a worker does the rest
    Retry(Select),
    /// Give jobs up
    Discard(Select),
    /// Put values in place of a record's for one job, until the record changes, and retry it
    Edit(Edit),
    /// List what was retried or discarded by the many, with its progress
    Batches {
        /// At most so many, the latest ones
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: u32,
    },
    /// Let no job begin and no export send anything new; what was sent is still confirmed
    Pause(Pause),
    /// Let jobs begin again; a breaker that still stands opens again with the next job
    Resume(Scope),
}

#[derive(Debug, clap::Args)]
pub struct Edit {
    /// The job's id, or a unique beginning of it
    id: String,
    /// A value for a property of the record, or for a contact field that one is mapped to; may be given several times
    #[arg(
        long = "set",
        value_name = "FIELD=VALUE",
        required_unless_present = "data"
    )]
    set: Vec<String>,
    /// The same as a JSON object: a file, or - for standard input
    #[arg(long, value_name = "FILE|-", conflicts_with = "set")]
    data: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct Scope {
    /// All mappings of a connection [default: all connections]
    #[arg(long, value_name = "NAME", conflicts_with = "mapping")]
    connection: Option<String>,
    /// One mapping
    #[arg(long, value_name = "NAME")]
    mapping: Option<String>,
}

impl Scope {
    fn chosen(self) -> pauses::Scope {
        match (self.connection, self.mapping) {
            (_, Some(mapping)) => pauses::Scope::Mapping(mapping.as_str().into()),
            (Some(connection), None) => pauses::Scope::Connection(connection.as_str().into()),
            (None, None) => pauses::Scope::All,
        }
    }
}

#[derive(Debug, clap::Args)]
pub struct Pause {
    #[command(flatten)]
    scope: Scope,
    /// Why, for whoever finds the queue paused
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// When it ends by itself: a time such as 2026-11-30T08:00:00Z, or a length such as 90s, 15m, 2h, 1d
    #[arg(long, value_name = "TIME|FOR")]
    until: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct Select {
    /// Jobs by id, or by a unique beginning of it
    ids: Vec<String>,
    /// All jobs that match
    #[arg(long, value_name = "F", conflicts_with = "ids")]
    filter: Option<String>,
    /// All jobs of a failure group, see `tramline queue groups`
    #[arg(long, value_name = "G", conflicts_with_all = ["ids", "filter"])]
    group: Option<String>,
    /// Only say how many jobs it would be
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Work the jobs in this process and wait for their results (retry only)
    #[arg(long)]
    wait: bool,
}

pub async fn run(context: &Context, action: Action) -> Result<Exit, Problem> {
    let operations = context.open(false).await?;
    let exit = match action {
        Action::List { filter, limit } => list(context, &operations, filter, limit).await,
        Action::Show { id } => show(context, &operations, &id).await,
        Action::Why { id } => {
            let detail = operations.job(&id).await?;
            if context.output.is_json() {
                let id = &detail.job.id;
                let answer = serde_json::json!({ "id": id, "why": detail.why });
                context.output.document(&answer);
            } else {
                context.output.line(&detail.why);
            }
            Ok(Exit::Done)
        }
        Action::Groups { limit } => groups(context, &operations, limit).await,
        Action::Edit(arguments) => edit(context, &operations, arguments).await,
        Action::Batches { limit } => batches(context, &operations, limit).await,
        Action::Retry(select) => change(context, &operations, select, true).await,
        Action::Discard(select) => change(context, &operations, select, false).await,
        Action::Pause(arguments) => pause(context, &operations, arguments).await,
        Action::Resume(scope) => resume(context, &operations, scope).await,
    };
    operations.close().await;
    exit
}

async fn groups(context: &Context, operations: &Operations, limit: u32) -> Result<Exit, Problem> {
    let groups = operations.failure_groups(limit).await?;
    let columns = [
        "GROUP",
        "COUNT",
        "CLASS",
        "FIELD",
        "FIRST SEEN",
        "LAST SEEN",
        "SAMPLE",
        "MESSAGE",
    ];
    context.output.list(&groups, &columns, |group| {
        vec![
            group.group.clone(),
            group.count.to_string(),
            group.class.name().into(),
            group.field.clone().unwrap_or_default(),
            time(Some(group.first_seen)),
            time(Some(group.last_seen)),
            group.sample.to_string(),
            group.message.clone(),
        ]
    });
    Ok(Exit::Done)
}

async fn batches(context: &Context, operations: &Operations, limit: u32) -> Result<Exit, Problem> {
    let bulks = operations.bulks(limit).await?;
    let columns = ["ID", "ACTION", "STATE", "CHANGED", "BY", "CREATED", "JOBS"];
    context.output.list(&bulks, &columns, |bulk| {
        vec![
            bulk.id.to_string(),
            bulk.action.name().into(),
            bulk.state.name().into(),
            bulk.changed.to_string(),
            bulk.by.clone(),
            time(Some(bulk.created_at)),
            match (&bulk.filter, bulk.jobs) {
                (Some(filter), _) if filter.is_empty() => "all".into(),
                (Some(filter), _) => filter.clone(),
                (None, jobs) => format!("{} named", jobs.unwrap_or_default()),
            },
        ]
    });
    Ok(Exit::Done)
}

async fn edit(
    context: &Context,
    operations: &Operations,
    arguments: Edit,
) -> Result<Exit, Problem> {
    let mut changes = Vec::new();
    for pair in &arguments.set {
        let (field, text) = pair
            .split_once('=')
            .ok_or_else(|| usage(format!("`{pair}` has no ="), "write --set FIELD=VALUE"))?;
        changes.push((field.to_owned(), EditValue::Text(text.to_owned())));
    }
    if let Some(from) = &arguments.data {
        let values: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&read_text(from)?).map_err(|error| {
                usage(
                    format!("the data is no JSON object: {error}"),
                    "write {\"property\": value, …}",
                )
            })?;
        changes.extend(
            values
                .into_iter()
                .map(|(field, value)| (field, EditValue::Json(value))),
        );
    }
    let edited = operations.edit_job(&arguments.id, &changes).await?;
    if context.output.is_json() {
        context.output.document(&edited);
        return Ok(Exit::Done);
    }
    for field in &edited.fields {
        if let Some(send) = &field.send {
            context.output.line(&format!("{}: {send}", field.field));
        }
    }
    context.output.line(&format!(
        "{} is {} with these values, until its record changes",
        edited.job.id,
        edited.job.state.name()
    ));
    Ok(Exit::Done)
}

async fn pause(
    context: &Context,
    operations: &Operations,
    arguments: Pause,
) -> Result<Exit, Problem> {
    let until = arguments.until.as_deref().map(moment).transpose()?;
    let scope = arguments.scope.chosen();
    let pauses = operations.pause(&scope, &arguments.reason, until).await?;
    print_pauses(context, &pauses);
    Ok(Exit::Done)
}

async fn resume(context: &Context, operations: &Operations, scope: Scope) -> Result<Exit, Problem> {
    let ended = operations.resume(&scope.chosen()).await?;
    if ended.is_empty() && !context.output.is_json() {
        context.output.line("nothing was paused");
    } else {
        print_pauses(context, &ended);
    }
    Ok(Exit::Done)
}

fn print_pauses(context: &Context, pauses: &[model::Pause]) {
    let columns = [
        "CONNECTION",
        "MAPPING",
        "KIND",
        "BY",
        "SINCE",
        "UNTIL",
        "REASON",
    ];
    context.output.list(pauses, &columns, |pause| {
        vec![
            pause.connection.to_string(),
            pause
                .mapping
                .as_ref()
                .map_or("all".into(), ToString::to_string),
            pause.kind.name().into(),
            pause.by.clone(),
            time(Some(pause.since)),
            time(pause.until),
            pause.reason.clone(),
        ]
    });
}

/// A point in time, or a length of time from now.
fn moment(text: &str) -> Result<Timestamp, Problem> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let length = text.strip_suffix(['s', 'm', 'h', 'd']).and_then(|number| {
        let unit = match text.chars().last()? {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            _ => 86_400,
        };
        number.parse::<i64>().ok()?.checked_mul(unit)
    });
    length
        .filter(|seconds| *seconds > 0)
        .and_then(|seconds| {
            Timestamp::now()
                .checked_add(SignedDuration::from_secs(seconds))
                .ok()
        })
        .ok_or_else(|| {
            usage(
                format!("`{text}` is neither a time nor a length of time"),
                "write 2026-11-30T08:00:00Z, or 90s, 15m, 2h, 1d",
            )
        })
}

async fn list(
    context: &Context,
    operations: &Operations,
    filter: String,
    limit: u64,
) -> Result<Exit, Problem> {
    let mut query = JobQuery {
        filter,
        after: None,
        limit: 0,
    };
    let mut jobs = Vec::new();
    while (jobs.len() as u64) < limit {
        query.limit = (limit - jobs.len() as u64).min(500) as u32;
        let page = operations.jobs(&query).await?;
        jobs.extend(page.jobs);
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    if !context.output.is_json() {
        for pause in operations.pauses().await? {
            let what = match &pause.mapping {
                Some(mapping) => format!("mapping {mapping}"),
                None => format!("connection {}", pause.connection),
            };
            context.output.note(&format!(
                "{what} is paused ({}) by {} since {}: {}",
                pause.kind.name(),
                pause.by,
                time(Some(pause.since)),
                pause.reason
            ));
        }
    }
    context.output.list(
        &jobs,
        &[
            "ID", "STATE", "MAPPING", "RECORD", "CONTACT", "TRIES", "UPDATED", "ERROR",
        ],
        |job| {
            let state = match &job.waiting {
                Some(waiting) => format!("waiting: {}", waiting.reason.name()),
                None => job.state.name().into(),
            };
            vec![
                job.id.to_string(),
                state,
                job.mapping.to_string(),
                job.record.to_string(),
                job.contact
                    .email
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                job.attempts.to_string(),
                time(Some(job.updated_at)),
                job.error
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            ]
        },
    );
    Ok(Exit::Done)
}

async fn show(context: &Context, operations: &Operations, id: &str) -> Result<Exit, Problem> {
    let detail = operations.job(id).await?;
    if context.output.is_json() {
        let mut document = serde_json::to_value(&detail.job).unwrap_or_default();
        if let Some(map) = document.as_object_mut() {
            map.insert("why".into(), detail.why.clone().into());
            map.insert(
                "edits".into(),
                serde_json::to_value(&detail.edits).unwrap_or_default(),
            );
            map.insert(
                "history".into(),
                serde_json::to_value(&detail.attempts).unwrap_or_default(),
            );
            map.insert(
                "effects".into(),
                serde_json::to_value(&detail.effects).unwrap_or_default(),
            );
        }
        context.output.document(&document);
        return Ok(Exit::Done);
    }
    let job = &detail.job;
    let rows = [
        ("id", job.id.to_string()),
        ("state", job.state.name().into()),
        ("why", detail.why.clone()),
        ("mapping", job.mapping.to_string()),
        ("record", format!("{} {}", job.object, job.record)),
        (
            "contact",
            job.contact
                .email
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        ),
        ("trigger", String::from(job.trigger.clone())),
        ("created", time(Some(job.created_at))),
        ("updated", time(Some(job.updated_at))),
        (
            "error",
            job.error
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        ),
    ];
    context.output.table(
        &["JOB", ""],
        &rows.map(|(name, value)| vec![name.to_owned(), value]),
    );
    for effect in &detail.effects {
        let error = effect
            .error
            .as_ref()
            .map(|error| format!(": {error}"))
            .unwrap_or_default();
        context.output.line(&format!(
            "effect of rule {}: {}  {}{error}",
            effect.rule,
            effect.act,
            effect.state.name()
        ));
        for (mark, text) in [("→", &effect.request), ("←", &effect.response)] {
            if let Some(text) = text {
                context.output.line(&format!("    {mark} {text}"));
            }
        }
    }
    for edit in &detail.edits {
        let end = match (&edit.ended_why, edit.ended_at) {
            (Some(why), at) => format!("over since {}: {why}", time(at)),
            _ => "in force until the record changes".into(),
        };
        context.output.line(&format!(
            "edit {} {} by {} ({end}): {}",
            edit.number,
            time(Some(edit.at)),
            edit.by,
            serde_json::to_string(&edit.properties).unwrap_or_default()
        ));
    }
    for attempt in &detail.attempts {
        context.output.line(&format!(
            "attempt {} {} by {}: {}{}",
            attempt.number,
            time(Some(attempt.started_at)),
            attempt.worker,
            attempt.outcome,
            attempt
                .edit
                .map(|number| format!(" with edit {number}"))
                .unwrap_or_default()
        ));
        if let Some(warning) = &attempt.warning {
            context.output.line(&format!("    warning: {warning}"));
        }
        for (mark, text) in [("→", &attempt.request), ("←", &attempt.response)] {
            if let Some(text) = text {
                context.output.line(&format!("    {mark} {text}"));
            }
        }
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Changed {
    matched: u64,
    changed: u64,
    /// After `--wait`: how the jobs ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<Vec<crate::model::Job>>,
}

async fn change(
    context: &Context,
    operations: &Operations,
    select: Select,
    retry: bool,
) -> Result<Exit, Problem> {
    let filter = match select.group {
        Some(group) => Some(format!("group:\"{}\"", group.replace(['\\', '"'], ""))),
        None => select.filter,
    };
    let chosen = match (&filter, select.ids.is_empty()) {
        (Some(filter), _) => Chosen::Filter(filter.clone()),
        (None, false) => {
            let mut ids: Vec<JobId> = Vec::new();
            for id in &select.ids {
                ids.push(operations.job(id).await?.job.id);
            }
            Chosen::Ids(ids)
        }
        (None, true) => return Err(usage("which jobs?", "give ids, --filter F or --group G")),
    };
    let matched = if retry {
        operations.count_chosen(&chosen).await?
    } else {
        operations.count_discardable(&chosen).await?
    };
    let verb = if retry { "retry" } else { "discard" };
    if select.dry_run {
        let result = Changed {
            matched,
            changed: 0,
            results: None,
        };
        if context.output.is_json() {
            context.output.document(&result)
        } else {
            context
                .output
                .line(&format!("would {verb} {matched} job(s)"))
        }
        return Ok(Exit::Done);
    }
    if matches!(chosen, Chosen::Filter(_))
        && !select.yes
        && !confirm(&format!("{verb} {matched} job(s)?"))?
    {
        return Err(usage("nothing was changed", "answer y, or give --yes"));
    }
    if !retry {
        let changed = operations.discard(&chosen).await?;
        return Ok(report(context, verb, matched, changed, None));
    }
    // Their ids are taken before they change, and before a worker starts that could change them: a filter such as
    // state:failed does not match them afterwards.
    let ids = if select.wait {
        operations.waited_for(&chosen).await?
    } else {
        Vec::new()
    };
    let changed = operations.retry(&chosen).await?;
    if !select.wait {
        return Ok(report(context, verb, matched, changed, None));
    }
    operations.work()?;
    tokio::select! {
        jobs = operations.wait_for(&ids) => Ok(report(context, verb, matched, changed, Some(jobs?))),
        exit = signals::stop() => {
            context.output.note("stopped; what was begun goes on with the next worker");
            Ok(exit)
        }
    }
}

fn report(
    context: &Context,
    verb: &str,
    matched: u64,
    changed: u64,
    results: Option<Vec<crate::model::Job>>,
) -> Exit {
    let partly = results
        .as_ref()
        .is_some_and(|jobs| jobs.iter().any(|job| job.state != JobState::Done));
    let result = Changed {
        matched,
        changed,
        results,
    };
    if context.output.is_json() {
        context.output.document(&result);
    } else {
        context
            .output
            .line(&format!("{verb}: {changed} of {matched} job(s)"));
        for job in result.results.iter().flatten() {
            let error = job
                .error
                .as_ref()
                .map(|error| format!("  {error}"))
                .unwrap_or_default();
            context
                .output
                .line(&format!("{}  {}{error}", job.id, job.state.name()));
        }
    }
    if partly { Exit::Partly } else { Exit::Done }
}
