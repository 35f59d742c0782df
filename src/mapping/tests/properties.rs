//! What holds for any value: coercion never panics, never loses a digit, never lets a control character
//! through.

use super::fixture;
use crate::mapping::coerce::{Plan, SourceKind, TargetKind, allowed};
use crate::mapping::options::Replace;
use crate::mapping::spec::MappingSpec;
use crate::mapping::text::Limit;
use crate::model::Decimal;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Number, Value};

const SOURCES: [SourceKind; 9] = [
    SourceKind::Text,
    SourceKind::Number,
    SourceKind::Money,
    SourceKind::Date,
    SourceKind::One,
    SourceKind::Many,
    SourceKind::Members,
    SourceKind::Member,
    SourceKind::Files,
];
const TARGETS: [TargetKind; 6] = [
    TargetKind::Text,
    TargetKind::Number,
    TargetKind::Date,
    TargetKind::Datetime,
    TargetKind::One,
    TargetKind::Many,
];

fn plan(source: SourceKind, target: TargetKind) -> Plan {
    Plan {
        source,
        target,
        options: fixture::property(
            "x",
            crate::model::DataType::Checkbox,
            &[("a", "A"), ("b", "B\u{7}")],
        )
        .options,
        allow_custom: true,
        target_options: fixture::field(
            "X",
            crate::model::FieldKind::Listbox,
            &[("A", "A"), ("1", "b")],
        )
        .options,
        replace: Replace::default(),
        limit: Limit {
            max_length: Some(40),
            truncate: true,
            short: true,
        },
        split: Some(",".into()),
        zone: TimeZone::get("Europe/Berlin").unwrap(),
    }
}

