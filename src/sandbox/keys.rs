//! What opens the two accounts: a Private Integration Token and grants of the app at HighLevel, a key at ActiveCampaign.

use super::highlevel::oauth::Grants;
use super::{ACTIVECAMPAIGN_TOKEN, HIGHLEVEL_TOKEN};

/// The keys in force.
pub(super) struct Keys {
    /// HighLevel's Private Integration Token.
    pub private: String,
    /// ActiveCampaign's `Api-Token`.
    pub activecampaign: String,
    /// What the app was granted by OAuth.
    pub grants: Grants,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            private: HIGHLEVEL_TOKEN.to_owned(),
            activecampaign: ACTIVECAMPAIGN_TOKEN.to_owned(),
            grants: Grants::default(),
        }
    }
}
