//! All records through the mapping in view: what fails, and how many contacts would change.

use super::Mappings;
use crate::model::survey::Survey;
use crate::model::{Level, MappingName};
use crate::operations::Done;
use crate::tui::canvas::{counted, grouped};
use crate::tui::command::quoted;
use crate::tui::context::Cx;
use crate::tui::request::Request;
use crate::tui::slots::Slot;
use crate::tui::widgets::overlay::{Overlay, TextBox};
use crate::tui::widgets::text::{Paragraphs, Tone};

impl Mappings {
    /// Asks what the mapping, as it is to be, makes of all records.
    pub(super) fn ask_survey(&self, cx: &mut Cx) {
        if let Some((name, draft)) = self.at_hand(cx) {
            let quoted = quoted(name.as_str());
            cx.did_by(&name, format!("tramline export {quoted} --dry-run"));
            cx.ask(Slot::Survey, Request::Survey(name, Box::new(draft.spec)));
        }
    }
}

/// Says what came of it.
pub fn show_survey(name: &MappingName, result: Done<Survey>, cx: &mut Cx) {
    let survey = match result {
        Ok(survey) => survey,
        Err(problem) => {
            cx.toast(Level::Error, problem.to_string());
            return;
        }
    };
    let mut text = Paragraphs::default();
    let changed = counted(survey.changed, "contact");
    let tone = if survey.changed > 0 {
        Tone::Warn
    } else {
        Tone::Ok
    };
    text.add(format!("{changed} would change"), tone);
    // A line each: side by side they would break in their middle on a narrow terminal.
    text.add(
        format!("{} would not", grouped(survey.unchanged)),
        Tone::Muted,
    );
    for (number, what) in [
        (survey.superseded, "lost to another record of their contact"),
        (survey.skipped, "without an address, left alone"),
    ] {
        if number > 0 {
            text.add(format!("{} {what}", counted(number, "record")), Tone::Muted);
        }
    }
    text.gap();
    match survey.failed() {
        0 => text.add("no record fails", Tone::Ok),
        failed => text.add(
            format!("{} would fail:", counted(failed, "record")),
            Tone::Error,
        ),
    }
    for fault in &survey.faults {
        text.add(
            format!("{:>8}  {}", grouped(fault.count), fault.problem),
            Tone::Plain,
        );
        text.add(format!("          such as {}", fault.sample), Tone::Muted);
    }
    let title = format!("{name}: {}", counted(survey.records, "record"));
    cx.show(Overlay::Text(TextBox::new(title, text)));
}
