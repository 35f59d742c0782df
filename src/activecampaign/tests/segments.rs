//! Segments: listed from two places, made, matched.

use super::*;
use crate::model::contact::Named;
use crate::model::segment::Needs;
use crate::model::{NewSegment, Segment};

fn audience(id: &str, name: &str) -> Value {
    json!({"id": id, "type": "audience", "attributes": {
        "segment_id": id, "category": "audience", "name": name,
        "counts": {"last_total": {"count": 1500}, "last_active_total": {"count": "1200"}},
        "created_date": "2024-01-30T14:56:02.952Z", "updated_date": "2024-03-12T14:56:02.952Z",
    }})
}

/// A page of audiences, of which the server gives `size` at a time, whatever it was asked.
fn audiences(asked: &str, size: usize, all: &[Value]) -> Told {
    let page: usize = asked
        .split_once("?page=")
        .and_then(|(_, rest)| rest.split('&').next()?.parse().ok())
        .unwrap();
    let rows: Vec<&Value> = all.iter().skip((page - 1) * size).take(size).collect();
    told(200, json!({ "data": rows }))
}

fn older(rows: Value) -> Told {
    let total = rows.as_array().unwrap().len().to_string();
    told(200, json!({ "segments": rows, "meta": { "total": total } }))
}

fn refused() -> Told {
    told(403, json!({ "message": "Forbidden" }))
}

fn bare(asked: &str) -> &str {
    asked.split('?').next().unwrap()
}

fn names(segments: &[Segment]) -> Vec<&str> {
    segments.iter().map(|s| s.name.as_str()).collect()
}

fn adopters() -> NewSegment {
    let tag = |id: &str, name: &str| Named {
        id: id.into(),
        name: name.into(),
    };
    NewSegment {
        name: "Adopters".into(),
        needs: Needs::Any,
        tags: vec![tag("14", "adopted"), tag("20", "vip")],
    }
}

#[tokio::test]
async fn both_lists_are_read_whole_and_a_segment_stands_once() {
    let server = Server::start(|asked, _| match bare(&asked.path) {
        "/api/3/audiences" => audiences(
            &asked.path,
            2,
            &[
                audience("1ab85f0e", "Dogs"),
                audience("4", "Cats"),
                audience("d2c5a14a", "Birds"),
            ],
        ),
        _ => older(json!([
            {"id": 4, "name": "Cats, once", "hidden": "0"},
            {"id": "5", "name": " dogs"},
            {"id": "6", "name": "Of a campaign", "hidden": "1"},
            {"id": "7", "name": ""},
            {"id": "8", "name": "Ants", "hidden": 0},
        ])),
    })
    .await;
    let segments = client(&server.url).segments().await.unwrap();
    assert_eq!(names(&segments), ["Ants", "Birds", "Cats", "Dogs"]);
    assert_eq!(
        (segments[3].last_total, segments[3].last_active_total),
        (Some(1500), Some(1200))
    );
    assert_eq!(
        segments[3].updated_at,
        Some("2024-03-12T14:56:02.952Z".parse().unwrap())
    );
    assert_eq!(segments[0], Segment::new("8", "Ants"));
    assert_eq!(
        server.lines()[0],
        "GET /api/3/audiences?page=1&page_size=1000&sort=name"
    );
}

#[tokio::test]
async fn one_of_the_lists_is_enough() {
    for missing in ["/api/3/audiences", "/api/3/segments"] {
        let server = Server::start(move |asked, _| match bare(&asked.path) {
            path if path == missing => refused(),
            "/api/3/audiences" => audiences(&asked.path, 9, &[audience("4", "Dogs")]),
            _ => older(json!([{"id": "4", "name": "Dogs"}])),
        })
        .await;
        let segments = client(&server.url).segments().await.unwrap();
        assert_eq!(names(&segments), ["Dogs"]);
    }
    let server = Server::start(|_, _| refused()).await;
    let ac = client(&server.url);
    assert_eq!(ac.segments().await.unwrap_err().class, ErrorClass::Auth);
    let matches = ac.contact_segments(&id("6")).await.unwrap();
    assert_eq!(matches.matching.refused(), Some("403 Forbidden"));
}

