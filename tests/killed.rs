//! Everything at once, and SIGKILL at random moments: two workers, exports, single syncs, a person's retries, webhooks for
//! records that change all the while. In the end each contact holds its record's last state, no older one was ever written
//! after a newer one, and nothing that cannot be taken back was done twice.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Child;
use std::time::{Duration, Instant};
use support::{House, PETS, eventually, options, signal};
use tramline::sandbox::{EVENT_ACCOUNT, EVENT_KEY, Entry, Fault, Kind, Options, Subscription};

/// Kills that hit a living process.
const KILLS: usize = 55;
/// The next kill comes after so many milliseconds at most.
const LULL: u64 = 650;
/// Milliseconds that the lease of a worker lasts.
const LEASE: &str = "1500";
/// How long an import takes: it is over before the lease of whoever sent it.
const IMPORT_DELAY: Duration = Duration::from_millis(120);

/// Pets of owners of their own, whose condition never holds.
const PLAIN: usize = 60;
/// Pets that are adopted once.
const ONCE: usize = 14;
/// Pets that are adopted and come back, again and again.
const TURNING: usize = 6;
/// Owners of two pets each.
const SHARING: usize = 4;

const RULES: &str = r#"
[[mappings.pets.rules]]
name = "adopted"
when = "status == 'adopted'"
add_tags = "pet-adopted"
subscribe = "Adopters"
start_automation = "Adoption welcome"
record_event = "pet_adopted"

[[mappings.pets.rules]]
name = "back"
when = "status == 'available' and previous.status == 'adopted'"
remove_tags = "pet-adopted"
unsubscribe = "Adopters"
leave_automation = "Adoption welcome"
"#;

/// A pet as it was last left.
#[derive(Clone, Debug)]
struct Pet {
    id: String,
    email: String,
    /// The number in its name: every change of any pet has a greater one.
    number: u32,
    adopted: bool,
    /// How often it was adopted.
    turns: usize,
}

/// The processes, and the hand that changes records and kills.
struct Crowd {
    house: House,
    random: fastrand::Rng,
    pets: Vec<Pet>,
    numbers: u32,
    /// Changes that webhooks tell of.
    changes: usize,
    living: BTreeMap<&'static str, Child>,
    killed: BTreeMap<&'static str, usize>,
    /// Process ids of those that were killed.
    dead: Vec<u32>,
    began: Instant,
}

const WORKERS: [&str; 2] = ["one", "two"];

impl Crowd {
    fn new(seed: u64) -> Self {
        let house = House::with(Options {
            import_delay: IMPORT_DELAY,
            logged_body: 1 << 20,
            ..options(0)
        });
        house.write("event.key", EVENT_KEY);
        house.edit_config(
            "[activecampaign]",
            &format!(
                "[activecampaign]\nevents = {{ account_id = \"{EVENT_ACCOUNT}\", key = {{ file = \"event.key\" }}, url = \"{}/event\" }}",
                house.activecampaign_url
            ),
        );
        // What clears a field goes by itself; these are to ride in imports, too.
        house.edit_config("{ from = \"chip\", empty = \"clear\" }", "\"chip\"");
        let config = house.read("config.toml");
        house.write("config.toml", &format!("{config}\n{RULES}"));
        house.receive_webhooks("");
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        house.edit_config(
            "listen = \"127.0.0.1:0\"",
            &format!("listen = \"{address}\""),
        );
        let mut subscription = Subscription::to(format!("http://{address}/webhooks/highlevel"));
        subscription.copies = 2;
        assert!(house.control.subscribe(Some(subscription)));
        Self {
            house,
            random: fastrand::Rng::with_seed(seed),
            pets: Vec::new(),
            numbers: 0,
            changes: 0,
            living: BTreeMap::new(),
            killed: BTreeMap::new(),
            dead: Vec::new(),
            began: Instant::now(),
        }
    }

    fn next_name(&mut self) -> (u32, String) {
        self.numbers += 1;
        (self.numbers, format!("pet number {:06}", self.numbers))
    }

