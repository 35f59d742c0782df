//! What a record costs on its way: reading a search page, and mapping. Micro benchmarks of divan, then one line a figure.
#![expect(
    clippy::expect_used,
    reason = "a bench that cannot go on has nothing to measure"
)]

mod support;

use divan::Bencher;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use support::{Against, figure, percentile};
use tramline::highlevel::{HighLevel, HighLevelSettings, Search};
use tramline::http::{BaseUrl, Budget, FixedToken, Http, Limit, MemoryLedger, SystemClock};
use tramline::mapping::{Mapping, MappingSpec};
use tramline::model::{
    ContactField, DataType, FieldKind, FieldOption, MappingName, ObjectKey, ObjectSchema, Property,
    PropertyOption, Record,
};

/// Twelve fields, two of them templates.
const MAPPING: &str = r#"
object = "custom_objects.pets"
email = "owner_email"
time_zone = "Europe/Berlin"
[fields]
first_name = "owner_first_name"
last_name = "owner_last_name"
phone = "owner_phone"
"%PET_NAME%" = "name"
"%WEIGHT%" = "weight"
"%WEIGHT_KG%" = "{% if weight %}{{ weight }} kg{% endif %}"
"%STATUS%" = "status"
"%SIZE%" = { from = "size", map = { small = "Small", large = "Large" }, default = "Medium" }
"%TEMPERAMENT%" = "temperament"
"%BORN%" = "born"
"%NOTES%" = "story"
"%SUMMARY%" = "{{ name }} ({{ status | label }}), born {{ born }}"
"#;

static PREPARED: LazyLock<(Mapping, Vec<Record>)> = LazyLock::new(|| (mapping(), records()));

fn main() {
    divan::main();
    let (mapping, records) = &*PREPARED;
    let rounds = 200;
    let start = Instant::now();
    for _ in 0..rounds {
        for record in records {
            divan::black_box(mapping.apply(record, None).write().expect("a write"));
        }
    }
    let rate = f64::from(rounds) * records.len() as f64 / start.elapsed().as_secs_f64();
    figure(
        "records mapped (12 fields, 2 templates), one core",
        rate,
        "records/s",
        Against::Least(40_000.0),
        "a quarter of a core at 10,000 records/s",
    );
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut measured = runtime.block_on(pages());
    figure(
        "search page of 100 records through the client: median",
        percentile(&mut measured, 0.5),
        "ms",
        Against::Most(5.0),
        "half of the time a page has at 10,000 records/s",
    );
}

#[divan::bench]
fn apply_one_record(bencher: Bencher<'_, '_>) {
    let (mapping, records) = &*PREPARED;
    bencher.bench_local(|| mapping.apply(divan::black_box(&records[0]), None).write());
}

#[divan::bench]
fn fingerprint_of_a_write(bencher: Bencher<'_, '_>) {
    let (mapping, records) = &*PREPARED;
    let write = mapping
        .apply(&records[0], None)
        .write()
        .expect("the record has no problem");
    bencher.bench_local(|| divan::black_box(&write).fingerprint());
}

#[divan::bench]
fn import_row_of_a_write(bencher: Bencher<'_, '_>) {
    let (mapping, records) = &*PREPARED;
    let write = mapping
        .apply(&records[0], None)
        .write()
        .expect("the record has no problem");
    bencher.bench_local(|| tramline::activecampaign::import_row_json(divan::black_box(&write)));
}

fn mapping() -> Mapping {
    let spec: MappingSpec = toml::from_str(MAPPING).expect("a mapping");
    let compiled = Mapping::compile(&MappingName::from("pets"), &spec, &schema(), &fields(), &[]);
    let findings = compiled.findings;
    compiled.mapping.unwrap_or_else(|| panic!("{findings:#?}"))
}

fn schema() -> ObjectSchema {
    let property = |key: &str, data_type: DataType, options: &[&str]| Property {
        id: format!("id_{key}"),
        key: key.into(),
        name: key.replace('_', " "),
        allow_custom_option: false,
        data_type,
        options: options
            .iter()
            .map(|key| PropertyOption {
                key: (*key).into(),
                label: key.to_uppercase(),
            })
            .collect(),
        required: None,
        unique: None,
    };
    ObjectSchema {
        id: "o1".into(),
        key: "custom_objects.pets".into(),
        singular: "Pet".into(),
        plural: "Pets".into(),
        description: None,
        standard: false,
        primary_property: "name".into(),
        searchable: vec![],
        updated_at: None,
        properties: vec![
            property("name", DataType::Text, &[]),
            property("owner_email", DataType::Email, &[]),
            property("owner_first_name", DataType::Text, &[]),
            property("owner_last_name", DataType::Text, &[]),
            property("owner_phone", DataType::Phone, &[]),
            property("weight", DataType::Numerical, &[]),
            property("status", DataType::SingleOptions, &["new", "adopted"]),
            property("size", DataType::SingleOptions, &["small", "large"]),
            property("temperament", DataType::MultipleOptions, &["calm", "wild"]),
            property("born", DataType::Date, &[]),
            property("story", DataType::LargeText, &[]),
        ],
    }
}

