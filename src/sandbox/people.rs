//! The pet owners: the same people stand in both systems.

use super::chance;

#[derive(Clone, Debug)]
pub(super) struct Person {
    pub first_name: &'static str,
    pub last_name: &'static str,
    pub email: String,
    /// E.164.
    pub phone: String,
}

const FIRST: [&str; 40] = [
    "Ada", "Amara", "Anton", "Bea", "Carlos", "Chen", "Clara", "Dario", "Elif", "Emil", "Fatima",
    "Finn", "Grace", "Hana", "Hugo", "Ines", "Ivan", "Jana", "Jonas", "Kofi", "Lara", "Leo",
    "Lucia", "Malik", "Maya", "Mila", "Nadia", "Nils", "Nora", "Omar", "Paula", "Priya", "Rosa",
    "Samir", "Sofia", "Tariq", "Tessa", "Viktor", "Yara", "Zoe",
];
const LAST: [&str; 40] = [
    "Abbott", "Alvarez", "Bauer", "Becker", "Bianchi", "Carter", "Costa", "Diaz", "Dubois",
    "Evans", "Fischer", "Garcia", "Gupta", "Haddad", "Hansen", "Ito", "Jensen", "Kaya", "Kim",
    "Kowalski", "Laurent", "Lopez", "Mendes", "Meyer", "Moreau", "Nguyen", "Novak", "Okafor",
    "Park", "Petrov", "Rossi", "Santos", "Sato", "Silva", "Singh", "Tanaka", "Vogel", "Weber",
    "Wong", "Yilmaz",
];

/// The owner of the pet at `index`.
pub(super) fn owner(seed: u64, index: usize) -> Person {
    let mut rng = chance::at(seed, "person", index);
    let first_name = FIRST[rng.usize(..FIRST.len())];
    let last_name = LAST[rng.usize(..LAST.len())];
    Person {
        first_name,
        last_name,
        email: format!(
            "{}.{}.{index}@example.com",
            first_name.to_lowercase(),
            last_name.to_lowercase()
        ),
        phone: format!("+1555{:07}", index % 10_000_000),
    }
}
