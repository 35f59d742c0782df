//! The nouns: plain data without I/O, the ground floor that every other room stands on.

pub mod association;
pub mod audit;
pub mod bulk;
pub mod call;
pub mod contact;
pub mod decimal;
pub mod effect;
pub mod export;
pub mod filter;
pub mod finding;
pub mod group;
pub mod ids;
pub mod job;
mod near;
pub mod new_field;
pub mod object;
pub mod pause;
mod period;
pub mod problem;
pub mod record;
pub mod sanitize;
pub mod segment;
pub mod survey;
pub mod view;

pub use association::{Association, RelatedContact, Relation};
pub use contact::{
    Builtin, Contact, ContactField, ContactWrite, FieldKind, FieldOption, TargetField,
};
pub use decimal::{Decimal, DecimalError};
pub use effect::{Act, Action, ActionNames, Effect, EffectState};
pub use finding::{Finding, Level};
pub use ids::{
    AssociationId, BulkId, ConnectionName, ContactId, Email, FieldId, Fingerprint, JobId,
    MappingName, ObjectKey, RecordId, RunId,
};
pub use job::{Attempt, Job, JobState, Trigger, WaitReason, Waiting};
pub use near::nearest;
pub use new_field::{FieldProposal, NewField};
pub use object::{DataType, ObjectSchema, Property, PropertyOption};
pub use pause::{Pause, PauseKind};
pub use period::{InvalidPeriod, Period};
pub use problem::{ErrorClass, Problem};
pub use record::{Properties, Record, RecordPage};
pub use segment::{NewSegment, Segment, SegmentMatches};
