//! What one account holds: contacts with their values, tags, lists, automations, and everything these refer to.

use super::fields::Field;
use super::imports::Imports;
use super::segments::Segments;
use crate::sandbox::instant;
use std::collections::{BTreeMap, HashMap, HashSet};

pub(in crate::sandbox) struct FieldValue {
    pub id: u64,
    pub field: u64,
    /// Empty after it was cleared; read as null.
    pub value: String,
    pub created: i64,
    pub updated: i64,
}

pub(in crate::sandbox) struct ContactTag {
    pub id: u64,
    pub tag: u64,
    pub created: i64,
}

pub(in crate::sandbox) struct Membership {
    pub id: u64,
    pub list: u64,
    /// 0 unconfirmed, 1 active, 2 unsubscribed, 3 bounced.
    pub status: u8,
    pub source: u8,
    pub changed: i64,
}

pub(in crate::sandbox) struct Enrolment {
    pub id: u64,
    pub automation: u64,
    pub added: i64,
    /// When it left or ended.
    pub removed: Option<i64>,
}

pub(in crate::sandbox) struct Contact {
    pub id: u64,
    /// As written, trimmed; matched without regard to case.
    pub email: String,
    pub first_name: String,
    pub last_name: String,
    pub phone: String,
    pub created: i64,
    pub updated: i64,
    pub values: Vec<FieldValue>,
    pub tags: Vec<ContactTag>,
    pub lists: Vec<Membership>,
    pub automations: Vec<Enrolment>,
    /// Score id and value.
    pub scores: Vec<(u64, i64)>,
    /// Type, value and time of tracked events.
    pub log: Vec<(String, String, i64)>,
}

pub(in crate::sandbox) struct Tag {
    pub id: u64,
    pub name: String,
    pub description: String,
    pub created: i64,
}

/// A list, an automation or a score: a name that contacts refer to.
pub(in crate::sandbox) struct Named {
    pub id: u64,
    pub name: &'static str,
    /// Automations and scores: whether it is active. Automations also: whether a contact may enter twice.
    pub active: bool,
    pub multiple: bool,
}

/// Built-in values and custom values of one contact, as a write names them; `None` is left alone.
#[derive(Default)]
pub(in crate::sandbox) struct Change<'a> {
    pub first_name: Option<&'a str>,
    pub last_name: Option<&'a str>,
    pub phone: Option<&'a str>,
    pub values: Vec<(u64, &'a str)>,
}

pub(in crate::sandbox) struct Account {
    pub url: String,
    pub empty_date_clears: bool,
    pub contacts: BTreeMap<u64, Contact>,
    pub deleted: BTreeMap<u64, Contact>,
    /// Lower-cased e-mail to id.
    emails: HashMap<String, u64>,
    pub fields: Vec<Field>,
    pub tags: Vec<Tag>,
    /// Lower-cased name to id.
    tag_names: HashMap<String, u64>,
    pub lists: Vec<Named>,
    pub automations: Vec<Named>,
    pub scores: Vec<Named>,
    pub segments: Segments,
    pub imports: Imports,
    /// Lower-cased e-mails that imports fail without a reason.
    pub excluded: HashSet<String>,
    pub tracking: bool,
    pub event_names: Vec<String>,
    last_contact: u64,
    last_id: u64,
}

impl Account {
    pub(in crate::sandbox) fn new(url: &str, empty_date_clears: bool, fields: Vec<Field>) -> Self {
        Self {
            url: url.to_owned(),
            empty_date_clears,
            contacts: BTreeMap::new(),
            deleted: BTreeMap::new(),
            emails: HashMap::new(),
            fields,
            tags: Vec::new(),
            tag_names: HashMap::new(),
            lists: Vec::new(),
            automations: Vec::new(),
            scores: Vec::new(),
            segments: Segments::default(),
            imports: Imports::default(),
            excluded: HashSet::new(),
            tracking: true,
            event_names: vec!["pet_adopted".to_owned()],
            last_contact: 0,
            last_id: 1000,
        }
    }

    pub(in crate::sandbox) fn new_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(in crate::sandbox) fn id_of(&self, email: &str) -> Option<u64> {
        self.emails.get(&email.trim().to_lowercase()).copied()
    }

    /// The id of the contact with this e-mail, made if there is none, and whether it was made.
    pub(in crate::sandbox) fn upsert(&mut self, email: &str, now: i64) -> (u64, bool) {
        let email = email.trim();
        let key = email.to_lowercase();
        if let Some(id) = self.emails.get(&key) {
            return (*id, false);
        }
        self.last_contact += 1;
        let id = self.last_contact;
        self.emails.insert(key, id);
        let contact = Contact {
            id,
            email: email.to_owned(),
            first_name: String::new(),
            last_name: String::new(),
            phone: String::new(),
            created: now,
            updated: now,
            values: Vec::new(),
            tags: Vec::new(),
            lists: Vec::new(),
            automations: Vec::new(),
            scores: Vec::new(),
            log: Vec::new(),
        };
        self.contacts.insert(id, contact);
        (id, true)
    }

