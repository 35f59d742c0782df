//! One pet: ordinary values, and in deterministic places the awkward ones that real accounts hold.

use crate::sandbox::{chance, people};
use serde_json::{Number, Value, json};

/// What is wrong with a pet's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awkward {
    NoEmail,
    BadEmail,
    ImpossibleDate,
    UnknownOption,
    /// The e-mail of the pet before, in capitals.
    SameEmail,
    Nulls,
    Emoji,
    RightToLeft,
    EscapeSequences,
    HugeText,
    NumberAsString,
    BareMoney,
    SingleInList,
    TrailingZero,
    Scientific,
    ManyDigits,
}

use Awkward::{
    BadEmail, BareMoney, Emoji, EscapeSequences, HugeText, ImpossibleDate, ManyDigits, NoEmail,
    Nulls, NumberAsString, RightToLeft, SameEmail, Scientific, SingleInList, TrailingZero,
    UnknownOption,
};

/// Kinds that no mapping can coerce.
const FAILING: [Awkward; 3] = [BadEmail, ImpossibleDate, UnknownOption];
/// Kinds that a careful client sends all the same.
const HARMLESS: [Awkward; 12] = [
    SameEmail,
    Nulls,
    Emoji,
    RightToLeft,
    EscapeSequences,
    HugeText,
    NumberAsString,
    BareMoney,
    SingleInList,
    TrailingZero,
    Scientific,
    ManyDigits,
];

/// Each kind stands once among the first 40 rows; later, in 200 rows, one has no e-mail, two fail, one is harmless.
fn awkward(index: usize) -> Option<Awkward> {
    if index < 40 {
        // Even rows from 2 on, so that the row before each is an ordinary one.
        let kinds = [NoEmail].iter().chain(&FAILING).chain(&HARMLESS);
        return index
            .checked_sub(2)
            .filter(|place| place % 2 == 0)
            .and_then(|place| kinds.copied().nth(place / 2));
    }
    let round = index / 200;
    match index % 200 {
        50 => Some(FAILING[round * 2 % FAILING.len()]),
        100 => Some(HARMLESS[round % HARMLESS.len()]),
        150 => Some(FAILING[(round * 2 + 1) % FAILING.len()]),
        199 => Some(NoEmail),
        _ => None,
    }
}

const NAMES: [&str; 32] = [
    "Buddy", "Luna", "Milo", "Bella", "Charlie", "Coco", "Rocky", "Daisy", "Max", "Nala", "Oscar",
    "Ruby", "Simba", "Willow", "Toby", "Pepper", "Loki", "Hazel", "Ziggy", "Olive", "Bruno",
    "Maple", "Otis", "Poppy", "Felix", "Ginger", "Shadow", "Biscuit", "Mochi", "Juniper", "Scout",
    "Clover",
];
const BREEDS: [&str; 8] = [
    "Mixed", "Beagle", "Siamese", "Terrier", "Lop", "Collie", "Tabby", "Amazon",
];
const TEMPERAMENT: [&str; 5] = ["calm", "shy", "playful", "curious", "lazy"];
const VACCINATIONS: [&str; 3] = ["rabies", "parvo", "distemper"];

fn some_of(rng: &mut fastrand::Rng, keys: &[&str]) -> Vec<Value> {
    keys.iter()
        .filter(|_| rng.bool())
        .map(|key| Value::from(*key))
        .collect()
}

/// A number with exactly these digits.
fn exact(digits: &str) -> Value {
    digits.parse::<Number>().map_or(Value::Null, Value::Number)
}

