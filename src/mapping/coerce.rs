//! The coercion matrix: a raw value of a HighLevel type becomes the text of a contact field's type.
//! Whatever is lost on the way is a [`Fault`] or a warning.

use super::fault::{Fault, quote, quote_raw};
use super::options::{self, Choice, Replace};
use super::{dates, text};
use crate::model::{DataType, Decimal, FieldKind, FieldOption, Properties, PropertyOption};
use jiff::tz::TimeZone;
use serde_json::Value;
use std::borrow::Cow;

/// What a source holds: the rows of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SourceKind {
    /// TEXT, LARGE_TEXT, EMAIL, PHONE, an unknown type, a template's result.
    Text,
    Number,
    Money,
    Date,
    One,
    Many,
    /// A TEXTBOX_LIST as a whole.
    Members,
    /// One member of a TEXTBOX_LIST.
    Member,
    Files,
}

impl SourceKind {
    pub(super) fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Text
            | DataType::LargeText
            | DataType::Email
            | DataType::Phone
            | DataType::Unknown(_) => Self::Text,
            DataType::Numerical => Self::Number,
            DataType::Monetory => Self::Money,
            DataType::Date => Self::Date,
            DataType::SingleOptions | DataType::Radio => Self::One,
            DataType::MultipleOptions | DataType::Checkbox => Self::Many,
            DataType::TextboxList => Self::Members,
            DataType::FileUpload => Self::Files,
        }
    }
}

/// What a contact field takes: the columns of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TargetKind {
    Text,
    Number,
    Date,
    Datetime,
    One,
    Many,
}

impl TargetKind {
    pub(super) fn of(kind: &FieldKind) -> Self {
        match kind {
            FieldKind::Text | FieldKind::Textarea | FieldKind::Hidden | FieldKind::Unknown(_) => {
                Self::Text
            }
            FieldKind::Number => Self::Number,
            FieldKind::Date => Self::Date,
            FieldKind::Datetime => Self::Datetime,
            FieldKind::Dropdown | FieldKind::Radio => Self::One,
            FieldKind::Listbox | FieldKind::Checkbox => Self::Many,
        }
    }
}

/// True if the matrix has a way from a source to a target.
pub(super) fn allowed(source: SourceKind, target: TargetKind) -> bool {
    use {SourceKind as S, TargetKind as T};
    match source {
        S::Text => true,
        S::Number => matches!(target, T::Text | T::Number | T::One),
        S::Money => matches!(target, T::Text | T::Number),
        S::Date => matches!(target, T::Text | T::Date | T::Datetime),
        S::One | S::Many => matches!(target, T::Text | T::One | T::Many),
        S::Member => target != T::Many,
        S::Members | S::Files => target == T::Text,
    }
}

/// Everything that one line of a mapping knows about its source and target.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) source: SourceKind,
    pub(super) target: TargetKind,
    /// Options of the source.
    pub(super) options: Vec<PropertyOption>,
    pub(super) allow_custom: bool,
    pub(super) target_options: Vec<FieldOption>,
    pub(super) replace: Replace,
    /// Limits of a text.
    pub(super) limit: text::Limit,
    pub(super) split: Option<String>,
    pub(super) zone: TimeZone,
}

/// The text to send; `None` where the value is empty.
type Sent = Result<Option<String>, Fault>;

impl Plan {
    /// Coerces a raw value.
    pub(super) fn coerce(&self, value: &Value, warnings: &mut Vec<String>) -> Sent {
        match self.source {
            SourceKind::Text | SourceKind::Member => match scalar(value)? {
                Some(text) => self.text(&text, warnings),
                None => Ok(None),
            },
            SourceKind::Members => match scalar(value)? {
                Some(text) => self.assembled(&text, warnings),
                None => Ok(None),
            },
            SourceKind::Number => match number(value)? {
                Some(plain) => self.number(plain, warnings),
                None => Ok(None),
            },
            SourceKind::Money => match amount(value)? {
                Some(plain) => self.number(plain, warnings),
                None => Ok(None),
            },
            SourceKind::Date => self.date(value, warnings),
            SourceKind::One | SourceKind::Many => self.choices(value, warnings),
            SourceKind::Files => self.files(value, warnings),
        }
    }

