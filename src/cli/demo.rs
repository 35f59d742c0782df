//! `tramline demo`

use super::{Context, Exit, export, signals, tui};
use crate::model::Problem;
use crate::operations::demo::{Demo, Story};
use std::io::IsTerminal;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Number of pet records in the sandbox
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    records: usize,
    /// Run the main job once without a screen, with progress on stderr and a summary on stdout
    #[arg(long)]
    headless: bool,
    #[command(flatten)]
    look: tui::Look,
}

pub async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Problem> {
    let headless = arguments.headless || context.output.is_json() || !tui::has_terminal();
    let demo = Demo::start(arguments.records).await?;
    let result = if headless {
        story(context, &demo).await
    } else {
        tui::show(&demo.operations, None, &arguments.look, true).await
    };
    demo.end().await;
    result
}

/// The main job once: check, export, one changed record, one failure and its retry.
async fn story(context: &Context, demo: &Demo) -> Result<Exit, Problem> {
    tokio::select! {
        result = tell(context, demo) => result,
        exit = signals::stop() => Ok(exit),
    }
}

async fn tell(context: &Context, demo: &Demo) -> Result<Exit, Problem> {
    let note = |text: String| context.output.note(&text);
    note("1/4 check: credentials, scopes, mappings against both schemas".into());
    let check = demo.check().await;
    note(format!(
        "    {} good, {} warnings, {} errors",
        check.good, check.warnings, check.errors
    ));
    note("2/4 export: every pet to its contact, under the real rate limits".into());
    let run = demo.export().await?;
    let progress = if std::io::stderr().is_terminal() {
        export::Progress::Bar
    } else {
        export::Progress::Lines
    };
    let run = match export::follow(&demo.operations, &run, progress).await? {
        export::Ended::Run(run) => run,
        export::Ended::Signal(exit) => return Ok(exit),
    };
    note(format!(
        "    {} read, {} synced, {} failed, {} skipped in {:.1} s",
        run.counts.read,
        run.counts.synced,
        run.counts.failed,
        run.counts.skipped,
        run.elapsed_ms as f64 / 1000.0
    ));
    note("3/4 one record changed in HighLevel, synced by hand".into());
    let changed = demo.change_one().await?;
    let fields = changed.iter().flat_map(|changed| &changed.fields);
    for field in fields.filter(|field| field.old != field.new) {
        note(format!(
            "    {}: {} → {}",
            field.field,
            field.old.as_deref().unwrap_or("—"),
            field.new.as_deref().unwrap_or("—")
        ));
    }
    if changed.is_none() {
        note("    no record can be synced: there is nothing to change".into());
    }
    note("4/4 one failed job: its record mended, the job retried".into());
    let mended = demo.mend_one().await?;
    note(match &mended {
        Some(mended) => format!(
            "    record {}: {} → {}",
            mended.record,
            mended.error,
            mended.state.name()
        ),
        None => "    no job failed: there is nothing to mend".into(),
    });
    let story = Story {
        check,
        export: run.summary(),
        changed,
        mended,
    };
    if context.output.is_json() {
        context.output.document(&story);
    } else {
        let export = &story.export;
        context.output.line(&format!(
            "exported {} pets: {} synced, {} unchanged, {} superseded, {} skipped, {} failed; requests: HighLevel {}, ActiveCampaign {}; rate-limit answers: {}",
            export.read, export.synced, export.unchanged, export.superseded, export.skipped, export.failed, export.requests.highlevel, export.requests.activecampaign, export.throttled,
        ));
        if let Some(changed) = &story.changed {
            let contact = changed.contact_id.as_ref().map(ToString::to_string);
            context.output.line(&format!(
                "changed record {}: {} (contact {})",
                changed.record,
                changed.outcome.name(),
                contact.unwrap_or_default()
            ));
        }
        if let Some(mended) = &story.mended {
            context.output.line(&format!(
                "mended record {}: {} (contact {})",
                mended.record,
                mended.state.name(),
                mended.contact_id.as_deref().unwrap_or_default()
            ));
        }
    }
    Ok(if check.errors == 0 {
        Exit::Done
    } else {
        Exit::Failed
    })
}
