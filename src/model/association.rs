//! Associations (definitions) and relations (links between two records), fact sheet §3.2, §3.3.

use super::{AssociationId, ObjectKey, RecordId};
use serde::{Deserialize, Serialize};

/// A kind of link between two objects. The server may keep the pair in the other order than it was made
/// in, so both sides are looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Association {
    pub id: AssociationId,
    pub key: String,
    pub first_object: ObjectKey,
    pub first_label: String,
    pub second_object: ObjectKey,
    pub second_label: String,
}

impl Association {
    /// True if the association links `object` with HighLevel contacts, in either order.
    pub fn leads_to_contact(&self, object: &ObjectKey) -> bool {
        let contact = |key: &ObjectKey| key.as_str() == "contact";
        (self.first_object == *object && contact(&self.second_object))
            || (self.second_object == *object && contact(&self.first_object))
    }
}

/// A link seen from one record: where it leads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Relation {
    /// The relation's own id; search answers may lack it.
    pub id: Option<String>,
    pub association: AssociationId,
    pub other_object: ObjectKey,
    pub other_record: RecordId,
}

/// The HighLevel contact that an association leads to; `related.*` in templates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RelatedContact {
    pub id: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub company: Option<String>,
    pub tags: Vec<String>,
}
