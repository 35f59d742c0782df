//! A form: typed fields, checked before anything is sent.

use super::overlay::frame;
use crate::model::{DataType, MappingName, ObjectKey, ObjectSchema, Problem, Properties, RecordId};
use crate::tui::canvas::{Canvas, shown_width};
use crossterm::event::{Event as TerminalEvent, KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::{Position, Rect};
use serde_json::Value;
use std::collections::BTreeSet;
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

/// What a form is for.
#[derive(Clone, Debug, PartialEq)]
pub enum Purpose {
    New(ObjectKey),
    Edit(ObjectKey, RecordId, Properties),
    Export(Vec<MappingName>),
}

/// What a field takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Text,
    Number,
    /// The amount; the currency stays as it was.
    Money,
    /// `YYYY-MM-DD`.
    Date,
    /// One of the options, or none.
    One,
    /// Any of the options.
    Many,
}

/// One field.
#[derive(Clone, Debug)]
pub struct Field {
    pub key: String,
    pub label: String,
    pub kind: Kind,
    pub required: bool,
    /// Keys and labels of a choice.
    options: Vec<(String, String)>,
    input: Input,
    /// Options chosen, and the one under the cursor.
    chosen: BTreeSet<usize>,
    at: usize,
    before: Option<Value>,
    /// The text before anybody typed.
    initial: String,
    pub problem: Option<String>,
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

impl Field {
    /// A field of free text.
    pub fn text(key: &str, label: &str, kind: Kind, before: Option<Value>) -> Self {
        let text = match &before {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Object(money)) if kind == Kind::Money => money
                .get("value")
                .map(|value| {
                    value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned)
                })
                .unwrap_or_default(),
            None | Some(Value::Null) => String::new(),
            Some(other) => other.to_string(),
        };
        Self {
            key: key.to_owned(),
            label: label.to_owned(),
            kind,
            required: false,
            options: Vec::new(),
            initial: text.clone(),
            input: Input::new(text),
            chosen: BTreeSet::new(),
            at: 0,
            before,
            problem: None,
        }
    }

    /// A choice among options of key and label.
    pub fn choice(
        key: &str,
        label: &str,
        kind: Kind,
        options: Vec<(String, String)>,
        before: Option<Value>,
    ) -> Self {
        let holds = |option: &str| match &before {
            Some(Value::String(text)) => text == option,
            Some(Value::Array(items)) => items.iter().any(|item| item.as_str() == Some(option)),
            _ => false,
        };
        let chosen: BTreeSet<usize> = (0..options.len())
            .filter(|at| holds(&options[*at].0))
            .collect();
        let at = chosen.first().copied().unwrap_or(0);
        Self {
            options,
            chosen,
            at,
            ..Self::text(key, label, kind, before)
        }
    }

    /// The number of the chosen option of a choice of one.
    pub fn chosen(&self) -> Option<usize> {
        self.chosen.first().copied()
    }

    /// The text typed.
    pub fn typed(&self) -> &str {
        self.input.value().trim()
    }

    /// The value as the API wants it; `None` where the field is empty and was empty.
    pub fn value(&self) -> Result<Option<Value>, String> {
        let was_empty = matches!(&self.before, None | Some(Value::Null));
        let text = self.input.value();
        if !was_empty && !matches!(self.kind, Kind::One | Kind::Many) && text == self.initial {
            // What nobody touched is not judged: a wrong date of old must not stop another field's change.
            return Ok(self.before.clone());
        }
        let value = match self.kind {
            Kind::One => match self.chosen() {
                Some(at) => Value::String(self.options[at].0.clone()),
                None if was_empty => return self.absent(),
                None => Value::Null,
            },
            Kind::Many => {
                if self.chosen.is_empty() && was_empty {
                    return self.absent();
                }
                let keys = self
                    .chosen
                    .iter()
                    .map(|at| Value::String(self.options[*at].0.clone()));
                Value::Array(keys.collect())
            }
            _ if text.trim().is_empty() => {
                if was_empty {
                    return self.absent();
                }
                // A text stays a text; anything else is emptied by null.
                if matches!(&self.before, Some(Value::String(_))) && self.kind == Kind::Text {
                    Value::String(String::new())
                } else {
                    Value::Null
                }
            }
            Kind::Text => Value::String(text.to_owned()),
            Kind::Number => number(text)?,
            Kind::Money => {
                let currency = match &self.before {
                    Some(Value::Object(money)) => money.get("currency").cloned(),
                    _ => None,
                };
                let currency = currency.unwrap_or_else(|| Value::String("default".to_owned()));
                serde_json::json!({ "currency": currency, "value": number(text)? })
            }
            Kind::Date => {
                let day = text.trim();
                match day.parse::<jiff::civil::Date>() {
                    Ok(_) => Value::String(day.to_owned()),
                    Err(_) => return Err("a date looks like 2026-11-23".to_owned()),
                }
            }
        };
        if self.required && value.is_null() {
            return Err("this field is required".to_owned());
        }
        Ok(Some(value))
    }

    fn absent(&self) -> Result<Option<Value>, String> {
        if self.required {
            Err("this field is required".to_owned())
        } else {
            Ok(None)
        }
    }

    fn key(&mut self, key: &KeyEvent) {
        self.problem = None;
        match self.kind {
            Kind::One | Kind::Many => {
                let last = self.options.len().saturating_sub(1);
                match key.code {
                    KeyCode::Left => self.at = self.at.saturating_sub(1),
                    KeyCode::Right => self.at = (self.at + 1).min(last),
                    KeyCode::Backspace | KeyCode::Delete => {
                        self.chosen.clear();
                        return;
                    }
                    KeyCode::Char(' ') if self.kind == Kind::Many => {
                        if !self.chosen.remove(&self.at) && !self.options.is_empty() {
                            self.chosen.insert(self.at);
                        }
                    }
                    _ => return,
                }
                if self.kind == Kind::One && !self.options.is_empty() {
                    self.chosen = [self.at].into();
                }
            }
            _ => {
                self.input.handle_event(&TerminalEvent::Key(*key));
            }
        }
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, under: bool) {
        let theme = canvas.theme;
        if !matches!(self.kind, Kind::One | Kind::Many) {
            let room = area.width.saturating_sub(1);
            let scroll = self.input.visual_scroll(usize::from(room));
            let text: String = self.input.value().chars().skip(scroll).collect();
            canvas.put(area.x, area.y, area.width, &text, theme.text);
            if under {
                let x = area.x + self.input.visual_cursor().saturating_sub(scroll) as u16;
                canvas.cursor = Some(Position::new(x.min(area.right().saturating_sub(1)), area.y));
            }
            return;
        }
        let mut x = area.x;
        let all: usize = self
            .options
            .iter()
            .map(|(_, label)| shown_width(label) + 4)
            .sum();
        // The option under the cursor must be in sight, however many there are.
        let from = match under {
            _ if all <= usize::from(area.width) => 0,
            true => self.at.saturating_sub(2),
            false => self.chosen().unwrap_or(0),
        };
        for (at, (_, label)) in self.options.iter().enumerate().skip(from) {
            let chosen = self.chosen.contains(&at);
            let mark = if chosen {
                theme.glyphs.selected
            } else {
                theme.glyphs.ready
            };
            let style = if under && at == self.at {
                theme.cursor
            } else if chosen {
                theme.accent
            } else {
                theme.muted
            };
            let text = format!("{mark} {label}");
            x += canvas.put(x, area.y, area.right().saturating_sub(x), &text, style) + 2;
            if x >= area.right() {
                break;
            }
        }
    }
}

