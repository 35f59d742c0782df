//! `tramline queue pause` and `resume`

use crate::cli::output::time;
use crate::cli::{Context, Exit, usage};
use crate::model::{self, Problem};
use crate::operations::{Operations, pauses};
use jiff::Timestamp;
use jiff::tz::TimeZone;

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
    /// When it ends by itself: a length such as 90s, 15m, 2h, 1d, the next 18:00 of this machine's clock, or a time such as
    /// 2026-11-30T08:00:00Z
    #[arg(long, value_name = "TIME|FOR")]
    until: Option<String>,
}

pub async fn pause(
    context: &Context,
    operations: &Operations,
    arguments: Pause,
) -> Result<Exit, Problem> {
    let until = match arguments.until.as_deref() {
        None => None,
        Some(text) => {
            let end = pauses::moment(text, Timestamp::now(), &TimeZone::system());
            Some(end.ok_or_else(|| {
                let what = format!("`{text}` is neither a time nor a length of time");
                usage(what, pauses::MOMENTS)
            })?)
        }
    };
    let scope = arguments.scope.chosen();
    let pauses = operations.pause(&scope, &arguments.reason, until).await?;
    print_pauses(context, &pauses);
    Ok(Exit::Done)
}

pub async fn resume(
    context: &Context,
    operations: &Operations,
    scope: Scope,
) -> Result<Exit, Problem> {
    let ended = operations.resume(&scope.chosen()).await?;
    if context.output.is_json() {
        print_pauses(context, &ended);
        return Ok(Exit::Done);
    }
    if ended.is_empty() {
        context.output.line("nothing was paused");
    }
    for pause in &ended {
        let what = what(pause);
        let (kind, since) = (pause.kind.name(), utc(Some(pause.since)));
        context.output.line(&format!(
            "{what} resumed: it was paused ({kind}) by {} since {since}: {}",
            pause.by, pause.reason
        ));
    }
    Ok(Exit::Done)
}

/// A time with its zone: whoever typed a time of day meant that of this machine's clock.
pub fn utc(at: Option<Timestamp>) -> String {
    let zone = if at.is_some() { " UTC" } else { "" };
    format!("{}{zone}", time(at))
}

/// ` until 2026-11-27 19:20:00 UTC`; nothing where it has no end.
pub fn until(pause: &model::Pause) -> String {
    let until = pause.until.map(|at| format!(" until {}", utc(Some(at))));
    until.unwrap_or_default()
}

/// What a pause is about.
pub fn what(pause: &model::Pause) -> String {
    match &pause.mapping {
        Some(mapping) => format!("mapping {mapping}"),
        None => format!("connection {}", pause.connection),
    }
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
            utc(Some(pause.since)),
            utc(pause.until),
            pause.reason.clone(),
        ]
    });
}
