//! A record beside its contact: what each field holds, what would be sent, what the contact holds now.

use super::contact;
use super::text::{Paragraphs, Tone, out_of_sight, wrap};
use crate::model::SegmentMatches;
use crate::model::view::{Preview, PreviewField};
use crate::tui::canvas::{Canvas, below, counted, cut, short_id, shown_width};
use crate::tui::hits::Hit;
use crate::tui::keymap::Action;
use crate::tui::load::Load;
use ratatui::layout::Rect;
use ratatui::style::Style;

fn value(text: Option<&str>, none: &str) -> String {
    match text {
        Some("") => "(empty)".to_owned(),
        Some(text) => text.to_owned(),
        None => none.to_owned(),
    }
}

fn heading(canvas: &mut Canvas, area: Rect, preview: &Preview) {
    let theme = canvas.theme;
    let left = format!(
        "{} / {}  {}",
        preview.record.object.short(),
        preview.title,
        short_id(preview.record.id.as_str())
    );
    let contact = match (&preview.contact_id, &preview.email) {
        (Some(id), Some(email)) => format!("contact {id} {email}"),
        (None, Some(email)) => format!("no contact yet: {email}"),
        _ => "no contact".to_owned(),
    };
    let mut state = if preview.skips {
        ("skipped".to_owned(), theme.warn)
    } else if preview.problem.is_some() {
        (format!("cannot sync {}", theme.glyphs.cross), theme.error)
    } else if preview.superseded_by.is_some() {
        ("superseded".to_owned(), theme.warn)
    } else if preview.in_step() {
        (format!("in step {}", theme.glyphs.check), theme.ok)
    } else {
        let changes = preview.fields.iter().filter(|f| f.changes).count();
        let differs = theme.glyphs.differs;
        (format!("{changes} would change {differs}"), theme.warn)
    };
    if let Some(at) = preview.last_sent {
        state
            .0
            .push_str(&format!("  last sent {}", canvas.time(at)));
    }
    if area.width >= 90 {
        let third = area.width / 3;
        canvas.put(area.x, area.y, third - 1, &left, theme.title);
        canvas.put(area.x + third, area.y, third - 1, &contact, theme.text);
        canvas.put_right(
            area.x + 2 * third,
            area.y,
            area.width - 2 * third,
            &state.0,
            state.1,
        );
    } else {
        canvas.put(area.x, area.y, area.width, &left, theme.title);
        let used = canvas.put(area.x, area.y + 1, area.width, &contact, theme.text);
        if used + 2 < area.width {
            canvas.put_right(
                area.x + used + 2,
                area.y + 1,
                area.width - used - 2,
                &state.0,
                state.1,
            );
        }
    }
}

fn line(canvas: &mut Canvas, area: Rect, widths: [u16; 4], field: &PreviewField, under: bool) {
    let theme = canvas.theme;
    let none = theme.glyphs.none;
    let name = pair(canvas, field, widths[0]);
    let (send, style) = match &field.problem {
        Some(problem) => (
            format!("{} {}", theme.glyphs.cross, problem.message),
            theme.error,
        ),
        None => (value(field.send.as_deref(), none), theme.text),
    };
    let mark = match (&field.problem, &field.warning, field.changes) {
        (Some(problem), _, _) => {
            let remedy = problem
                .remedy
                .as_deref()
                .unwrap_or("fix the record or map it");
            (format!("! {remedy}"), theme.error)
        }
        (None, Some(warning), _) => (format!("! {warning}"), theme.warn),
        (None, None, true) if field.contact.is_none() => ("+".to_owned(), theme.ok),
        (None, None, true) => (theme.glyphs.differs.to_owned(), theme.warn),
        _ => (String::new(), theme.muted),
    };
    let name_style = if under { theme.cursor } else { theme.accent };
    let cells = [
        (name, name_style),
        (value(field.record.as_deref(), none), theme.text),
        (send, style),
        (value(field.contact.as_deref(), none), theme.muted),
    ];
    let mut x = area.x;
    for ((text, style), width) in cells.iter().zip(widths) {
        let room = width.min(area.right().saturating_sub(x));
        canvas.put(x, area.y, room, text, *style);
        x += width + 1;
    }
    canvas.put(x, area.y, area.right().saturating_sub(x), &mark.0, mark.1);
}

/// `source → target`; where there is little room it is the source that gives way.
fn pair(canvas: &Canvas, field: &PreviewField, width: u16) -> String {
    let (to, mark) = (canvas.theme.glyphs.to, canvas.theme.glyphs.cut);
    let target = format!(" {to} {}", field.field.trim_matches('%'));
    let room = width.saturating_sub(shown_width(&target) as u16).max(3);
    format!("{}{target}", cut(&field.source, room, mark))
}

