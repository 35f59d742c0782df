//! Saved filters of the queue and the activity: one key lists them, with what they stand for; from there the filter in force
//! is saved, and old ones are deleted.

use super::App;
use crate::model::{JobState, Level, Problem};
use crate::operations::Done;
use crate::operations::filters::{FilterOf, SavedFilter};
use crate::tui::canvas::{cut, shown_width};
use crate::tui::context::Cx;
use crate::tui::keymap::{Action, Tab};
use crate::tui::request::Request;
use crate::tui::slots::Slot;
use crate::tui::widgets::field::{Field, Kind};
use crate::tui::widgets::form::{Form, Purpose};
use crate::tui::widgets::overlay::{Choice, Overlay};
use crate::tui::widgets::picker::{Item, Picker};

/// What can be chosen in the list.
#[derive(Clone, Debug, PartialEq)]
pub enum FilterStep {
    Use(SavedFilter),
    /// The filter in force, which has no name yet.
    Save(SavedFilter),
    /// Choose which one to delete.
    ChooseOld(Vec<SavedFilter>),
    Delete(SavedFilter),
}

/// Columns that names take at most, so that the filters stand below each other.
const NAMES: usize = 24;

/// `state:failed mapping:pets`: what a saved filter stands for.
fn meaning(filter: &SavedFilter) -> String {
    let part = filter.part.as_deref().map(|part| match filter.of {
        FilterOf::Queue => format!("state:{part}"),
        FilterOf::Activity => part.to_owned(),
    });
    let parts = [part.unwrap_or_default(), filter.filter.clone()];
    let said: Vec<&str> = parts.iter().map(String::as_str).collect();
    said.join(" ").trim().to_owned()
}

/// Items with the names below each other and the filters too.
fn items(filters: &[SavedFilter], mark: &str) -> Vec<Item> {
    let widest = filters.iter().map(|f| shown_width(&f.name)).max();
    let widest = widest.unwrap_or(0).min(NAMES);
    let item = |filter: &SavedFilter| {
        let name = cut(&filter.name, widest as u16, mark);
        let gap = " ".repeat(widest - shown_width(&name) + 2);
        Item {
            label: format!("{name}{gap}{}", meaning(filter)),
            note: String::new(),
            key: String::new(),
            off: false,
        }
    };
    filters.iter().map(item).collect()
}

impl App {
    /// The list of the screen in view that filters can be saved for.
    fn filtered(&self) -> Option<FilterOf> {
        match self.tab {
            Tab::Queue => Some(FilterOf::Queue),
            Tab::Activity => Some(FilterOf::Activity),
            _ => None,
        }
    }

    /// Why the filter in force cannot be read.
    fn filter_fault(&self, of: FilterOf) -> Option<String> {
        match of {
            FilterOf::Queue => self.queue.fault().map(|fault| fault.message),
            FilterOf::Activity => self.activity.fault().map(ToString::to_string),
        }
    }

    /// The filter in force, without a name; `None` if there is none that can be read.
    fn filter_in_force(&self, of: FilterOf) -> Option<SavedFilter> {
        if self.filter_fault(of).is_some() {
            return None;
        }
        let (part, filter) = match of {
            FilterOf::Queue => {
                let (state, filter) = self.queue.remembered();
                (state.map(JobState::name), filter)
            }
            FilterOf::Activity => self.activity.in_force(),
        };
        (part.is_some() || !filter.is_empty()).then(|| SavedFilter {
            of,
            name: String::new(),
            part: part.map(str::to_owned),
            filter: filter.to_owned(),
        })
    }

    /// Asks for the saved filters of the list in view.
    pub(super) fn ask_filters(&mut self) {
        if let Some(of) = self.filtered() {
            let slot = Slot::Filters(self.tab);
            hands!(self).ask(slot, Request::Filters(of));
        }
    }

