//! What the sandbox's mapping `pets` makes of its records, written a second time: if the product and this disagree, one of
//! them is wrong.

use super::PETS;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use tramline::sandbox::{ContactState, Control, RecordState};

/// What should become of the records, beside the contacts' state.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Expected {
    pub contacts: BTreeMap<String, Person>,
    /// Records that lead for their contact.
    pub winners: u64,
    pub superseded: u64,
    pub skipped: u64,
    pub failed: u64,
}

/// The values of a contact that a mapping can touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    pub first_name: String,
    pub last_name: String,
    pub phone: String,
    pub fields: BTreeMap<String, String>,
}

impl From<ContactState> for Person {
    fn from(contact: ContactState) -> Self {
        Self {
            first_name: contact.first_name,
            last_name: contact.last_name,
            phone: contact.phone,
            fields: contact
                .fields
                .into_iter()
                .map(|(field, value)| match value.parse::<jiff::Timestamp>() {
                    // ActiveCampaign answers in the account's own time zone.
                    Ok(time) => (field, time.to_string()),
                    Err(_) => (field, value),
                })
                .collect(),
        }
    }
}

/// The contacts as they are, by lower-case e-mail.
pub fn contacts(control: &Control) -> BTreeMap<String, Person> {
    control
        .contacts()
        .into_iter()
        .map(|contact| (contact.email.to_lowercase(), Person::from(contact)))
        .collect()
}

enum Wish {
    /// Set to this.
    Set(String),
    /// Emptied.
    Clear,
    /// Left as it is.
    Leave,
}

type Wishes = Vec<(&'static str, Wish)>;

/// What an export of all pets leads to, from the contacts as they were `before` it.
pub fn pets(control: &Control, before: &BTreeMap<String, Person>) -> Expected {
    let mut expected = Expected {
        contacts: before.clone(),
        ..Expected::default()
    };
    let mut best: HashMap<String, (i64, String, Wishes)> = HashMap::new();
    for record in control.records(PETS) {
        let email = record.properties.get("owner_email").and_then(Value::as_str);
        let Some(email) = email.map(|email| email.trim().to_lowercase()) else {
            expected.skipped += 1;
            continue;
        };
        let Some(values) = values(&record).filter(|_| email.contains('@')) else {
            expected.failed += 1;
            continue;
        };
        let mine = (record.updated_at, record.id.clone());
        match best.get(&email) {
            Some(other) => {
                expected.superseded += 1;
                if mine > (other.0, other.1.clone()) {
                    best.insert(email, (mine.0, mine.1, values));
                }
            }
            None => {
                best.insert(email, (mine.0, mine.1, values));
            }
        }
    }
    expected.winners = best.len() as u64;
    for (email, (_, _, values)) in best {
        let person = expected.contacts.entry(email).or_default();
        for (field, value) in values {
            let text = match value {
                Wish::Set(text) => text,
                Wish::Clear => String::new(),
                Wish::Leave => continue,
            };
            match field {
                "first_name" => person.first_name = text,
                "last_name" => person.last_name = text,
                "phone" => person.phone = text,
                custom if text.is_empty() => {
                    person.fields.remove(custom);
                }
                custom => {
                    person.fields.insert(custom.to_owned(), text);
                }
            }
        }
    }
    expected
}

/// Every value of a pet; `None` where one of them cannot be coerced.
fn values(record: &RecordState) -> Option<Wishes> {
    let pet = &record.properties;
    let weight = pet.get("weight").and_then(digits);
    let price = pet.get("price").and_then(|price| match price {
        Value::Object(money) => money.get("value").and_then(digits),
        bare => digits(bare),
    });
    let size = pet.get("size").and_then(Value::as_str).map(|size| {
        match size {
            "small" => "Small",
            "medium" => "Medium",
            "large" => "Large",
            _ => "Medium",
        }
        .to_owned()
    });
    let born = pet.get("born").and_then(Value::as_str);
    if born.is_some_and(|born| born.parse::<jiff::civil::Date>().is_err()) {
        return None;
    }
    let status = match pet.get("status").and_then(Value::as_str) {
        None => None,
        Some("available") => Some("Available"),
        Some("adopted") => Some("Adopted"),
        // The contact field's option has another value than its label.
        Some("pending") => Some("pending-review"),
        Some(_) => return None,
    };
    Some(vec![
        ("first_name", set(text(pet, "owner_first_name"))),
        ("last_name", set(text(pet, "owner_last_name"))),
        ("phone", set(text(pet, "owner_phone"))),
        ("PET_NAME", set(text(pet, "name"))),
        ("WEIGHT", set(weight.clone())),
        (
            "WEIGHT_KG",
            set(weight.map(|weight| format!("{weight} kg"))),
        ),
        ("PRICE", set(price)),
        ("STATUS", set(status.map(str::to_owned))),
        (
            "SPECIES",
            set(text(pet, "species").map(|key| capital(&key))),
        ),
        ("SIZE", set(size)),
        ("TEMPERAMENT", set(list(pet, "temperament"))),
        ("VACCINATIONS", set(list(pet, "vaccinations"))),
        ("BORN", set(born.map(str::to_owned))),
        (
            "VISITED_AT",
            set(text(pet, "vet_visit").map(|day| midnight_in_chicago(&day))),
        ),
        ("CHIP", text(pet, "chip").map_or(Wish::Clear, Wish::Set)),
        (
            "BREED",
            set(text(pet, "breed").map(|breed| breed.chars().take(40).collect())),
        ),
        ("NOTES", set(text(pet, "description"))),
        ("FEEDING_NOTES", set(text(pet, "notes.kitchen"))),
    ])
}

fn set(value: Option<String>) -> Wish {
    value
        .filter(|text| !text.is_empty())
        .map_or(Wish::Leave, Wish::Set)
}

fn text(pet: &Map<String, Value>, key: &str) -> Option<String> {
    let text: String = pet
        .get(key)?
        .as_str()?
        .chars()
        .filter(|c| !c.is_control() || *c == '\n' || *c == '\t')
        .collect();
    Some(text.trim().to_owned())
}

fn capital(key: &str) -> String {
    key[..1].to_uppercase() + &key[1..]
}

/// Options as the contact field takes them, between double bars.
fn list(pet: &Map<String, Value>, key: &str) -> Option<String> {
    let keys: Vec<&str> = match pet.get(key)? {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        single => single.as_str().into_iter().collect(),
    };
    let labels: Vec<String> = keys.into_iter().map(capital).collect();
    (!labels.is_empty()).then(|| format!("||{}||", labels.join("||")))
}

/// The shortest exact decimal of a number, or of a text that spells one.
fn digits(value: &Value) -> Option<String> {
    let literal = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    let (mantissa, zeros) = match literal.split_once(['e', 'E']) {
        Some((mantissa, power)) => (mantissa.to_owned(), power.parse::<usize>().unwrap()),
        None => (literal, 0),
    };
    if zeros > 0 {
        assert!(!mantissa.contains('.'), "the samples have no such number");
        return Some(mantissa + &"0".repeat(zeros));
    }
    if mantissa.contains('.') {
        let shorter = mantissa.trim_end_matches('0').trim_end_matches('.');
        return Some(shorter.to_owned());
    }
    Some(mantissa)
}

/// Summer time in Chicago lasts in 2026 from 8 March to 1 November; both changes are after midnight.
fn midnight_in_chicago(day: &str) -> String {
    let summer = ("2026-03-09".."2026-11-02").contains(&day);
    format!("{day}T0{}:00:00Z", if summer { 5 } else { 6 })
}
