//! Tramline keeps ActiveCampaign contacts in step with HighLevel custom-object records.

pub mod config;
pub mod mapping;
pub mod model;
pub mod operations;
pub mod secret;
