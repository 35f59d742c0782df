//! The page that a run has read and not planned yet. While it is planned the next one is asked for; after a crash the run
//! goes on with the kept page, so that at most one page is read twice.

use super::Store;
use super::error::Result;
use crate::model::RunId;
use sqlx::{Row, SqliteConnection};

/// A page that was read ahead.
#[derive(Clone, Debug, PartialEq)]
pub struct PageAhead {
    /// Where reading stands at this page (JSON of the engine's making).
    pub position_json: String,
    /// The page as it came.
    pub text: String,
}

impl Store {
    /// Keeps the page behind a run's cursor, in place of the one before. The commit does not wait for the disk: where
    /// the machine itself stops, pages are read once more and nothing is lost.
    pub async fn keep_page(&self, run: &RunId, page: &PageAhead) -> Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.begin_hasty().await?;
        sqlx::query(
            "INSERT INTO pages_ahead (run_id, follows, position, page)
             SELECT id, coalesce(position, ''), $2, $3 FROM runs WHERE id = $1
             ON CONFLICT (run_id) DO UPDATE SET follows = excluded.follows, position = excluded.position,
                 page = excluded.page",
        )
        .bind(run.as_str())
        .bind(&page.position_json)
        .bind(&page.text)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The page that a run has read and not planned, if it still stands before it.
    pub async fn kept_page(&self, run: &RunId) -> Result<Option<PageAhead>> {
        let row = sqlx::query(
            "SELECT p.position, p.page FROM pages_ahead p JOIN runs r ON r.id = p.run_id
             WHERE p.run_id = $1 AND p.follows = coalesce(r.position, '')",
        )
        .bind(run.as_str())
        .fetch_optional(self.readers())
        .await?;
        row.map(|row| {
            Ok(PageAhead {
                position_json: row.try_get(0)?,
                text: row.try_get(1)?,
            })
        })
        .transpose()
    }
}

/// A run that ended needs its page no more.
pub(super) async fn forget(tx: &mut SqliteConnection, run: &RunId) -> Result<()> {
    sqlx::query("DELETE FROM pages_ahead WHERE run_id = $1")
        .bind(run.as_str())
        .execute(tx)
        .await?;
    Ok(())
}
