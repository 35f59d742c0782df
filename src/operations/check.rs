//! `check`: everything that can be known before the first sync, a line each.

use super::open::Opened;
use super::triggers::webhook_key;
use super::{Done, Operations, login};
use crate::activecampaign::ActiveCampaign;
use crate::config::Config;
use crate::highlevel::{HighLevel, SCOPES, ScopeState, WRITE_SCOPE};
use crate::http::ApiError;
use crate::mapping::MappingSpec;
use crate::model::{Act, Action, ConnectionName, ErrorClass, Finding, MappingName, Problem};
use jiff::SignedDuration;

/// Clocks this far apart are told of; a `Date` goes by seconds, and an answer takes up to ten.
const CLOCK: SignedDuration = SignedDuration::from_secs(30);

impl Operations {
    /// Checks configuration, credentials, scopes, limits, the store and all mappings. Only reads.
    pub async fn check(&self) -> Vec<Finding> {
        let state = self.state();
        let config = &state.config;
        let mut findings = vec![Finding::ok(
            "configuration",
            config.path.display().to_string(),
        )];
        findings.push(match self.inner.store.quick_check().await {
            Ok(()) => Finding::ok("store", self.inner.store.path().display().to_string()),
            Err(error) => bad("store", &error.into()),
        });
        findings.extend(self.check_monitor().await);
        self.check_webhooks(&mut findings).await;
        for (name, opened) in &state.accounts {
            opened.account.forget().await;
            let highlevel = self.check_highlevel(name, opened, &mut findings).await;
            let activecampaign = self.check_activecampaign(name, opened, &mut findings).await;
            findings.push(check_clock(name, opened));
            if highlevel && activecampaign {
                self.check_mappings(config, name, opened, &mut findings)
                    .await;
            } else {
                findings.push(Finding::warning(
                    item(name, "mappings"),
                    "not checked, because an account cannot be read",
                ));
            }
        }
        if config.mappings.is_empty() {
            findings.push(
                Finding::warning("mappings", "there is none")
                    .remedy("add [mappings.NAME], see config.example.toml"),
            );
        }
        findings
    }

    /// What the receiver needs, where config.toml says anything of it.
    async fn check_webhooks(&self, findings: &mut Vec<Finding>) {
        let state = self.state();
        let settings = &state.config.webhooks;
        if settings.public_key.is_some() {
            findings.push(match webhook_key(&state).await {
                Ok(_) => Finding::ok("webhooks public_key", "an Ed25519 key"),
                Err(problem) => bad("webhooks public_key", &problem),
            });
        }
        if let Some(token) = &settings.token {
            findings.push(match token.read(state.config.folder()).await {
                Ok(_) => Finding::ok("webhooks token", "workflows must send it"),
                Err(problem) => bad("webhooks token", &problem),
            });
        }
    }

    async fn check_mappings(
        &self,
        config: &Config,
        name: &ConnectionName,
        opened: &Opened,
        findings: &mut Vec<Finding>,
    ) {
        for (mapping, spec) in config
            .mappings
            .iter()
            .filter(|(_, spec)| config.connection_of(spec) == *name)
        {
            match opened.account.compile(mapping, spec).await {
                Ok(compiled) => {
                    findings.extend(compiled.findings);
                    check_rules(opened, mapping, spec, findings).await;
                    findings.extend(self.check_states(name, mapping, spec).await);
                }
                Err(error) => findings.push(bad(format!("mapping {mapping}"), &error.into())),
            }
        }
    }

    async fn check_highlevel(
        &self,
        name: &ConnectionName,
        opened: &Opened,
        findings: &mut Vec<Finding>,
    ) -> bool {
        let what = item(name, "highlevel");
        if let Err(problem) = opened.highlevel.token().current().await {
            findings.push(bad(format!("{what} token"), &problem));
            return false;
        }
        let client = opened.account.lane(crate::http::Lane::Person).highlevel;
        if let Err(error) = client.probe().await {
            findings.push(bad(&what, &error.into()));
            return false;
        }
        findings.push(Finding::ok(
            &what,
            format!("the token opens location {}", client.location_id()),
        ));
        if let Err(problem) = self.check_scopes(&what, opened, &client, findings).await {
            findings.push(bad(format!("{what} scopes"), &problem));
        }
        let budget = client.budget();
        findings.push(Finding::ok(
            format!("{what} limit"),
            format!(
                "{} requests in {} s",
                budget.size,
                budget.window_ms as f64 / 1000.0
            ),
        ));
        true
    }

    /// An app's scopes are known; a token's reading scopes are tried, and the writing ones cannot be tried without writing.
    async fn check_scopes(
        &self,
        what: &str,
        opened: &Opened,
        client: &HighLevel,
        findings: &mut Vec<Finding>,
    ) -> Done<()> {
        if let Some(app) = opened.highlevel.app()
            && let Some(granted) = app.scopes().await?
        {
            let missing = login::missing(&granted);
            for scope in SCOPES {
                let item = format!("{what} scope {scope}");
                let remedy = "add the scope to the app, then log in again";
                findings.push(match missing.iter().any(|missing| missing == scope) {
                    false => Finding::ok(item, "granted"),
                    true if scope == WRITE_SCOPE => {
                        Finding::warning(item, "missing; needed only to edit records here")
                            .remedy(remedy)
                    }
                    true => Finding::error(item, "missing: it was not granted").remedy(remedy),
                });
            }
            return Ok(());
        }
        for check in client.scope_checks().await {
            let item = format!("{what} scope {}", check.scope);
            findings.push(match check.state {
                ScopeState::Granted => Finding::ok(item, "granted"),
                ScopeState::Refused(error) => {
                    Finding::error(item, format!("missing: {}", error.message)).remedy(
                        "add the scope to the Private Integration; the token stays the same",
                    )
                }
                ScopeState::Unverified(why) => {
                    Finding::warning(item, format!("could not be tried: {why}"))
                }
            });
        }
        findings.push(Finding::ok(
            format!("{what} scope {WRITE_SCOPE}"),
            "not verifiable without writing; needed only to edit records here",
        ));
        Ok(())
    }

