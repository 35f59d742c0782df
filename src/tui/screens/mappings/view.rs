//! How a mapping looks.

use super::{Mappings, finding_text, tone};
use crate::model::Level;
use crate::model::view::PreviewField;
use crate::operations::draft::Draft;
use crate::operations::mappings::MappingDetail;
use crate::tui::canvas::{Canvas, below, counted, short_id, shown_width};
use crate::tui::context::Go;
use crate::tui::hits::Hit;
use crate::tui::keymap::Action;
use crate::tui::load::Load;
use crate::tui::screens::records::value;
use crate::tui::slots::Slot;
use crate::tui::widgets::state;
use crate::tui::widgets::table::{Column, TableCell};
use crate::tui::widgets::text::Tone;
use ratatui::layout::Rect;

/// From this width on the mappings stand in a pane of their own.
const BESIDE: u16 = 100;

impl Mappings {
    /// Draws the screen.
    pub(super) fn draw(&self, canvas: &mut Canvas, area: Rect) {
        if canvas.session.mappings.is_empty() {
            let lines = [
                ("no mapping yet", Tone::Plain),
                (
                    "add [mappings.NAME] to config.toml; 1 shows the objects it may name",
                    Tone::Muted,
                ),
            ];
            state::notice(canvas, area, &lines);
            return;
        }
        if area.width >= BESIDE {
            let left = 24;
            self.view_names(
                canvas,
                Rect {
                    width: left,
                    ..area
                },
            );
            let right = canvas.divide(Rect {
                x: area.x + left,
                width: area.width - left,
                ..area
            });
            self.view_mapping(canvas, right);
        } else {
            let theme = canvas.theme;
            let mut x = area.x;
            for mapping in &canvas.session.mappings {
                let here = Some(&mapping.name) == self.chosen.as_ref();
                let style = if here { theme.cursor } else { theme.muted };
                let room = area.right().saturating_sub(x);
                let used = canvas.put(x, area.y, room, mapping.name.as_str(), style);
                let place = Rect::new(x, area.y, used, 1);
                canvas.hit(place, Hit::Go(Go::Mapping(mapping.name.clone())));
                x += used + 2;
            }
            self.view_mapping(canvas, below(area, 1));
        }
        let slow = [
            (Slot::Survey, "sending all records through"),
            (Slot::Check, "checking"),
            (Slot::Suggestions, "looking for pairs"),
        ];
        for (slot, what) in slow {
            if let Some(spinner) = canvas.spinner(slot) {
                let text = format!("{spinner} {what}; esc gives up");
                let style = canvas.theme.muted;
                canvas.put_right(area.x, area.y, area.width, &text, style);
            }
        }
    }

    fn view_names(&self, canvas: &mut Canvas, area: Rect) {
        let theme = canvas.theme;
        canvas.put(area.x, area.y, area.width, "Mappings", theme.title);
        for (at, mapping) in canvas.session.mappings.iter().enumerate() {
            let y = area.y + 1 + at as u16;
            if y >= area.bottom() {
                break;
            }
            let here = Some(&mapping.name) == self.chosen.as_ref();
            let row = Rect::new(area.x, y, area.width, 1);
            canvas.hit(row, Hit::Go(Go::Mapping(mapping.name.clone())));
            let style = match (here, mapping.enabled) {
                (true, _) => theme.cursor,
                (false, true) => theme.text,
                (false, false) => theme.muted,
            };
            if here {
                canvas.put(area.x, y, 1, theme.glyphs.marker, theme.accent);
            }
            let name = canvas.put(
                area.x + 2,
                y,
                area.width.saturating_sub(2),
                mapping.name.as_str(),
                style,
            );
            let x = area.x + 3 + name;
            let off = if mapping.enabled { "" } else { "  off" };
            let object = mapping.object.short();
            let object = if object == mapping.name.as_str() {
                ""
            } else {
                object
            };
            let note = format!("{object}{off}");
            canvas.put(x, y, area.right().saturating_sub(x), &note, theme.muted);
        }
    }