#[tokio::test]
async fn the_segments_of_a_contact_are_asked_for_one_by_one() {
    let matching = |does: Value| {
        told(
            200,
            json!({"data": [{"id": "1ab85f0e132", "type": "match", "attributes": {"match": does, "entity_id": "6"}}]}),
        )
    };
    let server = Server::start(move |asked, _| match bare(&asked.path) {
        "/api/3/audiences" => {
            let all: Vec<Value> = (10..33)
                .map(|id| audience(&id.to_string(), &format!("S{id}")))
                .collect();
            audiences(&asked.path, 1000, &all)
        }
        "/api/3/segments" => older(json!([])),
        "/api/3/segmentMatch/13/6" | "/api/3/segmentMatch/15/6" => matching(true.into()),
        "/api/3/segmentMatch/14/6" => told(404, json!({ "message": "No Result found" })),
        "/api/3/segmentMatch/16/6" => told(
            400,
            json!({"errors": [{"status": "400 BAD_REQUEST", "title": "Segment 16 is invalid"}]}),
        ),
        _ => matching(false.into()),
    })
    .await;
    let ac = client(&server.url);
    let segments = ac.contact_segments(&id("6")).await.unwrap();
    assert_eq!(segments.matching.items(), ["S13", "S15"]);
    assert_eq!(segments.unasked, 3);
    let before = server.asked().len();
    ac.contact_segments(&id("6")).await.unwrap();
    assert_eq!(server.asked().len(), before + 20, "the list is remembered");
}

/// Taken for a no, a segment that holds the contact would be left out in silence.
#[tokio::test]
async fn an_answer_that_says_neither_yes_nor_no_is_an_error() {
    let server = Server::start(|asked, _| match bare(&asked.path) {
        "/api/3/audiences" => audiences(&asked.path, 9, &[audience("4", "Dogs")]),
        "/api/3/segments" => older(json!([])),
        _ => told(200, json!({ "data": [] })),
    })
    .await;
    let error = client(&server.url)
        .contact_segments(&id("6"))
        .await
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient);
}

#[tokio::test]
async fn a_segment_is_made_of_tags_as_documented() {
    let server = Server::start(|asked, _| match (asked.method.as_str(), bare(&asked.path)) {
        ("POST", "/api/3/segmentsV2") => told(
            200,
            json!({"data": [{"id": "1ab85f0e", "type": "Segment.v2", "attributes": {"name": "Adopters"}}]}),
        ),
        (_, "/api/3/audiences") => audiences(&asked.path, 9, &[]),
        _ => older(json!([])),
    })
    .await;
    let made = client(&server.url)
        .create_segment(&adopters())
        .await
        .unwrap();
    assert_eq!(made, Segment::new("1ab85f0e", "Adopters"));
    let posted = server.asked().pop().unwrap();
    let condition = |id: &str, tag: &str| {
        json!({"id": id, "object_type": "tag", "source_system": "activecampaign",
            "fields": [{"name": "tagid", "data_type": "string", "operator": "=", "value": tag}]})
    };
    assert_eq!(
        posted.body,
        json!({"data": [{"attributes": {
            "name": "Adopters",
            "segment_conditions": [condition("1", "14"), condition("2", "20")],
            "segment_condition_groups": [{"id": "1", "operator": "or", "values": [
                {"id": "1", "type": "condition"}, {"id": "2", "type": "condition"},
            ]}],
            "segment_condition_group_operator": "and",
        }}]})
    );
}

#[tokio::test]
async fn a_name_that_is_taken_is_not_sent() {
    let server = Server::start(|asked, _| match bare(&asked.path) {
        "/api/3/audiences" => audiences(&asked.path, 9, &[audience("4", "ADOPTERS ")]),
        _ => older(json!([])),
    })
    .await;
    let error = client(&server.url)
        .create_segment(&adopters())
        .await
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::Invalid);
    assert!(error.message.contains("(id 4)"), "{}", error.message);
    assert!(
        server
            .asked()
            .iter()
            .all(|asked| asked.method.as_str() == "GET")
    );
}

#[tokio::test]
async fn a_lost_answer_is_looked_up_and_nothing_is_made_twice() {
    for made in [true, false] {
        let server =
            Server::start(
                move |asked, before| match (asked.method.as_str(), bare(&asked.path)) {
                    ("POST", _) => told(502, ""),
                    (_, "/api/3/audiences") if made && before > 2 => {
                        audiences(&asked.path, 9, &[audience("1ab85f0e", "Adopters")])
                    }
                    (_, "/api/3/audiences") => audiences(&asked.path, 9, &[]),
                    _ => older(json!([])),
                },
            )
            .await;
        let result = client(&server.url).create_segment(&adopters()).await;
        match result {
            Ok(segment) => assert!(made && segment.id == "1ab85f0e"),
            Err(error) => assert!(!made && error.class == ErrorClass::Transient),
        }
        let asked = server.asked();
        let posts = asked.iter().filter(|asked| asked.method.as_str() == "POST");
        assert_eq!(posts.count(), 1);
    }
}
