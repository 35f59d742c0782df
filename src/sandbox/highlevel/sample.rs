//! The sample location: an animal shelter with pets, their visits to the vet, and insurance policies.

use super::associations::Association;
use super::contacts::Contact;
use super::location::{Location, Record, Table};
use super::pets;
use super::relations::{Relation, Relations};
use super::shelter;
use crate::sandbox::{chance, instant, people};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

const DAY: i64 = 86_400_000;

/// Times of a record: changed in the last 90 days, made up to 300 days before that; not in the order of ids.
fn times(rng: &mut fastrand::Rng, now: i64) -> (i64, i64) {
    let updated = now - rng.i64(60_000..90 * DAY);
    (updated - rng.i64(0..300 * DAY), updated)
}

fn record(
    seed: u64,
    kind: &str,
    index: usize,
    (created, updated): (i64, i64),
    properties: Value,
) -> Record {
    Record {
        id: chance::hex_id(&mut chance::at(seed, kind, index)).into(),
        created,
        updated,
        owner: if index.is_multiple_of(5) {
            vec!["sx6wyHhbFdRXh302Lunr".to_owned()]
        } else {
            Vec::new()
        },
        followers: Vec::new(),
        properties: properties.to_string().into(),
        updated_by: "WEB_USER",
    }
}

/// Everything, from the number of pets and a seed.
pub(in crate::sandbox) fn location(records: usize, seed: u64) -> Location {
    let now = instant::now();
    let contacts = contacts(records.min(2000), seed, now);
    let associations = vec![
        association(
            "pet_owner",
            seed,
            ("Pet", "custom_objects.pets"),
            ("Owner", "contact"),
        ),
        // Stored in the other order than one would create it.
        association(
            "visit_owner",
            seed,
            ("Owner", "contact"),
            ("Visit", "custom_objects.visits"),
        ),
    ];
    let mut location = Location {
        objects: shelter::objects(),
        tables: HashMap::new(),
        relations: Relations::default(),
        contact_places: contacts
            .iter()
            .enumerate()
            .map(|(place, contact)| (Arc::clone(&contact.id), place))
            .collect(),
        contacts,
        associations,
        rng: chance::at(seed, "new", 0),
    };
    let others = (records / 10).clamp(records.min(20), 2000);
    let pets = pet_table(&mut location, records, seed, now);
    let visits = visit_table(&mut location, others, seed, now);
    let policies = policy_table(others, seed, now);
    location
        .tables
        .insert("custom_objects.pets".to_owned(), pets);
    location
        .tables
        .insert("custom_objects.visits".to_owned(), visits);
    location
        .tables
        .insert("custom_objects.policies".to_owned(), policies);
    location
}

fn association(
    key: &'static str,
    seed: u64,
    (first_label, first_key): (&'static str, &'static str),
    (second_label, second_key): (&'static str, &'static str),
) -> Association {
    let id = chance::hex_id(&mut chance::at(seed, key, 0)).into();
    Association {
        id,
        key,
        first_label,
        first_key,
        second_label,
        second_key,
    }
}

fn contacts(count: usize, seed: u64, now: i64) -> Vec<Contact> {
    (0..count)
        .map(|index| {
            let person = people::owner(seed, index);
            let mut rng = chance::at(seed, "contact", index);
            let (added, updated) = times(&mut rng, now);
            Contact {
                id: chance::alphanumeric_id(&mut rng).into(),
                first_name: person.first_name,
                last_name: person.last_name,
                // A contact may have no e-mail.
                email: (index % 100 != 17).then_some(person.email),
                phone: person.phone,
                company: index.is_multiple_of(7).then_some("Riverside Kennels"),
                tags: if index.is_multiple_of(3) {
                    vec!["adopter"]
                } else {
                    Vec::new()
                },
                added,
                updated,
            }
        })
        .collect()
}

