//! States of records that are not known: a mapping keeps them only while it has rules, so of records that were synced before
//! its first rule nobody can tell what turns true next. An export notes them all.

use super::{Done, Operations};
use crate::mapping::MappingSpec;
use crate::model::{ConnectionName, Finding, MappingName, RecordId};

/// What a rule says of a record whose state is not known.
pub(super) const NOTE: &str = "the record's state at its last sync is not known";

/// What is said of a sync of such a record once it is done.
pub(super) const AFTER: &str = "the mapping had no rules when this record was synced before, so what turned true since cannot \
     be told; from now on its state is known";

/// What fires when an export notes the states of records.
fn fires(spec: &MappingSpec) -> &'static str {
    match spec.rules.iter().any(|rule| rule.on_first_sync) {
        true => "fires only what says on_first_sync",
        false => "fires nothing",
    }
}

/// What a person should know before such a record is synced.
pub(super) fn warning(mapping: &MappingName, spec: &MappingSpec) -> String {
    format!(
        "this record was last synced before the mapping had rules: whether a condition turns true with its next sync cannot \
         be told; `tramline export {mapping}` notes the state of every record and {}",
        fires(spec)
    )
}

impl Operations {
    /// True if a mapping has synced a record and does not know its state. To be asked where the mapping has rules and no state
    /// was found.
    pub(super) async fn was_synced(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        record: &RecordId,
    ) -> Done<bool> {
        let links = self
            .inner
            .store
            .links_of_record(connection, mapping, record);
        Ok(links.await?.iter().any(|link| link.record == *record))
    }

    /// How many records a mapping with rules has synced whose state it does not know, in a sentence with what to do; `None`
    /// where there is none.
    pub(super) async fn unknown_states(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        spec: &MappingSpec,
    ) -> Done<Option<(String, String)>> {
        if spec.rules.is_empty() {
            return Ok(None);
        }
        let number = self.inner.store.unknown_states(connection, mapping).await?;
        let what = match number {
            0 => return Ok(None),
            1 => "1 record was last synced before the mapping had rules: no rule fires with its next sync".to_owned(),
            number => format!(
                "{number} records were last synced before the mapping had rules: no rule fires with the next sync of each"
            ),
        };
        let remedy = format!(
            "run `tramline export {mapping}` once: it notes the state of every record and {}",
            fires(spec)
        );
        Ok(Some((what, remedy)))
    }

    /// The same as a finding of `check`.
    pub(super) async fn check_states(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        spec: &MappingSpec,
    ) -> Option<Finding> {
        // A store that cannot be read is told of elsewhere.
        let (what, remedy) = self
            .unknown_states(connection, mapping, spec)
            .await
            .ok()??;
        Some(Finding::warning(format!("mapping {mapping}: rules"), what).remedy(remedy))
    }
}
