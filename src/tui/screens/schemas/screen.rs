//! Keys and answers of the screen.

use super::view::whole;
use super::{SETTLE, Schemas, searchable};
use crate::tui::canvas::Canvas;
use crate::tui::context::{Cx, Go};
use crate::tui::keymap::Action;
use crate::tui::load::Load;
use crate::tui::request::{Reply, Request};
use crate::tui::screens::{Screen, WakeCx};
use crate::tui::slots::Slot;
use crate::tui::widgets::overlay::Overlay;
use jiff::Timestamp;
use ratatui::layout::Rect;

impl Screen for Schemas {
    fn open(&mut self, cx: &mut Cx) {
        if self.list.is_idle() {
            self.read_list(false, cx);
        }
    }

    fn act(&mut self, action: Action, cx: &mut Cx) {
        match action {
            Action::Reload => {
                self.details.clear();
                self.counted = false;
                self.read_list(false, cx);
            }
            Action::Left => self.in_fields = false,
            Action::Switch if self.in_fields => self.in_fields = false,
            Action::Switch | Action::Right => {
                self.in_fields = true;
                self.follow(cx);
            }
            Action::Open if self.in_fields => {
                let detail = self.detail().and_then(Load::value);
                if let (Some(detail), Some(field)) = (detail, self.field()) {
                    cx.show(Overlay::Text(whole(detail, field)));
                }
            }
            Action::Open => {
                if let Some(schema) = self.current() {
                    if self.list.value().is_some()
                        && (!searchable(&schema.key) || self.has_no_records(&schema.key))
                    {
                        cx.toast(
                            crate::model::Level::Warning,
                            format!(
                                "records of {} cannot be listed: HighLevel has no search for them",
                                schema.key
                            ),
                        );
                        return;
                    }
                    let full = self
                        .details
                        .get(&schema.key)
                        .and_then(Load::value)
                        .map(|d| Box::new(d.schema.clone()));
                    cx.did(format!("tramline records list {}", schema.key.short()));
                    cx.go(Go::Records(schema.key.clone(), full));
                }
            }
            Action::OpenMapping => {
                let Some(schema) = self.current() else { return };
                match cx.session.mapping_of(&schema.key).map(|m| m.name.clone()) {
                    Some(name) => cx.go(Go::Mapping(name)),
                    None => {
                        let text = format!(
                            "no mapping of {}: add [mappings.NAME] to config.toml",
                            schema.key
                        );
                        cx.toast(crate::model::Level::Warning, text);
                    }
                }
            }
            Action::Copy => {
                let text = if self.in_fields {
                    self.field().map(|p| p.key.clone())
                } else {
                    self.current().map(|schema| schema.key.to_string())
                };
                if let Some(text) = text {
                    cx.copy("key", text);
                }
            }
            Action::NextMatch | Action::PreviousMatch => {
                self.find(action == Action::NextMatch);
                self.settle = Some(cx.now + SETTLE);
            }
            _ if self.in_fields => {
                let rows = self.shown_fields().len();
                self.fields.act(action, rows);
            }
            _ => {
                let rows = self.shown().len();
                if self.objects.act(action, rows) {
                    self.settle = Some(cx.now + SETTLE);
                }
            }
        }
    }

    fn focus(&mut self, right: bool, cx: &mut Cx) {
        self.in_fields = right;
        if right {
            self.follow(cx);
        }
    }

    fn answer(&mut self, reply: Reply, cx: &mut Cx) {
        match reply {
            Reply::Schemas { totals, result } => {
                let ok = result.is_ok();
                self.list.finish(result, cx.now);
                self.counted = totals;
                let rows = self.shown().len();
                self.objects.clamp(rows);
                if ok && !totals {
                    // The names are shown at once; counting costs a call for each object.
                    cx.ask(Slot::Schemas, Request::Schemas { totals: true });
                }
                self.follow(cx);
            }
            Reply::Schema(key, result) => {
                self.details.entry(key).or_default().finish(result, cx.now);
                let rows = self.shown_fields().len();
                self.fields.clamp(rows);
            }
            _ => {}
        }
    }

    fn back(&mut self, cx: &mut Cx) -> bool {
        if !self.filter().is_empty() {
            self.narrow("", cx.now);
            return true;
        }
        std::mem::take(&mut self.in_fields)
    }

    fn depth(&self) -> usize {
        usize::from(!self.filter().is_empty()) + usize::from(self.in_fields)
    }

    fn about(&self) -> Option<String> {
        // Calls have the object's key in their path; a key is a word without spaces.
        self.current().map(|schema| schema.key.to_string())
    }

    fn filter(&self) -> &str {
        if self.in_fields {
            &self.field_filter
        } else {
            &self.object_filter
        }
    }

    fn set_filter(&mut self, text: &str, _done: bool, cx: &mut Cx) {
        self.narrow(text, cx.now);
    }

    fn cancelled(&mut self, slot: Slot) {
        match slot {
            Slot::Schemas => {
                self.counted = true;
                self.list.cancel();
            }
            Slot::Schema => {
                for load in self.details.values_mut() {
                    load.cancel();
                }
            }
            _ => {}
        }
    }

    fn tick(&mut self, cx: &mut Cx) {
        if self.settle.is_some_and(|at| at <= cx.now) {
            self.follow(cx);
        }
    }

    fn wake(&self, _cx: &WakeCx) -> Option<Timestamp> {
        self.settle
    }

    fn view(&self, canvas: &mut Canvas, area: Rect) {
        self.draw(canvas, area);
    }
}
