//! A record beside its contact: what each field holds, what would be sent, what the contact holds now.

use super::text::{Tone, wrap};
use crate::model::view::{Preview, PreviewField};
use crate::tui::canvas::{Canvas, short_id};
use ratatui::layout::Rect;

/// Lines for the scrolled part of the sync view, drawn by [`draw`].
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
    let mut state = if preview.problem.is_some() {
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
    let name = format!(
        "{} {} {}",
        field.source,
        theme.glyphs.to,
        field.field.trim_matches('%')
    );
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
        canvas.put(x, area.y, width, text, *style);
        x += width + 1;
    }
    canvas.put(x, area.y, area.right().saturating_sub(x), &mark.0, mark.1);
}

/// Draws the sync view of a preview; `cursor` is the field under the cursor, whose texts are shown whole at
/// the foot.
pub fn draw(canvas: &mut Canvas, area: Rect, preview: &Preview, cursor: usize, focused: bool) {
    if area.height < 4 || area.width < 20 {
        return;
    }
    heading(canvas, area, preview);
    let theme = canvas.theme;
    let mut y = area.y + if area.width >= 90 { 1 } else { 2 };
    if let Some(problem) = &preview.problem {
        let text = format!("{} {problem}", theme.glyphs.cross);
        for text in wrap(&text, area.width).into_iter().take(3) {
            canvas.put(area.x, y, area.width, &text, theme.error);
            y += 1;
        }
    }
    if let Some(winner) = &preview.superseded_by {
        let text = format!("record {winner} was updated later and holds this contact");
        canvas.put(area.x, y, area.width, &text, theme.warn);
        y += 1;
    }
    // The mark takes what is left: it says why, so it wants room.
    let widths = [26, 18, 20, 14].map(|part| (area.width * part / 100).max(4));
    let mut x = area.x;
    for (title, width) in ["field", "record", "will send", "contact now"]
        .iter()
        .zip(widths)
    {
        canvas.put(x, y, width, title, theme.muted);
        x += width + 1;
    }
    y += 1;
    let foot = foot(canvas, area.width, preview, cursor);
    let room = area.bottom().saturating_sub(y + foot.len() as u16).max(1);
    let cursor = cursor.min(preview.fields.len().saturating_sub(1));
    let from = (cursor + 1).saturating_sub(usize::from(room));
    for (at, field) in preview
        .fields
        .iter()
        .enumerate()
        .skip(from)
        .take(usize::from(room))
    {
        line(
            canvas,
            Rect::new(area.x, y, area.width, 1),
            widths,
            field,
            focused && at == cursor,
        );
        y += 1;
    }
    for (text, tone) in foot {
        if y >= area.bottom() {
            break;
        }
        let style = tone.style(canvas.theme);
        canvas.put(area.x, y, area.width, &text, style);
        y += 1;
    }
}

/// Rules, what surrounds the contact, and the field under the cursor whole.
fn foot(canvas: &Canvas, width: u16, preview: &Preview, cursor: usize) -> Vec<(String, Tone)> {
    let mut lines = Vec::new();
    for rule in &preview.rules {
        let (says, tone) = match (rule.fires, &rule.note) {
            (true, _) => (format!("fires: {}", rule.actions.join(", ")), Tone::Ok),
            (false, Some(note)) => (format!("does not fire: {note}"), Tone::Muted),
            (false, None) => ("does not fire".to_owned(), Tone::Muted),
        };
        lines.push((format!("rule {:<16} {says}", rule.name), tone));
    }
    if let Some(around) = &preview.surroundings {
        let mut add = |what: &str, names: Vec<String>| {
            if !names.is_empty() {
                lines.push((format!("{what:<12} {}", names.join(", ")), Tone::Muted));
            }
        };
        add("tags", around.tags.clone());
        let lists = around
            .lists
            .iter()
            .map(|l| format!("{} ({})", l.list, l.status));
        add("lists", lists.collect());
        let automations = around.automations.iter().map(|a| {
            let state = if a.completed { "ended" } else { "running" };
            format!("{} ({state})", a.automation)
        });
        add("automations", automations.collect());
        let scores = around
            .scores
            .iter()
            .map(|s| format!("{} {}", s.score, s.value));
        add("scores", scores.collect());
    }
    if let Some(field) = preview.fields.get(cursor) {
        let long = [&field.record, &field.send, &field.contact]
            .iter()
            .any(|text| {
                text.as_ref()
                    .is_some_and(|text| text.chars().count() > usize::from(width / 9))
            });
        if long || field.problem.is_some() || field.warning.is_some() {
            let none = canvas.theme.glyphs.none;
            let mut whole = format!(
                "{}: {} {} {}",
                field.source,
                value(field.record.as_deref(), none),
                canvas.theme.glyphs.to,
                value(field.send.as_deref(), none)
            );
            if let Some(problem) = &field.problem {
                whole.push_str(&format!(" {} {problem}", canvas.theme.glyphs.dot));
            }
            if let Some(warning) = &field.warning {
                whole.push_str(&format!(" {} {warning}", canvas.theme.glyphs.dot));
            }
            let short: String = whole.chars().take(usize::from(width) * 4).collect();
            lines.push((String::new(), Tone::Plain));
            for text in wrap(&short, width).into_iter().take(4) {
                lines.push((text, Tone::Plain));
            }
        }
    }
    lines
}
