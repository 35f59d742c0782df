//! A mapping resolved against both live schemas.

use super::spec::MappingSpec;
use crate::model::view::{PreviewField, PreviewRule};
use crate::model::{
    Association, AssociationId, Contact, ContactField, Finding, Fingerprint, MappingName,
    ObjectKey, ObjectSchema, Properties, Record, RelatedContact, TargetField,
};
use std::sync::Arc;

/// What compiling came to.
#[derive(Debug)]
pub struct Compiled {
    /// `None` where a finding is an error.
    pub mapping: Option<Mapping>,
    /// Errors and warnings; one `ok` where there is none.
    pub findings: Vec<Finding>,
}

/// Where the e-mail address comes from, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmailSource {
    /// A record field's short key.
    Property(String),
    /// The contact that an association leads to.
    Association(AssociationId),
}

/// A mapping that can be applied to records.
#[derive(Debug)]
pub struct Mapping {
    name: MappingName,
}

/// One line of a mapping, for screens.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The contact field as config.toml names it.
    pub field: Arc<str>,
    pub target: TargetField,
    /// The contact field's title: `Pet name`.
    pub title: String,
    /// The contact field's type: `text`, `dropdown`.
    pub target_type: String,
    /// The record field or template.
    pub source: Arc<str>,
    /// The record field's type, or `template`.
    pub source_type: String,
}

impl Mapping {
    /// Resolves every name of a mapping against the object's schema, the account's contact fields (all of
    /// them) and the associations of the location, and checks what can be checked without a record.
    pub fn compile(
        name: &MappingName,
        spec: &MappingSpec,
        schema: &ObjectSchema,
        fields: &[ContactField],
        associations: &[Association],
    ) -> Compiled {
        todo!()
    }

    /// The mapping's name.
    pub fn name(&self) -> &MappingName {
        todo!()
    }

    /// The mapping as config.toml spells it.
    pub fn spec(&self) -> &MappingSpec {
        todo!()
    }

    /// The object's full key.
    pub fn object(&self) -> &ObjectKey {
        todo!()
    }

    /// [`MappingSpec::hash`], computed once.
    pub fn hash(&self) -> &Fingerprint {
        todo!()
    }

    /// Where the e-mail address comes from.
    pub fn email(&self) -> &EmailSource {
        todo!()
    }

    /// The association whose contact [`Mapping::apply`] needs; `None` where the record is enough.
    pub fn association(&self) -> Option<&AssociationId> {
        todo!()
    }

    /// The lines of the mapping in their order.
    pub fn columns(&self) -> Vec<Column> {
        todo!()
    }

    /// The title of a record: its primary property as text, else its id.
    pub fn title(&self, record: &Record) -> String {
        todo!()
    }

    /// The lines of a preview: record value, value to send, the contact's value now.
    pub fn preview_fields(
        &self,
        record: &Record,
        related: Option<&RelatedContact>,
        contact: Option<&Contact>,
    ) -> Vec<PreviewField> {
        todo!()
    }

    /// True if a contact that holds `held` needs no write of `sent`: times compare as instants, multiple
    /// values as sets, numbers by value.
    pub fn same(&self, target: &TargetField, sent: &str, held: &str) -> bool {
        todo!()
    }

    /// What the rules would do. `previous`: the properties of the last confirmed state, `None` for a record
    /// that was never confirmed.
    pub fn preview_rules(
        &self,
        record: &Record,
        related: Option<&RelatedContact>,
        previous: Option<&Properties>,
    ) -> Vec<PreviewRule> {
        todo!()
    }
}
