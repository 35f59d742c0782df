//! From a page of records to what becomes of each of them, and what their rules want.

use super::at_hand;
use super::draft::{Draft, Meaning, Values};
use super::familiar::Familiar;
use super::leavers;
use super::pages::Position;
use super::rehearsal::Rehearsal;
use super::ride;
use super::run::{Halt, Work, tell_failed};
use crate::activecampaign::{IMPORT_BYTES, IMPORT_EXCLUDE_BYTES, Rides, import_row_with};
use crate::mapping::{Conflict, EmailSource, OnEmailChange};
use crate::model::view::FiringRule;
use crate::model::{ContactId, Email, Fingerprint, Record, RecordId, RelatedContact};
use crate::store::{ConfirmedState, EffectPlan, Heir, Link, Planned, PlannedRow};
use crate::sync::contest::{self, beats};
use crate::sync::edited;
use crate::sync::effects;
use crate::sync::plan::version;
use crate::sync::related::ContactBook;
use std::collections::{HashMap, HashSet};

/// Plans the records of a run, page by page.
pub struct Planner {
    conflict: Conflict,
    book: ContactBook,
    /// Distinct records of the run so far.
    read: u64,
    rows: Vec<PlannedRow>,
    effects: Vec<EffectPlan>,
    states: Vec<ConfirmedState>,
    /// Contacts that records leave, and that the run does not come to by itself.
    leaves: Vec<Email>,
    /// The imports' rows of what is to be sent.
    at_hand: Vec<at_hand::Row>,
    /// Records and contacts that the run has met.
    records: Familiar,
    contacts: Familiar,
    /// Something among the rows may have been met before this page.
    met: bool,
    /// The mapping had contacts when the run went to work: records may leave them.
    known: bool,
    /// Of these records the run has planned an older version.
    again: HashSet<RecordId>,
    /// A dry run keeps nothing in the store, so it remembers here.
    rehearsal: Option<Rehearsal>,
}

/// The record that leads for a contact.
#[derive(Clone)]
pub struct Contender {
    record: RecordId,
    version: i64,
    /// Its place among the rows not kept yet.
    row: Option<usize>,
    /// Known from other syncs; this run has not read it.
    foreign: bool,
}

impl Planner {
    /// A planner for a run that may have read some pages already.
    pub async fn open(work: &Work) -> Result<Self, Halt> {
        let run = work.store().run(&work.id).await?;
        let read = run.map_or(0, |run| run.counts.read);
        let (connection, mapping) = (work.connection(), work.name());
        Ok(Self {
            conflict: work.mapping.spec().conflict,
            book: ContactBook::default(),
            read,
            rows: Vec::new(),
            effects: Vec::new(),
            states: Vec::new(),
            leaves: Vec::new(),
            at_hand: Vec::new(),
            records: Familiar::new(read == 0),
            contacts: Familiar::new(read == 0),
            met: false,
            known: work.store().has_contacts(connection, mapping).await?,
            again: HashSet::new(),
            rehearsal: work.options.dry_run.then(Rehearsal::default),
        })
    }

    /// Distinct records of the run so far.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// True where the last page may still decide who wins a contact of the first.
    pub fn must_wait(&mut self, position: &Position) -> bool {
        let waits = self.conflict != Conflict::Newest || !position.sort || !position.ordered;
        if let Some(rehearsal) = &mut self.rehearsal {
            rehearsal.waits |= waits;
        }
        waits
    }

    /// Nothing more will come: rows that waited are free.
    pub fn release(&mut self) {
        if let Some(rehearsal) = &mut self.rehearsal {
            rehearsal.waits = false;
        }
    }

    /// What is to be put on disk, and whether the run may have met some of it before (see [`PagePlan::met`]).
    ///
    /// [`PagePlan::met`]: crate::store::PagePlan::met
    pub fn take_rows(&mut self) -> (Vec<PlannedRow>, bool) {
        if let Some(rehearsal) = &mut self.rehearsal {
            if rehearsal.waits {
                return (Vec::new(), false);
            }
            rehearsal
                .best
                .values_mut()
                .for_each(|contender| contender.row = None);
        }
        (
            std::mem::take(&mut self.rows),
            std::mem::take(&mut self.met),
        )
    }

    /// Tells what became of rows that were taken: who fails, and in a dry run what would be sent.
    pub async fn tell(&mut self, work: &Work, rows: &[PlannedRow]) {
        for row in rows {
            match (&row.plan, &mut self.rehearsal) {
                (plan, Some(rehearsal)) => rehearsal.tell(work, &row.record, plan).await,
                (Planned::Failed { problem, .. }, None) => tell_failed(&row.record, problem),
                _ => {}
            }
        }
    }

