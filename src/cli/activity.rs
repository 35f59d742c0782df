//! `tramline activity`

use super::{Context, Exit, signals};
use crate::model::Problem;
use crate::operations::{LogFilter, LogLine};
use std::time::Duration;

/// How often a followed log is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Fields that have a place of their own in a line, or say nothing to a reader.
const KNOWN: [&str; 6] = ["timestamp", "level", "message", "target", "span", "spans"];

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// At most so many lines, the latest ones
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    /// Go on with what is written from now on, until ctrl-c
    #[arg(short, long)]
    follow: bool,
    /// Only lines of this level or worse: error, warn, info, debug, trace
    #[arg(long, value_name = "LEVEL")]
    level: Option<String>,
    /// Only lines about a request, by the id that the API gave it
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    /// Only lines about a job, by its id or a beginning of it
    #[arg(long, value_name = "ID")]
    job: Option<String>,
    /// Only lines about a record, by its id
    #[arg(long, value_name = "ID")]
    record: Option<String>,
    /// Only lines about a run of a bulk export, by its id
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// Only lines about a mapping
    #[arg(long, value_name = "NAME")]
    mapping: Option<String>,
    /// Leave out what is of another connection [default: all connections]
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
}

pub async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Problem> {
    let operations = context.open(false).await?;
    let only = operations.named(arguments.connection.as_deref())?;
    let filter = LogFilter {
        level: arguments.level,
        request: arguments.request,
        job: arguments.job,
        record: arguments.record,
        run: arguments.run,
        mapping: arguments.mapping,
        connection: only.map(|name| name.to_string()),
    };
    let (lines, mut activity) = operations.activity(filter, arguments.limit).await?;
    operations.close().await;
    print(context, &lines);
    if !arguments.follow {
        return Ok(Exit::Done);
    }
    loop {
        tokio::select! {
            exit = signals::stop() => return Ok(exit),
            () = tokio::time::sleep(LOOK) => print(context, &activity.more()?),
        }
    }
}

fn print(context: &Context, lines: &[LogLine]) {
    for line in lines {
        if context.output.is_json() {
            context.output.document(&line.0);
        } else {
            context.output.line(&readable(line));
        }
    }
}

/// `2026-11-23 14:02:11 INFO  job settled  job=… outcome=synced`
fn readable(line: &LogLine) -> String {
    let text = |key| line.text(key).unwrap_or_default();
    let at: String = text("timestamp")
        .replacen('T', " ", 1)
        .chars()
        .take(19)
        .collect();
    // The level that --level goes by: of a call that failed it is a higher one than the log has.
    let level = line
        .level()
        .map_or_else(|| text("level"), |level| level.name().to_ascii_uppercase());
    let mut out = format!("{at} {level:5} {}", text("message"));
    for key in line.0.keys() {
        if !KNOWN.contains(&key.as_str())
            && let Some(value) = line.text(key)
        {
            out.push_str(&format!("  {key}={value}"));
        }
    }
    out
}
