//! A mapping as lines between record fields and contact fields, with a live sample going through, and its editor.

mod create;
mod edit;
mod rows;
mod rules;
mod rules_view;
mod survey;
mod view;

pub use create::field_from_form;
pub use edit::tried;
pub use rules::rule_tried;

use super::{Screen, about, contains, find_row};
use crate::model::view::{Preview, PreviewField};
use crate::model::{ActionNames, Finding, Level, MappingName, Record, RecordId};
use crate::operations::Done;
use crate::operations::draft::Draft;
use crate::operations::mappings::{MappingDetail, MappingLine};
use crate::tui::canvas::{Canvas, counted};
use crate::tui::command::quoted;
use crate::tui::context::{Cx, Session};
use crate::tui::keymap::Action;
use crate::tui::load::Load;
use crate::tui::request::{Reply, Request};
use crate::tui::slots::Slot;
use crate::tui::widgets::overlay::{Overlay, TextBox};
use crate::tui::widgets::table::TableState;
use crate::tui::widgets::text::{Paragraphs, Tone};
use edit::{Fields, choose_pair};
use jiff::Timestamp;
use ratatui::layout::Rect;
use std::collections::BTreeMap;
use survey::show_survey;

/// The screen.
#[derive(Default)]
pub struct Mappings {
    chosen: Option<MappingName>,
    detail: Load<MappingDetail>,
    samples: Load<Vec<Record>>,
    sample: usize,
    /// The sample that was written since they were read, and when.
    written: Option<(RecordId, Timestamp)>,
    preview: Load<Preview>,
    lines: TableState,
    filter: String,
    /// What is edited and not saved, by mapping.
    drafts: BTreeMap<MappingName, Draft>,
    /// The fields that lines of the mapping in view may name.
    fields: Fields,
    /// The rules, where they are shown in place of the lines.
    rules: Option<TableState>,
    /// What the account has that actions of rules can be about.
    names: Load<ActionNames>,
}

impl Mappings {
    /// Shows a mapping.
    pub fn choose(&mut self, name: MappingName, cx: &mut Cx) {
        if self.chosen.as_ref() == Some(&name) {
            return;
        }
        *self = Self {
            chosen: Some(name),
            drafts: std::mem::take(&mut self.drafts),
            rules: self.rules.as_ref().map(|_| TableState::default()),
            names: std::mem::take(&mut self.names),
            ..Self::default()
        };
        self.read(cx);
    }

    /// The mapping in view, for the remembered view.
    pub fn chosen(&self) -> Option<&MappingName> {
        self.chosen.as_ref()
    }

    /// Takes a remembered mapping.
    pub fn restore(&mut self, name: MappingName) {
        self.chosen = Some(name);
    }

    /// The configuration is another one: what was read of a mapping is old, and the mapping may be gone.
    pub fn forget(&mut self, session: &Session) {
        let chosen = self.chosen.take();
        *self = Self {
            chosen: chosen.filter(|name| session.mappings.iter().any(|known| known.name == *name)),
            filter: std::mem::take(&mut self.filter),
            drafts: std::mem::take(&mut self.drafts),
            rules: self.rules.take(),
            ..Self::default()
        };
    }

    fn read(&mut self, cx: &mut Cx) {
        let Some(name) = self.chosen.clone() else {
            return;
        };
        self.read_detail(cx);
        cx.ask(Slot::Draft, Request::Draft(name.clone()));
        self.samples.start();
        cx.ask(Slot::Samples, Request::Samples(name));
    }

    /// Holds the mapping in view, as it is to be, against both schemas.
    fn read_detail(&mut self, cx: &mut Cx) {
        let Some(name) = self.chosen.clone() else {
            return;
        };
        let request = match self.edited() {
            Some(draft) => Request::DraftDetail(name, Box::new(draft.spec.clone())),
            None => Request::MappingDetail(name),
        };
        self.detail.start();
        cx.ask(Slot::MappingDetail, request);
    }