/// Links a record and a contact, in the association's order or the other one.
fn relate(
    location: &mut Location,
    association: usize,
    object: &'static str,
    record: &Arc<str>,
    contact: Arc<str>,
    contact_first: bool,
) {
    let id = location.new_id();
    let (record, contact) = ((object, Arc::clone(record)), ("contact", contact));
    let (first, second) = if contact_first {
        (contact, record)
    } else {
        (record, contact)
    };
    let association = Arc::clone(&location.associations[association].id);
    location.relations.add(Relation {
        id,
        association,
        first,
        second,
    });
}

fn pet_table(location: &mut Location, count: usize, seed: u64, now: i64) -> Table {
    let mut table = Table::default();
    let mut last = (now - DAY, now - DAY);
    for index in 0..count {
        let mut rng = chance::at(seed, "pet times", index);
        // Every fiftieth shares its times with the one before.
        let times = if index % 50 == 49 {
            last
        } else {
            times(&mut rng, now)
        };
        last = times;
        let pet = record(
            seed,
            "pet",
            index,
            times,
            pets::properties(seed, index, count),
        );
        if index < location.contacts.len() && index % 10 != 9 {
            let contact = Arc::clone(&location.contacts[index].id);
            relate(
                location,
                0,
                "custom_objects.pets",
                &pet.id,
                contact,
                index.is_multiple_of(3),
            );
        }
        table.insert(pet);
    }
    table
}

/// Visits know their contact only through `visit_owner`: a few have none, two, or one that was deleted.
fn visit_table(location: &mut Location, count: usize, seed: u64, now: i64) -> Table {
    let mut table = Table::default();
    for index in 0..count {
        let mut rng = chance::at(seed, "visit", index + 1_000_000);
        let times = times(&mut rng, now);
        let reason = ["checkup", "vaccination", "emergency"][rng.usize(..3)];
        let properties = json!({
            "title": format!("Visit {}", index + 1),
            "visited_on": instant::utc(times.0)[..10].to_owned(),
            "reason": reason,
            "cost": {"currency": "default", "value": rng.u32(20..400)},
            "clinic": (["Harbour Vets", "Hill Clinic", "Dr. Ōe"][rng.usize(..3)]),
            "remarks": "Weight stable, teeth fine.",
        });
        let visit = record(seed, "visit", index, times, properties);
        let people = location.contacts.len();
        if people > 0 {
            let contact = |place: usize, location: &Location| {
                Arc::clone(&location.contacts[place % people].id)
            };
            match index % 100 {
                11 => {}
                12 => relate(
                    location,
                    1,
                    "custom_objects.visits",
                    &visit.id,
                    Arc::from("zzDeletedContact0000"),
                    true,
                ),
                13 => {
                    for place in [index, index + 1] {
                        let contact = contact(place, location);
                        relate(
                            location,
                            1,
                            "custom_objects.visits",
                            &visit.id,
                            contact,
                            place == index,
                        );
                    }
                }
                _ => {
                    let contact = contact(index, location);
                    relate(
                        location,
                        1,
                        "custom_objects.visits",
                        &visit.id,
                        contact,
                        index % 4 != 0,
                    );
                }
            }
        }
        table.insert(visit);
    }
    table
}

fn policy_table(count: usize, seed: u64, now: i64) -> Table {
    let mut table = Table::default();
    for index in 0..count {
        let mut rng = chance::at(seed, "policy", index + 1_000_000);
        let properties = json!({
            "number": format!("POL-{:06}", index + 1),
            "holder_email": people::owner(seed, index).email,
            "premium": {"currency": "default", "value": rng.u32(5..90)},
            "valid_until": format!("20{}-0{}-15", rng.u32(26..30), rng.u32(1..10)),
            "plan": if rng.bool() { "basic" } else { "plus" },
            "claims": rng.u32(0..4),
        });
        let times = times(&mut rng, now);
        table.insert(record(seed, "policy", index, times, properties));
    }
    table
}
