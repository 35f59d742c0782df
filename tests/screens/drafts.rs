//! What the world answers about a mapping that is edited.

use super::{Mood, done, pets, preview, schema, text};
use tramline::mapping::{FieldSpec, MappingSpec, propose};
use tramline::model::contact::Part;
use tramline::model::survey::{Fault, Survey};
use tramline::model::view::Preview;
use tramline::model::{
    ActionNames, ContactField, DataType, ErrorClass, FieldOption, Finding, Level, MappingName,
    NewField, Problem, Record,
};
use tramline::operations::Done;
use tramline::operations::drafts::MappingDraft;
use tramline::operations::mappings::{MappingDetail, MappingLine, SuggestedPair};
use tramline::operations::rules::RuleTrial;

/// The mapping that the world's detail shows.
pub fn spec() -> MappingSpec {
    toml::from_str(
        r#"
        object = "pets"
        email = "owner_email"
        [fields]
        first_name = "owner_first_name"
        "%PET_NAME%" = "name"
        "%WEIGHT_KG%" = { template = "{{ weight | round(1) }}", empty = "clear" }
        "%TEMPERAMENT%" = "temperament"
        "%BORN%" = "born"
        [[rules]]
        name = "adopted"
        when = "status == 'adopted'"
        add_tags = ["pet-adopted"]
        start_automation = "Adoption welcome"
        [[rules]]
        name = "heavy"
        when = "weight > 40"
        add_tags = "heavy"
        on_first_sync = true
        "#,
    )
    .unwrap()
}

/// A line of the mapping `visits` whose contact field is not there.
pub fn lacking() -> MappingLine {
    MappingLine {
        source: "temperament".into(),
        source_type: Some(DataType::MultipleOptions),
        template: false,
        transform: false,
        target: "%MOODS%".into(),
        target_type: None,
        builtin: false,
        problem: Some((Level::Error, "there is no contact field %MOODS%".into())),
    }
}

/// Where an edit of it begins.
pub fn draft(mood: Mood, name: &MappingName) -> MappingDraft {
    let choice = |key: &str, note: &str| (key.to_owned(), text(mood, note));
    let mut spec = spec();
    if name.as_str() == "visits" {
        let lacking = lacking();
        let source = FieldSpec::Short(lacking.source);
        spec.fields.0.push((lacking.target, source));
    }
    MappingDraft {
        spec,
        proposals: propose(&schema(mood, &pets()), &[]),
        record_fields: vec![
            choice("name", "Name  TEXT"),
            choice("weight", "Weight  NUMERICAL"),
            choice("chip", "Chip number  TEXT"),
        ],
        contact_fields: vec![
            choice("first_name", "built-in"),
            choice("%PET_NAME%", "Pet name  text"),
            choice("%CHIP%", "Chip  text"),
        ],
    }
}

/// The lines of a draft: as they were, where they are as they were.
pub fn detail(was: MappingDetail, draft: &MappingSpec) -> MappingDetail {
    let line = |(target, field): (&str, &FieldSpec)| {
        let known = was.lines.iter().find(|line| line.target == target);
        let mut line = known.or(was.lines.get(1))?.clone();
        line.target = target.to_owned();
        line.source = field.source().to_owned();
        Some(line)
    };
    let lines: Vec<_> = draft.fields.iter().filter_map(line).collect();
    let mut findings: Vec<Finding> = was.findings;
    findings
        .retain(|finding| finding.level != Level::Error || draft.fields.get("%BORN%").is_some());
    MappingDetail {
        lines,
        findings,
        ..was
    }
}

