//! The result of a batch: links, outcomes, counts, failures and the jobs that it resolves, in one transaction.

use super::Store;
use super::enqueue::{FailedRecord, NewAttempt, RESOLVED, any_unresolved, fail};
use super::error::Result;
use super::links::LINK_CONFLICT;
use super::outbox::{Batch, missing, recount};
use super::plan::CountsChange;
use super::rows::{OPEN, chunks, push_list};
use super::runs::{RunRow, Spent, run_row};
use crate::model::{ContactId, Email, Problem, RunId};
use sqlx::{AssertSqlSafe, QueryBuilder, Row, SqliteConnection};

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
        let mut tx = writer.begin_unsynced().await?;
        let run = sqlx::query("SELECT run_id FROM batches WHERE id = $1")
            .bind(batch)
            .fetch_optional(&mut *tx)
            .await?
            .ok_or_else(|| missing(batch))?;
        let run = RunId::from(run.try_get::<String, _>(0)?);
        let row = run_row(&mut tx, &run).await?;
        let settling = Settling {
            batch,
            run,
            row,
            now,
        };
        let mut change = CountsChange::default();
        settling.learn(&mut tx, &result.known).await?;
        for failed in &result.failed {
            settling.fail(&mut tx, failed, &mut change).await?;
        }
        for email in &result.again {
            settling.send_again(&mut tx, email).await?;
        }
        let at_least = match &result.confirmed {
            Confirmed::Rest => 0,
            Confirmed::These(emails) => {
                settling.mark(&mut tx, emails).await?;
                1
            }
        };
        settling.confirm(&mut tx, at_least, &mut change).await?;
        change
            .write(&mut tx, &settling.run, &result.spent, now)
            .await?;
        let left = recount(&mut tx, &settling.run, batch).await?;
        if left > 0 {
            sqlx::query(
                "UPDATE batches SET state = 'confirming' WHERE id = $1 AND kind = 'import'",
            )
            .bind(batch)
            .execute(&mut *tx)
            .await?;
        }
        self.commit(tx).await?;
        drop(writer);
        if left > 0 {
            self.batch(batch).await
        } else {
            Ok(None)
        }
    }
}

/// A batch while its result is written.
struct Settling {
    batch: i64,
    run: RunId,
    row: RunRow,
    now: i64,
}

impl Settling {
    async fn learn(&self, tx: &mut SqliteConnection, known: &[KnownContact]) -> Result<()> {
        for chunk in chunks(known) {
            let mut query = QueryBuilder::new("WITH known (email, contact_id, created) AS (");
            query.push_values(chunk, |mut values, contact| {
                values.push_bind(contact.email.as_str());
                values.push_bind(contact.contact_id.as_str());
                values.push_bind(i64::from(contact.created));
            });
            query.push(
                ") UPDATE outbox SET contact_id = known.contact_id, created = known.created FROM known
                 WHERE outbox.email = known.email AND outbox.run_id = ",
            );
            query.push_bind(self.run.as_str());
            query.push(" AND outbox.batch_id = ").push_bind(self.batch);
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
        let gone = sqlx::query(
            "DELETE FROM outbox WHERE email = $1 AND run_id = $2 AND batch_id = $3 RETURNING record_id, contact_id",
        )
        .bind(failed.email.as_str())
        .bind(self.run.as_str())
        .bind(self.batch)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(gone) = gone else {
            return Ok(());
        };
        let record = FailedRecord {
            connection: self.row.connection.clone(),
            mapping: self.row.mapping.clone(),
            object: self.row.object.clone(),
            record: gone.try_get::<String, _>(0)?.into(),
            run: self.run.clone(),
            email: Some(failed.email.clone()),
            contact_id: gone.try_get::<Option<String>, _>(1)?.map(Into::into),
            problem: failed.problem.clone(),
            attempt: failed.attempt.clone(),
        };
        fail(tx, &record, self.now).await?;
        let before: Option<String> = sqlx::query_scalar(
            "SELECT run_outcome FROM records WHERE connection = $1 AND mapping = $2 AND record_id = $3 AND run_id = $4",
        )
        .bind(self.row.connection.as_str())
        .bind(self.row.mapping.as_str())
        .bind(record.record.as_str())
        .bind(self.run.as_str())
        .fetch_optional(&mut *tx)
        .await?
        .flatten();
        if let Some(before) = before {
            change.add(&before, -1);
            change.add("failed", 1);
        }
        sqlx::query(
            "UPDATE records SET run_outcome = 'failed', outcome = 'failed'
             WHERE connection = $1 AND mapping = $2 AND record_id = $3 AND run_id = $4",
        )
        .bind(self.row.connection.as_str())
        .bind(self.row.mapping.as_str())
        .bind(record.record.as_str())
        .bind(self.run.as_str())
        .execute(tx)
        .await?;
        Ok(())
    }

    /// Back to the writes that wait, unless a newer one for the contact waits there.
    async fn send_again(&self, tx: &mut SqliteConnection, email: &Email) -> Result<()> {
        sqlx::query(
            "DELETE FROM outbox WHERE email = $1 AND run_id = $2 AND batch_id = $3
                 AND EXISTS (SELECT 1 FROM outbox n WHERE n.email = $1 AND n.run_id = $2 AND n.batch_id = 0)",
        )
        .bind(email.as_str())
        .bind(self.run.as_str())
        .bind(self.batch)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "UPDATE outbox SET batch_id = 0, kind = 'single' WHERE email = $1 AND run_id = $2 AND batch_id = $3",
        )
        .bind(email.as_str())
        .bind(self.run.as_str())
        .bind(self.batch)
        .execute(tx)
        .await?;
        Ok(())
    }