    fn read_preview(&mut self, cx: &mut Cx) {
        let record = self.samples.value().and_then(|s| s.get(self.sample));
        if let (Some(record), Some(name)) = (record, &self.chosen) {
            let (name, record) = (name.clone(), Box::new(record.clone()));
            let request = match self.edited() {
                Some(draft) => Request::DraftPreview(name, Box::new(draft.spec.clone()), record),
                None => Request::SamplePreview(name, record),
            };
            cx.ask(Slot::SamplePreview, request);
            self.preview.start();
        }
    }

    /// The sample went through. Where it could not, the values of another record are none of its own.
    fn previewed(&mut self, result: Done<Preview>, cx: &mut Cx) {
        let of = self.preview.value().map(|preview| &preview.record.id);
        let sample = self.samples.value().and_then(|s| s.get(self.sample));
        if result.is_err() && of != sample.map(|record| &record.id) {
            self.preview = Load::Idle;
        }
        self.preview.finish(result, cx.now);
    }

    /// A record was written: where it is a sample, it is one as it is now.
    fn sample_saved(&mut self, record: Record, cx: &mut Cx) {
        let samples = self.samples.value_mut().into_iter().flatten();
        let Some((at, sample)) = samples.enumerate().find(|(_, held)| held.id == record.id) else {
            return;
        };
        self.written = Some((record.id.clone(), cx.now));
        *sample = record;
        if at == self.sample {
            self.preview = Load::Idle;
            self.read_preview(cx);
        }
    }

    /// Records were deleted: they are no samples any more.
    pub fn samples_gone(&mut self, gone: &[RecordId], cx: &mut Cx) {
        let Some(samples) = self.samples.value_mut() else {
            return;
        };
        let before = samples.len();
        samples.retain(|sample| !gone.contains(&sample.id));
        if samples.len() < before {
            self.sample = self.sample.min(samples.len().saturating_sub(1));
            self.preview = Load::Idle;
            self.read_preview(cx);
        }
    }

    fn shown(&self) -> Vec<&MappingLine> {
        let all = self
            .detail
            .value()
            .map(|d| d.lines.as_slice())
            .unwrap_or_default();
        all.iter()
            .filter(|l| contains(&l.source, &self.filter) || contains(&l.target, &self.filter))
            .collect()
    }

    /// Narrows lines and rules; the cursor stays on its line or rule as long as that is shown.
    fn narrow(&mut self, text: &str) {
        let (target, rule) = (self.target(), self.rule_at());
        self.filter = text.to_owned();
        let mut lines = self.shown().into_iter();
        let line = lines.position(|line| Some(&line.target) == target.as_ref());
        let mut rules = self.shown_rules().into_iter();
        let rule = rules.position(|(at, _)| Some(at) == rule);
        self.lines.stay(line);
        if let Some(table) = &mut self.rules {
            table.stay(rule);
        }
    }

    /// What the sample has for a line; nothing if it went through when the line came from elsewhere.
    fn sampled(&self, line: &MappingLine) -> Option<&PreviewField> {
        let fields = &self.preview.value()?.fields;
        let of = |field: &&PreviewField| field.field == line.target && field.source == line.source;
        fields.iter().find(of)
    }

    fn step(&mut self, forward: bool, cx: &mut Cx) {
        let names: Vec<MappingName> = cx.session.mappings.iter().map(|m| m.name.clone()).collect();
        let at = names.iter().position(|n| Some(n) == self.chosen.as_ref());
        let at = at.unwrap_or(0);
        let next = if forward {
            at + 1
        } else {
            at + names.len().max(1) - 1
        };
        if let Some(name) = names.get(next % names.len().max(1)) {
            self.choose(name.clone(), cx);
        }
    }

