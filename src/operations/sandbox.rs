//! The sandbox as a command of its own.

use super::Done;
use crate::model::{ErrorClass, Problem};
use crate::sandbox::{Options, Sandbox, Subscription, banner};
use std::net::SocketAddr;
use std::time::Duration;

/// How a sandbox is to be set up.
pub struct SandboxOptions {
    pub highlevel: SocketAddr,
    pub activecampaign: SocketAddr,
    /// Number of pet records.
    pub records: usize,
    /// Whether rate limits are enforced.
    pub limits: bool,
    /// Time a bulk import takes.
    pub import_delay: Duration,
    /// Where webhooks go; they are signed with the sandbox's own key.
    pub webhooks: Option<String>,
}

/// A sandbox that runs.
pub struct Running {
    sandbox: Sandbox,
}

/// Starts both simulated APIs.
///
/// # Errors
/// An address cannot be listened on.
pub async fn start(options: SandboxOptions) -> Done<Running> {
    let addresses = format!("{} and {}", options.highlevel, options.activecampaign);
    let sandbox = Sandbox::start(Options {
        highlevel: options.highlevel,
        activecampaign: options.activecampaign,
        records: options.records,
        limits: options.limits,
        import_delay: options.import_delay,
        ..Options::default()
    })
    .await
    .map_err(|error| {
        Problem::new(
            ErrorClass::Config,
            format!("cannot listen on {addresses}: {error}"),
        )
        .remedy("choose other ports with --highlevel and --activecampaign")
    })?;
    let subscription = options.webhooks.map(Subscription::to);
    if !sandbox.control().subscribe(subscription) {
        return Err(Problem::new(
            ErrorClass::Config,
            "--webhooks takes an address that begins with http://",
        )
        .remedy("a rehearsal stays on this machine or its network"));
    }
    Ok(Running { sandbox })
}

impl Running {
    /// Addresses, tokens and a ready configuration.
    pub fn banner(&self) -> String {
        banner(&self.sandbox)
    }

    /// Ends both APIs.
    pub async fn stop(self) {
        self.sandbox.stop().await;
    }
}
