//! Tramline keeps ActiveCampaign contacts in step with HighLevel custom-object records.

pub mod activecampaign;
pub mod highlevel;
pub mod http;
pub mod model;
