//! What a person needs to point Tramline, or anything else, at a running sandbox.

use super::{
    ACTIVECAMPAIGN_TOKEN, EVENT_ACCOUNT, EVENT_KEY, HIGHLEVEL_TOKEN, LOCATION_ID, OAUTH_CLIENT_ID,
    OAUTH_CLIENT_SECRET, Sandbox,
};
use std::path::Path;

/// Mappings over every kind of value; about 1 % of the pets fail in them and 0.5 % have no e-mail.
const MAPPINGS: &str = r#"
[mappings.pets]
object = "custom_objects.pets"
email = "owner_email"
on_missing_email = "skip"
time_zone = "America/Chicago"

[mappings.pets.fields]
first_name = "owner_first_name"
last_name = "owner_last_name"
phone = "owner_phone"
"%PET_NAME%" = "name"
"%WEIGHT%" = "weight"
"%WEIGHT_KG%" = "{% if weight %}{{ weight }} kg{% endif %}"
"%PRICE%" = "price"
"%STATUS%" = "status"
"%SPECIES%" = "species"
"%SIZE%" = { from = "size", map = { small = "Small", medium = "Medium", large = "Large" }, default = "Medium" }
"%TEMPERAMENT%" = "temperament"
"%VACCINATIONS%" = "vaccinations"
"%BORN%" = "born"
"%VISITED_AT%" = "vet_visit"
"%CHIP%" = { from = "chip", empty = "clear" }
"%BREED%" = { from = "breed", max_length = 40, truncate = true }
"%NOTES%" = "description"
"%FEEDING_NOTES%" = "notes.kitchen"

[mappings.visits]
object = "custom_objects.visits"
email = { association = "visit_owner" }
on_missing_email = "skip"

[mappings.visits.fields]
"%VISITED_ON%" = "visited_on"
"%VISIT_REASON%" = "{{ reason | label }} at {{ clinic }}"
"%VISIT_COST%" = "cost"
"%CLINIC%" = "clinic"
"#;

impl Sandbox {
    /// A whole config.toml for this sandbox; the two files must hold the tokens.
    #[must_use]
    pub fn config_toml(
        &self,
        highlevel_token_file: &Path,
        activecampaign_token_file: &Path,
    ) -> String {
        let quoted =
            |path: &Path| toml::Value::from(path.to_string_lossy().into_owned()).to_string();
        self.config_with(
            &format!("{{ file = {} }}", quoted(highlevel_token_file)),
            &format!("{{ file = {} }}", quoted(activecampaign_token_file)),
            "",
            "",
        )
    }

    fn config_with(
        &self,
        highlevel_token: &str,
        activecampaign_token: &str,
        events: &str,
        webhooks: &str,
    ) -> String {
        format!(
            r#"environment = "sandbox"

[highlevel]
location_id = "{LOCATION_ID}"
base_url = "{}"
token = {highlevel_token}

[activecampaign]
url = "{}"
token = {activecampaign_token}
{events}{webhooks}{MAPPINGS}"#,
            self.highlevel_url, self.activecampaign_url
        )
    }
}

/// What `tramline sandbox` prints: a config.toml that works once the tokens are exported, with addresses and tokens in its
/// comments. Its store is its own: one that has met the sandbox's accounts takes no others.
#[must_use]
pub fn banner(sandbox: &Sandbox) -> String {
    let events = format!(
        "events = {{ account_id = \"{EVENT_ACCOUNT}\", key = {{ env = \"AC_EVENT_KEY\" }}, url = \"{}/event\" }}\n",
        sandbox.activecampaign_url
    );
    let config = sandbox.config_with(
        "{ env = \"GHL_TOKEN\" }",
        "{ env = \"ACTIVECAMPAIGN_TOKEN\" }",
        &events,
        "\n[store]\nurl = \"sqlite:sandbox.db\"\n\n[webhooks]\npublic_key = { env = \"WEBHOOK_KEY\" }\n",
    );
    let highlevel = &sandbox.highlevel_url;
    format!(
        "# config.toml of this sandbox. These lines too may go into the file; the tokens go into the shell:\n\
         # export GHL_TOKEN={HIGHLEVEL_TOKEN}\n# export ACTIVECAMPAIGN_TOKEN={ACTIVECAMPAIGN_TOKEN}\n\
         # export AC_EVENT_KEY={EVENT_KEY}\n# export WEBHOOK_KEY={}\n#\n\
         # HighLevel       {highlevel}\n# ActiveCampaign  {}\n\
         # Control         {highlevel}/_sandbox/log · stats · contacts · records · webhooks · faults\n\
         # An app in place of GHL_TOKEN: client_id {OAUTH_CLIENT_ID}, client_secret {OAUTH_CLIENT_SECRET},\n\
         # consent_url {highlevel}/v2/oauth/chooselocation\n\n{config}",
        sandbox.control().webhook_key(),
        sandbox.activecampaign_url
    )
}
