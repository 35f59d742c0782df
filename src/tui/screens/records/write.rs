//! What the records screen writes: sync, edit, delete; and what it says about the results.

use super::table::title;
use super::{Records, SETTLE, View};
use crate::model::view::{Outcome, SyncResult};
use crate::model::{Level, Problem, Record, RecordId};
use crate::operations::Done;
use crate::tui::canvas::{counted, grouped};
use crate::tui::command::quoted;
use crate::tui::context::Cx;
use crate::tui::effect::Effect;
use crate::tui::load::Load;
use crate::tui::request::{Editing, Request};
use crate::tui::widgets::confirm::Confirm;

impl Records {
    pub(super) fn sync(&mut self, selected: bool, cx: &mut Cx) {
        if selected {
            self.take_range(cx);
        }
        let Some(object) = &self.object else { return };
        let Some(mapping) = cx.session.mapping_of(object).map(|m| m.name.clone()) else {
            let text = format!("no mapping of {object}: add [mappings.NAME] to config.toml");
            cx.toast(Level::Warning, text);
            return;
        };
        let ids: Vec<RecordId> = match (selected, self.current()) {
            (true, _) => self.selected.iter().cloned().collect(),
            (false, Some(record)) => vec![record.id.clone()],
            (false, None) => return,
        };
        if ids.is_empty() {
            cx.toast(Level::Warning, "nothing is selected: space selects");
            return;
        }
        let names: Vec<&str> = ids.iter().map(RecordId::as_str).collect();
        let did = format!(
            "tramline sync {} {}",
            quoted(mapping.as_str()),
            names.join(" ")
        );
        let question = selected.then(|| {
            Confirm::new(format!("Sync {}?", counted(ids.len() as u64, "record"))).line(format!(
                "Through the mapping {mapping}, now, one contact each."
            ))
        });
        cx.write(Request::Sync(mapping, ids), question, did);
    }

    pub(super) fn synced(&mut self, result: Done<Vec<SyncResult>>, cx: &mut Cx) {
        let results = match result {
            Ok(results) => results,
            Err(problem) => {
                cx.toast(Level::Error, problem.to_string());
                return;
            }
        };
        for result in &results {
            self.selected.remove(&result.record);
        }
        if let [one] = results.as_slice() {
            let changed = one
                .fields
                .iter()
                .filter(|f| f.old != f.new && f.problem.is_none())
                .count();
            let contact = one
                .contact_id
                .as_ref()
                .map(|id| format!(", contact {id}"))
                .unwrap_or_default();
            let outcome = one.outcome.name();
            match (&one.why, &one.error) {
                (Some(why), _) => cx.toast(Level::Warning, format!("{outcome}: {why}")),
                (None, Some(problem)) => cx.toast(Level::Error, format!("{outcome}: {problem}")),
                (None, None) if one.outcome == Outcome::Skipped => {
                    cx.toast(Level::Warning, format!("{outcome}: nothing was sent"));
                }
                (None, None) => {
                    let mut text = format!("{outcome}{contact}");
                    match (one.outcome, &one.superseded_by) {
                        (Outcome::Superseded, Some(winner)) => text.push_str(&format!(
                            ": record {winner} has the contact; nothing was sent"
                        )),
                        (Outcome::Superseded, None) => text.push_str(": nothing was sent"),
                        _ => {
                            let changed = counted(changed as u64, "field");
                            text.push_str(&format!(", {changed} changed"));
                        }
                    }
                    for rule in &one.rules {
                        text.push_str(&format!(
                            "; rule {} fired: {}",
                            rule.rule,
                            rule.actions.join(", ")
                        ));
                    }
                    let level = match one.outcome {
                        Outcome::Synced | Outcome::Unchanged => Level::Ok,
                        _ => Level::Warning,
                    };
                    cx.toast(level, text);
                }
            }
        } else {
            let (level, text) = of_many(&results);
            cx.toast(level, text);
        }
        if self.open && self.view == View::Sync {
            self.settle = Some(cx.now);
            self.read_preview(cx);
        } else {
            self.preview = None;
        }
    }

    pub(super) fn edit_json(&mut self, cx: &mut Cx) {
        if cx.refused() {
            return;
        }
        let Some(record) = self.current() else { return };
        let text = serde_json::to_string_pretty(&record.properties).unwrap_or_default();
        let editing = Editing {
            object: record.object.clone(),
            record: Some(record.id.clone()),
            before: record.properties.clone(),
        };
        cx.effects.push(Effect::Edit(editing, text));
    }

