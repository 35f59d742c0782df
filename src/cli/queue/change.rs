//! `tramline queue retry` and `discard`

use crate::cli::input::confirm;
use crate::cli::{Context, Exit, signals, usage};
use crate::model::job::JobState;
use crate::model::{JobId, Problem};
use crate::operations::Operations;
use crate::operations::queue::Chosen;
use serde::Serialize;

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

#[derive(Serialize)]
struct Changed {
    matched: u64,
    changed: u64,
    /// Jobs that were named and stand where this cannot be done to them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left: Vec<Left>,
    /// After `--wait`: how the jobs ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<Vec<crate::model::Job>>,
}

/// A job that was named, and is left as it is.
#[derive(Serialize)]
struct Left {
    job: JobId,
    /// One sentence: where it stands.
    why: String,
}

pub async fn run(
    context: &Context,
    operations: &Operations,
    select: Select,
    retry: bool,
) -> Result<Exit, Problem> {
    let filter = match select.group {
        Some(group) => Some(format!("group:\"{}\"", group.replace(['\\', '"'], ""))),
        None => select.filter,
    };
    let mut left = Vec::new();
    let chosen = match (&filter, select.ids.is_empty()) {
        (Some(filter), _) => Chosen::Filter(filter.clone()),
        (None, false) => {
            let mut ids: Vec<JobId> = Vec::new();
            for id in &select.ids {
                let detail = operations.job(id).await?;
                let job = detail.job.id;
                if touched(operations, &Chosen::Ids(vec![job.clone()]), retry).await? == 0 {
                    let why = detail.why;
                    left.push(Left {
                        job: job.clone(),
                        why,
                    });
                }
                // Also those: one that is at work is waited for.
                ids.push(job);
            }
            Chosen::Ids(ids)
        }
        (None, true) => return Err(usage("which jobs?", "give ids, --filter F or --group G")),
    };
    let matched = touched(operations, &chosen, retry).await?;
    let verb = if retry { "retry" } else { "discard" };
    let mut result = Changed {
        matched,
        changed: 0,
        left,
        results: None,
    };
    if select.dry_run {
        if context.output.is_json() {
            context.output.document(&result);
        } else {
            context
                .output
                .line(&format!("would {verb} {matched} job(s)"));
            tell_left(context, &result.left);
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
        result.changed = operations.discard(&chosen).await?;
        return Ok(report(context, verb, result));
    }
    // Their ids are taken before they change, and before a worker starts that could change them: a filter such as
    // state:failed does not match them afterwards.
    let ids = if select.wait {
        operations.waited_for(&chosen).await?
    } else {
        Vec::new()
    };
    result.changed = operations.retry(&chosen).await?;
    if !select.wait {
        return Ok(report(context, verb, result));
    }
    operations.work()?;
    tokio::select! {
        jobs = operations.wait_for(&ids) => {
            result.results = Some(jobs?);
            Ok(report(context, verb, result))
        }
        exit = signals::stop() => {
            context.output.note("stopped; what was begun goes on with the next worker");
            Ok(exit)
        }
    }
}

/// How many jobs it would be done to.
async fn touched(operations: &Operations, chosen: &Chosen, retry: bool) -> Result<u64, Problem> {
    if retry {
        operations.count_chosen(chosen).await
    } else {
        operations.count_discardable(chosen).await
    }
}

fn report(context: &Context, verb: &str, result: Changed) -> Exit {
    let jobs = result.results.iter().flatten();
    let partly = jobs.clone().any(|job| job.state != JobState::Done);
    if context.output.is_json() {
        context.output.document(&result);
    } else {
        let named = result.matched + result.left.len() as u64;
        context
            .output
            .line(&format!("{verb}: {} of {named} job(s)", result.changed));
        tell_left(context, &result.left);
        for job in jobs {
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

fn tell_left(context: &Context, left: &[Left]) {
    for Left { job, why } in left {
        context.output.line(&format!("{job}  left as it is: {why}"));
    }
}
