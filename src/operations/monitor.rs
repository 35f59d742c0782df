//! What lets an operator know: the port for Prometheus, whether the credentials are good, and alerts.

mod figures;
mod health;
mod server;

pub(super) use health::Health;

use super::{Done, Operations};
use crate::alert::{self, Channel, Limits, Notice, Watch};
use crate::config::Alerts;
use crate::metrics;
use crate::model::{ErrorClass, Finding, Level, Problem};
use crate::store::StoreError;

pub use crate::store::Alert;
use jiff::Timestamp;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often conditions are weighed, and undelivered messages looked for.
const LOOK: Duration = Duration::from_secs(2);
/// How often samples are folded into their buckets.
const TIDY: Duration = Duration::from_secs(5);

/// What runs beside the engine until the process ends.
#[derive(Default)]
pub(super) struct Monitor {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Monitor {
    /// Ends at once: nothing of it has to be finished.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
        let _ = tokio::time::timeout(Duration::from_secs(1), self.tracker.wait()).await;
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            let _ = stop.run_until_cancelled(task).await;
        });
    }
}

impl Operations {
    /// Counts, asks the accounts now and then whether they are open, and alerts, in this process from now on.
    ///
    /// # Errors
    /// Another part of this process counts already.
    pub fn start_monitor(&self) -> Done<()> {
        metrics::start()?;
        let monitor = &self.inner.monitor;
        monitor.spawn(async {
            loop {
                tokio::time::sleep(TIDY).await;
                metrics::tidy();
            }
        });
        let operations = self.clone();
        monitor.spawn(async move { operations.watch_credentials().await });
        let operations = self.clone();
        monitor.spawn(async move { operations.watch_conditions().await });
        let operations = self.clone();
        monitor.spawn(async move { operations.deliver_alerts().await });
        Ok(())
    }

    /// Answers `/metrics`, `/healthz` and `/readyz` from now on; the address, or `None` where nobody asked for a certain one
    /// and another process has the usual one already.
    ///
    /// # Errors
    /// The address that was asked for cannot be listened on.
    pub async fn listen_for_metrics(&self, asked: Option<SocketAddr>) -> Done<Option<SocketAddr>> {
        let asked = asked.or(self.state().config.metrics.listen);
        let address = asked.unwrap_or(crate::config::Metrics::DEFAULT);
        let listener = match TcpListener::bind(address).await {
            Ok(listener) => listener,
            Err(error) if asked.is_none() => {
                tracing::warn!(%address, %error, "no metrics: the usual address cannot be listened on");
                return Ok(None);
            }
            Err(error) => {
                return Err(Problem::new(
                    ErrorClass::Config,
                    format!("cannot listen on {address} for metrics: {error}"),
                )
                .remedy("choose another with listen in [metrics] or --metrics"));
            }
        };
        let address = listener.local_addr().unwrap_or(address);
        let serve = server::serve(self.clone(), listener);
        self.inner.monitor.spawn(serve);
        Ok(Some(address))
    }

    async fn watch_conditions(&self) {
        let mut watch = Watch::default();
        let mut complaint = Complaint::new("alert conditions could not be weighed");
        loop {
            let state = self.state();
            let alerts = &state.config.alerts;
            if channel(alerts).is_some() {
                let limits = Limits {
                    failed: alerts.failed.count,
                    within: alerts.failed.within.duration(),
                    stalled: alerts.stalled.duration(),
                    cooldown: alerts.cooldown.duration(),
                };
                let (store, connections) = (&self.inner.store, self.connections());
                let weighed = watch.weigh(store, &limits, &connections, Timestamp::now());
                complaint.hear(weighed.await);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn deliver_alerts(&self) {
        let mut complaint = Complaint::new("alerts could not be looked for");
        loop {
            let state = self.state();
            let config = &state.config;
            if let Some(channel) = channel(&config.alerts) {
                let (store, environment) = (&self.inner.store, &config.environment);
                let delivered = alert::deliver(store, &channel, config.folder(), environment);
                complaint.hear(delivered.await);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Conditions that hold or have held.
    pub async fn alerts(&self) -> Done<Vec<Alert>> {
        Ok(self.inner.store.alerts().await?)
    }

    /// True if the store answers soon.
    pub async fn is_alive(&self) -> bool {
        self.store_finding().await.level == Level::Ok
    }

    /// Sends a test message the way alerts go.
    ///
    /// # Errors
    /// There is no way, or it failed.
    pub async fn test_alert(&self) -> Done<()> {
        let state = self.state();
        let config = &state.config;
        let channel = channel(&config.alerts).ok_or_else(|| {
            Problem::new(
                ErrorClass::Config,
                "[alerts] has neither webhook nor command: nobody is told of anything",
            )
            .remedy("add one of them, see config.example.toml")
        })?;
        let place = match config.environment.as_str() {
            "" => "Tramline".to_owned(),
            environment => format!("Tramline ({environment})"),
        };
        let notice = Notice {
            text: format!("{place}: this is a test; alerts arrive"),
            condition: "test".to_owned(),
            connection: String::new(),
            state: "firing",
            environment: config.environment.clone(),
            at: Timestamp::now(),
        };
        channel.send(&notice, config.folder()).await
    }

    /// What `check` says of alerts and of the metrics' port. Nothing is sent.
    pub(super) async fn check_monitor(&self) -> Vec<Finding> {
        let state = self.state();
        let config = &state.config;
        let mut findings = Vec::new();
        findings.push(match channel(&config.alerts) {
            None => Finding::ok("alerts", "neither webhook nor command: nobody is told"),
            Some(channel) => match channel.check(config.folder()).await {
                Ok(what) => Finding::ok("alerts", what),
                Err(problem) => {
                    let mut finding = Finding::error("alerts", problem.message);
                    finding.remedy = problem.remedy;
                    finding
                }
            },
        });
        if let Some(address) = config.metrics.listen
            && !address.ip().is_loopback()
        {
            findings.push(
                Finding::warning(
                    "metrics",
                    format!("whoever reaches {address} can read them"),
                )
                .remedy("listen on 127.0.0.1, or let a firewall see to it"),
            );
        }
        findings
    }
}

/// Logs what fails look after look once, until it works again.
struct Complaint {
    text: &'static str,
    made: bool,
}

impl Complaint {
    fn new(text: &'static str) -> Self {
        Self { text, made: false }
    }

    fn hear(&mut self, result: Result<(), StoreError>) {
        if let Err(error) = &result
            && !self.made
        {
            tracing::error!(%error, "{}", self.text);
        }
        self.made = result.is_err();
    }
}

/// Whom `[alerts]` says to tell.
fn channel(alerts: &Alerts) -> Option<Channel> {
    match (&alerts.webhook, &alerts.command) {
        (Some(reference), _) => Some(Channel::Webhook(reference.clone())),
        (None, Some(words)) => Some(Channel::Command(words.clone())),
        (None, None) => None,
    }
}
