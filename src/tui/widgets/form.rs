//! A form: typed fields, checked before anything is sent.

use super::field::{Field, Kind};
use super::leaves;
use super::overlay::frame;
use super::round;
use super::text::wrap;
use crate::model::{DataType, MappingName, ObjectKey, ObjectSchema, Problem, Properties, RecordId};
use crate::operations::filters::SavedFilter;
use crate::operations::pauses::Scope;
use crate::tui::canvas::{Canvas, shown_width};
use crate::tui::hits::Hit;
use crate::tui::slots::Slot;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;

/// Lines that the problem of a field takes at most: the foot of the form says it whole.
const PROBLEM_LINES: usize = 2;

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

impl Purpose {
    /// True if what was typed for one is meant for the other: the record may have changed in between.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Edit(object, record, _), Self::Edit(of, other, _)) => {
                (object, record) == (of, other)
            }
            (Self::Export(_), Self::Export(_)) => true,
            (one, other) => one == other,
        }
    }

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
    /// The write whose answer is awaited.
    pub awaits: Option<Slot>,
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
            awaits: None,
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
                DataType::SingleOptions | DataType::Radio => {
                    let field = Field::choice(key, label, Kind::One, options, now);
                    field.open(property.allow_custom_option)
                }
                DataType::MultipleOptions | DataType::Checkbox => {
                    let field = Field::choice(key, label, Kind::Many, options, now);
                    field.open(property.allow_custom_option)
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

    /// The field under the cursor.
    pub fn under(&self) -> Option<&Field> {
        self.fields.get(self.cursor)
    }

    /// Saving failed, or what is saved failed later on: the field at fault says so.
    pub fn failed(&mut self, problem: Problem) {
        self.awaits = None;
        if let Some(name) = &problem.field
            && let Some(at) = self.fields.iter().position(|field| field.key == *name)
        {
            self.fields[at].problem = Some(problem.message.clone());
            self.cursor = at;
        }
        self.error = Some(problem);
    }

    /// What stands below the fields: an error that none of them says, or what to do about the one that a field says. With
    /// another value in its field it is nobody's any more.
    fn error_below(&self, cross: &str) -> Option<String> {
        let problem = self.error.as_ref()?;
        let at_fault = |field: &&Field| problem.field.as_ref() == Some(&field.key);
        match self.fields.iter().find(at_fault) {
            None => Some(format!("{cross} {problem}")),
            Some(field) if field.problem.as_ref() == Some(&problem.message) => {
                problem.remedy.clone()
            }
            Some(_) => None,
        }
    }

    /// True while the answer of its write is awaited: until then it takes no key but those that leave it.
    pub fn is_busy(&self) -> bool {
        self.awaits.is_some()
    }

    /// True if something was typed or chosen.
    pub fn is_typed_in(&self) -> bool {
        self.fields.iter().any(Field::is_typed_in)
    }

    /// Takes in what was typed into the same form before, as far as its fields are still there, and the answer that is
    /// awaited: entered once more, it would be written twice. True if there was anything.
    pub fn take_up(&mut self, before: &Self) -> bool {
        self.awaits = before.awaits;
        let mut any = self.is_busy();
        for field in &mut self.fields {
            let same = before.fields.iter().find(|one| one.key == field.key);
            if !same.is_some_and(|one| field.take_up(one)) {
                continue;
            }
            any = true;
            // What was typed was typed over the value that stood there then, and nobody has seen another one since.
            if let (Purpose::Edit(_, _, seen), Purpose::Edit(_, _, then)) =
                (&mut self.purpose, &before.purpose)
            {
                match then.get(&field.key) {
                    Some(value) => seen.insert(field.key.clone(), value.clone()),
                    None => seen.remove(&field.key),
                };
            }
        }
        any
    }

    /// Puts pasted text into the field under the cursor, on one line.
    pub fn paste(&mut self, text: &str) {
        let awaits = self.awaits;
        let field = self.fields.get_mut(self.cursor);
        let field = field.filter(|field| field.takes_text() && awaits.is_none());
        if let Some(field) = field {
            for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
                field.input.handle(tui_input::InputRequest::InsertChar(c));
            }
        }
    }

    /// Takes a key.
    pub fn key(&mut self, key: &KeyEvent) -> FormOutcome {
        match (key.code, key.modifiers) {
            _ if leaves(key) => return FormOutcome::Dropped,
            _ if self.is_busy() => {}
            (KeyCode::Char('r'), KeyModifiers::CONTROL) => {
                self.fields.iter_mut().for_each(Field::begin_anew);
                self.error = None;
            }
            (KeyCode::Enter, _) => return FormOutcome::Save,
            _ => match round::to(key, self.cursor, self.fields.len()) {
                Some(to) => self.cursor = to,
                None => {
                    if let Some(field) = self.fields.get_mut(self.cursor) {
                        field.key(key);
                    }
                }
            },
        }
        FormOutcome::Stay
    }

    /// The keys that it takes, for the footer; its own last line tells of those that are not always there.
    pub fn keys(&self) -> &'static [(&'static str, &'static str)] {
        match self.purpose.verb() {
            "create" => &[("tab", "next field"), ("enter", "create"), ("esc", "leave")],
            "start" => &[("tab", "next field"), ("enter", "start"), ("esc", "leave")],
            "pause" => &[("tab", "next field"), ("enter", "pause"), ("esc", "leave")],
            "write" => &[("tab", "next field"), ("enter", "write"), ("esc", "leave")],
            _ => &[("tab", "next field"), ("enter", "save"), ("esc", "leave")],
        }
    }

    /// The last line of the form in so many columns: keys and what they do. Those that the footer has as well give way.
    fn foot(&self, room: u16) -> Vec<(&'static str, &'static str)> {
        if self.is_busy() {
            let waits = ("", "waiting for the answer;");
            let mut foot = vec![waits, ("esc", "leaves the form, the write goes on")];
            if width_of(&foot) > room {
                foot = vec![("", "waiting;"), ("esc", "leaves, the write goes on")];
            }
            return foot;
        }
        let mut foot = vec![("enter", self.purpose.verb()), ("tab", "next")];
        if self.fields.iter().any(Field::is_choice) {
            foot.push(("arrows space", "choose"));
        }
        if self.fields.get(self.cursor).is_some_and(|field| field.open) {
            foot.push(("type", "another"));
        }
        if self.is_typed_in() {
            foot.push(("ctrl-r", "undo"));
        }
        foot.push(("esc", "leave"));
        for gives_way in ["tab", "enter", "esc", "arrows space"] {
            if width_of(&foot) > room {
                foot.retain(|(key, _)| *key != gives_way);
            }
        }
        foot
    }

    /// The first field to show in so many rows, so that the one under the cursor is in sight with its problem.
    fn first_shown(&self, problems: &[Vec<String>], rows: usize) -> usize {
        let mut room = rows;
        let mut from = self.cursor + 1;
        for lines in problems.iter().take(self.cursor + 1).rev() {
            let Some(left) = room.checked_sub(1 + lines.len()) else {
                break;
            };
            room = left;
            from -= 1;
        }
        from.min(self.cursor)
    }

    /// Draws it over the screen.
    pub fn draw(&self, canvas: &mut Canvas, area: Rect) {
        let width = area.width.saturating_sub(4).min(100);
        let cross = canvas.theme.glyphs.cross;
        let error = self.error_below(cross);
        let error = error.map(|text| wrap(&text, width.saturating_sub(4)));
        let error = error.unwrap_or_default();
        let error_height = error.len().clamp(1, 4) as u16;
        let label = (width.saturating_sub(4) / 3).min(28);
        // What is wrong with a field stands below it, so that it hides nothing of the field.
        let problems: Vec<Vec<String>> = self
            .fields
            .iter()
            .map(|field| {
                let text = field.problem.as_ref();
                let text = text.map(|text| format!("{cross} {text}"));
                let lines = text.map(|text| wrap(&text, width.saturating_sub(5 + label)));
                lines.into_iter().flatten().take(PROBLEM_LINES).collect()
            })
            .collect();
        let taken: usize = problems.iter().map(|lines| 1 + lines.len()).sum();
        let height = (taken as u16)
            .saturating_add(4 + error_height)
            .min(area.height);
        let inner = frame(canvas, area, width, height, &self.title);
        if inner.height < 3 {
            return;
        }
        let theme = canvas.theme;
        let end = (inner.bottom() - 1)
            .saturating_sub(error_height)
            .max(inner.y + 1);
        let rows = usize::from(end - inner.y);
        let from = self.first_shown(&problems, rows);
        let mut y = inner.y;
        let mut shown = from;
        for (at, (field, problem)) in self.fields.iter().zip(&problems).enumerate().skip(from) {
            if y >= end {
                break;
            }
            shown = at + 1;
            let under = at == self.cursor;
            let steps = at as isize - self.cursor as isize;
            canvas.hit(Rect::new(inner.x, y, inner.width, 1), Hit::Row(steps));
            let style = if under { theme.title } else { theme.muted };
            let star = if field.required { " *" } else { "" };
            canvas.put(inner.x, y, label, &format!("{}{star}", field.label), style);
            let x = inner.x + label + 1;
            let room = inner.right().saturating_sub(x);
            field.draw(canvas, Rect::new(x, y, room, 1), under);
            y += 1;
            for line in problem.iter().take(usize::from(end - y)) {
                canvas.put(x, y, room, line, theme.error);
                y += 1;
            }
        }
        // A form that is taller than the screen says so in its frame.
        for (hidden, y, way) in [
            (from, inner.y - 1, "above"),
            (self.fields.len() - shown, inner.bottom(), "below"),
        ] {
            if hidden > 0 {
                let text = format!(" {hidden} more {way} ");
                canvas.put_right(inner.x, y, inner.width, &text, theme.accent);
            }
        }
        for (at, line) in error.iter().take(usize::from(error_height)).enumerate() {
            let y = end + at as u16;
            canvas.put(inner.x, y, inner.width, line, theme.error);
        }
        let mut x = inner.x;
        for (key, what) in self.foot(inner.width) {
            for (text, style) in [(key, theme.key), (what, theme.muted)] {
                let room = inner.right().saturating_sub(x);
                let used = canvas.put(x, inner.bottom() - 1, room, text, style);
                x += used + u16::from(used > 0);
            }
            x += GAP;
        }
    }
}

