//! Writes that are taken and not sent: another record has won their contact since they were planned.

use super::Store;
use super::batch_rows::{head_and_run, recount};
use super::error::Result;
use super::outbox::Batch;
use super::replan::{CountsChange, supersede};
use super::runs::Spent;
use crate::model::view::Outcome;
use crate::model::{Email, RecordId};
use sqlx::{QueryBuilder, Row};

impl Store {
    /// Takes writes out of a batch that was not sent: their records are superseded by those that have the contacts.
    /// Returns the batch while rows are left.
    pub async fn give_way(
        &self,
        batch: i64,
        winners: &[(Email, RecordId)],
    ) -> Result<Option<Batch>> {
        let now = self.now_micros();
        let mut writer = self.writer().await;
        let mut tx = writer.begin().await?;
        let (head, span, row) = head_and_run(&mut tx, batch).await?;
        let mut change = CountsChange::default();
        for (email, winner) in winners {
            let gone = sqlx::query(
                "DELETE FROM outbox WHERE email = $1 AND run_id = $2 AND kind = $3 AND id BETWEEN $4 AND $5
                 RETURNING record_id, replanned",
            )
            .bind(email.as_str())
            .bind(head.run.as_str())
            .bind(head.kind.name())
            .bind(span.0)
            .bind(span.1)
            .fetch_optional(&mut *tx)
            .await?;
            // A row that is planned anew is counted by its new place.
            if let Some(gone) = gone
                && gone.try_get::<i64, _>(1)? == 0
            {
                let loser = gone.try_get(0)?;
                supersede(&mut tx, &head.run, &row, loser, Some(winner.as_str()), now).await?;
                change.add(Outcome::Superseded.name(), 1);
            }
        }
        let mut writes = QueryBuilder::default();
        change.push_write(&mut writes, &head.run, &Spent::default(), now);
        let left = recount(&mut tx, writes, batch).await?;
        self.commit(tx).await?;
        drop(writer);
        if left > 0 {
            self.batch(batch).await
        } else {
            Ok(None)
        }
    }
}
