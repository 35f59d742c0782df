//! The pages that a run has read and not planned yet. While they are planned the next ones are asked for; after a crash the
//! run goes on with the kept pages, so that at most one page is read twice.

use super::Store;
use super::error::Result;
use super::sqlite::HASTY;
use crate::model::RunId;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

/// A page that was read ahead.
#[derive(Clone, Debug, PartialEq)]
pub struct PageAhead {
    /// Its number among the run's pages.
    pub place: i64,
    /// Where reading stands at this page (JSON of the engine's making).
    pub position_json: String,
    /// The page as it came.
    pub text: String,
}

impl Store {
    /// Keeps a page behind a run's cursor. The commit does not wait for the disk: where the machine itself stops, pages are
    /// read once more and nothing is lost.
    pub async fn keep_page(&self, run: &RunId, page: &PageAhead) -> Result<()> {
        let mut writer = self.writer().await;
        let alone = writer.alone().await?;
        sqlx::query(AssertSqlSafe(format!(
            "{HASTY}; INSERT INTO pages_ahead (run_id, place, position, page) VALUES ($1, $2, $3, $4)
             ON CONFLICT (run_id, place) DO UPDATE SET position = excluded.position, page = excluded.page"
        )))
        .bind(run.as_str())
        .bind(page.place)
        .bind(&page.position_json)
        .bind(&page.text)
        .execute(alone)
        .await?;
        Ok(())
    }

    /// The pages that a run has read and not planned, in the order of reading.
    pub async fn kept_pages(&self, run: &RunId) -> Result<Vec<PageAhead>> {
        sqlx::query(
            "SELECT place, position, page FROM pages_ahead WHERE run_id = $1 ORDER BY place",
        )
        .bind(run.as_str())
        .fetch_all(self.readers())
        .await?
        .iter()
        .map(|row| {
            Ok(PageAhead {
                place: row.try_get(0)?,
                position_json: row.try_get(1)?,
                text: row.try_get(2)?,
            })
        })
        .collect()
    }
}

/// Pages up to this number are planned.
pub(super) async fn forget_to(tx: &mut SqliteConnection, run: &RunId, place: i64) -> Result<()> {
    sqlx::query("DELETE FROM pages_ahead WHERE run_id = $1 AND place <= $2")
        .bind(run.as_str())
        .bind(place)
        .execute(tx)
        .await?;
    Ok(())
}

/// A run that ended needs its pages no more.
pub(super) async fn forget(tx: &mut SqliteConnection, run: &RunId) -> Result<()> {
    forget_to(tx, run, i64::MAX).await
}