fn fields() -> Vec<ContactField> {
    let field = |tag: &str, kind: FieldKind, options: &[&str]| ContactField {
        id: format!("{}", tag.len()).into(),
        tag: tag.into(),
        title: tag.to_lowercase(),
        kind,
        options: options
            .iter()
            .map(|value| FieldOption {
                value: (*value).into(),
                label: (*value).into(),
            })
            .collect(),
        listed: true,
    };
    let mut fields = vec![
        field("PET_NAME", FieldKind::Text, &[]),
        field("WEIGHT", FieldKind::Number, &[]),
        field("WEIGHT_KG", FieldKind::Text, &[]),
        field("STATUS", FieldKind::Dropdown, &["NEW", "ADOPTED"]),
        field("SIZE", FieldKind::Radio, &["Small", "Medium", "Large"]),
        field("TEMPERAMENT", FieldKind::Listbox, &["CALM", "WILD"]),
        field("BORN", FieldKind::Date, &[]),
        field("NOTES", FieldKind::Textarea, &[]),
        field("SUMMARY", FieldKind::Text, &[]),
    ];
    for (number, field) in fields.iter_mut().enumerate() {
        field.id = (number + 1).to_string().into();
    }
    fields
}

fn properties(number: usize) -> Value {
    json!({
        "name": format!("Rex {number}"),
        "owner_email": format!("owner{number}@example.org"),
        "owner_first_name": "Jo",
        "owner_last_name": "Müller",
        "owner_phone": "+4930123456",
        "weight": 12.5,
        "status": if number.is_multiple_of(2) { "new" } else { "adopted" },
        "size": "small",
        "temperament": ["calm", "wild"],
        "born": "2021-05-01",
        "story": "Found in the rain near the station; likes children, not bicycles. ".repeat(4),
    })
}

fn records() -> Vec<Record> {
    (0..100)
        .map(|number| {
            let Value::Object(properties) = properties(number) else {
                unreachable!("made as an object")
            };
            Record {
                id: format!("66b1f2a4c9e77{number:011}").into(),
                object: "custom_objects.pets".into(),
                properties,
                owners: vec![],
                followers: vec![],
                created_at: None,
                updated_at: "2026-02-01T10:00:00Z".parse().ok(),
                relations: None,
                search_after: None,
            }
        })
        .collect()
}

/// Times, in milliseconds, that pages take through the client, from a server that has its answer ready.
async fn pages() -> Vec<f64> {
    let rows: Vec<Value> = (0..100)
        .map(|number| {
            json!({
                "id": format!("66b1f2a4c9e77{number:011}"),
                "owner": ["u1"], "followers": [],
                "properties": properties(number),
                "createdAt": "2026-01-01T10:00:00.000Z", "updatedAt": "2026-02-01T10:00:00.000Z",
                "searchAfter": [1_769_940_000_000_i64, format!("66b1f2a4c9e77{number:011}")],
            })
        })
        .collect();
    let body = json!({ "records": rows, "total": 100_000 }).to_string();
    let client = client(&canned(body));
    let object = ObjectKey::from("custom_objects.pets");
    let mut measured = Vec::new();
    for _ in 0..300 {
        let start = Instant::now();
        let page = client
            .search(&object, &Search::default())
            .await
            .expect("a page");
        measured.push(start.elapsed().as_secs_f64() * 1000.0);
        assert_eq!(page.records.len(), 100);
    }
    measured
}

fn client(base: &str) -> HighLevel {
    let settings = HighLevelSettings {
        base_url: BaseUrl::parse(base).expect("loopback"),
        version: tramline::highlevel::VERSION.into(),
        location_id: "loc".into(),
    };
    let budget = Budget::new(
        "highlevel",
        "highlevel",
        Limit::new(100_000, Duration::from_millis(100)),
        Duration::from_secs(10),
        Arc::new(MemoryLedger::default()),
        Arc::new(SystemClock),
    );
    let token = Arc::new(FixedToken::new("token"));
    HighLevel::new(settings, token, Arc::new(Http::default()), budget, None).expect("a client")
}

/// A server on one kept-alive connection that gives the same answer to every request.
fn canned(body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, body) = (stream.expect("a connection"), body.clone());
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            std::thread::spawn(move || {
                // Requests here are smaller than a buffer and come one at a time.
                let mut buffer = [0; 16 * 1024];
                while matches!(stream.read(&mut buffer), Ok(read) if read > 0) {
                    if stream.write_all(answer.as_bytes()).is_err() {
                        break;
                    }
                }
            });
        }
    });
    url
}
