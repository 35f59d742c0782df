//! `tramline queue show`

use crate::cli::output::time;
use crate::cli::{Context, Exit};
use crate::model::Problem;
use crate::operations::Operations;

pub async fn run(context: &Context, operations: &Operations, id: &str) -> Result<Exit, Problem> {
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
