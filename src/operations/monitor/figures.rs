//! What is looked up for each scrape.

use super::Operations;
use crate::alert::kind;
use crate::metrics::{self, Gauge};
use crate::model::PauseKind;
use crate::model::call::BudgetView;
use crate::model::export::RunState;
use crate::operations::Done;
use jiff::Timestamp;
use std::collections::BTreeMap;

impl Operations {
    /// Everything in Prometheus' text format.
    ///
    /// # Errors
    /// The store failed.
    pub(super) async fn exposition(&self) -> Done<String> {
        self.show_jobs().await?;
        self.show_exports().await?;
        self.show_alerts().await?;
        self.show_accounts();
        self.show_pauses().await?;
        let workers = self.inner.engine.workers().await?;
        Gauge::Workers.set(&[], f64::from(workers));
        Gauge::StoreBytes.set(&[], self.inner.store.file_size()? as f64);
        Gauge::Build.set(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
        for (verdict, number) in self.webhook_verdicts() {
            metrics::webhooks(verdict, number);
        }
        Ok(metrics::text())
    }

    async fn show_jobs(&self) -> Done<()> {
        let store = &self.inner.store;
        for figure in store.job_figures().await? {
            let labels = [
                ("connection", figure.connection.as_str()),
                ("mapping", figure.mapping.as_str()),
                ("state", figure.state.name()),
            ];
            Gauge::Jobs.set(&labels, figure.number as f64);
            if let Some(age) = figure.oldest {
                Gauge::OldestJob.set(&labels, age.as_secs_f64());
            }
        }
        for figure in store.class_figures().await? {
            let labels = [
                ("connection", figure.connection.as_str()),
                ("mapping", figure.mapping.as_str()),
                ("state", figure.state.name()),
                ("class", figure.class.name()),
            ];
            Gauge::JobsWithError.set(&labels, figure.number as f64);
        }
        Ok(())
    }

    async fn show_exports(&self) -> Done<()> {
        const STATES: [RunState; 5] = [
            RunState::Running,
            RunState::Paused,
            RunState::Cancelled,
            RunState::Completed,
            RunState::Failed,
        ];
        let store = &self.inner.store;
        let figures = store.run_figures().await?;
        for run in store.last_runs().await? {
            let (connection, mapping) = (run.connection.as_str(), run.mapping.as_str());
            // All states, since a run that leaves one leaves a number behind.
            for state in STATES {
                let labels = [
                    ("connection", connection),
                    ("mapping", mapping),
                    ("state", state.name()),
                ];
                let figure = figures.iter().find(|figure| {
                    figure.connection == run.connection
                        && figure.mapping == run.mapping
                        && figure.state == state.name()
                });
                let number = figure.map_or(0, |figure| figure.number);
                Gauge::Exports.set(&labels, number as f64);
                if let Some(figure) = figure {
                    let seconds = figure.last.as_microsecond() as f64 / 1e6;
                    Gauge::ExportTime.set(&labels, seconds);
                }
            }
            let counts = run.counts;
            for (outcome, number) in [
                ("read", counts.read),
                ("unchanged", counts.unchanged),
                ("synced", counts.synced),
                ("superseded", counts.superseded),
                ("skipped", counts.skipped),
                ("failed", counts.failed),
            ] {
                let labels = [
                    ("connection", connection),
                    ("mapping", mapping),
                    ("outcome", outcome),
                ];
                Gauge::ExportRecords.set(&labels, number as f64);
            }
        }
        Ok(())
    }

    async fn show_alerts(&self) -> Done<()> {
        let mut firing: BTreeMap<&str, u64> = BTreeMap::new();
        for alert in self.inner.store.alerts().await? {
            *firing.entry(kind(&alert.condition)).or_default() += u64::from(alert.firing);
        }
        for (condition, number) in firing {
            Gauge::AlertsFiring.set(&[("condition", condition)], number as f64);
        }
        Ok(())
    }

    async fn show_pauses(&self) -> Done<()> {
        let pauses = self.inner.store.pauses().await?;
        for connection in self.connections() {
            for kind in [PauseKind::Person, PauseKind::Breaker] {
                let number = pauses
                    .iter()
                    .filter(|pause| pause.connection == connection && pause.kind == kind)
                    .count();
                let labels = [("connection", connection.as_str()), ("kind", kind.name())];
                Gauge::Pauses.set(&labels, number as f64);
            }
        }
        Ok(())
    }

    fn show_accounts(&self) {
        for (connection, api, good) in self.inner.health.verdicts() {
            let labels = [("connection", connection.as_str()), ("api", api.name())];
            Gauge::CredentialGood.set(&labels, f64::from(u8::from(good)));
        }
        for (connection, opened) in &self.state().accounts {
            let [requests, imports] = opened.account.activecampaign.budget_views();
            for budget in [opened.account.highlevel.budget(), requests, imports] {
                show_budget(connection.as_str(), &budget);
            }
        }
    }
}

fn show_budget(connection: &str, budget: &BudgetView) {
    let labels = [("connection", connection), ("budget", budget.name.as_str())];
    Gauge::BudgetLeft.set(&labels, f64::from(budget.left));
    Gauge::BudgetSize.set(&labels, f64::from(budget.size));
    if let Some(left) = budget.daily_left {
        Gauge::BudgetDailyLeft.set(&labels, left as f64);
    }
    let blocked = budget.blocked_until.map_or(0.0, |until| {
        until.duration_since(Timestamp::now()).as_secs_f64()
    });
    Gauge::BudgetBlocked.set(&labels, blocked.max(0.0));
}