/// Columns between the keys of the last line, beside the space behind each.
const GAP: u16 = 1;

fn width_of(foot: &[(&str, &str)]) -> u16 {
    let wide = |(key, what): &(&str, &str)| {
        let key = shown_width(key);
        key + usize::from(key > 0) + shown_width(what) + 1 + usize::from(GAP)
    };
    let all: usize = foot.iter().map(wide).sum();
    (all as u16).saturating_sub(1 + GAP)
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
    fn an_open_choice_takes_an_option_or_a_text_of_ones_own() {
        let options = vec![
            ("small".to_owned(), "Small".to_owned()),
            ("large".to_owned(), "Large".to_owned()),
        ];
        let open = |before| Field::choice("s", "S", Kind::One, options.clone(), before).open(true);
        let mut form = form(vec![open(None)]);
        press(&mut form, KeyCode::Right);
        assert_eq!(form.changes().unwrap()["s"], json!("large"));
        for c in "as a cat".chars() {
            press(&mut form, KeyCode::Char(c));
        }
        assert_eq!(form.changes().unwrap()["s"], json!("as a cat"));
        // A typo in it is mended where it stands, and without it the option is chosen as before.
        for code in [
            KeyCode::Left,
            KeyCode::Left,
            KeyCode::Backspace,
            KeyCode::Char('r'),
        ] {
            press(&mut form, code);
        }
        assert_eq!(form.changes().unwrap()["s"], json!("as a rat"));
        press(&mut form, KeyCode::End);
        for _ in 0.."as a rat".len() {
            press(&mut form, KeyCode::Backspace);
        }
        assert_eq!(form.changes().unwrap()["s"], json!("large"));
        press(&mut form, KeyCode::Left);
        assert_eq!(form.changes().unwrap()["s"], json!("small"));
        form.paste("huge");
        assert_eq!(form.fields[0].chosen_key(), None, "one or the other");
        assert_eq!(form.changes().unwrap()["s"], json!("huge"));
        // A letter by mistake empties nothing.
        let mut stray = self::form(vec![open(Some(json!("large")))]);
        press(&mut stray, KeyCode::Char('x'));
        press(&mut stray, KeyCode::Backspace);
        assert_eq!(stray.changes(), Some(Properties::new()));
        // A value that is no option is kept until somebody takes it out.
        let mut odd = self::form(vec![open(Some(json!("as a cat")))]);
        assert_eq!(odd.changes(), Some(Properties::new()));
        press(&mut odd, KeyCode::Left);
        assert_eq!(odd.changes().unwrap()["s"], json!("large"));
        let several = Some(json!(["small", "as a cat"]));
        let many = Field::choice("s", "S", Kind::Many, options.clone(), several).open(true);
        let mut many = self::form(vec![many]);
        assert_eq!(many.changes(), Some(Properties::new()));
        press(&mut many, KeyCode::Char(' '));
        press(&mut many, KeyCode::Char('x'));
        assert_eq!(many.changes().unwrap()["s"], json!(["as a cat", "x"]));
    }

    #[test]
    fn every_type_with_options_offers_them() {
        for data_type in ["SINGLE_OPTIONS", "RADIO", "MULTIPLE_OPTIONS", "CHECKBOX"] {
            for custom in [false, true] {
                let schema: ObjectSchema = serde_json::from_value(json!({
                    "id": "o", "key": "custom_objects.pets", "standard": false,
                    "singular": "Pet", "plural": "Pets",
                    "description": null, "primary_property": "name",
                    "searchable": [], "updated_at": null,
                    "properties": [{
                        "id": "p", "key": "size", "name": "Size", "data_type": data_type,
                        "options": [{"key": "small", "label": "Small"}],
                        "allow_custom_option": custom, "required": null, "unique": null,
                    }],
                }))
                .unwrap();
                let form = Form::of_record(&schema, None);
                assert!(form.fields[0].is_choice(), "{data_type} {custom}");
                assert_eq!(form.fields[0].takes_text(), custom, "{data_type}");
            }
        }
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
