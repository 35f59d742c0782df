//! A form: typed fields, checked before anything is sent.

use super::field::{Field, Kind};
use super::overlay::frame;
use super::text::wrap;
use crate::model::{DataType, MappingName, ObjectKey, ObjectSchema, Problem, Properties, RecordId};
use crate::operations::filters::SavedFilter;
use crate::operations::pauses::Scope;
use crate::tui::canvas::Canvas;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;

/// What a form is for.
#[derive(Clone, Debug, PartialEq)]
pub enum Purpose {
    New(ObjectKey),
    Edit(ObjectKey, RecordId, Properties),
    Export(Vec<MappingName>),
    Pause(Scope),
    /// A name for the filter in force.
    SaveFilter(SavedFilter),
    /// The records in view, into a file.
    File(ObjectKey),
    /// A contact field is to be made.
    Field(FieldFor),
}

/// Lines that say what is wrong with a field, at most.
const PROBLEM_LINES: usize = 3;

impl Purpose {
    /// What enter does, in a word.
    fn verb(&self) -> &'static str {
        match self {
            Self::New(_) | Self::Field(_) => "create",
            Self::Edit(..) | Self::SaveFilter(_) => "save",
            Self::Export(_) => "start",
            Self::Pause(_) => "pause",
            Self::File(_) => "write",
        }
    }
}

/// What a contact field is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldFor {
    pub mapping: MappingName,
    /// The record field or template that is to fill it.
    pub source: String,
    /// The line that names it already; `None`: a line is added.
    pub target: Option<String>,
}

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormOutcome {
    Stay,
    Save,
    Dropped,
}

/// A form with its fields.
#[derive(Clone, Debug)]
pub struct Form {
    pub title: String,
    pub purpose: Purpose,
    pub fields: Vec<Field>,
    cursor: usize,
    /// True while the answer is awaited.
    pub busy: bool,
    /// Why saving failed.
    pub error: Option<Problem>,
}

impl Form {
    /// A form.
    pub fn new(title: impl Into<String>, purpose: Purpose, fields: Vec<Field>) -> Self {
        Self {
            title: title.into(),
            purpose,
            fields,
            cursor: 0,
            busy: false,
            error: None,
        }
    }

    /// A form over an object's properties: one field for each that can be typed.
    pub fn of_record(schema: &ObjectSchema, record: Option<(&RecordId, &Properties)>) -> Self {
        let none = Properties::new();
        let before = record.map_or(&none, |(_, properties)| properties);
        let mut fields = Vec::new();
        for property in &schema.properties {
            let now = before.get(&property.key).cloned();
            let options: Vec<_> = property
                .options
                .iter()
                .map(|option| (option.key.clone(), option.label.clone()))
                .collect();
            let (key, label) = (property.key.as_str(), property.name.as_str());
            let mut field = match property.data_type {
                DataType::Numerical => Field::text(key, label, Kind::Number, now),
                DataType::Monetory => Field::text(key, label, Kind::Money, now),
                DataType::Date => Field::text(key, label, Kind::Date, now),
                DataType::SingleOptions | DataType::Radio if !property.allow_custom_option => {
                    Field::choice(key, label, Kind::One, options, now)
                }
                DataType::MultipleOptions | DataType::Checkbox => {
                    Field::choice(key, label, Kind::Many, options, now)
                }
                DataType::TextboxList => {
                    for (option, name) in options {
                        let member = format!("{key}.{option}");
                        let now = before.get(&member).cloned();
                        let label = format!("{label}: {name}");
                        fields.push(Field::text(&member, &label, Kind::Text, now));
                    }
                    continue;
                }
                DataType::FileUpload => continue,
                _ => Field::text(key, label, Kind::Text, now),
            };
            field.required = property.required == Some(true);
            fields.push(field);
        }
        let (title, purpose) = match record {
            Some((id, properties)) => (
                format!("Edit {} {id}", schema.singular),
                Purpose::Edit(schema.key.clone(), id.clone(), properties.clone()),
            ),
            None => (
                format!("New {}", schema.singular),
                Purpose::New(schema.key.clone()),
            ),
        };
        Self::new(title, purpose, fields)
    }

    /// The values that differ from what was; `None` if a field cannot be taken, which it then says.
    pub fn changes(&mut self) -> Option<Properties> {
        let mut changes = Properties::new();
        let mut wrong = None;
        for (at, field) in self.fields.iter_mut().enumerate() {
            match field.value() {
                Ok(Some(value)) if field.before.as_ref() != Some(&value) => {
                    changes.insert(field.key.clone(), value);
                    field.problem = None;
                }
                Ok(_) => field.problem = None,
                Err(problem) => {
                    field.problem = Some(problem);
                    wrong = wrong.or(Some(at));
                }
            }
        }
        match wrong {
            Some(at) => {
                self.cursor = at;
                None
            }
            None => Some(changes),
        }
    }

