//! Objects of HighLevel and their records.

use super::*;

pub(super) fn property(
    mood: Mood,
    key: &str,
    name: &str,
    data_type: DataType,
    options: &[&str],
) -> Property {
    Property {
        id: format!("p-{key}"),
        key: key.into(),
        name: text(mood, name),
        data_type,
        options: options
            .iter()
            .map(|o| PropertyOption {
                key: o.to_lowercase(),
                label: (*o).into(),
            })
            .collect(),
        allow_custom_option: false,
        required: Some(key == "name"),
        unique: Some(key == "chip"),
    }
}

pub fn schema(mood: Mood, key: &ObjectKey) -> ObjectSchema {
    let (singular, plural) = match key.short() {
        "pets" => ("Pet", "Pets"),
        "visits" => ("Visit", "Visits"),
        "shelters" => ("Shelter", "Shelters"),
        "contact" => ("Contact", "Contacts"),
        "opportunity" => ("Opportunity", "Opportunities"),
        _ => ("Business", "Businesses"),
    };
    let of = |key, name, kind, options: &[&str]| property(mood, key, name, kind, options);
    ObjectSchema {
        id: format!("o-{}", key.short()),
        key: key.clone(),
        singular: text(mood, singular),
        plural: text(mood, plural),
        description: None,
        standard: !key.as_str().starts_with("custom_objects."),
        primary_property: "name".into(),
        searchable: vec!["name".into()],
        updated_at: None,
        properties: vec![
            of("name", "Name", DataType::Text, &[]),
            of("owner_email", "Owner e-mail", DataType::Email, &[]),
            of(
                "status",
                "Status",
                DataType::SingleOptions,
                &["Available", "Adopted", "Pending"],
            ),
            of("weight", "Weight", DataType::Numerical, &[]),
            of("fee", "Fee", DataType::Monetory, &[]),
            of("born", "Born", DataType::Date, &[]),
            of(
                "temperament",
                "Temperament",
                DataType::MultipleOptions,
                &["Calm", "Shy", "Bold"],
            ),
            of("chip", "Chip number", DataType::Text, &[]),
            of(
                "notes",
                "Notes",
                DataType::TextboxList,
                &["Kitchen", "Garden"],
            ),
            of("papers", "Papers", DataType::FileUpload, &[]),
            of(
                "mood_ring",
                "Mood ring",
                DataType::Unknown("HOLOGRAM".into()),
                &[],
            ),
        ],
    }
}

pub fn record(mood: Mood, number: u64) -> Record {
    let names = ["Rex", "Luna", "Böser Wolf", "Mia 🐕", "小雪", "Max"];
    let name = names[(number % names.len() as u64) as usize];
    let weight: Value = serde_json::from_str(&format!("{}.40", 3 + number % 40)).unwrap();
    let properties = json!({
        "name": text(mood, name),
        "owner_email": format!("owner{number}@example.org"),
        "status": if number.is_multiple_of(3) { "adopted" } else { "available" },
        "weight": weight,
        "fee": { "currency": "EUR", "value": 120 + number % 9 },
        "born": if number == 0 { "2024-13-01" } else { "2024-05-01" },
        "temperament": ["calm", "shy"],
        "chip": format!("978-{number:09}"),
        "notes.kitchen": text(mood, "sleeps by the stove"),
        "unknown_property": [1, { "deep": true }],
    });
    let Value::Object(properties) = properties else {
        unreachable!()
    };
    Record {
        id: RecordId::new(format!("66b1c0ffee{number:014x}")),
        object: pets(),
        properties,
        owners: vec![],
        followers: vec![],
        created_at: Some(noon() - SignedDuration::from_hours(48)),
        updated_at: Some(noon() - SignedDuration::from_mins(number as i64 % 500)),
        relations: None,
        search_after: None,
    }
}

/// Records there are in all.
pub(super) fn total(mood: Mood, query: Option<&str>) -> u64 {
    match (mood, query) {
        (Mood::Empty, _) => 0,
        (_, Some(_)) => 2,
        (Mood::Million, _) => 1_000_000,
        _ => 230,
    }
}

pub(super) fn records(mood: Mood, search: &RecordSearch, page: usize, limit: u32) -> RecordList {
    let total = total(mood, search.query.as_deref());
    let from = page as u64 * u64::from(limit);
    let to = (from + u64::from(limit)).min(total);
    let number = |at| match search.order {
        RecordOrder::Newest => at,
        RecordOrder::Oldest => total - 1 - at,
    };
    RecordList {
        records: (from..to).map(|at| record(mood, number(at))).collect(),
        total: Some(total),
        sorted: true,
        next: (to < total).then(|| RecordCursor::Page(page as u32 + 2)),
    }
}

/// What becomes of a file: `there.csv` is there already, and there is no folder `/nowhere`.
pub(super) fn filed(mood: Mood, file: &RecordFile) -> Result<Filed, Problem> {
    if file.path.starts_with("/nowhere") {
        let problem = Problem::new(ErrorClass::Store, "/nowhere: No such file or directory");
        let remedy = "name a folder that is there";
        return Err(problem.field("path").remedy(remedy));
    }
    let path = PathBuf::from(&file.path);
    if file.path.ends_with("there.csv") && !file.overwrite {
        return Ok(Filed::Exists(path));
    }
    let records = match &file.rows {
        Rows::These(records) => records.len() as u64,
        Rows::All { query } => total(mood, query.as_deref()),
    };
    done(mood, Filed::Written { path, records })
}
