//! The ledger of effects (sync.md, promise 3): planned with the plan, marked before their request leaves, ended with its
//! answer. Whatever happens in between, the row says what must be found out before anything is sent again.

use super::Store;
use super::error::Result;
use super::rows::{chunks, from_json, push_list, time, to_json, unreadable, wire};
use crate::model::{
    Act, Action, ConnectionName, ContactId, Effect, EffectState, Job, MappingName, Problem,
    RecordId,
};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, QueryBuilder, Row, SqliteConnection};
use std::collections::HashMap;

/// The states in which an effect keeps its job from being done; the text is that of the index `effects_open`.
pub(super) const OPEN_EFFECT: &str = "state IN ('planned', 'sending', 'failed', 'unknown')";

/// The condition that a row of `jobs` has no open effect.
pub(super) const NO_OPEN_EFFECT: &str =
    "NOT EXISTS (SELECT 1 FROM effects WHERE effects.connection = jobs.connection
     AND effects.mapping = jobs.mapping AND effects.record_id = jobs.record_id
     AND effects.state IN ('planned', 'sending', 'failed', 'unknown'))";

/// The version that stands for "never confirmed".
pub const NEVER: i64 = -1;

/// What the rules want of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectPlan {
    pub record: RecordId,
    /// Microseconds of the record's `updated_at`.
    pub version: i64,
    /// What turned true since the state that was last confirmed.
    pub fires: Vec<TurnPlan>,
    /// What turned true earlier, is not over and still holds.
    pub open: Vec<TurnPlan>,
}

/// A rule whose condition turned true.
#[derive(Clone, Debug, PartialEq)]
pub struct TurnPlan {
    pub rule: String,
    pub from: TurnedFrom,
    pub acts: Vec<Act>,
}

/// The confirmed state that a condition turned from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TurnedFrom {
    /// Its version; [`NEVER`] for none.
    pub version: i64,
    /// The record's properties then, as JSON.
    pub properties_json: Option<String>,
}

impl EffectPlan {
    fn turns(&self) -> impl Iterator<Item = &TurnPlan> {
        self.open.iter().chain(&self.fires)
    }

    fn wants(&self, effect: &OpenEffect) -> bool {
        self.turns().any(|turn| {
            turn.rule == effect.rule
                && turn.from.version == effect.from.version
                && turn.acts.contains(&effect.act)
        })
    }
}

/// An effect that is not over.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenEffect {
    pub id: i64,
    pub record: RecordId,
    pub rule: String,
    pub from: TurnedFrom,
    pub act: Act,
    pub state: EffectState,
    /// The record's version in which the condition was first seen true.
    pub version: i64,
    /// The contact it was sent to.
    pub contact_id: Option<ContactId>,
    /// What stood there before it was sent.
    pub known: Vec<String>,
    /// When its request left, or was last seen to have failed.
    pub sent_at: Option<Timestamp>,
}

/// How an effect came to its end, for now or for good.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectEnd {
    pub state: EffectState,
    pub error: Option<Problem>,
    /// Redacted; what exceeds 4 KiB is cut off.
    pub request: Option<String>,
    /// Redacted; what exceeds 4 KiB is cut off.
    pub response: Option<String>,
}

const OPEN_ROW: &str = "seq, record_id, rule, action, target, state, version, contact_id, known, sent_at, turned_from, previous";

impl Store {
    /// The effects of these records that are not over, in the order in which they are done.
    pub async fn open_effects_of(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        records: &[RecordId],
    ) -> Result<HashMap<RecordId, Vec<OpenEffect>>> {
        let mut reader = self.readers().acquire().await?;
        let mut found: HashMap<RecordId, Vec<OpenEffect>> = HashMap::new();
        for chunk in chunks(records) {
            let mut query = QueryBuilder::new(format!(
                "SELECT {OPEN_ROW} FROM effects WHERE {OPEN_EFFECT} AND connection = "
            ));
            query.push_bind(connection.as_str());
            query.push(" AND mapping = ").push_bind(mapping.as_str());
            query.push(" AND record_id IN ");
            push_list(&mut query, chunk.iter().map(RecordId::as_str));
            query.push(" ORDER BY seq");
            for row in query.build().fetch_all(&mut *reader).await? {
                let effect = open_effect(&row)?;
                found.entry(effect.record.clone()).or_default().push(effect);
            }
        }
        Ok(found)
    }

