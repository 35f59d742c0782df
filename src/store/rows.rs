//! Between rows and the model's types, and statements over many rows.

use super::error::{Result, StoreError};
use crate::model::export::{ExportCounts, RequestCounts, Run, RunState};
use crate::model::job::{JobContact, JobEnd};
use crate::model::view::Outcome;
use crate::model::{
    Email, ErrorClass, Job, JobState, Problem, RunId, Trigger, WaitReason, Waiting,
};
use jiff::Timestamp;
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Serialize};
use sqlx::query_builder::Separated;
use sqlx::sqlite::SqliteRow;
use sqlx::{Encode, QueryBuilder, Row, Sqlite, Type};

/// True for the states in which a job stands for its record; the text is that of the index `jobs_open`.
pub(super) const OPEN: &str = "state NOT IN ('done', 'discarded')";

/// Longest request or response that an attempt or an effect keeps, in bytes.
const WIRE_LIMIT: usize = 4096;

/// Rows of one statement at most: the pages that an export plans together, or an import. A statement costs a wake-up of SQLite's thread.
const ROWS: usize = 500;

/// Above this many rows a table is filled up to a multiple of it, below to a power of two: so the texts are few and SQLite has
/// them prepared. Preparing costs as much as running.
const STEP: usize = 64;

/// The items in pieces for one statement each.
pub(super) fn chunks<T>(items: &[T]) -> impl Iterator<Item = &[T]> {
    items.chunks(ROWS)
}

/// Appends `(value, …)`.
pub(super) fn push_list<'a, T: Encode<'a, Sqlite> + Type<Sqlite>>(
    query: &mut QueryBuilder<Sqlite>,
    values: impl IntoIterator<Item = T>,
) {
    query.push("(");
    let mut list = query.separated(", ");
    for value in values {
        list.push_bind(value);
    }
    query.push(")");
}

/// Appends `WITH name (columns) AS (VALUES …)` with a row of each item. Rows of NULL may follow, which what comes behind is to
/// leave out.
pub(super) fn push_table<'a, T>(
    query: &mut QueryBuilder<Sqlite>,
    name: &str,
    columns: &[&str],
    items: &'a [T],
    mut push: impl FnMut(&mut Separated<'_, Sqlite, &'static str>, &'a T),
) {
    let length = match items.len() {
        few @ ..STEP => few.next_power_of_two(),
        many => many.next_multiple_of(STEP),
    };
    let fill = std::iter::repeat_n(None, length - items.len());
    let rows = items.iter().map(Some).chain(fill);
    query.push(format!("WITH {name} ({}) AS (", columns.join(", ")));
    query.push_values(rows, |mut values, item| match item {
        Some(item) => push(&mut values, item),
        None => {
            for _ in columns {
                values.push_bind(None::<&str>);
            }
        }
    });
    query.push(") ");
}

/// The columns that [`job`] reads, in its order.
pub(super) const JOB: &str = "id, connection, mapping, object, record_id, contact_id, email, state, wait_reason, wait_until, wait_by, \
     trigger_kind, run_id, attempts, error_class, error_status, error_field, error_message, error_remedy, \
     error_request, created_at, updated_at, end_outcome, end_why";

/// A job from a row that begins with [`JOB`].
pub(super) fn job(row: &SqliteRow) -> Result<Job> {
    let state: &str = row.try_get(7)?;
    let waiting = match row.try_get::<Option<&str>, _>(8)? {
        None => None,
        Some(reason) => Some(Waiting {
            reason: WaitReason::from_name(reason)
                .ok_or_else(|| unreadable("wait reason", reason))?,
            until: row.try_get::<Option<i64>, _>(9)?.map(time).transpose()?,
            by: row.try_get::<Option<String>, _>(10)?.unwrap_or_default(),
        }),
    };
    let error = match row.try_get::<Option<&str>, _>(14)? {
        None => None,
        Some(class) => Some(Problem {
            class: ErrorClass::from_name(class).ok_or_else(|| unreadable("error class", class))?,
            status: row.try_get(15)?,
            field: row.try_get(16)?,
            message: row.try_get::<Option<String>, _>(17)?.unwrap_or_default(),
            remedy: row.try_get(18)?,
            request_id: row.try_get(19)?,
        }),
    };
    Ok(Job {
        id: row.try_get::<String, _>(0)?.into(),
        connection: row.try_get::<String, _>(1)?.into(),
        mapping: row.try_get::<String, _>(2)?.into(),
        object: row.try_get::<String, _>(3)?.into(),
        record: row.try_get::<String, _>(4)?.into(),
        contact: JobContact {
            id: row.try_get::<Option<String>, _>(5)?.map(Into::into),
            email: row.try_get::<Option<&str>, _>(6)?.map(email).transpose()?,
        },
        state: JobState::from_name(state).ok_or_else(|| unreadable("job state", state))?,
        waiting,
        trigger: trigger(row.try_get(11)?, row.try_get(12)?),
        attempts: row.try_get(13)?,
        error,
        ended: ended(row)?,
        created_at: time(row.try_get(20)?)?,
        updated_at: time(row.try_get(21)?)?,
    })
}

