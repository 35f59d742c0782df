//! The live queue: states with counts, filter, failure groups, detail with attempts, retry and discard.

mod groups;
mod mend;
mod meter;
mod pace;
mod pauses;
mod screen;
mod typing;
mod undo;
mod view;

use super::Refresh;
use crate::model::bulk::BulkAction;
use crate::model::filter::{Condition, Filter};
use crate::model::job::JobCounts;
use crate::model::{
    ConnectionName, ErrorClass, Job, JobId, JobState, Level, MappingName, Pause, Problem, RecordId,
};
use crate::operations::queue::{Chosen, JobCursor, JobDetail, JobQuery};
use crate::operations::status::Status;
use crate::tui::canvas::grouped;
use crate::tui::command::quoted;
use crate::tui::context::Cx;
use crate::tui::load::Load;
use crate::tui::request::Request;
use crate::tui::slots::Slot;
use crate::tui::widgets::confirm::Confirm;
use crate::tui::widgets::paged::Paged;
use crate::tui::widgets::table::TableState;
use crate::tui::widgets::text::Scroll;
use crate::tui::widgets::toast::About;
use groups::Groups;
use jiff::Timestamp;
use meter::Meter;
use std::collections::BTreeSet;
use typing::Before;
use undo::Doings;

pub use groups::GROUPS;
pub use pauses::{Step, from_form as pause_from_form};
pub use undo::WINDOW;

/// Jobs a page.
pub const PAGE: u32 = 100;
/// Pages held at a time.
const KEEP: usize = 20;

/// A count that is awaited.
#[derive(Clone, Debug)]
struct Asking {
    action: BulkAction,
    /// What the jobs have in common, where a filter alone does not say it.
    about: Option<String>,
}

/// The screen.
pub struct Queue {
    state: Option<JobState>,
    filter: String,
    /// What a filter that is being typed has taken the place of.
    before: Option<Before>,
    list: Paged<Job, JobCursor>,
    load: Load<()>,
    refresh: Refresh,
    table: TableState,
    under: Option<JobId>,
    /// The job that the cursor is to be on again, while the list is read anew: until then it is on none.
    seeking: Option<JobId>,
    selected: BTreeSet<JobId>,
    follow: bool,
    open: bool,
    in_detail: bool,
    detail: Load<JobDetail>,
    scroll: Scroll,
    why: bool,
    ask: Option<Asking>,
    groups: Groups,
    doings: Doings,
    meter: Meter,
    /// The job whose record is read to be mended, and why and when it failed.
    mending: Option<(MappingName, Option<Problem>, Timestamp)>,
    /// The record that was read to be mended, and how its job stood then.
    mended: Option<(RecordId, JobState)>,
    /// A job that was just retried by itself: how it ends is said, even if it left the list.
    watched: Option<JobId>,
    counts: JobCounts,
    /// What keeps jobs from being claimed.
    pauses: Vec<Pause>,
    low_bandwidth: bool,
    /// The connection in view, where there are several.
    only: Option<ConnectionName>,
}

impl Queue {
    /// Actions on many jobs that were asked for here and have not begun, for people.
    pub fn not_begun(&self, now: Timestamp) -> Vec<String> {
        self.doings.not_begun(now)
    }

    /// An empty screen; `low_bandwidth` reads the list once a second at most.
    pub fn new(low_bandwidth: bool) -> Self {
        Self::holding(KEEP, low_bandwidth)
    }

    /// A screen that holds at most so many pages.
    pub fn holding(pages: usize, low_bandwidth: bool) -> Self {
        Self {
            state: None,
            filter: String::new(),
            before: None,
            list: Paged::new(pages),
            load: Load::Idle,
            refresh: Refresh::new(low_bandwidth),
            table: TableState::default(),
            under: None,
            seeking: None,
            selected: BTreeSet::new(),
            follow: false,
            open: false,
            in_detail: false,
            detail: Load::Idle,
            scroll: Scroll::default(),
            why: false,
            ask: None,
            groups: Groups::new(low_bandwidth),
            doings: Doings::new(low_bandwidth),
            meter: Meter::new(low_bandwidth),
            mending: None,
            mended: None,
            watched: None,
            counts: JobCounts::default(),
            pauses: Vec::new(),
            low_bandwidth,
            only: None,
        }
    }

    /// Narrows the list to a connection.
    pub fn narrow(&mut self, only: Option<ConnectionName>) {
        self.only = only;
    }

    /// The store changed: what is shown is read again when it is due.
    pub fn mark(&mut self) {
        self.refresh.mark();
        self.groups.mark();
        self.doings.mark();
        self.meter.mark();
    }

