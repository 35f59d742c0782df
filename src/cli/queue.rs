//! `tramline queue`

use super::input::confirm;
use super::output::time;
use super::{Context, Exit, signals, usage};
use crate::model::job::JobState;
use crate::model::{JobId, Problem};
use crate::operations::Operations;
use crate::operations::queue::{Chosen, JobQuery};
use clap::Subcommand;
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
    /// Show a job with its attempts
    Show {
        /// The job's id, or a unique beginning of it
        id: String,
    },
    /// Say in one sentence why a job waits
    Why { id: String },
    /// Make failed, unknown or waiting jobs ready again; a worker does the rest
    Retry(Select),
    /// Give jobs up
    Discard(Select),
}

#[derive(Debug, clap::Args)]
pub struct Select {
    /// Jobs by id, or by a unique beginning of it
    ids: Vec<String>,
    /// All jobs that match
    #[arg(long, value_name = "F", conflicts_with = "ids")]
    filter: Option<String>,
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
        Action::Retry(select) => change(context, &operations, select, true).await,
        Action::Discard(select) => change(context, &operations, select, false).await,
    };
    operations.close().await;
    exit
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
                "history".into(),
                serde_json::to_value(&detail.attempts).unwrap_or_default(),
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
    for attempt in &detail.attempts {
        context.output.line(&format!(
            "attempt {} {} by {}: {}",
            attempt.number,
            time(Some(attempt.started_at)),
            attempt.worker,
            attempt.outcome
        ));
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
    let chosen = match (&select.filter, select.ids.is_empty()) {
        (Some(filter), _) => Chosen::Filter(filter.clone()),
        (None, false) => {
            let mut ids: Vec<JobId> = Vec::new();
            for id in &select.ids {
                ids.push(operations.job(id).await?.job.id);
            }
            Chosen::Ids(ids)
        }
        (None, true) => return Err(usage("which jobs?", "give ids or --filter F")),
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
