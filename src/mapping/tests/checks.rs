//! What a check says about a mapping before any record is seen.

use super::*;

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
            "object = 'pets'\nemail = 'owner_email'\non_delete = 'unsubscribe'",
            "no list to unsubscribe from",
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
