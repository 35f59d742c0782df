//! ActiveCampaign: paging, upserts and their traps, imports, limits.

use super::*;
use std::collections::BTreeSet;

async fn sync(wire: &Wire, contact: Value) -> Got {
    wire.ac("POST", "/contact/sync", json!({"contact": contact}))
        .await
}

#[tokio::test]
async fn tokens_and_paths_are_checked() {
    let wire = start(small()).await;
    let url = format!("{}/api/3/users/me", wire.sandbox.activecampaign_url);
    assert_eq!(
        got(wire.client.get(&url).header("Api-Token", "x"), Value::Null)
            .await
            .status,
        403
    );
    assert_eq!(
        wire.ac("GET", "/users/me", Value::Null).await.body["user"]["id"],
        "1"
    );
    assert_eq!(wire.ac("GET", "/users/me/", Value::Null).await.status, 404);
    assert_eq!(
        wire.ac("POST", "/contacts/sync", json!({})).await.status,
        404
    );
    assert_eq!(wire.ac("POST", "/bulkImport", json!({})).await.status, 404);
}

#[tokio::test]
async fn lists_have_twenty_items_unless_told() {
    let wire = start(small()).await;
    let first = wire.ac("GET", "/fields", Value::Null).await;
    assert_eq!(
        (
            list(&first.body, "fields").len(),
            &first.body["meta"]["total"]
        ),
        (20, &json!("32"))
    );
    let all = wire
        .ac("GET", "/fields?limit=100&offset=0", Value::Null)
        .await;
    let fields = list(&all.body, "fields");
    let status = fields
        .iter()
        .find(|field| field["perstag"] == "STATUS")
        .unwrap();
    let options: Vec<_> = list(&all.body, "fieldOptions")
        .iter()
        .filter(|option| option["field"] == status["id"])
        .collect();
    assert!(
        options
            .iter()
            .any(|option| option["value"] == "pending-review" && option["label"] == "Pending")
    );
    assert_eq!(
        fields
            .iter()
            .filter(|field| field["title"] == "Nickname")
            .count(),
        2
    );
    let big = wire.ac("GET", "/contacts?limit=500", Value::Null).await;
    assert_eq!(list(&big.body, "contacts").len(), 100);
    assert_eq!(wire.sandbox.control().stats().violations, 1);
}

#[tokio::test]
async fn contacts_are_walked_by_id_and_by_ids() {
    let wire = start(small()).await;
    let (mut last, mut ids) = (0, BTreeSet::new());
    loop {
        let path = format!(
            "/contacts?limit=100&orders[id]=ASC&id_greater={last}&include=fieldValues,contactTags"
        );
        let got = wire.ac("GET", &path, Value::Null).await;
        let contacts = list(&got.body, "contacts");
        let Some(end) = contacts.last() else { break };
        last = end["id"].as_str().unwrap().parse().unwrap();
        ids.extend(
            contacts
                .iter()
                .map(|contact| contact["id"].as_str().unwrap().to_owned()),
        );
        assert!(
            !list(&got.body, "fieldValues").is_empty()
                && !list(&got.body, "contactTags").is_empty()
        );
    }
    assert_eq!(ids.len(), 300);
    let two = wire
        .ac(
            "GET",
            "/contacts?ids[]=7&ids[]=9&orders[id]=ASC",
            Value::Null,
        )
        .await;
    assert_eq!(
        list(&two.body, "contacts")
            .iter()
            .map(|contact| &contact["id"])
            .collect::<Vec<_>>(),
        ["7", "9"]
    );
    let email = two.body["contacts"][0]["email"]
        .as_str()
        .unwrap()
        .to_uppercase();
    let one = wire
        .ac("GET", &format!("/contacts?email={email}"), Value::Null)
        .await;
    assert_eq!(
        (&one.body["meta"]["total"], &one.body["contacts"][0]["id"]),
        (&json!("1"), &json!("7"))
    );
    sync(&wire, json!({"email": "new+one@example.com"})).await;
    let fresh = wire
        .ac(
            "GET",
            "/contacts?filters[updated_after]=2026-01-01&id_greater=300&orders[id]=ASC",
            Value::Null,
        )
        .await;
    assert_eq!(fresh.body["contacts"][0]["email"], "new+one@example.com");
    let plus = wire
        .ac("GET", "/contacts?email=new+one@example.com", Value::Null)
        .await;
    assert_eq!(plus.body["meta"]["total"], "0");
    assert_eq!(wire.sandbox.control().stats().violations, 0);
    let unknown = wire
        .ac("GET", "/contacts?mail=x@example.com&limit=1", Value::Null)
        .await;
    assert_eq!(list(&unknown.body, "contacts").len(), 1);
    assert_eq!(wire.sandbox.control().stats().violations, 1);
}

