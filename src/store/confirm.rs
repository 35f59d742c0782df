//! The result of a batch: links, outcomes, counts, failures and the jobs that it resolves, in one transaction.

use super::batch_rows::{Span, head_and_run, move_to_end, recount};
use super::effects::{NO_OPEN_EFFECT, OPEN_EFFECT, RODE};
use super::enqueue::{NewAttempt, upsert};
use super::error::Result;
use super::failures::{FailedRecord, RESOLVED, fail};
use super::links::LINK_CONFLICT;
use super::outbox::Batch;
use super::replan::{CountsChange, supersede};
use super::rows::{OPEN, chunks, push_list};
use super::runs::{RunRow, Spent};
use super::states::STATE_CONFLICT;
use super::{BatchKind, Store};
use crate::model::view::Outcome;
use crate::model::{ContactId, Email, Problem};
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

/// What became of the contacts of a batch, or of some of them.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchResult {
    pub confirmed: Confirmed,
    /// Ids that were learnt of contacts of the batch.
    pub known: Vec<KnownContact>,
    /// Go to the queue with their reason.
    pub failed: Vec<FailedRow>,
    /// Refused by the import without a reason, or in need of a newer state: to be sent one by one.
    pub again: Vec<Email>,
    pub spent: Spent,
}

/// Which contacts hold what was sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Confirmed {
    /// All of the batch but those that failed or go again.
    Rest,
    /// These; the others stay with the batch, which is then to be read back.
    These(Vec<Email>),
}

/// A contact's id.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownContact {
    pub email: Email,
    pub contact_id: ContactId,
    /// True if this write made the contact.
    pub created: bool,
}

/// A contact that could not be written.
#[derive(Clone, Debug, PartialEq)]
pub struct FailedRow {
    pub email: Email,
    pub problem: Problem,
    pub attempt: NewAttempt,
}

impl Store {
    /// Settles a batch, as a whole or in part. Confirmed writes become links and leave the outbox, failed ones go to
    /// the queue, failed jobs of confirmed records are done. Returns the batch while rows are left; an import is
    /// then in [`super::BatchState::Confirming`].
    pub async fn settle_batch(&self, batch: i64, result: &BatchResult) -> Result<Option<Batch>> {
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin_hasty().await?;
        let (head, span, row) = head_and_run(&mut tx, batch).await?;
        let settling = Settling {
            head,
            span,
            row,
            now,
        };
        let mut change = CountsChange::default();
        settling.learn(&mut tx, &result.known).await?;
        for failed in &result.failed {
            settling.fail(&mut tx, failed, &mut change).await?;
        }
        for email in &result.again {
            settling.send_again(&mut tx, email, &mut change).await?;
        }
        let at_least = match &result.confirmed {
            Confirmed::Rest => 0,
            Confirmed::These(emails) => {
                settling.mark(&mut tx, emails).await?;
                1
            }
        };
        let mut writes = settling.confirm(&mut tx, at_least, &mut change).await?;
        change.push_write(&mut writes, &settling.head.run, &result.spent, now);
        // What is left of an import is read back.
        writes.push("UPDATE batches SET state = 'confirming' WHERE kind = 'import' AND id = ");
        writes.push_bind(batch).push(";\n");
        let left = recount(&mut tx, writes, batch).await?;
        self.commit(tx).await?;
        drop(writer);
        self.wrote(change.synced());
        if left > 0 {
            self.batch(batch).await
        } else {
            Ok(None)
        }
    }
}

/// Rows of a batch that are to be confirmed.
struct Chosen {
    /// By so many the run counts a record.
    counted: i64,
    /// Some carry the state of their record.
    states: bool,
    /// With some, effects went along.
    riding: bool,
    /// Somebody else wrote to the contact of one while it was on its way.
    overtaken: bool,
}

/// A batch while its result is written.
struct Settling {
    head: Batch,
    span: Span,
    row: RunRow,
    now: i64,
}

impl Settling {
    /// Appends the condition that a row is of this batch.
    fn push_own(&self, query: &mut QueryBuilder<Sqlite>) {
        query.push("run_id = ").push_bind(self.head.run.as_str());
        query.push(" AND kind = ").push_bind(self.head.kind.name());
        query.push(" AND id BETWEEN ").push_bind(self.span.0);
        query.push(" AND ").push_bind(self.span.1);
    }

    async fn learn(&self, tx: &mut SqliteConnection, known: &[KnownContact]) -> Result<()> {
        for chunk in chunks(known) {
            let mut query = QueryBuilder::new("WITH known (address, number, made) AS (");
            query.push_values(chunk, |mut values, contact| {
                values.push_bind(contact.email.as_str());
                values.push_bind(contact.contact_id.as_str());
                values.push_bind(i64::from(contact.created));
            });
            query.push(
                ") UPDATE outbox SET contact_id = number, created = made FROM known WHERE email = address AND ",
            );
            self.push_own(&mut query);
            query.build().execute(&mut *tx).await?;
        }
        Ok(())
    }

