//! What stands in the place of data that is not there: loading, nothing, or why it failed.

use super::text::{Tone, wrap};
use crate::model::Problem;
use crate::tui::canvas::Canvas;
use crate::tui::keymap::Action;
use crate::tui::load::Load;
use crate::tui::slots::Slot;
use ratatui::layout::Rect;

/// Lines in the upper third of an area.
pub fn notice(canvas: &mut Canvas, area: Rect, lines: &[(&str, Tone)]) {
    let mut y = area.y + (area.height / 4).min(4);
    for (text, tone) in lines {
        let style = tone.style(canvas.theme);
        for line in wrap(text, area.width.saturating_sub(4)) {
            if y >= area.bottom() {
                return;
            }
            canvas.put(area.x + 2, y, area.width.saturating_sub(2), &line, style);
            y += 1;
        }
    }
}

/// A problem in the place of the data: what happened, what to do, and the keys that lead on.
pub fn problem(canvas: &mut Canvas, area: Rect, problem: &Problem, keys: &str) {
    let cross = canvas.theme.glyphs.cross;
    let first = format!("{cross} {}", problem.what());
    let mut lines = vec![(first.as_str(), Tone::Error)];
    if let Some(remedy) = &problem.remedy {
        lines.push((remedy, Tone::Plain));
    }
    let request = problem
        .request_id
        .as_ref()
        .map(|id| format!("request {id}"));
    if let Some(request) = &request {
        lines.push((request, Tone::Muted));
    }
    lines.push((keys, Tone::Muted));
    notice(canvas, area, &lines);
}

/// Draws what a load is about where it has no value. With a value the area is left alone, save for one
/// line if the value is stale; what is left of the area is returned.
pub fn of<T>(
    canvas: &mut Canvas,
    area: Rect,
    load: &Load<T>,
    slot: Slot,
    what: &str,
) -> Option<Rect> {
    match (load.value().is_some(), load) {
        (true, Load::Failed { problem, .. }) => {
            let at = load.read_at().map(|at| canvas.time(at)).unwrap_or_default();
            let cross = canvas.theme.glyphs.cross;
            let text = format!("{cross} as of {at}: {problem}");
            let style = canvas.theme.error;
            canvas.put(area.x, area.y, area.width, &text, style);
            Some(Rect {
                y: area.y + 1.min(area.height),
                height: area.height.saturating_sub(1),
                ..area
            })
        }
        (true, _) => Some(area),
        (false, Load::Failed { problem: p, .. }) => {
            let again = format!("{} reads it again", canvas.key(Action::Reload));
            problem(canvas, area, p, &again);
            None
        }
        (false, Load::Loading { .. }) => {
            let text = match canvas.spinner(slot) {
                Some(spinner) => format!("{spinner} reading {what}; esc gives up"),
                None => format!("reading {what}"),
            };
            notice(canvas, area, &[(&text, Tone::Muted)]);
            None
        }
        // Before the first question is answered nobody has given anything up.
        (false, _) if canvas.slots.is_starting() => {
            notice(canvas, area, &[(&format!("reading {what}"), Tone::Muted)]);
            None
        }
        (false, _) => {
            let text = format!("{what}: not read; {} reads", canvas.key(Action::Reload));
            notice(canvas, area, &[(&text, Tone::Muted)]);
            None
        }
    }
}