/// From this width on the columns of values have room enough, and the mark gets more.
const ROOMY: u16 = 100;

/// From this width on the contact's surroundings stand beside the fields.
const BESIDE: u16 = 100;

/// Draws the sync view of a preview; `cursor` is the field under the cursor, whose texts are shown whole at
/// the foot.
pub fn draw(
    canvas: &mut Canvas,
    area: Rect,
    preview: &Preview,
    segments: &Load<SegmentMatches>,
    cursor: usize,
    focused: bool,
) {
    if area.height < 4 || area.width < 20 {
        return;
    }
    heading(canvas, area, preview);
    let theme = canvas.theme;
    let mut body = below(area, if area.width >= 90 { 1 } else { 2 });
    if let Some(problem) = &preview.problem {
        let text = format!("{} {problem}", theme.glyphs.cross);
        body = said(canvas, body, &text, theme.error);
    }
    if preview.skips {
        body = said(canvas, body, Preview::SKIPPED, theme.warn);
    }
    if let Some(winner) = &preview.superseded_by {
        let text = format!("record {winner} holds this contact: nothing of this one is sent");
        body = said(canvas, body, &text, theme.warn);
    }
    if let Some(warning) = &preview.warning {
        body = said(canvas, body, warning, theme.warn);
    }
    if let Some(edit) = &preview.edit {
        let fields: Vec<&str> = edit.properties.keys().map(String::as_str).collect();
        let text = format!(
            "edited by {} until the record changes: {}",
            edit.by,
            fields.join(", ")
        );
        body = said(canvas, body, &text, theme.warn);
    }
    let foot = foot(canvas, body.width, preview, cursor);
    let Some(around) = &preview.surroundings else {
        fields(canvas, body, preview, cursor, focused, &foot);
        return;
    };
    if area.width >= BESIDE {
        let panel = (area.width / 3).clamp(30, 44);
        let left = Rect {
            width: body.width - panel - 1,
            ..body
        };
        let right = canvas.divide(Rect {
            x: left.right() + 1,
            width: panel,
            ..body
        });
        let foot = self::foot(canvas, left.width, preview, cursor);
        fields(canvas, left, preview, cursor, focused, &foot);
        contact::panel(canvas, right, around, segments);
    } else {
        let mut lines = foot;
        lines.extend(contact::lines(canvas, body.width, around, segments));
        fields(canvas, body, preview, cursor, focused, &lines);
    }
}

/// The field under the cursor, the rules and what surrounds the contact, each whole: for a window of its own.
pub fn whole_text(
    preview: &Preview,
    segments: &Load<SegmentMatches>,
    cursor: usize,
) -> (String, Paragraphs) {
    let mut text = Paragraphs::default();
    let cursor = cursor.min(preview.fields.len().saturating_sub(1));
    let field = preview.fields.get(cursor);
    if let Some(field) = field {
        for (what, value) in [
            ("record", &field.record),
            ("will send", &field.send),
            ("contact now", &field.contact),
        ] {
            text.add(what, Tone::Muted);
            let none = if what == "will send" {
                "nothing"
            } else {
                "no value"
            };
            text.add(self::value(value.as_deref(), none), Tone::Plain);
        }
        if let Some(problem) = &field.problem {
            text.add(problem.to_string(), Tone::Error);
        }
        if let Some(warning) = &field.warning {
            text.add(warning.clone(), Tone::Warn);
        }
    }
    if !preview.rules.is_empty() {
        text.gap();
    }
    for (line, tone) in rules(preview) {
        text.add(line, tone);
    }
    if let Some(around) = &preview.surroundings {
        text.gap();
        for (name, words, tone) in contact::parts(None, around, segments) {
            text.add(format!("{name}: {words}"), tone);
        }
    }
    let title = field.map(|field| format!("{} to {}", field.source, field.field.trim_matches('%')));
    (title.unwrap_or_else(|| preview.title.clone()), text)
}

/// A sentence in at most three lines; returns what is left of the area.
fn said(canvas: &mut Canvas, area: Rect, text: &str, style: Style) -> Rect {
    let lines: Vec<String> = wrap(text, area.width).into_iter().take(3).collect();
    for (at, line) in lines.iter().enumerate() {
        canvas.put(area.x, area.y + at as u16, area.width, line, style);
    }
    below(area, lines.len() as u16)
}

