//! What the world answers about a mapping that is edited.

use super::{Mood, done, preview, text};
use tramline::mapping::{FieldSpec, MappingSpec};
use tramline::model::survey::{Fault, Survey};
use tramline::model::view::Preview;
use tramline::model::{ErrorClass, Finding, Level, Problem, Record};
use tramline::operations::Done;
use tramline::operations::drafts::MappingDraft;
use tramline::operations::mappings::MappingDetail;

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
        "#,
    )
    .unwrap()
}

/// Where an edit of it begins.
pub fn draft(mood: Mood) -> MappingDraft {
    let choice = |key: &str, note: &str| (key.to_owned(), text(mood, note));
    MappingDraft {
        spec: spec(),
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
