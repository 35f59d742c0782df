//! `tramline export`

use super::{Context, Exit, signals};
use crate::model::export::{ExportOptions, Run, RunState};
use crate::model::view::SyncResult;
use crate::model::{MappingName, Problem, sanitize};
use crate::operations::Operations;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    mapping: String,
    /// Write nothing to ActiveCampaign; report what would change
    #[arg(long)]
    dry_run: bool,
    /// Send contacts that have not changed as well
    #[arg(long)]
    full: bool,
    /// Only records updated since then: a time such as 2026-11-01T00:00:00Z, or an age such as 2h or 7d
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Read at most so many records
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

pub async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Problem> {
    let since = arguments.since.as_deref().map(since).transpose()?;
    let options = ExportOptions {
        dry_run: arguments.dry_run,
        full: arguments.full,
        since,
        limit: arguments.limit,
        trigger: None,
    };
    let operations = context.open(false).await?;
    // Listened to before it begins, so that nothing is missed.
    let mut rehearsals = options.dry_run.then(|| Rehearsals {
        results: operations.rehearsals(),
        fired: BTreeMap::new(),
    });
    let mapping = MappingName::from(arguments.mapping);
    if !options.dry_run && !context.global.read_only {
        // The queue only: runs of others that were abandoned are adopted by a worker, not in passing.
        operations.work()?;
    }
    let ended = loop {
        let run = operations.start_export(&mapping, options.clone()).await?;
        let another = !same(&run.options, &options);
        if another {
            context.output.note(&format!(
                "first going on with run {}, which was interrupted and had other options",
                run.id
            ));
        } else if run.counts.read > 0 {
            context.output.note(&format!(
                "going on with run {}, which was interrupted after {} records",
                run.id, run.counts.read
            ));
        }
        let ended = show(context, &operations, &run, &mut rehearsals).await;
        match &ended {
            Ok(Ended::Run(run)) if another && run.state == RunState::Completed => {}
            _ => break ended,
        }
    };
    operations.close().await;
    match ended? {
        Ended::Run(run) => {
            let exit = report(context, &run);
            if let Some(rehearsals) = &rehearsals {
                rehearsals.count_rules(context);
            }
            exit
        }
        Ended::Signal(exit) => {
            context.output.note(&format!(
                "stopped; `tramline export {mapping}` goes on where it stood"
            ));
            Ok(exit)
        }
    }
}

/// True if a run was asked for in the same way. An age such as `2h` names another time at each start.
fn same(a: &ExportOptions, b: &ExportOptions) -> bool {
    let sinceless = |options: &ExportOptions| ExportOptions {
        since: None,
        trigger: None,
        ..options.clone()
    };
    sinceless(a) == sinceless(b) && a.since.is_some() == b.since.is_some()
}

/// Follows a run to its end, with its progress and what a dry run tells.
async fn show(
    context: &Context,
    operations: &Operations,
    run: &Run,
    rehearsals: &mut Option<Rehearsals>,
) -> Result<Ended, Problem> {
    let progress = if std::io::stderr().is_terminal() {
        Progress::Bar
    } else {
        Progress::None
    };
    let ended = {
        let follow = follow(operations, run, progress);
        tokio::pin!(follow);
        loop {
            tokio::select! {
                ended = &mut follow => break ended,
                true = heard(context, rehearsals) => {}
            }
        }
    };
    // What the run told before its end.
    if let Some(rehearsals) = rehearsals {
        while let Ok(result) = rehearsals.results.try_recv() {
            rehearsals.tell(context, result);
        }
    }
    ended
}

/// Tells of one more record of a dry run as it comes; other runs tell nothing. False once nothing more can come.
async fn heard(context: &Context, rehearsals: &mut Option<Rehearsals>) -> bool {
    let Some(rehearsals) = rehearsals else {
        return std::future::pending().await;
    };
    let result = rehearsals.results.recv().await;
    result.is_some_and(|result| {
        rehearsals.tell(context, result);
        true
    })
}

/// What a dry run would send, refuse, and do by its rules.
struct Rehearsals {
    results: tokio::sync::mpsc::Receiver<SyncResult>,
    /// By rule, for how many records it would fire.
    fired: BTreeMap<String, u64>,
}

impl Rehearsals {
    fn tell(&mut self, context: &Context, result: SyncResult) {
        for rule in &result.rules {
            *self.fired.entry(rule.rule.clone()).or_default() += 1;
        }
        super::sync::print(context, &[result], true);
    }

    /// In JSON each record's line names its rules.
    fn count_rules(&self, context: &Context) {
        if self.fired.is_empty() || context.output.is_json() {
            return;
        }
        let counts: Vec<String> = self
            .fired
            .iter()
            .map(|(rule, number)| format!("{rule} {number}"))
            .collect();
        context
            .output
            .line(&format!("rules that would fire: {}", counts.join(", ")));
    }
}

