//! Objects and their properties.

use super::{Done, Operations};
use crate::highlevel::{PageCursor, Search};
use crate::model::{ConnectionName, ErrorClass, ObjectKey, ObjectSchema, Problem};
use serde::Serialize;

/// An object with the number of its records.
#[derive(Clone, Debug, Serialize)]
pub struct SchemaSummary {
    /// Without properties; read them with [`Operations::schema`].
    pub schema: ObjectSchema,
    /// `None` for objects whose records cannot be searched (contact, opportunity), and where counting failed.
    pub records: Option<u64>,
    /// Why they could not be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
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
            let counted = if with_totals && countable {
                let search = Search {
                    page: PageCursor::Page(1),
                    limit: 1,
                    ..Search::default()
                };
                let page = account.highlevel.search(&schema.key, &search).await;
                page.map(|page| page.total)
            } else {
                Ok(None)
            };
            let (records, problem) = match counted {
                Ok(records) => (records, None),
                // A standard object that this location has no records of.
                Err(error) if error.class == ErrorClass::Missing => (None, None),
                Err(error) => (None, Some(error.into())),
            };
            summaries.push(SchemaSummary {
                schema,
                records,
                problem,
            });
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

    /// Where an object's properties go: pairs of what a line reads and the contact field that it fills, over all mappings. A
    /// line reads a property (`name`), a part of one (`notes.kitchen`), or, as a template, several: see [`reads`].
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
            .flat_map(|(target, field)| {
                let names = field.reads().into_iter();
                names.map(move |name| (short(&name, object), target.to_owned()))
            })
            .collect()
    }
}

/// A name as the object's properties have it; config.toml may name a property by its full key.
fn short(name: &str, object: &ObjectKey) -> String {
    name.strip_prefix(object.as_str())
        .and_then(|rest| rest.strip_prefix('.'))
        .unwrap_or(name)
        .to_owned()
}

/// True if what a line reads is a property or a part of it.
pub fn reads(name: &str, property: &str) -> bool {
    name.strip_prefix(property)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