/// What a source makes of a record: `name` is Rex, a template without its end is a fault.
pub fn trial(mood: Mood, draft: &MappingSpec, record: Record) -> Done<Preview> {
    let mut preview = preview(mood, record);
    preview
        .rules
        .retain(|rule| draft.rules.iter().any(|kept| kept.name == rule.name));
    let sample = preview.fields[0].clone();
    preview.fields.clear();
    for (target, field) in draft.fields.iter() {
        let source = field.source();
        if source.contains("{{") && !source.contains("}}") {
            return Err(Problem::new(
                ErrorClass::Config,
                format!("mapping pets: {target}: the template does not end"),
            ));
        }
        let mut made = sample.clone();
        made.field = target.to_owned();
        made.source = source.to_owned();
        made.send = Some(text(mood, &format!("<{source}>")));
        preview.fields.push(made);
    }
    done(mood, preview)
}

/// What a rule makes of a record: it holds for the word adopted; a quote without its end is a fault.
pub fn rule_trial(mood: Mood, draft: &MappingSpec, at: usize, record: Record) -> Done<RuleTrial> {
    let rule = &draft.rules[at];
    let condition = match rule.when.matches('\'').count() % 2 {
        0 => Ok(rule.when.contains("adopted")),
        _ => Err(text(mood, "the text does not end")),
    };
    let holds = condition == Ok(true);
    let trial = RuleTrial {
        title: preview(mood, record).title,
        fires: holds && rule.on_first_sync,
        note: (holds && !rule.on_first_sync)
            .then(|| "a first sync fires nothing without on_first_sync".to_owned()),
        condition,
        actions: rule
            .acts()
            .iter()
            .map(|act| text(mood, &act.to_string()))
            .collect(),
        findings: match rule.acts().is_empty() {
            true => vec![(Level::Error, "it does nothing".to_owned())],
            false => Vec::new(),
        },
    };
    done(mood, trial)
}

/// What the account has; its events may not be read.
pub fn action_names(mood: Mood) -> ActionNames {
    let names = |names: &[&str]| Part::Read(names.iter().map(|name| text(mood, name)).collect());
    ActionNames {
        tags: names(&["pet-adopted", "pet-owner", "vip"]),
        lists: names(&["Adopters", "Newsletter"]),
        automations: names(&["Adoption welcome", "Farewell"]),
        events: Part::Refused {
            refused: text(mood, "403 Forbidden"),
        },
    }
}

/// A contact field as the account made it.
pub fn created(new: &NewField) -> ContactField {
    let option = |text: &String| FieldOption {
        value: text.clone(),
        label: text.clone(),
    };
    ContactField {
        id: "77".into(),
        tag: new.tag.clone().unwrap_or_default(),
        title: new.title.clone(),
        kind: new.kind.clone(),
        options: new.options.iter().map(option).collect(),
        listed: true,
    }
}

/// Pairs that seem to belong together.
pub fn suggested(mood: Mood) -> Vec<SuggestedPair> {
    let pair = |field: &str, from: &str, score, reason: &str| SuggestedPair {
        field: field.into(),
        from: from.into(),
        score,
        reason: text(mood, reason),
    };
    vec![
        pair("%CHIP%", "chip", 0.87, "the names agree; both are text"),
        pair(
            "%STATE_OF_THE_PET%",
            "status",
            0.71,
            "the options Available, Adopted, Pending are the same; the names are alike in part",
        ),
        pair(
            "phone",
            "owner_phone",
            0.64,
            "9 of 10 values look like telephone numbers",
        ),
    ]
}

/// What all records become.
pub fn survey(mood: Mood) -> Survey {
    let fault = |count, problem: Problem, sample: &str| Fault {
        count,
        problem,
        sample: sample.into(),
    };
    Survey {
        records: 10_000,
        skipped: 12,
        superseded: 43,
        changed: 1_204,
        unchanged: 8_700,
        faults: vec![
            fault(
                38,
                Problem::new(
                    ErrorClass::Invalid,
                    text(mood, "DATE cannot become a number"),
                )
                .field("born"),
                "66b1c0ffee00000000000003",
            ),
            fault(
                3,
                Problem::new(ErrorClass::Invalid, "\"not-an-email\" is no e-mail address")
                    .field("owner_email"),
                "66b1c0ffee00000000000017",
            ),
        ],
    }
}
