//! Contact fields that are missing and rules that are tried, from the command line and from what the screens call.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use support::{House, PETS};
use tramline::config::Config;
use tramline::mapping::{Names, RuleSpec};
use tramline::model::{FieldKind, Level, NewField};
use tramline::operations::draft::Draft;
use tramline::operations::{OpenOptions, Operations};
use tramline::sandbox::{Fault, Kind};

const COAT: [&str; 10] = [
    "fields",
    "create",
    "Coat colour",
    "--kind",
    "dropdown",
    "--tag",
    "COAT",
    "--option",
    "Black",
    "--option=White",
];

fn field(house: &House, tag: &str) -> Option<Value> {
    let fields = house.expect(0, &["--json", "fields", "list"]).lines();
    fields.into_iter().find(|field| field["tag"] == tag)
}

/// Requests of a route that were sent.
fn sent(house: &House, route: &str) -> usize {
    let log = house.control.log();
    let route = log.iter().filter(|entry| {
        let path = entry.path.split('?').next().unwrap_or_default();
        format!("{} {path}", entry.method) == route
    });
    route.count()
}

#[test]
fn what_remains_of_a_half_made_field_is_told_and_done_by_the_same_command() {
    let house = House::new(5);
    let refused = |route: &str| Fault::once(Kind::Status(422), route);
    house.control.fault(refused("POST /api/3/fieldRels"));
    let ran = house.expect(1, &COAT);
    let told = "was created, but is attached to no list, and lacks its options Black, White";
    assert!(ran.stderr.contains(told), "{ran:#?}");
    assert!(ran.stderr.contains("create it again"), "{ran:#?}");
    let half = field(&house, "COAT").unwrap();
    assert_eq!(
        (&half["listed"], &half["options"]),
        (&json!(false), &json!([]))
    );

    house.control.fault(refused("POST /api/3/fieldOption/bulk"));
    let ran = house.expect(1, &COAT);
    assert!(
        ran.stderr.contains("but lacks its options Black, White"),
        "{ran:#?}"
    );
    assert_eq!(field(&house, "COAT").unwrap()["listed"], true);

    house.expect(0, &COAT);
    let whole = field(&house, "COAT").unwrap();
    assert_eq!(
        whole["options"][1],
        json!({"value": "White", "label": "White"})
    );
    assert_eq!(sent(&house, "POST /api/3/fields"), 1, "made once");
    assert_eq!(sent(&house, "POST /api/3/fieldRels"), 2, "attached once");
    assert_eq!(sent(&house, "POST /api/3/fieldOption/bulk"), 2);

    // A field that is whole is not touched, and neither is one of the same tag.
    let ran = house.expect(1, &COAT);
    assert!(
        ran.stderr
            .contains("there is a contact field of this title: %COAT%"),
        "{ran:#?}"
    );
    let ran = house.expect(1, &["fields", "create", "Fur", "--tag", "coat"]);
    assert!(
        ran.stderr.contains("it is the tag of \"Coat colour\""),
        "{ran:#?}"
    );
    let ran = house.expect(1, &["fields", "create", "Fur", "--option", "Long"]);
    assert!(
        ran.stderr.contains("a text field has no options"),
        "{ran:#?}"
    );
    let read_only = [&["--read-only"], &COAT[..]].concat();
    house.expect(2, &read_only);
    assert_eq!(sent(&house, "POST /api/3/fields"), 1);
    let audit = house.expect(0, &["--json", "audit"]).lines();
    let outcomes: Vec<&str> = audit
        .iter()
        .filter(|entry| entry["action"] == "contact field create")
        .map(|entry| entry["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes.len(), 3, "{outcomes:?}");
    assert!(outcomes[0] == "done" && outcomes[2].contains("attached to no list"));
    house.assert_no_violation();
}

/// Does something with the operations of a house.
fn with<T>(house: &House, doing: impl AsyncFnOnce(&Operations) -> T) -> T {
    let config = Config::read(&house.path("config.toml")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let operations = Operations::open(config, OpenOptions::default()).await;
        let operations = operations.unwrap();
        let result = doing(&operations).await;
        operations.close().await;
        result
    })
}

#[test]
fn a_proposed_field_takes_what_the_record_holds_and_ends_the_lines_problem() {
    let house = House::new(5);
    with(&house, async |operations| {
        let name = "pets".into();
        let read = operations.mapping_draft(&name).await.unwrap();
        let find = |source: &str| {
            let mut found = read.proposals.iter().filter(|p| p.source == source);
            found.next().unwrap().clone()
        };
        // The account has a field of this name already.
        let species = find("species");
        assert_eq!(
            (species.title.as_str(), species.tag.as_str()),
            ("Pet Species", "PET_SPECIES")
        );
        assert_eq!(species.kinds[0], FieldKind::Dropdown);
        assert!(
            !species.kinds.contains(&FieldKind::Number),
            "the matrix has no way"
        );
        assert!(find("notes.kitchen").options.is_empty());

        let mut draft = Draft::of(read.spec);
        draft.put(draft.with_source("%PET_SPECIES%", "species"));
        let trouble = async || {
            let detail = operations.draft_detail(&name, &draft.spec).await.unwrap();
            let mut lines = detail.lines.into_iter();
            lines
                .find(|line| line.target == "%PET_SPECIES%")
                .unwrap()
                .problem
        };
        assert_eq!(trouble().await.unwrap().0, Level::Error);
        let new = NewField {
            title: species.title,
            tag: Some(species.tag),
            kind: species.kinds[0].clone(),
            options: species.options,
        };
        let connection = operations.connection(None).unwrap();
        operations
            .create_contact_field(&connection, &new)
            .await
            .unwrap();
        assert_eq!(trouble().await, None, "the fields are asked for anew");
        let records = operations.mapping_samples(&name, 5).await.unwrap();
        for record in records {
            let preview = operations.draft_preview(&name, &draft.spec, record).await;
            let fields = preview.unwrap().fields;
            let field = fields.iter().find(|f| f.field == "%PET_SPECIES%").unwrap();
            assert!(field.problem.is_none() && field.send.is_some(), "{field:?}");
        }
    });
    house.assert_no_violation();
}

#[test]
fn a_rule_is_tried_by_itself_and_its_names_are_the_accounts() {
    let house = House::new(5);
    let record = house.control.records(PETS)[0].id.clone();
    let heavy = |weight| house.control.set_property(PETS, &record, "weight", weight);
    heavy(json!(50));
    with(&house, async |operations| {
        let name = "pets".into();
        let spec = operations.mapping_spec(&name).unwrap();
        let mut draft = Draft::of(spec);
        // Another line that fits no field hides nothing.
        draft.put(draft.with_source("%NO_SUCH_FIELD%", "name"));
        let connection = operations.connection(None).unwrap();
        let sample = operations
            .record(&connection, &PETS.into(), &record.as_str().into())
            .await
            .unwrap();
        let try_rule = async |when: &str, first: bool, tags: &[&str]| {
            let mut rule = RuleSpec::new("heavy", when);
            rule.on_first_sync = first;
            rule.add_tags = Names(tags.iter().map(|tag| (*tag).to_owned()).collect());
            let spec = draft.with_rule(None, rule);
            let at = spec.rules.len() - 1;
            operations
                .try_rule(&name, &spec, at, sample.clone())
                .await
                .unwrap()
        };
        let trial = try_rule("weight > 40", true, &["heavy"]).await;
        assert_eq!((&trial.condition, trial.fires), (&Ok(true), true));
        assert_eq!(trial.actions, ["tag heavy"]);
        let trial = try_rule("weight > 40", false, &["heavy"]).await;
        assert_eq!((&trial.condition, trial.fires), (&Ok(true), false));
        assert!(trial.note.unwrap().contains("first sync"));
        let trial = try_rule("weight > 60", true, &["heavy"]).await;
        assert_eq!((&trial.condition, trial.fires), (&Ok(false), false));
        // Without an action the condition is judged all the same.
        let trial = try_rule("weight > 40", true, &[]).await;
        assert_eq!((&trial.condition, trial.fires), (&Ok(true), false));
        assert_eq!(trial.findings.len(), 1, "{:?}", trial.findings);
        let trial = try_rule("wieght > 40", true, &["heavy"]).await;
        assert!(trial.condition.unwrap_err().contains("wieght"));
        assert_eq!(trial.findings, []);
        let trial = try_rule("weight >", true, &["heavy"]).await;
        assert!(trial.condition.is_err());

        let names = operations.action_names(&connection).await.unwrap();
        for (part, names) in [
            ("tags", &names.tags),
            ("lists", &names.lists),
            ("automations", &names.automations),
        ] {
            assert!(!names.items().is_empty(), "{part}");
        }
        house
            .control
            .fault(Fault::once(Kind::Status(403), "GET /api/3/lists").times(9));
        let names = operations.action_names(&connection).await.unwrap();
        assert!(names.lists.refused().unwrap().starts_with("403"));
        assert!(!names.tags.items().is_empty());
    });
    house.assert_no_violation();
}
