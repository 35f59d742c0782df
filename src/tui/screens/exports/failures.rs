//! From a run to its failed jobs, or to the word why there are none.

use super::Exports;
use crate::model::export::Run;
use crate::model::{JobState, Level};
use crate::operations::Done;
use crate::operations::queue::{JobList, JobQuery};
use crate::tui::canvas::{counted, short_id};
use crate::tui::command::quoted;
use crate::tui::context::{Cx, Go};
use crate::tui::request::Request;
use crate::tui::slots::Slot;

impl Exports {
    /// Looks for the failed jobs of a run. A dry run makes none, and a job that was taken up again is no longer the run's.
    pub(super) fn failures(&mut self, run: Run, cx: &mut Cx) {
        let failed = counted(run.counts.failed, "record");
        if run.counts.failed == 0 {
            cx.toast(Level::Ok, "no record of this run failed");
        } else if run.options.dry_run {
            let text = format!(
                "a dry run makes no jobs; v in Mappings says what would fail, and tramline export {} --dry-run lists the {failed}",
                quoted(run.mapping.as_str())
            );
            cx.toast(Level::Warning, text);
        } else {
            let query = JobQuery {
                filter: format!("state:failed run:{}", run.id),
                after: None,
                limit: 1,
            };
            self.wanted = Some(run);
            cx.ask(Slot::RunFailures, Request::Jobs { query, page: 0 });
        }
    }

    pub(super) fn failures_found(&mut self, result: Done<JobList>, cx: &mut Cx) {
        let Some(run) = self.wanted.take() else {
            return;
        };
        match result {
            Err(problem) => cx.toast(Level::Error, problem.to_string()),
            Ok(list) if list.jobs.is_empty() => {
                let later = self.later(&run).map(|later| {
                    format!(
                        "; a later run has what failed again: {}",
                        short_id(later.id.as_str())
                    )
                });
                let text = format!(
                    "nothing of this run is failed any more: its jobs were retried, synced again or given up{}",
                    later.unwrap_or_default()
                );
                cx.toast(Level::Warning, text);
            }
            Ok(_) => {
                let filter = format!("run:{}", run.id);
                cx.did(format!(
                    "tramline queue list --filter 'state:failed {filter}'"
                ));
                cx.go(Go::Queue(Some(JobState::Failed), filter));
            }
        }
    }

    /// The newest later run of the same mapping that has failures of its own.
    fn later(&self, run: &Run) -> Option<&Run> {
        let all = self.runs.value().map(Vec::as_slice).unwrap_or_default();
        all.iter()
            .filter(|other| {
                other.mapping == run.mapping
                    && other.connection == run.connection
                    && other.started_at > run.started_at
                    && !other.options.dry_run
                    && other.counts.failed > 0
            })
            .max_by_key(|other| other.started_at)
    }
}
