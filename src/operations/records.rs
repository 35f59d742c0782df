//! Records of HighLevel objects.

pub mod change;
pub mod csv;
pub mod file;
mod walk;

use super::audit::{Act, Told};
use super::{Done, Operations};
use crate::highlevel::{HighLevel, Order, PAGE_REACH, PageCursor, Search};
use crate::http::ApiError;
use crate::model::{ConnectionName, ErrorClass, ObjectKey, Problem, Properties, Record, RecordId};
use serde::{Deserialize, Serialize};

pub use walk::Walk;

/// The order that HighLevel is asked for. `updatedAt` is the only field that is known to sort (fact sheet §2.7); whoever wants
/// another order sorts what was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordOrder {
    /// What changed last comes first.
    #[default]
    Newest,
    Oldest,
}

/// Which records of an object are wanted, in which order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordSearch {
    /// HighLevel's own search over the searchable properties.
    pub query: Option<String>,
    pub order: RecordOrder,
}

/// Where the next page of a search begins; opaque outside `operations`.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordCursor {
    Page(u32),
    After(Vec<serde_json::Value>),
}

/// One page of records with the way to the next.
#[derive(Clone, Debug)]
pub struct RecordList {
    pub records: Vec<Record>,
    pub total: Option<u64>,
    /// False if HighLevel refused to sort: they come as it has them.
    pub sorted: bool,
    /// `None` behind the last page.
    pub next: Option<RecordCursor>,
}

/// Another record or contact that a record is linked with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RelatedRecord {
    /// Key of the association, such as `pet_owner`.
    pub association: String,
    pub object: ObjectKey,
    pub record: RecordId,
    /// A contact's name and e-mail, where it was read.
    pub title: Option<String>,
}

/// The result of one written record, in the order of the input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Written {
    pub record: Option<RecordId>,
    /// `created`, `updated`, `deleted`, `failed`.
    pub outcome: String,
    pub error: Option<Problem>,
}

impl Operations {
    /// A page of an object's records: the first without a cursor.
    pub async fn records(
        &self,
        connection: &ConnectionName,
        object: &ObjectKey,
        search: &RecordSearch,
        cursor: Option<&RecordCursor>,
        limit: u32,
    ) -> Done<RecordList> {
        let highlevel = self.person(connection)?.highlevel;
        page(&highlevel, object, search, cursor, limit).await
    }

    /// An object's records page by page, `size` a page.
    pub fn walk_records(
        &self,
        connection: &ConnectionName,
        object: &ObjectKey,
        search: RecordSearch,
        size: u32,
    ) -> Done<Walk> {
        let highlevel = self.person(connection)?.highlevel;
        Ok(Walk::new(highlevel, object.clone(), search, size))
    }

    /// One record.
    pub async fn record(
        &self,
        connection: &ConnectionName,
        object: &ObjectKey,
        record: &RecordId,
    ) -> Done<Record> {
        Ok(self
            .person(connection)?
            .highlevel
            .record(object, record)
            .await?)
    }

    /// Creates a record after checking the properties against the schema.
    pub async fn create_record(
        &self,
        connection: &ConnectionName,
        object: &ObjectKey,
        properties: &Properties,
    ) -> Done<Record> {
        self.writable()?;
        let account = self.person(connection)?;
        super::values::check(&*account.schema(object).await?, properties)?;
        let doing = async {
            Ok(account
                .highlevel
                .create_record(object, properties, &[])
                .await?)
        };
        let act = Act::new("record create", object.as_str()).of(connection);
        let told = |record: &Record| Told {
            outcome: "done".to_owned(),
            number: Some(1),
            target: Some(format!("{object} {}", record.id)),
        };
        self.audited_as(act, doing, told).await
    }

    /// Changes the given properties of a record; the others stay.
    pub async fn update_record(
        &self,
        connection: &ConnectionName,
        object: &ObjectKey,
        record: &RecordId,
        properties: &Properties,
    ) -> Done<Record> {
        self.writable()?;
        let account = self.person(connection)?;
        super::values::check(&*account.schema(object).await?, properties)?;
        let doing = async {
            Ok(account
                .highlevel
                .update_record(object, record, properties)
                .await?)
        };
        let fields: Vec<&str> = properties.keys().map(String::as_str).collect();
        let target = format!("{object} {record}: {}", fields.join(" "));
        let act = Act::new("record update", target).of(connection);
        self.audited(act, doing, |_| Some(1)).await
    }