    /// A record's effects that are not over, in the order in which they are done.
    pub async fn open_effects(
        &self,
        connection: &ConnectionName,
        mapping: &MappingName,
        record: &RecordId,
    ) -> Result<Vec<OpenEffect>> {
        let mut reader = self.readers().acquire().await?;
        open_of(&mut reader, connection, mapping, record).await
    }

    /// Brings a record's effects in line with what its rules want now, for a running job, before its contact is written: a
    /// rule that fires plans its acts; what was planned or failed and is no longer wanted is obsolete. Answers what is to
    /// be done; `None` if the job is no longer this worker's.
    pub async fn plan_effects(
        &self,
        claimed: &Job,
        epoch: i64,
        plan: &EffectPlan,
    ) -> Result<Option<Vec<OpenEffect>>> {
        let mut planned = self.plan_effects_of(&[(claimed, epoch, plan)]).await?;
        Ok(planned.pop().flatten())
    }

    /// As [`Store::plan_effects`], for many running jobs in one transaction; the answers stand in their order.
    pub async fn plan_effects_of(
        &self,
        jobs: &[(&Job, i64, &EffectPlan)],
    ) -> Result<Vec<Option<Vec<OpenEffect>>>> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let mut planned = Vec::with_capacity(jobs.len());
        for (claimed, epoch, plan) in jobs {
            planned.push(plan_of_job(&mut tx, claimed, *epoch, plan, now).await?);
        }
        self.commit(tx).await?;
        Ok(planned)
    }

    /// Marks an effect whose request is about to leave. The answer is the moment of it, which ends it (see
    /// [`Store::effect_ended`]); `None` if somebody else has it, or the job (with its epoch) is no longer this worker's: then
    /// nothing may be sent.
    pub async fn effect_sending(
        &self,
        effect: &OpenEffect,
        job: Option<(&Job, i64)>,
        contact: &ContactId,
        known: &[String],
    ) -> Result<Option<Timestamp>> {
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let marked = sqlx::query(
            "UPDATE effects SET state = 'sending', contact_id = $1, known = $2, sent_at = $3, updated_at = $3,
                 request = NULL, response = NULL, error = NULL
             WHERE seq = $4 AND state IN ('planned', 'failed')
                 AND ($5 IS NULL OR EXISTS (SELECT 1 FROM jobs WHERE id = $5 AND epoch = $6 AND state = 'running'))",
        )
        .bind(contact.as_str())
        .bind(to_json(&known)?)
        .bind(now)
        .bind(effect.id)
        .bind(job.map(|(job, _)| job.id.as_str()))
        .bind(job.map(|(_, epoch)| epoch))
        .execute(&mut *tx)
        .await?
        .rows_affected();
        self.commit(tx).await?;
        if marked == 0 {
            return Ok(None);
        }
        Ok(Some(time(now)?))
    }

    /// Writes down how an effect ended, if it still stands as it was when `sent_at` was its moment (`None`: not sent). An
    /// end in `Sending` says that its request may have arrived: it is read back from now on. An end in `Planned` says that
    /// it surely did not.
    pub async fn effect_ended(
        &self,
        effect: i64,
        sent_at: Option<Timestamp>,
        end: &EffectEnd,
    ) -> Result<()> {
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        sqlx::query(AssertSqlSafe(format!(
            "UPDATE effects SET state = $1, error = $2, request = coalesce($3, request), response = coalesce($4, response),
                 updated_at = $5, previous = CASE $1 WHEN 'done' THEN NULL ELSE previous END,
                 sent_at = CASE $1 WHEN 'sending' THEN $5 WHEN 'planned' THEN NULL WHEN 'failed' THEN NULL ELSE sent_at END
             WHERE seq = $6 AND {OPEN_EFFECT} AND sent_at IS NOT DISTINCT FROM $7"
        )))
        .bind(end.state.name())
        .bind(end.error.as_ref().map(to_json).transpose()?)
        .bind(wire(&end.request))
        .bind(wire(&end.response))
        .bind(now)
        .bind(effect)
        .bind(sent_at.map(Timestamp::as_microsecond))
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await
    }

    /// The effects that a job planned or worked on, and those that still wait for it, in order.
    pub async fn effects_of_job(&self, job: &Job) -> Result<Vec<Effect>> {
        sqlx::query(
            "SELECT rule, action, target, state, contact_id, error, request, response, updated_at FROM effects
             WHERE connection = $1 AND mapping = $2 AND record_id = $3
                 AND (job_id = $4 OR (state IN ('planned', 'sending', 'failed', 'unknown')
                     AND EXISTS (SELECT 1 FROM jobs WHERE id = $4 AND jobs.state NOT IN ('done', 'discarded'))))
             ORDER BY seq",
        )
        .bind(job.connection.as_str())
        .bind(job.mapping.as_str())
        .bind(job.record.as_str())
        .bind(job.id.as_str())
        .fetch_all(self.readers())
        .await?
        .iter()
        .map(|row| {
            Ok(Effect {
                rule: row.try_get(0)?,
                act: act(row.try_get(1)?, row.try_get(2)?)?,
                state: state(row.try_get(3)?)?,
                contact_id: row.try_get::<Option<String>, _>(4)?.map(Into::into),
                error: row
                    .try_get::<Option<&str>, _>(5)?
                    .map(|text| from_json("error", text))
                    .transpose()?,
                request: row.try_get(6)?,
                response: row.try_get(7)?,
                updated_at: time(row.try_get(8)?)?,
            })
        })
        .collect()
    }
}

