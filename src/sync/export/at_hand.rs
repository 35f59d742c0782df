//! The rows of imports that this process planned and did not send yet: what it has at hand need not be read back from the store,
//! decoded and written out again. Whatever is not here is read there, so nothing depends on it but time.

use crate::model::{Email, Fingerprint};
use crate::store::OutboxRow;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes that are kept at most: some imports' worth.
const BYTES: usize = 4 << 20;

/// A contact's row in an import, with nothing that goes along.
#[derive(Debug)]
pub struct Row {
    pub email: Email,
    pub fingerprint: Fingerprint,
    pub json: String,
}

/// The rows at hand.
#[derive(Debug, Default)]
pub struct AtHand {
    rows: Mutex<Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    of: HashMap<Email, (Fingerprint, String)>,
    bytes: usize,
}

impl AtHand {
    /// Keeps rows that were planned, as far as there is room. One for the same contact takes the place of an older one.
    pub fn put(&self, planned: Vec<Row>) {
        let mut rows = self.rows();
        for row in planned {
            if rows.bytes + row.json.len() > BYTES {
                return;
            }
            rows.bytes += row.json.len();
            if let Some((_, old)) = rows.of.insert(row.email, (row.fingerprint, row.json)) {
                rows.bytes -= old.len();
            }
        }
    }

    /// The import's row of a planned write.
    pub fn take(&self, row: &OutboxRow) -> Option<String> {
        if row.rides_json.is_some() {
            return None;
        }
        let mut rows = self.rows();
        let (fingerprint, json) = rows.of.remove(&row.email)?;
        rows.bytes -= json.len();
        (fingerprint == row.fingerprint).then_some(json)
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn planned(email: &str, values: &str) -> Row {
        Row {
            email: Email::parse(email).unwrap(),
            fingerprint: Fingerprint::of(values.as_bytes()),
            json: values.to_owned(),
        }
    }

    fn kept(row: &Row) -> OutboxRow {
        OutboxRow {
            email: row.email.clone(),
            record: "r".into(),
            version: 1,
            write_json: None,
            fingerprint: row.fingerprint.clone(),
            rides_json: None,
            size: 1,
            contact_id: None,
            contested: false,
        }
    }

    #[test]
    fn only_the_values_that_are_asked_for_are_given_and_only_once() {
        let rows = AtHand::default();
        let (old, new) = (planned("a@x.org", "old"), planned("a@x.org", "new"));
        let (asked, outdated) = (kept(&new), kept(&old));
        rows.put(vec![old, new]);
        assert_eq!(rows.take(&asked).as_deref(), Some("new"));
        assert_eq!(rows.take(&asked), None);
        rows.put(vec![planned("a@x.org", "new")]);
        assert_eq!(rows.take(&outdated), None);
    }

    #[test]
    fn what_goes_along_is_read_from_the_store() {
        let rows = AtHand::default();
        let row = planned("a@x.org", "values");
        let mut asked = kept(&row);
        asked.rides_json = Some("{}".to_owned());
        rows.put(vec![row]);
        assert_eq!(rows.take(&asked), None);
    }

    #[test]
    fn memory_is_bounded_and_room_comes_back() {
        let rows = AtHand::default();
        let long = "x".repeat(BYTES / 2);
        let all: Vec<Row> = ["a@x.org", "b@x.org", "c@x.org"]
            .map(|email| planned(email, &long))
            .into();
        let asked: Vec<OutboxRow> = all.iter().map(kept).collect();
        rows.put(all);
        assert!(rows.take(&asked[2]).is_none());
        assert!(rows.take(&asked[0]).is_some());
        rows.put(vec![planned("c@x.org", &long)]);
        assert!(rows.take(&asked[2]).is_some());
    }
}
