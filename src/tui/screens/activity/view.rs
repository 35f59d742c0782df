//! Drawing the activity.

use super::Activity;
use super::entry::{Entry, Kind, What, outcome, short_name, tone};
use crate::model::audit::AuditEntry;
use crate::model::call::Call;
use crate::operations::LogLevel;
use crate::tui::canvas::{Canvas, below, grouped, shown_width};
use crate::tui::keymap::Tab;
use crate::tui::load::Load;
use crate::tui::slots::Slot;
use crate::tui::theme::Theme;
use crate::tui::widgets::state;
use crate::tui::widgets::table::{self, Column, Row, TableCell};
use crate::tui::widgets::text::{Tone, wrap};
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Lines beneath the list in which the row under the cursor stands whole.
const WHOLE: u16 = 2;

fn columns(kind: Option<Kind>) -> Vec<Column> {
    let time = Column::new("time", 0, 11, 11);
    match kind {
        None => vec![
            time,
            Column::new("what", 1, 6, 6),
            Column::new("level", 2, 6, 6),
            Column::new("", 1, 30, 400),
        ],
        Some(Kind::Call) => vec![
            time,
            Column::new("api", 2, 3, 3),
            Column::new("method", 2, 6, 6),
            Column::new("path", 1, 20, 90),
            Column::new("status", 1, 6, 6).right(),
            Column::new("ms", 3, 6, 6).right(),
            Column::new("retry", 6, 6, 6).right(),
            Column::new("error", 5, 14, 60),
        ],
        Some(Kind::Line) => vec![
            time,
            Column::new("level", 1, 5, 5),
            Column::new("message", 1, 30, 400),
        ],
        Some(Kind::Action) => vec![
            time,
            Column::new("who", 4, 10, 24),
            Column::new("action", 1, 13, 18),
            Column::new("of", 1, 18, 60),
            Column::new("number", 3, 7, 7).right(),
            Column::new("outcome", 2, 22, 60),
            Column::new("reason", 5, 16, 40),
        ],
    }
}

fn status_style(theme: &Theme, status: Option<u16>) -> Style {
    match status {
        Some(200..=299) => theme.ok,
        Some(429 | 503) => theme.warn,
        _ => theme.error,
    }
}

fn status(theme: &Theme, call: &Call) -> String {
    call.status
        .map_or(theme.glyphs.none.to_owned(), |status| status.to_string())
}

fn call_cells<'a>(theme: &Theme, call: &'a Call) -> Vec<TableCell<'a>> {
    let retry = call.retry_after.map(|s| format!("{s} s"));
    vec![
        TableCell::new(short_name(call.api), theme.muted),
        TableCell::new(call.method.as_str(), theme.text),
        TableCell::new(call.path.as_str(), theme.text),
        TableCell::new(status(theme, call), status_style(theme, call.status)),
        TableCell::new(call.millis.to_string(), theme.muted),
        TableCell::new(retry.unwrap_or_default(), theme.warn),
        TableCell::new(call.error.as_deref().unwrap_or(""), theme.error),
    ]
}

fn action_cells<'a>(theme: &Theme, entry: &Entry, action: &'a AuditEntry) -> Vec<TableCell<'a>> {
    let count = action.count.map(grouped).unwrap_or_default();
    // The outcome has no room on a narrow terminal: what failed must not look done there.
    let (done, style) = match entry.level() {
        LogLevel::Error => (
            format!("{} {}", theme.glyphs.cross, action.action),
            theme.error,
        ),
        _ => (action.action.clone(), theme.accent),
    };
    vec![
        TableCell::new(action.who.as_str(), theme.text),
        TableCell::new(done, style),
        TableCell::new(action.target.as_str(), theme.text),
        TableCell::new(count, theme.text),
        TableCell::new(outcome(action), tone(entry.level()).style(theme)),
        TableCell::new(action.reason.as_deref().unwrap_or(""), theme.muted),
    ]
}

/// Cells of a row where rows of all kinds stand together.
fn mixed_cells<'a>(theme: &Theme, entry: &Entry) -> Vec<TableCell<'a>> {
    let style = tone(entry.level()).style(theme);
    let (what, level, style) = match &entry.what {
        What::Call(call, _) => (
            "call",
            status(theme, call),
            status_style(theme, call.status),
        ),
        What::Line(_) => ("log", entry.level().name().to_owned(), style),
        What::Action(_) => ("action", String::new(), style),
    };
    vec![
        TableCell::new(what, theme.muted),
        TableCell::new(level, style),
        TableCell::new(entry.summary(), style_of_text(theme, entry)),
    ]
}

fn style_of_text(theme: &Theme, entry: &Entry) -> Style {
    match entry.what {
        What::Call(..) => theme.text,
        What::Line(_) | What::Action(_) => tone(entry.level()).style(theme),
    }
}