    /// Coerces a text: the row TEXT of the matrix.
    pub(super) fn text(&self, raw: &str, warnings: &mut Vec<String>) -> Sent {
        let clean = text::clean(raw.trim(), warnings);
        let trimmed = clean.trim();
        if trimmed.is_empty() {
            return Ok(None);
        }
        if self.target == TargetKind::Many {
            let parts = match self.split.as_deref() {
                Some(separator) => trimmed.split(separator).collect(),
                None => vec![trimmed],
            };
            let values = parts
                .into_iter()
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| {
                    let part = self.replace.get(part).unwrap_or(part);
                    options::target_text(part, &self.target_options)
                });
            return options::join(values).map(filled);
        }
        self.finish(self.replace.get(trimmed).unwrap_or(trimmed), warnings)
    }

    /// Coerces a text that was put together from parts, which `map` does not go over again.
    pub(super) fn assembled(&self, raw: &str, warnings: &mut Vec<String>) -> Sent {
        let clean = text::clean(raw, warnings);
        self.finish(clean.trim(), warnings)
    }

    /// A text that `map` has gone over, to its target.
    fn finish(&self, text: &str, warnings: &mut Vec<String>) -> Sent {
        if text.is_empty() {
            return Ok(None);
        }
        match self.target {
            TargetKind::Text => self
                .limit
                .apply(text, warnings)
                .map(|text| filled(text.into_owned())),
            TargetKind::Number => Decimal::plain(text)
                .map(|plain| Some(plain.into_owned()))
                .map_err(|error| Fault::new(format!("{}: {error}", quote(text)))),
            TargetKind::Date => kept(dates::date(text)?, warnings),
            TargetKind::Datetime => kept(dates::datetime(text, &self.zone)?, warnings),
            TargetKind::One => options::target_text(text, &self.target_options)
                .map(|value| filled(value.to_owned())),
            TargetKind::Many => {
                options::join([options::target_text(text, &self.target_options)].into_iter())
                    .map(filled)
            }
        }
    }

    fn number(&self, plain: Cow<'_, str>, warnings: &mut Vec<String>) -> Sent {
        match (self.replace.get(&plain), self.target) {
            (Some(text), _) => self.finish(text, warnings),
            (None, TargetKind::One) => options::target_number(&plain, &self.target_options)
                .map(|value| filled(value.to_owned())),
            (None, TargetKind::Number) => Ok(Some(plain.into_owned())),
            (None, _) => self.finish(&plain, warnings),
        }
    }

    fn date(&self, value: &Value, warnings: &mut Vec<String>) -> Sent {
        let Some(text) = scalar(value)? else {
            return Ok(None);
        };
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Ok(None);
        }
        let (date, dropped) = dates::date(trimmed)?;
        warnings.extend(dropped);
        let date = self.replace.get(&date).unwrap_or(&date);
        self.finish(date, warnings)
    }

    fn choices(&self, value: &Value, warnings: &mut Vec<String>) -> Sent {
        let mut keys: Vec<Cow<'_, str>> = Vec::new();
        match value {
            Value::Array(items) => {
                for item in items {
                    keys.extend(scalar(item)?);
                }
            }
            single => keys.extend(scalar(single)?),
        }
        let chosen = keys
            .iter()
            .map(|key| key.trim())
            .filter(|key| !key.is_empty())
            .map(|key| options::choose(key, &self.options, self.allow_custom, &self.replace))
            .collect::<Result<Vec<Choice<'_>>, Fault>>()?;
        if chosen.len() > 1 && (self.source == SourceKind::One || self.target == TargetKind::One) {
            let side = if self.source == SourceKind::One {
                "record"
            } else {
                "contact"
            };
            return Err(Fault::new(format!(
                "{} holds {} options, and the {side} field is for one",
                quote_raw(value),
                chosen.len()
            )));
        }
        match self.target {
            TargetKind::One => match chosen.first() {
                Some(choice) => self.chosen(choice).map(|value| filled(value.to_owned())),
                None => Ok(None),
            },
            TargetKind::Many => options::join(
                chosen
                    .iter()
                    .filter(|choice| !choice.text().is_empty())
                    .map(|choice| self.chosen(choice)),
            )
            .map(filled),
            _ => {
                let labels: Vec<&str> = chosen
                    .iter()
                    .map(Choice::text)
                    .filter(|label| !label.is_empty())
                    .collect();
                self.assembled(&labels.join(", "), warnings)
            }
        }
    }

    fn chosen(&self, choice: &Choice<'_>) -> Result<&str, Fault> {
        if choice.text().is_empty() {
            return Ok("");
        }
        options::target(choice, &self.target_options)
    }

    fn files(&self, value: &Value, warnings: &mut Vec<String>) -> Sent {
        let mut urls: Vec<&str> = Vec::new();
        let items = match value {
            Value::Array(items) => items.as_slice(),
            single => std::slice::from_ref(single),
        };
        for item in items {
            match item {
                Value::Null => {}
                Value::String(url) => urls.push(url.trim()),
                Value::Object(file) => match file.get("url").and_then(Value::as_str) {
                    Some(url) => urls.push(url.trim()),
                    None => return Err(Fault::new(format!("{} has no url", quote_raw(item)))),
                },
                other => return Err(Fault::new(format!("{} is no file", quote_raw(other)))),
            }
        }
        urls.retain(|url| !url.is_empty());
        self.assembled(&urls.join(" "), warnings)
    }

    /// A TEXTBOX_LIST as one text: `label: value` joined by `; `, in the order of the options.
    pub(super) fn members(&self, key: &str, properties: &Properties) -> Result<String, Fault> {
        let nested = properties.get(key).and_then(Value::as_object);
        let mut out = String::new();
        let mut push = |label: &str, value: &Value| -> Result<(), Fault> {
            let Some(text) = scalar(value)? else {
                return Ok(());
            };
            let text = text.trim();
            if !text.is_empty() {
                if !out.is_empty() {
                    out.push_str("; ");
                }
                out.push_str(label);
                out.push_str(": ");
                out.push_str(text);
            }
            Ok(())
        };
        for option in &self.options {
            let value = properties
                .get(&format!("{key}.{}", option.key))
                .or_else(|| nested?.get(&option.key));
            if let Some(value) = value {
                push(
                    self.replace.map.get(&option.key).unwrap_or(&option.label),
                    value,
                )?;
            }
        }
        // Members that the schema does not know: only map or default can name them.
        let flat = properties
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(key)?.strip_prefix('.')?, value)));
        let inner = nested
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.as_str(), value));
        for (member, value) in flat.chain(inner) {
            if self.options.iter().any(|option| option.key == member) {
                continue;
            }
            match options::choose(member, &[], false, &self.replace)? {
                Choice::Replaced(label) => push(label, value)?,
                Choice::Listed { .. } | Choice::Custom(_) => {}
            }
        }
        Ok(out)
    }
}

