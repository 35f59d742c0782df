use super::*;
use crate::http::testing::{Asked, Server, TOKEN, Told, http, lifted, token, told};
use crate::http::{RawBody, encode};
use crate::model::{DataType, ObjectKey, Properties, RecordId};
use serde_json::json;

const LOCATION: &str = "ve9EPM428h8vShlRW1KT";

fn client(url: &str) -> HighLevel {
    let settings = HighLevelSettings {
        base_url: BaseUrl::parse(url).unwrap(),
        version: VERSION.to_owned(),
        location_id: LOCATION.to_owned(),
    };
    HighLevel::new(settings, token(), http(), lifted(), None).unwrap()
}

fn pets() -> ObjectKey {
    ObjectKey::from("custom_objects.pets")
}

fn record(id: &str) -> Value {
    json!({ "id": id, "owner": [], "followers": [], "properties": { "name": id, "weight": 12 },
            "dateAdded": "2024-07-11T06:23:45.000Z", "dateUpdated": "2024-07-11T06:23:45.000Z" })
}

fn row(id: &str) -> Value {
    json!({ "id": id, "properties": { "name": id }, "updatedAt": "2024-07-11T06:23:45.000Z",
            "createdAt": "2024-07-11T06:23:45.000Z", "searchAfter": [1_720_679_025_000_u64, id] })
}

fn invalid(message: &str) -> Told {
    told(
        422,
        json!({ "statusCode": 422, "message": [message], "error": "Unprocessable Entity", "traceId": "t-9" }),
    )
}

/// The location stands exactly where each call wants it: query, body or nowhere (fact sheet §2.1, §7.5).
#[tokio::test]
async fn the_location_stands_where_each_call_wants_it() {
    let server = Server::start(|asked, _| match asked.method.as_str() {
        "DELETE" => told(200, json!({ "id": "r1", "success": true })),
        _ if asked.path.contains("/search") => {
            told(200, json!({ "records": [], "contacts": [], "total": 0 }))
        }
        _ if asked.path.starts_with("/objects/?") => told(200, json!({ "objects": [] })),
        _ if asked.path.starts_with("/custom-fields") => {
            told(200, json!({ "fields": [], "folders": [] }))
        }
        _ if asked.path.starts_with("/associations") => told(
            200,
            json!({ "associations": [], "relations": [], "total": 0 }),
        ),
        _ if asked.path.starts_with("/contacts/") => {
            told(200, json!({ "contact": { "id": "c1" } }))
        }
        "POST" => told(201, json!({ "record": record("r1") })),
        _ => told(200, json!({ "record": record("r1") })),
    })
    .await;
    let client = client(&server.url);
    let (pets, id) = (pets(), RecordId::from("r1"));
    let mut properties = Properties::new();
    properties.insert("name".into(), "Rex".into());

    client.objects().await.unwrap();
    client.custom_fields(&pets).await.unwrap();
    client.record(&pets, &id).await.unwrap();
    client
        .create_record(&pets, &properties, &["u1".to_owned()])
        .await
        .unwrap();
    client.update_record(&pets, &id, &properties).await.unwrap();
    client.delete_record(&pets, &id).await.unwrap();
    client.search(&pets, &Search::default()).await.unwrap();
    client.associations().await.unwrap();
    client.associations_of(&pets).await.unwrap();
    client.relations(&id).await.unwrap();
    client.contact("c1").await.unwrap();
    client
        .contacts_search(None, &PageCursor::Page(1), 100)
        .await
        .unwrap();

    assert_eq!(
        server.lines(),
        [
            format!("GET /objects/?locationId={LOCATION}"),
            format!("GET /custom-fields/object-key/custom_objects.pets?locationId={LOCATION}"),
            "GET /objects/custom_objects.pets/records/r1".to_owned(),
            "POST /objects/custom_objects.pets/records".to_owned(),
            format!("PUT /objects/custom_objects.pets/records/r1?locationId={LOCATION}"),
            "DELETE /objects/custom_objects.pets/records/r1".to_owned(),
            "POST /objects/custom_objects.pets/records/search".to_owned(),
            format!("GET /associations/?locationId={LOCATION}&skip=0&limit=100"),
            format!("GET /associations/objectKey/custom_objects.pets?locationId={LOCATION}"),
            format!("GET /associations/relations/r1?locationId={LOCATION}&skip=0&limit=100"),
            "GET /contacts/c1".to_owned(),
            "POST /contacts/search".to_owned(),
        ]
    );
    let asked = server.asked();
    assert_eq!(
        asked[3].body,
        json!({ "locationId": LOCATION, "properties": { "name": "Rex" }, "owners": ["u1"] })
    );
    assert_eq!(asked[4].body, json!({ "properties": { "name": "Rex" } }));
    assert_eq!(asked[5].body, Value::Null);
    assert_eq!(
        asked[6].body,
        json!({ "locationId": LOCATION, "pageLimit": 100, "page": 1 })
    );
    assert_eq!(
        asked[11].body,
        json!({ "locationId": LOCATION, "pageLimit": 100, "page": 1 })
    );
    for one in &asked {
        assert_eq!(one.headers.get("version").unwrap(), VERSION);
        assert_eq!(
            one.headers.get("authorization").unwrap().to_str().unwrap(),
            format!("Bearer {TOKEN}")
        );
        assert_eq!(
            one.headers.contains_key("content-type"),
            !one.body.is_null(),
            "{one:?}"
        );
    }
}

