//! The sample account: fields that fit the pets, a few hundred contacts (some of them pet owners with older values).

use super::account::{Account, Change, Named};
use super::fields::{Field, FieldOption};
use crate::sandbox::{Options, chance, instant, people};

type Choices = &'static [(&'static str, &'static str)];

/// Title, personalisation tag, type, option values and labels. More than the default page of 20.
const FIELDS: [(&str, &str, &str, Choices); 32] = [
    (
        "Preferred Language",
        "PREFERRED_LANGUAGE",
        "dropdown",
        &[("af", "Afrikaans"), ("sq", "Albanian"), ("en", "English")],
    ),
    ("Pet Name", "PET_NAME", "text", &[]),
    ("Weight kg", "WEIGHT_KG", "text", &[]),
    ("Weight", "WEIGHT", "number", &[]),
    (
        "Status",
        "STATUS",
        "dropdown",
        &[
            ("Available", "Available"),
            ("Adopted", "Adopted"),
            ("pending-review", "Pending"),
        ],
    ),
    (
        "Temperament",
        "TEMPERAMENT",
        "listbox",
        &[
            ("Calm", "Calm"),
            ("Shy", "Shy"),
            ("Playful", "Playful"),
            ("Curious", "Curious"),
            ("Lazy", "Lazy"),
        ],
    ),
    ("Born", "BORN", "date", &[]),
    ("Visited at", "VISITED_AT", "datetime", &[]),
    ("Price", "PRICE", "number", &[]),
    (
        "Size",
        "SIZE",
        "radio",
        &[("Small", "Small"), ("Medium", "Medium"), ("Large", "Large")],
    ),
    (
        "Vaccinations",
        "VACCINATIONS",
        "checkbox",
        &[
            ("Rabies", "Rabies"),
            ("Parvo", "Parvo"),
            ("Distemper", "Distemper"),
        ],
    ),
    ("Notes", "NOTES", "textarea", &[]),
    ("Chip", "CHIP", "hidden", &[]),
    ("Nickname", "NICKNAME", "text", &[]),
    ("Nickname", "NICKNAME_2", "text", &[]),
    ("Price text", "PRICE_TEXT", "text", &[]),
    ("Feeding notes", "FEEDING_NOTES", "textarea", &[]),
    ("Mood", "MOOD", "text", &[]),
    ("Breed", "BREED", "text", &[]),
    ("Owner phone", "OWNER_PHONE", "text", &[]),
    (
        "Species",
        "SPECIES",
        "dropdown",
        &[
            ("Dog", "Dog"),
            ("Cat", "Cat"),
            ("Rabbit", "Rabbit"),
            ("Parrot", "Parrot"),
        ],
    ),
    ("Photos", "PHOTOS", "textarea", &[]),
    ("Visit reason", "VISIT_REASON", "text", &[]),
    ("Visit cost", "VISIT_COST", "number", &[]),
    ("Visited on", "VISITED_ON", "date", &[]),
    ("Clinic", "CLINIC", "text", &[]),
    ("Policy number", "POLICY_NUMBER", "text", &[]),
    ("Policy premium", "POLICY_PREMIUM", "number", &[]),
    ("Policy until", "POLICY_UNTIL", "date", &[]),
    (
        "Favourite colours",
        "FAVOURITE_COLOURS",
        "listbox",
        &[("Red", "Red"), ("Blue", "Blue")],
    ),
    ("Newsletter", "NEWSLETTER", "checkbox", &[("Yes", "Yes")]),
    // Old fields may have an empty type.
    ("Old source", "OLD_SOURCE", "", &[]),
];

