//! A connection whose APIs are a small server, for the engine's own tests.

use super::account::Account;
use crate::activecampaign::{AccountBudgets, ActiveCampaign};
use crate::highlevel::{HighLevel, HighLevelSettings, VERSION};
use crate::http::BaseUrl;
use crate::http::testing::{Told, http, lifted, token, told};
use crate::mapping::MappingSpec;
use serde_json::json;

/// Both accounts at one address.
pub(crate) fn account(url: &str) -> Account {
    let settings = HighLevelSettings {
        base_url: BaseUrl::parse(url).unwrap(),
        version: VERSION.to_owned(),
        location_id: "location".to_owned(),
    };
    let budgets = AccountBudgets {
        requests: lifted(),
        imports: lifted(),
        single_imports: lifted(),
    };
    let base = ActiveCampaign::base(url).unwrap();
    Account::new(
        "default".into(),
        HighLevel::new(settings, token(), http(), lifted(), None).unwrap(),
        ActiveCampaign::new(base, token(), http(), budgets, None),
    )
}

/// A mapping of the object that [`pets`] answers with.
pub(crate) fn spec() -> MappingSpec {
    toml::from_str(
        r#"
        object = "custom_objects.pets"
        email = "owner_email"
        [fields]
        "%PET_NAME%" = "name"
        "#,
    )
    .unwrap()
}

/// What both APIs say of their schemas.
pub(crate) fn pets(path: &str) -> Told {
    let property = |key: &str, kind: &str| json!({"id": key, "fieldKey": format!("custom_objects.pets.{key}"), "name": key, "dataType": kind});
    let fields = json!([property("name", "TEXT"), property("owner_email", "EMAIL")]);
    if path.starts_with("/objects/custom_objects.pets") {
        let labels = json!({"singular": "Pet", "plural": "Pets"});
        let object = json!({"id": "o1", "standard": false, "key": "custom_objects.pets", "labels": labels,
            "primaryDisplayProperty": "custom_objects.pets.name"});
        told(
            200,
            json!({"object": object, "cache": true, "fields": fields}),
        )
    } else if path.starts_with("/custom-fields") {
        told(200, json!({"fields": fields, "folders": []}))
    } else {
        let field = json!({"id": "1", "title": "Pet name", "type": "text", "perstag": "PET_NAME"});
        told(200, json!({"fields": [field], "meta": {"total": "1"}}))
    }
}
