//! The hands of a test inside a running sandbox: see everything, change anything, order faults.

use super::activecampaign::account::{Account, Contact};
use super::faults::Fault;
use super::highlevel::location::Record;
use super::highlevel::relations::Relation;
use super::journal::{Entry, Stats};
use super::webhooks::{Delivery, Subscription};
use super::{Shared, instant};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Control over a running sandbox; cheap to clone.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

/// The whole state of an ActiveCampaign contact, by names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ContactState {
    /// Contact id.
    pub id: u64,
    /// E-mail as stored.
    pub email: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Phone.
    pub phone: String,
    /// Non-empty custom values by personalisation tag (without percent signs).
    pub fields: BTreeMap<String, String>,
    /// Tag names.
    pub tags: Vec<String>,
    /// Status by list name: 1 active, 2 unsubscribed.
    pub lists: BTreeMap<String, u8>,
    /// Names of the automations it is in, one per running enrolment.
    pub automations: Vec<String>,
    /// Names of the automations it ever entered, one per enrolment.
    pub enrolled: Vec<String>,
    /// Names of the events recorded for it, one per event.
    pub events: Vec<String>,
    /// Last change, milliseconds since the Unix epoch.
    pub updated_at: i64,
}

/// A HighLevel record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecordState {
    /// Record id.
    pub id: String,
    /// Properties by short key.
    pub properties: Map<String, Value>,
    /// Creation, milliseconds since the Unix epoch.
    pub created_at: i64,
    /// Last change, milliseconds since the Unix epoch.
    pub updated_at: i64,
}

fn contact_state(account: &Account, contact: &Contact) -> ContactState {
    let list = |id: u64| {
        account
            .lists
            .iter()
            .find(|list| list.id == id)
            .map_or_else(|| id.to_string(), |list| list.name.to_owned())
    };
    let automation = |id: u64| {
        let known = account.automations.iter().find(|known| known.id == id)?;
        Some(known.name.to_owned())
    };
    ContactState {
        id: contact.id,
        email: contact.email.clone(),
        first_name: contact.first_name.clone(),
        last_name: contact.last_name.clone(),
        phone: contact.phone.clone(),
        fields: contact
            .values
            .iter()
            .filter(|value| !value.value.is_empty())
            .filter_map(|value| {
                let field = account
                    .fields
                    .iter()
                    .find(|field| field.id == value.field)?;
                Some((field.perstag.clone(), value.value.clone()))
            })
            .collect(),
        tags: contact
            .tags
            .iter()
            .filter_map(|tag| {
                account
                    .tags
                    .iter()
                    .find(|known| known.id == tag.tag)
                    .map(|known| known.name.clone())
            })
            .collect(),
        lists: contact
            .lists
            .iter()
            .map(|member| (list(member.list), member.status))
            .collect(),
        enrolled: contact
            .automations
            .iter()
            .filter_map(|enrolment| automation(enrolment.automation))
            .collect(),
        events: contact.log.iter().map(|(kind, ..)| kind.clone()).collect(),
        automations: contact
            .automations
            .iter()
            .filter(|enrolment| enrolment.removed.is_none())
            .filter_map(|enrolment| automation(enrolment.automation))
            .collect(),
        updated_at: contact.updated,
    }
}

fn record_state(record: &Record) -> RecordState {
    RecordState {
        id: record.id.to_string(),
        properties: record.parsed(),
        created_at: record.created,
        updated_at: record.updated,
    }
}

impl Control {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Every request since the start, or since the log was cleared.
    #[must_use]
    pub fn log(&self) -> Vec<Entry> {
        self.log_since(0)
    }

    /// The requests numbered above `seq`.
    #[must_use]
    pub fn log_since(&self, seq: u64) -> Vec<Entry> {
        self.shared.journal().since(seq)
    }

    /// Forgets the log and its counts.
    pub fn clear_log(&self) {
        self.shared.journal().clear();
    }