    /// Deletes a record.
    pub async fn delete_record(
        &self,
        connection: &ConnectionName,
        object: &ObjectKey,
        record: &RecordId,
    ) -> Done<()> {
        self.writable()?;
        let highlevel = self.person(connection)?.highlevel;
        let doing = async { Ok(highlevel.delete_record(object, record).await?) };
        let act = Act::new("record delete", format!("{object} {record}")).of(connection);
        self.audited(act, doing, |()| Some(1)).await
    }

    /// Records and contacts linked with a record.
    pub async fn related(
        &self,
        connection: &ConnectionName,
        object: &ObjectKey,
        record: &RecordId,
    ) -> Done<Vec<RelatedRecord>> {
        let account = self.person(connection)?;
        let relations = account.highlevel.relations(record).await?;
        if relations.is_empty() {
            return Ok(Vec::new());
        }
        let associations = account.associations(object).await?;
        let mut related = Vec::with_capacity(relations.len());
        for relation in relations {
            let association = associations
                .iter()
                .find(|association| association.id == relation.association)
                .map_or_else(
                    || relation.association.to_string(),
                    |association| association.key.clone(),
                );
            let title = if relation.other_object.as_str() == "contact" {
                // A contact that was deleted still stands in the relation; the line is shown without its name.
                account
                    .highlevel
                    .contact(relation.other_record.as_str())
                    .await
                    .ok()
                    .map(|contact| {
                        let parts = [contact.first_name, contact.last_name, contact.email];
                        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
                    })
            } else {
                None
            };
            related.push(RelatedRecord {
                association,
                object: relation.other_object,
                record: relation.other_record,
                title,
            });
        }
        Ok(related)
    }
}

/// Why records cannot be listed. The search is for custom objects and, at some locations, companies (fact sheet §2.1): of
/// other standard objects the API says no more than that it finds nothing, and the key is as it should be.
fn unlisted(object: &ObjectKey, error: ApiError) -> Problem {
    let standard = object.as_str() == object.short();
    if !standard || error.class != ErrorClass::Missing {
        return error.into();
    }
    let problem = Problem::from(error);
    Problem {
        message: format!(
            "{object} is a standard object, and HighLevel lists no records of it by this way ({})",
            problem.message
        ),
        remedy: Some("look at them in HighLevel; records of custom objects are listed here".into()),
        ..problem
    }
}

/// A page of a search, in the lane of the client.
async fn page(
    highlevel: &HighLevel,
    object: &ObjectKey,
    wanted: &RecordSearch,
    cursor: Option<&RecordCursor>,
    limit: u32,
) -> Done<RecordList> {
    let page = match cursor {
        None => PageCursor::Page(1),
        Some(RecordCursor::Page(page)) => PageCursor::Page(*page),
        Some(RecordCursor::After(after)) => PageCursor::After(after.clone()),
    };
    let order = match wanted.order {
        RecordOrder::Newest => Order::Desc,
        RecordOrder::Oldest => Order::Asc,
    };
    let mut search = Search {
        query: wanted.query.clone(),
        page: page.clone(),
        limit,
        sort: Some(("updatedAt".into(), order)),
        filters: None,
    };
    let found = match highlevel.search(object, &search).await {
        Err(error) if error.field.as_deref() == Some("sort") => {
            search.sort = None;
            highlevel.search(object, &search).await
        }
        result => result,
    };
    let found = found.map_err(|error| unlisted(object, error))?;
    let full = found.records.len() >= limit as usize;
    let next = match page {
        _ if !full => None,
        PageCursor::Page(page) if (page + 1).saturating_mul(limit) <= PAGE_REACH => {
            Some(RecordCursor::Page(page + 1))
        }
        _ => found
            .records
            .last()
            .and_then(|record| record.search_after.clone())
            .map(RecordCursor::After),
    };
    Ok(RecordList {
        records: found.records,
        total: found.total,
        sorted: search.sort.is_some(),
        next,
    })
}
