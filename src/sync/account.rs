//! A connection at work: both clients, and what was learned of both accounts.

use crate::activecampaign::ActiveCampaign;
use crate::highlevel::HighLevel;
use crate::http::{ApiError, Lane, Meter};
use crate::mapping::{Compiled, Mapping, MappingSpec};
use crate::model::{
    Association, ConnectionName, ContactField, Fingerprint, MappingName, ObjectKey, ObjectSchema,
    Problem,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
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

#[derive(Default)]
struct Learned {
    schemas: HashMap<ObjectKey, Aged<Arc<ObjectSchema>>>,
    associations: HashMap<ObjectKey, Aged<Arc<Vec<Association>>>>,
    fields: Option<Aged<Arc<Vec<ContactField>>>>,
    mappings: HashMap<MappingName, Aged<(Fingerprint, Arc<Mapping>)>>,
}

struct Aged<T> {
    value: T,
    at: Instant,
}

impl<T: Clone> Aged<T> {
    fn new(value: T) -> Self {
        Self {
            value,
            at: Instant::now(),
        }
    }

    fn fresh(&self) -> Option<T> {
        (self.at.elapsed() < FRESH).then(|| self.value.clone())
    }
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

    /// Until when a rate-limit answer keeps all calls of one of the two APIs waiting.
    pub fn blocked_until(&self) -> Option<jiff::Timestamp> {
        let [requests, _] = self.activecampaign.budget_views();
        let budgets = [self.highlevel.budget(), requests];
        budgets
            .iter()
            .filter_map(|budget| budget.blocked_until)
            .max()
    }

    /// Forgets what was learned: the next question is asked of the APIs.
    pub async fn forget(&self) {
        *self.learned.lock().await = Learned::default();
    }

    /// An object with its properties.
    pub async fn schema(&self, object: &ObjectKey) -> Result<Arc<ObjectSchema>, ApiError> {
        if let Some(schema) = self
            .learned
            .lock()
            .await
            .schemas
            .get(object)
            .and_then(Aged::fresh)
        {
            return Ok(schema);
        }
        let schema = Arc::new(self.highlevel.object(object).await?);
        self.learned
            .lock()
            .await
            .schemas
            .insert(object.clone(), Aged::new(Arc::clone(&schema)));
        Ok(schema)
    }

    /// All contact fields.
    pub async fn fields(&self) -> Result<Arc<Vec<ContactField>>, ApiError> {
        if let Some(fields) = self
            .learned
            .lock()
            .await
            .fields
            .as_ref()
            .and_then(Aged::fresh)
        {
            return Ok(fields);
        }
        let fields = Arc::new(self.activecampaign.fields().await?);
        self.learned.lock().await.fields = Some(Aged::new(Arc::clone(&fields)));
        Ok(fields)
    }

    /// The associations of an object.
    pub async fn associations(
        &self,
        object: &ObjectKey,
    ) -> Result<Arc<Vec<Association>>, ApiError> {
        if let Some(associations) = self
            .learned
            .lock()
            .await
            .associations
            .get(object)
            .and_then(Aged::fresh)
        {
            return Ok(associations);
        }
        let associations = Arc::new(self.highlevel.associations_of(object).await?);
        self.learned
            .lock()
            .await
            .associations
            .insert(object.clone(), Aged::new(Arc::clone(&associations)));
        Ok(associations)
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
        if let Some((known, mapping)) = self
            .learned
            .lock()
            .await
            .mappings
            .get(name)
            .and_then(Aged::fresh)
            && known == hash
        {
            return Ok(mapping);
        }
        let mapping = Arc::new(self.compile(name, spec).await?.ready(name)?);
        self.learned
            .lock()
            .await
            .mappings
            .insert(name.clone(), Aged::new((hash, Arc::clone(&mapping))));
        Ok(mapping)
    }

    /// The mapping held against both live schemas anew, for a record that does not fit it. `None` where it was done a
    /// moment ago, or where it cannot be done: then the misfit is to be believed.
    pub async fn in_doubt(&self, mapping: &Mapping, person: bool) -> Option<Arc<Mapping>> {
        let believed = if person { DOUBTED_BY_PERSON } else { DOUBTED };
        let (name, spec) = (mapping.name(), mapping.spec());
        {
            let mut learned = self.learned.lock().await;
            let known = learned.mappings.get(name)?;
            if known.at.elapsed() < believed {
                return None;
            }
            *learned = Learned::default();
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