    /// Reads the list less often, or at the usual pace again.
    pub fn pace(&mut self, low_bandwidth: bool) {
        self.low_bandwidth = low_bandwidth;
        self.refresh.pace(low_bandwidth);
        self.groups.pace(low_bandwidth);
        self.doings.pace(low_bandwidth);
        self.meter.pace(low_bandwidth);
    }

    /// What the status says of the queue, as it was read last.
    pub fn see(&mut self, status: &Status, now: Timestamp) {
        self.counts = status.counts;
        self.pauses.clone_from(&status.pauses);
        self.meter.see(status);
        self.doings.see(&status.bulks, now);
    }

    /// Shows the jobs of a state, or of all, under a filter text.
    pub fn choose(&mut self, state: Option<JobState>, filter: String, cx: &mut Cx) {
        self.restore(state, filter);
        self.restart(cx);
    }

    /// Leaves the view as it is, for one that is opened from elsewhere, and gives what leads back to it. What goes on in the
    /// queue stays in sight.
    pub fn step_aside(&mut self, cx: &mut Cx) -> Box<Self> {
        for slot in [Slot::Jobs, Slot::Job, Slot::Groups] {
            cx.give_up(slot);
        }
        let fresh = Self::new(self.low_bandwidth);
        let mut left = Box::new(std::mem::replace(self, fresh));
        self.take_common(&mut left);
        left
    }

    /// The view is again as it was left, and is read again.
    pub fn put_back(&mut self, left: Box<Self>, cx: &mut Cx) {
        for slot in [Slot::Jobs, Slot::Job, Slot::Groups] {
            cx.give_up(slot);
        }
        let mut now = std::mem::replace(self, *left);
        self.take_common(&mut now);
        // Nobody waits for what was asked then.
        self.load.cancel();
        self.detail.cancel();
        self.groups.cancelled();
        self.refresh.mark();
        self.groups.mark();
    }