fn fields() -> Vec<Field> {
    let mut last = 0;
    let mut next = || {
        last += 1;
        last
    };
    FIELDS
        .iter()
        .enumerate()
        .map(|(at, &(title, perstag, kind, choices))| Field {
            id: at as u64 + 1,
            title: title.to_owned(),
            perstag: perstag.to_owned(),
            kind: kind.to_owned(),
            options: choices
                .iter()
                .map(|&(value, label)| FieldOption {
                    id: next(),
                    value: value.to_owned(),
                    label: label.to_owned(),
                })
                .collect(),
            // One field is on no list and so invisible in the contact's page.
            relations: if perstag == "MOOD" {
                Vec::new()
            } else {
                vec![(next() + 500, 0)]
            },
        })
        .collect()
}

const DAY: i64 = 86_400_000;
/// Contacts that are there from the start.
const CONTACTS: usize = 300;
/// Of these, the ones that also own a pet in HighLevel.
const OWNERS: usize = 100;

pub(in crate::sandbox) fn account(options: &Options, url: &str) -> Account {
    let named = |id, name, active, multiple| Named {
        id,
        name,
        active,
        multiple,
    };
    let mut account = Account::new(url, options.quirks.empty_date_clears, fields());
    account.imports.success_names_updated = options.quirks.success_names_updated;
    account.imports.exclusions_are_named = options.quirks.exclusions_are_named;
    account.lists = vec![
        named(1, "Master Contact List", true, false),
        named(2, "Adopters", true, false),
        named(3, "Newsletter", true, false),
    ];
    account.automations = vec![
        named(1, "Adoption welcome", true, true),
        named(2, "Vaccination reminder", true, false),
        named(3, "Old onboarding", false, true),
    ];
    account.scores = vec![
        named(1, "Engagement", true, false),
        named(2, "Adoption readiness", true, false),
    ];
    let segments = &mut account.segments;
    let now = instant::now();
    for (id, name, field, value) in [
        ("1", "Available pets", "STATUS", "Available"),
        ("2", "Adopted pets", "STATUS", "Adopted"),
        ("3", "Calm pets", "TEMPERAMENT", "Calm"),
    ] {
        segments.sample(id, name, field, value, now - 150 * DAY);
    }
    account.excluded.insert("blocked@example.com".to_owned());
    for name in [
        "pet-owner",
        "volunteer",
        "Donor",
        "pet-adopted",
        "newsletter",
    ] {
        account.tag(name, "", now - 200 * DAY);
    }
    for index in 0..CONTACTS {
        add_contact(&mut account, options.seed, index, now);
    }
    account
}

fn add_contact(account: &mut Account, seed: u64, index: usize, now: i64) {
    let mut rng = chance::at(seed, "account contact", index);
    // Every third is the owner of an early pet; the others have never heard of HighLevel.
    let person = people::owner(
        seed,
        if index.is_multiple_of(3) {
            index / 3
        } else {
            5_000_000 + index
        },
    );
    let is_owner = index.is_multiple_of(3) && index / 3 < OWNERS;
    let time = now - rng.i64(100 * DAY..400 * DAY);
    let (id, _) = account.upsert(&person.email, time);
    let change = Change {
        first_name: Some(person.first_name),
        last_name: Some(if is_owner && index.is_multiple_of(2) {
            "Oldname"
        } else {
            person.last_name
        }),
        phone: Some(if is_owner { "" } else { &person.phone }),
        // Options and names as they were before the last sync.
        values: if is_owner {
            vec![(2, "Rex"), (5, "Available"), (6, "||Calm||Lazy||")]
        } else {
            vec![(1, "en")]
        },
    };
    account.change(id, &change, time);
    account.add_tag(id, rng.u64(1..4), time);
    account.set_list(id, 1, 1, 4, time);
    if index.is_multiple_of(7) {
        account.set_list(id, 3, if index.is_multiple_of(14) { 2 } else { 1 }, 4, time);
    }
    if let Some(contact) = account.contacts.get_mut(&id) {
        contact.scores = vec![(1, rng.i64(0..100)), (2, rng.i64(0..50))];
        if index.is_multiple_of(20) {
            contact
                .log
                .push(("event".to_owned(), "visited shelter".to_owned(), time));
        }
    }
}