    fn create(&mut self, email: String) {
        let (number, name) = self.next_name();
        std::thread::sleep(Duration::from_millis(2));
        let pet = json!({"name": name, "owner_email": email, "status": "available"});
        let id = self
            .house
            .control
            .create_record(PETS, pet.as_object().unwrap())
            .unwrap();
        self.changes += 1;
        self.pets.push(Pet {
            id,
            email,
            number,
            adopted: false,
            turns: 0,
        });
    }

    /// Gives a pet the next name.
    fn rename(&mut self, at: usize) {
        let (number, name) = self.next_name();
        // Of two records that change in the same millisecond the greater id wins, whatever the number.
        std::thread::sleep(Duration::from_millis(2));
        let pet = &mut self.pets[at];
        pet.number = number;
        assert!(
            self.house
                .control
                .set_property(PETS, &pet.id, "name", json!(name))
        );
        self.changes += 1;
    }

    fn turn(&mut self, at: usize) {
        let pet = &mut self.pets[at];
        pet.adopted = !pet.adopted;
        pet.turns += usize::from(pet.adopted);
        let status = if pet.adopted { "adopted" } else { "available" };
        assert!(
            self.house
                .control
                .set_property(PETS, &pet.id, "status", json!(status))
        );
        self.changes += 1;
        // So that a name stands for the newest state of each pet.
        self.rename(at);
    }

    /// Some pets change; now and then so many that they are worked together.
    fn change(&mut self, round: usize) {
        let number = if self.random.u32(..3) == 0 { 30 } else { 4 };
        for _ in 0..number {
            let at = self.random.usize(..PLAIN);
            self.rename(at);
        }
        let sharing = PLAIN + ONCE + TURNING;
        let at = self.random.usize(sharing..sharing + 2 * SHARING);
        self.rename(at);
        if round.is_multiple_of(3) && round / 3 < ONCE {
            self.turn(PLAIN + round / 3);
        }
        if self.random.bool() {
            let at = self.random.usize(PLAIN + ONCE..PLAIN + ONCE + TURNING);
            self.turn(at);
        }
        // A refused enrolment is a failed job, for the retries.
        if round.is_multiple_of(5) {
            let refusal = Fault::once(Kind::Status(422), "POST /api/3/contactAutomations");
            self.house.control.fault(refusal);
        }
    }

    /// Starts what does not run: the workers always, the others now and then.
    fn fill(&mut self) {
        for name in WORKERS {
            self.start(name, &["worker", "--lease", LEASE]);
        }
        match self.random.u32(..6) {
            0..=2 => self.start("export", &["--json", "export", "pets"]),
            3 => {
                let retry = ["queue", "retry", "--filter", "state:failed", "--yes"];
                self.start("retry", &retry);
            }
            4 => {
                let at = self.random.usize(..self.pets.len());
                let id = self.pets[at].id.clone();
                self.start("sync", &["sync", "pets", &id]);
            }
            _ => {}
        }
    }

    fn start(&mut self, name: &'static str, arguments: &[&str]) {
        let ended = self
            .living
            .get_mut(name)
            .is_none_or(|child| child.try_wait().unwrap().is_some());
        if ended {
            let child = self.house.start(name, arguments);
            self.living.insert(name, child);
        }
    }

    /// Kills one of those that live.
    fn kill(&mut self) {
        let mut living = Vec::new();
        for (name, child) in &mut self.living {
            if child.try_wait().unwrap().is_none() {
                living.push(*name);
            }
        }
        if living.is_empty() {
            return;
        }
        // Commands are short, so that they are met rarely enough.
        let mut commands = living.iter().filter(|name| !WORKERS.contains(name));
        let name = match commands.next() {
            Some(name) if self.random.bool() => *name,
            _ => living[self.random.usize(..living.len())],
        };
        let mut child = self.living.remove(name).unwrap();
        signal(child.id(), "KILL");
        child.wait().unwrap();
        self.dead.push(child.id());
        *self.killed.entry(name).or_default() += 1;
    }

    fn kills(&self) -> usize {
        self.killed.values().sum()
    }

    /// Lets the commands come to their end.
    fn let_end(&mut self) {
        for name in ["export", "retry", "sync"] {
            if let Some(mut child) = self.living.remove(name) {
                child.wait().unwrap();
            }
        }
    }