#[tokio::test]
async fn an_object_is_read_with_its_properties() {
    let object = json!({ "id": "o1", "standard": false, "key": "custom_objects.pets",
        "labels": { "singular": "Pet", "plural": "Pets" }, "locationId": LOCATION,
        "primaryDisplayProperty": "custom_objects.pets.name",
        "searchableProperties": ["custom_objects.pets.name"],
        "dateAdded": "2024-07-11T06:23:45.000Z", "dateUpdated": "2024-07-12T06:23:45.000Z",
        "type": "USER_DEFINED" });
    let fields = json!([
        { "id": "f1", "fieldKey": "custom_objects.pets.name", "name": "Name", "dataType": "TEXT" },
        { "id": "f2", "fieldKey": "custom_objects.pets.status", "name": "Status", "dataType": "RADIO",
          "allowCustomOption": true, "options": [{ "key": "calm", "label": "Calm", "url": null }] },
        { "id": "f3", "fieldKey": "custom_objects.pets.mood", "name": "Mood", "dataType": "SIGNATURE" },
        { "id": "folder", "name": "General", "documentType": "folder" }
    ]);
    let server = Server::start(move |asked, _| {
        // `fields` comes only where it was asked for, and not from every server.
        if asked.path.starts_with("/custom-fields") {
            told(200, json!({ "fields": fields, "folders": [] }))
        } else if asked.path.contains("pets") {
            told(
                200,
                json!({ "object": object, "cache": true, "fields": fields }),
            )
        } else {
            told(200, json!({ "object": object, "cache": false }))
        }
    })
    .await;
    let client = client(&server.url);
    let schema = client.object(&pets()).await.unwrap();
    assert_eq!(
        (schema.singular.as_str(), schema.plural.as_str()),
        ("Pet", "Pets")
    );
    assert_eq!(schema.primary_property, "name");
    assert_eq!(schema.searchable, ["name"]);
    assert_eq!(schema.properties.len(), 3);
    let status = schema.property("status").unwrap();
    assert!(status.allow_custom_option);
    assert_eq!(status.options[0].label, "Calm");
    assert_eq!(
        schema.property("mood").unwrap().data_type,
        DataType::Unknown("SIGNATURE".to_owned())
    );
    assert_eq!(
        server.lines()[0],
        format!("GET /objects/custom_objects.pets?locationId={LOCATION}&fetchProperties=true")
    );

    let other = client.object(&ObjectKey::from("o1")).await.unwrap();
    assert_eq!(other.properties.len(), 3);
    assert_eq!(server.asked().len(), 3);
}

