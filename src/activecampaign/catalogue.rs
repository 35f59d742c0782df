//! What the account has that a rule's actions can be about (fact sheet §4).

use super::ActiveCampaign;
use super::around::allowed;
use super::wire::loose;
use crate::http::ApiError;
use crate::model::ActionNames;
use crate::model::contact::Named;

impl ActiveCampaign {
    /// The names of all tags, lists, automations and events; a part that the token's user may not read says so.
    ///
    /// # Errors
    /// As every call.
    pub async fn action_names(&self) -> Result<ActionNames, ApiError> {
        let names = |named: Vec<Named>| named.into_iter().map(|named| named.name).collect();
        Ok(ActionNames {
            tags: allowed(self.tags().await.map(names))?,
            lists: allowed(self.lists().await.map(names))?,
            automations: allowed(self.automations().await.map(names))?,
            events: allowed(self.event_names().await)?,
        })
    }

    /// The names of the events that the account knows.
    async fn event_names(&self) -> Result<Vec<String>, ApiError> {
        let rows = self
            .pages("/eventTrackingEvents", "eventTrackingEvents")
            .await?;
        Ok(rows.iter().map(|row| loose(row.get("name"))).collect())
    }
}
