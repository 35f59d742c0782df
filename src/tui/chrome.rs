//! The frame around every screen: header, status bar, what lies above; and the notice of a small terminal.
//!
//! ```text
//!  header: Tramline  account · environment    1 Schemas … 6 Activity    ? help
//!  rule
//!  screen
//!  rule
//!  budgets                                          queue
//!  workers, running export, last error              keys of this screen
//! ```

use super::app::App;
use super::canvas::{Canvas, grouped, shown_width, span};
use super::keymap::{Action, Tab};
use super::screens::exports::{left_ms, percent};
use super::slots::{SPINNER_AFTER, Slot};
use super::widgets::gauge;
use super::widgets::overlay::Overlay;
use crate::operations::status::Status;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

/// The smallest usable size.
pub const SMALLEST: (u16, u16) = (60, 16);

/// Pieces of text with their styles.
type Pieces = Vec<(String, Style)>;

fn width_of(pieces: &Pieces) -> u16 {
    pieces
        .iter()
        .map(|(text, _)| shown_width(text) as u16)
        .sum()
}

impl App {
    /// Draws the whole frame; answers where the terminal's cursor belongs.
    pub fn view(&self, buf: &mut Buffer) -> Option<Position> {
        let area = buf.area;
        let mut canvas = Canvas {
            buf,
            theme: &self.theme,
            now: self.now,
            slots: &self.slots,
            session: &self.session,
            keymap: &self.keymap,
            cursor: None,
        };
        if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
            self.view_small(&mut canvas, area);
            return None;
        }
        let screen = Rect::new(area.x + 1, area.y + 2, area.width - 2, area.height - 5);
        self.view_header(&mut canvas, Rect { height: 1, ..area });
        canvas.rule(area.x, area.y + 1, area.width);
        self.screen(self.tab).view(&mut canvas, screen);
        canvas.rule(area.x, area.bottom() - 3, area.width);
        self.view_budgets(
            &mut canvas,
            Rect::new(area.x, area.bottom() - 2, area.width, 1),
        );
        self.view_foot(
            &mut canvas,
            Rect::new(area.x, area.bottom() - 1, area.width, 1),
        );
        for overlay in &self.overlays {
            let place = match overlay {
                Overlay::Filter(_) => Rect::new(area.x, area.y + 2, area.width, area.height - 4),
                _ => screen,
            };
            overlay.draw(&mut canvas, place, &self.keymap);
        }
        self.toasts.draw(&mut canvas, screen);
        canvas.cursor
    }

    fn view_small(&self, canvas: &mut Canvas, area: Rect) {
        let lines = [
            "Tramline".to_owned(),
            format!("{}×{} is too small", area.width, area.height),
            format!("{}×{} at least", SMALLEST.0, SMALLEST.1),
            "q quits".to_owned(),
        ];
        for (at, line) in lines.iter().enumerate().take(usize::from(area.height)) {
            let style = if at == 0 {
                self.theme.title
            } else {
                self.theme.text
            };
            canvas.put(area.x, area.y + at as u16, area.width, line, style);
        }
    }

    fn view_header(&self, canvas: &mut Canvas, area: Rect) {
        let theme = canvas.theme;
        let session = canvas.session;
        let mut left: Pieces = vec![(" Tramline  ".to_owned(), theme.title)];
        let place = if session.production {
            theme.production
        } else {
            theme.accent
        };
        if !session.account.is_empty() {
            left.push((session.account.clone(), theme.text));
        }
        if !session.environment.is_empty() {
            left.push((format!(" {} ", theme.glyphs.dot), theme.muted));
            left.push((session.environment.clone(), place));
        }
        if session.read_only {
            left.push(("  read-only".to_owned(), theme.warn));
        }
        let mut x = area.x;
        for (text, style) in &left {
            x += canvas.put(x, area.y, area.width / 2, text, *style);
        }
        let hint = format!("{} help ", self.keymap.key_of(Action::Help));
        let hint_width = shown_width(&hint) as u16;
        // Titles of the tabs that are not in view leave first, then the hint.
        let full: u16 = Tab::ALL.iter().map(|t| t.title().len() as u16 + 4).sum();
        let room = area.right().saturating_sub(x + 3);
        let titles = full + hint_width <= room;
        let longest = self.tab.title().len() as u16;
        let short = 7 * Tab::ALL.len() as u16 + longest <= room + 2;
        let mut tabs: Pieces = Vec::new();
        for tab in Tab::ALL {
            let number = (tab.index() + 1).to_string();
            let here = tab == self.tab;
            let text = match (titles || here, short) {
                (true, _) => format!(" {number} {} ", tab.title()),
                (false, true) => format!(" {number} {} ", &tab.title()[..3]),
                (false, false) => format!(" {number} "),
            };
            tabs.push((text, if here { theme.tab } else { theme.muted }));
        }
        let wide = width_of(&tabs);
        let hinted = x + 2 + wide + hint_width < area.right();
        let mut at = if titles {
            x + 3
        } else {
            (x + 2).min(area.right().saturating_sub(wide))
        };
        for (text, style) in &tabs {
            at += canvas.put(at, area.y, area.right().saturating_sub(at), text, *style);
        }
        if hinted {
            canvas.put_right(
                area.right() - hint_width,
                area.y,
                hint_width,
                &hint,
                theme.muted,
            );
        }
        let writing = self.slots.writing();
        if writing > 0 && at + 12 < area.right() {
            let slow = self
                .slots
                .longest_write(self.now)
                .is_some_and(|w| w >= SPINNER_AFTER);
            if slow {
                let turn = (self.now.as_millisecond() / 250).rem_euclid(4) as usize;
                let text = format!(" {} writing {writing}", theme.glyphs.spinner[turn]);
                canvas.put(
                    at + 1,
                    area.y,
                    area.right().saturating_sub(at + 1 + hint_width),
                    &text,
                    theme.accent,
                );
            }
        }
    }

    fn view_budgets(&self, canvas: &mut Canvas, area: Rect) {
        let theme = canvas.theme;
        let Some(status) = self.status.value() else {
            let text = match self.status.problem() {
                Some(problem) => format!(" {} {problem}", theme.glyphs.cross),
                None => String::new(),
            };
            canvas.put(area.x, area.y, area.width, &text, theme.error);
            return;
        };
        let counts = &status.counts;
        let mut queue: Pieces = vec![(
            format!("queue {}", grouped(counts.ready + counts.running)),
            theme.text,
        )];
        let dot = format!(" {} ", theme.glyphs.dot);
        if counts.waiting > 0 {
            queue.push((
                format!("{dot}{} waiting", grouped(counts.waiting)),
                theme.muted,
            ));
        }
        if counts.failed > 0 {
            queue.push((
                format!("{dot}{} failed", grouped(counts.failed)),
                theme.error,
            ));
        }
        if counts.unknown > 0 {
            queue.push((
                format!("{dot}{} unknown", grouped(counts.unknown)),
                theme.warn,
            ));
        }
        let wide = width_of(&queue) + 1;
        let mut x = area.right().saturating_sub(wide);
        let end = x;
        for (text, style) in &queue {
            x += canvas.put(x, area.y, area.right().saturating_sub(x), text, *style);
        }
        // Both budgets are always in view: what is said about them is what gives way.
        let bars = !self.session.low_bandwidth;
        let room = end.saturating_sub(area.x + 2);
        let pieces = [
            (bars, true, true),
            (bars, false, true),
            (false, true, true),
            (false, false, true),
            (false, false, false),
        ]
        .into_iter()
        .map(|(bars, daily, window)| self.budgets(canvas, status, bars, daily, window))
        .find(|pieces| width_of(pieces) <= room)
        .unwrap_or_else(|| self.budgets(canvas, status, false, false, false));
        let mut x = area.x + 1;
        for (text, style) in &pieces {
            x += canvas.put(x, area.y, end.saturating_sub(x + 1), text, *style);
        }
    }

    fn budgets(
        &self,
        canvas: &Canvas,
        status: &Status,
        bars: bool,
        daily: bool,
        window: bool,
    ) -> Pieces {
        let theme = canvas.theme;
        let mut pieces: Pieces = Vec::new();
        let all = [
            ("GHL", &status.highlevel, "   "),
            (
                "AC",
                &status.activecampaign,
                if window { " · " } else { "  " },
            ),
            ("import", &status.imports, ""),
        ];
        for (name, budget, gap) in all {
            let Some(budget) = budget else { continue };
            let low = budget.left * 5 < budget.size;
            let style = if low { theme.warn } else { theme.ok };
            pieces.push((format!("{name} "), theme.muted));
            if bars && name != "import" {
                let (full, empty) = gauge::cells(
                    theme,
                    if name == "GHL" { 10 } else { 5 },
                    u64::from(budget.left),
                    u64::from(budget.size),
                );
                pieces.push((full, style));
                pieces.push((format!("{empty} "), theme.muted));
            }
            pieces.push((format!("{}/{}", budget.left, budget.size), style));
            if window && name != "import" {
                let span = span(budget.window_ms).replace(' ', "");
                pieces.push((
                    format!(" {}", if span == "1s" { "s" } else { &span }),
                    theme.muted,
                ));
            }
            if let Some(left) = budget.daily_left.filter(|_| daily) {
                pieces.push((
                    format!(" {} {} today", theme.glyphs.dot, grouped(left)),
                    theme.muted,
                ));
            }
            if let Some(until) = budget.blocked_until.filter(|until| *until > self.now) {
                let left = until.duration_since(self.now).as_millis().max(0) as u64;
                pieces.push((format!(" blocked {}", span(left)), theme.error));
            }
            pieces.push((gap.replace('·', theme.glyphs.dot), theme.muted));
        }
        pieces
    }

    fn view_foot(&self, canvas: &mut Canvas, area: Rect) {
        let theme = canvas.theme;
        let mut left: Pieces = Vec::new();
        if let Some(status) = self.status.value() {
            let (dot, style) = match status.workers {
                0 => (theme.glyphs.ready, theme.warn),
                _ => (theme.glyphs.selected, theme.ok),
            };
            left.push((format!("worker {dot} {}", status.workers), style));
        }
        if let Some(run) = self.running() {
            let mut text = format!("   export {}", run.mapping);
            if let Some(percent) = percent(run) {
                text.push_str(&format!(" {percent} %"));
            }
            if let Some(left) = left_ms(run) {
                text.push_str(&format!(" {} left", span(left)));
            }
            left.push((text, theme.accent));
        }
        let keys = self.keys();
        let error = self.status.value().and_then(|s| s.last_error.as_ref());
        let most = if error.is_some() && area.width < 100 {
            25
        } else {
            area.width / 2
        };
        let mut shown: Pieces = Vec::new();
        for (key, label) in keys {
            let piece = vec![(key, theme.key), (format!(" {label}  "), theme.muted)];
            if width_of(&shown) + width_of(&piece) > most {
                break;
            }
            shown.extend(piece);
        }
        let start = area.right().saturating_sub(width_of(&shown)).max(area.x);
        let mut x = area.x + 1;
        for (text, style) in &left {
            x += canvas.put(x, area.y, start.saturating_sub(x + 1), text, *style);
        }
        let room = start.saturating_sub(x + 1);
        if let Some(error) = error.filter(|_| room > 6) {
            let group = if error.count > 1 {
                format!(" ({})", grouped(error.count))
            } else {
                String::new()
            };
            let head = match room {
                30.. => format!("   ! {} ", canvas.time(error.at)),
                _ => "  ! ".to_owned(),
            };
            x += canvas.put(x, area.y, room, &head, theme.error);
            let room = start.saturating_sub(x + 1);
            let message = room.saturating_sub(group.len() as u16);
            x += canvas.put(x, area.y, message, &error.problem.message, theme.error);
            canvas.put(x, area.y, start.saturating_sub(x), &group, theme.error);
        }
        let mut x = start;
        for (text, style) in &shown {
            x += canvas.put(x, area.y, area.right().saturating_sub(x), text, *style);
        }
    }

    /// The keys that the footer names: those of the screen, then those of everywhere.
    fn keys(&self) -> Vec<(String, &'static str)> {
        let typing = matches!(self.overlays.last(), Some(Overlay::Filter(_)));
        if typing {
            let mut keys = vec![("enter".to_owned(), "apply"), ("esc".to_owned(), "leave")];
            if self.tab == Tab::Queue {
                keys.push(("tab".to_owned(), "complete"));
            }
            return keys;
        }
        self.keymap
            .of(self.tab)
            .chain(self.keymap.everywhere())
            .filter(|bound| !bound.binding.label.is_empty())
            .filter_map(|bound| Some((bound.keys.first()?.name(), bound.binding.label)))
            .collect()
    }

    /// True while the slot's answer is awaited: for tests.
    pub fn waits(&self, slot: Slot) -> bool {
        self.slots.waits(slot)
    }
}
