//! What this program did to contacts' standing on lists, as the ledger of effects tells: whose unsubscription one is.

use super::Store;
use super::effects::action;
use super::error::Result;
use super::rows::time;
use crate::model::{Action, ConnectionName, ContactId, Email};
use jiff::Timestamp;
use sqlx::Row;

/// A change of a contact's standing on a list that was sent, and done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListEffect {
    pub contact: ContactId,
    /// It subscribes, or unsubscribes.
    pub action: Action,
    /// When its answer came, or it was read back; at most a minute after it was sent, in which any request has ended.
    pub ended_at: Timestamp,
}

/// No request lasts so long, in microseconds: what is found later may be somebody else's doing.
const LONGEST: i64 = 60_000_000;

impl Store {
    /// The last change of a standing on a list (by its name, whatever its case) that any mapping of the connection sent for an
    /// address. What went along in an import is not among them, nor what retention has removed: whoever asks has to do
    /// without it.
    pub async fn last_list_effect(
        &self,
        connection: &ConnectionName,
        email: &Email,
        list: &str,
    ) -> Result<Option<ListEffect>> {
        // Records that have the contact, or had it when a job worked on it.
        let rows = sqlx::query(
            "SELECT e.contact_id, e.action, e.target, e.updated_at, e.sent_at FROM (
                 SELECT mapping, record_id FROM links WHERE connection = $1 AND email = $2
                     AND mapping IN (SELECT mapping FROM mapping_versions WHERE connection = $1)
                 UNION SELECT mapping, record_id FROM jobs WHERE email = $2 AND connection = $1) r
             CROSS JOIN effects e
             WHERE e.connection = $1 AND e.mapping = r.mapping AND e.record_id = r.record_id
                 AND e.action IN ('subscribe', 'resubscribe', 'unsubscribe')
                 AND e.state = 'done' AND e.sent_at IS NOT NULL AND e.contact_id IS NOT NULL
             ORDER BY e.updated_at DESC, e.seq DESC",
        )
        .bind(connection.as_str())
        .bind(email.as_str())
        .fetch_all(self.readers())
        .await?;
        let wanted = folded(list);
        for row in &rows {
            if folded(row.try_get(2)?) == wanted {
                return Ok(Some(ListEffect {
                    contact: row.try_get::<String, _>(0)?.into(),
                    action: action(row.try_get(1)?)?,
                    ended_at: time(
                        row.try_get::<i64, _>(3)?
                            .min(row.try_get::<i64, _>(4)? + LONGEST),
                    )?,
                }));
            }
        }
        Ok(None)
    }
}

/// A list's name as rules may spell it.
fn folded(list: &str) -> String {
    list.trim().to_lowercase()
}