/// Walks 250 rows by page and then by cursor against a server with `rule`.
async fn walk(rule: impl Fn(&Asked) -> Option<Told> + Send + Sync + 'static) -> (usize, usize) {
    let server = Server::start(move |asked, _| {
        if let Some(refusal) = rule(asked) {
            return refusal;
        }
        let limit = asked.body["pageLimit"].as_u64().unwrap() as usize;
        let first = match asked.body["searchAfter"].as_array() {
            Some(cursor) if !cursor.is_empty() => {
                cursor[1].as_str().unwrap().parse::<usize>().unwrap() + 1
            }
            _ => (asked.body["page"].as_u64().unwrap() as usize - 1) * limit,
        };
        let rows: Vec<Value> = (first..250.min(first + limit))
            .map(|index| row(&index.to_string()))
            .collect();
        told(
            200,
            json!({ "records": rows, "total": 250, "traceId": "t" }),
        )
    })
    .await;
    let client = client(&server.url);
    let mut ids = std::collections::HashSet::new();
    let mut search = Search::default();
    loop {
        let page = client.search(&pets(), &search).await.unwrap();
        assert_eq!(page.total, Some(250));
        let Some(last) = page.records.last() else {
            break;
        };
        search.page = PageCursor::After(last.search_after.clone().unwrap());
        ids.extend(page.records.into_iter().map(|record| record.id));
    }
    (ids.len(), server.asked().len())
}

#[tokio::test]
async fn a_walk_copes_with_every_reading_of_the_documentation() {
    let has = |asked: &Asked, key: &str| asked.body.get(key).is_some();
    assert_eq!(walk(|_| None).await, (250, 4));
    // `page` refused beside `searchAfter`.
    let refuses = walk(move |asked| {
        (has(asked, "page") && has(asked, "searchAfter"))
            .then(|| invalid("page must not be sent together with searchAfter"))
    });
    assert_eq!(refuses.await, (250, 4));
    // `page` wanted beside `searchAfter`: learnt once.
    let wants = walk(move |asked| {
        (!has(asked, "page"))
            .then(|| invalid("page must be a number conforming to the specified constraints"))
    });
    assert_eq!(wants.await, (250, 5));
    // All fields required, as the specification's letter has it.
    let all = walk(move |asked| {
        ["page", "query", "searchAfter"]
            .into_iter()
            .find(|key| !has(asked, key))
            .map(|key| invalid(&format!("{key} should not be empty")))
    });
    assert_eq!(all.await, (250, 7));
}