    fn view_mapping(&self, canvas: &mut Canvas, area: Rect) {
        let theme = canvas.theme;
        let Some(name) = &self.chosen else { return };
        let Some(body) = state::of(
            canvas,
            below(area, 1),
            &self.detail,
            Slot::MappingDetail,
            "the mapping and both schemas",
        ) else {
            canvas.put(area.x, area.y, area.width, name.as_str(), theme.title);
            return;
        };
        let Some(detail) = self.detail.value() else {
            return;
        };
        let problems = detail
            .findings
            .iter()
            .filter(|f| f.level != Level::Ok)
            .count();
        let (sound, style) = match problems {
            0 => (format!("{} no problems", theme.glyphs.check), theme.ok),
            n => (counted(n as u64, "problem"), theme.error),
        };
        let mut pieces = vec![(sound, style)];
        let mut size = None;
        match self.edited() {
            Some(draft) if draft.is_outdated() => {
                let text = format!(
                    "config.toml changed: {} puts yours over it, {} undoes",
                    canvas.key(Action::Reload),
                    canvas.key(Action::Undo)
                );
                // There is no going on without knowing it: it has the place of all that can be missed.
                pieces = vec![(text, theme.error)];
            }
            Some(draft) => {
                let number = counted(draft.changes().len() as u64, "change");
                let text = format!("{number}, {} saves", canvas.key(Action::Save));
                pieces.push((text, theme.warn));
            }
            None if self.rules.is_some() => {
                size = Some(counted(detail.summary.rules.len() as u64, "rule"));
            }
            None => size = Some(counted(detail.lines.len() as u64, "field")),
        }
        let mut room = area;
        if !self.filter.is_empty() {
            let text = format!("/{}", self.filter);
            let wide = shown_width(&text).min(usize::from(area.width / 2)) as u16;
            let x = area.right() - wide;
            canvas.put(x, area.y, wide, &text, theme.accent);
            room.width -= wide + 1;
        }
        // What must be known goes before what only describes.
        let object = format!(
            "{} {} contacts",
            detail.summary.object.short(),
            theme.glyphs.to
        );
        let email = format!("email: {}", detail.summary.email);
        let mut title = vec![Some(object), Some(email), size];
        let taken: usize = pieces.iter().map(|(text, _)| shown_width(text) + 3).sum();
        let wide = |title: &[Option<String>]| {
            let parts = title.iter().flatten();
            parts.map(|part| shown_width(part) + 3).sum::<usize>()
        };
        while title.len() > 1 && wide(&title) + taken > usize::from(room.width) + 3 {
            // The e-mail first, then the size.
            title.remove(1);
        }
        let title = title.into_iter().flatten().map(|part| (part, theme.title));
        let pieces = title.chain(pieces);
        canvas.flow(Rect { height: 1, ..room }, room.y, pieces);
        self.view_sample(canvas, Rect { height: 1, ..body });
        let body = below(body, 1);
        if let Some(table) = &self.rules {
            self.view_rules(canvas, body, table);
            return;
        }
        let foot = self.foot(detail, body, theme.glyphs.cross);
        let foot_height = foot.len() as u16;
        let lines = Rect {
            height: body.height.saturating_sub(foot_height),
            ..body
        };
        self.view_lines(canvas, lines);
        for (at, (text, tone)) in foot.iter().enumerate() {
            let style = tone.style(theme);
            canvas.put(body.x, lines.bottom() + at as u16, body.width, text, style);
        }
    }

    fn view_sample(&self, canvas: &mut Canvas, area: Rect) {
        let theme = canvas.theme;
        let text = match (&self.samples, self.samples.value()) {
            (_, Some(samples)) if !samples.is_empty() => {
                let record = &samples[self.sample.min(samples.len() - 1)];
                let title = self.preview.value().map_or("", |p| p.title.as_str());
                let id = short_id(record.id.as_str());
                let mut text = format!(
                    "sample {} of {}: {title} {id}",
                    self.sample + 1,
                    samples.len()
                );
                let written = self.written.as_ref();
                let written = written
                    .filter(|(id, _)| *id == record.id)
                    .map(|(_, at)| *at);
                if let Some(at) = self.samples.read_at().max(written) {
                    text.push_str(&format!("  read {}", canvas.time(at)));
                }
                text
            }
            (_, Some(_)) => "no record to try: the object is empty".to_owned(),
            (Load::Failed { problem, .. }, None) => {
                format!("{} no samples: {problem}", theme.glyphs.cross)
            }
            _ => match canvas.spinner(Slot::Samples) {
                Some(spinner) => format!("{spinner} reading samples"),
                None => String::new(),
            },
        };
        let wrong = if let Some(problem) = self.preview.problem() {
            Some((format!("{} {problem}", theme.glyphs.cross), theme.error))
        } else if let Some(problem) = self.preview.value().and_then(|p| p.problem.as_ref()) {
            Some((format!("! {}", problem.message), theme.warn))
        } else if self.preview.value().is_some_and(|preview| preview.skips) {
            let text = "! no e-mail address: it is skipped";
            Some((text.to_owned(), theme.warn))
        } else {
            None
        };
        let mut room = area.width;
        if let Some((wrong, style)) = wrong {
            // The sample is named all the same.
            let wide = (shown_width(&wrong) as u16).min(area.width / 2);
            canvas.put(area.right() - wide, area.y, wide, &wrong, style);
            room = area.width.saturating_sub(wide + 1);
        }
        canvas.put(area.x, area.y, room, &text, theme.muted);
    }