    fn show_line(&self, cx: &mut Cx) {
        let shown = self.shown();
        let Some(line) = shown.get(self.lines.cursor) else {
            return;
        };
        let mut text = Paragraphs::default();
        text.add("from", Tone::Muted);
        text.add(line.source.clone(), Tone::Plain);
        text.add("to", Tone::Muted);
        text.add(line.target.clone(), Tone::Plain);
        if let Some((level, problem)) = &line.problem {
            text.gap();
            text.add(problem.clone(), tone(*level));
        }
        if let Some(field) = self.sampled(line) {
            text.gap();
            text.add("sample in", Tone::Muted);
            text.add(field.record.clone().unwrap_or_default(), Tone::Plain);
            text.add("sample out", Tone::Muted);
            text.add(field.send.clone().unwrap_or_default(), Tone::Plain);
            if let Some(problem) = &field.problem {
                text.add(problem.to_string(), Tone::Error);
            }
            if let Some(warning) = &field.warning {
                text.add(warning.clone(), Tone::Warn);
            }
        }
        let title = format!("{} to {}", line.source, line.target);
        cx.show(Overlay::Text(TextBox::new(title, text)));
    }
}

fn tone(level: Level) -> Tone {
    match level {
        Level::Ok => Tone::Ok,
        Level::Warning => Tone::Warn,
        Level::Error => Tone::Error,
    }
}

/// A finding in one line; `error` marks one that is an error.
fn finding_text(finding: &Finding, error: &str) -> String {
    let mark = match finding.level {
        Level::Ok => "ok",
        Level::Warning => "!",
        Level::Error => error,
    };
    let mut text = format!("{mark} {}: {}", finding.item, finding.message);
    if let Some(remedy) = &finding.remedy {
        text.push_str(&format!(" ({remedy})"));
    }
    text
}

impl Screen for Mappings {
    fn open(&mut self, cx: &mut Cx) {
        if self.chosen.is_none() {
            self.chosen = cx.session.mappings.first().map(|m| m.name.clone());
        }
        if self.detail.is_idle() {
            self.read(cx);
        }
    }

    fn act(&mut self, action: Action, cx: &mut Cx) {
        if self.rules.is_some() && self.act_on_rules(action, cx) {
            return;
        }
        match action {
            Action::Reload => {
                self.put_over(cx);
                self.preview = Load::Idle;
                self.names = Load::Idle;
                self.read(cx);
            }
            Action::Switch | Action::Right => self.step(true, cx),
            Action::Left => self.step(false, cx),
            Action::NextSample => {
                let count = self.samples.value().map_or(0, Vec::len);
                if count > 0 {
                    self.sample = (self.sample + 1) % count;
                    self.read_preview(cx);
                    let record = self.samples.value().and_then(|s| s.get(self.sample));
                    if let (Some(name), Some(record)) = (&self.chosen, record) {
                        let quoted = quoted(name.as_str());
                        let command = format!("tramline mappings preview {quoted} {}", record.id);
                        cx.did_by(name, command);
                    }
                }
            }
            Action::Open => self.show_line(cx),
            Action::Edit => self.edit_line(cx),
            Action::New => self.add_line(cx),
            Action::Delete => self.remove_line(cx),
            Action::Undo => self.undo(cx),
            Action::Save => self.save(cx),
            Action::Rules => self.switch_to_rules(cx),
            Action::Earlier | Action::Later => {
                let key = "r shows the rules: only their order counts";
                cx.toast(Level::Warning, key);
            }
            Action::CreateField => self.ask_field(cx),
            Action::Suggest => {
                if let Some((name, draft)) = self.at_hand(cx) {
                    let quoted = quoted(name.as_str());
                    cx.did_by(&name, format!("tramline mappings suggest {quoted}"));
                    cx.ask(
                        Slot::Suggestions,
                        Request::Suggest(name, Box::new(draft.spec)),
                    );
                }
            }
            Action::Survey => self.ask_survey(cx),
            Action::Check => {
                cx.did("tramline check");
                cx.ask(Slot::Check, Request::Check);
            }
            Action::Copy => {
                let target = self
                    .shown()
                    .get(self.lines.cursor)
                    .map(|l| l.target.clone());
                if let Some(target) = target {
                    cx.copy("contact field", target);
                }
            }
            Action::NextMatch | Action::PreviousMatch => {
                let (rules, lines) = (self.shown_rules().len(), self.shown().len());
                let (table, rows) = match &mut self.rules {
                    Some(table) => (table, rules),
                    None => (&mut self.lines, lines),
                };
                let forward = action == Action::NextMatch;
                table.cursor = find_row(rows, table.cursor, forward, |_| true).unwrap_or(0);
            }
            _ => {
                let rows = self.shown().len();
                self.lines.act(action, rows);
            }
        }
    }