/// The fields, and below them the lines of the foot as far as there is room: a third of it is the fields' own.
fn fields(
    canvas: &mut Canvas,
    area: Rect,
    preview: &Preview,
    cursor: usize,
    focused: bool,
    foot: &[(String, Tone)],
) {
    // The mark takes what is left: it says why, so it wants room.
    let titles = ["field", "record", "will send", "contact now"];
    let parts = match area.width {
        ROOMY.. => [26, 14, 16, 13],
        _ => [30, 17, 19, 14],
    };
    // A column is at least as wide as its heading.
    let widths = std::array::from_fn(|at| {
        let part = area.width * parts[at] / 100;
        part.max(shown_width(titles[at]) as u16)
    });
    let mut x = area.x;
    for (title, width) in titles.iter().zip(widths) {
        let style = canvas.theme.muted;
        let room = width.min(area.right().saturating_sub(x));
        canvas.put(x, area.y, room, title, style);
        x += width + 1;
    }
    let body = below(area, 1);
    let least = (preview.fields.len() as u16).min((body.height / 3).max(1));
    let foot_room = (foot.len() as u16).min(body.height.saturating_sub(least));
    let room = body.height - foot_room;
    let number = preview.fields.len();
    let cursor = cursor.min(number.saturating_sub(1));
    let from = (cursor + 1).saturating_sub(usize::from(room));
    let below = number.saturating_sub(from + usize::from(room));
    let left = area.right().saturating_sub(x);
    let note = match out_of_sight(from, below) {
        note if shown_width(&note) <= usize::from(left) => note,
        // Where there is little room: `-2 +3`.
        _ if from == 0 => format!("+{below}"),
        _ if below == 0 => format!("-{from}"),
        _ => format!("-{from} +{below}"),
    };
    canvas.put_right(x, area.y, left, &note, canvas.theme.accent);
    let shown = preview.fields.iter().enumerate().skip(from);
    let mut y = body.y;
    for (at, field) in shown.take(usize::from(room)) {
        let row = Rect::new(body.x, y, body.width, 1);
        canvas.hit(row, Hit::Row(at as isize - cursor as isize));
        line(canvas, row, widths, field, focused && at == cursor);
        y += 1;
    }
    let key = canvas.key(Action::Open);
    let hidden = foot.len().saturating_sub(usize::from(foot_room));
    for (at, (text, tone)) in foot.iter().take(usize::from(foot_room)).enumerate() {
        let last = at + 1 == usize::from(foot_room);
        let (text, tone) = match hidden {
            1.. if last => (
                format!(
                    "and {} more: {key} shows all",
                    counted(hidden as u64 + 1, "line")
                ),
                Tone::Muted,
            ),
            _ => (text.clone(), *tone),
        };
        let style = tone.style(canvas.theme);
        canvas.put(body.x, y, body.width, &text, style);
        y += 1;
    }
}

/// The field under the cursor whole, and the rules.
fn foot(canvas: &Canvas, width: u16, preview: &Preview, cursor: usize) -> Vec<(String, Tone)> {
    let mut lines = Vec::new();
    if let Some(field) = preview.fields.get(cursor) {
        lines.extend(whole(canvas, width, field));
    }
    lines.extend(rules(preview));
    lines
}

/// What each rule would do, a line each.
fn rules(preview: &Preview) -> impl Iterator<Item = (String, Tone)> {
    preview.rules.iter().map(|rule| {
        let (says, tone) = match (rule.fires, &rule.note) {
            (true, _) => (format!("fires: {}", rule.actions.join(", ")), Tone::Ok),
            (false, Some(note)) => (format!("does not fire: {note}"), Tone::Muted),
            (false, None) => ("does not fire".to_owned(), Tone::Muted),
        };
        (format!("rule {:<16} {says}", rule.name), tone)
    })
}

/// A field's texts whole, where the columns may have cut them.
fn whole(canvas: &Canvas, width: u16, field: &PreviewField) -> Vec<(String, Tone)> {
    let (to, none) = (canvas.theme.glyphs.to, canvas.theme.glyphs.none);
    let target = field.field.trim_matches('%');
    let name = format!("{} {to} {target}", field.source);
    let texts = [&field.record, &field.send, &field.contact];
    let long = shown_width(&name) > usize::from(width) * 3 / 10
        || texts
            .into_iter()
            .flatten()
            .any(|text| text.chars().nth(usize::from(width / 9)).is_some());
    if !long && field.problem.is_none() && field.warning.is_none() {
        return Vec::new();
    }
    let mut whole = format!(
        "{name}: {} {to} {}",
        value(field.record.as_deref(), none),
        value(field.send.as_deref(), none)
    );
    if let Some(problem) = &field.problem {
        whole.push_str(&format!(" {} {problem}", canvas.theme.glyphs.dot));
    }
    if let Some(warning) = &field.warning {
        whole.push_str(&format!(" {} {warning}", canvas.theme.glyphs.dot));
    }
    let short: String = whole.chars().take(usize::from(width) * 4).collect();
    let lines = wrap(&short, width).into_iter().take(4);
    lines.map(|text| (text, Tone::Plain)).collect()
}
