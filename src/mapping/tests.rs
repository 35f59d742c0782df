//! The room as a whole: lines of config.toml and a record in, values and findings out.

use super::fixture::*;
use super::*;
use crate::model::{FieldKind, Level, RelatedContact, TargetField};

/// What one line makes of one record: the value, `<ignore>`, `<clear>` or `! problem`.
fn send(line: &str, properties: &str) -> String {
    shown(&mapping(line).apply(&record(properties), None).values[0])
}

fn shown(value: &MappedValue) -> String {
    match (&value.problem, &value.send) {
        (Some(problem), _) => format!("! {problem}"),
        (None, Send::Set(text)) => text.clone(),
        (None, Send::Clear) => "<clear>".into(),
        (None, Send::Ignore) => "<ignore>".into(),
    }
}

fn warnings(line: &str, properties: &str) -> Vec<String> {
    mapping(line).apply(&record(properties), None).values[0]
        .warnings
        .clone()
}

fn errors(lines: &str) -> String {
    let compiled = compile(&format!(
        "object = 'pets'\nemail = 'owner_email'\n[fields]\n{lines}"
    ));
    let errors = findings(&compiled, Level::Error);
    assert_eq!(compiled.mapping.is_none(), !errors.is_empty());
    errors.join("\n")
}

#[test]
fn the_matrix_row_by_row() {
    for (line, properties, expected) in [
        // TEXT and its kin.
        ("'%PET_NAME%' = 'name'", r#"{"name":"  Rex \n"}"#, "Rex"),
        (
            "'%PET_NAME%' = 'phone'",
            r#"{"phone":4915112345678}"#,
            "4915112345678",
        ),
        ("'%WEIGHT_KG%' = 'name'", r#"{"name":" 12.40 "}"#, "12.4"),
        (
            "'%BORN%' = 'name'",
            r#"{"name":"2024-07-31"}"#,
            "2024-07-31",
        ),
        (
            "'%BORN_AT%' = 'name'",
            r#"{"name":"2024-07-31T10:00:00Z"}"#,
            "2024-07-31T10:00:00+00:00",
        ),
        ("'%PET_STATUS%' = 'name'", r#"{"name":"New"}"#, "1"),
        ("'%MOODS%' = 'name'", r#"{"name":"Calm"}"#, "||Calm||"),
        (
            "'%MOODS%' = { from = 'name', split = ';' }",
            r#"{"name":"Calm; Wild;;Calm"}"#,
            "||Calm||Wild||",
        ),
        ("'%SECRET%' = 'chip'", r#"{"chip":true}"#, "true"),
        // NUMERICAL.
        (
            "'%PET_NAME%' = 'weight'",
            r#"{"weight":1e21}"#,
            "1000000000000000000000",
        ),
        (
            "'%WEIGHT_KG%' = 'weight'",
            r#"{"weight":123456789012345678901234567890.10}"#,
            "123456789012345678901234567890.1",
        ),
        ("'%WEIGHT_KG%' = 'weight'", r#"{"weight":"12.40"}"#, "12.4"),
        ("'%WEIGHT_KG%' = 'weight'", r#"{"weight":0}"#, "0"),
        ("'%PET_STATUS%' = 'weight'", r#"{"weight":12.5}"#, "12.50"),
        // MONETORY.
        (
            "'%WEIGHT_KG%' = 'price'",
            r#"{"price":{"currency":"default","value":99.90}}"#,
            "99.9",
        ),
        ("'%PET_NAME%' = 'price'", r#"{"price":"7"}"#, "7"),
        ("'%PET_NAME%' = 'price'", r#"{"price":{}}"#, "<ignore>"),
        // DATE.
        (
            "'%PET_NAME%' = 'born'",
            r#"{"born":"2024-07-11"}"#,
            "2024-07-11",
        ),
        (
            "'%BORN%' = 'born'",
            r#"{"born":"2024-07-11T00:00:00.000Z"}"#,
            "2024-07-11",
        ),
        (
            "'%BORN_AT%' = 'born'",
            r#"{"born":"2024-07-11"}"#,
            "2024-07-11T00:00:00+02:00",
        ),
        (
            "'%BORN_AT%' = { from = 'born', time_zone = 'America/New_York' }",
            r#"{"born":"2024-01-11"}"#,
            "2024-01-11T00:00:00-05:00",
        ),
        // SINGLE_OPTIONS, RADIO.
        (
            "'%PET_NAME%' = 'status'",
            r#"{"status":"adopted"}"#,
            "Adopted",
        ),
        (
            "'%PET_NAME%' = 'status'",
            r#"{"status":["adopted"]}"#,
            "Adopted",
        ),
        ("'%PET_STATUS%' = 'status'", r#"{"status":"new"}"#, "1"),
        (
            "'%PET_STATUS%' = 'status'",
            r#"{"status":"adopted"}"#,
            "adopted",
        ),
        (
            "'%PET_NAME%' = 'breed'",
            r#"{"breed":"Something else"}"#,
            "Something else",
        ),
        (
            "'%MOODS%' = { from = 'status', map = { new = 'Calm', adopted = 'Wild' } }",
            r#"{"status":"new"}"#,
            "||Calm||",
        ),
        // MULTIPLE_OPTIONS, CHECKBOX.
        (
            "'%PET_NAME%' = 'temperament'",
            r#"{"temperament":["calm","wild"]}"#,
            "Calm, Wild",
        ),
        (
            "'%MOODS%' = 'temperament'",
            r#"{"temperament":["calm","wild"]}"#,
            "||Calm||Wild||",
        ),
        (
            "'%MOOD_BOXES%' = 'temperament'",
            r#"{"temperament":"wild"}"#,
            "||Wild||",
        ),
        (
            "'%MOODS%' = 'temperament'",
            r#"{"temperament":["Calm"]}"#,
            "||Calm||",
        ),
        (
            "'%MOODS%' = 'temperament'",
            r#"{"temperament":[]}"#,
            "<ignore>",
        ),
        (
            "'%PET_STATUS%' = { from = 'temperament', map = { calm = 'New', wild = '1' } }",
            r#"{"temperament":["wild"]}"#,
            "1",
        ),
        (
            "'%PET_NAME%' = { from = 'temperament', map = { calm = 'Quiet' } }",
            r#"{"temperament":["calm","wild"]}"#,
            "Quiet, Wild",
        ),
        (
            "'%PET_NAME%' = { from = 'temperament', map = { calm = 'Quiet' }, default = 'Other' }",
            r#"{"temperament":["calm","odd"]}"#,
            "Quiet, Other",
        ),
        // TEXTBOX_LIST.
        (
            "'%STORY%' = 'notes'",
            r#"{"notes.yard":"big","notes.kitchen":"clean"}"#,
            "Kitchen: clean; Yard: big",
        ),
        (
            "'%STORY%' = 'notes'",
            r#"{"notes":{"yard":"big"}}"#,
            "Yard: big",
        ),
        ("'%STORY%' = 'notes'", r#"{}"#, "<ignore>"),
        (
            "'%WEIGHT_KG%' = 'notes.yard'",
            r#"{"notes.yard":"12.0"}"#,
            "12",
        ),
        (
            "'%BORN%' = 'notes.yard'",
            r#"{"notes":{"yard":"2024-07-11"}}"#,
            "2024-07-11",
        ),
        // FILE_UPLOAD.
        (
            "'%STORY%' = 'photos'",
            r#"{"photos":[{"url":"https://a/1"},"https://a/2"]}"#,
            "https://a/1 https://a/2",
        ),
        // Empty.
        ("'%PET_NAME%' = 'name'", r#"{"name":null}"#, "<ignore>"),
        ("'%PET_NAME%' = 'name'", r#"{}"#, "<ignore>"),
        (
            "'%PET_NAME%' = { from = 'name', empty = 'clear' }",
            r#"{"name":"  "}"#,
            "<clear>",
        ),
        (
            "'%WEIGHT_KG%' = { from = 'weight', empty = 'clear' }",
            r#"{"weight":""}"#,
            "<clear>",
        ),
        // map over texts and numbers.
        (
            "'%PET_NAME%' = { from = 'weight', map = { '1.5' = 'light' }, default = 'other' }",
            r#"{"weight":1.50}"#,
            "light",
        ),
        (
            "'%PET_NAME%' = { from = 'weight', map = { '1.5' = 'light' }, default = 'other' }",
            r#"{"weight":2}"#,
            "other",
        ),
        (
            "first_name = 'custom_objects.pets.owner_first_name'",
            r#"{"owner_first_name":"Jo"}"#,
            "Jo",
        ),
        (
            "'%PET_NAME%' = { from = 'name', max_length = 3, truncate = true }",
            r#"{"name":"abcdef"}"#,
            "abc",
        ),
    ] {
        assert_eq!(send(line, properties), expected, "{line} {properties}");
    }
}

#[test]
fn a_loss_is_an_error_that_names_field_and_value() {
    for (line, properties, expected) in [
        (
            "'%WEIGHT_KG%' = 'name'",
            r#"{"name":"heavy"}"#,
            "%WEIGHT_KG%: name: \"heavy\": not a number",
        ),
        (
            "'%WEIGHT_KG%' = 'weight'",
            r#"{"weight":1e999999}"#,
            "exponent",
        ),
        (
            "'%WEIGHT_KG%' = 'weight'",
            r#"{"weight":true}"#,
            "\"true\" is no number",
        ),
        (
            "'%BORN%' = 'born'",
            r#"{"born":"31/12/2020"}"#,
            "\"31/12/2020\" is no date",
        ),
        (
            "'%PET_STATUS%' = 'name'",
            r#"{"name":"Nope"}"#,
            "\"Nope\" is no option of the contact field",
        ),
        (
            "'%PET_STATUS%' = 'weight'",
            r#"{"weight":3}"#,
            "\"3\" is no option",
        ),
        (
            "'%PET_NAME%' = 'status'",
            r#"{"status":"lost"}"#,
            "\"lost\" is in no option list",
        ),
        (
            "'%PET_NAME%' = 'status'",
            r#"{"status":["new","adopted"]}"#,
            "holds 2 options",
        ),
        (
            "'%PET_STATUS%' = { from = 'temperament', map = { calm = '1', wild = 'New' } }",
            r#"{"temperament":["calm","wild"]}"#,
            "holds 2 options",
        ),
        (
            "'%MOODS%' = { from = 'name', split = ',' }",
            r#"{"name":"Calm,Angry"}"#,
            "\"Angry\" is no option",
        ),
        (
            "'%PET_NAME%' = { from = 'name', max_length = 3 }",
            r#"{"name":"abcd"}"#,
            "4 characters, max_length is 3",
        ),
        (
            "'%PET_NAME%' = 'name'",
            r#"{"name":{"a":1}}"#,
            "is not a single value",
        ),
        (
            "'%PET_NAME%' = 'price'",
            r#"{"price":{"currency":"EUR"}}"#,
            "has no value",
        ),
        (
            "'%STORY%' = 'notes'",
            r#"{"notes.attic":"dusty"}"#,
            "\"attic\" is in no option list",
        ),
        (
            "'%STORY%' = 'photos'",
            r#"{"photos":[{"name":"x"}]}"#,
            "has no url",
        ),
    ] {
        let shown = send(line, properties);
        assert!(
            shown.starts_with("! ") && shown.contains(expected),
            "{line} {properties}: {shown}"
        );
    }
}

#[test]
fn what_is_lost_without_an_error_is_a_warning() {
    assert_eq!(
        warnings("'%PET_NAME%' = 'name'", r#"{"name":"a\u001b[2Jb"}"#),
        ["1 control character removed"]
    );
    assert_eq!(
        send("'%PET_NAME%' = 'name'", r#"{"name":"\u001b"}"#),
        "<ignore>"
    );
    let long = format!(r#"{{"name":"{}"}}"#, "é".repeat(300));
    assert!(warnings("'%PET_NAME%' = 'name'", &long)[0].contains("300 characters"));
    assert!(warnings("'%STORY%' = 'name'", &long).is_empty());
    assert!(
        warnings("'%BORN%' = 'born'", r#"{"born":"2024-07-11T10:00:00Z"}"#)[0].contains("dropped")
    );
}

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
fn the_address_decides_whether_there_is_a_write() {
    let mapping =
        mapping("'%STORY%' = 'story'\nfirst_name = 'owner_first_name'\n'%WEIGHT_KG%' = 'weight'");
    let write = |properties: &str| mapping.apply(&record(properties), None).write();
    let good =
        write(r#"{"owner_email":"Jo@example.org","story":"s","owner_first_name":"Jo"}"#).unwrap();
    let targets: Vec<&TargetField> = good.values.iter().map(|(target, _)| target).collect();
    assert!(targets.is_sorted() && targets.len() == 2);
    let bad = write(r#"{"owner_email":"nobody","weight":"x"}"#).unwrap_err();
    assert_eq!(bad.len(), 2);
    assert_eq!(bad[0].field.as_deref(), Some("email"));
    assert!(write("{}").unwrap_err()[0].message.contains("no e-mail"));
    assert_eq!(
        mapping.address(&record(r#"{"owner_email":42}"#), None),
        EmailOutcome::Malformed("42".into())
    );
}

#[test]
fn names_that_stand_for_nothing_are_errors() {
    for (lines, expected) in [
        (
            "'%PET_NAM%' = 'name'",
            "no such contact field (did you mean %PET_NAME%?)",
        ),
        ("'PET_NAME' = 'name'", "did you mean %PET_NAME%?"),
        ("'firstname' = 'name'", "did you mean first_name?"),
        ("'%FIRSTNAME%' = 'name'", "did you mean first_name?"),
        ("'pet name' = 'name'", "did you mean %PET_NAME%?"),
        (
            "email = 'name'",
            "name its source in the mapping's email key",
        ),
        (
            "'%EMAIL%' = 'name'",
            "name its source in the mapping's email key",
        ),
        ("'%PET_NAME%' = 'nam'", "did you mean name?"),
        (
            "'%PET_NAME%' = 'owner first name'",
            "did you mean owner_first_name?",
        ),
        (
            "'%PET_NAME%' = 'notes.kitchn'",
            "did you mean notes.kitchen?",
        ),
        ("'%PET_NAME%' = '{{ wieght }}'", "did you mean weight?"),
        (
            "'%PET_NAME%' = '{{ notes.kitchn }}'",
            "did you mean notes.kitchen?",
        ),
        (
            "'%PET_NAME%' = '{{ record.idd }}'",
            "did you mean record.id?",
        ),
        (
            "'%PET_NAME%' = '{{ related.email }}'",
            "only there when the e-mail comes by association",
        ),
        (
            "'%PET_NAME%' = '{{ previous.name }}'",
            "only there in a rule's condition",
        ),
        (
            "'%PET_NAME%' = '{{ name.upper() }}'",
            "a filter is written name | upper",
        ),
        ("'%PET_NAME%' = '{{ name '", "does not parse"),
        (
            "'%PET_NAME%' = '{% if false %}{{ name | uper }}{% endif %}'",
            "does not exist: uper",
        ),
        (
            "'%PET_NAME%' = { from = 'name', template = '{{ name }}' }",
            "both from and template",
        ),
        (
            "'%PET_NAME%' = { default = 'x' }",
            "neither from nor template",
        ),
        (
            "'%PET_NAME%' = { from = 'name', truncate = true }",
            "truncate needs max_length",
        ),
        (
            "'%PET_NAME%' = { from = 'name', time_zone = 'Mars/Base' }",
            "no time zone \"Mars/Base\"",
        ),
        (
            "'%PET_NAME%' = 'name'\n'%pet_name%' = 'story'",
            "fills the same contact field",
        ),
        (
            "'%WEIGHT_KG%' = 'born'",
            "a value of type DATE does not fit a number field",
        ),
        ("'%BORN%' = 'weight'", "NUMERICAL does not fit a date field"),
        ("'%MOODS%' = 'weight'", "does not fit a listbox field"),
        ("'%PET_STATUS%' = 'price'", "does not fit a dropdown field"),
        ("'%WEIGHT_KG%' = 'notes'", "list.member"),
        ("'%MOODS%' = 'notes.yard'", "does not fit"),
        (
            "'%MOODS%' = { from = 'temperament', map = { calm = 'Sleepy' } }",
            "\"Sleepy\" is no option",
        ),
        (
            "'%MOODS%' = 'shots'",
            "no option for \"Rabies\", \"Soothing\"",
        ),
    ] {
        let errors = errors(lines);
        assert!(errors.contains(expected), "{lines}: {errors}");
    }
}

#[test]
fn two_fields_of_one_name_are_ambiguous() {
    let mut all = fields();
    let mut twin = field("PET_NAME", FieldKind::Text, &[]);
    twin.id = "99".into();
    all.push(twin);
    let mut namesake = field("OTHER", FieldKind::Text, &[]);
    namesake.title = "story".into();
    all.push(namesake);
    let errors = |line: &str| {
        let spec = spec(&format!(
            "object = 'pets'\nemail = 'owner_email'\n[fields]\n{line}"
        ));
        let compiled = Mapping::compile(&"pets".into(), &spec, &schema(), &all, &[]);
        findings(&compiled, Level::Error).join("\n")
    };
    assert!(
        errors("'%PET_NAME%' = 'name'").contains("two contact fields have the personalisation tag")
    );
    assert!(errors("'story' = 'name'").contains("%STORY%, %OTHER%"));
}

#[test]
fn what_may_go_wrong_is_a_warning() {
    for (lines, expected) in [
        ("'%PET_NAME%' = 'story'", "LARGE_TEXT may be longer"),
        ("'%STORY%' = '{{ weight * 2 }}'", "double precision"),
        ("'%STORY%' = '{{ price }}'", "price.value is the number"),
        (
            "'%PET_STATUS%' = { from = 'status', map = { neww = 'New' } }",
            "\"neww\"",
        ),
        (
            "'%MOODS%' = { from = 'shots', map = { calm = 'Calm' } }",
            "no option for \"Rabies\"",
        ),
        (
            "'%PET_NAME%' = { from = 'name', default = 'x' }",
            "default is for a value that map lacks",
        ),
    ] {
        let compiled = compile(&format!(
            "object = 'pets'\nemail = 'owner_email'\n[fields]\n{lines}"
        ));
        let warnings = findings(&compiled, Level::Warning).join("\n");
        assert!(
            compiled.mapping.is_some() && warnings.contains(expected),
            "{lines}: {compiled:#?}"
        );
    }
    let mut hidden = fields();
    hidden[0].listed = false;
    let spec = spec("object = 'pets'\nemail = 'owner_email'\n[fields]\n'%PET_NAME%' = 'name'");
    let compiled = Mapping::compile(&"pets".into(), &spec, &schema(), &hidden, &[]);
    assert!(findings(&compiled, Level::Warning)[0].contains("attached to no list"));
    let clean = compile(
        "object = 'custom_objects.pets'\nemail = 'owner_email'\n[fields]\n'%PET_NAME%' = 'name'",
    );
    assert_eq!(clean.findings.len(), 1);
    assert_eq!(clean.findings[0].level, Level::Ok);
}

#[test]
fn settings_are_checked() {
    for (toml, expected) in [
        (
            "object = 'cats'\nemail = 'owner_email'",
            "the schema is that of custom_objects.pets",
        ),
        (
            "object = 'pets'\nemail = 'owner_mail'",
            "did you mean owner_email?",
        ),
        (
            "object = 'pets'\nemail = 'weight'",
            "NUMERICAL, which holds no e-mail",
        ),
        (
            "object = 'pets'\nemail = { association = 'pet_ower' }",
            "did you mean pet_owner?",
        ),
        (
            "object = 'pets'\nemail = 'owner_email'\nschedule = 'often'",
            "no cron expression",
        ),
        (
            "object = 'pets'\nemail = 'owner_email'\ntime_zone = 'Nowhere'",
            "no time zone",
        ),
    ] {
        let errors = findings(&compile(toml), Level::Error).join("\n");
        assert!(errors.contains(expected), "{toml}: {errors}");
    }
}

#[test]
fn previews_compare_by_meaning() {
    let mapping = mapping(
        "first_name = 'owner_first_name'\n'%WEIGHT_KG%' = 'weight'\n'%BORN_AT%' = 'born'\n'%MOODS%' = 'temperament'\n'%STORY%' = { from = 'story', empty = 'clear' }",
    );
    let contact = crate::model::Contact {
        id: "7".into(),
        email: "jo@example.org".into(),
        first_name: "Jim".into(),
        last_name: String::new(),
        phone: String::new(),
        created_at: None,
        updated_at: None,
        values: Some(vec![
            ("f_weight_kg".into(), "12.40".into()),
            ("f_born_at".into(), "2024-07-10T17:00:00-05:00".into()),
            ("f_moods".into(), "||Wild||Calm||".into()),
        ]),
    };
    let pet = record(
        r#"{"name":"Rex","owner_first_name":"Jo","weight":12.4,"born":"2024-07-11","temperament":["calm","wild"]}"#,
    );
    let preview = mapping.preview_fields(&pet, None, Some(&contact));
    let changes: Vec<bool> = preview.iter().map(|field| field.changes).collect();
    assert_eq!(changes, [true, false, false, false, false]);
    assert_eq!(preview[0].record.as_deref(), Some("\"Jo\""));
    assert_eq!(preview[0].contact.as_deref(), Some("Jim"));
    assert_eq!(preview[4].send.as_deref(), Some(""));
    let fresh = mapping.preview_fields(&pet, None, None);
    assert!(fresh[..4].iter().all(|field| field.changes) && !fresh[4].changes);
    assert_eq!(mapping.title(&pet), "Rex");
    assert_eq!(mapping.title(&record("{}")), "r1");
    assert_eq!(mapping.columns()[1].target_type, "number");
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

#[test]
fn rules_are_checked() {
    for (rule, expected) in [
        ("when = \"status == \"\nadd_tags = 'x'", "does not parse"),
        (
            "when = \"true %}{% if x\"\nadd_tags = 'x'",
            "does not parse",
        ),
        (
            "when = \"statsu == 'a'\"\nadd_tags = 'x'",
            "did you mean status?",
        ),
        (
            "when = \"previous.statsu == 'a'\"\nadd_tags = 'x'",
            "did you mean status?",
        ),
        (
            "when = \"name | nope\"\nadd_tags = 'x'",
            "does not exist: nope",
        ),
        ("when = \"true\"", "it does nothing"),
        (
            "when = \"true\"\nrecord_event = 'an_event_name_of_more_than_32_characters'",
            "longer than 32",
        ),
        (
            "when = \"true\"\nadd_tags = 'x'\n[[rules]]\nname = 'r'\nwhen = 'true'\nadd_tags = 'y'",
            "two rules have this name",
        ),
    ] {
        let toml = format!("object = 'pets'\nemail = 'owner_email'\n[[rules]]\nname = 'r'\n{rule}");
        let errors = findings(&compile(&toml), Level::Error).join("\n");
        assert!(errors.contains(expected), "{rule}: {errors}");
    }
}

#[test]
fn suggestions_pair_names_types_and_values() {
    let samples = [
        record(r#"{"name":"Rex","owner_email":"jo@example.org","born":"2024-01-31","weight":3}"#),
        record(r#"{"name":"Tom","owner_email":"al@example.org","born":"2024-02-28","weight":4}"#),
    ];
    let suggestions = suggest::suggest(&schema(), &fields(), &samples);
    let from = |field: &str| {
        suggestions
            .iter()
            .find(|one| one.field == field)
            .map(|one| one.from.as_str())
    };
    assert_eq!(suggestions[0].field, "email");
    assert_eq!(from("email"), Some("owner_email"));
    assert_eq!(from("%PET_NAME%"), Some("name"));
    assert_eq!(from("%STORY%"), Some("story"));
    assert_eq!(from("%WEIGHT_KG%"), Some("weight"));
    assert_eq!(from("%PET_STATUS%"), Some("status"));
    assert_eq!(from("%BORN%"), Some("born"));
    assert_eq!(from("first_name"), Some("owner_first_name"));
    assert_eq!(from("phone"), Some("phone"));
    assert!(
        suggestions
            .iter()
            .all(|one| one.score <= 1.0 && !one.reason.is_empty())
    );
}

#[test]
fn mappings_are_shared_between_threads() {
    fn shared<T: std::marker::Send + Sync + 'static>() {}
    shared::<Mapping>();
}