fn number(text: &str) -> Result<Value, String> {
    let text = text.trim();
    serde_json::from_str::<serde_json::Number>(text)
        .map(Value::Number)
        .map_err(|_| "a number looks like 12 or 12.5".to_owned())
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

    /// Saving failed: the field at fault says so.
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

    /// Draws it over the screen.
    pub fn draw(&self, canvas: &mut Canvas, area: Rect) {
        let width = area.width.saturating_sub(4).min(100);
        let height = (self.fields.len() as u16)
            .saturating_add(5)
            .min(area.height);
        let inner = frame(canvas, area, width, height, &self.title);
        if inner.height < 3 {
            return;
        }
        let theme = canvas.theme;
        let label = (inner.width / 3).min(28);
        let rows = usize::from(inner.height - 2);
        let from = (self.cursor + 1).saturating_sub(rows);
        for (line, field) in self.fields.iter().skip(from).take(rows).enumerate() {
            let y = inner.y + line as u16;
            let under = from + line == self.cursor;
            let style = if under { theme.title } else { theme.muted };
            let star = if field.required { " *" } else { "" };
            canvas.put(inner.x, y, label, &format!("{}{star}", field.label), style);
            let x = inner.x + label + 1;
            let mut room = inner.right().saturating_sub(x);
            if let Some(problem) = &field.problem {
                let text = format!("{} {problem}", theme.glyphs.cross);
                let wide = (shown_width(&text) as u16).min(room / 2);
                canvas.put_right(inner.right() - wide, y, wide, &text, theme.error);
                room = room.saturating_sub(wide + 1);
            }
            field.draw(canvas, Rect::new(x, y, room, 1), under);
        }
        if let Some(problem) = &self.error {
            let text = format!("{} {problem}", theme.glyphs.cross);
            canvas.put(inner.x, inner.bottom() - 2, inner.width, &text, theme.error);
        }
        let (key, muted) = (theme.key, theme.muted);
        let foot: &[(&str, _)] = if self.busy {
            &[
                ("saving; ", muted),
                ("esc", key),
                (" leaves the form, the write goes on", muted),
            ]
        } else {
            &[
                ("enter", key),
                (" save   ", muted),
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
    use serde_json::json;

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