    /// Saving failed, or what is saved failed later on: the field at fault says so.
    pub fn failed(&mut self, problem: Problem) {
        self.busy = false;
        if let Some(name) = &problem.field
            && let Some(at) = self.fields.iter().position(|field| field.key == *name)
        {
            self.fields[at].problem = Some(problem.message.clone());
            self.cursor = at;
        }
        self.error = Some(problem);
    }

    /// Puts pasted text into the field under the cursor, on one line.
    pub fn paste(&mut self, text: &str) {
        if let Some(field) = self.fields.get_mut(self.cursor) {
            for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
                field.input.handle(tui_input::InputRequest::InsertChar(c));
            }
        }
    }

    /// Takes a key.
    pub fn key(&mut self, key: &KeyEvent) -> FormOutcome {
        let last = self.fields.len().saturating_sub(1);
        match (key.code, key.modifiers) {
            (KeyCode::Esc, _) | (KeyCode::Char('c'), KeyModifiers::CONTROL) => {
                return FormOutcome::Dropped;
            }
            _ if self.busy => {}
            (KeyCode::Enter, _) => return FormOutcome::Save,
            (KeyCode::Tab | KeyCode::Down, _) => {
                self.cursor = if self.cursor == last {
                    0
                } else {
                    self.cursor + 1
                };
            }
            (KeyCode::BackTab | KeyCode::Up, _) => {
                self.cursor = self.cursor.checked_sub(1).unwrap_or(last);
            }
            _ => {
                if let Some(field) = self.fields.get_mut(self.cursor) {
                    field.key(key);
                }
            }
        }
        FormOutcome::Stay
    }

    /// The keys that it takes, for the footer.
    pub fn keys(&self) -> &'static [(&'static str, &'static str)] {
        match self.purpose.verb() {
            "create" => &[("tab", "next field"), ("enter", "create"), ("esc", "leave")],
            "start" => &[("tab", "next field"), ("enter", "start"), ("esc", "leave")],
            "pause" => &[("tab", "next field"), ("enter", "pause"), ("esc", "leave")],
            "write" => &[("tab", "next field"), ("enter", "write"), ("esc", "leave")],
            _ => &[("tab", "next field"), ("enter", "save"), ("esc", "leave")],
        }
    }

    /// What is wrong with a field, in lines beneath it.
    fn problem_lines(field: &Field, cross: &str, room: u16) -> Vec<String> {
        let Some(problem) = &field.problem else {
            return Vec::new();
        };
        let mut lines = wrap(&format!("{cross} {problem}"), room);
        lines.truncate(PROBLEM_LINES);
        lines
    }

    /// The fields to draw in so many lines: all of the one under the cursor, and as many before it as have room.
    fn in_sight(&self, heights: &[usize], rows: usize) -> std::ops::Range<usize> {
        let to = (self.cursor + 1).min(heights.len());
        let mut from = 0;
        while from + 1 < to && heights[from..to].iter().sum::<usize>() > rows {
            from += 1;
        }
        let mut used = 0;
        let fits = heights[from..].iter().take_while(|height| {
            used += **height;
            used <= rows
        });
        from..(from + fits.count()).max(to)
    }

    /// Draws it over the screen.
    pub fn draw(&self, canvas: &mut Canvas, area: Rect) {
        let width = area.width.saturating_sub(4).min(100);
        let cross = canvas.theme.glyphs.cross;
        let error = self.error.as_ref().map(|problem| {
            let text = format!("{cross} {problem}");
            wrap(&text, width.saturating_sub(4))
        });
        let error = error.unwrap_or_default();
        let error_height = error.len().clamp(1, 4) as u16;
        let label = (width.saturating_sub(4) / 3).min(28);
        let room = width.saturating_sub(4 + label + 1);
        let problems = self.fields.iter();
        let problems: Vec<_> = problems
            .map(|field| Self::problem_lines(field, cross, room))
            .collect();
        let heights: Vec<usize> = problems.iter().map(|lines| 1 + lines.len()).collect();
        let height = (heights.iter().sum::<usize>() as u16)
            .saturating_add(4 + error_height)
            .min(area.height);
        let inner = frame(canvas, area, width, height, &self.title);
        if inner.height < 3 {
            return;
        }
        let theme = canvas.theme;
        let rows = usize::from(inner.height.saturating_sub(1 + error_height).max(1));
        let sight = self.in_sight(&heights, rows);
        let mut y = inner.y;
        for at in sight.clone() {
            let field = &self.fields[at];
            let under = at == self.cursor;
            let style = if under { theme.title } else { theme.muted };
            let star = if field.required { " *" } else { "" };
            canvas.put(inner.x, y, label, &format!("{}{star}", field.label), style);
            let x = inner.x + label + 1;
            field.draw(canvas, Rect::new(x, y, room, 1), under);
            y += 1;
            for line in &problems[at] {
                if y < inner.y + rows as u16 {
                    canvas.put(x, y, room, line, theme.error);
                    y += 1;
                }
            }
        }
        let (above, below) = (sight.start, self.fields.len() - sight.end);
        for (count, what, y) in [
            (above, "above", inner.y - 1),
            (below, "below", inner.bottom()),
        ] {
            if count > 0 {
                let text = format!(" {count} more {what} ");
                canvas.put_right(inner.x, y, inner.width, &text, theme.accent);
            }
        }
        let top = (inner.bottom() - 1)
            .saturating_sub(error_height)
            .max(inner.y);
        for (at, line) in error.iter().take(usize::from(error_height)).enumerate() {
            let y = top + at as u16;
            canvas.put(inner.x, y, inner.width, line, theme.error);
        }
        let (key, muted) = (theme.key, theme.muted);
        let verb = format!(" {}   ", self.purpose.verb());
        let foot: &[(&str, _)] = if self.busy {
            &[
                ("waiting for the answer; ", muted),
                ("esc", key),
                (" leaves the form, the write goes on", muted),
            ]
        } else {
            &[
                ("enter", key),
                (&verb, muted),
                ("tab", key),
                (" next   ", muted),
                ("arrows space", key),
                (" choose   ", muted),
                ("esc", key),
                (" leave", muted),
            ]
        };
        canvas.spans(inner.x, inner.bottom() - 1, inner.width, foot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn press(form: &mut Form, code: KeyCode) -> FormOutcome {
        form.key(&KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn form(fields: Vec<Field>) -> Form {
        Form::new(
            "t",
            Purpose::New(ObjectKey::from("custom_objects.pets")),
            fields,
        )
    }

    #[test]
    fn only_what_differs_is_sent_with_its_type() {
        let weight: Value = serde_json::from_str("12.40").unwrap();
        let mut form = form(vec![
            Field::text("name", "Name", Kind::Text, Some(json!("Rex"))),
            Field::text("weight", "Weight", Kind::Number, Some(weight)),
            Field::text(
                "fee",
                "Fee",
                Kind::Money,
                Some(json!({"currency": "EUR", "value": 5})),
            ),
        ]);
        assert_eq!(form.changes(), Some(Properties::new()));
        press(&mut form, KeyCode::Tab);
        press(&mut form, KeyCode::Char('5'));
        press(&mut form, KeyCode::Tab);
        press(&mut form, KeyCode::Char('0'));
        let changes = Value::Object(form.changes().unwrap());
        assert_eq!(
            changes.to_string(),
            r#"{"weight":12.405,"fee":{"currency":"EUR","value":50}}"#
        );
    }

    #[test]
    fn what_cannot_be_taken_is_said_at_its_field() {
        let mut form = form(vec![
            Field::text("born", "Born", Kind::Date, None),
            Field::text("weight", "Weight", Kind::Number, None),
        ]);
        form.paste("2024-13-01");
        assert!(form.changes().is_none());
        assert!(form.fields[0].problem.is_some());
        for _ in 0..10 {
            press(&mut form, KeyCode::Backspace);
        }
        form.paste("2024-12-01");
        press(&mut form, KeyCode::Down);
        form.paste("heavy");
        assert!(form.changes().is_none());
        assert!(form.fields[1].problem.is_some());
    }

    #[test]
    fn choices_are_taken_by_key() {
        let options = vec![
            ("calm".to_owned(), "Calm".to_owned()),
            ("shy".to_owned(), "Shy".to_owned()),
        ];
        let mut form = form(vec![
            Field::choice("t", "T", Kind::Many, options.clone(), Some(json!(["calm"]))),
            Field::choice("s", "S", Kind::One, options, None),
        ]);
        press(&mut form, KeyCode::Right);
        press(&mut form, KeyCode::Char(' '));
        press(&mut form, KeyCode::Tab);
        press(&mut form, KeyCode::Right);
        let changes = Value::Object(form.changes().unwrap());
        assert_eq!(changes, json!({"t": ["calm", "shy"], "s": "shy"}));
        press(&mut form, KeyCode::Backspace);
        assert!(!form.changes().unwrap().contains_key("s"));
    }
}
