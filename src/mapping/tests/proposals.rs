//! Contact fields that are proposed for what records hold.

use super::fixture;
use crate::mapping::{FieldSpec, Mapping, MappingSpec, propose};
use crate::model::{
    ContactField, DataType, FieldId, FieldKind, FieldOption, Finding, Level, ObjectSchema,
};

/// Whatever is proposed fits: a mapping to a field as it is proposed, of any of the types, has no error.
#[test]
fn every_proposal_of_every_type_is_one_that_the_matrix_allows() {
    let schema = fixture::schema();
    let proposals = propose(&schema, &[]);
    assert!(proposals.len() >= schema.properties.len());
    for proposal in &proposals {
        assert!(!proposal.kinds.is_empty(), "{}", proposal.source);
        for kind in &proposal.kinds {
            let option = |label: &String| FieldOption {
                value: label.clone(),
                label: label.clone(),
            };
            let field = ContactField {
                id: FieldId::new("1"),
                tag: proposal.tag.clone(),
                title: proposal.title.clone(),
                kind: kind.clone(),
                options: proposal.options.iter().map(option).collect(),
                listed: true,
            };
            let mut spec: MappingSpec = toml::from_str(&format!(
                "object = \"{}\"\nemail = \"owner_email\"",
                schema.key
            ))
            .unwrap();
            let source = FieldSpec::Short(proposal.source.clone());
            spec.fields.0.push((format!("%{}%", proposal.tag), source));
            let findings = Mapping::compile(&"m".into(), &spec, &schema, &[field], &[]).findings;
            let errors: Vec<&Finding> = findings
                .iter()
                .filter(|f| f.level == Level::Error)
                .collect();
            assert!(errors.is_empty(), "{proposal:?} as {kind:?}: {errors:?}");
        }
    }
}

#[test]
fn a_radio_of_free_text_is_proposed_as_text() {
    let mut schema = fixture::schema();
    let radio = schema
        .properties
        .iter_mut()
        .find(|p| !p.options.is_empty())
        .unwrap();
    radio.data_type = DataType::Radio;
    let key = radio.key.clone();
    let best = |schema: &ObjectSchema| {
        let mut all = propose(schema, &[]).into_iter();
        all.find(|proposal| proposal.source == key)
            .unwrap()
            .kinds
            .remove(0)
    };
    assert_eq!(best(&schema), FieldKind::Radio);
    let radio = schema.properties.iter_mut().find(|p| p.key == key).unwrap();
    radio.allow_custom_option = true;
    assert_eq!(best(&schema), FieldKind::Text);
}