    /// What is to be put on disk with the rows: effects, and states that are confirmed as they are.
    pub fn take_effects(&mut self) -> (Vec<EffectPlan>, Vec<ConfirmedState>) {
        (
            std::mem::take(&mut self.effects),
            std::mem::take(&mut self.states),
        )
    }

    /// The contacts that the rows' records leave, and who of several is next in line for one.
    pub fn take_leaves(&mut self) -> (Vec<Email>, Heir) {
        let leaves = std::mem::take(&mut self.leaves);
        (leaves, contest::heir(self.conflict))
    }

    /// The imports' rows of what is to be sent.
    pub fn take_at_hand(&mut self) -> Vec<at_hand::Row> {
        std::mem::take(&mut self.at_hand)
    }

    /// Plans pages. Answers how many of its records were new to the run, or newer than when it saw them.
    pub async fn plan(
        &mut self,
        work: &Work,
        drafts: Vec<Draft>,
        expected: Option<u64>,
    ) -> Result<usize, Halt> {
        let drafts = self.fresh(work, drafts).await?;
        let fresh = drafts.len();
        let (mut records, meanings): (Vec<Record>, Vec<Option<Meaning>>) = drafts
            .into_iter()
            .map(|draft| (draft.record, draft.meaning))
            .unzip();
        let whose = (work.connection(), work.name());
        let read = records.iter_mut().collect();
        let edited = edited::put(work.store(), whose, read, work.options.dry_run).await?;
        let related = self.related(work, &records, expected).await?;
        let mut plans = Vec::with_capacity(records.len());
        for ((record, related), meaning) in records.iter().zip(&related).zip(meanings) {
            plans.push(match meaning {
                Some(meaning) if !edited.contains(&record.id) => meaning,
                _ => Meaning::of(&work.mapping, record, related.as_ref())?,
            });
        }
        let emails: Vec<Email> = plans
            .iter()
            .filter_map(|plan| plan.goes_to().cloned())
            .collect();
        let links = work
            .store()
            .links(work.connection(), work.name(), &emails)
            .await?;
        // A single sync may have brought a record to a contact that the run has not met; it left a link then.
        let contended: Vec<Email> = emails
            .iter()
            .filter(|email| links.contains_key(email) || self.contacts.may_know(email.as_str()))
            .cloned()
            .collect();
        let mut best = self.leaders(work, &contended).await?;
        for email in &emails {
            self.met |= self.contacts.may_know(email.as_str());
        }
        for email in &emails {
            self.contacts.note(email.as_str());
        }
        let mut wanted = self.wanted(work, &records, &related).await?;
        let goes: Vec<_> = records
            .iter()
            .map(|record| &record.id)
            .zip(plans.iter().map(Meaning::goes_to))
            .collect();
        self.leaves
            .extend(leavers::left(work, &goes, &self.again).await?);
        let mut leaving = if self.known || !self.again.is_empty() {
            leaving(work, &records, &plans, &links).await?
        } else {
            HashMap::new()
        };
        self.rehearse(work, &plans, &links, expected).await?;
        for ((record, related), plan) in records.iter().zip(&related).zip(plans) {
            match plan {
                Meaning::Skip => self.push(record, None, Planned::Skipped),
                Meaning::Fail { problem, email } => {
                    let attempt = work.attempt(None, None);
                    self.push(
                        record,
                        email,
                        Planned::Failed {
                            problem,
                            contact_id: None,
                            attempt,
                        },
                    );
                }
                Meaning::Send(values) => {
                    let entrant = Entrant {
                        record,
                        related: related.as_ref(),
                        values: *values,
                        wants: wanted.remove(&record.id).unwrap_or_default(),
                        warning: leaving.remove(&record.id),
                    };
                    self.contend(work, entrant, &links, &mut best).await?
                }
            }
        }
        if let Some(rehearsal) = &mut self.rehearsal {
            rehearsal.best = best;
        }
        Ok(fresh)
    }