    /// The leases of killed commands last half a minute: they end now.
    fn end_leases(&self) {
        for id in &self.dead {
            self.house.sql(&format!(
                "UPDATE jobs SET lease_until = 1 WHERE state = 'running' AND lease_owner LIKE '%/{id}/%'"
            ));
        }
    }

    fn list(&self, filter: &str) -> Vec<Value> {
        let arguments = [
            "--json", "queue", "list", "--limit", "5000", "--filter", filter,
        ];
        self.house.expect(0, &arguments).lines()
    }

    /// Waits until every webhook was taken and nothing is due or waits.
    fn rest(&self) {
        let told = 2 * self.changes;
        eventually("every webhook is taken", || {
            let sent = self.house.control.deliveries();
            sent.iter().filter(|sent| sent.status == 200).count() >= told
        });
        eprintln!("webhooks taken at {:?}", self.began.elapsed());
        eventually("a queue at rest", || {
            let open = || self.list("state:ready,running,waiting").is_empty();
            // A webhook may be on its way from the inbox to the queue.
            open() && {
                std::thread::sleep(Duration::from_millis(400));
                open()
            }
        });
    }

    /// What the processes said of a contact's records, in the order of time.
    fn story(&self, email: &str) -> String {
        let of_contact = self.pets.iter().filter(|pet| pet.email == email);
        let ids: Vec<&str> = of_contact.map(|pet| pet.id.as_str()).collect();
        let log = self.house.read("tramline.log");
        let told = log
            .lines()
            .filter(|line| ids.iter().any(|id| line.contains(id)) || line.contains("import"));
        told.collect::<Vec<_>>().join("\n")
    }

