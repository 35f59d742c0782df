//! Segments, by the OpenAPI files of segments and of matching.

use super::*;

fn document(name: &str, tags: &[u64], operator: &str) -> Value {
    let conditions: Vec<Value> = (1..)
        .zip(tags)
        .map(|(id, tag): (u64, _)| {
            json!({"id": id.to_string(), "object_type": "tag", "source_system": "activecampaign",
                "fields": [{"name": "tagid", "data_type": "string", "operator": "=", "value": tag.to_string()}]})
        })
        .collect();
    let values: Vec<Value> = (1..=tags.len())
        .map(|id| json!({"id": id.to_string(), "type": "condition"}))
        .collect();
    json!({"data": [{"attributes": {
        "name": name, "segment_conditions": conditions,
        "segment_condition_groups": [{"id": "1", "operator": operator, "values": values}],
        "segment_condition_group_operator": "and",
    }}]})
}

/// Contacts with tag 1, with tag 2, with both.
async fn tagged(wire: &Wire) -> [u64; 3] {
    let mut ids = [0; 3];
    for (place, tags) in [&[1][..], &[2], &[1, 2]].into_iter().enumerate() {
        let contact = json!({"contact": {"email": format!("s{place}@example.com")}});
        let made = wire.ac("POST", "/contact/sync", contact).await;
        let id = made.body["contact"]["id"].as_str().unwrap().to_owned();
        for tag in tags {
            let tag = json!({"contactTag": {"contact": id, "tag": tag}});
            assert_eq!(wire.ac("POST", "/contactTags", tag).await.status, 201);
        }
        ids[place] = id.parse().unwrap();
    }
    ids
}

async fn matching(wire: &Wire, segment: &str) -> Vec<u64> {
    let path = format!("/segmentMatchAll/{segment}");
    let run = wire.ac("GET", &path, Value::Null).await;
    let attributes = &run.body["data"][0]["attributes"];
    assert_eq!(attributes["is_ready"], false);
    let path = format!("{path}/{}", attributes["run_id"].as_str().unwrap());
    tokio::time::sleep(Duration::from_millis(320)).await;
    let ready = wire.ac("GET", &path, Value::Null).await;
    let matches = ready.body["data"][0]["attributes"]["matches"].clone();
    serde_json::from_value(matches).unwrap()
}

#[tokio::test]
async fn a_segment_of_tags_matches_by_its_operator() {
    let wire = start(small()).await;
    let ids = tagged(&wire).await;
    for (name, operator, wanted) in [
        ("Both", "and", &ids[2..]),
        ("One of them", "or", ids.as_slice()),
    ] {
        let made = wire
            .ac("POST", "/segmentsV2", document(name, &[1, 2], operator))
            .await;
        assert_eq!(made.status, 200, "{}", made.body);
        let segment = made.body["data"][0]["id"].as_str().unwrap().to_owned();
        let matching = matching(&wire, &segment).await;
        for id in ids {
            let one = wire
                .ac("GET", &format!("/segmentMatch/{segment}/{id}"), Value::Null)
                .await;
            let does = &one.body["data"][0]["attributes"]["match"];
            assert_eq!(does, wanted.contains(&id), "{name} {id}");
            assert_eq!(matching.contains(&id), wanted.contains(&id), "{name} {id}");
        }
    }
}

#[tokio::test]
async fn a_segment_of_the_builder_is_in_both_lists_and_a_new_one_in_the_newer() {
    let wire = start(small()).await;
    let made = wire
        .ac("POST", "/segmentsV2", document("A new one", &[1], "and"))
        .await;
    let names = |body: &Value, list: &str, at: &str| {
        let rows = body[list].as_array().unwrap();
        rows.iter()
            .map(|row| row.pointer(at).unwrap().as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let audiences = wire
        .ac("GET", "/audiences?sort=name&page_size=3", Value::Null)
        .await;
    assert_eq!(
        names(&audiences.body, "data", "/attributes/name"),
        ["A new one", "Adopted pets", "Available pets"]
    );
    assert!(audiences.body.get("meta").is_none());
    let next = wire
        .ac(
            "GET",
            "/audiences?sort=name&page_size=3&page=2",
            Value::Null,
        )
        .await;
    assert_eq!(names(&next.body, "data", "/attributes/name"), ["Calm pets"]);
    let count = &next.body["data"][0]["attributes"]["counts"]["last_total"]["count"];
    assert!(count.as_u64().unwrap() > 0);
    let older = wire.ac("GET", "/segments?limit=100", Value::Null).await;
    assert_eq!(
        names(&older.body, "segments", "/name"),
        ["Available pets", "Adopted pets", "Calm pets"]
    );
    let path = format!(
        "/segmentsV2/{}",
        made.body["data"][0]["id"].as_str().unwrap()
    );
    let deleted = wire.ac("DELETE", &path, Value::Null).await;
    assert_eq!(
        deleted.body["data"][0]["attributes"]["name"],
        json!("A new one")
    );
    assert_eq!(wire.ac("GET", &path, Value::Null).await.status, 404);
}

#[tokio::test]
async fn a_document_that_is_not_as_described_is_refused() {
    let wire = start(small()).await;
    let good = document("Good", &[1, 2], "and");
    let without = |pointer: &str, change: &dyn Fn(&mut Value)| {
        let mut body = good.clone();
        change(body.pointer_mut(pointer).unwrap());
        body
    };
    let attributes = "/data/0/attributes";
    let condition = "/data/0/attributes/segment_conditions/0";
    let group = "/data/0/attributes/segment_condition_groups/0";
    let remove = |key: &'static str| {
        move |value: &mut Value| drop(value.as_object_mut().unwrap().remove(key))
    };
    let bad = [
        json!({"data": {"attributes": good["data"][0]["attributes"]}}),
        without(attributes, &remove("segment_conditions")),
        without(attributes, &remove("segment_condition_groups")),
        without(attributes, &remove("segment_condition_group_operator")),
        without(condition, &remove("source_system")),
        without(condition, &|value| value["object_type"] = json!("contact")),
        without(condition, &|value| value["id"] = json!(1)),
        without(condition, &|value| {
            drop(
                value["fields"][0]
                    .as_object_mut()
                    .unwrap()
                    .remove("data_type"),
            );
        }),
        without(condition, &|value| {
            value["fields"][0]["value"] = json!(14);
        }),
        without(group, &|value| value["operator"] = json!("AND")),
        // A condition in no group, and one in two places.
        without(group, &|value| {
            drop(value["values"].as_array_mut().unwrap().pop())
        }),
        without(group, &|value| {
            value["values"][1]["id"] = json!("1");
        }),
    ];
    for body in bad {
        let answer = wire.ac("POST", "/segmentsV2", body.clone()).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.body["errors"][0]["detail"].is_string());
    }
    assert_eq!(
        wire.ac("POST", "/segmentsV2", good.clone()).await.status,
        200
    );
    let again = wire.ac("POST", "/segmentsV2", good).await;
    assert_eq!(again.status, 400, "a name is unique");
    for query in ["page=0", "page_size=10001", "sort=id", "limit=10"] {
        let answer = wire
            .ac("GET", &format!("/audiences?{query}"), Value::Null)
            .await;
        assert_eq!(answer.status, 400, "{query}");
    }
}
