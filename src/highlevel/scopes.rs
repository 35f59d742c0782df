//! Which read scopes a token has: one harmless call each (fact sheet §1.4).

use super::{HighLevel, PageCursor, Search};
use crate::http::ApiError;
use crate::model::{ErrorClass, ObjectKey, RecordId};

/// What Tramline uses: reading first, then the one for editing records (fact sheet §1.4).
pub const SCOPES: [&str; 7] = [
    "objects/schema.readonly",
    "objects/record.readonly",
    "associations.readonly",
    "associations/relation.readonly",
    "contacts.readonly",
    "locations/customFields.readonly",
    WRITE_SCOPE,
];
/// The scope that only editing records needs.
pub const WRITE_SCOPE: &str = "objects/record.write";

/// What a harmless call told about a scope.
#[derive(Clone, Debug, PartialEq)]
pub enum ScopeState {
    Granted,
    /// The token lacks the scope, or is refused altogether.
    Refused(ApiError),
    /// The call failed for another reason, or there is nothing to call it on.
    Unverified(String),
}

/// One scope.
#[derive(Clone, Debug, PartialEq)]
pub struct ScopeCheck {
    pub scope: &'static str,
    pub state: ScopeState,
}

impl HighLevel {
    /// Tries every read scope that Tramline uses. Write scopes cannot be tried without writing.
    pub async fn scope_checks(&self) -> Vec<ScopeCheck> {
        let mut checks = Vec::with_capacity(6);
        let mut note = |scope, state| checks.push(ScopeCheck { scope, state });

        let objects = self.objects().await;
        let custom: Option<ObjectKey> = objects.as_ref().ok().and_then(|objects| {
            objects
                .iter()
                .find(|object| object.key.as_str().starts_with("custom_objects."))
                .map(|object| object.key.clone())
        });
        note("objects/schema.readonly", state(objects));

        // Without a custom object the standard one that has records serves.
        let object = custom.unwrap_or_else(|| ObjectKey::from("business"));
        let search = Search {
            limit: 1,
            ..Search::default()
        };
        let page = self.search(&object, &search).await;
        let record = page
            .as_ref()
            .ok()
            .and_then(|page| page.records.first())
            .map(|record| record.id.clone());
        note("objects/record.readonly", state(page));
        note("associations.readonly", state(self.associations().await));
        let relations = match record {
            Some(record) => match self.relations(&record).await {
                // The call was let in; that it found nothing does not matter.
                Err(error) if error.class == ErrorClass::Missing => ScopeState::Granted,
                result => state(result),
            },
            None => self.relations_of_nobody().await,
        };
        note("associations/relation.readonly", relations);
        let contacts = self.contacts_search(None, &PageCursor::Page(1), 1).await;
        note("contacts.readonly", state(contacts));
        note(
            "locations/customFields.readonly",
            state(self.custom_fields(&object).await),
        );
        checks
    }

    async fn relations_of_nobody(&self) -> ScopeState {
        match self
            .relations(&RecordId::from("000000000000000000000000"))
            .await
        {
            Err(error) if matches!(error.class, ErrorClass::Missing | ErrorClass::Invalid) => {
                ScopeState::Unverified("no record to look up".to_owned())
            }
            result => state(result),
        }
    }
}

fn state<T>(result: Result<T, ApiError>) -> ScopeState {
    match result {
        Ok(_) => ScopeState::Granted,
        Err(error) if error.class == ErrorClass::Auth => ScopeState::Refused(error),
        Err(error) => ScopeState::Unverified(error.to_string()),
    }
}