    /// The saved filters came: one is to be chosen, or what else is to be done with them.
    pub(super) fn choose_filter(&mut self, of: FilterOf, result: Done<Vec<SavedFilter>>) {
        // Whoever went on meanwhile does not want them any more.
        if self.filtered() != Some(of) || !self.overlays.is_empty() {
            return;
        }
        let saved = match result {
            Ok(saved) => saved,
            Err(problem) => {
                self.toasts
                    .push(Level::Error, problem.to_string(), self.now);
                return;
            }
        };
        let mut items = items(&saved, self.theme.glyphs.cut);
        let mut steps: Vec<FilterStep> = saved.iter().cloned().map(FilterStep::Use).collect();
        let mut add = |label: String, step| {
            items.push(Item {
                label,
                note: String::new(),
                key: String::new(),
                off: false,
            });
            steps.push(step);
        };
        let now = self.filter_in_force(of);
        let same = |filter: &SavedFilter, now: &SavedFilter| {
            (&filter.part, &filter.filter) == (&now.part, &now.filter)
        };
        if let Some(now) = now.filter(|now| !saved.iter().any(|filter| same(filter, now))) {
            let label = format!("save the filter in force: {}", meaning(&now));
            add(label, FilterStep::Save(now));
        }
        if !saved.is_empty() {
            add(
                "delete a saved filter".to_owned(),
                FilterStep::ChooseOld(saved),
            );
        }
        if let Some(fault) = self.filter_fault(of) {
            let fault = fault.strip_prefix("filter, ").unwrap_or(&fault);
            let text = format!("the filter in force cannot be read, nor saved: {fault}");
            self.toasts.push(Level::Warning, text, self.now);
        } else if steps.is_empty() {
            let text = format!(
                "no filter is saved, and none is in force: {} sets one, then {} saves it",
                self.keymap.key_of(Action::Filter),
                self.keymap.key_of(Action::Filters)
            );
            self.toasts.push(Level::Warning, text, self.now);
        }
        if steps.is_empty() {
            return;
        }
        let picker = Picker::new("Saved filters", items);
        self.overlays
            .push(Overlay::Pick(picker, Choice::Filter(steps)));
    }

    /// Does what was chosen.
    pub(super) fn take_filter_step(&mut self, step: FilterStep) {
        match step {
            FilterStep::Use(filter) => self.use_filter(filter),
            FilterStep::Save(filter) => {
                let title = format!("Save {}", meaning(&filter));
                let mut name = Field::text("name", "Name", Kind::Text, None);
                name.required = true;
                let form = Form::new(title, Purpose::SaveFilter(filter), vec![name]);
                self.show(Overlay::Form(Box::new(form)));
            }
            FilterStep::ChooseOld(saved) => {
                let items = items(&saved, self.theme.glyphs.cut);
                let picker = Picker::new("Delete a saved filter", items);
                let steps = saved.into_iter().map(FilterStep::Delete).collect();
                self.overlays
                    .push(Overlay::Pick(picker, Choice::Filter(steps)));
            }
            FilterStep::Delete(filter) => {
                self.keep_filters(Request::DeleteFilter(filter));
            }
        }
    }

    fn use_filter(&mut self, saved: SavedFilter) {
        let mut cx = hands!(self);
        match saved.of {
            FilterOf::Queue => {
                let state = saved.part.as_deref().and_then(JobState::from_name);
                self.queue.use_filter(state, saved.filter, &mut cx);
            }
            FilterOf::Activity => {
                let kind = saved.part.unwrap_or_default();
                self.activity.use_filter(&kind, &saved.filter, &mut cx);
            }
        }
    }

    /// The form with a filter's name was entered: it stays until the filter is kept.
    pub(in crate::tui) fn save_filter(&mut self, form: Box<Form>, filter: SavedFilter) {
        let name = form.fields.first().map(|field| field.typed().to_owned());
        self.overlays.push(Overlay::Form(form));
        let filter = SavedFilter {
            name: name.unwrap_or_default(),
            ..filter
        };
        let request = Request::SaveFilter(filter);
        self.keep_filters(request.clone());
        self.form_waits(&request);
    }

    /// Changes what is saved, to the end, whatever is asked meanwhile. It is nobody's data: `--read-only` and production have
    /// no say in it.
    fn keep_filters(&mut self, request: Request) {
        let mut cx = hands!(self);
        let slot = cx.slots.write();
        cx.ask(slot, request);
    }

    /// A filter was kept, or was not: then the form says why.
    pub(super) fn filter_saved(&mut self, write: Slot, result: Result<SavedFilter, Problem>) {
        let form = self.busy_form(write);
        self.unfinished.answered(write, result.is_ok());
        match (form, result) {
            (Some(at), Err(problem)) => {
                if let Overlay::Form(form) = &mut self.overlays[at] {
                    form.failed(problem);
                }
            }
            (None, Err(problem)) => self
                .toasts
                .push(Level::Error, problem.to_string(), self.now),
            (form, Ok(filter)) => {
                if let Some(at) = form {
                    self.overlays.remove(at);
                }
                let key = self.keymap.key_of(Action::Filters);
                let text = format!("saved as {}; {key} lists what is saved", filter.name);
                self.toasts.push(Level::Ok, text, self.now);
            }
        }
    }

    /// A filter was deleted, or was gone already.
    pub(super) fn filter_deleted(&mut self, filter: &SavedFilter, result: Done<bool>) {
        let (level, text) = match result {
            // Its words are said once more, so that they can be typed again.
            Ok(true) => (
                Level::Ok,
                format!("{} is deleted; it was {}", filter.name, meaning(filter)),
            ),
            Ok(false) => (
                Level::Warning,
                format!("{} was deleted already", filter.name),
            ),
            Err(problem) => (Level::Error, problem.to_string()),
        };
        self.toasts.push(level, text, self.now);
    }
}
