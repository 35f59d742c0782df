//! What a workflow's webhook says: which records of a mapping are to be synced (sync.md, Triggers).

use super::envelope::record_id;
use crate::model::{ObjectKey, RecordId};
use serde_json::{Map, Value};

/// Records in one request at most.
const MOST: usize = 1000;

/// Why a request names no records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the body is no JSON object")]
    NoObject,
    #[error("the body names no record; give id, record_id, recordId or records")]
    NoRecord,
    #[error("record {0} has no id that could be one")]
    NoId(usize),
    #[error("records of {0}; this mapping is about {1}")]
    OtherObject(String, ObjectKey),
    #[error("more than {MOST} records in one request")]
    TooMany,
}

/// The records that a body names, each once, in order: `{"id": …}`, also `record_id` or `recordId`, or `records` with a list of
/// ids or of such objects; `schemaKey` or `objectKey`, where one is given, must be the mapping's object.
///
/// # Errors
/// What is wrong, in words for the answer.
pub fn records(body: &[u8], object: &ObjectKey) -> Result<Vec<RecordId>, Refusal> {
    let Ok(Value::Object(body)) = serde_json::from_slice(body) else {
        return Err(Refusal::NoObject);
    };
    check_object(&body, object)?;
    let listed = match body.get("records") {
        Some(Value::Array(items)) if items.len() > MOST => return Err(Refusal::TooMany),
        Some(Value::Array(items)) => {
            let ids = items.iter().enumerate().map(|(place, item)| match item {
                Value::Object(item) => {
                    check_object(item, object)?;
                    id(item).ok_or(Refusal::NoId(place))
                }
                item => record_id(item).ok_or(Refusal::NoId(place)),
            });
            ids.collect::<Result<Vec<_>, _>>()?
        }
        _ => Vec::new(),
    };
    let mut records: Vec<RecordId> = Vec::new();
    for record in id(&body).into_iter().chain(listed) {
        if !records.contains(&record) {
            records.push(record);
        }
    }
    if records.is_empty() {
        return Err(Refusal::NoRecord);
    }
    Ok(records)
}

fn id(fields: &Map<String, Value>) -> Option<RecordId> {
    ["id", "record_id", "recordId"]
        .iter()
        .find_map(|name| record_id(fields.get(*name)?))
}

fn check_object(fields: &Map<String, Value>, object: &ObjectKey) -> Result<(), Refusal> {
    for name in ["schemaKey", "objectKey"] {
        if let Some(Value::String(key)) = fields.get(name)
            && !key.is_empty()
            && ObjectKey::from_input(key) != *object
        {
            let shown: String = key.chars().take(60).collect();
            return Err(Refusal::OtherObject(shown, object.clone()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(body: Value) -> Result<Vec<String>, Refusal> {
        let found = records(body.to_string().as_bytes(), &"custom_objects.pets".into())?;
        Ok(found.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn each_form_names_its_records() {
        for body in [
            json!({"id": "a1"}),
            json!({"record_id": "a1", "objectKey": "custom_objects.pets"}),
            json!({"recordId": "a1", "schemaKey": "pets"}),
            json!({"records": ["a1"]}),
            json!({"records": [{"id": "a1", "schemaKey": "custom_objects.pets"}, "a1"]}),
        ] {
            assert_eq!(read(body.clone()), Ok(vec!["a1".to_owned()]), "{body}");
        }
        let many = json!({"id": 7, "records": ["a1", {"record_id": "b2"}, {"recordId": "c3"}]});
        assert_eq!(
            read(many),
            Ok(["7", "a1", "b2", "c3"].map(str::to_owned).to_vec())
        );
    }

    #[test]
    fn what_names_none_is_refused() {
        assert_eq!(read(json!([])), Err(Refusal::NoObject));
        assert_eq!(read(json!({"name": "Rex"})), Err(Refusal::NoRecord));
        assert_eq!(read(json!({"records": []})), Err(Refusal::NoRecord));
        assert_eq!(
            read(json!({"records": ["a", {"name": "x"}]})),
            Err(Refusal::NoId(1))
        );
        assert!(matches!(
            read(json!({"id": "a1", "schemaKey": "custom_objects.visits"})),
            Err(Refusal::OtherObject(key, _)) if key == "custom_objects.visits"
        ));
        assert!(matches!(
            read(json!({"records": [{"id": "a1", "objectKey": "visits"}]})),
            Err(Refusal::OtherObject(..))
        ));
        assert_eq!(
            read(json!({"records": vec!["a"; MOST + 1]})),
            Err(Refusal::TooMany)
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..500)) {
            let _ = records(&body, &"custom_objects.pets".into());
        }
    }
}
