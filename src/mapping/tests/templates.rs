//! Templates, conditions and what they see.

use super::*;

#[test]
fn templates_see_raw_values_and_keep_digits() {
    for (template, properties, expected) in [
        ("{{ weight }}", r#"{"weight":12.40}"#, "12.4"),
        (
            "{{ weight }} kg",
            r#"{"weight":0.12345678901234567890123}"#,
            "0.12345678901234567890123 kg",
        ),
        (
            "{{ weight }}",
            r#"{"weight":1234567890123456789012345678901234567890123}"#,
            "1234567890123456789012345678901234567890123",
        ),
        (
            "{{ weight }}",
            r#"{"weight":9007199254740993}"#,
            "9007199254740993",
        ),
        ("{{ weight | round(1) }}", r#"{"weight":12.44}"#, "12.4"),
        ("{{ weight | round(1) }}", r#"{"weight":"12.44"}"#, "12.4"),
        ("{{ weight | round(1) }}", r#"{"weight":12.0}"#, "12"),
        ("{{ weight | round(1) }}", r#"{}"#, "<ignore>"),
        ("{{ weight * 2 }}", r#"{"weight":1.5}"#, "3"),
        (
            "{{ price.value }} {{ price.currency }}",
            r#"{"price":{"currency":"EUR","value":10.50}}"#,
            "10.5 EUR",
        ),
        ("{{ price.value }}", r#"{"price":7}"#, "7"),
        (
            "{{ status }}/{{ status | label }}",
            r#"{"status":"adopted"}"#,
            "adopted/Adopted",
        ),
        (
            "{{ temperament | label | join(' + ') }}",
            r#"{"temperament":["calm","wild"]}"#,
            "Calm + Wild",
        ),
        (
            "{{ shots | label | first }}",
            r#"{"shots":["calm"]}"#,
            "Soothing",
        ),
        (
            "{% for t in temperament %}{{ t | label('temperament') }};{% endfor %}",
            r#"{"temperament":["calm"],"shots":["calm"]}"#,
            "Calm;",
        ),
        (
            "{{ notes.kitchen }}{{ notes.yard }}",
            r#"{"notes.kitchen":"k"}"#,
            "k",
        ),
        (
            "{{ record.id }} {{ record.object }} {{ record.owner }} {{ record.updated_at }}",
            "{}",
            "r1 custom_objects.pets u1 2024-02-01T10:00:00Z",
        ),
        ("{{ name }}", r#"{"name":null}"#, "<ignore>"),
        (
            "{% if status == 'adopted' %}yes{% else %}no{% endif %}",
            "{}",
            "no",
        ),
        ("{{ name | upper }}<b>", r#"{"name":"a & b"}"#, "A & B<b>"),
    ] {
        let line = format!("'%STORY%' = '''{template}'''");
        assert_eq!(send(&line, properties), expected, "{template} {properties}");
    }
}

#[test]
fn a_template_that_fails_says_which_and_why() {
    let failed = send("'%STORY%' = '{{ name * 2 }}'", r#"{"weight":1}"#);
    assert!(
        failed.starts_with("! %STORY%: the template \"{{ name * 2 }}\" fails: "),
        "{failed}"
    );
    let endless = "'%STORY%' = '{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}'";
    let failed = send(endless, "{}");
    assert!(failed.contains("works too long"), "{failed}");
    let huge = send("'%STORY%' = '{{ \"x\" * 99999999 }}'", "{}");
    assert!(huge.contains("works too long"), "{huge}");
    let infinite = send(
        "'%STORY%' = '{{ weight * 1e300 * 1e300 }}'",
        r#"{"weight":1}"#,
    );
    assert!(infinite.contains("no finite number"), "{infinite}");
    let ambiguous = send(
        "'%STORY%' = '{% for t in temperament %}{{ t | label }}{% endfor %}{% if shots %}{% endif %}'",
        r#"{"temperament":["calm"],"shots":["calm"]}"#,
    );
    assert!(ambiguous.contains("several properties"), "{ambiguous}");
    // A template computes with doubles: digits that go missing are said so.
    let lost = warnings(
        "'%STORY%' = '{{ weight * 1.5 }}'",
        r#"{"weight":0.12345678901234567890}"#,
    );
    assert!(lost[0].contains("digits"), "{lost:?}");
}

#[test]
fn related_is_the_contact_of_the_association() {
    let compiled = compile(
        "object = 'pets'\nemail = { association = 'pet_owner' }\n[fields]\nfirst_name = '{{ related.first_name }}'\n'%STORY%' = '{{ related.tags | join(\",\") }}'",
    );
    let mapping = compiled.mapping.unwrap();
    assert_eq!(mapping.association().unwrap().as_str(), "a1");
    let owner = RelatedContact {
        first_name: Some("Jo".into()),
        email: Some(" Jo@Example.org ".into()),
        tags: vec!["a".into(), "b".into()],
        ..RelatedContact::default()
    };
    let applied = mapping.apply(&record("{}"), Some(&owner));
    let write = applied.write().unwrap();
    assert_eq!(write.email.as_str(), "jo@example.org");
    assert_eq!(write.values[0].1, "Jo");
    assert_eq!(write.values[1].1, "a,b");
    let alone = mapping.apply(&record("{}"), None);
    assert_eq!(alone.email, EmailOutcome::Missing);
    assert_eq!(shown(&alone.values[0]), "<ignore>");
}

#[test]
fn rules_fire_when_a_condition_turns_true() {
    let compiled = compile(
        r#"
object = "pets"
email = "owner_email"
[[rules]]
name = "adopted"
when = "status == 'adopted'"
add_tags = ["pet-adopted"]
subscribe = "News"
start_automation = "Adoption welcome"
record_event = "pet_adopted"
[[rules]]
name = "always"
when = "weight and weight > 10 and previous.weight != weight"
on_first_sync = true
remove_tags = "light"
"#,
    );
    let mapping = compiled.mapping.unwrap();
    let now = record(r#"{"status":"adopted","weight":12}"#);
    let fires = |previous: Option<&str>| {
        let previous = previous.map(|text| record(text).properties);
        let rules = mapping.preview_rules(&now, None, previous.as_ref());
        (rules[0].fires, rules[1].fires)
    };
    assert_eq!(fires(None), (false, true));
    assert_eq!(
        fires(Some(r#"{"status":"new","weight":12}"#)),
        (true, false)
    );
    assert_eq!(
        fires(Some(r#"{"status":"adopted","weight":11}"#)),
        (false, true)
    );
    assert_eq!(fires(Some("{}")), (true, true));
    // A condition that fails for want of a field was not true.
    let heavy = compile(
        r#"
object = "pets"
email = "owner_email"
[[rules]]
name = "heavy"
when = "(weight | round) > 10"
add_tags = "heavy"
"#,
    );
    let heavy = heavy.mapping.unwrap();
    let judged = |text: &str, previous: &str| {
        let previous = record(previous).properties;
        heavy
            .judge_rules(&record(text), None, Some(&previous))
            .remove(0)
    };
    let turned = judged(r#"{"weight":12}"#, "{}");
    assert!(turned.holds && turned.fires, "{turned:?}");
    let failing = judged("{}", r#"{"weight":12}"#);
    assert!(!failing.holds && !failing.fires, "{failing:?}");
    let rules = mapping.preview_rules(&now, None, None);
    assert_eq!(
        rules[0].actions,
        [
            "tag pet-adopted",
            "list \"News\"",
            "automation \"Adoption welcome\"",
            "event pet_adopted"
        ]
    );
    assert!(rules[0].note.as_deref().unwrap().contains("on_first_sync"));
}
