//! Every HTTP call of this process, newest first.

use super::{Screen, contains, find_row};
use crate::model::Level;
use crate::model::call::{Api, Call};
use crate::tui::canvas::{Canvas, below, grouped};
use crate::tui::context::Cx;
use crate::tui::keymap::Action;
use crate::tui::request::{Reply, Request};
use crate::tui::slots::Slot;
use crate::tui::widgets::overlay::{Overlay, TextBox};
use crate::tui::widgets::state;
use crate::tui::widgets::table::{self, Column, Row, TableCell, TableState};
use crate::tui::widgets::text::{Paragraphs, Tone};
use ratatui::layout::Rect;
use std::collections::VecDeque;

/// Calls held.
const HELD: usize = 1000;

/// The screen.
#[derive(Default)]
pub struct Activity {
    /// Newest first.
    calls: VecDeque<Call>,
    read: bool,
    table: TableState,
    still: bool,
    filter: String,
}

/// The names that the status bar uses too.
fn short_name(api: Api) -> &'static str {
    match api {
        Api::HighLevel => "GHL",
        Api::ActiveCampaign => "AC",
    }
}

fn text(call: &Call) -> String {
    let status = call.status.map(|s| s.to_string()).unwrap_or_default();
    let error = call.error.as_deref().unwrap_or_default();
    format!(
        "{} {} {} {status} {error}",
        call.api.name(),
        call.method,
        call.path
    )
}

impl Activity {
    /// A call ended.
    pub fn add(&mut self, call: Call) {
        let matches = contains(&text(&call), &self.filter);
        self.calls.push_front(call);
        self.calls.truncate(HELD);
        // Without following, the cursor stays on its call while newer ones come in above it.
        if matches && (self.still || self.table.cursor > 0) {
            let rows = self.shown().len();
            self.table.cursor += 1;
            self.table.clamp(rows);
        }
    }

    fn shown(&self) -> Vec<&Call> {
        self.calls
            .iter()
            .filter(|call| contains(&text(call), &self.filter))
            .collect()
    }
}

impl Screen for Activity {
    fn open(&mut self, cx: &mut Cx) {
        if !self.read {
            self.read = true;
            cx.ask(Slot::Calls, Request::Calls);
        }
    }

    fn act(&mut self, action: Action, cx: &mut Cx) {
        match action {
            Action::Reload => cx.ask(Slot::Calls, Request::Calls),
            Action::Follow => {
                self.still = !self.still;
                if !self.still {
                    self.table.cursor = 0;
                }
                let text = if self.still {
                    "not following any more"
                } else {
                    "following the newest row"
                };
                cx.toast(Level::Ok, text);
            }
            Action::Open => {
                let shown = self.shown();
                let Some(call) = shown.get(self.table.cursor) else {
                    return;
                };
                let mut text = Paragraphs::default();
                text.add(format!("{} {}", call.method, call.path), Tone::Title);
                let status = call
                    .status
                    .map_or("no answer".to_owned(), |s| s.to_string());
                text.add(
                    format!(
                        "{} at {}   {status}   {} ms",
                        call.api.name(),
                        call.at,
                        call.millis
                    ),
                    Tone::Plain,
                );
                if let Some(seconds) = call.retry_after {
                    text.add(format!("retry after {seconds} s"), Tone::Warn);
                }
                if let Some(id) = &call.request_id {
                    text.add(format!("request {id}"), Tone::Muted);
                }
                if let Some(error) = &call.error {
                    text.gap();
                    text.add(error.clone(), Tone::Error);
                }
                cx.show(Overlay::Text(TextBox::new("Call", text)));
            }
            Action::Copy => {
                let shown = self.shown();
                if let Some(call) = shown.get(self.table.cursor) {
                    let text = call.request_id.clone().unwrap_or_else(|| call.path.clone());
                    let what = if call.request_id.is_some() {
                        "request id"
                    } else {
                        "path"
                    };
                    cx.copy(what, text);
                }
            }
            Action::NextMatch | Action::PreviousMatch => {
                let rows = self.shown().len();
                let forward = action == Action::NextMatch;
                self.table.cursor =
                    find_row(rows, self.table.cursor, forward, |_| true).unwrap_or(0);
            }
            _ => {
                let rows = self.shown().len();
                self.table.act(action, rows);
            }
        }
    }

    fn answer(&mut self, reply: Reply, _cx: &mut Cx) {
        if let Reply::Calls(calls) = reply {
            self.calls = calls.into_iter().rev().take(HELD).collect();
            let rows = self.shown().len();
            self.table.clamp(rows);
        }
    }

    fn back(&mut self, _cx: &mut Cx) -> bool {
        let filtered = !self.filter.is_empty();
        self.filter.clear();
        filtered
    }

    fn filter(&self) -> &str {
        &self.filter
    }

    fn set_filter(&mut self, text: &str, _done: bool, _cx: &mut Cx) {
        self.filter = text.to_owned();
        self.table.reset();
    }

    fn cancelled(&mut self, _slot: Slot) {}

    fn view(&self, canvas: &mut Canvas, area: Rect) {
        let theme = canvas.theme;
        let shown = self.shown();
        let follow = if self.still { "" } else { "  following" };
        let title = format!("Calls  {}{follow}", grouped(shown.len() as u64));
        canvas.put(area.x, area.y, area.width, &title, theme.title);
        if !self.filter.is_empty() {
            canvas.put_right(
                area.x,
                area.y,
                area.width,
                &format!("/{}", self.filter),
                theme.accent,
            );
        }
        let area = below(area, 1);
        if shown.is_empty() {
            let text = match self.filter.is_empty() {
                true => "no call yet",
                false => "no call matches; esc clears the filter",
            };
            state::notice(canvas, area, &[(text, Tone::Muted)]);
            return;
        }
        let columns = [
            Column::new("time", 0, 11, 11),
            Column::new("api", 2, 3, 3),
            Column::new("method", 2, 6, 6),
            Column::new("path", 1, 20, 90),
            Column::new("status", 1, 6, 6).right(),
            Column::new("ms", 3, 6, 6).right(),
            Column::new("retry", 6, 6, 6).right(),
            Column::new("error", 5, 14, 60),
        ];
        let rows = self.table.shown_rows(area.height, shown.len());
        let times: Vec<String> = shown[rows.clone()]
            .iter()
            .map(|call| canvas.time(call.at))
            .collect();
        table::draw(
            canvas,
            area,
            &columns,
            &self.table,
            shown.len(),
            true,
            |at| {
                let call = *shown.get(at)?;
                let time = times.get(at.checked_sub(rows.start)?)?;
                let style = match call.status {
                    Some(200..=299) => theme.ok,
                    Some(429 | 503) => theme.warn,
                    _ => theme.error,
                };
                let status = call
                    .status
                    .map_or(theme.glyphs.none.to_owned(), |s| s.to_string());
                let retry = call
                    .retry_after
                    .map(|s| format!("{s} s"))
                    .unwrap_or_default();
                Some(Row {
                    cells: vec![
                        TableCell::new(time.as_str(), theme.muted),
                        TableCell::new(short_name(call.api), theme.muted),
                        TableCell::new(call.method.as_str(), theme.text),
                        TableCell::new(call.path.as_str(), theme.text),
                        TableCell::new(status, style),
                        TableCell::new(call.millis.to_string(), theme.muted),
                        TableCell::new(retry, theme.warn),
                        TableCell::new(call.error.as_deref().unwrap_or(""), theme.error),
                    ],
                    selected: false,
                })
            },
        );
    }
}
