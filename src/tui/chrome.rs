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
//!
//! Below 150 columns workers, export and last error stand in the lower rule, and the last line holds keys alone.

use super::app::App;
use super::canvas::{Canvas, counted, cut, grouped, shown_width, span};
use super::context::Go;
use super::hits::Hit;
use super::keymap::{Action, Tab};
use super::screens::exports::{left_ms, percent};
use super::slots::{SPINNER_AFTER, Slot};
use super::theme::Theme;
use super::widgets::gauge;
use super::widgets::overlay::Overlay;
use crate::operations::status::Status;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

/// Columns of a tab's title in short: ` 2 Rec `.
const SHORT_TAB: u16 = 7;
/// Columns that the names of connection and account keep, whatever else wants room.
const LEAST_NAME: u16 = 6;

/// The smallest usable size.
pub const SMALLEST: (u16, u16) = (60, 16);

/// From this width on the status and the keys share the last line.
const WIDE: u16 = 150;
/// Columns behind a key of the footer; the last one does not need them.
const KEY_GAP: u16 = 2;
/// The part of a wide last line that the last error keeps beside the keys, if it has so much to say.
const ERROR_PART: u16 = 3;

/// Pieces of text with their styles.
type Pieces = Vec<(String, Style)>;

/// How much is said about the budgets beside what is left of them.
#[derive(Clone, Copy, Default)]
struct Said {
    bars: bool,
    /// What is left of the day.
    daily: bool,
    window: bool,
}

impl Said {
    fn of(bars: bool, daily: bool, window: bool) -> Self {
        Self {
            bars,
            daily,
            window,
        }
    }
}

fn width_of(pieces: &Pieces) -> u16 {
    pieces
        .iter()
        .map(|(text, _)| shown_width(text) as u16)
        .sum()
}

fn draw(canvas: &mut Canvas, x: u16, area: Rect, pieces: &Pieces) {
    let mut x = x;
    for (text, style) in pieces {
        x += canvas.put(x, area.y, area.right().saturating_sub(x), text, *style);
    }
}

