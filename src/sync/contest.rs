//! Several records, one contact: which of them wins.

use super::account::Account;
use super::plan::version;
use crate::mapping::Conflict;
use crate::mapping::Mapping;
use crate::model::{Email, ErrorClass, Problem, Record, RecordId};
use crate::store::{Candidate, Heir, Store, StoreError};

/// Candidates looked at when a contact changes hands.
pub const CANDIDATES: u32 = 100;

/// What the contest means for one record.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Wins,
    /// Another record has the contact.
    Loses(RecordId),
    /// `conflict = "fail"`, and there are others.
    Fails(Vec<RecordId>),
}

/// Decides between a record, at the version just read, and the candidates the store knows.
pub fn decide(
    conflict: Conflict,
    record: &RecordId,
    version: i64,
    candidates: &[Candidate],
) -> Verdict {
    let others = candidates
        .iter()
        .filter(|candidate| candidate.record != *record);
    if conflict == Conflict::Fail {
        let others: Vec<RecordId> = others.map(|candidate| candidate.record.clone()).collect();
        return if others.is_empty() {
            Verdict::Wins
        } else {
            Verdict::Fails(others)
        };
    }
    let mine = (version, record);
    let best = others
        .map(|candidate| (candidate.version, &candidate.record))
        .reduce(|a, b| if beats(conflict, a, b) { a } else { b });
    match best {
        Some(best) if !beats(conflict, mine, best) => Verdict::Loses(best.1.clone()),
        _ => Verdict::Wins,
    }
}

/// What the contest would mean for a record if it were synced now, as far as the store knows the others.
///
/// # Errors
/// The store failed.
pub async fn foresee(
    store: &Store,
    account: &Account,
    mapping: &Mapping,
    record: &Record,
    email: &Email,
) -> Result<Verdict, StoreError> {
    let candidates = store
        .candidates(&account.name, mapping.name(), email, CANDIDATES)
        .await?;
    let conflict = mapping.spec().conflict;
    Ok(decide(conflict, &record.id, version(record), &candidates))
}

/// True if `a` wins over `b`. Ties in the version go to the greater id, so that every worker decides alike.
pub fn beats(conflict: Conflict, a: (i64, &RecordId), b: (i64, &RecordId)) -> bool {
    match conflict {
        Conflict::Newest | Conflict::Fail => a > b,
        Conflict::Oldest => a < b,
    }
}

/// The record that has a contact of all that compete for it, in the words of the store; none where `conflict = "fail"` and there
/// are several.
pub fn heir(conflict: Conflict) -> Heir {
    match conflict {
        Conflict::Newest => Heir::Newest,
        Conflict::Oldest => Heir::Oldest,
        Conflict::Fail => Heir::Only,
    }
}

/// The error of a record that shares its contact under `conflict = "fail"`.
pub fn problem(email: &Email, others: Vec<RecordId>) -> Problem {
    let names: Vec<String> = others.iter().take(5).map(ToString::to_string).collect();
    Problem::new(
        ErrorClass::Invalid,
        format!(
            "{} other record(s) have the address {email}: {}",
            others.len(),
            names.join(", ")
        ),
    )
    .field("email")
    .remedy("give each record its own address, or set conflict = \"newest\" or \"oldest\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(record: &str, version: i64) -> Candidate {
        Candidate {
            record: record.into(),
            version,
            outcome: None,
            run: None,
        }
    }

    #[test]
    fn the_newest_wins_and_ties_go_by_id() {
        let others = [candidate("a", 5), candidate("c", 7)];
        assert_eq!(
            decide(Conflict::Newest, &"b".into(), 8, &others),
            Verdict::Wins
        );
        assert_eq!(
            decide(Conflict::Newest, &"b".into(), 6, &others),
            Verdict::Loses("c".into())
        );
        assert_eq!(
            decide(Conflict::Newest, &"b".into(), 7, &others),
            Verdict::Loses("c".into())
        );
        assert_eq!(
            decide(Conflict::Newest, &"d".into(), 7, &others),
            Verdict::Wins
        );
    }

    #[test]
    fn the_oldest_wins_where_asked_for() {
        let others = [candidate("a", 5), candidate("c", 7)];
        assert_eq!(
            decide(Conflict::Oldest, &"b".into(), 4, &others),
            Verdict::Wins
        );
        assert_eq!(
            decide(Conflict::Oldest, &"b".into(), 6, &others),
            Verdict::Loses("a".into())
        );
    }

    #[test]
    fn a_record_does_not_compete_with_its_own_older_version() {
        assert_eq!(
            decide(Conflict::Newest, &"a".into(), 5, &[candidate("a", 9)]),
            Verdict::Wins
        );
        assert_eq!(
            decide(Conflict::Fail, &"a".into(), 5, &[candidate("a", 9)]),
            Verdict::Wins
        );
        assert_eq!(
            decide(Conflict::Fail, &"a".into(), 5, &[candidate("b", 1)]),
            Verdict::Fails(vec!["b".into()])
        );
    }
}
