//! From names in config.toml to what they stand for in both accounts.

use super::fault::Fault;
use crate::model::{
    Association, AssociationId, Builtin, ContactField, DataType, ObjectSchema, Property,
    PropertyOption, TargetField, nearest,
};

/// A contact field that a name stands for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target<'a> {
    Builtin(Builtin),
    Custom(&'a ContactField),
}

impl Target<'_> {
    pub(super) fn field(&self) -> TargetField {
        match self {
            Self::Builtin(builtin) => TargetField::Builtin(*builtin),
            Self::Custom(field) => TargetField::Custom(field.id.clone()),
        }
    }
}

fn did_you_mean(fault: Fault, guess: Option<String>, otherwise: &str) -> Fault {
    match guess {
        Some(guess) => fault.remedy(format!("did you mean {guess}?")),
        None => fault.remedy(otherwise),
    }
}

/// The contact field of a name: a personalisation tag in percent signs or a built-in field.
pub(super) fn target<'a>(name: &str, fields: &'a [ContactField]) -> Result<Target<'a>, Fault> {
    if let Some(builtin) = Builtin::from_name(name) {
        return Ok(Target::Builtin(builtin));
    }
    let bare = name.trim_matches('%');
    if bare.eq_ignore_ascii_case("email") {
        return Err(Fault::new("the e-mail address is no field of the mapping")
            .remedy("name its source in the mapping's email key"));
    }
    let builtin_tag = match bare.to_ascii_uppercase().as_str() {
        "FIRSTNAME" | "FIRST_NAME" => Some("first_name"),
        "LASTNAME" | "LAST_NAME" => Some("last_name"),
        "PHONE" => Some("phone"),
        _ => None,
    };
    let tag = name
        .strip_prefix('%')
        .and_then(|rest| rest.strip_suffix('%'));
    if let Some(tag) = tag {
        let mut found = fields
            .iter()
            .filter(|field| field.tag.eq_ignore_ascii_case(tag));
        if let Some(first) = found.next() {
            let Some(second) = found.next() else {
                return Ok(Target::Custom(first));
            };
            return Err(Fault::new(format!(
                "two contact fields have the personalisation tag {name}: \"{}\" (id {}) and \"{}\" (id {})",
                first.title, first.id, second.title, second.id
            ))
            .remedy("give one of them another tag in ActiveCampaign"));
        }
    }
    let titled: Vec<&ContactField> = fields
        .iter()
        .filter(|field| field.title.eq_ignore_ascii_case(bare))
        .collect();
    if titled.len() > 1 {
        let tags: Vec<String> = titled
            .iter()
            .map(|field| format!("%{}%", field.tag))
            .collect();
        return Err(Fault::new(format!(
            "{} contact fields are called \"{bare}\"",
            titled.len()
        ))
        .remedy(format!("name one of them by its tag: {}", tags.join(", "))));
    }
    let guess = builtin_tag
        .map(str::to_owned)
        .or_else(|| titled.first().map(|field| format!("%{}%", field.tag)))
        .or_else(|| {
            let exact = fields
                .iter()
                .find(|field| field.tag.eq_ignore_ascii_case(bare));
            exact.map(|field| format!("%{}%", field.tag))
        })
        .or_else(|| {
            let builtins = Builtin::ALL.iter().map(|field| field.name());
            let near = nearest(name, builtins).filter(|_| tag.is_none());
            near.map(str::to_owned)
        })
        .or_else(|| {
            let tags = fields.iter().map(|field| field.tag.as_str());
            nearest(bare, tags).map(|tag| format!("%{tag}%"))
        });
    Err(did_you_mean(
        Fault::new("there is no such contact field"),
        guess,
        "name a contact field by its personalisation tag, as %TAG%, or make it with `tramline fields create`",
    ))
}

/// A record field, or one member of a text box list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) property: &'a Property,
    pub(super) member: Option<&'a PropertyOption>,
}

/// The record field of a name: a short key, a full key, or `list.member`.
pub(super) fn source<'a>(name: &str, schema: &'a ObjectSchema) -> Result<Source<'a>, Fault> {
    let short = name
        .strip_prefix(schema.key.as_str())
        .and_then(|rest| rest.strip_prefix('.'))
        .unwrap_or(name);
    if let Some(property) = schema.property(short) {
        return Ok(Source {
            property,
            member: None,
        });
    }
    let list = short.split_once('.').and_then(|(head, member)| {
        let property = schema.property(head)?;
        (property.data_type == DataType::TextboxList).then_some((property, member))
    });
    if let Some((property, member)) = list {
        if let Some(option) = property.options.iter().find(|option| option.key == member) {
            return Ok(Source {
                property,
                member: Some(option),
            });
        }
        let guess = nearest(
            member,
            property.options.iter().map(|option| option.key.as_str()),
        )
        .map(|option| format!("{}.{option}", property.key));
        return Err(did_you_mean(
            Fault::new(format!("{} has no member \"{member}\"", property.key)),
            guess,
            "`tramline schemas show` lists the members",
        ));
    }
    Err(did_you_mean(
        Fault::new(format!("{} has no field \"{name}\"", schema.key)),
        near_property(short, schema).map(str::to_owned),
        "`tramline schemas show` lists the fields",
    ))
}

/// The property whose key or label is nearest to a name.
pub(super) fn near_property<'a>(name: &str, schema: &'a ObjectSchema) -> Option<&'a str> {
    schema
        .properties
        .iter()
        .find(|property| property.name.eq_ignore_ascii_case(name))
        .map(|property| property.key.as_str())
        .or_else(|| {
            nearest(
                name,
                schema
                    .properties
                    .iter()
                    .map(|property| property.key.as_str()),
            )
        })
}

/// The association of a key (or id) that leads from the object to HighLevel contacts.
pub(super) fn association(
    key: &str,
    schema: &ObjectSchema,
    associations: &[Association],
) -> Result<AssociationId, Fault> {
    let mut named = associations
        .iter()
        .filter(|association| association.key == key || association.id.as_str() == key)
        .peekable();
    if named.peek().is_none() {
        let usable: Vec<&str> = associations
            .iter()
            .filter(|association| association.leads_to_contact(&schema.key))
            .map(|association| association.key.as_str())
            .collect();
        let remedy = match nearest(key, usable.iter().copied()) {
            Some(guess) => format!("did you mean {guess}?"),
            None if usable.is_empty() => {
                format!("no association links {} with contacts", schema.key)
            }
            None => format!("there are: {}", usable.join(", ")),
        };
        return Err(Fault::new(format!("there is no association \"{key}\"")).remedy(remedy));
    }
    let leading: Vec<&Association> = named
        .filter(|association| association.leads_to_contact(&schema.key))
        .collect();
    match leading.as_slice() {
        [one] => Ok(one.id.clone()),
        [] => Err(Fault::new(format!(
            "the association \"{key}\" does not link {} with contacts",
            schema.key
        ))
        .remedy("name one whose other side is the contact")),
        _ => Err(
            Fault::new(format!("several associations have the key \"{key}\""))
                .remedy("name one by its id"),
        ),
    }
}