impl Activity {
    fn draw_title(&self, canvas: &mut Canvas, area: Rect) {
        let theme = canvas.theme;
        let mut x = area.x;
        for kind in Kind::ORDER {
            let chosen = kind == self.kind;
            let style = if chosen { theme.title } else { theme.muted };
            let mut name = Kind::title(kind).to_owned();
            if chosen {
                name.push_str(&format!(" {}", grouped(self.shown.len() as u64)));
            }
            x += canvas.put(x, area.y, area.right().saturating_sub(x), &name, style) + 3;
        }
        // Whoever moved away from the newest row stays where he is.
        if !self.still && self.table.cursor == 0 {
            let room = area.right().saturating_sub(x);
            x += canvas.put(x, area.y, room, "following", theme.muted) + 2;
        }
        if let Some(spinner) = canvas.spinner(Slot::Filters(Tab::Activity)) {
            let room = area.right().saturating_sub(x);
            let text = format!("{spinner} saved filters");
            x += canvas.put(x, area.y, room, &text, theme.accent) + 2;
        }
        if !self.filter.is_empty() {
            let text = format!("/{}", self.filter);
            let room = area.right().saturating_sub(x);
            let width = (shown_width(&text) as u16).min(room);
            canvas.put_right(area.right() - width, area.y, width, &text, theme.accent);
        }
    }

    /// What could not be read, in one line above the rows that could.
    fn draw_trouble(&self, canvas: &mut Canvas, area: Rect) -> Rect {
        let cross = canvas.theme.glyphs.cross;
        let failed = [(&self.log, "the log"), (&self.audit, "the actions")];
        let failed = failed.iter().filter_map(|(load, what)| {
            let problem = load.problem()?;
            Some(format!("{cross} {what}: {problem}"))
        });
        let fault = self.fault.iter().map(|fault| format!("{cross} {fault}"));
        let mut rest = area;
        for text in fault.chain(failed) {
            canvas.put(rest.x, rest.y, rest.width, &text, canvas.theme.error);
            rest = below(rest, 1);
        }
        rest
    }

    /// What a person did, whole beneath the list, for the columns cut it; returns what is left of the area.
    fn draw_whole(&self, canvas: &mut Canvas, area: Rect) -> Rect {
        let action = self.current().filter(|_| self.kind == Some(Kind::Action));
        let Some(entry) = action.filter(|_| area.height > 10) else {
            return area;
        };
        let lines = wrap(&entry.summary(), area.width);
        let list = Rect {
            height: area.height - WHOLE - 1,
            ..area
        };
        canvas.rule(area.x, list.bottom(), area.width);
        for (at, line) in lines.iter().take(usize::from(WHOLE)).enumerate() {
            let y = list.bottom() + 1 + at as u16;
            canvas.put(
                area.x,
                y,
                area.width,
                line,
                tone(entry.level()).style(canvas.theme),
            );
        }
        list
    }

    /// Draws the screen.
    pub(super) fn draw(&self, canvas: &mut Canvas, area: Rect) {
        let theme = canvas.theme;
        self.draw_title(canvas, area);
        let area = self.draw_trouble(canvas, below(area, 1));
        if self.shown.is_empty() {
            let reading = matches!(self.log, Load::Loading { .. });
            let text = match (self.filter.is_empty(), canvas.spinner(Slot::Log)) {
                (_, Some(spinner)) => format!("{spinner} reading the log; esc gives up"),
                _ if reading => "reading the log".to_owned(),
                (true, _) => format!("nothing yet: {}", Kind::title(self.kind)),
                (false, _) => "nothing matches; esc clears the filter".to_owned(),
            };
            state::notice(canvas, area, &[(&text, Tone::Muted)]);
            return;
        }
        let shown: Vec<&Entry> = self.shown.iter().map(|at| &self.entries[*at]).collect();
        let area = self.draw_whole(canvas, area);
        let columns = columns(self.kind);
        let rows = self.table.shown_rows(area.height, shown.len());
        let times: Vec<String> = shown[rows.clone()]
            .iter()
            .map(|entry| canvas.time(entry.at))
            .collect();
        table::draw(
            canvas,
            area,
            &columns,
            &self.table,
            shown.len(),
            true,
            |at| {
                let entry = *shown.get(at)?;
                let time = times.get(at.checked_sub(rows.start)?)?;
                let mut cells = vec![TableCell::new(time.as_str(), theme.muted)];
                cells.extend(match (self.kind, &entry.what) {
                    (Some(Kind::Call), What::Call(call, _)) => call_cells(theme, call),
                    (Some(Kind::Action), What::Action(action)) => {
                        action_cells(theme, entry, action)
                    }
                    (Some(Kind::Line), _) => {
                        let style = tone(entry.level()).style(theme);
                        vec![
                            TableCell::new(entry.level().name(), style),
                            TableCell::new(entry.summary(), style_of_text(theme, entry)),
                        ]
                    }
                    _ => mixed_cells(theme, entry),
                });
                Some(Row {
                    cells,
                    selected: false,
                })
            },
        );
    }
}