impl App {
    /// Draws the whole frame; answers where the terminal's cursor belongs.
    pub fn view(&self, buf: &mut Buffer) -> Option<Position> {
        let area = buf.area;
        self.hits.clear();
        let mut canvas = Canvas {
            buf,
            theme: &self.theme,
            now: self.now,
            slots: &self.slots,
            session: &self.session,
            keymap: &self.keymap,
            hits: &self.hits,
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
        let foot = Rect::new(area.x, area.bottom() - 1, area.width, 1);
        match area.width {
            WIDE.. => self.view_foot(&mut canvas, foot),
            _ => {
                let rule = Rect::new(area.x, area.bottom() - 3, area.width, 1);
                self.view_narrow_foot(&mut canvas, rule, foot);
            }
        }
        // Messages stand in the rule beneath a window, and a window gives way to the lines that they need beside it.
        let ruled = Rect {
            height: screen.height + 1,
            ..screen
        };
        let said = self.toasts.height_beneath(&canvas, ruled.width);
        let beside = Rect {
            height: screen.height.saturating_sub(said.saturating_sub(1)),
            ..screen
        };
        for overlay in &self.overlays {
            let place = match overlay {
                Overlay::Filter(_) => Rect::new(area.x, area.y + 2, area.width, area.height - 4),
                _ => beside,
            };
            // What lies beneath is not in reach.
            self.hits.clear();
            overlay.draw(&mut canvas, place, &self.keymap);
        }
        match self.overlays.last() {
            None => self.toasts.draw(&mut canvas, screen),
            // The line that is typed stands in the rule, and what is offered for it above it.
            Some(Overlay::Filter(line)) => {
                let height = screen.height.saturating_sub(line.offered_height());
                self.toasts.draw(&mut canvas, Rect { height, ..screen });
            }
            Some(_) => self.toasts.draw_beneath(&mut canvas, ruled),
        }
        canvas.cursor
    }

    fn view_small(&self, canvas: &mut Canvas, area: Rect) {
        let mut lines = vec![
            "Tramline".to_owned(),
            format!("{}×{} is too small", area.width, area.height),
            format!("{}×{} at least", SMALLEST.0, SMALLEST.1),
        ];
        match self.overlays.last() {
            Some(Overlay::Confirm(question)) => {
                lines.push(question.title.clone());
                lines.push("y yes, n no".to_owned());
            }
            Some(_) => lines.push("esc closes what is open".to_owned()),
            None => lines.push(format!("{} quits", self.keymap.key_of(Action::Quit))),
        }
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
        let place = if session.production {
            theme.production
        } else {
            theme.accent
        };
        let dot = format!(" {} ", theme.glyphs.dot);
        let mut names: Pieces = Vec::new();
        if let Some(connection) = session.only() {
            names.push((connection.to_string(), theme.title));
        }
        // Where there are several, the connection's name says which; that of the account is shown where there is room.
        let named = session.only().is_some();
        let other = session.account != session.connection.as_str();
        if !session.account.is_empty() && (!named || other && area.width >= WIDE) {
            if named {
                names.push((dot.clone(), theme.muted));
            }
            names.push((session.account.clone(), theme.text));
        }
        let mut badges: Pieces = Vec::new();
        if !session.environment.is_empty() {
            badges.push((dot, theme.muted));
            badges.push((session.environment.clone(), place));
        }
        if session.read_only {
            badges.push(("  read-only".to_owned(), theme.warn));
        }
        // The tabs keep a part of their titles: the program's name gives way to them, then a part of the account's. Which
        // tab is in view does not matter, or the header would jump.
        let longest = Tab::ALL.iter().map(|tab| tab.title().len() as u16).max();
        let short = SHORT_TAB * (Tab::ALL.len() as u16 - 1) + longest.unwrap_or_default() + 4;
        let room = area.width.saturating_sub(short + 1);
        let program = " Tramline  ";
        let (name, badge) = (width_of(&names), width_of(&badges));
        let (program, name) = if program.len() as u16 + name + badge <= room {
            (program, name)
        } else if 1 + name.min(LEAST_NAME) + badge <= room {
            (" ", name.min(room - 1 - badge))
        } else {
            (program, name.min(area.width / 2))
        };
        let mut x = area.x + canvas.put(area.x, area.y, area.width, program, theme.title);
        let end = x + name;
        for (text, style) in &names {
            x += canvas.put(x, area.y, end.saturating_sub(x), text, *style);
        }
        for (text, style) in &badges {
            x += canvas.put(x, area.y, area.width / 2, text, *style);
        }
        let hint = format!("{} help ", self.keymap.key_of(Action::Help));
        let hint_width = shown_width(&hint) as u16;
        // Titles of the tabs that are not in view leave first, then the hint.
        let full: u16 = Tab::ALL.iter().map(|t| t.title().len() as u16 + 4).sum();
        let room = area.right().saturating_sub(x + 3);
        let titles = full + hint_width <= room;
        let short = short <= area.right().saturating_sub(x + 1);
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
            (x + 2).min(area.right().saturating_sub(wide)).max(x + 1)
        };
        for (tab, (text, style)) in Tab::ALL.into_iter().zip(&tabs) {
            let used = canvas.put(at, area.y, area.right().saturating_sub(at), text, *style);
            canvas.hit(Rect::new(at, area.y, used, 1), Hit::Go(Go::Tab(tab)));
            at += used;
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
        let mut queue: Pieces = Vec::new();
        if self.status.problem().is_some()
            && let Some(at) = self.status.read_at()
        {
            let cross = theme.glyphs.cross;
            queue.push((format!("{cross} as of {}  ", canvas.time(at)), theme.error));
        }
        queue.push((
            format!("queue {}", grouped(counts.ready + counts.running)),
            theme.text,
        ));
        let dot = format!(" {} ", theme.glyphs.dot);
        if !status.pauses.is_empty() {
            let pauses = counted(status.pauses.len() as u64, "pause");
            queue.push((format!("{dot}{pauses}"), theme.warn));
        }
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
        // Where both budgets would not be in view, what waits gives way first, for it goes on by itself; then what
        // a person has time for.
        let least = self.budgets(canvas, status, Said::default(), true);
        let both = least.into_iter();
        let both = both.take_while(|(text, _)| !text.starts_with("import"));
        let least = width_of(&both.collect());
        for gives_way in [" waiting", " unknown"] {
            if area.width.saturating_sub(width_of(&queue) + 3) < least {
                queue.retain(|(text, _)| !text.contains(gives_way));
            }
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
        // What is said must not come and go with every call: it is what has room while the budgets are full.
        let fits = |said: &Said| width_of(&self.budgets(canvas, status, *said, true)) <= room;
        let said = [
            Said::of(bars, true, true),
            Said::of(bars, false, true),
            Said::of(false, true, true),
            Said::of(false, false, true),
        ]
        .into_iter()
        .find(fits)
        .unwrap_or_default();
        let pieces = self.budgets(canvas, status, said, false);
        let mut x = area.x + 1;
        for (text, style) in &pieces {
            x += canvas.put(x, area.y, end.saturating_sub(x + 1), text, *style);
        }
    }

    /// The budgets in so many words; `full`: as wide as they ever are.
    fn budgets(&self, canvas: &Canvas, status: &Status, said: Said, full: bool) -> Pieces {
        let Said {
            bars,
            daily,
            window,
        } = said;
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
            let left = if full { budget.size } else { budget.left };
            pieces.push((format!("{left}/{}", budget.size), style));
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

    /// Workers and the running export.
    fn at_work(&self, theme: &Theme) -> Pieces {
        let mut pieces: Pieces = Vec::new();
        if let Some(status) = self.status.value() {
            let (dot, style) = match status.workers {
                0 => (theme.glyphs.ready, theme.warn),
                _ => (theme.glyphs.selected, theme.ok),
            };
            pieces.push((format!("worker {dot} {}", status.workers), style));
        }
        if let Some(run) = self.running() {
            let mut text = format!("export {}", run.mapping);
            if let Some(percent) = percent(run) {
                text.push_str(&format!(" {percent} %"));
            }
            // While it waits nothing is measured that could tell when it ends.
            let style = match &run.waiting {
                Some(waiting) => {
                    let why = waiting.reason.name().replace('_', " ");
                    text.push_str(&format!(" {why}"));
                    if let Some(until) = waiting.until {
                        let until = self.session.time(until, self.now);
                        text.push_str(&format!(" until {until}"));
                    }
                    theme.warn
                }
                None => {
                    if let Some(left) = left_ms(run) {
                        text.push_str(&format!(" {} left", span(left)));
                    }
                    theme.accent
                }
            };
            pieces.push((text, style));
        }
        pieces
    }

    /// The last error in at most `room` columns: its words give way, its count does not.
    fn last_error_text(&self, canvas: &Canvas, room: u16) -> Option<String> {
        let error = self.status.value()?.last_error.as_ref()?;
        let group = match error.count {
            0 | 1 => String::new(),
            count => format!(" ({})", grouped(count)),
        };
        let head = match room {
            30.. => format!("! {} ", canvas.time(error.at)),
            _ => "! ".to_owned(),
        };
        let room = room.checked_sub((head.len() + group.len()) as u16)?;
        let mark = canvas.theme.glyphs.cut;
        let message = cut(&error.problem.message, room, mark);
        (room > 0).then(|| format!("{head}{message}{group}"))
    }

    /// On a wide terminal all in one line: what is at work, the last error, the keys.
    fn view_foot(&self, canvas: &mut Canvas, area: Rect) {
        let theme = canvas.theme;
        let left = self.at_work(theme);
        let gaps = 3 * left.len() as u16;
        let taken = area.x + 1 + width_of(&left) + gaps;
        let error = self.last_error_text(canvas, area.width / ERROR_PART);
        let least = error.map_or(0, |text| shown_width(&text) as u16 + 1);
        let keys = self.keys(theme, area.right().saturating_sub(taken + least));
        let start = area.right().saturating_sub(width_of(&keys)).max(area.x);
        let mut x = area.x + 1;
        for (text, style) in &left {
            x += canvas.put(x, area.y, start.saturating_sub(x + 1), text, *style) + 3;
        }
        let room = start.saturating_sub(x + 1);
        if let Some(text) = self.last_error_text(canvas, room) {
            canvas.put(x, area.y, room, &text, theme.error);
        }
        draw(canvas, start, area, &keys);
    }

    /// On a narrow terminal the last line belongs to the keys; the rest stands in the rule above the status.
    fn view_narrow_foot(&self, canvas: &mut Canvas, rule: Rect, area: Rect) {
        let theme = canvas.theme;
        let mut x = rule.x + 2;
        for (text, style) in &self.at_work(theme) {
            let text = format!(" {text} ");
            x += canvas.put(x, rule.y, rule.right().saturating_sub(x), &text, *style) + 1;
        }
        let room = rule.right().saturating_sub(x + 4);
        if let Some(text) = self.last_error_text(canvas, room) {
            let text = format!(" {text} ");
            canvas.put(x, rule.y, room + 2, &text, theme.error);
        }
        let keys = self.keys(theme, area.width.saturating_sub(1));
        draw(canvas, area.x + 1, area, &keys);
    }

    /// The keys that the footer names in so many columns: those of the screen, then those of everywhere; always the one for
    /// the help.
    fn keys(&self, theme: &Theme, room: u16) -> Pieces {
        let piece = |key: &str, label: &str| -> Pieces {
            vec![
                (key.to_owned(), theme.key),
                (format!(" {label}  "), theme.muted),
            ]
        };
        if let Some(overlay) = self.overlays.last() {
            let mut keys: Vec<Pieces> = Vec::new();
            let mut fixed = Vec::new();
            for (key, label) in overlay.keys() {
                // How it is taken and how it is left is always said; the help has all the others.
                fixed.push(matches!(*key, "enter" | "esc"));
                keys.push(piece(key, label));
            }
            let wide = |keys: &[Pieces]| keys.iter().map(width_of).sum::<u16>();
            while wide(&keys) > room + KEY_GAP
                && let Some(at) = fixed.iter().rposition(|fixed| !fixed)
            {
                keys.remove(at);
                fixed.remove(at);
            }
            return keys.concat();
        }
        let help = piece(&self.keymap.key_of(Action::Help), "help");
        let mut room = room.saturating_sub(width_of(&help));
        let mut shown: Pieces = Vec::new();
        let screen = self.screen(self.tab);
        for bound in self.keymap.of(self.tab).chain(self.keymap.everywhere()) {
            let binding = bound.binding;
            let named = !binding.label.is_empty() && binding.action != Action::Help;
            if !named || !screen.offers(binding.action) {
                continue;
            }
            let Some(key) = bound.keys.first() else {
                continue;
            };
            let piece = piece(&key.name(), binding.label);
            let Some(left) = room.checked_sub(width_of(&piece)) else {
                break;
            };
            room = left;
            shown.extend(piece);
        }
        shown.extend(help);
        shown
    }

    /// True while the slot's answer is awaited: for tests.
    pub fn waits(&self, slot: Slot) -> bool {
        self.slots.waits(slot)
    }
}
