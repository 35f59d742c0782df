//! How the queue looks.

use super::Queue;
use crate::model::{Attempt, Effect, EffectState, Job, JobState};
use crate::operations::queue::JobDetail;
use crate::tui::canvas::{Canvas, below, counted, cut, grouped, short_id, shown_width, span};
use crate::tui::context::Go;
use crate::tui::hits::Hit;
use crate::tui::keymap::{Action, Tab};
use crate::tui::slots::Slot;
use crate::tui::theme::Theme;
use crate::tui::widgets::state;
use crate::tui::widgets::table::{self, Column, Row, TableCell};
use crate::tui::widgets::text::{Paragraphs, Tone};
use ratatui::layout::Rect;
use ratatui::style::Style;

/// From this width on the detail stands beside the list.
const BESIDE: u16 = 140;

/// The glyph and the style of a state; its name always stands beside them.
pub fn state_look(theme: &Theme, state: JobState) -> (&'static str, Style) {
    let glyphs = theme.glyphs;
    match state {
        JobState::Ready => (glyphs.ready, theme.text),
        JobState::Waiting => (glyphs.waiting, theme.muted),
        JobState::Running => (glyphs.running, theme.accent),
        JobState::Done => (glyphs.check, theme.ok),
        JobState::Failed => (glyphs.cross, theme.error),
        JobState::Unknown => (glyphs.unknown, theme.warn),
        JobState::Discarded => (glyphs.discarded, theme.muted),
    }
}

fn says(canvas: &Canvas, job: &Job) -> (String, Style) {
    let theme = canvas.theme;
    match (&job.waiting, &job.error) {
        (Some(waiting), error) => {
            let mut text = waiting.reason.name().replace('_', " ");
            if let Some(until) = waiting.until {
                text.push_str(&format!(" until {}", canvas.time(until)));
            }
            if let Some(error) = error {
                text.push_str(&format!(": {error}"));
            }
            (text, theme.muted)
        }
        (None, error) if job.state == JobState::Done => {
            // `skipped: the record has no address`; of what was sent nothing needs to be said.
            let end = job.ended.as_ref().and_then(|end| {
                let why = end.why.as_ref()?;
                Some(format!("{}: {why}", end.outcome.name()))
            });
            let error = error.as_ref().map(ToString::to_string);
            (end.or(error).unwrap_or_default(), theme.muted)
        }
        (None, Some(error)) => (error.to_string(), theme.error),
        (None, None) => (String::new(), theme.muted),
    }
}

impl Queue {
    /// Draws the screen.
    pub(super) fn draw(&self, canvas: &mut Canvas, area: Rect) {
        if self.groups.is_open() {
            self.draw_groups_head(canvas, area);
        } else {
            self.draw_states(canvas, area);
        }
        let body = self.draw_pace(canvas, below(area, 1));
        let body = self.draw_doings(canvas, body);
        let body = self.draw_pauses(canvas, body);
        if self.groups.is_open() {
            self.draw_groups(canvas, body);
            return;
        }
        if !self.open {
            self.draw_list(canvas, body, true);
        } else if area.width >= BESIDE {
            let left = area.width / 2;
            let list = Rect {
                width: left,
                ..body
            };
            canvas.hit(list, Hit::Pane(false));
            self.draw_list(canvas, list, !self.in_detail);
            let right = canvas.divide(Rect {
                x: body.x + left,
                width: body.width - left,
                ..body
            });
            canvas.hit(right, Hit::Pane(true));
            self.draw_detail(canvas, right);
        } else {
            self.draw_detail(canvas, body);
        }
    }

