//! How runs look.

use super::{Exports, goal, left_ms, percent, rate};
use crate::model::export::{Run, RunState};
use crate::tui::canvas::{Canvas, below, grouped, shown_width, span};
use crate::tui::keymap::Action;
use crate::tui::slots::Slot;
use crate::tui::widgets::table::{self, Column, Row, TableCell};
use crate::tui::widgets::text::{Tone, wrap};
use crate::tui::widgets::{gauge, state};
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Lines that the run under the cursor takes below the list; so many more where they are short.
const DETAIL: u16 = 7;
const SHORT: (u16, u16) = (120, 3);

impl Exports {
    /// Draws the screen.
    pub(super) fn draw(&self, canvas: &mut Canvas, area: Rect) {
        let theme = canvas.theme;
        canvas.put(area.x, area.y, area.width, "Exports", theme.title);
        if !self.filter.is_empty() {
            canvas.put_right(
                area.x,
                area.y,
                area.width,
                &format!("/{}", self.filter),
                theme.accent,
            );
        }
        let Some(body) = state::of(canvas, below(area, 1), &self.runs, Slot::Exports, "exports")
        else {
            return;
        };
        let shown = self.shown();
        if shown.is_empty() {
            let text = match self.filter.is_empty() {
                true => format!(
                    "no export yet: {} starts one, as a dry run first",
                    canvas.key(Action::New)
                ),
                false => "no export matches; esc clears the filter".to_owned(),
            };
            state::notice(canvas, body, &[(&text, Tone::Muted)]);
            return;
        }
        let more = if body.width < SHORT.0 { SHORT.1 } else { 0 };
        let detail = (DETAIL + more).min(body.height / 2);
        let list = Rect {
            height: body.height - detail,
            ..body
        };
        let columns = [
            Column::new("mapping", 0, 9, 18),
            Column::new("state", 1, 11, 11),
            Column::new("options", 2, 13, 36),
            Column::new("settled", 3, 16, 16),
            Column::new("read", 5, 7, 11).right(),
            Column::new("unchanged", 8, 9, 11).right(),
            Column::new("confirmed", 4, 9, 11).right(),
            Column::new("failed", 2, 7, 9).right(),
            Column::new("rate", 7, 8, 10).right(),
            Column::new("left", 6, 7, 9).right(),
            Column::new("started", 5, 11, 11),
        ];
        let looks: Vec<_> = shown
            .iter()
            .map(|run| (state_look(canvas, run), canvas.time(run.started_at)))
            .collect();
        let none = theme.glyphs.none;
        table::draw(
            canvas,
            list,
            &columns,
            &self.table,
            shown.len(),
            true,
            |at| {
                let run = *shown.get(at)?;
                let ((word, style), started) = looks.get(at)?;
                let progress = percent(run).map_or(none.to_owned(), |percent| {
                    let full = (percent / 10) as usize;
                    format!(
                        "{}{} {percent} %",
                        theme.glyphs.full.repeat(full),
                        theme.glyphs.empty.repeat(10 - full.min(10))
                    )
                });
                let left = match run.state {
                    RunState::Running if run.waiting.is_none() => {
                        left_ms(run).map_or(none.to_owned(), span)
                    }
                    _ => String::new(),
                };
                // A dry run confirms nothing; what it would send stands below the list.
                let confirmed = match run.options.dry_run {
                    true => TableCell::new(none, theme.muted),
                    false => TableCell::new(grouped(run.counts.synced), theme.ok),
                };
                let failed = if run.counts.failed > 0 {
                    theme.error
                } else {
                    theme.muted
                };
                let rate = rate(run).map_or(none.to_owned(), |rate| {
                    format!("{}/s", grouped(rate.round() as u64))
                });
                Some(Row {
                    cells: vec![
                        TableCell::new(run.mapping.as_str(), theme.text),
                        TableCell::new(word.as_str(), *style),
                        TableCell::new(options(run).join(", "), theme.accent),
                        TableCell::new(progress, *style),
                        TableCell::new(grouped(run.counts.read), theme.text),
                        TableCell::new(grouped(run.counts.unchanged), theme.muted),
                        confirmed,
                        TableCell::new(grouped(run.counts.failed), failed),
                        TableCell::new(rate, theme.muted),
                        TableCell::new(left, theme.text),
                        TableCell::new(started.as_str(), theme.muted),
                    ],
                    selected: false,
                })
            },
        );
        let beside = |run: &&&Run| Some(&run.id) == self.beside.as_ref();
        if let Some(run) = shown.iter().find(beside)
            && detail > 2
        {
            let area = Rect {
                y: list.bottom(),
                height: detail,
                ..body
            };
            self.view_run(canvas, area, run);
        }
    }

