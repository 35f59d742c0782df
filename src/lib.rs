//! Tramline keeps ActiveCampaign contacts in step with HighLevel custom-object records.

pub mod model;
pub mod operations;
pub mod tui;