    /// Moves a contact to another address, unless somebody has it.
    pub(in crate::sandbox) fn rename(&mut self, id: u64, email: &str) -> bool {
        if self.id_of(email).is_some_and(|owner| owner != id) {
            return false;
        }
        if let Some(contact) = self.contacts.get_mut(&id) {
            self.emails.remove(&contact.email.to_lowercase());
            contact.email = email.trim().to_owned();
            self.emails.insert(contact.email.to_lowercase(), id);
        }
        true
    }

    pub(in crate::sandbox) fn remove(&mut self, id: u64) -> bool {
        let Some(mut contact) = self.contacts.remove(&id) else {
            return false;
        };
        self.emails.remove(&contact.email.to_lowercase());
        contact.email = format!("deleted+{id}@example.com");
        self.deleted.insert(id, contact);
        true
    }

    /// Writes values; unknown field ids are ignored, and returned.
    pub(in crate::sandbox) fn change(&mut self, id: u64, change: &Change, now: i64) -> Vec<u64> {
        let Some(contact) = self.contacts.get_mut(&id) else {
            return Vec::new();
        };
        contact.updated = now;
        for (place, value) in [
            (&mut contact.first_name, change.first_name),
            (&mut contact.last_name, change.last_name),
            (&mut contact.phone, change.phone),
        ] {
            if let Some(value) = value {
                value.clone_into(place);
            }
        }
        let mut unknown = Vec::new();
        for &(field, value) in &change.values {
            let Some(definition) = self.fields.iter().find(|known| known.id == field) else {
                unknown.push(field);
                continue;
            };
            let is_date = matches!(definition.kind.as_str(), "date" | "datetime");
            if value.is_empty() && is_date && !self.empty_date_clears {
                continue;
            }
            // A datetime is kept in the account's time zone.
            let value = match definition.kind.as_str() {
                "datetime" => {
                    instant::parse(value).map_or_else(|| value.to_owned(), instant::offset)
                }
                _ => value.to_owned(),
            };
            match contact.values.iter_mut().find(|known| known.field == field) {
                Some(known) => {
                    known.value = value;
                    known.updated = now;
                }
                None => {
                    self.last_id += 1;
                    contact.values.push(FieldValue {
                        id: self.last_id,
                        field,
                        value,
                        created: now,
                        updated: now,
                    });
                }
            }
        }
        unknown
    }

    pub(in crate::sandbox) fn tag_id(&self, name: &str) -> Option<u64> {
        self.tag_names.get(&name.to_lowercase()).copied()
    }

    /// The tag of this name, made if there is none.
    pub(in crate::sandbox) fn tag(&mut self, name: &str, description: &str, now: i64) -> u64 {
        if let Some(id) = self.tag_id(name) {
            return id;
        }
        let id = self.tags.last().map_or(1, |tag| tag.id + 1);
        self.tags.push(Tag {
            id,
            name: name.to_owned(),
            description: description.to_owned(),
            created: now,
        });
        self.tag_names.insert(name.to_lowercase(), id);
        id
    }

    /// Tags a contact and returns the association's id and whether it is new.
    pub(in crate::sandbox) fn add_tag(
        &mut self,
        contact: u64,
        tag: u64,
        now: i64,
    ) -> Option<(u64, bool)> {
        let contact = self.contacts.get_mut(&contact)?;
        if let Some(known) = contact.tags.iter().find(|known| known.tag == tag) {
            return Some((known.id, false));
        }
        self.last_id += 1;
        contact.tags.push(ContactTag {
            id: self.last_id,
            tag,
            created: now,
        });
        Some((self.last_id, true))
    }

    /// Sets the status of a contact on a list and returns the association's id.
    pub(in crate::sandbox) fn set_list(
        &mut self,
        contact: u64,
        list: u64,
        status: u8,
        source: u8,
        now: i64,
    ) -> Option<u64> {
        let contact = self.contacts.get_mut(&contact)?;
        if let Some(known) = contact.lists.iter_mut().find(|known| known.list == list) {
            known.status = status;
            known.source = source;
            known.changed = now;
            return Some(known.id);
        }
        self.last_id += 1;
        contact.lists.push(Membership {
            id: self.last_id,
            list,
            status,
            source,
            changed: now,
        });
        Some(self.last_id)
    }
}
