//! Records in, values out: the coercion matrix line by line.

use super::*;

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
        (
            "'%STORY%' = { from = 'notes', map = { yard = 'Garden' }, default = 'Elsewhere' }",
            r#"{"notes.yard":"big","notes.kitchen":"clean","notes.attic":"dusty"}"#,
            "Kitchen: clean; Garden: big; Elsewhere: dusty",
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
    let computed = super::mapping("'%WEIGHT_KG%' = '{{ weight * 2 }}'");
    let line = &computed.preview_fields(&pet, None, None)[0];
    assert_eq!(line.send.as_deref(), Some("24.8"));
    assert!(
        line.warning
            .as_deref()
            .unwrap()
            .contains("double precision")
    );
}
