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

/// Each part's name with its text; the spinner of the segments, while it turns.
pub fn parts(
    spinner: Option<&str>,
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
        of_segments(spinner, segments),
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

fn of_segments(
    spinner: Option<&str>,
    segments: &Load<SegmentMatches>,
) -> (&'static str, String, Tone) {
    const NAME: &str = "segments";
    if let Some(problem) = segments.problem() {
        return (NAME, format!("not read: {problem}"), Tone::Error);
    }
    let Some(matches) = segments.value() else {
        let text = match (segments.is_loading(), spinner) {
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
    parts(canvas.spinner(Slot::Segments), around, segments)
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

/// All parts whole, for beside the fields. Where there is no room for that, each has its share: a long part hides no other.
pub fn panel(
    canvas: &mut Canvas,
    area: Rect,
    around: &Surroundings,
    segments: &Load<SegmentMatches>,
) {
    let theme = canvas.theme;
    let room = area.width.saturating_sub(NAME + 1);
    let parts = parts(canvas.spinner(Slot::Segments), around, segments);
    let wrapped: Vec<Vec<String>> = parts.iter().map(|(_, text, _)| wrap(text, room)).collect();
    let wanted: Vec<usize> = wrapped.iter().map(Vec::len).collect();
    let shares = shares(&wanted, usize::from(area.height));
    let mut y = area.y;
    for (((name, _, tone), lines), share) in parts.iter().zip(&wrapped).zip(shares) {
        let shown = match lines.len() > share {
            true => share.saturating_sub(1),
            false => share,
        };
        for (at, text) in lines.iter().take(shown).enumerate() {
            let name = if at == 0 { name } else { "" };
            canvas.put(area.x, y, NAME, name, theme.accent);
            canvas.put(area.x + NAME + 1, y, room, text, tone.style(theme));
            y += 1;
        }
        if shown < share {
            let name = if shown == 0 { name } else { "" };
            let more = counted((lines.len() - shown) as u64, "more line");
            canvas.put(area.x, y, NAME, name, theme.accent);
            canvas.put(area.x + NAME + 1, y, room, &more, theme.muted);
            y += 1;
        }
    }
}

/// How many of so many lines each gets: what it wants where all fit, else no more than an even share, and what others leave of
/// theirs.
fn shares(wanted: &[usize], room: usize) -> Vec<usize> {
    let mut shares = vec![0; wanted.len()];
    let mut left = room;
    while left > 0 {
        let before = left;
        for (share, wanted) in shares.iter_mut().zip(wanted) {
            if left > 0 && *share < *wanted {
                *share += 1;
                left -= 1;
            }
        }
        if left == before {
            break;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_part_takes_what_the_others_leave() {
        assert_eq!(shares(&[1, 2, 1], 10), [1, 2, 1]);
        assert_eq!(shares(&[100, 2, 1, 100], 11), [4, 2, 1, 4]);
        assert_eq!(shares(&[9, 9, 9], 2), [1, 1, 0]);
        assert_eq!(shares(&[], 2), Vec::<usize>::new());
    }
}