    /// In a dry run, reads the contacts of a page: what would be sent is told beside what they hold.
    async fn rehearse(
        &mut self,
        work: &Work,
        plans: &[Meaning],
        links: &HashMap<Email, Link>,
        expected: Option<u64>,
    ) -> Result<(), Halt> {
        let Some(rehearsal) = &mut self.rehearsal else {
            return Ok(());
        };
        let mut wanted: HashMap<Email, Option<ContactId>> = HashMap::new();
        for plan in plans {
            let Meaning::Send(values) = plan else {
                continue;
            };
            let email = &values.planned.write.email;
            let link = links.get(email);
            if !in_step(work, link, &values.planned.fingerprint) {
                wanted.insert(email.clone(), link.and_then(|link| link.contact_id.clone()));
            }
        }
        let expected = match (expected, work.options.limit) {
            (Some(total), Some(limit)) => total.min(limit),
            (total, limit) => total.or(limit).unwrap_or(0),
        };
        rehearsal
            .read_contacts(work, wanted.into_iter().collect(), expected)
            .await
    }

    /// The records that the run has not seen in this version, each once, within the run's limit.
    async fn fresh(&mut self, work: &Work, drafts: Vec<Draft>) -> Result<Vec<Draft>, Halt> {
        let met: Vec<RecordId> = drafts
            .iter()
            .map(|draft| &draft.record.id)
            .filter(|id| self.records.may_know(id.as_str()))
            .cloned()
            .collect();
        self.met |= !met.is_empty();
        self.again.clear();
        let seen = if self.rehearsal.is_some() || met.is_empty() {
            HashMap::new()
        } else {
            work.store().seen_in_run(&work.id, &met).await?
        };
        let mut places: HashMap<RecordId, usize> = HashMap::new();
        let mut fresh: Vec<Draft> = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let record = &draft.record;
            if let Some(place) = places.get(&record.id) {
                // Rows shifted between two pages: the newer state counts.
                if version(record) > version(&fresh[*place].record) {
                    fresh[*place] = draft;
                }
                continue;
            }
            let new = match (&mut self.rehearsal, seen.get(&record.id)) {
                (Some(rehearsal), _) => rehearsal.seen.insert(record.id.clone()),
                (None, None) => true,
                (None, Some(seen)) if version(record) > seen.version => {
                    // Counted already; only its outcome changes.
                    self.read -= 1;
                    self.again.insert(record.id.clone());
                    true
                }
                (None, Some(_)) => false,
            };
            if !new || work.options.limit.is_some_and(|limit| self.read >= limit) {
                continue;
            }
            self.read += 1;
            places.insert(record.id.clone(), fresh.len());
            self.records.note(record.id.as_str());
            fresh.push(draft);
        }
        Ok(fresh)
    }

    async fn related(
        &mut self,
        work: &Work,
        records: &[Record],
        expected: Option<u64>,
    ) -> Result<Vec<Option<RelatedContact>>, Halt> {
        match work.mapping.email() {
            EmailSource::Property(_) => Ok(vec![None; records.len()]),
            EmailSource::Association(association) => {
                let expected = expected.unwrap_or(records.len() as u64);
                let highlevel = &work.account.highlevel;
                let mut tries = 0;
                loop {
                    let read = self
                        .book
                        .of_records(highlevel, association, records, expected);
                    match read.await {
                        Ok(contacts) => return Ok(contacts),
                        Err(error) => work.wait_out(error, &mut tries).await?,
                    }
                }
            }
        }
    }

    /// The records of this run that lead for these contacts.
    async fn leaders(
        &mut self,
        work: &Work,
        emails: &[Email],
    ) -> Result<HashMap<Email, Contender>, Halt> {
        if let Some(rehearsal) = &mut self.rehearsal {
            return Ok(std::mem::take(&mut rehearsal.best));
        }
        if emails.is_empty() {
            return Ok(HashMap::new());
        }
        let mut best: HashMap<Email, Contender> = HashMap::new();
        for (email, record, version) in work.store().contenders(&work.id, emails).await? {
            let leads = best.get(&email).is_none_or(|other| {
                beats(
                    self.conflict,
                    (version, &record),
                    (other.version, &other.record),
                )
            });
            if leads {
                best.insert(
                    email,
                    Contender {
                        record,
                        version,
                        row: None,
                        foreign: false,
                    },
                );
            }
        }
        if work.reads_part() {
            // Part of the records is read: those that other syncs saw contend as well.
            let first = match self.conflict {
                Conflict::Oldest => Heir::Oldest,
                // Whichever is met first: it is enough that there is another.
                Conflict::Newest | Conflict::Fail => Heir::Newest,
            };
            let known = work
                .store()
                .winners(work.connection(), work.name(), emails, first)
                .await?;
            for (email, candidate) in known {
                let theirs = (candidate.version, &candidate.record);
                let leads = best.get(&email).is_none_or(|other| {
                    beats(self.conflict, theirs, (other.version, &other.record))
                });
                if leads {
                    best.insert(
                        email,
                        Contender {
                            record: candidate.record,
                            version: candidate.version,
                            row: None,
                            foreign: true,
                        },
                    );
                }
            }
        }
        Ok(best)
    }

    /// What the rules want of a page's records.
    async fn wanted(
        &self,
        work: &Work,
        records: &[Record],
        related: &[Option<RelatedContact>],
    ) -> Result<HashMap<RecordId, Wants>, Halt> {
        if !work.mapping.has_rules() {
            return Ok(HashMap::new());
        }
        let (store, connection, mapping) = (work.store(), work.connection(), work.name());
        let ids: Vec<RecordId> = records.iter().map(|record| record.id.clone()).collect();
        let states = store.confirmed_states(connection, mapping, &ids).await?;
        let open = store.open_effects_of(connection, mapping, &ids).await?;
        let all = records.iter().zip(related).map(|(record, related)| {
            let state = states.get(&record.id);
            let open = open.get(&record.id).map_or(&[][..], Vec::as_slice);
            let related = related.as_ref();
            let wants = Wants {
                plan: Some(effects::wanted(&work.mapping, record, related, state, open)),
                open: !open.is_empty(),
                confirmed: state.map(|state| state.properties_json.clone()),
            };
            (record.id.clone(), wants)
        });
        Ok(all.collect())
    }

    /// Lets a record contend for its contact, and plans its write if it wins.
    async fn contend(
        &mut self,
        work: &Work,
        entrant: Entrant<'_>,
        links: &HashMap<Email, Link>,
        best: &mut HashMap<Email, Contender>,
    ) -> Result<(), Halt> {
        let Entrant {
            record,
            related,
            values,
            wants,
            warning,
        } = entrant;
        let email = values.planned.write.email.clone();
        let mine = (version(record), &record.id);
        if let Some(other) = best
            .get(&email)
            .filter(|other| other.record != record.id)
            .cloned()
        {
            if self.conflict == Conflict::Fail {
                let fault = |work: &Work, other: &RecordId| Planned::Failed {
                    problem: contest::problem(&email, vec![other.clone()]),
                    contact_id: None,
                    attempt: work.attempt(None, None),
                };
                self.replan(&other, &email, fault(work, &record.id));
                self.push(record, Some(email.clone()), fault(work, &other.record));
                return Ok(());
            }
            if !beats(self.conflict, mine, (other.version, &other.record)) {
                self.push(
                    record,
                    Some(email),
                    Planned::Superseded { by: other.record },
                );
                return Ok(());
            }
            self.replan(
                &other,
                &email,
                Planned::Superseded {
                    by: record.id.clone(),
                },
            );
        }
        let link = links.get(&email);
        let planned = if in_step(work, link, &values.planned.fingerprint) && !wants.fires() {
            self.states.extend(wants.new_state(record)?);
            Planned::Unchanged
        } else {
            if let Some(rehearsal) = &mut self.rehearsal {
                let also = (wants.firing(), warning.clone());
                rehearsal.would_write(work, record, related, &email, also);
            }
            self.send(work, record, values, &wants).await?
        };
        if let Some(warning) = warning
            && self.rehearsal.is_none()
        {
            tracing::warn!(run = %work.id, record = %record.id, mapping = %work.name(), warning);
        }
        if wants.open || wants.fires() {
            self.effects.extend(wants.plan);
        }
        best.insert(
            email.clone(),
            Contender {
                record: record.id.clone(),
                version: mine.0,
                row: Some(self.rows.len()),
                foreign: false,
            },
        );
        self.push(record, Some(email), planned);
        Ok(())
    }

    /// Plans a record's write.
    async fn send(
        &mut self,
        work: &Work,
        record: &Record,
        values: Values,
        wants: &Wants,
    ) -> Result<Planned, Halt> {
        // What is open from earlier is brought to its end one by one.
        let rides = match &wants.plan {
            Some(plan) if !wants.open => {
                ride::rides(work, &values.planned.write.email, plan).await?
            }
            Some(_) => None,
            None => Some(Rides::default()),
        };
        let Values {
            planned,
            write_json,
            row_json,
        } = values;
        let (write, fingerprint) = (planned.write, planned.fingerprint);
        let along = rides.as_ref().filter(|rides| **rides != Rides::default());
        let row = along.map_or(row_json.len(), |rides| import_row_with(&write, rides).len());
        let exclude = if work.mapping.spec().exclude_automations {
            IMPORT_EXCLUDE_BYTES
        } else {
            0
        };
        // Two bytes for what stands between the rows.
        let size = u32::try_from(row + exclude + 2).unwrap_or(u32::MAX);
        let single = rides.is_none()
            || write.clears()
            || moves(work, record, &write.email).await?
            || size as usize >= IMPORT_BYTES - 64;
        let rides_json = along.map(crate::store::to_json).transpose()?;
        if !single && along.is_none() && self.rehearsal.is_none() {
            self.at_hand.push(at_hand::Row {
                email: write.email,
                fingerprint: fingerprint.clone(),
                json: row_json,
            });
        }
        let properties_json = work
            .mapping
            .has_rules()
            .then(|| crate::store::to_json(&record.properties))
            .transpose()?;
        Ok(Planned::Send {
            write_json,
            properties_json,
            fingerprint,
            rides_json,
            size,
            single,
        })
    }

    /// Changes what was planned for a record that lost its contact.
    fn replan(&mut self, other: &Contender, email: &Email, planned: Planned) {
        if let Some(row) = other.row {
            if let Some(row) = self.rows.get_mut(row) {
                row.plan = planned;
            }
        } else if !other.foreign
            && self.rehearsal.is_none()
            && self.rows.iter().all(|row| row.record != other.record)
        {
            self.rows.push(PlannedRow {
                record: other.record.clone(),
                email: Some(email.clone()),
                version: other.version,
                plan: planned,
            });
        }
    }

    fn push(&mut self, record: &Record, email: Option<Email>, plan: Planned) {
        self.rows.push(PlannedRow {
            record: record.id.clone(),
            email,
            version: version(record),
            plan,
        });
    }
}