/// The properties of the pet at `index` of `count`.
pub(super) fn properties(seed: u64, index: usize, count: usize) -> Value {
    let mut rng = chance::at(seed, "pet values", index);
    let owner = people::owner(seed, index);
    let name = NAMES[rng.usize(..NAMES.len())];
    let mut pet = json!({
        "name": name,
        "chip": format!("{:015}", 985_000_000_000_000 + index as u64),
        "description": format!("{name} came to us in spring, likes {} and gets along with {}.",
            ["walks", "naps", "cheese", "music"][rng.usize(..4)], ["children", "cats", "everyone"][rng.usize(..3)]),
        "notes.kitchen": "Two meals a day.",
        "notes.garden": "Digs. Watch the fence.",
        "weight": exact(&format!("{}.{}", rng.u32(1..60), rng.u32(1..10))),
        "owner_phone": owner.phone,
        "price": {"currency": "default", "value": rng.u32(20..500)},
        "vaccinations": some_of(&mut rng, &VACCINATIONS),
        "status": (["available", "adopted", "pending"][rng.usize(..3)]),
        "temperament": some_of(&mut rng, &TEMPERAMENT),
        "born": format!("20{:02}-{:02}-{:02}", rng.u32(10..26), rng.u32(1..13), rng.u32(1..29)),
        "photos": [{"url": format!("https://files.example/pets/{index}.jpg")}],
        "size": if index % 97 == 5 { "teacup" } else { ["small", "medium", "large"][rng.usize(..3)] },
        "owner_email": owner.email,
        "owner_first_name": owner.first_name,
        "owner_last_name": owner.last_name,
        "breed": BREEDS[rng.usize(..BREEDS.len())],
        "species": (["dog", "cat", "rabbit", "parrot"][rng.usize(..4)]),
        "vet_visit": format!("2026-{:02}-{:02}", rng.u32(1..10), rng.u32(1..29)),
        "kennel": rng.u32(1..80),
        "mood": "data:signature/1;waggy",
    });
    // Empty properties are simply absent.
    if let Some(properties) = pet.as_object_mut() {
        if rng.u32(..4) == 0 {
            properties.shift_remove("vet_visit");
        }
        properties.retain(|_, value| value.as_array().is_none_or(|list| !list.is_empty()));
    }
    if let Some(kind) = awkward(index).filter(|_| index < count) {
        spoil(&mut pet, kind, seed, index);
    }
    pet
}

fn spoil(pet: &mut Value, kind: Awkward, seed: u64, index: usize) {
    match kind {
        NoEmail => {
            if let Some(properties) = pet.as_object_mut() {
                properties.shift_remove("owner_email");
            }
        }
        BadEmail => pet["owner_email"] = "not-an-email".into(),
        ImpossibleDate => pet["born"] = "2024-13-01".into(),
        UnknownOption => pet["status"] = "vanished".into(),
        SameEmail => {
            pet["owner_email"] = people::owner(seed, index - 1).email.to_uppercase().into()
        }
        Nulls => {
            for key in [
                "weight",
                "price",
                "status",
                "temperament",
                "born",
                "photos",
                "description",
                "owner_phone",
            ] {
                pet[key] = Value::Null;
            }
        }
        Emoji => pet["name"] = "Zoë 🐕‍🦺 👩‍👩‍👧 e\u{301}".into(),
        RightToLeft => {
            pet["name"] = "لولو".into();
            pet["description"] = "כלב טוב מאוד, mixed with English, ثم العربية.".into();
        }
        EscapeSequences => {
            pet["name"] =
                "Evil\u{1b}]52;c;cm0gLXJmIH4=\u{7}\u{1b}[2J\u{9b}31m\u{202e}cod\u{2066}".into();
            pet["description"] = "\u{1b}]0;pwned\u{7}line\r\nnext\ttab\u{0}\u{8}\u{85}".into();
        }
        HugeText => pet["description"] = "long ".repeat(64 * 1024 / 5).into(),
        NumberAsString => pet["weight"] = "12.5".into(),
        BareMoney => pet["price"] = json!(250),
        SingleInList => pet["temperament"] = "calm".into(),
        TrailingZero => pet["weight"] = exact("12.40"),
        Scientific => pet["weight"] = exact("1e21"),
        ManyDigits => pet["weight"] = exact("123456789012345678.901234567891"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_stands_in_the_first_forty_rows() {
        let kinds: Vec<Awkward> = (0..40).filter_map(awkward).collect();
        assert_eq!(kinds.len(), 1 + FAILING.len() + HARMLESS.len());
        let failing = (0..10_000)
            .filter_map(awkward)
            .filter(|kind| FAILING.contains(kind))
            .count();
        let skipped = (0..10_000)
            .filter_map(awkward)
            .filter(|kind| *kind == NoEmail)
            .count();
        assert_eq!((failing, skipped), (103, 51));
    }

    #[test]
    fn digits_are_kept() {
        let texts: Vec<String> = (0..40)
            .map(|index| properties(7, index, 40)["weight"].to_string())
            .collect();
        for digits in ["12.40", "1e21", "123456789012345678.901234567891"] {
            assert!(
                texts
                    .iter()
                    .any(|text| text == digits || text == "1e+21" && digits == "1e21"),
                "{digits}"
            );
        }
    }
}
