//! Pets and their owners: what the tests of this room map.

use crate::mapping::compile::{Compiled, Mapping};
use crate::mapping::spec::MappingSpec;
use crate::model::{
    Association, ContactField, DataType, FieldKind, FieldOption, Level, MappingName, ObjectSchema,
    Property, PropertyOption, Record,
};
use serde_json::Value;

pub(super) fn property(key: &str, data_type: DataType, options: &[(&str, &str)]) -> Property {
    Property {
        id: format!("id_{key}"),
        key: key.into(),
        name: key.replace('_', " "),
        allow_custom_option: key == "breed",
        data_type,
        options: options
            .iter()
            .map(|(key, label)| PropertyOption {
                key: (*key).into(),
                label: (*label).into(),
            })
            .collect(),
        required: None,
        unique: None,
    }
}

pub(super) fn schema() -> ObjectSchema {
    use DataType::*;
    ObjectSchema {
        id: "o1".into(),
        key: "custom_objects.pets".into(),
        singular: "Pet".into(),
        plural: "Pets".into(),
        description: None,
        standard: false,
        primary_property: "name".into(),
        searchable: vec![],
        updated_at: None,
        properties: vec![
            property("name", Text, &[]),
            property("story", LargeText, &[]),
            property("owner_email", Email, &[]),
            property("owner_first_name", Text, &[]),
            property("phone", Phone, &[]),
            property("weight", Numerical, &[]),
            property("price", Monetory, &[]),
            property("born", Date, &[]),
            property(
                "status",
                SingleOptions,
                &[("new", "New"), ("adopted", "Adopted")],
            ),
            property("breed", Radio, &[("mix", "Mixed")]),
            property(
                "temperament",
                MultipleOptions,
                &[("calm", "Calm"), ("wild", "Wild")],
            ),
            property(
                "shots",
                Checkbox,
                &[("rabies", "Rabies"), ("calm", "Soothing")],
            ),
            property(
                "notes",
                TextboxList,
                &[("kitchen", "Kitchen"), ("yard", "Yard")],
            ),
            property("photos", FileUpload, &[]),
            property("chip", Unknown("CHIP".into()), &[]),
        ],
    }
}

pub(super) fn field(tag: &str, kind: FieldKind, options: &[(&str, &str)]) -> ContactField {
    ContactField {
        id: format!("f_{}", tag.to_lowercase()).into(),
        tag: tag.into(),
        title: tag.replace('_', " ").to_lowercase(),
        kind,
        options: options
            .iter()
            .map(|(value, label)| FieldOption {
                value: (*value).into(),
                label: (*label).into(),
            })
            .collect(),
        listed: true,
    }
}

pub(super) fn fields() -> Vec<ContactField> {
    use FieldKind::*;
    let moods = [("Calm", "Calm"), ("Wild", "Wild"), ("Unknown", "Unknown")];
    vec![
        field("PET_NAME", Text, &[]),
        field("STORY", Textarea, &[]),
        field("WEIGHT_KG", Number, &[]),
        field("BORN", Date, &[]),
        field("BORN_AT", Datetime, &[]),
        field(
            "PET_STATUS",
            Dropdown,
            &[("1", "New"), ("adopted", "Has a home"), ("12.50", "Twelve")],
        ),
        field("MOODS", Listbox, &moods),
        field("MOOD_BOXES", Checkbox, &moods),
        field("SECRET", Hidden, &[]),
    ]
}

pub(super) fn associations() -> Vec<Association> {
    vec![Association {
        id: "a1".into(),
        key: "pet_owner".into(),
        first_object: "contact".into(),
        first_label: "Owner".into(),
        second_object: "custom_objects.pets".into(),
        second_label: "Pet".into(),
    }]
}

pub(super) fn spec(toml: &str) -> MappingSpec {
    toml::from_str(toml).unwrap()
}

pub(super) fn compile(toml: &str) -> Compiled {
    Mapping::compile(
        &MappingName::from("pets"),
        &spec(toml),
        &schema(),
        &fields(),
        &associations(),
    )
}

/// A mapping of `fields` lines that compiles without an error.
pub(super) fn mapping(lines: &str) -> Mapping {
    let compiled = compile(&format!(
        "object = 'pets'\nemail = 'owner_email'\ntime_zone = 'Europe/Berlin'\n[fields]\n{lines}"
    ));
    match compiled.mapping {
        Some(mapping) => mapping,
        None => panic!("{:#?}", compiled.findings),
    }
}

/// The messages of the findings of a level, each as `item: message`.
pub(super) fn findings(compiled: &Compiled, level: Level) -> Vec<String> {
    compiled
        .findings
        .iter()
        .filter(|finding| finding.level == level)
        .map(|finding| {
            let remedy = finding.remedy.as_deref().unwrap_or("-");
            format!("{}: {} ({remedy})", finding.item, finding.message)
        })
        .collect()
}

/// A record of properties given as JSON text, so that numbers keep their spelling.
pub(super) fn record(properties: &str) -> Record {
    let Value::Object(properties) = serde_json::from_str(properties).unwrap() else {
        panic!("properties are an object");
    };
    Record {
        id: "r1".into(),
        object: "custom_objects.pets".into(),
        properties,
        owners: vec!["u1".into()],
        followers: vec![],
        created_at: Some("2024-01-31T10:00:00Z".parse().unwrap()),
        updated_at: Some("2024-02-01T10:00:00Z".parse().unwrap()),
        relations: None,
        search_after: None,
    }
}