/// True if a contact needs no write as far as its link tells.
fn in_step(work: &Work, link: Option<&Link>, fingerprint: &Fingerprint) -> bool {
    !work.options.full && link.is_some_and(|link| link.fingerprint == *fingerprint)
}

/// A record with what is to go to its contact.
struct Entrant<'a> {
    record: &'a Record,
    related: Option<&'a RelatedContact>,
    values: Values,
    wants: Wants,
    /// What a person is to know of the contact that the record leaves.
    warning: Option<String>,
}

/// What a person is to know of the records of a page that leave a contact.
async fn leaving(
    work: &Work,
    records: &[Record],
    plans: &[Meaning],
    links: &HashMap<Email, Link>,
) -> Result<HashMap<RecordId, String>, Halt> {
    let mut goes: Vec<(&Record, &Email)> = Vec::new();
    for (record, plan) in records.iter().zip(plans) {
        let Meaning::Send(values) = plan else {
            continue;
        };
        let email = &values.planned.write.email;
        // Most records stay with the contact that was confirmed for them.
        let stays = links
            .get(email)
            .is_some_and(|link| link.record == record.id);
        if !stays {
            goes.push((record, email));
        }
    }
    leavers::warnings(work, &goes).await
}

/// What the rules want of one record, and what is known of it.
#[derive(Default)]
struct Wants {
    /// `None` where the mapping has no rules.
    plan: Option<EffectPlan>,
    /// It has effects that are not over.
    open: bool,
    /// The properties that were last confirmed.
    confirmed: Option<String>,
}