    fn draw_states(&self, canvas: &mut Canvas, area: Rect) {
        let theme = canvas.theme;
        let mut x = area.x;
        let all = self.counts.total();
        let states = std::iter::once(None).chain(JobState::ALL.map(Some));
        let narrow = area.width < 110;
        for state in states {
            let (name, count) = match state {
                None => ("all", all),
                Some(state) => (state.name(), self.counts.of(state)),
            };
            let here = self.state == state;
            if narrow && count == 0 && !here && state.is_some() {
                continue;
            }
            let name = match state {
                Some(state) if narrow && !here => state_look(theme, state).0,
                _ => name,
            };
            let style = match (here, state) {
                (true, _) => theme.cursor,
                (false, Some(state)) if count > 0 => state_look(theme, state).1,
                _ => theme.muted,
            };
            let text = format!("{name} {}", grouped(count));
            let used = canvas.put(x, area.y, area.right().saturating_sub(x), &text, style);
            let state = Go::Queue(state, self.filter.clone());
            canvas.hit(Rect::new(x, area.y, used, 1), Hit::Go(state));
            x += used + 2;
        }
        let mut notes = Vec::new();
        if let Some(spinner) = canvas.spinner(Slot::Mend) {
            notes.push(format!("{spinner} reading the record"));
        }
        if let Some(spinner) = canvas.spinner(Slot::Filters(Tab::Queue)) {
            notes.push(format!("{spinner} saved filters"));
        }
        if self.follow {
            notes.push("following".to_owned());
        }
        if !self.selected.is_empty() {
            notes.push(format!(
                "{} {} selected",
                theme.glyphs.selected,
                self.selected.len()
            ));
        }
        if !self.list.is_empty() {
            let rows = self.list.total().unwrap_or(self.list.len() as u64);
            let more = if self.list.total().is_none() { "+" } else { "" };
            notes.push(format!(
                "{} of {}{more}",
                grouped(self.table.cursor as u64 + 1),
                grouped(rows)
            ));
        }
        if !self.filter.is_empty() {
            // A long filter gives way to the numbers.
            let taken: usize = notes.iter().map(|note| shown_width(note) + 2).sum();
            let room = area.right().saturating_sub(x + taken as u16);
            let filter = cut(&format!("/{}", self.filter), room, theme.glyphs.cut);
            let place = notes
                .len()
                .saturating_sub(usize::from(!self.list.is_empty()));
            notes.insert(place, filter);
        }
        let text = notes.join("  ");
        canvas.put_right(
            x,
            area.y,
            area.right().saturating_sub(x),
            &text,
            theme.accent,
        );
    }

    fn draw_list(&self, canvas: &mut Canvas, area: Rect, focused: bool) {
        if let Some(problem) = self.fault() {
            // A filter that cannot be read says the same however often it is asked.
            let keys = format!(
                "{} changes the filter, {} clears it",
                canvas.key(Action::Filter),
                canvas.key(Action::Back)
            );
            state::problem(canvas, area, &problem, &keys);
            return;
        }
        let Some(area) = state::of(canvas, area, &self.load, Slot::Jobs, "jobs") else {
            return;
        };
        let theme = canvas.theme;
        if self.list.is_empty() {
            let text = match (self.state, self.filter.is_empty()) {
                (None, true) => format!(
                    "the queue is empty: sync a record ({}) or start an export ({})",
                    canvas.key(Action::Show(Tab::Records)),
                    canvas.key(Action::Show(Tab::Exports))
                ),
                (Some(state), true) => format!(
                    "no job is {}; {} shows the next state",
                    state.name(),
                    canvas.key(Action::Switch)
                ),
                _ => "no job matches; esc clears the filter".to_owned(),
            };
            state::notice(canvas, area, &[(&text, Tone::Muted)]);
            return;
        }
        let columns = [
            Column::new("state", 0, 11, 11),
            Column::new("record", 1, 13, 13),
            Column::new("mapping", 5, 8, 16),
            Column::new("contact", 3, 14, 30),
            Column::new("tries", 6, 5, 5).right(),
            Column::new("message", 1, 22, 90),
            Column::new("by", 7, 8, 14),
            Column::new("changed", 5, 11, 11),
        ];
        // A closure cannot look at the canvas while it is drawn on: the rows in sight are made first.
        let rows: Vec<_> = self
            .table
            .shown_rows(area.height, self.list.len())
            .map(|at| {
                let job = self.list.get(at)?;
                let (text, style) = says(canvas, job);
                Some((job, text, style, canvas.time(job.updated_at)))
            })
            .collect();
        let first = self.table.shown_rows(area.height, self.list.len()).start;
        table::draw(
            canvas,
            area,
            &columns,
            &self.table,
            self.list.len(),
            focused,
            |at| {
                let (job, text, style, time) = rows.get(at.checked_sub(first)?)?.as_ref()?;
                let (glyph, state_style) = state_look(theme, job.state);
                let contact = match (&job.contact.email, &job.contact.id) {
                    (Some(email), _) => email.to_string(),
                    (None, Some(id)) => id.to_string(),
                    (None, None) => String::new(),
                };
                let by = String::from(job.trigger.clone());
                Some(Row {
                    cells: vec![
                        TableCell::new(format!("{glyph} {}", job.state.name()), state_style),
                        TableCell::new(short_id(job.record.as_str()), theme.text),
                        TableCell::new(job.mapping.as_str(), theme.muted),
                        TableCell::new(contact, theme.text),
                        TableCell::new(job.attempts.to_string(), theme.muted),
                        TableCell::new(text.as_str(), *style),
                        TableCell::new(by, theme.muted),
                        TableCell::new(time.as_str(), theme.muted),
                    ],
                    selected: self.selected.contains(&job.id),
                })
            },
        );
    }

