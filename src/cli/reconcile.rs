//! `tramline reconcile`

use super::output::time;
use super::{Context, Exit, signals};
use crate::model::{MappingName, Problem};
use crate::operations::triggers::Reconciled;
use serde::Serialize;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// [default: every enabled mapping]
    mapping: Option<String>,
}

/// What was found of one mapping.
#[derive(Serialize)]
struct Report {
    mapping: MappingName,
    #[serde(flatten)]
    found: Reconciled,
}

pub async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Problem> {
    let operations = context.open(false).await?;
    let mappings = match arguments.mapping {
        Some(mapping) => vec![MappingName::from(mapping)],
        None => operations
            .mappings()
            .into_iter()
            .filter(|mapping| mapping.enabled)
            .map(|mapping| mapping.name)
            .collect(),
    };
    let mut reports = Vec::with_capacity(mappings.len());
    let all = async {
        for mapping in mappings {
            let found = operations.reconcile(&mapping).await?;
            reports.push(Report { mapping, found });
        }
        Ok::<(), Problem>(())
    };
    let result = tokio::select! {
        result = all => result,
        exit = signals::stop() => {
            operations.close().await;
            return Ok(exit);
        }
    };
    operations.close().await;
    if !reports.is_empty() || result.is_ok() {
        print(context, &reports);
    }
    result?;
    let sure = |report: &Report| report.found.complete && report.found.believed;
    Ok(if reports.iter().all(sure) {
        Exit::Done
    } else {
        Exit::Partly
    })
}

fn print(context: &Context, reports: &[Report]) {
    let columns = [
        "MAPPING",
        "RECORDS",
        "NOT ANNOUNCED",
        "ABSENT",
        "ENQUEUED",
        "WALK BEGAN",
        "",
    ];
    context.output.list(reports, &columns, |report| {
        let found = &report.found;
        let note = match (found.complete, found.believed) {
            (false, _) => "the walk met fewer records than there are: nothing is inferred from absence",
            (true, false) => "most known records are absent: check the token and location_id; nothing is done about them",
            (true, true) => "",
        };
        vec![
            report.mapping.to_string(),
            found.records.to_string(),
            found.unannounced.to_string(),
            found.absent.to_string(),
            found.enqueued.to_string(),
            time(Some(found.at)),
            note.to_owned(),
        ]
    });
}