fn ended(row: &SqliteRow) -> Result<Option<JobEnd>> {
    let name: Option<&str> = row.try_get(22)?;
    let Some(outcome) = name.map(outcome).transpose()?.flatten() else {
        return Ok(None);
    };
    let why = row.try_get(23)?;
    Ok(Some(JobEnd { outcome, why }))
}

/// The kind of a trigger, as filters and the store name it.
pub(super) fn trigger_kind(trigger: &Trigger) -> &'static str {
    crate::model::filter::TriggerKind::of(trigger).name()
}

/// The run of a trigger.
pub(super) fn trigger_run(trigger: &Trigger) -> Option<&str> {
    match trigger {
        Trigger::Export(run) => Some(run.as_str()),
        _ => None,
    }
}

fn trigger(kind: &str, run: Option<&str>) -> Trigger {
    match run {
        Some(run) if kind == "export" => Trigger::Export(RunId::from(run)),
        _ => Trigger::from(kind.to_owned()),
    }
}

/// The columns that [`run`] reads, in its order.
pub(super) const RUN: &str = "id, mapping, connection, state, options, seen, unchanged, synced, superseded, skipped, failed, total, \
     (SELECT coalesce(sum(pending), 0) FROM batches WHERE batches.run_id = runs.id), highlevel, activecampaign, throttled, checkpoint, error, started_at, updated_at, ended_at, elapsed";

/// A run from a row that begins with [`RUN`].
pub(super) fn run(row: &SqliteRow) -> Result<Run> {
    let state: &str = row.try_get(3)?;
    Ok(Run {
        id: row.try_get::<String, _>(0)?.into(),
        mapping: row.try_get::<String, _>(1)?.into(),
        connection: row.try_get::<String, _>(2)?.into(),
        state: RunState::from_name(state).ok_or_else(|| unreadable("run state", state))?,
        options: from_json("run option", row.try_get(4)?)?,
        counts: ExportCounts {
            read: count(row, 5)?,
            unchanged: count(row, 6)?,
            synced: count(row, 7)?,
            superseded: count(row, 8)?,
            skipped: count(row, 9)?,
            failed: count(row, 10)?,
        },
        total: row
            .try_get::<Option<i64>, _>(11)?
            .map(|total| total.unsigned_abs()),
        sent: count(row, 12)?,
        requests: RequestCounts {
            highlevel: count(row, 13)?,
            activecampaign: count(row, 14)?,
        },
        throttled: count(row, 15)?,
        checkpoint: row.try_get(16)?,
        waiting: None,
        error: row
            .try_get::<Option<&str>, _>(17)?
            .map(|text| from_json("error", text))
            .transpose()?,
        started_at: time(row.try_get(18)?)?,
        updated_at: time(row.try_get(19)?)?,
        ended_at: row.try_get::<Option<i64>, _>(20)?.map(time).transpose()?,
        elapsed_ms: count(row, 21)? / 1000,
    })
}

/// A count that the schema keeps from falling below zero.
pub(super) fn count(row: &SqliteRow, index: usize) -> Result<u64> {
    Ok(u64::try_from(row.try_get::<i64, _>(index)?).unwrap_or(0))
}

/// A number as SQLite keeps it.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A time from its microseconds.
pub(super) fn time(micros: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(micros).map_err(|_| unreadable("time", &micros.to_string()))
}

/// An address that was checked before it was stored: it is not checked again.
pub(super) fn email(text: &str) -> Result<Email> {
    let text: StrDeserializer<'_, serde::de::value::Error> = text.into_deserializer();
    Email::deserialize(text).map_err(|error| unreadable("e-mail address", &error.to_string()))
}

/// The outcome of a name; a record that a run planned to send has none.
pub(super) fn outcome(name: &str) -> Result<Option<Outcome>> {
    if name == SENT {
        return Ok(None);
    }
    Outcome::from_name(name)
        .map(Some)
        .ok_or_else(|| unreadable("outcome", name))
}

/// The outcome of a record whose write was planned by a run; when it is confirmed the record is not touched again.
pub(super) const SENT: &str = "sent";

/// JSON text of a value.
pub fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| unreadable("value", &error.to_string()))
}

/// The value of a JSON text.
pub(super) fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|_| unreadable(what, text))
}

/// What is kept of a request or a response.
pub(super) fn wire(text: &Option<String>) -> Option<String> {
    let text = text.as_deref()?;
    Some(bounded(text, WIRE_LIMIT).to_owned())
}

/// At most `max` bytes of a text, cut between characters.
pub(super) fn bounded(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

pub(super) fn unreadable(what: &'static str, value: &str) -> StoreError {
    StoreError::Unreadable {
        what,
        value: bounded(value, 200).to_owned(),
    }
}
