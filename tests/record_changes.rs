//! A person's change of a record never goes over what somebody else changed since the person saw it, unless that was asked.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use support::{House, PETS};
use tramline::config::Config;
use tramline::model::{Properties, Record};
use tramline::operations::records::change::{Changed, RecordChange};
use tramline::operations::{OpenOptions, Operations};

fn properties(value: Value) -> Properties {
    serde_json::from_value(value).unwrap()
}

fn change(seen: &Record, wanted: Value) -> RecordChange {
    RecordChange {
        object: PETS.into(),
        record: seen.id.clone(),
        properties: properties(wanted),
        seen: seen.properties.clone(),
    }
}

#[test]
fn what_somebody_else_changed_meanwhile_is_not_overwritten_unasked() {
    let house = House::new(5);
    let id = house.control.records(PETS).remove(0).id;
    let now = |key: &str| house.control.record(PETS, &id).unwrap().properties[key].clone();
    let set = |key: &str, value: Value| house.control.set_property(PETS, &id, key, value);
    set("weight", json!(12.4));
    set("name", json!("Rex"));
    let config = Config::read(&house.path("config.toml")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let operations = Operations::open(config, OpenOptions::default())
            .await
            .unwrap();
        let connection = "default".into();
        let object = PETS.into();
        let record = id.as_str().into();
        let seen = operations
            .record(&connection, &object, &record)
            .await
            .unwrap();

        // Somebody else changes another field: it stays, and nobody is asked.
        set("name", json!("Max"));
        let wanted = change(&seen, json!({ "weight": 12.9 }));
        let result = operations.change_record(&connection, wanted).await.unwrap();
        assert!(matches!(result, Changed::Saved(_)), "{result:?}");
        assert_eq!((now("weight"), now("name")), (json!(12.9), json!("Max")));

        // The same field: nothing is written, and what is there is told.
        let wanted = change(&seen, json!({ "weight": 20, "name": "Rex II" }));
        let before = house.requests("PUT /objects").len();
        let result = operations.change_record(&connection, wanted).await.unwrap();
        let Changed::Overtaken(refused, live) = result else {
            panic!("{result:?}");
        };
        assert_eq!(house.requests("PUT /objects").len(), before);
        assert_eq!(
            refused.overtaken(&live).collect::<Vec<_>>(),
            ["weight", "name"]
        );
        assert_eq!(live.properties["weight"].to_string(), "12.9");
        assert_eq!((now("weight"), now("name")), (json!(12.9), json!("Max")));

        // Who says yes has seen that value, and no later one.
        let again = refused.over(&live);
        set("weight", json!(13.1));
        let result = operations
            .change_record(&connection, again.clone())
            .await
            .unwrap();
        let Changed::Overtaken(refused, live) = result else {
            panic!("{result:?}");
        };
        assert_eq!(refused.overtaken(&live).collect::<Vec<_>>(), ["weight"]);
        let result = operations
            .change_record(&connection, refused.over(&live))
            .await
            .unwrap();
        assert!(matches!(result, Changed::Saved(_)), "{result:?}");
        assert_eq!((now("weight"), now("name")), (json!(20), json!("Rex II")));

        // Who wants what is there already is asked nothing.
        let wanted = change(&seen, json!({ "weight": 20 }));
        let result = operations.change_record(&connection, wanted).await.unwrap();
        assert!(matches!(result, Changed::Saved(_)), "{result:?}");
        operations.close().await;
    });
    house.assert_no_violation();
}
