//! A connection at work: both clients, and what was learned of both accounts.

use crate::activecampaign::ActiveCampaign;
use crate::highlevel::HighLevel;
use crate::http::{ApiError, Kept, Lane, Meter};
use crate::mapping::{Compiled, Mapping, MappingSpec};
use crate::model::{
    Association, ConnectionName, ContactField, Fingerprint, MappingName, ObjectKey, ObjectSchema,
    Problem,
};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How long schemas and fields are believed.
const FRESH: Duration = Duration::from_secs(600);
/// How long they are believed where a value does not fit them: an option may just have been added. A person who tries
/// again has usually added it.
const DOUBTED: Duration = Duration::from_secs(30);
const DOUBTED_BY_PERSON: Duration = Duration::from_secs(2);

/// Two accounts kept in step. Clones share what was learned.
#[derive(Clone)]
pub struct Account {
    pub name: ConnectionName,
    pub highlevel: HighLevel,
    pub activecampaign: ActiveCampaign,
    learned: Arc<Mutex<Learned>>,
}

/// Each part is read by one of those who need it at the same time. What is read while all is forgotten goes only to those
/// who asked before that.
#[derive(Default)]
struct Learned {
    schemas: Parts<ObjectKey, Arc<ObjectSchema>, ApiError>,
    associations: Parts<ObjectKey, Arc<Vec<Association>>, ApiError>,
    fields: Arc<Kept<Arc<Vec<ContactField>>, ApiError>>,
    mappings: Parts<MappingName, OfSpec, Problem>,
}

/// What was read of each key.
type Parts<K, T, E> = HashMap<K, Arc<Kept<T, E>>>;

/// A mapping, with the hash of the specification that it was compiled from.
type OfSpec = (Fingerprint, Arc<Mapping>);

/// The part of one key.
fn part<K: Clone + Eq + Hash, T: Clone, E: Clone>(
    parts: &mut Parts<K, T, E>,
    key: &K,
) -> Arc<Kept<T, E>> {
    Arc::clone(parts.entry(key.clone()).or_default())
}

/// Whether something of that age is still believed.
fn fresh<T>(age: Duration, _: &T) -> bool {
    age < FRESH
}

impl Account {
    /// An account of which nothing was read yet.
    pub fn new(name: ConnectionName, highlevel: HighLevel, activecampaign: ActiveCampaign) -> Self {
        Self {
            name,
            highlevel,
            activecampaign,
            learned: Arc::default(),
        }
    }

    /// The same account with calls counted by `meter`.
    pub fn metered(&self, meter: &Arc<Meter>) -> Self {
        Self {
            highlevel: self.highlevel.metered(Arc::clone(meter)),
            activecampaign: self.activecampaign.metered(Arc::clone(meter)),
            ..self.clone()
        }
    }

    /// The same account with its calls in a lane: a person's go first.
    pub fn lane(&self, lane: Lane) -> Self {
        Self {
            highlevel: self.highlevel.lane(lane),
            activecampaign: self.activecampaign.lane(lane),
            ..self.clone()
        }
    }

    /// The same account, each of whose calls spends so much time at most waiting because of rate-limit answers.
    pub fn patience(&self, patience: Duration) -> Self {
        Self {
            highlevel: self.highlevel.patience(patience),
            activecampaign: self.activecampaign.patience(patience),
            ..self.clone()
        }
    }

    /// How much time each call spends waiting because of rate-limit answers, at most.
    fn waits(&self) -> Duration {
        self.highlevel.waits().max(self.activecampaign.waits())
    }

    /// Until when a rate-limit answer keeps all calls of one of the two APIs waiting.
    pub fn blocked_until(&self) -> Option<jiff::Timestamp> {
        let [requests, _] = self.activecampaign.budget_views();
        let budgets = [self.highlevel.budget(), requests];
        budgets
            .iter()
            .filter_map(|budget| budget.blocked_until)
            .max()
    }

    /// Tells other processes which requests ended here, before this one ends: they need not wait for these.
    pub async fn close(&self) {
        let settled = tokio::try_join!(self.highlevel.close(), self.activecampaign.close());
        if let Err(error) = settled {
            tracing::debug!(%error, "the budgets could not be written back");
        }
    }

    /// Forgets what was learned: the next question is asked of the APIs.
    pub async fn forget(&self) {
        *self.learned.lock().await = Learned::default();
    }

    /// An object with its properties.
    pub async fn schema(&self, object: &ObjectKey) -> Result<Arc<ObjectSchema>, ApiError> {
        let kept = part(&mut self.learned.lock().await.schemas, object);
        let read = async || self.highlevel.object(object).await.map(Arc::new);
        kept.get(self.waits(), fresh, read).await
    }

    /// All contact fields.
    pub async fn fields(&self) -> Result<Arc<Vec<ContactField>>, ApiError> {
        let kept = Arc::clone(&self.learned.lock().await.fields);
        let read = async || self.activecampaign.fields().await.map(Arc::new);
        kept.get(self.waits(), fresh, read).await
    }

    /// The associations of an object.
    pub async fn associations(
        &self,
        object: &ObjectKey,
    ) -> Result<Arc<Vec<Association>>, ApiError> {
        let kept = part(&mut self.learned.lock().await.associations, object);
        let read = async || self.highlevel.associations_of(object).await.map(Arc::new);
        kept.get(self.waits(), fresh, read).await
    }