impl Wants {
    fn fires(&self) -> bool {
        self.plan
            .as_ref()
            .is_some_and(|plan| !plan.fires.is_empty())
    }

    /// For people.
    fn firing(&self) -> Vec<FiringRule> {
        let fires = self.plan.iter().flat_map(|plan| &plan.fires);
        fires
            .map(|turn| FiringRule {
                rule: turn.rule.clone(),
                actions: turn.acts.iter().map(ToString::to_string).collect(),
            })
            .collect()
    }

    /// The record's state, if it is another one than was confirmed: its contact holds what it should.
    fn new_state(&self, record: &Record) -> Result<Option<ConfirmedState>, Halt> {
        if self.plan.is_none() {
            return Ok(None);
        }
        let properties_json = crate::store::to_json(&record.properties)?;
        let known = self.confirmed.as_deref() == Some(properties_json.as_str());
        Ok((!known).then(|| ConfirmedState {
            record: record.id.clone(),
            version: version(record),
            properties_json,
        }))
    }
}

/// True if the record's contact is to be renamed: an import cannot do that.
async fn moves(work: &Work, record: &Record, email: &Email) -> Result<bool, Halt> {
    if work.mapping.spec().on_email_change != OnEmailChange::Rename {
        return Ok(false);
    }
    let links = work
        .store()
        .links_of_record(work.connection(), work.name(), &record.id)
        .await?;
    Ok(!links.is_empty() && links.iter().all(|link| link.email != *email))
}
