//! Mappings: from a HighLevel record to the values of an ActiveCampaign contact. Pure: no I/O, no clock.

pub mod apply;
pub mod compile;
pub mod field_spec;
pub mod period;
pub mod spec;

pub use apply::{Applied, EmailOutcome, MappedValue, Send};
pub use compile::{Column, Compiled, EmailSource, Mapping};
pub use field_spec::{Empty, FieldSpec, FieldSpecs, FieldTable, Ordered};
pub use period::Period;
pub use spec::{
    Conflict, EmailSpec, MappingSpec, Names, OnDelete, OnEmailChange, OnMissingEmail, RuleSpec,
};