    fn answer(&mut self, reply: Reply, cx: &mut Cx) {
        match reply {
            Reply::MappingDetail(name, result) if Some(&name) == self.chosen.as_ref() => {
                self.detail.finish(result, cx.now);
                let rows = self.shown().len();
                self.lines.clamp(rows);
            }
            Reply::Samples(name, result) if Some(&name) == self.chosen.as_ref() => {
                self.samples.finish(result, cx.now);
                let count = self.samples.value().map_or(0, Vec::len);
                self.sample = self.sample.min(count.saturating_sub(1));
                self.read_preview(cx);
            }
            Reply::Saved(Ok(record)) => self.sample_saved(record, cx),
            Reply::SamplePreview(result) => self.previewed(result, cx),
            Reply::Draft(name, result) if Some(&name) == self.chosen.as_ref() => {
                self.draft_read(name, result, cx);
            }
            Reply::Survey(name, result) => show_survey(&name, result, cx),
            Reply::MappingSaved(name, result) => self.saved(&name, result, cx),
            Reply::Suggestions(Ok(pairs)) => choose_pair(pairs, cx),
            Reply::Suggestions(Err(problem)) => cx.toast(Level::Error, problem.to_string()),
            Reply::Findings(findings) => {
                let mut text = Paragraphs::default();
                for finding in &findings {
                    text.add(finding_text(finding, "error"), tone(finding.level));
                }
                let errors = findings.iter().filter(|f| f.level == Level::Error).count();
                let warnings = findings
                    .iter()
                    .filter(|f| f.level == Level::Warning)
                    .count();
                let title = format!(
                    "Check: {}, {}",
                    counted(errors as u64, "error"),
                    counted(warnings as u64, "warning")
                );
                cx.show(Overlay::Text(TextBox::new(title, text)));
            }
            _ => {}
        }
    }

    fn back(&mut self, _cx: &mut Cx) -> bool {
        if !self.filter.is_empty() {
            self.narrow("");
            return true;
        }
        self.rules.take().is_some()
    }

    fn depth(&self) -> usize {
        usize::from(!self.filter.is_empty()) + usize::from(self.rules.is_some())
    }

    fn about(&self) -> Option<String> {
        self.chosen().map(|name| about("mapping", name.as_str()))
    }

    fn has_row(&self) -> bool {
        !self.shown().is_empty()
    }

    fn filter(&self) -> &str {
        &self.filter
    }

    fn set_filter(&mut self, text: &str, _done: bool, _cx: &mut Cx) {
        self.narrow(text);
    }

    fn awaits(&self, slot: Slot) -> bool {
        !matches!(slot, Slot::Draft | Slot::Trial | Slot::ActionNames)
    }

    fn cancelled(&mut self, slot: Slot) {
        match slot {
            Slot::MappingDetail => self.detail.cancel(),
            Slot::Samples => self.samples.cancel(),
            Slot::SamplePreview => self.preview.cancel(),
            Slot::ActionNames => self.names.cancel(),
            _ => {}
        }
    }

    fn view(&self, canvas: &mut Canvas, area: Rect) {
        self.draw(canvas, area);
    }
}