/// True if a worker has the job by this claim.
pub(super) async fn is_held(tx: &mut SqliteConnection, claimed: &Job, epoch: i64) -> Result<bool> {
    let held: Option<i64> = sqlx::query_scalar(
        "SELECT seq FROM jobs WHERE id = $1 AND epoch = $2 AND state = 'running'",
    )
    .bind(claimed.id.as_str())
    .bind(epoch)
    .fetch_optional(tx)
    .await?;
    Ok(held.is_some())
}

/// Plans the effects of one running job; `None` if it is no longer this worker's.
async fn plan_of_job(
    tx: &mut SqliteConnection,
    claimed: &Job,
    epoch: i64,
    plan: &EffectPlan,
    now: i64,
) -> Result<Option<Vec<OpenEffect>>> {
    let (connection, mapping) = (&claimed.connection, &claimed.mapping);
    if !is_held(&mut *tx, claimed, epoch).await? {
        return Ok(None);
    }
    plan_in(tx, connection, mapping, plan, now).await?;
    sqlx::query(AssertSqlSafe(format!(
        "UPDATE effects SET job_id = $1
             WHERE {OPEN_EFFECT} AND connection = $2 AND mapping = $3 AND record_id = $4"
    )))
    .bind(claimed.id.as_str())
    .bind(connection.as_str())
    .bind(mapping.as_str())
    .bind(plan.record.as_str())
    .execute(&mut *tx)
    .await?;
    let open = open_of(tx, connection, mapping, &plan.record).await?;
    Ok(Some(open))
}

/// As [`Store::plan_effects`], within a transaction.
pub(super) async fn plan_in(
    tx: &mut SqliteConnection,
    connection: &ConnectionName,
    mapping: &MappingName,
    plan: &EffectPlan,
    now: i64,
) -> Result<()> {
    for effect in open_of(tx, connection, mapping, &plan.record).await? {
        if matches!(effect.state, EffectState::Planned | EffectState::Failed)
            && !plan.wants(&effect)
        {
            sqlx::query("UPDATE effects SET state = 'obsolete', updated_at = $1 WHERE seq = $2")
                .bind(now)
                .bind(effect.id)
                .execute(&mut *tx)
                .await?;
        }
    }
    // What a rule does now is done for earlier turns, too, even if it said something else then. An effect that was obsolete
    // before it was ever sent is wanted again.
    for turn in plan.turns() {
        for act in &turn.acts {
            sqlx::query(
                "INSERT INTO effects (connection, mapping, record_id, rule, turned_from, previous, version, action, target,
                     state, created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'planned', $10, $10)
                 ON CONFLICT (connection, mapping, record_id, rule, turned_from, action, target) DO UPDATE SET
                     state = 'planned', version = excluded.version, error = NULL, updated_at = excluded.updated_at
                 WHERE effects.state = 'obsolete' AND effects.sent_at IS NULL",
            )
            .bind(connection.as_str())
            .bind(mapping.as_str())
            .bind(plan.record.as_str())
            .bind(&turn.rule)
            .bind(turn.from.version)
            .bind(turn.from.properties_json.as_deref())
            .bind(plan.version)
            .bind(act.action.name())
            .bind(&act.target)
            .bind(now)
            .execute(&mut *tx)
            .await?;
        }
    }
    Ok(())
}