    async fn fail(
        &self,
        tx: &mut SqliteConnection,
        failed: &FailedRow,
        change: &mut CountsChange,
    ) -> Result<()> {
        let mut query = QueryBuilder::new("DELETE FROM outbox WHERE email = ");
        query.push_bind(failed.email.as_str()).push(" AND ");
        self.push_own(&mut query);
        query.push(" RETURNING record_id, contact_id, replanned");
        let Some(gone) = query.build().fetch_optional(&mut *tx).await? else {
            return Ok(());
        };
        let record = FailedRecord {
            record: gone.try_get::<String, _>(0)?.into(),
            email: Some(failed.email.clone()),
            contact_id: gone.try_get::<Option<String>, _>(1)?.map(Into::into),
            problem: failed.problem.clone(),
            attempt: failed.attempt.clone(),
        };
        let records = std::slice::from_ref(&record);
        fail(tx, &self.head.run, &self.row, records, self.now).await?;
        if gone.try_get::<i64, _>(2)? != 0 {
            return Ok(());
        }
        change.add(Outcome::Failed.name(), 1);
        sqlx::query(
            "UPDATE records SET run_outcome = 'failed', outcome = 'failed', holds = 0
             WHERE connection = $1 AND mapping = $2 AND record_id = $3 AND run_id = $4",
        )
        .bind(self.row.connection.as_str())
        .bind(self.row.mapping.as_str())
        .bind(record.record.as_str())
        .bind(self.head.run.as_str())
        .execute(tx)
        .await?;
        Ok(())
    }

    /// Back to the writes that wait, unless a newer one for the contact waits there.
    async fn send_again(
        &self,
        tx: &mut SqliteConnection,
        email: &Email,
        change: &mut CountsChange,
    ) -> Result<()> {
        let mut query =
            QueryBuilder::new("SELECT id, record_id, replanned FROM outbox WHERE email = ");
        query.push_bind(email.as_str()).push(" AND ");
        self.push_own(&mut query);
        let Some(own) = query.build().fetch_optional(&mut *tx).await? else {
            return Ok(());
        };
        let id: i64 = own.try_get(0)?;
        let newer: Option<String> = sqlx::query_scalar(
            "SELECT record_id FROM outbox WHERE email = $1 AND run_id = $2
                 AND id > CASE kind WHEN 'import' THEN $3 ELSE $4 END LIMIT 1",
        )
        .bind(email.as_str())
        .bind(self.head.run.as_str())
        .bind(self.row.taken(BatchKind::Import))
        .bind(self.row.taken(BatchKind::Single))
        .fetch_optional(&mut *tx)
        .await?;
        let Some(newer) = newer else {
            return move_to_end(tx, id, BatchKind::Single).await;
        };
        if own.try_get::<i64, _>(2)? == 0 {
            let record = own.try_get(1)?;
            supersede(
                tx,
                &self.head.run,
                &self.row,
                record,
                Some(&newer),
                self.now,
            )
            .await?;
            change.add(Outcome::Superseded.name(), 1);
        }
        sqlx::query("DELETE FROM outbox WHERE id = $1")
            .bind(id)
            .execute(tx)
            .await?;
        Ok(())
    }

    async fn mark(&self, tx: &mut SqliteConnection, emails: &[Email]) -> Result<()> {
        for chunk in chunks(emails) {
            let mut query = QueryBuilder::new("UPDATE outbox SET confirmed = 1 WHERE email IN ");
            push_list(&mut query, chunk.iter().map(Email::as_str));
            query.push(" AND ");
            self.push_own(&mut query);
            query.build().execute(&mut *tx).await?;
        }
        Ok(())
    }

    /// Rows whose mark is at least this become links; those by which the run counts a record are counted synced. Answers the
    /// statements for that.
    async fn confirm(
        &self,
        tx: &mut SqliteConnection,
        at_least: i64,
        change: &mut CountsChange,
    ) -> Result<QueryBuilder<Sqlite>> {
        let chosen = self.chosen(tx, at_least).await?;
        if chosen.overtaken {
            self.send_overtaken(tx, at_least).await?;
        }
        change.add(Outcome::Synced.name(), chosen.counted);
        let mut writes = QueryBuilder::default();
        self.push_links(&mut writes, at_least);
        if chosen.states {
            self.push_states(&mut writes, at_least);
        }
        if chosen.riding {
            self.push_ridden(&mut writes, at_least);
        }
        if self.row.unresolved {
            self.push_resolved(&mut writes, at_least);
        }
        writes.push("DELETE ");
        self.push_chosen(&mut writes, at_least);
        writes.push(";\n");
        Ok(writes)
    }