    async fn check_activecampaign(
        &self,
        name: &ConnectionName,
        opened: &Opened,
        findings: &mut Vec<Finding>,
    ) -> bool {
        let what = item(name, "activecampaign");
        if let Err(problem) = opened.activecampaign_token.current().await {
            findings.push(bad(format!("{what} token"), &problem));
            return false;
        }
        let account = opened.account.lane(crate::http::Lane::Person);
        let client = &account.activecampaign;
        match client.me().await {
            Ok(user) => findings.push(Finding::ok(
                &what,
                format!("the token belongs to user {}", user.username),
            )),
            Err(error) => {
                findings.push(bad(&what, &error.into()));
                return false;
            }
        }
        match account.fields().await {
            Ok(fields) => findings.push(Finding::ok(
                format!("{what} fields"),
                format!("{} contact fields", fields.len()),
            )),
            Err(error) => {
                findings.push(bad(format!("{what} fields"), &error.into()));
                return false;
            }
        }
        for budget in client.budget_views() {
            findings.push(Finding::ok(
                format!("{what} limit {}", budget.name),
                format!(
                    "{} requests in {} s",
                    budget.size,
                    budget.window_ms as f64 / 1000.0
                ),
            ));
        }
        true
    }
}

/// What the rules of a mapping name must be there.
async fn check_rules(
    opened: &Opened,
    mapping: &MappingName,
    spec: &MappingSpec,
    findings: &mut Vec<Finding>,
) {
    let client = opened
        .account
        .lane(crate::http::Lane::Person)
        .activecampaign;
    for rule in &spec.rules {
        let item = format!("{mapping} rule {}", rule.name);
        for act in rule.acts() {
            match lacking(&client, &act, spec.create_tags).await {
                Ok(None) => {}
                Ok(Some(what)) => findings.push(
                    Finding::error(&item, format!("{act}: {what}"))
                        .remedy("create it in ActiveCampaign, or correct the rule"),
                ),
                Err(error) => findings.push(bad(&item, &error.into())),
            }
        }
    }
}

/// This machine's clock beside those of both APIs: `--since`, waits and the age of a record go by it.
fn check_clock(name: &ConnectionName, opened: &Opened) -> Finding {
    let what = item(name, "clock");
    let skews = [
        ("HighLevel", opened.account.highlevel.clock_skew()),
        ("ActiveCampaign", opened.account.activecampaign.clock_skew()),
    ];
    if skews.iter().all(|(_, skew)| skew.is_none()) {
        return Finding::warning(what, "not compared: neither API told its time");
    }
    let off = skews.into_iter().find_map(|(api, skew)| {
        skew.filter(|skew| skew.abs() > CLOCK)
            .map(|skew| (api, skew))
    });
    match off {
        None => Finding::ok(
            what,
            format!("within {} s of the APIs' clocks", CLOCK.as_secs()),
        ),
        Some((api, skew)) => {
            let how = if skew.is_negative() {
                "ahead of"
            } else {
                "behind"
            };
            Finding::warning(
                what,
                format!("this machine is {} s {how} {api}", skew.abs().as_secs()),
            )
            .remedy("set the clock, best by NTP")
        }
    }
}

/// What an act must find in the account; `None` if it is there, or will be made.
async fn lacking(
    client: &ActiveCampaign,
    act: &Act,
    creates: bool,
) -> Result<Option<String>, ApiError> {
    let name = act.target.as_str();
    let (what, found) = match act.action {
        Action::AddTag | Action::RemoveTag if creates => return Ok(None),
        Action::AddTag | Action::RemoveTag => ("tag", client.tag_named(name).await?),
        Action::Subscribe | Action::Resubscribe | Action::Unsubscribe => {
            ("list", client.list_named(name).await?)
        }
        Action::StartAutomation | Action::LeaveAutomation => {
            ("automation", client.automation_named(name).await?)
        }
        Action::RecordEvent if client.can_record_events() => return Ok(None),
        Action::RecordEvent => {
            return Ok(Some(
                "events cannot be recorded without events = { … } in [activecampaign]".to_owned(),
            ));
        }
    };
    Ok(found
        .is_none()
        .then(|| format!("there is no {what} called \"{name}\"")))
}

fn item(connection: &ConnectionName, what: &str) -> String {
    if connection.as_str() == crate::config::DEFAULT_CONNECTION {
        what.to_owned()
    } else {
        format!("{connection} {what}")
    }
}

fn bad(item: impl Into<String>, problem: &Problem) -> Finding {
    let mut finding = Finding::error(item, message(problem));
    finding.remedy.clone_from(&problem.remedy);
    finding
}

fn message(problem: &Problem) -> String {
    let status = problem
        .status
        .map(|status| format!("{status} "))
        .unwrap_or_default();
    let reach = if problem.class == ErrorClass::Transient {
        "cannot be reached: "
    } else {
        ""
    };
    format!("{reach}{status}{}", problem.message)
}
