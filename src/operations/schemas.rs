//! Objects and contact fields.

use super::audit::Act;
use super::{Done, Operations};
use crate::highlevel::{PageCursor, Search};
use crate::mapping::is_template;
use crate::model::{ConnectionName, ContactField, FieldKind, FieldOption, ObjectKey, ObjectSchema};
use serde::Serialize;

/// An object with the number of its records.
#[derive(Clone, Debug, Serialize)]
pub struct SchemaSummary {
    /// Without properties; read them with [`Operations::schema`].
    pub schema: ObjectSchema,
    /// `None` for objects whose records cannot be searched (contact, opportunity).
    pub records: Option<u64>,
}

impl Operations {
    /// All objects: custom ones first, then the standard ones. Costs one call, and one more for each
    /// object whose records are counted when `with_totals`.
    pub async fn schemas(
        &self,
        connection: &ConnectionName,
        with_totals: bool,
    ) -> Done<Vec<SchemaSummary>> {
        let account = self.person(connection)?;
        let mut schemas = account.highlevel.objects().await?;
        schemas.sort_by(|a, b| (a.standard, &a.key).cmp(&(b.standard, &b.key)));
        let mut summaries = Vec::with_capacity(schemas.len());
        for schema in schemas {
            // Fact sheet §2.2: only business and custom objects have searchable records.
            let countable = !schema.standard || schema.key.as_str() == "business";
            let records = if with_totals && countable {
                let search = Search {
                    page: PageCursor::Page(1),
                    limit: 1,
                    ..Search::default()
                };
                account
                    .highlevel
                    .search(&schema.key, &search)
                    .await
                    .ok()
                    .and_then(|page| page.total)
            } else {
                None
            };
            summaries.push(SchemaSummary { schema, records });
        }
        Ok(summaries)
    }

    /// One object with its properties.
    pub async fn schema(
        &self,
        connection: &ConnectionName,
        object: &ObjectKey,
    ) -> Done<ObjectSchema> {
        Ok(self
            .person(connection)?
            .schema(object)
            .await?
            .as_ref()
            .clone())
    }

    /// All contact fields of the ActiveCampaign account.
    pub async fn contact_fields(&self, connection: &ConnectionName) -> Done<Vec<ContactField>> {
        Ok(self.person(connection)?.fields().await?.as_ref().clone())
    }

    /// Creates a contact field, shows it in all lists, and adds its options.
    pub async fn create_contact_field(
        &self,
        connection: &ConnectionName,
        title: &str,
        tag: Option<&str>,
        kind: &FieldKind,
        options: &[String],
    ) -> Done<ContactField> {
        self.writable()?;
        let account = self.person(connection)?;
        let options: Vec<FieldOption> = options
            .iter()
            .map(|text| FieldOption {
                value: text.clone(),
                label: text.clone(),
            })
            .collect();
        let doing = async {
            Ok(account
                .activecampaign
                .create_field(title, tag, kind, &options)
                .await?)
        };
        let act = Act::new("contact field create", title).of(connection);
        let field = self.audited(act, doing, |_| Some(1)).await?;
        account.forget().await;
        Ok(field)
    }

    /// Where an object's properties go: pairs of property key and contact field name, over all mappings.
    pub fn mapped_to(
        &self,
        connection: &ConnectionName,
        object: &ObjectKey,
    ) -> Vec<(String, String)> {
        let state = self.state();
        let config = &state.config;
        config
            .mappings
            .values()
            .filter(|spec| {
                config.connection_of(spec) == *connection
                    && ObjectKey::from_input(&spec.object) == *object
            })
            .flat_map(|spec| spec.fields.iter())
            .filter(|(_, field)| !is_template(field.source()))
            .map(|(target, field)| (field.source().to_owned(), target.to_owned()))
            .collect()
    }
}