/// An empty text is no value.
fn filled(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn kept((text, dropped): (String, Option<String>), warnings: &mut Vec<String>) -> Sent {
    warnings.extend(dropped);
    Ok(Some(text))
}

/// A value that is one text: text itself, a number with its digits, true or false. `None` for null.
pub(super) fn scalar(value: &Value) -> Result<Option<Cow<'_, str>>, Fault> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(Cow::Borrowed(text))),
        Value::Number(number) => plain(number.as_str(), value).map(Some),
        Value::Bool(flag) => Ok(Some(Cow::Borrowed(if *flag { "true" } else { "false" }))),
        Value::Array(items) if items.is_empty() => Ok(None),
        Value::Array(_) | Value::Object(_) => Err(Fault::new(format!(
            "{} is not a single value",
            quote_raw(value)
        ))),
    }
}

/// A number, or a text that spells one. `None` for null and blank text.
fn number(value: &Value) -> Result<Option<Cow<'_, str>>, Fault> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.trim().is_empty() => Ok(None),
        Value::String(text) => plain(text, value).map(Some),
        Value::Number(number) => plain(number.as_str(), value).map(Some),
        other => Err(Fault::new(format!("{} is no number", quote_raw(other)))),
    }
}

/// The `value` of an amount of money, or a bare number.
fn amount(value: &Value) -> Result<Option<Cow<'_, str>>, Fault> {
    match value {
        Value::Object(money) if money.is_empty() => Ok(None),
        Value::Object(money) => match money.get("value") {
            Some(value) => number(value),
            None => Err(Fault::new(format!("{} has no value", quote_raw(value)))),
        },
        bare => number(bare),
    }
}

fn plain<'a>(literal: &'a str, value: &Value) -> Result<Cow<'a, str>, Fault> {
    Decimal::plain(literal).map_err(|error| Fault::new(format!("{}: {error}", quote_raw(value))))
}
