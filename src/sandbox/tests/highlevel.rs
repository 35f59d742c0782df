//! HighLevel: strictness, search, writes, relations, limits.

use super::*;
use crate::sandbox::{PageWithSearchAfter, Sort};
use std::collections::BTreeSet;

const PETS: &str = "/objects/custom_objects.pets/records";

#[tokio::test]
async fn token_version_location_scope_and_path_are_checked() {
    let wire = start(small()).await;
    let url = format!(
        "{}/objects/?locationId={LOCATION_ID}",
        wire.sandbox.highlevel_url
    );
    let no_version = got(
        wire.client.get(&url).bearer_auth(HIGHLEVEL_TOKEN),
        Value::Null,
    )
    .await;
    assert_eq!(no_version.status, 400);
    let wrong = got(
        wire.client
            .get(&url)
            .bearer_auth("x")
            .header("Version", "v3"),
        Value::Null,
    )
    .await;
    assert_eq!(
        (wrong.status, &wrong.body["message"]),
        (401, &json!("Invalid Private Integration token"))
    );
    let other = wire
        .ghl("GET", "/objects/?locationId=another", Value::Null)
        .await;
    assert_eq!(
        (other.status, &other.body["message"]),
        (
            401,
            &json!("This location is not accessible from this token!")
        )
    );
    assert_eq!(wire.ghl("GET", "/objects/", Value::Null).await.status, 422);
    assert_eq!(
        wire.ghl(
            "GET",
            &format!("/Objects/?locationId={LOCATION_ID}"),
            Value::Null
        )
        .await
        .status,
        401
    );
    let stray = wire
        .ghl(
            "GET",
            &format!("/objects/?locationId={LOCATION_ID}&limit=3"),
            Value::Null,
        )
        .await;
    assert_eq!(
        (stray.status, &stray.body["message"]),
        (422, &json!(["property limit should not exist"]))
    );
    wire.sandbox
        .control()
        .remove_scope("objects/schema.readonly");
    assert_eq!(
        wire.ghl(
            "GET",
            &format!("/objects/?locationId={LOCATION_ID}"),
            Value::Null
        )
        .await
        .status,
        401
    );
    assert_eq!(wire.search(json!({})).await.status, 200);
}

#[tokio::test]
async fn location_id_has_one_place_in_each_record_call() {
    let wire = start(small()).await;
    let properties = json!({"name": "Rex"});
    let in_query = format!("?locationId={LOCATION_ID}");
    let created = wire
        .ghl(
            "POST",
            PETS,
            json!({"locationId": LOCATION_ID, "properties": properties}),
        )
        .await;
    assert_eq!(created.status, 201);
    let one = format!("{PETS}/{}", created.body["record"]["id"].as_str().unwrap());
    assert_eq!(
        wire.ghl(
            "POST",
            &format!("{PETS}{in_query}"),
            json!({"properties": properties})
        )
        .await
        .status,
        422
    );
    assert_eq!(wire.ghl("GET", &one, Value::Null).await.status, 200);
    assert_eq!(
        wire.ghl("GET", &format!("{one}{in_query}"), Value::Null)
            .await
            .status,
        200
    );
    let updated = wire
        .ghl(
            "PUT",
            &format!("{one}{in_query}"),
            json!({"properties": {"breed": "Collie"}}),
        )
        .await;
    assert_eq!(
        updated.body["record"]["properties"],
        json!({"name": "Rex", "breed": "Collie"})
    );
    let missing = wire
        .ghl("PUT", &one, json!({"properties": properties}))
        .await;
    assert_eq!(
        (missing.status, &missing.body["message"]),
        (404, &json!("Custom Object (custom_objects.pets) not found"))
    );
    let doubled = wire
        .ghl(
            "PUT",
            &format!("{one}{in_query}"),
            json!({"locationId": LOCATION_ID}),
        )
        .await;
    assert_eq!(
        (doubled.status, &doubled.body["message"]),
        (422, &json!(["property locationId should not exist"]))
    );
    assert_eq!(
        wire.ghl("DELETE", &format!("{one}{in_query}"), Value::Null)
            .await
            .status,
        422
    );
    assert_eq!(
        wire.ghl("DELETE", &one, Value::Null).await.body["success"],
        true
    );
    assert_eq!(wire.ghl("GET", &one, Value::Null).await.status, 404);
}

