mod segments;

use super::around::Kind;
use super::*;
use crate::http::testing::{Server, TOKEN, Told, http, lifted, token, told};
use crate::model::{
    Builtin, ContactField, ContactId, ContactWrite, Email, ErrorClass, FieldId, FieldKind,
    FieldOption, NewField, TargetField,
};
use serde_json::json;
use std::path::Path;

/// The answer of an example file of the fact sheet.
fn example(name: &str) -> Told {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/activecampaign")
        .join(format!("{name}.json"));
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let body = match &file["body"] {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    told(file["status"].as_u64().unwrap() as u16, body)
}

/// The body of an example request.
fn example_request(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/activecampaign")
        .join(format!("{name}.json"));
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    file["body"].clone()
}

fn client(url: &str) -> ActiveCampaign {
    let budgets = AccountBudgets {
        requests: lifted(),
        imports: lifted(),
        single_imports: lifted(),
    };
    let base = ActiveCampaign::base(url).unwrap();
    ActiveCampaign::new(base, token(), http(), budgets, None)
}

/// A server that always gives one example.
async fn giving(name: &'static str) -> (Server, ActiveCampaign) {
    let server = Server::start(move |_, _| example(name)).await;
    let client = client(&server.url);
    (server, client)
}

fn custom(id: &str, value: &str) -> (TargetField, String) {
    (TargetField::Custom(FieldId::from(id)), value.to_owned())
}

fn builtin(field: Builtin, value: &str) -> (TargetField, String) {
    (TargetField::Builtin(field), value.to_owned())
}

fn write(email: &str, values: Vec<(TargetField, String)>) -> ContactWrite {
    ContactWrite {
        email: Email::parse(email).unwrap(),
        values,
    }
}

fn id(text: &str) -> ContactId {
    ContactId::from(text)
}

#[tokio::test]
async fn the_url_is_taken_with_and_without_its_path() {
    for ending in ["", "/", "/api/3", "/api/3/"] {
        let server = Server::start(|_, _| example("users_me_response_200")).await;
        let user = client(&format!("{}{ending}", server.url))
            .me()
            .await
            .unwrap();
        assert_eq!((user.id.as_str(), user.username.as_str()), ("1", "jdoe"));
        let asked = &server.asked()[0];
        assert_eq!(asked.path, "/api/3/users/me");
        assert_eq!(asked.headers.get("api-token").unwrap(), TOKEN);
        assert!(!asked.headers.contains_key("authorization"));
    }
}

#[tokio::test]
async fn a_refused_token_is_told_at_once_whatever_the_body() {
    for body in ["", "<html></html>", "{\"message\":\"Forbidden\"}"] {
        let server = Server::start(move |_, _| told(403, body)).await;
        let error = client(&server.url).me().await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Auth);
        assert!(error.remedy.as_ref().unwrap().contains("token"));
        assert_eq!(server.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_sync_is_sent_and_read_as_documented() {
    let (server, ac) = giving("contact_sync_response_201").await;
    let full = write(
        "jane.doe@example.com",
        vec![
            builtin(Builtin::FirstName, "Jane"),
            builtin(Builtin::LastName, "Doe"),
            builtin(Builtin::Phone, "+15555550100"),
            custom("1", "Retriever"),
            custom("6", "2026-05-28"),
            custom("7", "2026-05-28T14:05:00-05:00"),
            custom("8", "Gold"),
            custom("9", "||Red||Blue||"),
            custom("10", "12.5"),
        ],
    );
    let synced = ac.sync_contact(&full).await.unwrap();
    assert_eq!(
        synced,
        Synced {
            id: id("10"),
            created: true
        }
    );
    let asked = &server.asked()[0];
    assert_eq!(
        (asked.method.as_str(), asked.path.as_str()),
        ("POST", "/api/3/contact/sync")
    );
    assert_eq!(asked.body, example_request("contact_sync_request"));

    let (server, ac) = giving("contact_sync_response_200_update").await;
    let clear = write("jane.doe@example.com", vec![custom("1", "")]);
    let synced = ac.sync_contact(&clear).await.unwrap();
    assert_eq!(
        synced,
        Synced {
            id: id("10"),
            created: false
        }
    );
    assert_eq!(
        server.asked()[0].body,
        example_request("contact_sync_request_clear_field")
    );

    let (_server, ac) = giving("contact_sync_response_200_no_fieldvalues").await;
    assert_eq!(ac.sync_contact(&clear).await.unwrap().id, id("16"));
}

#[tokio::test]
async fn a_sync_without_an_id_is_in_doubt() {
    for body in [
        "{}",
        "",
        "{\"contact\":{}}",
        "{\"contact\":{\"id\":null}}",
        "[]",
    ] {
        let server = Server::start(move |_, _| told(200, body)).await;
        let error = client(&server.url)
            .sync_contact(&write("a@example.com", vec![]))
            .await
            .unwrap_err();
        assert_eq!(error.class, ErrorClass::Transient, "{body}");
        assert!(error.ambiguous, "{body}");
    }
}

#[tokio::test]
async fn every_error_shape_is_understood() {
    for (name, class, words, field) in [
        (
            "contact_create_422_duplicate",
            ErrorClass::Invalid,
            "already exists",
            Some("email"),
        ),
        (
            "contact_tag_404",
            ErrorClass::Missing,
            "Contact not found",
            None,
        ),
        (
            "contact_tag_422",
            ErrorClass::Invalid,
            "Missing attribute",
            Some("contact"),
        ),
        (
            "error_404_contact",
            ErrorClass::Missing,
            "No Result found",
            None,
        ),
        (
            "tag_create_duplicate_error",
            ErrorClass::Invalid,
            "Duplicate entry",
            None,
        ),
        (
            "field_option_bulk_422",
            ErrorClass::Invalid,
            "Bulk operation failed",
            None,
        ),
        (
            "bulk_import_400_validation",
            ErrorClass::Invalid,
            "Field 'email' incorrect format",
            None,
        ),
        (
            "error_400_empty_object",
            ErrorClass::Invalid,
            "HTTP 400",
            None,
        ),
        (
            "custom_object_record_422",
            ErrorClass::Invalid,
            "Invalid value",
            Some("age"),
        ),
        ("error_403_forbidden", ErrorClass::Auth, "Forbidden", None),
        (
            "error_403_lists_permission",
            ErrorClass::Auth,
            "permission to view lists",
            None,
        ),
        ("error_403_empty_body", ErrorClass::Auth, "HTTP 403", None),
        (
            "error_422_field_missing",
            ErrorClass::Invalid,
            "was not provided",
            Some("name"),
        ),
        (
            "error_422_titles_only",
            ErrorClass::Invalid,
            "externalid was not provided",
            None,
        ),
        (
            "contact_automation_403",
            ErrorClass::Invalid,
            "Could not create",
            None,
        ),
        (
            "import_info_400",
            ErrorClass::Invalid,
            "'batchId' is a required field",
            None,
        ),
        (
            "account_create_422_duplicate",
            ErrorClass::Invalid,
            "already exists",
            Some("name"),
        ),
        (
            "service_unavailable_503",
            ErrorClass::Transient,
            "HTTP 503",
            None,
        ),
    ] {
        let (_server, ac) = giving(name).await;
        let error = ac
            .sync_contact(&write("a@example.com", vec![]))
            .await
            .unwrap_err();
        assert_eq!(error.class, class, "{name}");
        assert!(error.message.contains(words), "{name}: {}", error.message);
        assert_eq!(error.field.as_deref(), field, "{name}");
        assert!(error.response.is_some(), "{name}");
    }
}

#[tokio::test]
async fn a_contact_is_read_with_its_values() {
    let (server, ac) = giving("contact_get_response_200").await;
    let contact = ac.contact(&id("1")).await.unwrap().unwrap();
    assert_eq!(contact.email, "a@example.com");
    assert_eq!(contact.first_name, "Ann");
    assert_eq!(
        contact.values.unwrap(),
        [(FieldId::from("1"), "Retriever".to_owned())]
    );
    assert_eq!(
        contact.updated_at.unwrap().to_string(),
        "2026-05-28T09:33:44Z"
    );
    assert_eq!(server.lines(), ["GET /api/3/contacts/1"]);

    for gone in ["contact_get_deleted_200", "error_404_contact"] {
        let (_server, ac) = giving(gone).await;
        assert_eq!(ac.contact(&id("10")).await.unwrap(), None, "{gone}");
    }
}

#[tokio::test]
async fn a_found_contact_has_the_address_that_was_asked_for() {
    let (server, ac) = giving("contacts_by_email_response").await;
    let found = ac
        .find_contact(&Email::parse("Jane.Doe+x@example.com").unwrap(), false)
        .await
        .unwrap();
    assert_eq!(found.unwrap().email, "jane.doe+x@example.com");
    assert_eq!(
        server.lines(),
        ["GET /api/3/contacts?email=jane.doe+x@example.com&limit=100"]
    );
    // A server that ignores the filter gives somebody.
    let other = ac
        .find_contact(&Email::parse("other@example.com").unwrap(), false)
        .await
        .unwrap();
    assert_eq!(other, None);
}

#[tokio::test]
async fn values_that_are_not_side_loaded_are_fetched() {
    let server = Server::start(|asked, _| {
        if asked.path.contains("/fieldValues") {
            example("contact_field_values_response")
        } else {
            example("contacts_by_email_response")
        }
    })
    .await;
    let found = client(&server.url)
        .find_contact(&Email::parse("jane.doe+x@example.com").unwrap(), true)
        .await
        .unwrap();
    let values = found.unwrap().values.unwrap();
    assert_eq!(values.len(), 3);
    assert_eq!(values[2], (FieldId::from("6"), String::new()));
    assert!(server.lines()[0].contains("include=fieldValues"));
}

#[tokio::test]
async fn contacts_are_read_by_id_100_a_page() {
    let server = Server::start(|asked, _| {
        let rows: Vec<Value> = asked
            .path
            .split("ids[]=")
            .skip(1)
            .map(|rest| {
                let id: u32 = rest.split('&').next().unwrap().parse().unwrap();
                // Ids as numbers for once.
                json!({ "id": id, "email": format!("u{id}@example.com"), "fieldValues": ["7"] })
            })
            .chain([json!({ "id": "9999", "email": "stranger@example.com" })])
            .collect();
        let values = json!([{ "contact": 150, "field": 3, "value": 12.5, "id": "7" }]);
        told(
            200,
            json!({ "contacts": rows, "fieldValues": values, "meta": { "total": "1" } }),
        )
    })
    .await;
    let ids: Vec<ContactId> = (1..=150).map(|index| id(&index.to_string())).collect();
    let contacts = client(&server.url)
        .contacts_by_ids(&ids, true)
        .await
        .unwrap();
    assert_eq!(contacts.len(), 150);
    assert_eq!(contacts[0].values, Some(vec![]));
    assert_eq!(
        contacts[149].values,
        Some(vec![(FieldId::from("3"), "12.5".to_owned())])
    );
    assert_eq!(server.asked().len(), 2);
    assert!(server.lines()[0].contains("orders[id]=ASC"));
}

#[tokio::test]
async fn a_walk_goes_by_id() {
    let (server, ac) = giving("contacts_list_response").await;
    let page = ac
        .walk_contacts(
            Some(&id("41")),
            Some("2026-05-28T03:00:00Z".parse().unwrap()),
            true,
        )
        .await
        .unwrap();
    assert_eq!(page.len(), 2);
    assert_eq!(page[0].values, None);
    ac.walk_contacts(None, None, false).await.unwrap();
    assert_eq!(
        server.lines(),
        [
            "GET /api/3/contacts?orders[id]=ASC&id_greater=41&limit=100&filters[updated_after]=2026-05-27&include=fieldValues",
            "GET /api/3/contacts?orders[id]=ASC&id_greater=0&limit=100"
        ]
    );
}

#[tokio::test]
async fn contacts_are_changed_and_deleted_by_id() {
    let (server, ac) = giving("contact_put_response_200").await;
    ac.update_contact(&id("10"), &write("new@example.com", vec![custom("1", "x")]))
        .await
        .unwrap();
    assert_eq!(server.lines(), ["PUT /api/3/contacts/10"]);
    assert_eq!(
        server.asked()[0].body,
        json!({ "contact": { "email": "new@example.com", "fieldValues": [{ "field": "1", "value": "x" }] } })
    );
    for answer in ["contact_delete_response_200", "error_404_contact"] {
        let (server, ac) = giving(answer).await;
        ac.delete_contact(&id("10")).await.unwrap();
        ac.delete_field_value("14").await.unwrap();
        assert_eq!(
            server.lines(),
            ["DELETE /api/3/contacts/10", "DELETE /api/3/fieldValues/14"]
        );
    }
}

#[tokio::test]
async fn fields_come_with_options_and_tags() {
    let (server, ac) = giving("fields_list_response").await;
    let fields = ac.fields().await.unwrap();
    assert_eq!(fields.len(), 2);
    assert_eq!(fields[0].tag, "PREFERRED_LANGUAGE");
    assert_eq!(fields[0].kind, FieldKind::Dropdown);
    assert_eq!(
        fields[0].options[0],
        FieldOption {
            value: "af".to_owned(),
            label: "Afrikaans".to_owned()
        }
    );
    assert!(fields[0].listed);
    assert!(!fields[1].listed);
    assert_eq!(server.lines(), ["GET /api/3/fields?limit=100&offset=0"]);
}

/// A server with `count` fields that says it has `total`.
async fn with_fields(count: usize, total: usize) -> (Server, ActiveCampaign) {
    let server = Server::start(move |asked, _| {
        let offset: usize = asked.path.split("offset=").nth(1).unwrap().parse().unwrap();
        let rows: Vec<Value> = (offset..count.min(offset + 100))
            .map(|index| json!({ "id": index + 1, "title": "T", "type": "text", "perstag": format!("%F{index}%") }))
            .collect();
        told(200, json!({ "fields": rows, "fieldOptions": [], "meta": { "total": total.to_string() } }))
    })
    .await;
    let client = client(&server.url);
    (server, client)
}

#[tokio::test]
async fn fields_are_read_over_all_pages_and_counted() {
    let (server, ac) = with_fields(230, 230).await;
    let fields = ac.fields().await.unwrap();
    assert_eq!(fields.len(), 230);
    assert_eq!(fields[229].tag, "F229");
    assert_eq!(server.asked().len(), 3);

    let (server, ac) = with_fields(20, 30).await;
    let error = ac.fields().await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient);
    assert!(
        error.message.contains("20") && error.message.contains("30"),
        "{error}"
    );
    // Read twice: a field may have been removed in between.
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn a_field_is_made_in_three_calls() {
    let server = Server::start(move |asked, _| match asked.path.as_str() {
        "/api/3/fields" => example("field_create_response_201"),
        "/api/3/fieldRels" => example("field_rel_response_201"),
        _ => example("field_option_bulk_response_201"),
    })
    .await;
    let new = NewField {
        title: "Favourite colours".into(),
        tag: Some("FAV_COLOURS".into()),
        kind: FieldKind::Listbox,
        options: vec!["Red".into(), "Blue".into()],
    };
    let field = client(&server.url).create_field(&new).await.unwrap();
    assert_eq!(
        (field.id.as_str(), field.tag.as_str(), field.listed),
        ("8", "FAV_COLOURS", true)
    );
    let asked = server.asked();
    assert_eq!(
        asked[0].body,
        json!({ "field": { "type": "listbox", "title": "Favourite colours", "visible": 1, "perstag": "FAV_COLOURS" } })
    );
    assert_eq!(asked[1].body, example_request("field_rel_request"));
    assert_eq!(asked[2].body, example_request("field_option_bulk_request"));

    let (_server, ac) = giving("field_create_422_duplicate").await;
    let error = ac.create_field(&new).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Invalid);
}

#[tokio::test]
async fn what_remains_of_a_half_made_field_is_told_and_done_later() {
    let server = Server::start(move |asked, before| match asked.path.as_str() {
        "/api/3/fields" => example("field_create_response_201"),
        "/api/3/fieldRels" => example("field_rel_response_201"),
        _ if before < 3 => example("field_option_bulk_422"),
        _ => example("field_option_bulk_response_201"),
    })
    .await;
    let new = NewField {
        title: "Favourite colours".into(),
        tag: None,
        kind: FieldKind::Listbox,
        options: vec!["Red".into(), "Blue".into()],
    };
    let ac = client(&server.url);
    let error = ac.create_field(&new).await.unwrap_err();
    let lacks = "%FAV_COLOURS% (id 8) was created, but lacks its options Red, Blue: ";
    assert!(error.message.starts_with(lacks), "{error}");
    assert!(error.remedy.as_deref().unwrap().contains("what remains"));
    let half = ContactField {
        id: FieldId::new("8"),
        tag: "FAV_COLOURS".into(),
        title: new.title.clone(),
        kind: FieldKind::Listbox,
        options: Vec::new(),
        listed: true,
    };
    let whole = ac.finish_field(half, &new.options).await.unwrap();
    assert_eq!(whole.options.len(), 2);
    let asked = server.asked();
    assert_eq!(asked.len(), 4, "nothing is done twice");
    assert_eq!(asked[3].body, example_request("field_option_bulk_request"));
}

#[tokio::test]
async fn what_surrounds_a_contact_has_names() {
    let server = Server::start(|asked, _| {
        let path = asked.path.split('?').next().unwrap();
        match path.rsplit('/').next().unwrap() {
            "contactTags" => example("contact_tags_of_contact_response"),
            "contactLists" => example("contact_lists_of_contact_response"),
            "contactAutomations" => example("contact_automations_of_contact_response"),
            "scoreValues" => example("score_values_response"),
            "tags" => told(
                200,
                json!({ "tags": [{ "id": "15", "tag": "vip" }], "meta": { "total": "1" } }),
            ),
            "lists" => told(
                200,
                json!({ "lists": [{ "id": 1, "name": "News" }], "meta": { "total": 1 } }),
            ),
            "automations" => example("automations_list_response"),
            _ => told(403, json!({ "message": "Forbidden" })),
        }
    })
    .await;
    let ac = client(&server.url);
    let around = ac.surroundings(&id("6")).await.unwrap();
    assert_eq!(around.tags.items(), ["vip"]);
    assert_eq!(
        (
            around.lists.items()[0].list.as_str(),
            around.lists.items()[0].status.as_str()
        ),
        ("News", "unsubscribed")
    );
    // Automation 2 is in no definition.
    assert_eq!(around.automations.items()[0].automation, "#2");
    assert!(around.automations.items()[0].completed);
    // The plan has no scores: the part says so, the rest is there.
    assert_eq!(around.scores.refused(), Some("403 Forbidden"));
    assert_eq!(around.tags.refused(), None);
    let before = server.asked().len();
    ac.contact_tags(&id("6")).await.unwrap();
    assert_eq!(server.asked().len(), before + 1, "names are remembered");
}

#[tokio::test]
async fn definitions_are_read() {
    let server = Server::start(|asked, _| match asked.path.split('?').next().unwrap() {
        "/api/3/tags" => example("tags_list_response"),
        "/api/3/lists" => example("lists_list_response"),
        "/api/3/automations" => example("automations_list_response"),
        _ => example("scores_list_response"),
    })
    .await;
    let ac = client(&server.url);
    assert_eq!(ac.tags().await.unwrap()[0].name, "ghl-pet");
    assert_eq!(ac.lists().await.unwrap()[0].name, "Master Contact List");
    assert_eq!(ac.automations().await.unwrap()[0].name, "Welcome");
    assert_eq!(ac.scores().await.unwrap()[0].name, "Engagement");
    assert!(
        server
            .lines()
            .iter()
            .all(|line| line.contains("limit=100&offset=0"))
    );
}

#[tokio::test]
async fn an_import_is_queued() {
    let (server, ac) = giving("bulk_import_response_200").await;
    let writes = [
        write(
            "jane.doe@example.com",
            vec![
                builtin(Builtin::FirstName, "Jane \"J\" \u{1}\\\n"),
                builtin(Builtin::Phone, "+15555550100"),
                custom("1", "Retriever"),
                custom("9", "||Red||Blue||"),
            ],
        ),
        write("john@example.com", vec![custom("x", "Poodle")]),
    ];
    let batch = ac.bulk_import(&writes, false).await.unwrap();
    assert_eq!(batch.id.as_str(), "0641fbdd-f62f-4c2c-ba02-3a83d5d11ac9");
    ac.bulk_import(&writes, true).await.unwrap();
    let mut expected = json!({ "contacts": [
        { "email": "jane.doe@example.com", "first_name": "Jane \"J\" \u{1}\\\n", "phone": "+15555550100",
          "fields": [{ "id": 1, "value": "Retriever" }, { "id": 9, "value": "||Red||Blue||" }] },
        { "email": "john@example.com", "fields": [{ "id": "x", "value": "Poodle" }] },
    ] });
    let asked = server.asked();
    assert_eq!(asked[0].path, "/api/3/import/bulk_import");
    assert_eq!(asked[0].body, expected);
    for row in expected["contacts"].as_array_mut().unwrap() {
        row["exclude_automations"] = true.into();
    }
    assert_eq!(asked[1].body, expected);
}

#[tokio::test]
async fn an_import_that_cannot_be_is_not_sent() {
    let (server, ac) = giving("bulk_import_response_200").await;
    let one = write("a@example.com", vec![custom("1", "x")]);
    let row = import_row_json(&one);
    let many = vec![row.as_str(); 251];
    let large = format!("{{\"email\":\"{}\"}}", "x".repeat(400_000));
    for rows in [&[][..], &many[..], &[large.as_str()][..]] {
        assert!(ac.bulk_import_rows(rows, false).await.is_err());
    }
    let clear = write("a@example.com", vec![custom("1", "")]);
    assert!(ac.bulk_import(&[clear], false).await.is_err());
    assert!(server.asked().is_empty());
    assert!(ac.bulk_import_rows(&many[..250], true).await.is_ok());
}

#[tokio::test]
async fn a_refused_import_names_rows() {
    let (_server, ac) = giving("bulk_import_400_validation").await;
    let writes = [
        write("a@example.com", vec![]),
        write("b@example.com", vec![]),
    ];
    let Err(ImportError::Refused {
        message,
        hints,
        error,
    }) = ac.bulk_import(&writes, false).await
    else {
        panic!("the import was not refused");
    };
    assert!(message.starts_with("JSON payload did not pass validation"));
    assert_eq!(
        hints,
        [Refusal {
            index: Some(1),
            reason: "Field 'email' incorrect format".to_owned()
        }]
    );
    assert_eq!(
        (error.class, error.status),
        (ErrorClass::Invalid, Some(400))
    );
}

#[tokio::test]
async fn the_import_limit_is_waited_for() {
    let server = Server::start(|_, before| {
        let (status, _, body) = match before {
            0 => example("bulk_import_400_rate_limit"),
            _ => example("bulk_import_response_200"),
        };
        (status, vec![("retry-after", "0.05".to_owned())], body)
    })
    .await;
    let meter = Arc::new(Meter::default());
    let ac = client(&server.url)
        .metered(meter.clone())
        .lane(Lane::Person);
    let writes = [
        write("a@example.com", vec![]),
        write("b@example.com", vec![]),
    ];
    ac.bulk_import(&writes, false).await.unwrap();
    assert_eq!(meter.throttled(), 1);
    assert_eq!(meter.counts().activecampaign, 2);
}

#[tokio::test]
async fn a_person_who_made_what_was_missing_need_not_wait_until_it_is_found() {
    let server = Server::start(|_, before| {
        let tags: &[Value] = match before {
            0 => &[],
            _ => &[json!({ "id": "7", "tag": "Adopted" })],
        };
        told(
            200,
            json!({ "tags": tags, "meta": { "total": tags.len() } }),
        )
    })
    .await;
    let bulk = client(&server.url);
    let named = async |client: &ActiveCampaign| client.named(Kind::Tags, "adopted").await.unwrap();
    assert_eq!(named(&bulk).await, None);
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    assert_eq!(named(&bulk).await, None);
    assert_eq!(server.asked().len(), 1);
    let found = named(&bulk.lane(Lane::Person)).await;
    assert_eq!(found.unwrap().id, "7");
}

#[tokio::test]
async fn an_import_that_is_not_said_to_be_queued_is_in_doubt() {
    for body in [
        "{}",
        "{\"Success\":0,\"batchId\":\"x\"}",
        "{\"success\":1}",
        "<html>",
    ] {
        let server = Server::start(move |_, _| told(200, body)).await;
        let one = [write("a@example.com", vec![])];
        let Err(ImportError::Api(error)) = client(&server.url).bulk_import(&one, false).await
        else {
            panic!("{body} was taken for success");
        };
        assert!(error.ambiguous, "{body}");
    }
    let server = Server::start(|_, _| told(201, json!({ "success": true, "batchId": 17 }))).await;
    let one = [write("a@example.com", vec![])];
    let batch = client(&server.url).bulk_import(&one, false).await.unwrap();
    assert_eq!(batch.id.as_str(), "17");
}

#[tokio::test]
async fn an_import_reports_how_far_it_is() {
    for (name, state, succeeded, failed) in [
        ("import_info_too_early", ImportState::TooEarly, 0, 0),
        ("import_info_active", ImportState::Active, 0, 0),
        ("import_info_completed", ImportState::Completed, 2, 1),
        ("import_info_interrupted", ImportState::Interrupted, 1, 0),
    ] {
        let (server, ac) = giving(name).await;
        let info = ac.import_info(&BatchId::new("b-1")).await.unwrap();
        assert_eq!(info.state, state);
        assert_eq!(
            (info.succeeded.len(), info.failed.len()),
            (succeeded, failed),
            "{name}"
        );
        assert_eq!(server.lines(), ["GET /api/3/import/info?batchId=b-1"]);
    }
    let (_server, ac) = giving("import_info_400").await;
    assert!(ac.import_info(&BatchId::new("")).await.is_err());
}

#[test]
fn rows_are_json_whatever_the_text() {
    let hostile: String = (0..0x300).filter_map(char::from_u32).collect();
    let row = import_row_json(&write("a@example.com", vec![custom("7", &hostile)]));
    let value: Value = serde_json::from_str(&row).unwrap();
    assert_eq!(value["fields"][0]["value"], hostile);
}

fn contact_id() -> ContactId {
    id("10")
}

#[tokio::test]
async fn a_tag_is_added_by_201_and_200_and_its_removal_may_come_too_late() {
    for name in ["contact_tag_response_201", "contact_tag_response_200"] {
        let (server, ac) = giving(name).await;
        ac.add_tag(&contact_id(), "15").await.unwrap();
        let asked = &server.asked()[0];
        assert_eq!(asked.path, "/api/3/contactTags");
        assert_eq!(asked.body, example_request("contact_tag_request"));
    }
    let (server, ac) = giving("contact_tag_delete_404").await;
    let sent = ac.remove_tag("77").await.unwrap();
    assert!(sent.response.contains("gone already"), "{sent:?}");
    assert_eq!(server.lines(), ["DELETE /api/3/contactTags/77"]);
    let (_server, ac) = giving("contact_tag_404").await;
    let gone = ac.add_tag(&contact_id(), "15").await.unwrap_err();
    assert_eq!((gone.class, gone.ambiguous), (ErrorClass::Missing, false));
}

#[tokio::test]
async fn a_list_is_joined_and_joined_again_as_documented() {
    let (server, ac) = giving("contact_list_response_200").await;
    let contact = contact_id();
    ac.set_standing(&contact, "3", true, false).await.unwrap();
    ac.set_standing(&contact, "3", true, true).await.unwrap();
    ac.set_standing(&contact, "3", false, false).await.unwrap();
    let asked = server.asked();
    assert_eq!(asked[0].body, example_request("contact_list_request"));
    assert_eq!(
        asked[1].body,
        example_request("contact_list_resubscribe_request")
    );
    assert_eq!(asked[2].body["contactList"]["status"], 2);
}

#[tokio::test]
async fn an_automation_that_refuses_is_no_dead_token_and_is_not_asked_twice() {
    let (server, ac) = giving("contact_automation_response_201").await;
    ac.enrol(&id("64"), "2").await.unwrap();
    assert_eq!(
        server.asked()[0].body,
        example_request("contact_automation_request")
    );
    let (server, ac) = giving("contact_automation_403").await;
    let refused = ac.enrol(&id("64"), "2").await.unwrap_err();
    assert_eq!(refused.class, ErrorClass::Invalid);
    assert!(!refused.ambiguous && refused.remedy.is_some());
    assert_eq!(server.asked().len(), 1);
    // An answer that does not name the enrolment proves nothing.
    let server = Server::start(|_, _| told(200, "")).await;
    let lost = client(&server.url).enrol(&id("64"), "2").await.unwrap_err();
    assert!(lost.ambiguous);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn an_event_is_a_form_with_its_own_key() {
    let with_events = |url: &str| {
        let key = std::sync::Arc::new(crate::http::FixedToken::new("event-canary/+"));
        let tracking = EventTracking::new(&format!("{url}/event"), "77", key).unwrap();
        client(url).with_events(tracking)
    };
    let server = Server::start(|_, _| example("event_track_response_200")).await;
    let ac = with_events(&server.url);
    let owner = Email::parse("jo+1@example.com").unwrap();
    let sent = ac
        .record_event(&owner, "pet_adopted", &"é".repeat(400))
        .await
        .unwrap();
    let asked = &server.asked()[0];
    assert_eq!(asked.path, "/event");
    assert!(!asked.headers.contains_key("api-token"));
    assert_eq!(
        asked.headers.get("content-type").unwrap(),
        "application/x-www-form-urlencoded"
    );
    let form: std::collections::HashMap<String, String> =
        url::form_urlencoded::parse(asked.text.as_bytes())
            .into_owned()
            .collect();
    assert_eq!(form["key"], "event-canary/+");
    assert_eq!(
        (form["actid"].as_str(), form["event"].as_str()),
        ("77", "pet_adopted")
    );
    assert_eq!(form["eventdata"].chars().count(), 250);
    assert_eq!(form["visit"], r#"{"email":"jo+1@example.com"}"#);
    assert!(!format!("{sent:?}").contains("canary"), "{sent:?}");

    let server = Server::start(|asked, _| {
        told(
            200,
            json!({"success": 0, "message": format!("bad {}", asked.text)}),
        )
    })
    .await;
    let refused = with_events(&server.url)
        .record_event(&owner, "x", "")
        .await
        .unwrap_err();
    assert_eq!(
        (refused.class, refused.ambiguous),
        (ErrorClass::Invalid, false)
    );
    assert!(!format!("{refused:?}").contains("canary"), "{refused:?}");
    let unset = client(&server.url).record_event(&owner, "x", "").await;
    assert_eq!(unset.unwrap_err().class, ErrorClass::Config);
}

#[tokio::test]
async fn every_page_of_a_contacts_part_is_read_and_one_that_repeats_is_the_end() {
    let rows = |from: usize, to: usize| -> Vec<Value> {
        (from..to)
            .map(|n| json!({"id": n.to_string(), "tag": "1"}))
            .collect()
    };
    let paged = Server::start(move |asked, _| {
        let part = if asked.path.contains("offset=0") {
            rows(0, 100)
        } else {
            rows(100, 130)
        };
        told(200, json!({"contactTags": part, "meta": {"total": "130"}}))
    })
    .await;
    let all = client(&paged.url).tag_links(&contact_id()).await.unwrap();
    assert_eq!(all.len(), 130);
    let whole = Server::start(move |_, _| told(200, json!({"contactTags": rows(0, 130)}))).await;
    let all = client(&whole.url).tag_links(&contact_id()).await.unwrap();
    assert_eq!((all.len(), whole.asked().len()), (130, 2));
}

#[tokio::test]
async fn a_contacts_part_that_ends_before_its_total_is_not_taken_for_whole() {
    let server = Server::start(|asked, _| {
        let row = |list: &str| json!({ list: [{"id": "1", "tag": "1"}], "meta": {"total": "2"} });
        let list = asked.path.split(['?', '/']).nth(5).unwrap();
        told(200, row(list))
    })
    .await;
    let ac = client(&server.url);
    for error in [
        ac.tag_links(&contact_id()).await.unwrap_err(),
        ac.contact_tags(&contact_id()).await.unwrap_err(),
        ac.standings(&contact_id()).await.unwrap_err(),
        ac.tracking_log(&contact_id()).await.unwrap_err(),
    ] {
        assert_eq!(error.class, ErrorClass::Transient);
        assert!(error.message.contains("ended after 1 of 2"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_gives_twenty_rows_whatever_it_is_asked_is_read_to_its_end() {
    let server = Server::start(|asked, _| {
        let offset = asked.path.rsplit('=').next().unwrap();
        let from: usize = offset.parse().unwrap();
        let rows: Vec<Value> = (from..45.min(from + 20))
            .map(|n| json!({"id": n, "tag": "1"}))
            .collect();
        told(200, json!({ "contactTags": rows }))
    })
    .await;
    let links = client(&server.url).tag_links(&contact_id()).await.unwrap();
    assert_eq!((links.len(), server.asked().len()), (45, 3));
}

#[tokio::test]
async fn names_are_found_whatever_their_case_and_never_guessed_between_two() {
    let server = Server::start(|_, _| {
        let tags = json!([{"id": "1", "tag": "Donor"}, {"id": "2", "tag": "VIP"}, {"id": "3", "tag": "vip"}]);
        told(200, json!({"tags": tags, "meta": {"total": "3"}}))
    })
    .await;
    let ac = client(&server.url);
    let found = |named: Option<crate::model::contact::Named>| named.map(|named| named.id);
    assert_eq!(
        found(ac.tag_named("donor").await.unwrap()).as_deref(),
        Some("1")
    );
    assert_eq!(
        found(ac.tag_named("vip").await.unwrap()).as_deref(),
        Some("3")
    );
    assert_eq!(found(ac.tag_named("none").await.unwrap()), None);
    let several = ac.tag_named("Vip").await.unwrap_err();
    assert_eq!(several.class, ErrorClass::Invalid);
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn tags_and_lists_ride_along_in_an_import_row() {
    let rides = Rides {
        tags: vec!["a \"b\"".into(), "c".into()],
        subscribe: vec!["2".into()],
        unsubscribe: vec!["3".into(), "4".into()],
    };
    let row = import_row_with(&write("a@example.com", vec![custom("7", "x")]), &rides);
    let row: Value = serde_json::from_str(&row).unwrap();
    let expected = json!({
        "email": "a@example.com", "fields": [{"id": 7, "value": "x"}], "tags": ["a \"b\"", "c"],
        "subscribe": [{"listid": 2}], "unsubscribe": [{"listid": 3}, {"listid": 4}],
    });
    assert_eq!(row, expected);
}
