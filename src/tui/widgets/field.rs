//! One field of a form: what was typed, and the value it stands for.

use crate::tui::canvas::{Canvas, shown_width};
use crate::tui::screens::records::value;
use crossterm::event::{Event as TerminalEvent, KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;
use serde_json::Value;
use std::collections::BTreeSet;
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

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
    /// A choice that takes a text of one's own as well.
    pub(super) open: bool,
    /// Keys and labels of a choice.
    options: Vec<(String, String)>,
    pub(super) input: Input,
    /// Options chosen, and the one under the cursor.
    chosen: BTreeSet<usize>,
    at: usize,
    pub(super) before: Option<Value>,
    /// The text, and the options chosen, before anybody typed.
    initial: String,
    chosen_before: BTreeSet<usize>,
    pub problem: Option<String>,
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
            open: false,
            options: Vec::new(),
            initial: text.clone(),
            input: Input::new(text),
            chosen: BTreeSet::new(),
            chosen_before: BTreeSet::new(),
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
        // A value that is no option is one to be kept or taken out, as any other.
        let mut options = options;
        let values = match &before {
            Some(Value::Array(values)) => values.as_slice(),
            Some(value) => std::slice::from_ref(value),
            None => &[],
        };
        for value in values.iter().filter_map(Value::as_str) {
            if !value.is_empty() && !options.iter().any(|(key, _)| key == value) {
                options.push((value.to_owned(), value.to_owned()));
            }
        }
        let chosen: BTreeSet<usize> = (0..options.len())
            .filter(|at| holds(&options[*at].0))
            .collect();
        let at = chosen.first().copied().unwrap_or(0);
        Self {
            options,
            chosen_before: chosen.clone(),
            chosen,
            at,
            input: Input::default(),
            initial: String::new(),
            ..Self::text(key, label, kind, before)
        }
    }

    /// As a choice that takes a text of one's own as well, if it does.
    pub fn open(self, open: bool) -> Self {
        Self { open, ..self }
    }

    /// True if it is chosen among options.
    pub fn is_choice(&self) -> bool {
        matches!(self.kind, Kind::One | Kind::Many)
    }

    /// True if a text can be typed.
    pub fn takes_text(&self) -> bool {
        self.open || !self.is_choice()
    }

    /// True if a text of one's own stands in place of the option chosen, which comes back when the text is taken out.
    fn is_overruled(&self) -> bool {
        self.kind == Kind::One && !self.typed().is_empty()
    }

    /// The number of the chosen option of a choice of one.
    pub fn chosen(&self) -> Option<usize> {
        let chosen = self.chosen.first().copied();
        chosen.filter(|_| !self.is_overruled())
    }

    /// The key of the chosen option of a choice of one.
    pub fn chosen_key(&self) -> Option<&str> {
        let (key, _) = self.options.get(self.chosen()?)?;
        Some(key)
    }

    /// True if something was typed or chosen since the beginning.
    pub fn is_typed_in(&self) -> bool {
        self.input.value() != self.initial || self.chosen != self.chosen_before
    }

    /// Takes in what was typed into the same field before; true if anything was.
    pub(super) fn take_up(&mut self, before: &Self) -> bool {
        if before.kind != self.kind || !before.is_typed_in() {
            return false;
        }
        self.input = before.input.clone();
        let keys = before.chosen_keys();
        let chosen = |at: &usize| keys.contains(&self.options[*at].0);
        self.chosen = (0..self.options.len()).filter(chosen).collect();
        self.at = self.chosen.first().copied().unwrap_or(0);
        true
    }

    /// Takes back what was typed.
    pub(super) fn begin_anew(&mut self) {
        self.input = Input::new(self.initial.clone());
        self.chosen.clone_from(&self.chosen_before);
        self.at = self.chosen.first().copied().unwrap_or(0);
        self.problem = None;
    }

    /// Chooses the option of this key.
    pub fn choose(&mut self, key: &str) {
        if let Some(at) = self.options.iter().position(|(known, _)| known == key) {
            self.at = at;
            self.chosen = [at].into();
        }
    }

    /// Puts another text in place of what was typed.
    pub fn retype(&mut self, text: &str) {
        self.input = Input::new(text.to_owned());
    }

    /// A value of this field as people read it: options by their labels.
    pub fn words(&self, value: &Value) -> String {
        match value {
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| self.words(item)).collect();
                items.join(", ")
            }
            Value::String(text) => {
                let option = self.options.iter().find(|(key, _)| key == text);
                option.map_or_else(|| text.clone(), |(_, label)| label.clone())
            }
            other => value::show(None, other),
        }
    }

    /// The keys of the options that are chosen, in the order of the options.
    pub fn chosen_keys(&self) -> Vec<String> {
        let keys = self.chosen.iter().map(|at| self.options[*at].0.clone());
        keys.collect()
    }

    /// The text typed.
    pub fn typed(&self) -> &str {
        self.input.value().trim()
    }

    /// The value as the API wants it; `None` where the field is empty and was empty.
    pub fn value(&self) -> Result<Option<Value>, String> {
        let was_empty = matches!(&self.before, None | Some(Value::Null));
        let text = self.input.value();
        if !was_empty && !self.is_typed_in() {
            // What nobody touched is not judged: a wrong date of old must not stop another field's change.
            return Ok(self.before.clone());
        }
        let value = match self.kind {
            Kind::One if self.is_overruled() => Value::String(self.typed().to_owned()),
            Kind::One => match self.chosen() {
                Some(at) => Value::String(self.options[at].0.clone()),
                None if was_empty => return self.absent(),
                None => Value::Null,
            },
            Kind::Many => {
                let own = Some(self.typed()).filter(|typed| !typed.is_empty());
                if self.chosen.is_empty() && own.is_none() && was_empty {
                    return self.absent();
                }
                let keys = self.chosen.iter().map(|at| self.options[*at].0.as_str());
                let values = keys.chain(own).map(|key| Value::String(key.to_owned()));
                Value::Array(values.collect())
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
        if self.required && (value.is_null() || value.as_str().is_some_and(str::is_empty)) {
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

    pub(super) fn key(&mut self, key: &KeyEvent) {
        self.problem = None;
        match self.kind {
            Kind::One | Kind::Many => {
                let last = self.options.len().saturating_sub(1);
                let own = self.open && !self.input.value().is_empty();
                // A letter begins a text of one's own, which then takes the keys of a text.
                if own {
                    self.input.handle_event(&TerminalEvent::Key(*key));
                    return;
                }
                match key.code {
                    KeyCode::Char(c)
                        if self.open
                            && c != ' '
                            && !key
                                .modifiers
                                .intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) =>
                    {
                        self.input.handle_event(&TerminalEvent::Key(*key));
                        return;
                    }
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

    pub(super) fn draw(&self, canvas: &mut Canvas, area: Rect, under: bool) {
        let theme = canvas.theme;
        if !matches!(self.kind, Kind::One | Kind::Many) {
            let at = self.input.cursor();
            canvas.typed(area, self.input.value(), at, theme.text, under);
            return;
        }
        let wide = |(_, label): &(String, String)| shown_width(label) + 4;
        let all: usize = self.options.iter().map(wide).sum();
        let room =
            usize::from(area.width) - shown_width(self.input.value()).min(usize::from(area.width));
        let cut = theme.glyphs.cut;
        // The option under the cursor must be in sight whole, with one before it, however many there are.
        let mut from = 0;
        if all > room + 2 {
            let at = if under {
                self.at
            } else {
                self.chosen().unwrap_or(0)
            };
            from = at.saturating_sub(1);
            let both: usize = self.options[from..=at.min(self.options.len() - 1)]
                .iter()
                .map(wide)
                .sum();
            if both > room.saturating_sub(2) {
                from = at;
            }
        }
        // A text of one's own has the right end, however many options there are.
        let (line, own) = (area, self.input.value());
        let taken = match own.is_empty() {
            true => 0,
            false => (shown_width(own) as u16 + 3).min(area.width * 2 / 3),
        };
        if taken > 0 {
            let theme = canvas.theme;
            let x = line.right() - taken;
            canvas.put(x, line.y, 1, theme.glyphs.selected, theme.accent);
            let place = Rect::new(x + 2, line.y, taken.saturating_sub(2), 1);
            canvas.typed(place, own, self.input.cursor(), theme.text, under);
        }
        let area = Rect {
            width: area.width.saturating_sub(taken + u16::from(taken > 0)),
            ..area
        };
        let mut x = area.x;
        if from > 0 {
            x += canvas.put(x, area.y, area.width, cut, theme.muted) + 1;
        }
        for (at, (_, label)) in self.options.iter().enumerate().skip(from) {
            let chosen = self.chosen.contains(&at) && !self.is_overruled();
            let mark = if chosen {
                theme.glyphs.selected
            } else {
                theme.glyphs.ready
            };
            let style = if under && at == self.at && own.is_empty() {
                theme.cursor
            } else if chosen {
                theme.accent
            } else {
                theme.muted
            };
            let text = format!("{mark} {label}");
            let last = at + 1 == self.options.len();
            let room = area.right().saturating_sub(x);
            // The mark of what follows needs its column too.
            let needs = shown_width(&text) as u16 + if last { 0 } else { 3 };
            if needs > room && at > from {
                canvas.put(x, area.y, room, cut, theme.muted);
                break;
            }
            x += canvas.put(x, area.y, room, &text, style) + 2;
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
