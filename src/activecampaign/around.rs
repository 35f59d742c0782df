//! What surrounds a contact: tags, lists, automations, scores (fact sheet §4). The definitions change
//! seldom and are remembered for a while, so that showing a contact costs four calls.

use super::ActiveCampaign;
use super::wire::loose;
use crate::http::{ApiError, Kept, Lane};
use crate::model::contact::{Enrolment, Membership, Named, Part, ScoreValue, Surroundings};
use crate::model::{ContactId, ErrorClass, Segment};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// A name that is not among those remembered is looked for anew, if they are older than this.
const DOUBTED: Duration = Duration::from_secs(10);
/// A person who tries again has usually made what was missing.
const DOUBTED_BY_PERSON: Duration = Duration::from_secs(1);
/// For so long definitions are taken from memory.
pub(super) const FRESH: Duration = Duration::from_secs(300);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Tags,
    Lists,
    Automations,
    Scores,
}

impl Kind {
    /// Path, list name in the answer, and the key of a row's name.
    fn wire(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Tags => ("/tags", "tags", "tag"),
            Self::Lists => ("/lists", "lists", "name"),
            Self::Automations => ("/automations", "automations", "name"),
            Self::Scores => ("/scores", "scores", "name"),
        }
    }
}

/// Remembered definitions.
#[derive(Default)]
pub(super) struct Names {
    tags: Kept<Arc<Vec<Named>>, ApiError>,
    lists: Kept<Arc<Vec<Named>>, ApiError>,
    automations: Kept<Arc<Vec<Named>>, ApiError>,
    scores: Kept<Arc<Vec<Named>>, ApiError>,
    pub(super) segments: Kept<Vec<Segment>, ApiError>,
}

impl Names {
    fn of(&self, kind: Kind) -> &Kept<Arc<Vec<Named>>, ApiError> {
        match kind {
            Kind::Tags => &self.tags,
            Kind::Lists => &self.lists,
            Kind::Automations => &self.automations,
            Kind::Scores => &self.scores,
        }
    }
}

impl ActiveCampaign {
    /// All tags.
    ///
    /// # Errors
    /// As every call.
    pub async fn tags(&self) -> Result<Vec<Named>, ApiError> {
        self.all(Kind::Tags).await
    }

    /// All lists.
    ///
    /// # Errors
    /// As every call.
    pub async fn lists(&self) -> Result<Vec<Named>, ApiError> {
        self.all(Kind::Lists).await
    }

    /// All automations.
    ///
    /// # Errors
    /// As every call.
    pub async fn automations(&self) -> Result<Vec<Named>, ApiError> {
        self.all(Kind::Automations).await
    }

    /// All scores.
    ///
    /// # Errors
    /// As every call.
    pub async fn scores(&self) -> Result<Vec<Named>, ApiError> {
        self.all(Kind::Scores).await
    }

    /// All definitions as they are now.
    async fn all(&self, kind: Kind) -> Result<Vec<Named>, ApiError> {
        let names = self
            .names
            .of(kind)
            .renew(self.waits(), async || self.read_names(kind).await);
        names.await.map(Arc::unwrap_or_clone)
    }

    async fn read_names(&self, kind: Kind) -> Result<Arc<Vec<Named>>, ApiError> {
        let (path, list, name) = kind.wire();
        let rows = self.pages(path, list).await?;
        let named = |row: &Value| Named {
            id: loose(row.get("id")),
            name: loose(row.get(name)),
        };
        Ok(Arc::new(rows.iter().map(named).collect()))
    }

    /// The definition of a name, without regard to case: the one of that very spelling first (fact sheet §4: the rule is not
    /// documented). A name that is not known is looked for anew, unless that was done a moment ago.
    ///
    /// # Errors
    /// As every call; `Invalid` where several are called so.
    pub(super) async fn named(&self, kind: Kind, name: &str) -> Result<Option<Named>, ApiError> {
        let doubted = match self.transport.lane {
            Lane::Person => DOUBTED_BY_PERSON,
            Lane::Bulk => DOUBTED,
        };
        let believed = |age, names: &Arc<Vec<Named>>| {
            age < doubted || age < FRESH && matches!(self.pick(kind, name, names), Ok(Some(_)))
        };
        let kept = self.names.of(kind);
        let names = kept
            .get(self.waits(), believed, async || self.read_names(kind).await)
            .await?;
        self.pick(kind, name, &names)
    }

    pub(super) fn pick(
        &self,
        kind: Kind,
        name: &str,
        names: &[Named],
    ) -> Result<Option<Named>, ApiError> {
        let name = name.trim();
        let folded = name.to_lowercase();
        let alike: Vec<&Named> = names
            .iter()
            .filter(|named| named.name.trim().to_lowercase() == folded)
            .collect();
        let same: Vec<&Named> = alike
            .iter()
            .copied()
            .filter(|named| named.name.trim() == name)
            .collect();
        match (same.as_slice(), alike.as_slice()) {
            ([one], _) | ([], [one]) => Ok(Some((*one).clone())),
            ([], []) => Ok(None),
            _ => Err(self
                .error(
                    ErrorClass::Invalid,
                    format!("several {} are called \"{name}\"", kind.wire().1),
                )
                .remedy("rename all but one of them in ActiveCampaign")),
        }
    }

