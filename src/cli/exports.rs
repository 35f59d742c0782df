//! `tramline exports`

use super::export::Progress;
use super::output::time;
use super::{Context, Exit};
use crate::model::export::Run;
use crate::model::{Problem, RunId, WaitReason, Waiting};
use crate::operations::Operations;
use clap::Subcommand;
use serde::Serialize;

#[derive(Debug, Subcommand)]
pub enum Action {
    /// List runs, newest first
    List {
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Only those of a connection [default: all connections]
        #[arg(long, value_name = "NAME")]
        connection: Option<String>,
    },
    /// Show one run
    Show { id: String },
    /// Stop a run after what is in flight; it can be resumed
    Pause { id: String },
    /// Go on with a paused or failed run, in this process
    Resume { id: String },
    /// End a run for good; what was sent stays sent
    Cancel { id: String },
}

pub async fn run(context: &Context, action: Action) -> Result<Exit, Problem> {
    let operations = context.open(false).await?;
    let exit = match action {
        Action::List { limit, connection } => {
            let only = operations.named(connection.as_deref())?;
            print(context, &operations.exports(limit, only.as_ref()).await?);
            Exit::Done
        }
        Action::Show { id } => {
            let run = operations.export(&id).await?;
            show(context, &operations, &run).await?
        }
        Action::Pause { id } => {
            let id: RunId = operations.export(&id).await?.id;
            let run = operations.pause_export(&id).await?;
            show(context, &operations, &run).await?
        }
        Action::Cancel { id } => {
            let id: RunId = operations.export(&id).await?.id;
            let run = operations.cancel_export(&id).await?;
            show(context, &operations, &run).await?
        }
        Action::Resume { id } => {
            let id: RunId = operations.export(&id).await?.id;
            let run = operations.resume_export(&id).await?;
            let progress = if std::io::IsTerminal::is_terminal(&std::io::stderr()) {
                Progress::Bar
            } else {
                Progress::None
            };
            let ended = super::export::follow(&operations, &run, progress).await?;
            operations.close().await;
            return match ended {
                super::export::Ended::Run(run) => super::export::report(context, &run),
                super::export::Ended::Signal(exit) => Ok(exit),
            };
        }
    };
    operations.close().await;
    Ok(exit)
}

/// A run with what has become of its failures.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    run: &'a Run,
    /// How many of the records that failed still stand so in the queue.
    still_failed: u64,
}

async fn show(context: &Context, operations: &Operations, run: &Run) -> Result<Exit, Problem> {
    let still_failed = operations.still_failed(&run.id).await?;
    if context.output.is_json() {
        context.output.document(&Shown { run, still_failed });
    } else {
        print(context, std::slice::from_ref(run));
        if let Some(waiting) = &run.waiting {
            context.output.line(&waits(waiting));
        }
        if let Some(error) = &run.error {
            context.output.line(&format!("error: {error}"));
        }
        let mended = run.counts.failed.saturating_sub(still_failed);
        if mended > 0 && !run.options.dry_run {
            context.output.line(&format!(
                "of {} failed record(s), {mended} were retried, synced again or given up since; not taken up again: {still_failed}",
                run.counts.failed
            ));
        }
    }
    Ok(Exit::Done)
}

/// Why a run does not go on, until when, and who stopped it.
pub fn waits(waiting: &Waiting) -> String {
    let at = waiting.until.map(|at| format!("{} UTC", time(Some(at))));
    let by = &waiting.by;
    match (waiting.reason, at) {
        (WaitReason::BreakerOpen, Some(at)) => {
            format!("waits: a token is refused, found by {by}; it is tried again at {at}")
        }
        (_, Some(at)) => format!("waits: paused by {by} until {at}"),
        (_, None) => format!("waits: paused by {by}; tramline queue resume lets it go on"),
    }
}

/// A number of records; of a dry run, which sent nothing, with what `would` have become of them.
fn told(run: &Run, would: &str, number: u64) -> String {
    match run.options.dry_run {
        true => format!("{would} {number}"),
        false => number.to_string(),
    }
}

fn print(context: &Context, runs: &[Run]) {
    let columns = [
        "ID",
        "MAPPING",
        "STATE",
        "READ",
        "UNCHANGED",
        "SYNCED",
        "SUPERSEDED",
        "SKIPPED",
        "FAILED",
        "STARTED",
    ];
    context.output.list(runs, &columns, |run| {
        vec![
            run.id.to_string(),
            run.mapping.to_string(),
            if run.options.dry_run {
                format!("{} (dry run)", run.standing())
            } else {
                run.standing().into()
            },
            run.counts.read.to_string(),
            run.counts.unchanged.to_string(),
            told(run, "would send", run.counts.synced),
            run.counts.superseded.to_string(),
            run.counts.skipped.to_string(),
            told(run, "would fail", run.counts.failed),
            time(Some(run.started_at)),
        ]
    });
}