#[tokio::test]
async fn sync_creates_updates_clears_and_drops() {
    let wire = start(small()).await;
    let control = wire.sandbox.control();
    let values = json!([{"field": "2", "value": "Rex"}, {"field": "7", "value": "2020-01-02"},
        {"field": "8", "value": "2026-05-19T13:05:00-06:00"}]);
    let created = sync(
        &wire,
        json!({"email": "Jane@Example.com", "firstName": "Jane", "fieldValues": values}),
    )
    .await;
    assert_eq!(
        (created.status, list(&created.body, "fieldValues").len()),
        (201, 3)
    );
    let jane = control.contact("jane@example.com").unwrap();
    assert_eq!(jane.fields["VISITED_AT"], "2026-05-19T14:05:00-05:00");
    let cleared =
        sync(&wire, json!({"email": "jane@example.COM", "firstName": "", "fieldValues": [{"field": 2, "value": ""}]})).await;
    assert_eq!(
        (cleared.status, &cleared.body["contact"]["id"]),
        (200, &json!(jane.id.to_string()))
    );
    assert!(cleared.body["contact"]["fieldValues"][0].is_string());
    let jane = control.contact("jane@example.com").unwrap();
    assert_eq!(
        (jane.first_name.as_str(), jane.fields.get("PET_NAME")),
        ("", None)
    );
    assert_eq!(jane.fields["BORN"], "2020-01-02");
    assert_eq!(control.stats().violations, 0);

    let outside = json!({"contact": {"email": "jane@example.com"}, "fieldValues": [{"field": "2", "value": "Lost"}]});
    assert_eq!(wire.ac("POST", "/contact/sync", outside).await.status, 200);
    sync(&wire, json!({"email": "jane@example.com", "fieldValues": [{"field": "999", "value": "x"}, {"field": "3", "value": [1]}]})).await;
    let jane = control.contact("jane@example.com").unwrap();
    assert_eq!(
        (
            jane.fields.get("PET_NAME"),
            jane.fields["WEIGHT_KG"].as_str()
        ),
        (None, "Array")
    );
    assert_eq!(control.stats().violations, 2);
    assert_eq!(
        sync(&wire, json!({"email": "not-an-email"})).await.status,
        422
    );
    let duplicate = wire
        .ac(
            "POST",
            "/contacts",
            json!({"contact": {"email": "jane@example.com"}}),
        )
        .await;
    assert_eq!(
        (duplicate.status, &duplicate.body["errors"][0]["code"]),
        (422, &json!("duplicate"))
    );
    let renamed = wire
        .ac(
            "PUT",
            &format!("/contacts/{}", jane.id),
            json!({"contact": {"email": "j@example.com"}}),
        )
        .await;
    assert_eq!(renamed.status, 200);
    assert_eq!(
        control.contact("j@example.com").map(|contact| contact.id),
        Some(jane.id)
    );
    assert_eq!(
        wire.ac("DELETE", &format!("/contacts/{}", jane.id), Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(
        wire.ac("GET", &format!("/contacts/{}", jane.id), Value::Null)
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn a_deleted_contact_may_answer() {
    let quirks = Quirks {
        deleted_contacts_answer: true,
        ..Quirks::default()
    };
    let wire = with_quirks(quirks).await;
    wire.ac("DELETE", "/contacts/5", Value::Null).await;
    let gone = wire.ac("GET", "/contacts/5", Value::Null).await;
    assert_eq!(
        (gone.status, &gone.body["contact"]["email"]),
        (200, &json!("deleted+5@example.com"))
    );
    let listed = wire.ac("GET", "/contacts?ids[]=5", Value::Null).await;
    assert_eq!(listed.body["meta"]["total"], "0");
}

#[tokio::test]
async fn empty_dates_may_stay() {
    let wire = with_quirks(Quirks {
        empty_date_clears: false,
        ..Quirks::default()
    })
    .await;
    sync(
        &wire,
        json!({"email": "a@example.com", "fieldValues": [{"field": "7", "value": "2020-01-02"}]}),
    )
    .await;
    sync(
        &wire,
        json!({"email": "a@example.com", "fieldValues": [{"field": "7", "value": ""}]}),
    )
    .await;
    let contact = wire.sandbox.control().contact("a@example.com").unwrap();
    assert_eq!(contact.fields["BORN"], "2020-01-02");
    let values = wire
        .ac(
            "GET",
            &format!("/contacts/{}/fieldValues", contact.id),
            Value::Null,
        )
        .await;
    let id = values.body["fieldValues"][0]["id"].as_str().unwrap();
    assert_eq!(
        wire.ac("DELETE", &format!("/fieldValues/{id}"), Value::Null)
            .await
            .status,
        200
    );
    assert!(
        wire.sandbox
            .control()
            .contact("a@example.com")
            .unwrap()
            .fields
            .is_empty()
    );
}

async fn import(wire: &Wire, contacts: Value) -> Got {
    wire.ac("POST", "/import/bulk_import", json!({"contacts": contacts}))
        .await
}

async fn info(wire: &Wire, queued: &Got) -> Value {
    wire.ac(
        "GET",
        &format!(
            "/import/info?batchId={}",
            queued.body["batchId"].as_str().unwrap()
        ),
        Value::Null,
    )
    .await
    .body
}

#[tokio::test]
async fn an_import_waits_then_writes() {
    let wire = start(Options {
        import_delay: Duration::from_millis(400),
        ..small()
    })
    .await;
    let control = wire.sandbox.control();
    control.exclude("no@example.com");
    let known = control.contacts()[0].clone();
    control.unsubscribe(&known.email, "Adopters");
    let queued = import(
        &wire,
        json!([
            {"email": known.email, "fields": [{"id": 2, "value": "Rex"}], "tags": ["PET-owner", "fresh"], "subscribe": [{"listid": 2}]},
            {"email": "New@example.com", "first_name": "New", "fields": [{"id": "4", "value": "12.40"}], "subscribe": [{"listid": 2}]},
            {"email": "no@example.com"},
        ]),
    )
    .await;
    assert_eq!(
        (
            queued.status,
            &queued.body["Success"],
            &queued.body["queued_contacts"]
        ),
        (200, &json!(1), &json!(3))
    );
    assert_eq!(info(&wire, &queued).await, json!({"status": false}));
    assert_eq!(control.contact("new@example.com"), None);
    let mut seen = Vec::new();
    let done = loop {
        let info = info(&wire, &queued).await;
        match info["status"].as_str() {
            Some("completed") => break info,
            status => seen.push(status.map(str::to_owned)),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert!(
        seen.contains(&Some("waiting".to_owned())) && seen.contains(&Some("active".to_owned()))
    );
    let new = control.contact("new@example.com").unwrap();
    assert_eq!(
        done["success"],
        json!([known.id.to_string(), new.id.to_string()])
    );
    assert_eq!(done["failure"], json!(["no@example.com"]));
    assert_eq!(
        (new.fields["WEIGHT"].as_str(), new.lists["Adopters"]),
        ("12.40", 1)
    );
    let changed = control.contact(&known.email).unwrap();
    assert_eq!(
        (
            changed.fields["PET_NAME"].as_str(),
            changed.lists["Adopters"]
        ),
        ("Rex", 2)
    );
    assert!(
        changed.tags.contains(&"pet-owner".to_owned())
            && changed.tags.contains(&"fresh".to_owned())
    );
    assert_eq!(control.log()[0].contacts, Some(3));
}

#[tokio::test]
async fn one_bad_row_refuses_the_whole_import() {
    let wire = with_quirks(Quirks {
        failure_index_base: 1,
        success_names_updated: false,
        ..Quirks::default()
    })
    .await;
    let refused = import(&wire, json!([{"email": "a@example.com"}, {"email": "bad"}])).await;
    assert_eq!(
        (
            refused.status,
            &refused.body["failureReasons"][0]["contact"]
        ),
        (400, &json!(2))
    );
    assert_eq!(wire.sandbox.control().contact("a@example.com"), None);
    let many: Vec<Value> = (0..251)
        .map(|at| json!({"email": format!("x{at}@example.com")}))
        .collect();
    assert_eq!(import(&wire, many.into()).await.status, 400);
    let long = "x".repeat(400_000);
    assert_eq!(
        import(
            &wire,
            json!([{"email": "a@example.com", "fields": [{"id": 2, "value": long}]}])
        )
        .await
        .status,
        400
    );
    import(&wire, json!([{"email": "a@example.com"}])).await;
    let again = import(
        &wire,
        json!([{"email": "a@example.com"}, {"email": "b@example.com"}]),
    )
    .await;
    let new = wire
        .sandbox
        .control()
        .contact("b@example.com")
        .unwrap()
        .id
        .to_string();
    assert_eq!(info(&wire, &again).await["success"], json!([new]));
    assert_eq!(
        wire.ac("GET", "/import/info", Value::Null).await.status,
        400
    );
}

#[tokio::test]
async fn the_account_takes_five_requests_a_second() {
    let wire = start(Options {
        limits: true,
        quirks: Quirks {
            throttle_status: 503,
            ..Quirks::default()
        },
        ..small()
    })
    .await;
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(wire.ac("GET", "/users/me", Value::Null).await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 200, 200, 503]);
    tokio::time::sleep(Duration::from_millis(1050)).await;
    let again = wire.ac("GET", "/users/me", Value::Null).await;
    assert_eq!(
        (
            again.status,
            again.headers["RateLimit-Remaining"].to_str().unwrap()
        ),
        (200, "4")
    );
}

#[tokio::test]
async fn tags_lists_and_automations_of_a_contact() {
    let wire = start(small()).await;
    let id = wire.sandbox.control().contacts()[0].id.to_string();
    let tag = wire
        .ac(
            "POST",
            "/tags",
            json!({"tag": {"tag": "vip", "tagType": "contact"}}),
        )
        .await;
    assert_eq!(tag.status, 201);
    assert_eq!(
        wire.ac(
            "POST",
            "/tags",
            json!({"tag": {"tag": "VIP", "tagType": "contact"}})
        )
        .await
        .status,
        422
    );
    let add = json!({"contactTag": {"contact": id, "tag": tag.body["tag"]["id"]}});
    let added = wire.ac("POST", "/contactTags", add.clone()).await;
    assert_eq!(
        (
            added.status,
            wire.ac("POST", "/contactTags", add).await.status
        ),
        (201, 200)
    );
    let association = added.body["contactTag"]["id"].as_str().unwrap();
    assert_eq!(
        wire.ac(
            "DELETE",
            &format!("/contactTags/{association}"),
            Value::Null
        )
        .await
        .status,
        200
    );
    assert_eq!(
        wire.ac(
            "DELETE",
            &format!("/contactTags/{association}"),
            Value::Null
        )
        .await
        .status,
        404
    );
    let left = wire
        .ac(
            "POST",
            "/contactLists",
            json!({"contactList": {"contact": id, "list": 1, "status": 2}}),
        )
        .await;
    assert_eq!(left.body["contactList"]["status"], 2);
    let lists = wire
        .ac("GET", &format!("/contacts/{id}/contactLists"), Value::Null)
        .await;
    assert!(
        list(&lists.body, "contactLists")
            .iter()
            .any(|row| row["list"] == "1" && row["status"] == "2")
    );
    let enrol = |automation: u64| json!({"contactAutomation": {"contact": id, "automation": automation.to_string()}});
    let entered = wire.ac("POST", "/contactAutomations", enrol(1)).await;
    assert_eq!(
        (
            entered.status,
            wire.ac("POST", "/contactAutomations", enrol(3))
                .await
                .status
        ),
        (201, 403)
    );
    assert_eq!(
        wire.sandbox.control().contacts()[0].automations,
        ["Adoption welcome"]
    );
    let enrolment = entered.body["contactAutomation"]["id"].as_str().unwrap();
    assert_eq!(
        wire.ac(
            "DELETE",
            &format!("/contactAutomations/{enrolment}"),
            Value::Null
        )
        .await
        .status,
        200
    );
    assert!(wire.sandbox.control().contacts()[0].automations.is_empty());
}

#[tokio::test]
async fn a_field_is_made_in_three_calls() {
    let wire = start(small()).await;
    let made = wire
        .ac(
            "POST",
            "/fields",
            json!({"field": {"type": "dropdown", "title": "Coat colour", "visible": 1}}),
        )
        .await;
    assert_eq!(
        (made.status, &made.body["field"]["perstag"]),
        (201, &json!("COAT_COLOUR"))
    );
    let id = &made.body["field"]["id"];
    assert_eq!(
        wire.ac(
            "POST",
            "/fieldRels",
            json!({"fieldRel": {"field": id, "relid": 0}})
        )
        .await
        .status,
        201
    );
    let options = json!({"fieldOptions": [{"orderid": 1, "value": "black", "label": "Black", "isdefault": false, "field": id}]});
    assert_eq!(
        wire.ac("POST", "/fieldOption/bulk", options).await.status,
        201
    );
    assert!(
        wire.ac("POST", "/fieldOption/bulk", json!({"field": 1}))
            .await
            .body["errors"]
            .is_string()
    );
    let found = wire
        .ac("GET", "/fields?filters[perstag]=COAT_COLOUR", Value::Null)
        .await;
    assert_eq!(found.body["fieldOptions"][0]["label"], "Black");
}

#[tokio::test]
async fn events_are_forms_with_their_own_key_and_stand_in_the_log() {
    let wire = start(small()).await;
    let contact = sync(&wire, json!({"email": "s@example.com"})).await;
    let id = contact.body["contact"]["id"].as_str().unwrap().to_owned();
    let post = |kind: &str, key: &str, name: &str| {
        let url = format!("{}/event", wire.sandbox.activecampaign_url);
        let form = format!(
            "actid={EVENT_ACCOUNT}&key={key}&event={name}&eventdata=Rex&visit=%7B%22email%22%3A%22s%40example.com%22%7D"
        );
        let request = wire
            .client
            .post(url)
            .header("Content-Type", kind)
            .body(form);
        async move {
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
            (status, body["success"].as_u64())
        }
    };
    let form = "application/x-www-form-urlencoded";
    assert_eq!(post(form, EVENT_KEY, "pet_adopted").await, (200, Some(1)));
    assert_eq!(post(form, "wrong", "pet_adopted").await, (200, Some(0)));
    assert_eq!(post(form, EVENT_KEY, &"x".repeat(33)).await, (200, Some(0)));
    assert_eq!(
        post("application/json", EVENT_KEY, "pet_adopted").await,
        (400, None)
    );
    let log = wire
        .ac(
            "GET",
            &format!("/contacts/{id}/trackingLogs?limit=100"),
            Value::Null,
        )
        .await;
    let rows = list(&log.body, "trackingLogs");
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (&rows[0]["type"], &rows[0]["value"]),
        (&json!("pet_adopted"), &json!("Rex"))
    );
    assert_eq!(
        wire.sandbox
            .control()
            .contact("s@example.com")
            .unwrap()
            .events,
        ["pet_adopted"]
    );
}
