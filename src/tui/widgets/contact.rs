//! What surrounds a contact: tags, lists with the contact's standing, automations, scores, segments. A part that may not be
//! read says so; an empty one says that it is empty.

use super::text::{Tone, wrap};
use crate::model::SegmentMatches;
use crate::model::contact::{Part, Surroundings};
use crate::tui::canvas::{Canvas, counted, cut};
use crate::tui::load::Load;
use crate::tui::slots::Slot;
use ratatui::layout::Rect;

/// Columns for the name of a part.
const NAME: u16 = 12;

/// Each part's name with its text.
fn parts(
    canvas: &Canvas,
    around: &Surroundings,
    segments: &Load<SegmentMatches>,
) -> Vec<(&'static str, String, Tone)> {
    vec![
        part("tags", &around.tags, String::clone),
        part("lists", &around.lists, |l| {
            format!("{} ({})", l.list, l.status)
        }),
        part("automations", &around.automations, |a| {
            let state = if a.completed { "ended" } else { "running" };
            format!("{} ({state})", a.automation)
        }),
        part("scores", &around.scores, |s| {
            format!("{} {}", s.score, s.value)
        }),
        of_segments(canvas, segments),
    ]
}

fn part<T>(
    name: &'static str,
    part: &Part<T>,
    text: impl Fn(&T) -> String,
) -> (&'static str, String, Tone) {
    match (part.refused(), part.items()) {
        (Some(refused), _) => (name, format!("may not be read: {refused}"), Tone::Warn),
        (None, []) => (name, "none".to_owned(), Tone::Muted),
        (None, items) => {
            let texts: Vec<String> = items.iter().map(text).collect();
            (name, texts.join(", "), Tone::Plain)
        }
    }
}

fn of_segments(canvas: &Canvas, segments: &Load<SegmentMatches>) -> (&'static str, String, Tone) {
    const NAME: &str = "segments";
    if let Some(problem) = segments.problem() {
        return (NAME, format!("not read: {problem}"), Tone::Error);
    }
    let Some(matches) = segments.value() else {
        let text = match (segments.is_loading(), canvas.spinner(Slot::Segments)) {
            (true, Some(spinner)) => format!("{spinner} asking"),
            (true, None) => String::new(),
            (false, _) => "not read".to_owned(),
        };
        return (NAME, text, Tone::Muted);
    };
    let (name, mut text, tone) = part(NAME, &matches.matching, String::clone);
    if matches.unasked > 0 {
        let more = counted(matches.unasked as u64, "more segment");
        text.push_str(&format!(" ({more} not asked for)"));
    }
    (name, text, tone)
}

/// One line for each part, for below the fields: what is too long is cut.
pub fn lines(
    canvas: &Canvas,
    width: u16,
    around: &Surroundings,
    segments: &Load<SegmentMatches>,
) -> Vec<(String, Tone)> {
    let mark = canvas.theme.glyphs.cut;
    parts(canvas, around, segments)
        .into_iter()
        .map(|(name, text, tone)| {
            let text = cut(&text, width.saturating_sub(NAME + 1), mark);
            (
                format!("{name:<width$} {text}", width = usize::from(NAME)),
                tone,
            )
        })
        .collect()
}

/// All parts whole, for beside the fields.
pub fn panel(
    canvas: &mut Canvas,
    area: Rect,
    around: &Surroundings,
    segments: &Load<SegmentMatches>,
) {
    let theme = canvas.theme;
    let room = area.width.saturating_sub(NAME + 1);
    let mut lines = Vec::new();
    for (name, text, tone) in parts(canvas, around, segments) {
        for (at, text) in wrap(&text, room).into_iter().enumerate() {
            lines.push((if at == 0 { name } else { "" }, text, tone));
        }
    }
    let height = usize::from(area.height);
    let hidden = match lines.len() > height {
        true => lines.len() - height + 1,
        false => 0,
    };
    lines.truncate(lines.len() - hidden);
    if hidden > 0 {
        lines.push(("", format!("{hidden} more lines"), Tone::Muted));
    }
    for (at, (name, text, tone)) in lines.iter().enumerate() {
        let y = area.y + at as u16;
        canvas.put(area.x, y, NAME, name, theme.accent);
        canvas.put(area.x + NAME + 1, y, room, text, tone.style(theme));
    }
}