    pub(super) fn delete(&mut self, cx: &mut Cx) {
        self.take_range(cx);
        let Some(object) = self.object.clone() else {
            return;
        };
        let (ids, what): (Vec<RecordId>, String) = if !self.selected.is_empty() {
            let count = self.selected.len();
            let many = counted(count as u64, "selected record");
            (self.selected.iter().cloned().collect(), many)
        } else {
            let Some(record) = self.current() else { return };
            let name = title(self.schema.value(), record);
            (vec![record.id.clone()], format!("1 record: {name}"))
        };
        let names: Vec<&str> = ids.iter().map(RecordId::as_str).collect();
        let did = format!(
            "tramline records delete {} {}",
            object.short(),
            names.join(" ")
        );
        let question = Confirm::new(format!("Delete {what}?")).line(format!(
            "From {object} in HighLevel. This cannot be undone."
        ));
        cx.write(Request::Delete(object, ids), Some(question), did);
    }

    /// What people call a record of the object in view; `None` for another object's.
    pub(in crate::tui) fn name_of(&self, record: &Record) -> Option<String> {
        let known = self.object.as_ref() == Some(&record.object);
        known.then(|| title(self.schema.value(), record))
    }

    /// Puts a record in the place of what is held of it; false if nothing is.
    pub(super) fn hold(&mut self, record: &Record) -> bool {
        let mut held = false;
        for row in self.list.held_mut() {
            if row.id == record.id {
                *row = record.clone();
                held = true;
            }
        }
        if self.pinned.as_ref().is_some_and(|p| p.id == record.id) {
            self.pinned = Some(record.clone());
            held = true;
        }
        self.arrange();
        self.preview = None;
        held
    }

    pub(super) fn saved(&mut self, record: Record, cx: &mut Cx) {
        let held = self.hold(&record);
        if !held && self.object.as_ref() == Some(&record.object) {
            self.restart(cx);
        } else if self.open && self.view == View::Sync {
            self.settle = Some(cx.now + SETTLE);
        }
    }

    /// Records were deleted while the screen is left: its list is to be read anew, with the cursor on the neighbour.
    pub(super) fn lose(&mut self, gone: &[RecordId]) {
        let shown = self.current().map(|record| record.id.clone());
        if shown.is_some_and(|id| gone.contains(&id)) {
            self.open = false;
            self.in_detail = false;
            self.pinned = None;
        }
        let rows: Vec<usize> = gone.iter().filter_map(|id| self.row_of(id)).collect();
        for id in gone {
            self.selected.remove(id);
        }
        if !rows.is_empty() {
            self.table.cursor = self.beside(&rows);
            self.load = Load::Idle;
        }
    }

    /// The place of the row under the cursor once other rows are gone.
    fn beside(&self, gone: &[usize]) -> usize {
        let at = self.table.cursor;
        at - gone.iter().filter(|row| **row < at).count()
    }

    pub(super) fn deleted(&mut self, deleted: &[RecordId], problem: Option<Problem>, cx: &mut Cx) {
        for id in deleted {
            self.selected.remove(id);
        }
        if !deleted.is_empty() {
            let records = counted(deleted.len() as u64, "record");
            cx.toast(Level::Ok, format!("{records} deleted"));
            self.open = false;
            self.in_detail = false;
            self.pinned = None;
            // The cursor stays where it is, which is the neighbour's place now.
            let rows: Vec<usize> = deleted.iter().filter_map(|id| self.row_of(id)).collect();
            self.restart_at(self.beside(&rows), cx);
        }
        if let Some(problem) = problem {
            cx.toast(Level::Error, problem.to_string());
        }
    }
}

/// What became of several records: `3 records: 2 synced, 1 skipped`.
/// What became of many records, with the reason of one that failed; the queue has them all. No window: whoever asked types
/// something else by now.
fn of_many(results: &[SyncResult]) -> (Level, String) {
    let mut text = outcomes(results);
    let is_bad = |r: &&SyncResult| matches!(r.outcome, Outcome::Failed | Outcome::Unknown);
    if let Some(bad) = results.iter().find(is_bad) {
        let error = bad.error.as_ref().map(ToString::to_string);
        if let Some(reason) = bad.why.clone().or(error) {
            text.push_str(&format!("; {}: {reason}", bad.record));
        }
        text.push_str("; the queue has every reason");
        return (Level::Error, text);
    }
    let went = |r: &SyncResult| matches!(r.outcome, Outcome::Synced | Outcome::Unchanged);
    let level = if results.iter().all(went) {
        Level::Ok
    } else {
        Level::Warning
    };
    (level, text)
}

fn outcomes(results: &[SyncResult]) -> String {
    let all = results.iter();
    let numbers = Outcome::ALL.into_iter().filter_map(|outcome| {
        let number = all.clone().filter(|one| one.outcome == outcome).count();
        (number > 0).then(|| format!("{} {}", grouped(number as u64), outcome.name()))
    });
    let numbers: Vec<String> = numbers.collect();
    let records = counted(results.len() as u64, "record");
    format!("{records}: {}", numbers.join(", "))
}
