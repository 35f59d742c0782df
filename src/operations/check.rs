//! `check`: everything that can be known before the first sync, a line each.

use super::Operations;
use super::open::Opened;
use crate::highlevel::ScopeState;
use crate::model::{ConnectionName, ErrorClass, Finding, Problem};

impl Operations {
    /// Checks configuration, credentials, scopes, limits, the store and all mappings. Only reads.
    pub async fn check(&self) -> Vec<Finding> {
        let config = &self.inner.config;
        let mut findings = vec![Finding::ok(
            "configuration",
            config.path.display().to_string(),
        )];
        findings.push(match self.inner.store.quick_check().await {
            Ok(()) => Finding::ok("store", self.inner.store.path().display().to_string()),
            Err(error) => bad("store", &error.into()),
        });
        self.check_webhooks(&mut findings).await;
        for (name, opened) in &self.inner.accounts {
            let highlevel = self.check_highlevel(name, opened, &mut findings).await;
            let activecampaign = self.check_activecampaign(name, opened, &mut findings).await;
            if highlevel && activecampaign {
                self.check_mappings(name, opened, &mut findings).await;
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
        let settings = &self.inner.config.webhooks;
        if settings.public_key.is_some() {
            findings.push(match self.webhook_key().await {
                Ok(_) => Finding::ok("webhooks public_key", "an Ed25519 key"),
                Err(problem) => bad("webhooks public_key", &problem),
            });
        }
        if let Some(token) = &settings.token {
            findings.push(match token.read(self.inner.config.folder()).await {
                Ok(_) => Finding::ok("webhooks token", "workflows must send it"),
                Err(problem) => bad("webhooks token", &problem),
            });
        }
    }

    async fn check_highlevel(
        &self,
        name: &ConnectionName,
        opened: &Opened,
        findings: &mut Vec<Finding>,
    ) -> bool {
        let what = item(name, "highlevel");
        if let Err(problem) = opened.highlevel_token.current().await {
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
        // Trying it would write.
        findings.push(Finding::ok(
            format!("{what} scope objects/record.write"),
            "not verifiable without writing; needed only to edit records here",
        ));
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

    async fn check_mappings(
        &self,
        name: &ConnectionName,
        opened: &Opened,
        findings: &mut Vec<Finding>,
    ) {
        let config = &self.inner.config;
        for (mapping, spec) in config
            .mappings
            .iter()
            .filter(|(_, spec)| config.connection_of(spec) == *name)
        {
            match opened.account.compile(mapping, spec).await {
                Ok(compiled) => findings.extend(compiled.findings),
                Err(error) => findings.push(bad(format!("mapping {mapping}"), &error.into())),
            }
        }
    }
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