    /// What is known of the rows that are to be confirmed, before anything is written.
    async fn chosen(&self, tx: &mut SqliteConnection, at_least: i64) -> Result<Chosen> {
        let mut query = QueryBuilder::new(
            "SELECT coalesce(sum(1 - replanned), 0), count(properties) > 0, count(rides) > 0, EXISTS (SELECT 1 ",
        );
        self.push_overtaken(&mut query, at_least);
        query.push(") ");
        self.push_chosen(&mut query, at_least);
        let row = query.build().fetch_one(tx).await?;
        Ok(Chosen {
            counted: row.try_get(0)?,
            states: row.try_get(1)?,
            riding: row.try_get::<bool, _>(2)? && self.head.kind == BatchKind::Import,
            overtaken: row.try_get(3)?,
        })
    }

    fn push_links(&self, query: &mut QueryBuilder<Sqlite>, at_least: i64) {
        query.push(
            "INSERT INTO links (connection, mapping, email, contact_id, record_id, version, fingerprint, write,
                 created_by_us, confirmed_at)
             SELECT connection, mapping, email, contact_id, record_id, version, fingerprint, write, created, ",
        );
        query.push_bind(self.now).push(" ");
        self.push_chosen(query, at_least);
        query.push(" ").push(LINK_CONFLICT).push(";\n");
    }

    /// The properties that were planned with the writes are the confirmed states of their records.
    fn push_states(&self, query: &mut QueryBuilder<Sqlite>, at_least: i64) {
        query.push(
            "INSERT INTO confirmed_states (connection, mapping, record_id, version, properties)
             SELECT connection, mapping, record_id, version, properties ",
        );
        self.push_chosen(query, at_least);
        query.push(" AND properties IS NOT NULL ");
        query.push(STATE_CONFLICT).push(";\n");
    }

    /// The effects that went along in an import are done with it.
    fn push_ridden(&self, query: &mut QueryBuilder<Sqlite>, at_least: i64) {
        query.push(format!("UPDATE effects SET {RODE}, updated_at = "));
        query.push_bind(self.now);
        query.push(format!(" WHERE {OPEN_EFFECT} AND state = 'planned'"));
        self.push_of_records(query, at_least);
        query.push(" AND rides IS NOT NULL AND replanned = 0);\n");
    }

    /// The failed jobs of the records are done.
    fn push_resolved(&self, query: &mut QueryBuilder<Sqlite>, at_least: i64) {
        query.push("UPDATE jobs SET updated_at = ");
        query.push_bind(self.now);
        query.push(format!(
            ", {RESOLVED} WHERE {OPEN} AND state IN ('failed', 'unknown') AND {NO_OPEN_EFFECT}"
        ));
        self.push_of_records(query, at_least);
        query.push(");\n");
    }

    /// Appends the condition that a row is of one of the records, up to the closing bracket.
    fn push_of_records(&self, query: &mut QueryBuilder<Sqlite>, at_least: i64) {
        query.push(" AND connection = ");
        query.push_bind(self.row.connection.as_str());
        query.push(" AND mapping = ");
        query.push_bind(self.row.mapping.as_str());
        query.push(" AND record_id IN (SELECT record_id ");
        self.push_chosen(query, at_least);
    }

    /// Contacts that somebody else wrote while this batch was on its way: the batch may have come last, so the record that
    /// was written in between is synced once more.
    async fn send_overtaken(&self, tx: &mut SqliteConnection, at_least: i64) -> Result<()> {
        let mut query = QueryBuilder::new("SELECT record_id ");
        self.push_overtaken(&mut query, at_least);
        let records: Vec<String> = query.build_query_scalar().fetch_all(&mut *tx).await?;
        for record in records {
            let job = self.row.job(&self.head.run, record.into());
            upsert(tx, &job, self.now).await?;
        }
        Ok(())
    }

    fn push_overtaken(&self, query: &mut QueryBuilder<Sqlite>, at_least: i64) {
        query.push("FROM links WHERE connection = ");
        query.push_bind(self.row.connection.as_str());
        query
            .push(" AND mapping = ")
            .push_bind(self.row.mapping.as_str());
        query
            .push(" AND confirmed_at > ")
            .push_bind(self.head.sent_at.as_microsecond());
        query.push(" AND email IN (SELECT email ");
        self.push_chosen(query, at_least);
        query.push(")");
    }

    fn push_chosen(&self, query: &mut QueryBuilder<Sqlite>, at_least: i64) {
        query.push("FROM outbox WHERE ");
        self.push_own(query);
        query.push(" AND confirmed >= ").push_bind(at_least);
    }
}