fn number() -> impl Strategy<Value = String> {
    "-?(0|[1-9][0-9]{0,35})(\\.[0-9]{1,35})?([eE][-+]?[0-9]{1,2})?"
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number().prop_map(|text| Value::Number(Number::from_string_unchecked(text))),
        ".{0,60}".prop_map(Value::String),
        "[ab,AB ]{0,6}".prop_map(Value::String),
        "[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[-+][0-9]{2}:[0-9]{2})?)?"
            .prop_map(Value::String),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec(("(value|url|currency|[a-z]{1,3})", inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn coercion_never_panics(value in json()) {
        for source in SOURCES {
            for target in TARGETS {
                let mut warnings = Vec::new();
                let Ok(Some(text)) = plan(source, target).coerce(&value, &mut warnings) else {
                    continue;
                };
                prop_assert!(!text.is_empty());
                prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{:?}", text);
                if target == TargetKind::Number {
                    prop_assert!(Decimal::parse(&text).is_ok());
                }
                if target == TargetKind::Text {
                    prop_assert!(text.chars().count() <= 40);
                }
            }
        }
    }

    #[test]
    fn no_digit_is_lost(literal in number(), spelled in any::<bool>(), money in any::<bool>()) {
        let raw = if spelled {
            Value::String(literal.clone())
        } else {
            Value::Number(Number::from_string_unchecked(literal.clone()))
        };
        let expected = Decimal::parse(&literal).unwrap();
        let (source, value) = match money {
            true => (SourceKind::Money, serde_json::json!({ "currency": "default", "value": raw })),
            false => (SourceKind::Number, raw),
        };
        for target in [TargetKind::Text, TargetKind::Number] {
            let mut plan = plan(source, target);
            plan.limit = Limit::default();
            let sent = plan.coerce(&value, &mut Vec::new()).unwrap().unwrap();
            prop_assert_eq!(Decimal::parse(&sent).unwrap(), expected.clone());
            prop_assert!(!sent.contains(['e', 'E']));
        }
    }

    /// A number that a template only prints comes out whole.
    #[test]
    fn no_digit_is_lost_in_a_template(literal in number()) {
        let mapping = fixture::mapping("'%STORY%' = '{{ weight }}'");
        let record = fixture::record(&format!("{{\"weight\":{literal}}}"));
        let applied = mapping.apply(&record, None);
        let crate::mapping::Send::Set(sent) = &applied.values[0].send else {
            panic!("{applied:?}");
        };
        prop_assert_eq!(sent.as_str(), Decimal::parse(&literal).unwrap().to_string());
    }

    #[test]
    fn any_template_source_is_taken_or_refused(source in ".{0,20}(\\{\\{|\\{%|\\|| weight|[-+*/%' }]){0,8}") {
        let facts = crate::mapping::names::facts(&source, false);
        prop_assert!(facts.filters.len() <= source.len());
    }
}

#[test]
fn the_matrix_has_exactly_its_ways() {
    let ways = SOURCES.iter().map(|source| {
        TARGETS
            .iter()
            .filter(|target| allowed(*source, **target))
            .count()
    });
    assert_eq!(ways.collect::<Vec<_>>(), [6, 3, 2, 3, 3, 3, 1, 5, 1]);
}

#[test]
fn a_spec_round_trips_with_its_order() {
    let text = r#"
object = "custom_objects.pets"
email = { association = "pet_owner" }
connection = "eu"
schedule = "*/15 * * * *"
enabled = false
jitter = "90s"
poll = "2m"
time_zone = "Europe/Berlin"
conflict = "oldest"
on_delete = "tag:pet gone"
on_missing_email = "skip"
on_email_change = "rename"
create_tags = true
exclude_automations = true

[fields]
first_name = "owner_first_name"
"%ZED%" = "{{ weight | round(1) }}"
"%A%" = { from = "temperament", map = { wild = "Wild", calm = "Calm" }, default = "Unknown", empty = "clear", max_length = 255, truncate = true, split = ",", time_zone = "UTC" }

[[rules]]
name = "adopted"
when = "status == 'adopted'"
on_first_sync = true
add_tags = "one"
subscribe = ["News", "More"]
resubscribe = true
"#;
    let spec: MappingSpec = toml::from_str(text).unwrap();
    let names: Vec<&str> = spec.fields.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["first_name", "%ZED%", "%A%"]);
    assert_eq!(spec.rules[0].subscribe.0, ["News", "More"]);
    let written = toml::to_string(&spec).unwrap();
    let again: MappingSpec = toml::from_str(&written).unwrap();
    assert_eq!(again, spec, "{written}");
    let json: MappingSpec = serde_json::from_str(&serde_json::to_string(&spec).unwrap()).unwrap();
    assert_eq!(json, spec);
}

#[test]
fn the_hash_is_about_what_is_sent() {
    let base = "object = 'pets'\nemail = 'owner_email'\n";
    let hash = |more: &str| fixture::spec(&format!("{base}{more}")).hash();
    let plain = hash("");
    for same in [
        "schedule = '0 * * * *'",
        "jitter = '5m'",
        "poll = '1m'",
        "enabled = false",
    ] {
        assert_eq!(hash(same), plain, "{same}");
    }
    for other in [
        "conflict = 'fail'",
        "time_zone = 'Asia/Tokyo'",
        "create_tags = true",
        "connection = 'eu'",
        "[fields]\nfirst_name = 'name'",
        "[[rules]]\nname = 'r'\nwhen = 'true'",
    ] {
        assert_ne!(hash(other), plain, "{other}");
    }
}

#[test]
fn what_the_spec_does_not_know_is_refused() {
    let base = "object = 'pets'\nemail = 'owner_email'\n";
    for (more, expected) in [
        ("colour = 'red'", "unknown field `colour`"),
        ("jitter = 'soon'", "no length of time"),
        ("on_delete = 'burn'", "tag:NAME"),
        ("conflict = 'maybe'", "unknown variant `maybe`"),
        (
            "[fields]\nfirst_name = 7",
            "a record field, a template, or a table",
        ),
        (
            "[fields]\nfirst_name = { form = 'name' }",
            "unknown field `form`",
        ),
        (
            "[[rules]]\nname = 'r'\nwhen = 'true'\nadd_tag = 'x'",
            "unknown field `add_tag`",
        ),
    ] {
        let error = toml::from_str::<MappingSpec>(&format!("{base}{more}"))
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{more}: {error}");
        assert!(error.contains("line "), "{error}");
    }
}