/// The assignments of an effect that went along in an import, beside `updated_at`.
pub(super) const RODE: &str = "state = 'done', response = 'went along in an import', error = NULL";

/// The effects of a job's record that were planned went along with its values in an import: they are done with it.
pub(super) async fn end_riding(tx: &mut SqliteConnection, job: &Job, now: i64) -> Result<()> {
    sqlx::query(AssertSqlSafe(format!(
        "UPDATE effects SET {RODE}, updated_at = $1
         WHERE {OPEN_EFFECT} AND state = 'planned' AND connection = $2 AND mapping = $3 AND record_id = $4"
    )))
    .bind(now)
    .bind(job.connection.as_str())
    .bind(job.mapping.as_str())
    .bind(job.record.as_str())
    .execute(tx)
    .await?;
    Ok(())
}

/// A record that does not have its contact, or no longer: what was not sent for it is obsolete, what may have been sent is
/// not known.
pub(super) async fn void(
    tx: &mut SqliteConnection,
    connection: &str,
    mapping: &str,
    record: &str,
    now: i64,
) -> Result<()> {
    sqlx::query(AssertSqlSafe(format!(
        "UPDATE effects SET state = CASE state WHEN 'sending' THEN 'unknown' ELSE 'obsolete' END, updated_at = $1
         WHERE {OPEN_EFFECT} AND connection = $2 AND mapping = $3 AND record_id = $4 AND state <> 'unknown'"
    )))
    .bind(now)
    .bind(connection)
    .bind(mapping)
    .bind(record)
    .execute(tx)
    .await?;
    Ok(())
}

/// The first effect of a record that is not over.
pub(super) async fn first_open(tx: &mut SqliteConnection, job: &Job) -> Result<Option<OpenEffect>> {
    let open = open_of(tx, &job.connection, &job.mapping, &job.record).await?;
    Ok(open.into_iter().next())
}

/// True if a mapping has any effect that is not over: usually not, and then its records need no look.
pub(super) async fn any_open(
    tx: &mut SqliteConnection,
    connection: &str,
    mapping: &str,
) -> Result<bool> {
    let found: Option<i64> = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT 1 FROM effects WHERE {OPEN_EFFECT} AND connection = $1 AND mapping = $2 LIMIT 1"
    )))
    .bind(connection)
    .bind(mapping)
    .fetch_optional(tx)
    .await?;
    Ok(found.is_some())
}

async fn open_of(
    reader: &mut SqliteConnection,
    connection: &ConnectionName,
    mapping: &MappingName,
    record: &RecordId,
) -> Result<Vec<OpenEffect>> {
    sqlx::query(AssertSqlSafe(format!(
        "SELECT {OPEN_ROW} FROM effects
         WHERE {OPEN_EFFECT} AND connection = $1 AND mapping = $2 AND record_id = $3 ORDER BY seq"
    )))
    .bind(connection.as_str())
    .bind(mapping.as_str())
    .bind(record.as_str())
    .fetch_all(reader)
    .await?
    .iter()
    .map(open_effect)
    .collect()
}

fn open_effect(row: &SqliteRow) -> Result<OpenEffect> {
    Ok(OpenEffect {
        id: row.try_get(0)?,
        record: row.try_get::<String, _>(1)?.into(),
        rule: row.try_get(2)?,
        from: TurnedFrom {
            version: row.try_get(10)?,
            properties_json: row.try_get(11)?,
        },
        act: act(row.try_get(3)?, row.try_get(4)?)?,
        state: state(row.try_get(5)?)?,
        version: row.try_get(6)?,
        contact_id: row.try_get::<Option<String>, _>(7)?.map(Into::into),
        known: row
            .try_get::<Option<&str>, _>(8)?
            .map(|text| from_json("list of ids", text))
            .transpose()?
            .unwrap_or_default(),
        sent_at: row.try_get::<Option<i64>, _>(9)?.map(time).transpose()?,
    })
}

fn act(name: &str, target: String) -> Result<Act> {
    let action = action(name)?;
    Ok(Act { action, target })
}

pub(super) fn action(name: &str) -> Result<Action> {
    Action::from_name(name).ok_or_else(|| unreadable("action", name))
}

fn state(name: &str) -> Result<EffectState> {
    EffectState::from_name(name).ok_or_else(|| unreadable("effect state", name))
}
