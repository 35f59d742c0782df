//! Filters of a record search: tests and groups of tests (fact sheet §2.7).

use super::location::{Location, Record};
use super::schema::Object;
use crate::sandbox::instant;
use crate::sandbox::wire::id_text;
use serde_json::{Map, Value};
use std::cell::OnceCell;

/// A record whose properties are parsed only if a filter looks at them.
pub(super) struct Lazy<'a> {
    location: &'a Location,
    record: &'a Record,
    properties: OnceCell<Map<String, Value>>,
}

impl<'a> Lazy<'a> {
    pub(super) fn new(location: &'a Location, record: &'a Record) -> Self {
        Self {
            location,
            record,
            properties: OnceCell::new(),
        }
    }

    pub(super) fn properties(&self) -> &Map<String, Value> {
        self.properties.get_or_init(|| self.record.parsed())
    }
}

pub(super) enum Field {
    Id,
    Created,
    Updated,
    Property(String),
}

pub(super) enum Test {
    Eq(Vec<String>),
    NotEq(Vec<String>),
    Contains(String),
    NotContains(String),
    Exists,
    NotExists,
    Range(Vec<(Bound, Value)>),
}

#[derive(Clone, Copy)]
pub(super) enum Bound {
    Gte,
    Lte,
    Gt,
    Lt,
}

pub(super) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Test(Field, Test),
    /// Linked with one of these records.
    Related(Vec<String>),
}

fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(all) => all.iter().map(id_text).collect(),
        Value::Bool(flag) => Some(vec![flag.to_string()]),
        one => id_text(one).map(|text| vec![text]),
    }
}

impl Filter {
    pub(super) fn parse(filter: &Value, object: &Object) -> Result<Self, String> {
        let keys = filter.as_object().ok_or("filters must hold objects")?;
        if let Some(unknown) = keys
            .keys()
            .find(|key| !["field", "operator", "value", "group", "filters"].contains(&key.as_str()))
        {
            return Err(format!("property filters.{unknown} should not exist"));
        }
        if let Some(group) = keys.get("group") {
            let members = filter["filters"]
                .as_array()
                .ok_or("filters of a group must be an array")?;
            let members = members
                .iter()
                .map(|member| Self::parse(member, object))
                .collect::<Result<_, _>>()?;
            return match group.as_str() {
                Some("AND") => Ok(Self::All(members)),
                Some("OR") => Ok(Self::Any(members)),
                _ => Err("group must be AND or OR".to_owned()),
            };
        }
        let name = filter["field"]
            .as_str()
            .ok_or("filters.field must be a string")?;
        let operator = filter["operator"]
            .as_str()
            .ok_or("filters.operator must be a string")?;
        if name == "relations" {
            return related(operator, &filter["value"]);
        }
        let field = match name {
            "id" => Field::Id,
            "createdAt" => Field::Created,
            "updatedAt" => Field::Updated,
            name => match name.strip_prefix("properties.") {
                Some(key) if object.field(key).is_some() => Field::Property(key.to_owned()),
                _ => return Err(format!("filters.field {name} is not searchable")),
            },
        };
        Test::parse(operator, &filter["value"]).map(|test| Self::Test(field, test))
    }

    pub(super) fn accepts(&self, lazy: &Lazy) -> bool {
        match self {
            Self::All(members) => members.iter().all(|member| member.accepts(lazy)),
            Self::Any(members) => members.iter().any(|member| member.accepts(lazy)),
            Self::Related(ids) => {
                lazy.location
                    .relations
                    .of(&lazy.record.id)
                    .iter()
                    .any(|relation| {
                        ids.iter()
                            .any(|id| &**relation.other_side(&lazy.record.id).1 == id.as_str())
                    })
            }
            Self::Test(Field::Id, test) => test.accepts(Some(&Value::from(&*lazy.record.id))),
            Self::Test(Field::Created, test) => {
                test.accepts(Some(&Value::from(lazy.record.created)))
            }
            Self::Test(Field::Updated, test) => {
                test.accepts(Some(&Value::from(lazy.record.updated)))
            }
            Self::Test(Field::Property(key), test) => test.accepts(lazy.properties().get(key)),
        }
    }
}

