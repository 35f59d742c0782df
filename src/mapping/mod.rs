//! Mappings: from a HighLevel record to the values of an ActiveCampaign contact. Pure: no I/O, no clock.

pub mod apply;
mod check;
mod coerce;
pub mod compile;
mod dates;
mod fault;
pub mod field_spec;
mod labels;
mod line;
mod names;
mod number;
mod options;
mod preview;
mod propose;
mod resolve;
mod rules;
mod sample;
mod scope;
pub mod spec;
pub mod suggest;
mod template;
mod text;

pub use apply::{Applied, EmailOutcome, MappedValue, Send};
pub use compile::{Column, Compiled, EmailSource, Mapping};
pub use field_spec::{Empty, FieldSpec, FieldSpecs, FieldTable, Ordered, is_template};
pub use propose::{propose, propose_text};
pub use rules::JudgedRule;
pub use spec::{
    Conflict, EmailSpec, MappingSpec, Names, OnDelete, OnEmailChange, OnMissingEmail, RuleSpec,
};
pub use suggest::{Suggestion, suggest};

#[cfg(test)]
mod tests;
