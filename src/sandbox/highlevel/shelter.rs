//! The schemas of the sample location: every data type, and one that no published list names.

use super::schema::{Field, Object};
use crate::sandbox::chance;

type Options = &'static [(&'static str, &'static str)];

const PET_FIELDS: [(&str, &str, &str, Options); 21] = [
    ("name", "Name", "TEXT", &[]),
    ("chip", "Chip number", "TEXT", &[]),
    ("description", "Description", "LARGE_TEXT", &[]),
    (
        "notes",
        "Notes",
        "TEXTBOX_LIST",
        &[("kitchen", "Kitchen"), ("garden", "Garden")],
    ),
    ("weight", "Weight (kg)", "NUMERICAL", &[]),
    ("owner_phone", "Owner phone", "PHONE", &[]),
    ("price", "Adoption fee", "MONETORY", &[]),
    (
        "vaccinations",
        "Vaccinations",
        "CHECKBOX",
        &[
            ("rabies", "Rabies"),
            ("parvo", "Parvo"),
            ("distemper", "Distemper"),
        ],
    ),
    (
        "status",
        "Status",
        "SINGLE_OPTIONS",
        &[
            ("available", "Available"),
            ("adopted", "Adopted"),
            ("pending", "Pending"),
        ],
    ),
    (
        "temperament",
        "Temperament",
        "MULTIPLE_OPTIONS",
        &[
            ("calm", "Calm"),
            ("shy", "Shy"),
            ("playful", "Playful"),
            ("curious", "Curious"),
            ("lazy", "Lazy"),
        ],
    ),
    ("born", "Born", "DATE", &[]),
    ("photos", "Photos", "FILE_UPLOAD", &[]),
    (
        "size",
        "Size",
        "RADIO",
        &[("small", "Small"), ("medium", "Medium"), ("large", "Large")],
    ),
    ("owner_email", "Owner e-mail", "EMAIL", &[]),
    ("owner_first_name", "Owner first name", "TEXT", &[]),
    ("owner_last_name", "Owner last name", "TEXT", &[]),
    ("breed", "Breed", "TEXT", &[]),
    (
        "species",
        "Species",
        "SINGLE_OPTIONS",
        &[
            ("dog", "Dog"),
            ("cat", "Cat"),
            ("rabbit", "Rabbit"),
            ("parrot", "Parrot"),
        ],
    ),
    ("vet_visit", "Last vet visit", "DATE", &[]),
    ("kennel", "Kennel", "NUMERICAL", &[]),
    // A data type that no published list names: a client must accept it.
    ("mood", "Mood", "SIGNATURE", &[]),
];

const VISIT_FIELDS: [(&str, &str, &str, Options); 6] = [
    ("title", "Title", "TEXT", &[]),
    ("visited_on", "Visited on", "DATE", &[]),
    (
        "reason",
        "Reason",
        "SINGLE_OPTIONS",
        &[
            ("checkup", "Check-up"),
            ("vaccination", "Vaccination"),
            ("emergency", "Emergency"),
        ],
    ),
    ("cost", "Cost", "MONETORY", &[]),
    ("clinic", "Clinic", "TEXT", &[]),
    ("remarks", "Remarks", "LARGE_TEXT", &[]),
];

const POLICY_FIELDS: [(&str, &str, &str, Options); 6] = [
    ("number", "Policy number", "TEXT", &[]),
    ("holder_email", "Holder e-mail", "EMAIL", &[]),
    ("premium", "Premium", "MONETORY", &[]),
    ("valid_until", "Valid until", "DATE", &[]),
    (
        "plan",
        "Plan",
        "RADIO",
        &[("basic", "Basic"), ("plus", "Plus")],
    ),
    ("claims", "Claims", "NUMERICAL", &[]),
];

fn object(
    key: &'static str,
    [singular, plural, description]: [&'static str; 3],
    searchable: &'static [&'static str],
    fields: &[(&'static str, &'static str, &'static str, Options)],
) -> Object {
    let fields = fields
        .iter()
        .enumerate()
        .map(|(at, &(name, label, data_type, options))| Field {
            id: chance::hex_id(&mut chance::at(0, key, at + 10)),
            key: name,
            name: label,
            data_type,
            options,
            allow_custom_option: name == "size",
        });
    Object {
        id: chance::hex_id(&mut chance::at(0, key, 1)),
        key,
        singular,
        plural,
        description,
        primary: searchable.first().copied().unwrap_or("name"),
        searchable,
        standard: !key.starts_with("custom_objects."),
        fields: fields.collect(),
    }
}

pub(super) fn objects() -> Vec<Object> {
    vec![
        object(
            "contact",
            ["Contact", "Contacts", ""],
            &["name", "email"],
            &[],
        ),
        object(
            "opportunity",
            ["Opportunity", "Opportunities", ""],
            &["name"],
            &[],
        ),
        object(
            "business",
            ["Company", "Companies", ""],
            &["name"],
            &[("name", "Name", "TEXT", &[])],
        ),
        object(
            "custom_objects.pets",
            ["Pet", "Pets", "Animals of the shelter, with their owners"],
            &["name", "chip", "owner_email", "owner_last_name"],
            &PET_FIELDS,
        ),
        object(
            "custom_objects.visits",
            ["Visit", "Visits", "Visits to the vet"],
            &["title", "clinic"],
            &VISIT_FIELDS,
        ),
        object(
            "custom_objects.policies",
            ["Policy", "Policies", "Pet insurance"],
            &["number", "holder_email"],
            &POLICY_FIELDS,
        ),
    ]
}
