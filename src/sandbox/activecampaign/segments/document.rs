//! The document that makes a segment: conditions, groups of them, and how the groups are joined. What the OpenAPI file allows
//! is taken; of that, what it gives an example of is understood: a tag's id that is equal to a value, or is not.

use super::Contact;
use crate::sandbox::wire::Call;
use serde_json::Value;

const DATA_TYPES: [&str; 7] = [
    "string", "number", "decimal", "date", "datetime", "list", "",
];

#[derive(Clone)]
pub(super) struct Document {
    operator: Operator,
    groups: Vec<(Operator, Vec<Condition>)>,
}

#[derive(Clone, Copy)]
enum Operator {
    And,
    Or,
}

impl Operator {
    fn read(value: &Value, what: &str) -> Result<Self, String> {
        match value.as_str() {
            Some("and") => Ok(Self::And),
            Some("or") => Ok(Self::Or),
            _ => Err(format!("{what} must be one of [and, or].")),
        }
    }

    fn join(self, mut parts: impl Iterator<Item = bool>) -> bool {
        match self {
            Self::And => parts.all(|holds| holds),
            Self::Or => parts.any(|holds| holds),
        }
    }
}

/// The tags that a contact has to have, or must not have.
#[derive(Clone)]
struct Condition {
    tags: Vec<(u64, bool)>,
}

impl Condition {
    fn matches(&self, contact: &Contact) -> bool {
        self.tags
            .iter()
            .all(|(id, wanted)| contact.tags.iter().any(|held| held.tag == *id) == *wanted)
    }
}

/// `data[0].attributes` of a body.
pub(super) fn attributes(call: &Call) -> Result<Value, String> {
    let mut body = call
        .json()
        .map_err(|_| "The body is not JSON.".to_owned())?;
    match body["data"].as_array_mut().map(Vec::as_mut_slice) {
        Some([one]) if one["attributes"].is_object() => Ok(one["attributes"].take()),
        Some(_) => Err("data must hold one item with attributes.".to_owned()),
        None => Err("data is a required field and a list.".to_owned()),
    }
}

impl Document {
    pub(super) fn read(attributes: &Value) -> Result<Self, String> {
        let list = |name: &str| {
            attributes[name]
                .as_array()
                .ok_or_else(|| format!("{name} is a required field."))
        };
        let mut conditions: Vec<(String, Condition)> = Vec::new();
        for condition in list("segment_conditions")? {
            let id = numeric_id(&condition["id"])?;
            if conditions.iter().any(|(known, _)| *known == id) {
                return Err(format!("The condition id {id} is not unique."));
            }
            conditions.push((id, condition_of(condition)?));
        }
        let operator = Operator::read(
            &attributes["segment_condition_group_operator"],
            "segment_condition_group_operator",
        )?;
        let mut groups = Vec::new();
        for group in list("segment_condition_groups")? {
            numeric_id(&group["id"])?;
            let operator = Operator::read(&group["operator"], "operator")?;
            let mut members = Vec::new();
            for value in group["values"].as_array().into_iter().flatten() {
                if value["type"] != "condition" {
                    return Err("type is a required field of a group's value.".to_owned());
                }
                let id = numeric_id(&value["id"])?;
                let place = conditions
                    .iter()
                    .position(|(known, _)| *known == id)
                    .ok_or_else(|| {
                        format!("The condition {id} does not exist, or is in more than one group.")
                    })?;
                members.push(conditions.remove(place).1);
            }
            if members.is_empty() {
                return Err("values is a required field of a group.".to_owned());
            }
            groups.push((operator, members));
        }
        if !conditions.is_empty() {
            let left: Vec<&str> = conditions.iter().map(|(id, _)| id.as_str()).collect();
            return Err(format!(
                "These conditions must be included in a condition group for the segment to be valid: [{}]",
                left.join(", ")
            ));
        }
        if groups.is_empty() {
            return Err("segment_condition_groups must not be empty.".to_owned());
        }
        Ok(Self { operator, groups })
    }

    pub(super) fn matches(&self, contact: &Contact) -> bool {
        self.operator
            .join(self.groups.iter().map(|(operator, conditions)| {
                operator.join(
                    conditions
                        .iter()
                        .map(|condition| condition.matches(contact)),
                )
            }))
    }
}

fn numeric_id(id: &Value) -> Result<String, String> {
    id.as_str()
        .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        .map(str::to_owned)
        .ok_or_else(|| "An id must be a numeric string.".to_owned())
}

fn condition_of(condition: &Value) -> Result<Condition, String> {
    if condition["source_system"] != "activecampaign" {
        return Err("SourceSystem is a required field.".to_owned());
    }
    if condition["object_type"] != "tag" {
        return Err("ObjectType must be one of [tag].".to_owned());
    }
    let fields = condition["fields"]
        .as_array()
        .filter(|fields| !fields.is_empty())
        .ok_or("Fields is a required field.")?;
    let mut tags = Vec::new();
    for field in fields {
        for key in ["data_type", "name", "operator", "value"] {
            if !field[key].is_string() {
                return Err(format!("{key} is a required field and a string."));
            }
        }
        let text = |key: &str| field[key].as_str().unwrap_or_default();
        if !DATA_TYPES.contains(&text("data_type")) {
            return Err(format!("{} is no data_type.", text("data_type")));
        }
        let wanted = match (text("name"), text("operator")) {
            ("tagid", "=" | "is") => true,
            ("tagid", "!=" | "is not") => false,
            (name, operator) => {
                return Err(format!("The condition {name} {operator} is not supported."));
            }
        };
        let id = text("value").parse();
        tags.push((id.map_err(|_| "A tagid is a number.".to_owned())?, wanted));
    }
    Ok(Condition { tags })
}