    /// The pet that has each contact: of two, the one that changed last.
    fn winners(&self) -> BTreeMap<&str, &Pet> {
        let mut winners: BTreeMap<&str, &Pet> = BTreeMap::new();
        for pet in &self.pets {
            let best = winners.entry(&pet.email).or_insert(pet);
            if pet.number > best.number {
                *best = pet;
            }
        }
        winners
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for child in self.living.values_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The number in a name.
fn number(text: &str) -> Option<u32> {
    text.strip_prefix("pet number ")?.parse().ok()
}

/// The number that a row of an import or a contact/sync carries.
fn number_in(contact: &Value) -> Option<u32> {
    let fields = contact
        .get("fieldValues")
        .or_else(|| contact.get("fields"))?;
    let mut values = fields.as_array()?.iter();
    values.find_map(|field| number(field["value"].as_str()?))
}

/// Moment of effect, address and number of each contact that a request writes.
fn written(entry: &Entry) -> Vec<(i64, String, u32)> {
    let Some(body) = entry.body.as_deref().filter(|_| entry.fault.is_none()) else {
        return Vec::new();
    };
    let Ok(body) = serde_json::from_str::<Value>(body) else {
        return Vec::new();
    };
    let (rows, delay) = match body.get("contacts") {
        Some(rows) => (rows.as_array().cloned().unwrap_or_default(), IMPORT_DELAY),
        None => (vec![body["contact"].clone()], Duration::ZERO),
    };
    let at = entry.at + i64::try_from(delay.as_micros()).unwrap();
    let row = |row: &Value| Some((at, row["email"].as_str()?.to_owned(), number_in(row)?));
    rows.iter().filter_map(row).collect()
}

/// In the order of their effect the states written to a contact only grow newer.
fn assert_never_older(crowd: &Crowd, log: &[Entry], seed: u64) {
    let mut all: Vec<_> = log.iter().flat_map(written).collect();
    all.sort_by_key(|(at, ..)| *at);
    assert!(all.len() > 200, "{} writes only", all.len());
    let mut newest: BTreeMap<String, u32> = BTreeMap::new();
    for (at, email, number) in all {
        let before = newest.entry(email.clone()).or_insert(number);
        assert!(
            *before <= number,
            "seed {seed}: {email} was {before}, then {number} at {at}\n{}",
            crowd.story(&email)
        );
        *before = number;
    }
}

#[test]
fn killed_at_any_moment_everything_at_once_loses_reverts_and_doubles_nothing() {
    let seed = std::env::var("TRAMLINE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    eprintln!("seed {seed}");
    let mut crowd = Crowd::new(seed);
    for at in 0..PLAIN + ONCE + TURNING {
        crowd.create(format!("owner{at}@example.org"));
    }
    for at in 0..2 * SHARING {
        crowd.create(format!("sharing{}@example.org", at / 2));
    }
    crowd.fill();
    crowd.let_end();
    crowd.rest();

    let mut round = 0;
    while crowd.kills() < KILLS {
        crowd.fill();
        crowd.change(round);
        let lull = crowd.random.u64(20..LULL);
        std::thread::sleep(Duration::from_millis(lull));
        crowd.kill();
        round += 1;
    }
    eprintln!("killed {:?} in {:?}", crowd.killed, crowd.began.elapsed());
    crowd.house.control.clear_faults();
    crowd
        .living
        .retain(|_, child| child.try_wait().unwrap().is_none());
    crowd.let_end();
    crowd.end_leases();
    crowd.start("one", &["worker", "--lease", LEASE]);
    crowd.rest();
    crowd
        .house
        .expect(0, &["queue", "retry", "--filter", "state:failed", "--yes"]);
    crowd.rest();
    eprintln!("at rest after {:?}", crowd.began.elapsed());

    let log = crowd.house.control.log();
    assert_never_older(&crowd, &log, seed);
    assert_last_states(&crowd, seed);
    assert_effects(&crowd, seed);
    assert_everything_was_met(&log, seed);
    crowd.house.assert_no_violation();
}

fn assert_last_states(crowd: &Crowd, seed: u64) {
    for (email, pet) in crowd.winners() {
        let contact = crowd.house.control.contact(email).unwrap();
        let name = contact.fields.get("PET_NAME").and_then(|name| number(name));
        assert_eq!(name, Some(pet.number), "seed {seed}: {email}");
        let status = if pet.adopted { "Adopted" } else { "Available" };
        assert_eq!(contact.fields["STATUS"], status, "seed {seed}: {email}");
    }
}

/// Nothing happened twice, and what did not happen is a person's: its row says that nobody knows.
fn assert_effects(crowd: &Crowd, seed: u64) {
    let unknown: BTreeSet<String> = crowd
        .list("state:unknown")
        .iter()
        .map(|job| job["record"].as_str().unwrap().to_owned())
        .collect();
    let failed = crowd.list("state:failed");
    assert!(failed.is_empty(), "seed {seed}: {failed:#?}");
    for (at, pet) in crowd.pets.iter().enumerate() {
        let contact = crowd.house.control.contact(&pet.email).unwrap();
        let (enrolled, events) = (contact.enrolled.len(), contact.events.len());
        let told = format!("seed {seed}: {pet:?} {contact:?}");
        match at.checked_sub(PLAIN) {
            Some(place) if place < ONCE && pet.turns == 1 => {
                assert_eq!(enrolled, 1, "{told}");
                assert!(
                    events == 1 || (events == 0 && unknown.contains(&pet.id)),
                    "{told}"
                );
                assert!(contact.tags.contains(&"pet-adopted".to_owned()), "{told}");
                assert_eq!(contact.lists.get("Adopters"), Some(&1), "{told}");
            }
            Some(place) if place < ONCE + TURNING => {
                // A state that was overwritten before it was read turned nothing.
                assert!(enrolled <= pet.turns && events <= pet.turns, "{told}");
                let tagged = contact.tags.contains(&"pet-adopted".to_owned());
                assert_eq!(tagged, pet.adopted, "{told}");
            }
            _ => assert_eq!((enrolled, events), (0, 0), "{told}"),
        }
    }
}

/// Each way of writing was under way while processes were killed.
fn assert_everything_was_met(log: &[Entry], seed: u64) {
    let count = |route: &str| {
        let of_route = |entry: &&Entry| format!("{} {}", entry.method, entry.path).contains(route);
        log.iter().filter(of_route).count()
    };
    for (route, least) in [
        ("POST /api/3/import/bulk_import", 10),
        ("POST /api/3/contact/sync", 30),
        ("POST /api/3/contactAutomations", ONCE),
        ("POST /api/3/contactTags", 5),
        ("POST /event", ONCE / 2),
        ("POST /objects/custom_objects.pets/records/search", 10),
        ("GET /objects/custom_objects.pets/records/", 30),
    ] {
        let met = count(route);
        assert!(met >= least, "seed {seed}: {met} of {route}");
    }
}
