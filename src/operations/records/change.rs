//! A person's change of a record, held against what somebody else did to it since the person saw it.
//!
//! HighLevel has no condition for a write (fact sheet §2.5): the record is read again right before it. What changes in the moment
//! between that read and the write is not seen.

use crate::model::decimal::Decimal;
use crate::model::{ConnectionName, ObjectKey, Properties, Record, RecordId};
use crate::operations::{Done, Operations};
use serde_json::Value;

/// Values for some properties of a record; the others stay.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordChange {
    pub object: ObjectKey,
    pub record: RecordId,
    /// What is written; `null` empties.
    pub properties: Properties,
    /// What the person saw of the record before.
    pub seen: Properties,
}

/// What became of a change.
#[derive(Clone, Debug)]
pub enum Changed {
    Saved(Record),
    /// Nothing was written: HighLevel has other values than the person saw, those of the record.
    Overtaken(Box<RecordChange>, Record),
}

impl RecordChange {
    /// The properties that have another value by now than the person saw, and than the person wants.
    pub fn overtaken<'a>(&'a self, live: &'a Record) -> impl Iterator<Item = &'a str> {
        let keys = self.properties.iter().filter(move |(key, wanted)| {
            let now = live.properties.get(*key);
            !is_same(now, self.seen.get(*key)) && !is_same(now, Some(wanted))
        });
        keys.map(|(key, _)| key.as_str())
    }

    /// The same change by a person who has seen the record as it is now.
    pub fn over(self, live: &Record) -> Self {
        Self {
            seen: live.properties.clone(),
            ..self
        }
    }
}

impl Operations {
    /// Changes a record, unless one of the changed properties was changed by somebody else since it was seen.
    ///
    /// # Errors
    /// As [`Operations::update_record`]; and if the record cannot be read.
    pub async fn change_record(
        &self,
        connection: &ConnectionName,
        change: RecordChange,
    ) -> Done<Changed> {
        self.writable()?;
        let live = self
            .record(connection, &change.object, &change.record)
            .await?;
        if change.overtaken(&live).next().is_some() {
            return Ok(Changed::Overtaken(Box::new(change), live));
        }
        let (object, record) = (&change.object, &change.record);
        let saved = self.update_record(connection, object, record, &change.properties);
        Ok(Changed::Saved(saved.await?))
    }
}

/// True for two spellings of one value: a list and a record may be answered in neighbouring shapes (a number or a yes as text, one
/// option without its list, options in another order), and nothing is absent, null or empty.
fn is_same(one: Option<&Value>, other: Option<&Value>) -> bool {
    let (one, other) = (one.unwrap_or(&Value::Null), other.unwrap_or(&Value::Null));
    match (one, other) {
        _ if one == other => true,
        _ if is_nothing(one) || is_nothing(other) => is_nothing(one) && is_nothing(other),
        (Value::Array(one), Value::Array(other)) => holds(one, other) && holds(other, one),
        (Value::Array(items), single) | (single, Value::Array(items)) => {
            matches!(items.as_slice(), [item] if is_same(Some(item), Some(single)))
        }
        (Value::Object(one), Value::Object(other)) => {
            let mut keys = one.keys().chain(other.keys());
            keys.all(|key| is_same(one.get(key), other.get(key)))
        }
        // An amount without its currency.
        (Value::Object(money), amount) | (amount, Value::Object(money)) => {
            is_same(money.get("value"), Some(amount))
        }
        // Two texts differ if their letters do: 007 is not 7.
        (Value::Number(_), _) | (_, Value::Number(_)) => {
            matches!((number(one), number(other)), (Some(one), Some(other)) if one == other)
        }
        (Value::Bool(yes), Value::String(text)) | (Value::String(text), Value::Bool(yes)) => {
            *text == yes.to_string()
        }
        _ => false,
    }
}

/// True if a list has all that another one has, in whatever order.
fn holds(one: &[Value], other: &[Value]) -> bool {
    let has = |wanted: &Value| one.iter().any(|item| is_same(Some(item), Some(wanted)));
    other.iter().all(has)
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => Decimal::parse(&number.to_string()).ok(),
        Value::String(text) => Decimal::parse(text).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn two_spellings_of_a_value_are_no_change() {
        let same = |one: Value, other: Value| is_same(Some(&one), Some(&other));
        assert!(same(json!("12.40"), json!(12.4)));
        assert!(same(json!(null), json!("")) && same(json!([]), json!(null)));
        assert!(same(json!("calm"), json!(["calm"])));
        assert!(same(json!(["calm", "shy"]), json!(["shy", "calm"])));
        assert!(same(json!(true), json!("true")) && same(json!("false"), json!(false)));
        assert!(same(
            json!({"currency": "EUR", "value": "5"}),
            json!({"currency": "EUR", "value": 5})
        ));
        assert!(same(json!({"currency": "default", "value": 5}), json!(5)));
        for (one, other) in [
            (json!("007"), json!("7")),
            (json!("calm"), json!(["calm", "shy"])),
            (json!(["calm", "shy"]), json!(["calm", "bold"])),
            (json!(true), json!("false")),
            (json!(false), json!("")),
            (
                json!({"currency": "EUR", "value": 5}),
                json!({"currency": "USD", "value": 5}),
            ),
            (json!(0), json!("")),
            (json!(12.4), json!(12.5)),
        ] {
            assert!(!same(one.clone(), other.clone()), "{one} {other}");
        }
    }
}