    /// Takes what is of the queue itself, whatever part of it is in view.
    fn take_common(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.doings, &mut other.doings);
        std::mem::swap(&mut self.meter, &mut other.meter);
        self.counts = other.counts;
        self.pauses.clone_from(&other.pauses);
        self.mended = other.mended.take();
        self.watched = other.watched.take();
        self.only.clone_from(&other.only);
        self.pace(other.low_bandwidth);
    }

    /// As [`Queue::choose`], by a saved filter.
    pub fn use_filter(&mut self, state: Option<JobState>, filter: String, cx: &mut Cx) {
        self.choose(state, filter, cx);
        self.did_list(cx);
    }

    /// Notes the command that lists what is in view; there is none for a filter that cannot be read.
    fn did_list(&self, cx: &mut Cx) {
        if self.fault().is_none() {
            let filter = quoted(&self.whole_filter());
            cx.did(format!("tramline queue list --filter {filter}"));
        }
    }

    /// Takes a remembered state and filter.
    pub fn restore(&mut self, state: Option<JobState>, filter: String) {
        self.state = state;
        self.filter = filter;
        self.before = None;
        self.groups.leave();
        self.open = false;
        self.in_detail = false;
    }

    /// State and filter in force, for the remembered view.
    pub fn remembered(&self) -> (Option<JobState>, &str) {
        (self.state, &self.filter)
    }

    /// State, filter, and the connection in view where there are several; a filter that names connections itself is taken at
    /// its word.
    fn whole_filter(&self) -> String {
        let state = self.state.map(|state| format!("state:{}", state.name()));
        let filter = Some(self.filter.clone()).filter(|filter| !filter.is_empty());
        let only = self.only.as_ref().filter(|_| !self.names_connections());
        let only = only.map(|only| {
            let condition = Condition::Connection(vec![only.to_string()]);
            Filter::default().and(condition).to_string()
        });
        let terms: Vec<String> = [state, filter, only].into_iter().flatten().collect();
        terms.join(" ")
    }

    fn names_connections(&self) -> bool {
        self.names(|condition| matches!(condition, Condition::Connection(_)))
    }

    /// True if the filter has a term of a kind itself.
    fn names(&self, kind: impl Fn(&Condition) -> bool) -> bool {
        Filter::parse(&self.filter)
            .is_ok_and(|filter| filter.terms.iter().any(|term| kind(&term.condition)))
    }

    /// Why the filter cannot be read. Its position is that in what was typed: the state in view stands nowhere before it.
    pub fn fault(&self) -> Option<Problem> {
        let fault = Filter::parse(&self.filter).err()?;
        Some(Problem::new(ErrorClass::Config, fault.to_string()))
    }

    /// A filter that names states itself is taken at its word, and all states come into view to say so.
    fn heed_named_states(&mut self, cx: &mut Cx) {
        if !self.names(|condition| matches!(condition, Condition::State(_))) {
            return;
        }
        if let Some(state) = self.state.take() {
            let text = format!(
                "the filter names states itself: it is asked of all jobs, not of those that are {}",
                state.name()
            );
            cx.toast(Level::Warning, text);
        }
    }

    fn current(&self) -> Option<&Job> {
        if self.seeking.is_some() {
            return None;
        }
        self.list.get(self.table.cursor)
    }

    fn restart(&mut self, cx: &mut Cx) {
        self.list.reset();
        self.table.reset();
        self.under = None;
        self.seeking = None;
        self.load = Load::Idle;
        if let Some(fault) = self.fault() {
            cx.give_up(Slot::Jobs);
            self.load.finish(Err(fault), cx.now);
            return;
        }
        self.heed_named_states(cx);
        self.load.start();
        self.refresh = Refresh::new(self.low_bandwidth);
        self.refresh.take(cx.now);
        self.ask_page(0, None, cx);
    }

    /// Reads the list anew with the cursor on the job that it was on, if that is listed still.
    fn read_anew(&mut self, cx: &mut Cx) {
        let under = self.under.take().filter(|_| !self.follow);
        self.restart(cx);
        self.seeking = under;
    }

    /// A page came in which the job is looked for; true once the cursor has its place.
    fn found(&mut self, cx: &mut Cx) -> bool {
        let Some(sought) = self.seeking.take() else {
            return true;
        };
        let row = self.list.held().find(|(_, job)| job.id == sought);
        if let Some((row, _)) = row {
            self.table.cursor = row;
            return true;
        }
        let read = self.list.len();
        match self.list.wanted(read..read + 1) {
            Some((page, after)) if !self.list.is_whole() && self.list.has_room() => {
                self.seeking = Some(sought);
                self.ask_page(page, after, cx);
                false
            }
            _ => {
                let text = match self.list.is_whole() {
                    true => {
                        "the job under the cursor is not in this list: the cursor is on the first"
                            .to_owned()
                    }
                    false => format!(
                        "the job under the cursor is not among the latest {}: the cursor is on the first",
                        grouped(read as u64)
                    ),
                };
                cx.toast(Level::Warning, text);
                true
            }
        }
    }

    fn ask_page(&mut self, page: usize, after: Option<JobCursor>, cx: &mut Cx) {
        let query = JobQuery {
            filter: self.whole_filter(),
            after,
            limit: PAGE,
        };
        cx.ask(Slot::Jobs, Request::Jobs { query, page });
    }

    fn read_ahead(&mut self, cx: &mut Cx) {
        if cx.slots.waits(Slot::Jobs)
            || self.load.value().is_none()
            || self.load.problem().is_some()
        {
            return;
        }
        if let Some((page, after)) = self.list.wanted(self.table.near()) {
            self.ask_page(page, after, cx);
        }
    }

    fn read_job(&mut self, cx: &mut Cx) {
        if let Some(id) = self.current().map(|job| job.id.to_string()) {
            self.detail.start();
            cx.ask(Slot::Job, Request::Job(id));
        }
    }

    fn moved(&mut self, cx: &mut Cx) {
        // A person who moves wants the row that is there.
        self.seeking = None;
        self.under = self.current().map(|job| job.id.clone());
        self.read_ahead(cx);
        if self.open {
            self.detail = Load::Idle;
            self.scroll.reset();
            self.read_job(cx);
        }
    }

    fn next_state(&mut self, forward: bool, cx: &mut Cx) {
        let mut states = vec![None];
        states.extend(JobState::ALL.map(Some));
        let at = states.iter().position(|s| *s == self.state).unwrap_or(0);
        let step = if forward { 1 } else { states.len() - 1 };
        self.state = states[(at + step) % states.len()];
        self.open = false;
        self.in_detail = false;
        self.restart(cx);
        self.did_list(cx);
    }

    fn chosen(&self) -> Option<Chosen> {
        if !self.selected.is_empty() {
            return Some(Chosen::Ids(self.selected.iter().cloned().collect()));
        }
        Some(Chosen::Ids(vec![self.in_view()?.id.clone()]))
    }

    /// The job of the detail that is open, or the one under the cursor.
    fn in_view(&self) -> Option<&Job> {
        match (self.open, self.detail.value()) {
            (true, Some(detail)) => Some(&detail.job),
            _ => self.current(),
        }
    }

    fn retry(&mut self, cx: &mut Cx) {
        let Some(chosen) = self.chosen() else { return };
        cx.retract(About::Mended);
        let did = command("retry", &chosen);
        cx.write(Request::Retry(chosen), None, did);
    }

    /// Why a retry made nothing ready.
    fn why_not_retried(&self, chosen: &Chosen) -> String {
        let one = match chosen {
            Chosen::Ids(ids) if ids.len() == 1 => self.in_view().filter(|job| job.id == ids[0]),
            _ => None,
        };
        let because = match one.map(|job| job.state) {
            Some(JobState::Done) => "this job is done; sync its record to send it again",
            Some(JobState::Running) => "a worker is on this job",
            Some(JobState::Ready) => "this job is ready, a worker takes it",
            Some(JobState::Discarded) => "this job was given up; sync its record to make a new one",
            _ => "only failed, unknown and waiting jobs are",
        };
        format!("nothing was retried: {because}")
    }

    fn count_first(
        &mut self,
        action: BulkAction,
        chosen: Chosen,
        about: Option<String>,
        cx: &mut Cx,
    ) {
        if cx.refused() {
            return;
        }
        self.ask = Some(Asking { action, about });
        let request = match action {
            BulkAction::Retry => Request::Count(chosen),
            BulkAction::Discard => Request::CountDiscardable(chosen),
        };
        cx.ask(Slot::Count, request);
    }

    fn counted(&mut self, chosen: Chosen, count: u64, cx: &mut Cx) {
        let Some(Asking { action, about }) = self.ask.take() else {
            return;
        };
        if count == 0 {
            let what = match action {
                BulkAction::Retry => "nothing to retry: only failed, unknown and waiting jobs are",
                BulkAction::Discard => {
                    "nothing to discard: what is done, running or given up stays"
                }
            };
            cx.toast(Level::Warning, what);
            return;
        }
        let jobs = if count == 1 { "job" } else { "jobs" };
        let of = match &chosen {
            _ if about.is_some() => about.unwrap_or_default(),
            Chosen::Filter(filter) if filter.is_empty() => "All that can be retried.".to_owned(),
            Chosen::Filter(filter) => format!("All that match {filter}"),
            Chosen::Ids(ids) => match self
                .in_view()
                .filter(|job| ids.as_slice() == std::slice::from_ref(&job.id))
            {
                Some(job) => format!("That of record {}, {}.", job.record, job.state.name()),
                None => "The chosen ones.".to_owned(),
            },
        };
        let number = grouped(count);
        let question = match action {
            BulkAction::Retry => Confirm::new(format!("Retry {number} {jobs}?")).line(of),
            BulkAction::Discard => Confirm::new(format!("Discard {number} {jobs}?"))
                .line(of)
                .warn(match count {
                    1 => "It is given up: only a later change of its record makes a new job.",
                    _ => "They are given up: only a later change of their records makes new jobs.",
                }),
        };
        let did = command(action.name(), &chosen);
        cx.write(Request::Later(action, chosen, count), Some(question), did);
    }

    /// Says how the job ended that was just retried.
    fn watch(&mut self, detail: &JobDetail, cx: &mut Cx) {
        let job = &detail.job;
        if self.watched.as_ref() != Some(&job.id) {
            return;
        }
        let nothing = job.ended.as_ref().and_then(|end| {
            let why = end.why.as_ref()?;
            Some(format!(", {}: {why}", end.outcome.name()))
        });
        let (level, over) = match job.state {
            JobState::Ready | JobState::Running => return,
            JobState::Waiting => (Level::Warning, false),
            JobState::Done if nothing.is_some() => (Level::Warning, true),
            JobState::Done => (Level::Ok, true),
            JobState::Failed | JobState::Unknown | JobState::Discarded => (Level::Error, true),
        };
        if over {
            self.watched = None;
        }
        let error = job.error.as_ref().filter(|_| level != Level::Ok);
        let error = error.map(|e| format!(": {e}"));
        let why = nothing.or(error).unwrap_or_default();
        cx.toast(level, format!("{} {}{why}", job.record, job.state.name()));
    }

    fn arrived(
        &mut self,
        page: usize,
        result: Result<crate::operations::queue::JobList, Problem>,
        cx: &mut Cx,
    ) {
        match result {
            Ok(list) => {
                self.list.insert(page, list.jobs, list.next, list.total);
                self.load.finish(Ok(()), cx.now);
                if !self.found(cx) {
                    return;
                }
                if self.follow {
                    self.table.cursor = 0;
                } else if let Some(under) = &self.under {
                    // The cursor stays on its job, wherever the job went.
                    let row = self.list.held().find(|(_, job)| job.id == *under);
                    if let Some((row, _)) = row {
                        self.table.cursor = row;
                    }
                }
                let rows = self.list.len();
                self.table.clamp(rows);
                self.under = self.current().map(|job| job.id.clone());
                self.read_ahead(cx);
            }
            Err(problem) => {
                self.seeking = None;
                self.load.finish(Err(problem), cx.now);
            }
        }
    }
}

fn command(verb: &str, chosen: &Chosen) -> String {
    match chosen {
        Chosen::Ids(ids) => {
            let ids: Vec<&str> = ids.iter().map(JobId::as_str).collect();
            format!("tramline queue {verb} {}", ids.join(" "))
        }
        Chosen::Filter(filter) => format!("tramline queue {verb} --filter {}", quoted(filter)),
    }
}