    /// Counts of requests, rate-limit answers and violations.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.journal().stats()
    }

    /// Orders a fault.
    pub fn fault(&self, fault: Fault) {
        self.shared.faults().add(fault);
    }

    /// True once every fault has struck as often as it should.
    #[must_use]
    pub fn has_struck(&self) -> bool {
        self.shared.faults().is_empty()
    }

    /// Calls off every fault that has not struck.
    pub fn clear_faults(&self) {
        self.shared.faults().clear();
    }

    /// Gives the HighLevel token these scopes and no others.
    pub fn set_scopes<'a>(&self, scopes: impl IntoIterator<Item = &'a str>) {
        *self.shared.scopes() = scopes.into_iter().map(str::to_owned).collect();
    }

    /// The HighLevel token is another one from now on: the old one was rotated away.
    pub fn set_highlevel_token(&self, token: &str) {
        token.clone_into(&mut self.shared.keys().private);
    }

    /// The ActiveCampaign token is another one from now on.
    pub fn set_activecampaign_token(&self, token: &str) {
        token.clone_into(&mut self.shared.keys().activecampaign);
    }

    /// The query of the redirect that follows a consent to `scopes` (those that can be granted), as `code`.
    #[must_use]
    pub fn consent(&self, redirect_uri: &str, scopes: &str) -> String {
        let wanted: BTreeSet<String> = scopes.split_whitespace().map(str::to_owned).collect();
        let granted = wanted
            .intersection(&self.shared.scopes())
            .cloned()
            .collect();
        self.shared.keys().grants.consent(redirect_uri, granted)
    }

    /// Access tokens live so many seconds from now on.
    pub fn set_access_life(&self, seconds: i64) {
        self.shared.keys().grants.life = seconds;
    }

    /// Consents from now on are given for another location.
    pub fn set_consent_location(&self, location: &str) {
        location.clone_into(&mut self.shared.keys().grants.location);
    }

    /// Whether a refresh token that was used is answered again for 30 s.
    pub fn set_refresh_grace(&self, grace: bool) {
        self.shared.keys().grants.grace = grace;
    }

    /// All access tokens are expired; refresh tokens are good.
    pub fn expire_access_tokens(&self) {
        self.shared.keys().grants.expire();
    }

    /// The app was uninstalled: no token of it is good any more.
    pub fn revoke_app(&self) {
        self.shared.keys().grants.revoke();
    }

    /// Takes one scope from the HighLevel token.
    pub fn remove_scope(&self, scope: &str) {
        self.shared.scopes().remove(scope);
    }

    /// The ActiveCampaign contact with this e-mail, whatever its case.
    #[must_use]
    pub fn contact(&self, email: &str) -> Option<ContactState> {
        let account = self.shared.account();
        let contact = account.contacts.get(&account.id_of(email)?)?;
        Some(contact_state(&account, contact))
    }

    /// Every ActiveCampaign contact, by id.
    #[must_use]
    pub fn contacts(&self) -> Vec<ContactState> {
        let account = self.shared.account();
        account
            .contacts
            .values()
            .map(|contact| contact_state(&account, contact))
            .collect()
    }

    /// Unsubscribes a contact from a list (by name or id), as a person does by hand. False if either is unknown.
    pub fn unsubscribe(&self, email: &str, list: &str) -> bool {
        let mut account = self.shared.account();
        let list = account
            .lists
            .iter()
            .find(|known| known.name == list || known.id.to_string() == list)
            .map(|list| list.id);
        let (Some(list), Some(contact)) = (list, account.id_of(email)) else {
            return false;
        };
        account
            .set_list(contact, list, 2, 0, instant::now())
            .is_some()
    }

    /// Adds an e-mail to the exclusion list: imports fail it without a reason.
    pub fn exclude(&self, email: &str) {
        self.shared.account().excluded.insert(email.to_lowercase());
    }

    /// A HighLevel record.
    #[must_use]
    pub fn record(&self, object: &str, id: &str) -> Option<RecordState> {
        self.shared
            .location()
            .tables
            .get(object)?
            .get(id)
            .map(record_state)
    }

    /// Every record of an object, last change first.
    #[must_use]
    pub fn records(&self, object: &str) -> Vec<RecordState> {
        let location = self.shared.location();
        let Some(table) = location.tables.get(object) else {
            return Vec::new();
        };
        table
            .by_updated
            .iter()
            .rev()
            .filter_map(|(_, id)| table.get(id))
            .map(record_state)
            .collect()
    }

    /// Sets a property without validation, null included; the record's `updatedAt` becomes later. False if there is no such
    /// record.
    pub fn set_property(&self, object: &str, id: &str, key: &str, value: Value) -> bool {
        self.edit(object, id, |properties| {
            properties.insert(key.to_owned(), value);
        })
    }

    /// Removes a property.
    pub fn remove_property(&self, object: &str, id: &str, key: &str) -> bool {
        self.edit(object, id, |properties| {
            properties.shift_remove(key);
        })
    }

    pub(super) fn edit(
        &self,
        object: &str,
        id: &str,
        change: impl FnOnce(&mut Map<String, Value>),
    ) -> bool {
        let mut location = self.shared.location();
        let Some(table) = location.tables.get_mut(object) else {
            return false;
        };
        let Some(mut properties) = table.get(id).map(Record::parsed) else {
            return false;
        };
        change(&mut properties);
        table.update(id, &properties, instant::now(), "WEB_USER");
        if let Some(record) = table.get(id) {
            self.shared.webhooks.record("RecordUpdate", object, record);
        }
        true
    }

    /// Sets a record's `updatedAt`, in milliseconds since the Unix epoch; no webhook tells of it. False if there is no such
    /// record.
    pub fn set_updated(&self, object: &str, id: &str, updated: i64) -> bool {
        let mut location = self.shared.location();
        let Some(table) = location.tables.get_mut(object) else {
            return false;
        };
        let Some(mut record) = table.remove(id) else {
            return false;
        };
        record.updated = updated;
        table.insert(record);
        true
    }

    /// Adds a record without validation and returns its id.
    pub fn create_record(&self, object: &str, properties: &Map<String, Value>) -> Option<String> {
        let mut location = self.shared.location();
        let id = location.new_id();
        let now = instant::now();
        let record = Record {
            id: Arc::clone(&id),
            created: now,
            updated: now,
            owner: Vec::new(),
            followers: Vec::new(),
            properties: Value::Object(properties.clone()).to_string().into(),
            updated_by: "WEB_USER",
        };
        let table = location.tables.get_mut(object)?;
        self.shared.webhooks.record("RecordCreate", object, &record);
        table.insert(record);
        Some(id.to_string())
    }

    /// Deletes a record and its relations. False if there is none.
    pub fn delete_record(&self, object: &str, id: &str) -> bool {
        let mut location = self.shared.location();
        let deleted = location
            .tables
            .get_mut(object)
            .and_then(|table| table.remove(id));
        location.relations.forget(id);
        if let Some(record) = &deleted {
            self.shared.webhooks.record("RecordDelete", object, record);
        }
        deleted.is_some()
    }

    /// Id and e-mail of every HighLevel contact.
    #[must_use]
    pub fn highlevel_contacts(&self) -> Vec<(String, Option<String>)> {
        self.shared
            .location()
            .contacts
            .iter()
            .map(|contact| (contact.id.to_string(), contact.email.clone()))
            .collect()
    }

    /// Relates a record with a HighLevel contact through the first association between their objects. False if there is none.
    pub fn relate(&self, record: &str, contact: &str) -> bool {
        let mut location = self.shared.location();
        let holder = location
            .tables
            .iter()
            .find(|(_, table)| table.get(record).is_some())
            .map(|(key, _)| key.clone());
        let Some(object) = holder else { return false };
        let association = location
            .associations
            .iter()
            .find(|association| association.first_key == object || association.second_key == object)
            .map(|association| {
                (
                    Arc::clone(&association.id),
                    association.first_key,
                    association.second_key,
                )
            });
        let Some((association, first_key, second_key)) = association else {
            return false;
        };
        let id = location.new_id();
        let side = |key: &'static str| {
            (
                key,
                Arc::from(if key == "contact" { contact } else { record }),
            )
        };
        let relation = Relation {
            id,
            association,
            first: side(first_key),
            second: side(second_key),
        };
        self.shared.webhooks.relation("RelationCreate", &relation);
        location.relations.add(relation);
        true
    }

    /// Sends webhooks for every change from now on, or to nobody any more. A subscription whose address is not `http://` is
    /// refused.
    pub fn subscribe(&self, subscription: Option<Subscription>) -> bool {
        let fit = subscription
            .as_ref()
            .is_none_or(|subscription| subscription.url.starts_with("http://"));
        if fit {
            self.shared.webhooks.subscribe(subscription);
        }
        fit
    }

    /// Every attempt to deliver a webhook so far.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.webhooks.deliveries()
    }

    /// The `X-GHL-Signature` of a body.
    #[must_use]
    pub fn sign(&self, body: &str) -> String {
        self.shared.webhooks.sign(body.as_bytes())
    }

    /// The key that verifies the sandbox's webhooks, for `public_key` in `[webhooks]`.
    #[must_use]
    pub fn webhook_key(&self) -> String {
        self.shared.webhooks.public_key()
    }

    /// Removes every relation of a record.
    pub fn unrelate(&self, record: &str) {
        self.shared.location().relations.forget(record);
    }
}
