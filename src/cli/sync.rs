//! `tramline sync`

use super::{Context, Exit, signals};
use crate::model::view::{Outcome, SyncResult};
use crate::model::{MappingName, Problem, RecordId};
use serde::Serialize;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    mapping: String,
    #[arg(required = true)]
    records: Vec<String>,
    /// Write nothing; show what would be written
    #[arg(long)]
    dry_run: bool,
}

pub async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Problem> {
    let operations = context.open(false).await?;
    let mapping = MappingName::from(arguments.mapping);
    let records: Vec<RecordId> = arguments.records.into_iter().map(RecordId::from).collect();
    let dry_run = arguments.dry_run;
    let results = tokio::select! {
        results = operations.sync(&mapping, &records, dry_run) => results,
        exit = signals::stop() => {
            operations.close().await;
            context.output.note("stopped; what was begun goes on with the next worker");
            return Ok(exit);
        }
    };
    operations.close().await;
    let results = results?;
    print(context, &results, dry_run);
    let count = |outcome: Outcome| {
        let same = results.iter().filter(|result| result.outcome == outcome);
        same.count()
    };
    let open = count(Outcome::Unknown) + count(Outcome::Waiting) > 0;
    Ok(match Exit::of(count(Outcome::Failed)) {
        // Not failed, and not done either.
        Exit::Done if open => Exit::Partly,
        exit => exit,
    })
}

/// What would become of a record: nothing was sent.
#[derive(Serialize)]
struct Rehearsed<'a> {
    #[serde(flatten)]
    result: &'a SyncResult,
    dry_run: bool,
}

/// One line a record, and beneath it what rules do and each field that changes. `rehearsed`: nothing was done.
pub fn print(context: &Context, results: &[SyncResult], rehearsed: bool) {
    for result in results {
        if context.output.is_json() {
            match rehearsed {
                true => context.output.document(&Rehearsed {
                    result,
                    dry_run: true,
                }),
                false => context.output.document(result),
            }
            continue;
        }
        let contact = result
            .contact_id
            .as_ref()
            .map(|id| format!("  contact {id}"))
            .unwrap_or_default();
        // What a sync waits for tells of its error as well.
        let error = result.error.as_ref().map(ToString::to_string);
        let reason = result.why.clone().or(error);
        let reason = reason
            .map(|reason| format!("  {reason}"))
            .unwrap_or_default();
        let outcome = match rehearsed {
            true => would(result.outcome),
            false => result.outcome.name(),
        };
        let winner = result
            .superseded_by
            .as_ref()
            .map(|winner| format!(" by record {winner}"))
            .unwrap_or_default();
        context.output.line(&format!(
            "{}  {outcome}{winner}{contact}{reason}",
            result.record
        ));
        if let Some(warning) = &result.warning {
            context.output.line(&format!("    warning: {warning}"));
        }
        for rule in &result.rules {
            let fires = if rehearsed { "would fire" } else { "fired" };
            let actions = rule.actions.join(", ");
            context
                .output
                .line(&format!("    rule {} {fires}: {actions}", rule.rule));
        }
        for field in &result.fields {
            if let Some(problem) = &field.problem {
                context
                    .output
                    .line(&format!("    {} ✗ {}", field.field, problem));
            } else if field.changes {
                let show = |value: &Option<String>| value.clone().unwrap_or_else(|| "—".into());
                context.output.line(&format!(
                    "    {}: {} → {}",
                    field.field,
                    show(&field.old),
                    show(&field.new)
                ));
            }
        }
    }
}

/// An outcome that a dry run foresees.
fn would(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Synced => "would be synced",
        Outcome::Unchanged => "would stay unchanged",
        Outcome::Superseded => "would be superseded",
        Outcome::Skipped => "would be skipped",
        Outcome::Failed => "would fail",
        Outcome::Unknown | Outcome::Waiting => outcome.name(),
    }
}
