//! `tramline queue`

mod change;
mod edit;
mod pauses;
mod show;

use super::limit::Limit;
use super::output::time;
use super::{Context, Exit};
use crate::model::{ConnectionName, Problem};
use crate::operations::Operations;
use crate::operations::queue::JobQuery;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Action {
    /// List jobs, the latest change first
    List {
        /// Such as 'state:failed mapping:pets age>1h "invalid e-mail"'
        #[arg(long, value_name = "F", default_value = "")]
        filter: String,
        #[command(flatten)]
        limit: Limit,
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
        /// Only those of a connection [default: all connections]
        #[arg(long)]
        connection: Option<String>,
    },
    /// Make failed, unknown or waiting jobs ready again; a worker does the rest
    Retry(change::Select),
    /// Give jobs up
    Discard(change::Select),
    /// Put values in place of a record's for one job, until the record changes, and retry it
    Edit(edit::Edit),
    /// List what was retried or discarded by the many, with its progress
    Batches {
        /// At most so many, the latest ones
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: u32,
    },
    /// Let no job begin and no export send anything new; what was sent is still confirmed
    Pause(pauses::Pause),
    /// Let jobs begin again; a breaker that still stands opens again with the next job
    Resume(pauses::Scope),
}

pub async fn run(context: &Context, action: Action) -> Result<Exit, Problem> {
    let operations = context.open(false).await?;
    let exit = match action {
        Action::List { filter, limit } => list(context, &operations, filter, limit).await,
        Action::Show { id } => show::run(context, &operations, &id).await,
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
        Action::Groups { limit, connection } => {
            let only = operations.named(connection.as_deref())?;
            groups(context, &operations, limit, only.as_ref()).await
        }
        Action::Edit(arguments) => edit::run(context, &operations, arguments).await,
        Action::Batches { limit } => batches(context, &operations, limit).await,
        Action::Retry(select) => change::run(context, &operations, select, true).await,
        Action::Discard(select) => change::run(context, &operations, select, false).await,
        Action::Pause(arguments) => pauses::pause(context, &operations, arguments).await,
        Action::Resume(scope) => pauses::resume(context, &operations, scope).await,
    };
    operations.close().await;
    exit
}

async fn groups(
    context: &Context,
    operations: &Operations,
    limit: u32,
    only: Option<&ConnectionName>,
) -> Result<Exit, Problem> {
    let groups = operations.failure_groups(limit, only).await?;
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

async fn list(
    context: &Context,
    operations: &Operations,
    filter: String,
    limit: Limit,
) -> Result<Exit, Problem> {
    let mut query = JobQuery {
        filter,
        after: None,
        limit: 0,
    };
    let mut jobs = Vec::new();
    let (most, mut total) = (limit.number(), None);
    while (jobs.len() as u64) < most {
        query.limit = (most - jobs.len() as u64).min(500) as u32;
        let page = operations.jobs(&query).await?;
        jobs.extend(page.jobs);
        total = total.or(page.total);
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    if !context.output.is_json() {
        for pause in operations.pauses().await? {
            let what = pauses::what(&pause);
            context.output.note(&format!(
                "{what} is paused ({}) by {} since {}{}: {}",
                pause.kind.name(),
                pause.by,
                pauses::utc(Some(pause.since)),
                pauses::until(&pause),
                pause.reason
            ));
        }
    }
    context.output.list(
        &jobs,
        &[
            "ID", "STATE", "MAPPING", "RECORD", "CONTACT", "TRIES", "UPDATED", "WHY",
        ],
        |job| {
            let state = match (&job.waiting, &job.ended) {
                (Some(waiting), _) => format!("waiting: {}", waiting.reason.name()),
                (None, Some(end)) => format!("done: {}", end.outcome.name()),
                (None, None) => job.state.name().into(),
            };
            let error = job.error.as_ref().map(ToString::to_string);
            let why = job.ended.as_ref().and_then(|end| end.why.clone());
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
                error.or(why).unwrap_or_default(),
            ]
        },
    );
    limit.tell(context, "jobs", jobs.len(), total, query.after.is_some());
    Ok(Exit::Done)
}
