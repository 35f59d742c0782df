//! Starting what makes jobs by itself: the webhook receiver, polling, schedules, the daily reconcile.

use super::audit::Act;
use super::state::State;
use super::{Done, Operations};
use crate::highlevel::WebhookKey;
use crate::model::{ErrorClass, MappingName, Problem};
use crate::secret::Secret;
use crate::triggers::{self, Room, Trust};
use std::net::SocketAddr;

pub use crate::triggers::{Listening, Reconciled};

impl Operations {
    /// Receives webhooks, polls and keeps schedules in this process from now on. `listen` overrules config.toml; an address
    /// that another worker has is stood by for, unless it was asked for here.
    ///
    /// # Errors
    /// The address cannot be listened on, or the key cannot be read.
    pub async fn start_triggers(&self, listen: Option<SocketAddr>) -> Done<Listening> {
        self.writable()?;
        let address = listen.unwrap_or(self.state().config.webhooks.listen);
        let trust = webhook_trust(&self.state()).await?;
        let listening = self
            .inner
            .triggers
            .receive(address, listen.is_some(), trust, Room::default())
            .await;
        let listening = listening.map_err(|error| {
            Problem::new(
                ErrorClass::Config,
                format!("cannot listen on {address} for webhooks: {error}"),
            )
            .remedy("choose another address with --listen or with listen in [webhooks]")
        })?;
        self.inner.triggers.keep_times();
        Ok(listening)
    }

    /// Works off the webhooks that are in the store.
    pub async fn work_off_webhooks(&self) -> Done<()> {
        self.writable()?;
        self.inner.triggers.drain().await
    }

    /// What became of the requests to the receiver so far, each count with its verdict's name.
    pub fn webhook_verdicts(&self) -> Vec<(&'static str, u64)> {
        self.inner.triggers.verdicts().snapshot().to_vec()
    }

    /// The daily reconcile of a mapping, now: walks its object and compares with what was announced since the last one. What
    /// was missed is enqueued.
    ///
    /// # Errors
    /// HighLevel or the store failed; nothing was enqueued of what is missing in the report.
    pub async fn reconcile(&self, mapping: &MappingName) -> Done<Reconciled> {
        self.writable()?;
        let state = self.state();
        let (spec, connection) = state.spec(mapping)?;
        let last = self.reconciled(mapping).await?;
        let doing = async {
            let since = last.map(|last| last.at);
            let engine = &self.inner.engine;
            let report = triggers::reconcile(engine, &connection, mapping, spec, since).await?;
            report.ok_or_else(|| {
                let message = format!("config.toml has no connection `{connection}`");
                Problem::new(ErrorClass::Config, message)
            })
        };
        let act = Act::new("reconcile", mapping.as_str()).of(&connection);
        let report = self
            .audited(act, doing, |report| Some(report.enqueued))
            .await?;
        self.inner.engine.wake();
        Ok(report)
    }

    /// What the last daily reconcile of a mapping found; `None` before the first.
    pub async fn reconciled(&self, mapping: &MappingName) -> Done<Option<Reconciled>> {
        let state = self.state();
        let (_, connection) = state.spec(mapping)?;
        triggers::last_reconciled(&self.inner.store, &connection, mapping).await
    }
}

/// What config.toml says of webhooks to be believed: key, app, age and token.
pub(super) async fn webhook_trust(state: &State) -> Done<Trust> {
    let settings = &state.config.webhooks;
    Ok(Trust {
        key: webhook_key(state).await?,
        app: settings.app_id.clone(),
        max_age: settings.max_age.0,
        token: settings
            .token
            .clone()
            .map(|token| Secret::new(token, state.config.folder())),
    })
}

/// The key that verifies webhooks: config.toml's, else the published one.
pub(super) async fn webhook_key(state: &State) -> Done<WebhookKey> {
    let settings = &state.config.webhooks;
    let (text, what) = match &settings.public_key {
        None => {
            return WebhookKey::published()
                .map_err(|error| Problem::new(ErrorClass::Config, error.to_string()));
        }
        Some(reference) => (
            reference.read_text(state.config.folder()).await?,
            reference.to_string(),
        ),
    };
    WebhookKey::parse(&text).map_err(|error| {
        Problem::new(
            ErrorClass::Config,
            format!("[webhooks] public_key ({what}): {error}"),
        )
        .remedy("leave it out to use HighLevel's published key")
    })
}