    /// A definition that was just made is known from now on. Who read them all meanwhile may know it already.
    pub(super) async fn remember(&self, kind: Kind, made: &Named) {
        let add = |names: &mut Arc<Vec<Named>>| {
            if names.iter().all(|named| named.id != made.id) {
                Arc::make_mut(names).push(made.clone());
            }
        };
        self.names.of(kind).amend(add).await;
    }

    /// The names of ids; the definitions are read again if one is not among those remembered, unless that was done a moment
    /// ago.
    async fn names_of(&self, kind: Kind, ids: &[String]) -> Result<Vec<String>, ApiError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let believed = |age, names: &Arc<Vec<Named>>| {
            let knows = |id: &String| names.iter().any(|named| named.id == *id);
            age < DOUBTED || age < FRESH && ids.iter().all(knows)
        };
        let kept = self.names.of(kind);
        let names = kept
            .get(self.waits(), believed, async || self.read_names(kind).await)
            .await?;
        Ok(ids
            .iter()
            .map(|id| {
                names
                    .iter()
                    .find(|named| named.id == *id)
                    .map_or_else(|| format!("#{id}"), |named| named.name.clone())
            })
            .collect())
    }

    /// The names of a contact's tags.
    ///
    /// # Errors
    /// As every call.
    pub async fn contact_tags(&self, id: &ContactId) -> Result<Vec<String>, ApiError> {
        let rows = self.rows_of(id, "contactTags").await?;
        self.names_of(Kind::Tags, &column(&rows, "tag")).await
    }

    /// A contact's lists and its standing in each.
    ///
    /// # Errors
    /// As every call.
    pub async fn contact_lists(&self, id: &ContactId) -> Result<Vec<Membership>, ApiError> {
        let rows = self.rows_of(id, "contactLists").await?;
        let names = self.names_of(Kind::Lists, &column(&rows, "list")).await?;
        Ok(names
            .into_iter()
            .zip(&rows)
            .map(|(list, row)| Membership {
                list,
                status: match loose(row.get("status")).as_str() {
                    "0" => "unconfirmed".to_owned(),
                    "1" => "active".to_owned(),
                    "2" => "unsubscribed".to_owned(),
                    "3" => "bounced".to_owned(),
                    other => format!("status {other}"),
                },
            })
            .collect())
    }

    /// A contact's ways through automations.
    ///
    /// # Errors
    /// As every call.
    pub async fn contact_automations(&self, id: &ContactId) -> Result<Vec<Enrolment>, ApiError> {
        let rows = self.rows_of(id, "contactAutomations").await?;
        let ids: Vec<String> = rows
            .iter()
            .map(|row| {
                let automation = loose(row.get("automation"));
                if automation.is_empty() {
                    loose(row.get("seriesid"))
                } else {
                    automation
                }
            })
            .collect();
        let names = self.names_of(Kind::Automations, &ids).await?;
        Ok(names
            .into_iter()
            .zip(&rows)
            .map(|(automation, row)| Enrolment {
                automation,
                completed: loose(row.get("completed")) == "1" || loose(row.get("status")) == "2",
            })
            .collect())
    }

    /// A contact's scores.
    ///
    /// # Errors
    /// As every call.
    pub async fn contact_scores(&self, id: &ContactId) -> Result<Vec<ScoreValue>, ApiError> {
        let rows = self.rows_of(id, "scoreValues").await?;
        let names = self.names_of(Kind::Scores, &column(&rows, "score")).await?;
        Ok(names
            .into_iter()
            .zip(&rows)
            .map(|(score, row)| ScoreValue {
                score,
                value: loose(row.get("scoreValue")),
            })
            .collect())
    }

    /// All of these. A part that the plan or the token's user does not give says so.
    ///
    /// # Errors
    /// As every call.
    pub async fn surroundings(&self, id: &ContactId) -> Result<Surroundings, ApiError> {
        Ok(Surroundings {
            tags: allowed(self.contact_tags(id).await)?,
            lists: allowed(self.contact_lists(id).await)?,
            automations: allowed(self.contact_automations(id).await)?,
            scores: allowed(self.contact_scores(id).await)?,
        })
    }
}

/// What was read, or why it may not be.
pub(super) fn allowed<T>(result: Result<Vec<T>, ApiError>) -> Result<Part<T>, ApiError> {
    match result {
        Ok(items) => Ok(Part::Read(items)),
        Err(error)
            if matches!(error.class, ErrorClass::Auth | ErrorClass::Missing)
                || matches!(error.status, Some(404 | 410)) =>
        {
            let status = error.status.map(|status| format!("{status} "));
            Ok(Part::Refused {
                refused: format!("{}{}", status.unwrap_or_default(), error.message),
            })
        }
        Err(error) => Err(error),
    }
}

fn column(rows: &[Value], key: &str) -> Vec<String> {
    rows.iter().map(|row| loose(row.get(key))).collect()
}