fn related(operator: &str, value: &Value) -> Result<Filter, String> {
    let ids = value
        .as_array()
        .filter(|_| operator == "nested")
        .and_then(|tests| {
            let test = tests
                .iter()
                .find(|test| test["field"] == "recordId" && test["operator"] == "eq")?;
            texts(&test["value"])
        });
    ids.map(Filter::Related)
        .ok_or_else(|| "relations takes only nested recordId eq".to_owned())
}

impl Test {
    fn parse(operator: &str, value: &Value) -> Result<Self, String> {
        let wanted =
            || texts(value).ok_or_else(|| format!("filters.value does not fit {operator}"));
        let text = || {
            value
                .as_str()
                .map(str::to_owned)
                .ok_or_else(|| "filters.value must be a string".to_owned())
        };
        Ok(match operator {
            "eq" => Self::Eq(wanted()?),
            "not_eq" => Self::NotEq(wanted()?),
            "contains" => Self::Contains(text()?),
            "not_contains" => Self::NotContains(text()?),
            "exists" => Self::Exists,
            "not_exists" => Self::NotExists,
            "range" => {
                let bounds = value
                    .as_object()
                    .ok_or("filters.value of range must be an object")?;
                Self::Range(
                    bounds
                        .iter()
                        .map(|(name, value)| match name.as_str() {
                            "gte" => Ok((Bound::Gte, value.clone())),
                            "lte" => Ok((Bound::Lte, value.clone())),
                            "gt" => Ok((Bound::Gt, value.clone())),
                            "lt" => Ok((Bound::Lt, value.clone())),
                            _ => Err(format!("property filters.value.{name} should not exist")),
                        })
                        .collect::<Result<_, _>>()?,
                )
            }
            _ => return Err(format!("filters.operator {operator} is unknown")),
        })
    }

    fn accepts(&self, value: Option<&Value>) -> bool {
        let present = value.filter(|value| !value.is_null());
        match self {
            Self::Exists => present.is_some(),
            Self::NotExists => present.is_none(),
            Self::Eq(wanted) => present.is_some_and(|value| equals(value, wanted)),
            Self::NotEq(wanted) => !present.is_some_and(|value| equals(value, wanted)),
            Self::Contains(part) => present.is_some_and(|value| contains(value, part)),
            Self::NotContains(part) => !present.is_some_and(|value| contains(value, part)),
            Self::Range(bounds) => present.is_some_and(|value| {
                bounds.iter().all(|(bound, limit)| {
                    compare(value, limit).is_some_and(|order| match bound {
                        Bound::Gte => order.is_ge(),
                        Bound::Lte => order.is_le(),
                        Bound::Gt => order.is_gt(),
                        Bound::Lt => order.is_lt(),
                    })
                })
            }),
        }
    }
}

fn equals(value: &Value, wanted: &[String]) -> bool {
    match value {
        Value::Array(all) => all.iter().any(|value| equals(value, wanted)),
        Value::Object(money) => money
            .get("value")
            .is_some_and(|value| equals(value, wanted)),
        value => id_text(value).is_some_and(|text| wanted.contains(&text)),
    }
}

fn contains(value: &Value, part: &str) -> bool {
    match value {
        Value::Array(all) => all.iter().any(|value| contains(value, part)),
        Value::String(text) => text.contains(part),
        _ => false,
    }
}

/// Numbers by size, times given as text against milliseconds, other texts as texts.
fn compare(value: &Value, limit: &Value) -> Option<std::cmp::Ordering> {
    let number = |value: &Value| match value {
        Value::Object(money) => money.get("value").and_then(Value::as_f64),
        value => value.as_f64(),
    };
    match (value, limit) {
        (Value::String(value), Value::String(limit)) => Some(value.as_str().cmp(limit)),
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of our time stay far below 2^53"
        )]
        (value, Value::String(limit)) => {
            number(value)?.partial_cmp(&(instant::parse(limit)? as f64))
        }
        (value, limit) => number(value)?.partial_cmp(&number(limit)?),
    }
}
