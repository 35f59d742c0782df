//! Tramline keeps ActiveCampaign contacts in step with HighLevel custom-object records.

pub mod http;
pub mod model;