    async fn mark(&self, tx: &mut SqliteConnection, emails: &[Email]) -> Result<()> {
        for chunk in chunks(emails) {
            let mut query = QueryBuilder::new("UPDATE outbox SET confirmed = 1 WHERE run_id = ");
            query.push_bind(self.run.as_str());
            query.push(" AND batch_id = ").push_bind(self.batch);
            query.push(" AND email IN ");
            push_list(&mut query, chunk.iter().map(Email::as_str));
            query.build().execute(&mut *tx).await?;
        }
        Ok(())
    }

    /// Rows whose mark is at least this become links; records still on their way are counted synced.
    async fn confirm(
        &self,
        tx: &mut SqliteConnection,
        at_least: i64,
        change: &mut CountsChange,
    ) -> Result<()> {
        const CHOSEN: &str = "FROM outbox WHERE run_id = $2 AND batch_id = $3 AND confirmed >= $4";
        let (connection, mapping) = (self.row.connection.as_str(), self.row.mapping.as_str());
        let mut statements = vec![format!(
            "INSERT OR FAIL INTO links (connection, mapping, email, contact_id, record_id, version, fingerprint, write,
                 properties, created_by_us, confirmed_at)
             SELECT connection, mapping, email, contact_id, record_id, version, fingerprint, write, properties, created, $1
             {CHOSEN} {LINK_CONFLICT}"
        )];
        if any_unresolved(tx, connection, mapping).await? {
            statements.push(format!(
                "UPDATE jobs SET {RESOLVED} $1 WHERE {OPEN} AND state IN ('failed', 'unknown')
                     AND (connection, mapping, record_id) IN (SELECT connection, mapping, record_id {CHOSEN})"
            ));
        }
        for statement in statements {
            sqlx::query(AssertSqlSafe(statement))
                .bind(self.now)
                .bind(self.run.as_str())
                .bind(self.batch)
                .bind(at_least)
                .execute(&mut *tx)
                .await?;
        }
        let synced = sqlx::query(AssertSqlSafe(format!(
            "UPDATE records SET run_outcome = 'synced',
                 outcome = CASE WHEN outcome = 'sending' THEN 'synced' ELSE outcome END
             WHERE connection = $5 AND mapping = $6 AND run_id = $1 AND run_outcome = 'sending'
                 AND record_id IN (SELECT record_id {CHOSEN})"
        )))
        .bind(self.run.as_str())
        .bind(self.run.as_str())
        .bind(self.batch)
        .bind(at_least)
        .bind(connection)
        .bind(mapping)
        .execute(&mut *tx)
        .await?;
        change.add("synced", i64::try_from(synced.rows_affected()).unwrap_or(0));
        sqlx::query(AssertSqlSafe(format!("DELETE {CHOSEN} AND $1 > 0")))
            .bind(self.now)
            .bind(self.run.as_str())
            .bind(self.batch)
            .bind(at_least)
            .execute(tx)
            .await?;
        Ok(())
    }
}
