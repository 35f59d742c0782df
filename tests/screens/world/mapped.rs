//! Mappings, and what they make of a record.

use super::*;

pub fn mapping(name: &str, object: &str) -> MappingSummary {
    MappingSummary {
        name: MappingName::from(name),
        connection: ConnectionName::from("default"),
        object: ObjectKey::from(object),
        email: "owner_email".into(),
        fields: 5,
        rules: vec!["adopted".into()],
        schedule: Some("*/15 * * * *".into()),
        enabled: name != "shelters",
    }
}

pub(super) fn line(
    source: &str,
    kind: Option<DataType>,
    transform: bool,
    target: &str,
    to: Option<FieldKind>,
) -> MappingLine {
    MappingLine {
        source: source.into(),
        source_type: kind,
        template: source.contains("{{"),
        transform,
        target: target.into(),
        builtin: to.is_none(),
        target_type: to,
        problem: None,
    }
}

pub(super) fn mapping_detail(mood: Mood, name: &MappingName) -> MappingDetail {
    let mut lines = vec![
        line(
            "owner_first_name",
            Some(DataType::Text),
            false,
            "first_name",
            None,
        ),
        line(
            "name",
            Some(DataType::Text),
            false,
            "%PET_NAME%",
            Some(FieldKind::Text),
        ),
        line(
            "{{ weight | round(1) }}",
            None,
            true,
            "%WEIGHT_KG%",
            Some(FieldKind::Text),
        ),
        line(
            "temperament",
            Some(DataType::MultipleOptions),
            false,
            "%TEMPERAMENT%",
            Some(FieldKind::Listbox),
        ),
        line(
            "born",
            Some(DataType::Date),
            false,
            "%BORN%",
            Some(FieldKind::Number),
        ),
    ];
    lines[4].problem = Some((Level::Error, "DATE cannot become a number".into()));
    if mood == Mood::Hostile {
        for line in &mut lines {
            line.source = text(mood, &line.source);
            line.target = text(mood, &line.target);
        }
    }
    if name.as_str() == "visits" {
        lines.push(drafts::lacking());
    }
    MappingDetail {
        summary: mapping(name.as_str(), "custom_objects.pets"),
        lines: if mood == Mood::Empty { vec![] } else { lines },
        findings: vec![
            Finding::ok("mapping pets", "5 fields"),
            Finding::error(
                "mapping pets: %BORN%",
                text(mood, "DATE cannot become a number"),
            )
            .remedy("map it to a date field, or use a template"),
        ],
    }
}

/// The number that a record's id was made of.
pub(super) fn number_of(id: &RecordId) -> u64 {
    u64::from_str_radix(&id.as_str()[10..], 16).unwrap_or(0)
}

pub fn preview(mood: Mood, record: Record) -> Preview {
    let record_id = record.id.clone();
    let field =
        |field: &str, source: &str, raw: &str, send: Option<&str>, contact: Option<&str>| {
            PreviewField {
                field: text(mood, field),
                source: text(mood, source),
                record: Some(text(mood, raw)),
                send: send.map(|s| text(mood, s)),
                contact: contact.map(|s| text(mood, s)),
                changes: send.is_some() && send != contact,
                problem: None,
                warning: None,
            }
        };
    let mut fields = vec![
        field("%PET_NAME%", "name", "\"Rex\"", Some("Rex"), Some("Rex")),
        field(
            "%STATUS%",
            "status",
            "\"adopted\"",
            Some("Adopted"),
            Some("Available"),
        ),
        field(
            "%WEIGHT_KG%",
            "{{ weight | round(1) }}",
            "12.40",
            Some("12.4"),
            None,
        ),
        field(
            "%TEMPERAMENT%",
            "temperament",
            "[\"calm\",\"shy\"]",
            Some("||Calm||Shy||"),
            None,
        ),
        field("%BORN%", "born", "\"2024-13-01\"", None, Some("2024-12-01")),
    ];
    fields[2].warning = Some("arithmetic is double precision".into());
    fields[4].problem = Some(Problem::new(ErrorClass::Invalid, "not a date").field("born"));
    Preview {
        mapping: "pets".into(),
        title: text(mood, "Rex"),
        record,
        email: Email::parse("jo@example.org").ok(),
        contact_id: Some("4711".into()),
        fields,
        rules: vec![
            PreviewRule {
                holds: true,
                name: "adopted".into(),
                fires: true,
                actions: vec![
                    "tag pet-adopted".into(),
                    "automation \"Adoption welcome\"".into(),
                ],
                note: None,
            },
            PreviewRule {
                holds: false,
                name: "heavy".into(),
                fires: false,
                actions: vec![],
                note: Some("never confirmed before".into()),
            },
        ],
        skips: false,
        problem: None,
        last_sent: Some("2026-11-23T13:58:00Z".parse().unwrap()),
        superseded_by: None,
        warning: None,
        edit: None,
        surroundings: Some(Surroundings {
            tags: Part::Read(vec![text(mood, "pet-owner"), "vip".into()]),
            lists: Part::Read(vec![
                Membership {
                    list: "Newsletter".into(),
                    status: "active".into(),
                },
                Membership {
                    list: "Adopters".into(),
                    status: "unsubscribed".into(),
                },
            ]),
            automations: Part::default(),
            scores: match number_of(&record_id) {
                0 => Part::Read(vec![ScoreValue {
                    score: "Engagement".into(),
                    value: "42".into(),
                }]),
                // Not every record's contact is open to the token's user.
                _ => Part::Refused {
                    refused: "403 You do not have permission to view scores.".into(),
                },
            },
        }),
    }
}
