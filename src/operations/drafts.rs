//! A mapping while a person edits it: held against both live schemas and tried on records before config.toml has it.

use super::audit::Act;
use super::mappings::{MappingDetail, SuggestedPair};
use super::reload::Reloaded;
use super::{Done, Operations};
use crate::config::Config;
use crate::mapping::{MappingSpec, propose};
use crate::model::survey::Survey;
use crate::model::view::Preview;
use crate::model::{Builtin, ErrorClass, FieldProposal, MappingName, ObjectKey, Problem, Record};
use crate::sync::survey::survey;

/// A field that a line may name: as config.toml names it, and what is said about it.
pub type FieldChoice = (String, String);

/// Where an edit of a mapping begins.
#[derive(Clone, Debug, PartialEq)]
pub struct MappingDraft {
    /// As config.toml has it.
    pub spec: MappingSpec,
    /// The fields of the object's records.
    pub record_fields: Vec<FieldChoice>,
    /// The fields of a contact: the built-in ones, then the account's own.
    pub contact_fields: Vec<FieldChoice>,
    /// Contact fields that could be made, one for each record field.
    pub proposals: Vec<FieldProposal>,
}

/// A mapping that was written into config.toml.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    pub reloaded: Reloaded,
    /// It has its first rules and has synced records before: what that means for them, and what to do.
    pub unknown_states: Option<(String, String)>,
}

impl Operations {
    /// A mapping with the fields that its lines may name.
    ///
    /// # Errors
    /// There is no such mapping, or a schema cannot be read.
    pub async fn mapping_draft(&self, mapping: &MappingName) -> Done<MappingDraft> {
        let spec = self.mapping_spec(mapping)?;
        let account = self.person(&self.state().config.connection_of(&spec))?;
        let schema = account.schema(&ObjectKey::from_input(&spec.object)).await?;
        let fields = account.fields().await?;
        let record_fields = schema.properties.iter().map(|property| {
            let note = format!("{}  {}", property.name, property.data_type.as_str());
            (property.key.clone(), note)
        });
        let builtin = Builtin::ALL.map(|field| (field.name().to_owned(), "built-in".to_owned()));
        let own = fields.iter().map(|field| {
            let note = format!("{}  {}", field.title, field.kind.as_str());
            (format!("%{}%", field.tag), note)
        });
        Ok(MappingDraft {
            proposals: propose(&schema, &fields),
            record_fields: record_fields.collect(),
            contact_fields: builtin.into_iter().chain(own).collect(),
            spec,
        })
    }

    /// A mapping as config.toml has it: where an edit begins.
    ///
    /// # Errors
    /// There is no such mapping.
    pub fn mapping_spec(&self, mapping: &MappingName) -> Done<MappingSpec> {
        let state = self.state();
        Ok(state.spec(mapping)?.0.clone())
    }

    /// As [`Operations::mapping_detail`], for a mapping that is not saved. Asks nobody once the schemas are known.
    pub async fn draft_detail(
        &self,
        mapping: &MappingName,
        draft: &MappingSpec,
    ) -> Done<MappingDetail> {
        self.detail_of(mapping, draft).await
    }

    /// What a mapping that is not saved makes of a record that is at hand; its contact is not looked up.
    pub async fn draft_preview(
        &self,
        mapping: &MappingName,
        draft: &MappingSpec,
        record: Record,
    ) -> Done<Preview> {
        let connection = self.state().config.connection_of(draft);
        let account = self.person(&connection)?;
        let compiled = account.compile(mapping, draft).await?.ready(mapping)?;
        self.preview_by(&compiled, &account, record, false).await
    }

    /// Pairs that could be added to a mapping that is not saved.
    pub async fn draft_suggestions(
        &self,
        mapping: &MappingName,
        draft: &MappingSpec,
    ) -> Done<Vec<SuggestedPair>> {
        self.suggest_for(mapping, draft).await
    }

    /// Sends all records through a mapping, saved or not, in the lane of bulk work. Writes nothing.
    ///
    /// # Errors
    /// The mapping does not fit the schemas, or HighLevel cannot be read.
    pub async fn survey(&self, mapping: &MappingName, draft: &MappingSpec) -> Done<Survey> {
        let state = self.state();
        let connection = state.config.connection_of(draft);
        let account = &state.open_account(&connection)?.account;
        let compiled = account.compile(mapping, draft).await?.ready(mapping)?;
        survey(&self.inner.store, account, &compiled).await
    }

    /// Writes a mapping into config.toml, which keeps its comments and order, and goes on by it. `before` is the mapping as the
    /// person saw it.
    ///
    /// # Errors
    /// `--read-only`; the file says something else by now, or cannot be written. Then it stays as it is.
    pub async fn save_mapping(
        &self,
        mapping: &MappingName,
        before: &MappingSpec,
        after: &MappingSpec,
    ) -> Done<Saved> {
        self.writable()?;
        let state = self.state();
        let path = state.config.path.clone();
        let (name, old, new) = (mapping.clone(), before.clone(), after.clone());
        let saving = async {
            let saved =
                tokio::task::spawn_blocking(move || Config::save_mapping(&path, &name, &old, &new));
            saved.await.map_err(|error| {
                Problem::new(
                    ErrorClass::Config,
                    format!("config.toml was not written: {error}"),
                )
            })??;
            self.reload().await
        };
        let connection = state.config.connection_of(after);
        let act = Act::new("mapping saved", mapping.as_str()).of(&connection);
        let reloaded = self.audited(act, saving, |_| None).await?;
        let unknown = match before.rules.is_empty() {
            // It is saved, whether or not the store can tell.
            true => self.unknown_states(&connection, mapping, after).await,
            false => Ok(None),
        };
        Ok(Saved {
            reloaded,
            unknown_states: unknown.ok().flatten(),
        })
    }
}