    fn draw_detail(&self, canvas: &mut Canvas, area: Rect) {
        let Some(area) = state::of(canvas, area, &self.detail, Slot::Job, "the job") else {
            return;
        };
        let Some(detail) = self.detail.value() else {
            return;
        };
        let lines = text_of(canvas, detail).lines(area.width);
        self.scroll.draw(canvas, area, &lines);
    }
}

fn text_of(canvas: &Canvas, detail: &JobDetail) -> Paragraphs {
    let mut text = Paragraphs::default();
    let job = &detail.job;
    let (glyph, _) = state_look(canvas.theme, job.state);
    let tone = match job.state {
        JobState::Failed => Tone::Error,
        JobState::Unknown => Tone::Warn,
        JobState::Done => Tone::Ok,
        _ => Tone::Title,
    };
    text.add(
        format!(
            "{glyph} {}   {} / {}   job {}",
            job.state.name(),
            job.object.short(),
            job.record,
            job.id
        ),
        tone,
    );
    let contact = match (&job.contact.email, &job.contact.id) {
        (Some(email), Some(id)) => format!("contact {id} {email}"),
        (Some(email), None) => format!("contact {email}"),
        (None, Some(id)) => format!("contact {id}"),
        (None, None) => "contact not known yet".to_owned(),
    };
    let about = [
        contact,
        format!("mapping {}", job.mapping),
        format!("by {}", String::from(job.trigger.clone())),
        counted(job.attempts.into(), "attempt"),
        format!("made {}", canvas.date_time(job.created_at)),
    ];
    text.pieces(&about, Tone::Muted);
    text.gap();
    text.add(detail.why.clone(), Tone::Plain);
    if let Some(error) = &job.error {
        // Why it waits may have said it already.
        if !detail.why.contains(&error.to_string()) {
            let class = error.class.name();
            let cross = canvas.theme.glyphs.cross;
            text.add(format!("{cross} {class}: {error}"), Tone::Error);
        }
        if let Some(id) = &error.request_id {
            text.add(format!("request {id}"), Tone::Muted);
        }
    }
    add_effects(canvas, &mut text, &detail.effects);
    if detail.attempts.is_empty() {
        text.gap();
        text.add("no attempt yet", Tone::Muted);
    }
    for attempt in detail.attempts.iter().rev() {
        add_attempt(canvas, &mut text, attempt);
    }
    text
}

/// One line an effect: what it does, how far it is, and what is wrong with it.
fn add_effects(canvas: &Canvas, text: &mut Paragraphs, effects: &[Effect]) {
    if effects.is_empty() {
        return;
    }
    text.gap();
    text.add("effects", Tone::Muted);
    for effect in effects {
        let tone = match effect.state {
            EffectState::Done => Tone::Ok,
            EffectState::Failed => Tone::Error,
            EffectState::Unknown | EffectState::Sending => Tone::Warn,
            EffectState::Planned => Tone::Plain,
            EffectState::Obsolete => Tone::Muted,
        };
        text.add(
            format!(
                "  {}   {}   rule {}   {}",
                effect.state.name(),
                effect.act,
                effect.rule,
                canvas.date_time(effect.updated_at)
            ),
            tone,
        );
        if let Some(error) = &effect.error {
            text.add(format!("    {error}"), Tone::Error);
        } else if let Some(response) = &effect.response {
            text.add(format!("    = {response}"), Tone::Muted);
        }
    }
}

fn add_attempt(canvas: &Canvas, text: &mut Paragraphs, attempt: &Attempt) {
    text.gap();
    let took = attempt.ended_at.map_or("running".to_owned(), |end| {
        let took = end.duration_since(attempt.started_at).as_millis().max(0);
        span(took as u64)
    });
    let tone = match attempt.outcome.as_str() {
        "failed" | "unknown" => Tone::Error,
        "synced" | "unchanged" => Tone::Ok,
        _ => Tone::Warn,
    };
    let mapping = short_id(&attempt.mapping_hash);
    let about = [
        format!("attempt {}", attempt.number),
        canvas.date_time(attempt.started_at),
        attempt.outcome.clone(),
        took,
        attempt.worker.clone(),
        format!("mapping version {mapping}"),
    ];
    text.pieces(&about, tone);
    if let Some(error) = &attempt.error {
        text.add(format!("  {error}"), Tone::Error);
    }
    let to = canvas.theme.glyphs.to;
    if let Some(request) = &attempt.request {
        text.add(format!("  {to} {request}"), Tone::Plain);
    }
    if let Some(response) = &attempt.response {
        text.add(format!("  = {response}"), Tone::Muted);
    }
}