/// Prints the summary and answers with the exit code.
pub fn report(context: &Context, run: &Run) -> Result<Exit, Problem> {
    if context.output.is_json() {
        context.output.document(&run.summary());
    } else {
        let (verb, failed) = match run.options.dry_run {
            true => ("would be sent", "would fail"),
            false => ("synced", "failed"),
        };
        let counts = &run.counts;
        context.output.line(&format!(
            "{} {}: read {}, unchanged {}, {verb} {}, superseded {}, skipped {}, {failed} {} in {:.1} s; \
             requests: HighLevel {}, ActiveCampaign {}; rate-limit answers: {}",
            run.mapping, run.state.name(), counts.read, counts.unchanged, counts.synced, counts.superseded, counts.skipped,
            counts.failed, run.elapsed_ms as f64 / 1000.0, run.requests.highlevel, run.requests.activecampaign, run.throttled,
        ));
        if counts.failed > 0 && !run.options.dry_run {
            context.output.line(&format!(
                "see them: tramline queue list --filter 'state:failed run:{}'",
                run.id
            ));
        }
    }
    match run.state {
        RunState::Completed if run.counts.failed > 0 => Ok(Exit::Partly),
        RunState::Completed => Ok(Exit::Done),
        RunState::Failed => match &run.error {
            Some(problem) => Err(problem.clone()),
            None => Ok(Exit::Failed),
        },
        RunState::Paused | RunState::Cancelled | RunState::Running => Ok(Exit::Failed),
    }
}

/// How waiting for a run ended.
pub enum Ended {
    Run(Box<Run>),
    Signal(Exit),
}

/// How progress is shown, on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    None,
    /// A bar, for a terminal.
    Bar,
    /// A line every other second, for logs.
    Lines,
}

/// Waits for a run's end and shows its progress.
pub async fn follow(
    operations: &Operations,
    run: &Run,
    progress: Progress,
) -> Result<Ended, Problem> {
    let bar = if progress == Progress::Bar {
        progress_bar()
    } else {
        ProgressBar::hidden()
    };
    let mut said = Instant::now();
    let mut waiting = None;
    let mut changes = operations.changes();
    let stop = signals::stop();
    tokio::pin!(stop);
    loop {
        let now = operations.export(run.id.as_str()).await?;
        draw(&bar, &now);
        // Told once: a breaker's next question comes again and again.
        let reason = now.waiting.as_ref().map(|waiting| waiting.reason);
        if let Some(wait) = now.waiting.as_ref().filter(|_| reason != waiting) {
            bar.suspend(|| eprintln!("{}", sanitize::line(&super::exports::waits(wait))));
        }
        waiting = reason;
        if progress == Progress::Lines && said.elapsed() >= Duration::from_secs(2) {
            said = Instant::now();
            eprintln!(
                "    read {} of {}, settled {}, sent {}",
                now.counts.read,
                now.total.unwrap_or(0),
                now.counts.settled(),
                now.sent
            );
        }
        // What is in flight when a run is paused or cancelled is still confirmed.
        if now.state != RunState::Running && !operations.export_at_work(&now.id) {
            bar.finish_and_clear();
            return Ok(Ended::Run(Box::new(now)));
        }
        if let Some(problem) = operations.export_failure(&now.id) {
            bar.finish_and_clear();
            return Err(problem);
        }
        // Sampled at most five times a second, and only when something was written.
        let changed = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let _ = changes.changed().await;
        };
        tokio::select! {
            () = changed => {}
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            exit = &mut stop => {
                bar.finish_and_clear();
                return Ok(Ended::Signal(exit));
            }
        }
    }
}

fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) =
        ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} {per_sec} {eta} left  {msg}")
    {
        bar.set_style(style);
    }
    bar
}

fn draw(bar: &ProgressBar, run: &Run) {
    bar.set_prefix(format!("export {}", run.mapping));
    bar.set_length(run.total.unwrap_or(run.counts.read).max(run.counts.read));
    bar.set_position(run.counts.settled());
    let counts = &run.counts;
    bar.set_message(match run.options.dry_run {
        true => format!(
            "read {} · would send {} · would fail {}",
            counts.read, counts.synced, counts.failed
        ),
        false => format!(
            "read {} · sent {} · failed {}",
            counts.read, run.sent, counts.failed
        ),
    });
}

/// A time in RFC 3339, or an age before now.
fn since(text: &str) -> Result<jiff::Timestamp, Problem> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    crate::model::Period::parse(text)
        .ok()
        .and_then(|age| jiff::Timestamp::now().checked_sub(age.duration()).ok())
        .ok_or_else(|| {
            super::usage(
                format!("`{text}` is no time"),
                "write 2026-11-01T00:00:00Z, or an age such as 2h or 7d",
            )
        })
}
