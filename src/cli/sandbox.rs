//! `tramline sandbox`

use super::{Context, Exit, signals};
use crate::model::Problem;
use crate::operations::sandbox::{self, SandboxOptions};
use std::net::SocketAddr;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where the simulated HighLevel listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4010")]
    highlevel: SocketAddr,
    /// Where the simulated ActiveCampaign listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4011")]
    activecampaign: SocketAddr,
    /// Number of pet records
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    records: usize,
    /// Do not enforce rate limits
    #[arg(long)]
    no_limits: bool,
    /// Milliseconds a bulk import takes
    #[arg(long, value_name = "MS", default_value_t = 600)]
    import_delay: u64,
    /// Send signed webhooks for changes of records there, such as http://127.0.0.1:8787/webhooks/highlevel
    #[arg(long, value_name = "URL")]
    webhooks: Option<String>,
}

pub async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Problem> {
    let sandbox = sandbox::start(SandboxOptions {
        highlevel: arguments.highlevel,
        activecampaign: arguments.activecampaign,
        records: arguments.records,
        limits: !arguments.no_limits,
        import_delay: std::time::Duration::from_millis(arguments.import_delay),
        webhooks: arguments.webhooks,
    })
    .await?;
    for line in sandbox.banner().lines() {
        context.output.raw_line(line);
    }
    let exit = signals::stop().await;
    sandbox.stop().await;
    Ok(exit)
}