    fn view_lines(&self, canvas: &mut Canvas, area: Rect) {
        let theme = canvas.theme;
        let shown = self.shown();
        if shown.is_empty() {
            let add = format!(
                "this mapping has no fields; {} adds one",
                canvas.key(Action::New)
            );
            self.view_none(canvas, area, &add, "line");
            return;
        }
        let columns = vec![
            Column::new("record field", 0, 14, 32),
            Column::new("type", 4, 9, 16),
            Column::new(theme.glyphs.arrow, 1, 3, 3),
            Column::new("contact field", 1, 13, 26),
            Column::new("type", 5, 8, 10),
            Column::new("sample in", 3, 10, 36),
            Column::new("sample out", 2, 12, 60),
        ];
        self.view_rows(canvas, area, columns, &self.lines, shown.len(), |at| {
            let line = *shown.get(at)?;
            let field = self.sampled(line);
            let broken = matches!(line.problem, Some((Level::Error, _)));
            let (arrow, arrow_style) = match (broken, line.transform) {
                (true, _) => (theme.glyphs.broken, theme.error),
                (false, true) => (theme.glyphs.through, theme.accent),
                (false, false) => (theme.glyphs.arrow, theme.muted),
            };
            let (out, out_style) = match (&line.problem, field) {
                (Some((Level::Error, problem)), _) => (problem.clone(), theme.error),
                (
                    _,
                    Some(PreviewField {
                        problem: Some(problem),
                        ..
                    }),
                ) => (problem.message.clone(), theme.error),
                (
                    _,
                    Some(PreviewField {
                        warning: Some(warning),
                        send,
                        ..
                    }),
                ) => (
                    format!("{}  ! {warning}", send.as_deref().unwrap_or("")),
                    theme.warn,
                ),
                (Some((Level::Warning, problem)), _) => (problem.clone(), theme.warn),
                (_, Some(field)) => match &field.send {
                    Some(text) if text.is_empty() => ("(cleared)".to_owned(), theme.warn),
                    Some(text) => (text.clone(), theme.text),
                    None => (theme.glyphs.none.to_owned(), theme.muted),
                },
                (_, None) => (String::new(), theme.muted),
            };
            let (source_type, source_style) = match (&line.source_type, line.template) {
                (_, true) => ("template", theme.muted),
                (Some(kind), false) => (kind.as_str(), theme.muted),
                (None, false) => ("unknown", theme.error),
            };
            let target_type = match (&line.target_type, line.builtin) {
                (_, true) => "built-in",
                (Some(kind), false) => kind.as_str(),
                (None, false) => "unknown",
            };
            let sample = field
                .and_then(|f| f.record.as_deref())
                .map(plain)
                .unwrap_or_default();
            let cells = vec![
                TableCell::new(line.source.as_str(), theme.text),
                TableCell::new(source_type, source_style),
                TableCell::new(arrow, arrow_style),
                TableCell::new(line.target.trim_matches('%'), theme.text),
                TableCell::new(target_type, theme.muted),
                TableCell::new(sample, theme.muted),
                TableCell::new(out, out_style),
            ];
            Some((line.target.as_str().into(), cells))
        });
    }

    /// Problems and rules below the lines, at most a third of the room.
    fn foot(&self, detail: &MappingDetail, area: Rect, cross: &str) -> Vec<(String, Tone)> {
        let mut all = Vec::new();
        let changes = self.edited().map(Draft::changes).unwrap_or_default();
        for gone in changes.iter().filter(|change| change.new.is_none()) {
            all.push((gone.text(""), Tone::Warn));
        }
        for finding in detail.findings.iter().filter(|f| f.level != Level::Ok) {
            all.push((finding_text(finding, cross), tone(finding.level)));
        }
        if let Some(preview) = self.preview.value() {
            for rule in &preview.rules {
                let (says, tone) = match rule.fires {
                    true => (format!("fires: {}", rule.actions.join(", ")), Tone::Ok),
                    false => (
                        rule.note
                            .clone()
                            .unwrap_or_else(|| "does not fire".to_owned()),
                        Tone::Muted,
                    ),
                };
                all.push((format!("rule {:<16} {says}", rule.name), tone));
            }
        } else {
            for rule in &detail.summary.rules {
                all.push((format!("rule {rule}"), Tone::Muted));
            }
        }
        let most = usize::from(area.height / 3);
        if all.len() > most && most > 0 {
            let more = all.len() - most + 1;
            all.truncate(most - 1);
            all.push((
                format!("and {more} more: V shows findings, r rules"),
                Tone::Muted,
            ));
        }
        all
    }
}

/// A raw value without the marks of JSON.
fn plain(raw: &str) -> String {
    match serde_json::from_str::<serde_json::Value>(raw) {
        Ok(value) => value::show(None, &value),
        Err(_) => raw.to_owned(),
    }
}