#[tokio::test]
async fn a_refused_sort_is_named() {
    let server = Server::start(|asked, _| {
        if asked.body.get("sort").is_some() {
            return invalid("property sort should not exist");
        }
        told(200, json!({ "records": [], "total": "0" }))
    })
    .await;
    let client = client(&server.url);
    let mut search = Search {
        sort: Some(("updatedAt".to_owned(), Order::Desc)),
        query: Some("name:Rex".to_owned()),
        filters: Some(json!([{ "field": "properties.name", "operator": "eq", "value": "Rex" }])),
        ..Search::default()
    };
    let error = client.search(&pets(), &search).await.unwrap_err();
    assert_eq!(error.field.as_deref(), Some("sort"));
    assert_eq!(error.request_id.as_deref(), Some("t-9"));
    search.sort = None;
    assert_eq!(
        client.search(&pets(), &search).await.unwrap().total,
        Some(0)
    );
    assert_eq!(
        server.asked()[0].body,
        json!({ "locationId": LOCATION, "pageLimit": 100, "page": 1, "query": "name:Rex",
                "sort": [{ "field": "updatedAt", "direction": "desc" }],
                "filters": [{ "field": "properties.name", "operator": "eq", "value": "Rex" }] })
    );
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_missing_object_may_mean_that_the_location_is_wanted() {
    let server = Server::start(|asked, _| {
        if asked.path.contains("locationId") {
            told(200, json!({ "record": record("r1") }))
        } else {
            told(
                404,
                json!({ "message": "Custom Object (custom_objects.pets) not found" }),
            )
        }
    })
    .await;
    let client = client(&server.url);
    for _ in 0..2 {
        client.record(&pets(), &RecordId::from("r1")).await.unwrap();
    }
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn a_record_that_is_gone_is_missing() {
    let server = Server::start(|_, _| told(404, json!({ "message": "Record not found" }))).await;
    let error = client(&server.url)
        .record(&pets(), &RecordId::from("r1"))
        .await
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::Missing);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn relations_come_from_all_pages_and_either_side() {
    let server = Server::start(|asked, _| {
        let skip: usize = asked
            .path
            .split("skip=")
            .nth(1)
            .and_then(|rest| rest.split('&').next()?.parse().ok())
            .unwrap();
        let rows: Vec<Value> = (skip..150.min(skip + 100))
            .map(|index| {
                let contact = format!("c{index}");
                let (first, second) = if index % 2 == 0 {
                    (("custom_objects.pets", "p1"), ("contact", contact.as_str()))
                } else {
                    (("contact", contact.as_str()), ("custom_objects.pets", "p1"))
                };
                json!({ "id": index.to_string(), "associationId": "a1",
                        "firstObjectKey": first.0, "firstRecordId": first.1,
                        "secondObjectKey": second.0, "secondRecordId": second.1 })
            })
            .collect();
        told(200, json!({ "relations": rows, "total": 150 }))
    })
    .await;
    let relations = client(&server.url)
        .relations(&RecordId::from("p1"))
        .await
        .unwrap();
    assert_eq!(relations.len(), 150);
    assert!(
        relations
            .iter()
            .all(|one| one.other_object.as_str() == "contact")
    );
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn associations_come_as_a_list_or_as_one() {
    let one = json!({ "id": "a1", "key": "pet_owner", "firstObjectLabel": "Pet", "firstObjectKey": "custom_objects.pets",
        "secondObjectLabel": ["Owner", "Keeper"], "secondObjectKey": "contact", "associationType": "USER_DEFINED" });
    let server = Server::start(move |asked, _| {
        if asked.path.contains("/objectKey/") {
            told(200, &one)
        } else {
            told(200, json!({ "associations": [one], "total": 1 }))
        }
    })
    .await;
    let client = client(&server.url);
    let associations = client.associations().await.unwrap();
    assert_eq!(associations.len(), 1);
    assert!(associations[0].leads_to_contact(&pets()));
    assert_eq!(associations[0].second_label, "Owner, Keeper");
    assert_eq!(client.associations_of(&pets()).await.unwrap(), associations);
}

#[tokio::test]
async fn contacts_come_page_by_page() {
    let server = Server::start(|asked, _| {
        let after = asked.body["searchAfter"][1].as_str().unwrap_or("-1");
        let first = after.parse::<i64>().unwrap() + 1;
        let rows: Vec<Value> = (first..3.min(first + 2))
            .map(|index| {
                json!({ "id": format!("c{index}"), "firstName": null, "email": "", "companyName": "Acme",
                        "tags": ["vip"], "searchAfter": [17, index.to_string()] })
            })
            .collect();
        told(200, json!({ "contacts": rows, "total": 3 }))
    })
    .await;
    let client = client(&server.url);
    let one = client
        .contacts_search(Some("x"), &PageCursor::Page(1), 2)
        .await
        .unwrap();
    assert_eq!(one.contacts[0].email, None);
    assert_eq!(one.contacts[0].company.as_deref(), Some("Acme"));
    let two = client
        .contacts_search(None, &one.next.unwrap(), 2)
        .await
        .unwrap();
    assert_eq!((two.contacts.len(), two.next), (1, None));
}

#[tokio::test]
async fn every_read_scope_is_tried_once() {
    let server = Server::start(|asked, _| {
        if asked.path.starts_with("/objects/?") {
            told(
                200,
                json!({ "objects": [{ "id": "o", "key": "custom_objects.pets", "labels": {} }] }),
            )
        } else if asked.path.ends_with("records/search") {
            told(200, json!({ "records": [row("r1")], "total": 1 }))
        } else if asked.path.starts_with("/associations/relations") {
            told(
                401,
                json!({ "message": "The token is not authorized for this scope." }),
            )
        } else if asked.path.starts_with("/associations/") {
            told(200, json!({ "associations": [], "total": 0 }))
        } else if asked.path.starts_with("/contacts/search") {
            told(403, json!({ "message": "Forbidden" }))
        } else {
            told(200, json!({ "fields": [] }))
        }
    })
    .await;
    let checks = client(&server.url).scope_checks().await;
    let refused: Vec<&str> = checks
        .iter()
        .filter(|check| matches!(check.state, ScopeState::Refused(_)))
        .map(|check| check.scope)
        .collect();
    assert_eq!(
        refused,
        ["associations/relation.readonly", "contacts.readonly"]
    );
    assert_eq!(
        checks
            .iter()
            .filter(|check| check.state == ScopeState::Granted)
            .count(),
        4
    );
    assert_eq!(server.asked().len(), 6);
    assert!(
        server
            .lines()
            .iter()
            .all(|line| !line.starts_with("DELETE") && !line.starts_with("PUT"))
    );
}

/// A record that is missing is taken for deleted, so only answers that say so may make it missing.
#[tokio::test]
async fn a_second_read_that_fails_does_not_make_a_record_missing() {
    for (status, class) in [
        (404, ErrorClass::Missing),
        (422, ErrorClass::Missing),
        (401, ErrorClass::Auth),
        (400, ErrorClass::Invalid),
    ] {
        let server = Server::start(move |asked, _| {
            if asked.path.contains("locationId") {
                let message = "property locationId should not exist";
                told(status, json!({ "statusCode": status, "message": message }))
            } else {
                let message = "Custom Object (custom_objects.pets) not found";
                told(404, json!({ "statusCode": 404, "message": message }))
            }
        })
        .await;
        let read = client(&server.url)
            .record(&pets(), &RecordId::from("r1"))
            .await;
        assert_eq!(
            read.unwrap_err().class,
            class,
            "a second answer of {status}"
        );
    }
}

/// Something between answers with a page: that says nothing about the record, which would be taken for deleted.
#[tokio::test]
async fn a_page_in_place_of_the_second_answer_makes_no_record_missing() {
    let server = Server::start(|asked, _| {
        if asked.path.contains("locationId") {
            told(422, "<html><title>Unprocessable Entity</title></html>")
        } else {
            let message = "Custom Object (custom_objects.pets) not found";
            told(404, json!({ "statusCode": 404, "message": message }))
        }
    })
    .await;
    let read = client(&server.url)
        .record(&pets(), &RecordId::from("r1"))
        .await;
    assert_eq!(read.unwrap_err().class, ErrorClass::Transient);
}

#[tokio::test]
async fn another_location_is_explained() {
    let server = Server::start(|_, _| {
        told(401, json!({ "statusCode": 401, "message": "This location is not accessible from this token!" }))
    })
    .await;
    let error = client(&server.url).probe().await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Auth);
    assert!(error.remedy.as_ref().unwrap().contains("location_id"));
}

#[tokio::test]
async fn a_raw_request_carries_version_and_token() {
    let server = Server::start(|asked, _| told(200, json!({ "echo": asked.body }))).await;
    let client = client(&server.url);
    let raw = client
        .raw("post", "/objects/x/records/search", Some(json!({ "n": 1 })))
        .await
        .unwrap();
    assert_eq!(raw.body, RawBody::Json(json!({ "echo": { "n": 1 } })));
    assert_eq!(server.asked()[0].headers.get("version").unwrap(), VERSION);
    assert!(client.raw("FETCH", "/x", None).await.is_err());
}

#[test]
fn a_cursor_survives_the_store() {
    let cursor = PageCursor::After(vec![json!(1_720_679_025_000_u64), json!("r1")]);
    let text = serde_json::to_string(&cursor).unwrap();
    assert_eq!(text, r#"{"After":[1720679025000,"r1"]}"#);
    assert_eq!(serde_json::from_str::<PageCursor>(&text).unwrap(), cursor);
}

#[test]
fn segments_are_encoded() {
    assert_eq!(encode("custom_objects.pets"), "custom_objects.pets");
    assert_eq!(encode("a/../b?c=d+e é"), "a%2F..%2Fb%3Fc%3Dd%2Be%20%C3%A9");
}

#[test]
fn a_large_page_is_read_fast() {
    let rows: Vec<Value> = (0..100)
        .map(|index| {
            let mut row = row(&format!("{index:024}"));
            for property in 0..20 {
                row["properties"][format!("property_{property}")] = "a value of forty characters, more or less".into();
            }
            row["createdBy"] = json!({ "channel": "WEB_USER", "createdAt": "2024-07-11T06:23:45.000Z", "source": "x" });
            row
        })
        .collect();
    let page = json!({ "records": rows, "total": 100 }).to_string();
    let started = std::time::Instant::now();
    let rounds = 20;
    for _ in 0..rounds {
        let wire: super::wire::SearchWire = serde_json::from_str(&page).unwrap();
        let records: Vec<_> = wire
            .records
            .into_iter()
            .map(|row| row.into_record(&pets()))
            .collect();
        assert_eq!(records.len(), 100);
    }
    let each = started.elapsed() / rounds;
    println!("{} bytes in {each:?}", page.len());
    // Ten times what an optimised build needs.
    assert!(each < std::time::Duration::from_millis(50), "{each:?}");
}