    /// Holds a mapping against both live schemas.
    pub async fn compile(
        &self,
        name: &MappingName,
        spec: &MappingSpec,
    ) -> Result<Compiled, ApiError> {
        let object = ObjectKey::from_input(&spec.object);
        let schema = self.schema(&object).await?;
        let fields = self.fields().await?;
        let associations = match spec.email {
            crate::mapping::EmailSpec::Association(_) => self.associations(&object).await?,
            crate::mapping::EmailSpec::Property(_) => Arc::default(),
        };
        Ok(Mapping::compile(
            name,
            spec,
            &schema,
            &fields,
            &associations,
        ))
    }

    /// A mapping ready for use; compiled again when its specification changed or the schemas are old.
    ///
    /// # Errors
    /// The schemas cannot be read, or the mapping does not fit them: the problem names the first fault.
    pub async fn mapping(
        &self,
        name: &MappingName,
        spec: &MappingSpec,
    ) -> Result<Arc<Mapping>, Problem> {
        let hash = spec.hash();
        let kept = part(&mut self.learned.lock().await.mappings, name);
        let known = |age, (of, _): &(Fingerprint, _)| age < FRESH && *of == hash;
        let compile = async || -> Result<_, Problem> {
            let mapping = self.compile(name, spec).await?.ready(name)?;
            Ok((hash.clone(), Arc::new(mapping)))
        };
        kept.get(self.waits(), known, compile)
            .await
            .map(|(_, mapping)| mapping)
    }

    /// The mapping held against both live schemas anew, for a record that does not fit it. `None` where that one was compiled
    /// a moment ago, or where it cannot be done: then the misfit is to be believed.
    pub async fn in_doubt(&self, mapping: &Mapping, person: bool) -> Option<Arc<Mapping>> {
        let believed = if person { DOUBTED_BY_PERSON } else { DOUBTED };
        let (name, spec) = (mapping.name(), mapping.spec());
        let kept = self.learned.lock().await.mappings.get(name).cloned();
        if let Some(kept) = kept {
            // Not while `learned` is held: whoever compiles needs it.
            match kept.newest().await {
                // Somebody else doubted the same one, and was answered already.
                Some((_, (of, newer))) if !std::ptr::eq(&*newer, mapping) && of == spec.hash() => {
                    return Some(newer);
                }
                Some((age, _)) if age < believed => return None,
                _ => {}
            }
            let mut learned = self.learned.lock().await;
            let now = learned.mappings.get(name);
            // Of several who doubt it, one forgets it: the others wait for what he reads.
            if now.is_some_and(|now| Arc::ptr_eq(now, &kept)) {
                *learned = Learned::default();
            }
        }
        match self.mapping(name, spec).await {
            Ok(mapping) => Some(mapping),
            Err(problem) => {
                tracing::debug!(%name, %problem, "the schemas could not be read again");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::{Server, told};
    use crate::sync::testing::{account, pets, spec};
    use serde_json::json;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_read_while_all_is_forgotten_does_not_stay() {
        let (go, gate) = std::sync::mpsc::channel::<()>();
        let gate = std::sync::Mutex::new(gate);
        let server = Server::start(move |_, before| {
            if before == 0 {
                tokio::task::block_in_place(|| gate.lock().unwrap().recv().unwrap());
            }
            let title = if before == 0 { "Old" } else { "New" };
            let field = json!({"id": "1", "title": title, "type": "text", "perstag": "A"});
            told(200, json!({"fields": [field], "meta": {"total": "1"}}))
        })
        .await;
        let account = account(&server.url);
        let early = tokio::spawn({
            let account = account.clone();
            async move { account.fields().await.unwrap()[0].title.clone() }
        });
        while server.asked().is_empty() {
            tokio::task::yield_now().await;
        }
        account.forget().await;
        let late = account.fields().await.unwrap()[0].title.clone();
        go.send(()).unwrap();
        assert_eq!(
            (early.await.unwrap().as_str(), late.as_str()),
            ("Old", "New")
        );
        assert_eq!(account.fields().await.unwrap()[0].title, "New");
        assert_eq!(server.asked().len(), 2);
    }

    #[tokio::test]
    async fn a_mapping_that_was_compiled_anew_meanwhile_is_the_answer_to_a_doubt() {
        let server = Server::start(|asked, _| pets(&asked.path)).await;
        let (account, name, spec) = (account(&server.url), MappingName::from("pets"), spec());
        let early = account.mapping(&name, &spec).await.unwrap();
        // It was compiled a moment ago: who doubts it is to believe it.
        assert!(account.in_doubt(&early, false).await.is_none());
        account.forget().await;
        let late = account.mapping(&name, &spec).await.unwrap();
        let asked = server.asked().len();
        // Jobs that began with the early one are told of the late one, and nothing is read for them.
        for _ in 0..2 {
            let newer = account.in_doubt(&early, false).await.unwrap();
            assert!(Arc::ptr_eq(&newer, &late));
        }
        assert!(account.in_doubt(&late, false).await.is_none());
        assert_eq!(server.asked().len(), asked);
    }
}
