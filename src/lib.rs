//! Tramline keeps ActiveCampaign contacts in step with HighLevel custom-object records.

pub mod activecampaign;
pub mod alert;
pub mod cli;
pub mod config;
pub mod highlevel;
pub mod http;
pub mod log;
pub mod mapping;
pub mod metrics;
pub mod model;
pub mod operations;
pub mod sandbox;
pub mod secret;
pub mod store;
pub mod sync;
pub mod triggers;
pub mod tui;