    fn view_run(&self, canvas: &mut Canvas, area: Rect, run: &Run) {
        let theme = canvas.theme;
        canvas.rule(area.x, area.y, area.width);
        let mut y = area.y + 1;
        let (word, style) = state_look(canvas, run);
        let options = options(run).join(", ");
        let parts = [run.mapping.as_str(), run.id.as_str(), &options];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        let title: String = parts.flat_map(|part| [part, "  "]).collect();
        let x = area.x + canvas.put(area.x, y, area.width, &title, theme.title);
        canvas.put(x, y, area.right().saturating_sub(x), &word, style);
        y += 1;
        let settled = run.counts.settled();
        let width = (area.width / 3).min(40);
        let mut x = area.x;
        let text = match (goal(run), percent(run)) {
            (Some(goal), Some(percent)) => {
                // Nothing to do is all done.
                let of = goal.max(1);
                let done = if goal == 0 { of } else { settled };
                x += gauge::bar(canvas, x, y, width, done, of, style) + 1;
                format!(
                    "{percent} % settled, {} of {}",
                    grouped(settled),
                    grouped(goal)
                )
            }
            _ => format!("{} settled so far", grouped(settled)),
        };
        x += canvas.put(x, y, area.right().saturating_sub(x), &text, theme.text);
        let mut timing = Vec::new();
        if let Some(rate) = rate(run) {
            timing.push(format!("{}/s", grouped(rate.round() as u64)));
        }
        if run.state == RunState::Running
            && run.waiting.is_none()
            && let Some(left) = left_ms(run)
        {
            timing.push(format!("{} left", span(left)));
        }
        // What has just begun has not been measured yet.
        if run.elapsed_ms >= 1_000 || run.state != RunState::Running {
            timing.push(format!("worked {}", span(run.elapsed_ms)));
        }
        for text in timing {
            let text = format!("   {text}");
            let room = area.right().saturating_sub(x);
            // Half of a number is none.
            if shown_width(&text) > usize::from(room) {
                break;
            }
            x += canvas.put(x, y, room, &text, theme.muted);
        }
        y += 1;
        let c = &run.counts;
        let (confirmed, failed) = match run.options.dry_run {
            true => ("would send", "would fail"),
            false => ("confirmed", "failed"),
        };
        let numbers = [
            ("read", c.read, theme.text),
            ("unchanged", c.unchanged, theme.muted),
            ("on the way", run.sent, theme.accent),
            (confirmed, c.synced, theme.ok),
            ("superseded", c.superseded, theme.muted),
            ("skipped", c.skipped, theme.muted),
            (
                failed,
                c.failed,
                if c.failed > 0 {
                    theme.error
                } else {
                    theme.muted
                },
            ),
        ];
        let numbers = numbers.map(|(what, number, style)| {
            let text = format!("{what} {}", grouped(number));
            (text, style)
        });
        y = canvas.flow(area, y, numbers);
        let calls = [
            format!(
                "calls HighLevel {}, ActiveCampaign {}, throttled {}",
                grouped(run.requests.highlevel),
                grouped(run.requests.activecampaign),
                grouped(run.throttled),
            ),
            format!(
                "checkpoint {}",
                run.checkpoint.as_deref().unwrap_or(theme.glyphs.none)
            ),
            format!("started {}", canvas.time(run.started_at)),
        ];
        y = canvas.flow(area, y, calls.map(|text| (text, theme.muted)));
        let (text, style) = if let Some(waiting) = &run.waiting {
            let mut text = format!("waits: {}", waiting.reason.name().replace('_', " "));
            if let Some(until) = waiting.until {
                text.push_str(&format!(" until {}", canvas.time(until)));
            }
            text.push_str(&format!(", by {}", waiting.by));
            (text, theme.warn)
        } else if let Some(problem) = &run.error {
            (format!("{} {problem}", theme.glyphs.cross), theme.error)
        } else if c.failed > 0 && !run.options.dry_run {
            let key = canvas.key(Action::Open);
            let still = self.still.as_ref().filter(|(id, _)| *id == run.id);
            let text = match still {
                Some((_, 0)) => {
                    "all that failed were retried, synced again or given up since".to_owned()
                }
                Some((_, left)) if *left < c.failed => format!(
                    "{} were not taken up again; the others were retried, synced again or given up since. {key} shows them",
                    grouped(*left)
                ),
                _ => format!("{key} shows the failed ones in the queue"),
            };
            (text, theme.muted)
        } else {
            return;
        };
        for (line, y) in wrap(&text, area.width).iter().zip(y..area.bottom()) {
            canvas.put(area.x, y, area.width, line, style);
        }
    }
}

/// What a run was asked to do, in words.
pub(super) fn options(run: &Run) -> Vec<String> {
    let mut words = Vec::new();
    if run.options.dry_run {
        words.push("dry run".to_owned());
    }
    if run.options.full {
        words.push("full".to_owned());
    }
    if let Some(limit) = run.options.limit {
        words.push(format!("limit {}", grouped(limit)));
    }
    if let Some(since) = run.options.since {
        words.push(format!("since {}", since.strftime("%Y-%m-%d %H:%M UTC")));
    }
    words
}

fn state_look(canvas: &Canvas, run: &Run) -> (String, Style) {
    let (theme, glyphs) = (canvas.theme, canvas.theme.glyphs);
    let (glyph, style) = match run.state {
        RunState::Running if run.waiting.is_some() => (glyphs.waiting, theme.warn),
        RunState::Running => (glyphs.running, theme.accent),
        RunState::Paused => (glyphs.waiting, theme.warn),
        RunState::Cancelled => (glyphs.discarded, theme.muted),
        RunState::Completed => (glyphs.check, theme.ok),
        RunState::Failed => (glyphs.cross, theme.error),
    };
    (format!("{glyph} {}", run.standing()), style)
}