#[tokio::test]
async fn values_are_checked_by_data_type() {
    let wire = start(small()).await;
    for (key, value) in [
        ("weight", json!("12")),
        ("owner_phone", json!("555")),
        ("price", json!(12)),
        ("status", json!("Available")),
        ("temperament", json!("calm")),
        ("born", json!("2024-13-01")),
        ("photos", json!(["x"])),
        ("owner_email", json!("nobody")),
        ("notes", json!("x")),
        ("nonsense", json!("x")),
    ] {
        let got = wire
            .ghl(
                "POST",
                PETS,
                json!({"locationId": LOCATION_ID, "properties": {key: value}}),
            )
            .await;
        assert_eq!(got.status, 422, "{key}");
    }
    let good = json!({"weight": 12.5, "owner_phone": "+15551234567", "price": {"currency": "default", "value": 3}, "status": "adopted",
        "temperament": ["calm"], "born": "2024-02-29", "photos": [{"url": "x"}], "size": "anything", "notes.kitchen": "x"});
    let got = wire
        .ghl(
            "POST",
            PETS,
            json!({"locationId": LOCATION_ID, "properties": good}),
        )
        .await;
    assert_eq!(
        (got.status, &got.body["record"]["properties"]),
        (201, &good)
    );
}

#[tokio::test]
async fn pages_and_cursors_reach_every_record_once_in_order() {
    let wire = start(small()).await;
    let sort = json!([{"field": "updatedAt", "direction": "desc"}]);
    let mut paged = Vec::new();
    for page in 1..=3 {
        let got = wire.search(json!({"page": page, "sort": sort})).await;
        assert_eq!(got.body["total"], 250);
        paged.extend(list(&got.body, "records").clone());
    }
    let mut walked: Vec<Value> = Vec::new();
    loop {
        let after = walked.last().map(|row| row["searchAfter"].clone());
        let page = if after.is_some() {
            Value::Null
        } else {
            json!(1)
        };
        let got = wire
            .search(json!({"page": page, "pageLimit": 33, "sort": sort, "searchAfter": after}))
            .await;
        assert_eq!(got.status, 200, "{}", got.body);
        if list(&got.body, "records").is_empty() {
            break;
        }
        walked.extend(list(&got.body, "records").clone());
    }
    assert_eq!(paged, walked);
    let ids: BTreeSet<&str> = walked
        .iter()
        .map(|row| row["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 250);
    assert!(
        walked.is_sorted_by(|one, next| one["updatedAt"].as_str() >= next["updatedAt"].as_str())
    );
    assert!(
        walked
            .windows(2)
            .any(|rows| rows[0]["updatedAt"] == rows[1]["updatedAt"])
    );
}

#[tokio::test]
async fn search_filters_and_queries() {
    let wire = start(small()).await;
    let filters = json!([
        {"field": "properties.status", "operator": "eq", "value": "adopted"},
        {"group": "OR", "filters": [
            {"field": "properties.weight", "operator": "range", "value": {"gte": 30}},
            {"field": "properties.temperament", "operator": "contains", "value": "calm"},
        ]},
    ]);
    let got = wire.search(json!({"filters": filters})).await;
    let rows = list(&got.body, "records");
    assert!(!rows.is_empty() && rows.len() < 100);
    for row in rows {
        let pet = &row["properties"];
        assert_eq!(pet["status"], "adopted");
        let calm = pet["temperament"]
            .as_array()
            .is_some_and(|all| all.contains(&json!("calm")));
        assert!(calm || pet["weight"].as_f64().unwrap() >= 30.0);
    }
    let newest = wire
        .search(json!({"sort": [{"field": "updatedAt", "direction": "desc"}], "pageLimit": 10}))
        .await;
    let tenth = list(&newest.body, "records")[9]["updatedAt"].clone();
    let since = wire.search(json!({"filters": [{"field": "updatedAt", "operator": "range", "value": {"gte": tenth}}]})).await;
    assert_eq!(since.body["total"], 10);
    let chip = list(&newest.body, "records")[3]["properties"]["chip"].clone();
    let found = wire
        .search(json!({"query": format!("chip:{}", chip.as_str().unwrap())}))
        .await;
    assert_eq!(found.body["total"], 1);
    let by_email = wire.search(json!({"query": "EXAMPLE.com"})).await;
    assert!(by_email.body["total"].as_u64().unwrap() > 200);
    for wrong in [
        json!({"page": "1"}),
        json!({"page": null}),
        json!({"pageLimit": 101}),
        json!({"limit": 1}),
        json!({"filters": [{"field": "x"}]}),
    ] {
        assert_eq!(wire.search(wrong.clone()).await.status, 422, "{wrong}");
    }
}

#[tokio::test]
async fn quirks_of_the_search_play_both_sides() {
    let reject = Quirks {
        page_with_search_after: PageWithSearchAfter::Reject,
        sort: Sort::Reject,
        page_reach: 200,
        relations_in_records: false,
        properties_as_string: true,
        numbers_as_strings: true,
        ..Quirks::default()
    };
    let wire = with_quirks(reject).await;
    assert_eq!(
        wire.search(json!({"sort": [{"field": "updatedAt", "direction": "desc"}]}))
            .await
            .status,
        422
    );
    assert_eq!(wire.search(json!({"page": 2})).await.status, 200);
    assert_eq!(wire.search(json!({"page": 3})).await.status, 400);
    let got = wire.search(json!({})).await;
    let rows = list(&got.body, "records");
    assert!(rows.iter().all(|row| row["relations"] == json!([])));
    let properties: Value = serde_json::from_str(rows[0]["properties"].as_str().unwrap()).unwrap();
    assert!(properties["kennel"].is_string());
    let cursor = rows[0]["searchAfter"].clone();
    assert_eq!(
        wire.search(json!({"searchAfter": cursor})).await.status,
        422
    );
    assert_eq!(
        wire.search(json!({"searchAfter": cursor, "page": null}))
            .await
            .status,
        200
    );
    let require = Quirks {
        page_with_search_after: PageWithSearchAfter::Require,
        sort: Sort::Ignore,
        ..Quirks::default()
    };
    let wire = with_quirks(require).await;
    assert_eq!(
        wire.search(json!({"searchAfter": cursor, "page": null}))
            .await
            .status,
        422
    );
    let sorted = wire
        .search(json!({"sort": [{"field": "updatedAt", "direction": "asc"}]}))
        .await;
    let plain = wire.search(json!({})).await;
    assert_eq!(sorted.body["records"], plain.body["records"]);
}

#[tokio::test]
async fn schemas_name_every_data_type() {
    let wire = start(small()).await;
    let query = format!("?locationId={LOCATION_ID}");
    let objects = wire
        .ghl("GET", &format!("/objects/{query}"), Value::Null)
        .await;
    let keys: Vec<&str> = list(&objects.body, "objects")
        .iter()
        .map(|object| object["key"].as_str().unwrap())
        .collect();
    assert_eq!(keys.len(), 6);
    let object = wire
        .ghl(
            "GET",
            &format!("/objects/custom_objects.pets{query}&fetchProperties=true"),
            Value::Null,
        )
        .await;
    let fields = wire
        .ghl(
            "GET",
            &format!("/custom-fields/object-key/custom_objects.pets{query}"),
            Value::Null,
        )
        .await;
    assert_eq!(object.body["fields"], fields.body["fields"]);
    let types: BTreeSet<&str> = list(&fields.body, "fields")
        .iter()
        .map(|field| field["dataType"].as_str().unwrap())
        .collect();
    let expected = [
        "CHECKBOX",
        "DATE",
        "EMAIL",
        "FILE_UPLOAD",
        "LARGE_TEXT",
        "MONETORY",
        "MULTIPLE_OPTIONS",
        "NUMERICAL",
        "PHONE",
        "RADIO",
        "SIGNATURE",
        "SINGLE_OPTIONS",
        "TEXT",
        "TEXTBOX_LIST",
    ];
    assert_eq!(types.into_iter().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_record_leads_to_its_contact() {
    let wire = start(small()).await;
    let query = format!("?locationId={LOCATION_ID}");
    let visit_owner = wire
        .ghl(
            "GET",
            &format!("/associations/key/visit_owner{query}"),
            Value::Null,
        )
        .await;
    assert_eq!(visit_owner.body["firstObjectKey"], "contact");
    let body = json!({"locationId": LOCATION_ID, "page": 1, "pageLimit": 20});
    let visits = wire
        .ghl(
            "POST",
            "/objects/custom_objects.visits/records/search",
            body,
        )
        .await;
    let visit = list(&visits.body, "records")
        .iter()
        .find(|row| {
            row["relations"][0]["recordId"]
                .as_str()
                .is_some_and(|id| !id.starts_with("zz"))
        })
        .unwrap();
    let id = visit["id"].as_str().unwrap();
    let relations = wire
        .ghl(
            "GET",
            &format!("/associations/relations/{id}{query}&skip=0&limit=100"),
            Value::Null,
        )
        .await;
    let relation = &list(&relations.body, "relations")[0];
    let side = if relation["firstObjectKey"] == "contact" {
        "firstRecordId"
    } else {
        "secondRecordId"
    };
    assert_eq!(relation[side], visit["relations"][0]["recordId"]);
    let contact_id = relation[side].as_str().unwrap();
    let contact = wire
        .ghl("GET", &format!("/contacts/{contact_id}"), Value::Null)
        .await;
    assert_eq!(contact.body["contact"]["id"], contact_id);
    let singular = format!("/associations/relations/{id}{query}&skip=0&limit=100&associationId=x");
    assert_eq!(wire.ghl("GET", &singular, Value::Null).await.status, 422);
    let again = json!({"locationId": LOCATION_ID, "associationId": relation["associationId"],
        "firstRecordId": relation["firstRecordId"], "secondRecordId": relation["secondRecordId"]});
    let duplicate = wire
        .ghl("POST", "/associations/relations", again.clone())
        .await;
    // The definition's order decides which id is which; a pair in the other order names no such records.
    assert_eq!(duplicate.status, 400);
    let relation_id = relation["id"].as_str().unwrap();
    assert_eq!(
        wire.ghl(
            "DELETE",
            &format!("/associations/relations/{relation_id}{query}"),
            Value::Null
        )
        .await
        .status,
        200
    );
    let found = wire
        .ghl(
            "POST",
            "/contacts/search",
            json!({"locationId": LOCATION_ID, "pageLimit": 5,
            "filters": [{"field": "id", "operator": "eq", "value": contact_id}]}),
        )
        .await;
    assert_eq!(found.body["total"], 1);
    assert_eq!(
        wire.ghl(
            "POST",
            "/contacts/search",
            json!({"locationId": LOCATION_ID})
        )
        .await
        .status,
        422
    );
}

#[tokio::test]
async fn the_hundred_and_first_request_is_refused() {
    let wire = start(Options {
        limits: true,
        records: 40,
        ..small()
    })
    .await;
    for left in (0..100).rev() {
        let got = wire
            .ghl(
                "GET",
                "/objects/?locationId=ve9EPM428h8vShlRW1KT",
                Value::Null,
            )
            .await;
        assert_eq!(
            (
                got.status,
                got.headers["X-RateLimit-Remaining"].to_str().unwrap()
            ),
            (200, left.to_string().as_str())
        );
    }
    let refused = wire
        .ghl(
            "GET",
            "/objects/?locationId=ve9EPM428h8vShlRW1KT",
            Value::Null,
        )
        .await;
    assert_eq!(refused.status, 429);
    assert!(
        refused.headers["Retry-After"]
            .to_str()
            .unwrap()
            .parse::<u64>()
            .unwrap()
            <= 10
    );
    assert_eq!(refused.headers["X-RateLimit-Daily-Remaining"], "199900");
    let last = wire.sandbox.control().log().pop().unwrap();
    assert_eq!(last.violation.as_deref(), Some("rate"));
    assert_eq!(wire.sandbox.control().stats().throttled, 1);
}
