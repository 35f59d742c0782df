//! `tramline worker`

use super::{Context, Exit, reload, signals, systemd};
use crate::model::Problem;
use crate::operations::triggers::Listening;
use crate::operations::{OpenOptions, Operations};
use std::net::SocketAddr;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where webhooks are received [default: listen in [webhooks], else 127.0.0.1:8787]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Where /metrics, /healthz and /readyz are answered [default: listen in [metrics], else 127.0.0.1:9187]
    #[arg(long, value_name = "ADDR")]
    metrics: Option<SocketAddr>,
    /// Stop when no job is ready and no export runs
    #[arg(long)]
    until_idle: bool,
    /// Milliseconds that a lease lasts, for rehearsals of a worker that stalls
    #[arg(long, hide = true, value_name = "MS", value_parser = clap::value_parser!(u64).range(100..=30_000))]
    lease: Option<u64>,
}

pub async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Problem> {
    if context.global.read_only {
        return Err(super::usage(
            "a worker writes, and --read-only forbids it",
            "leave one of them out",
        ));
    }
    let hang_up = reload::HangUp::listen();
    let options = OpenOptions {
        lease: arguments.lease.map(Duration::from_millis),
        ..context.options(true)
    };
    let operations = Operations::open(context.config()?, options).await?;
    let result = work(context, &operations, &arguments, hang_up).await;
    systemd::stopping();
    operations.close().await;
    result
}

async fn work(
    context: &Context,
    operations: &Operations,
    arguments: &Arguments,
    hang_up: reload::HangUp,
) -> Result<Exit, Problem> {
    operations.start_monitor()?;
    context.output.note(
        &match operations.listen_for_metrics(arguments.metrics).await? {
            Some(address) => format!("metrics at http://{address}/metrics"),
            None => "no metrics: another process has the usual address".to_owned(),
        },
    );
    context.output.note("worker started; stop it with ctrl-c");
    // One that ends by itself takes nothing new, unless it is told where to listen.
    if !arguments.until_idle || arguments.listen.is_some() {
        context.output.note(&match operations.start_triggers(arguments.listen).await? {
            Listening::At(address) => format!("webhooks are received at http://{address}"),
            Listening::Standby(address) => format!(
                "{address} is in use, by another worker perhaps: webhooks are received here once it is free"
            ),
        });
    }
    systemd::ready();
    let idle = async {
        if arguments.until_idle {
            operations.work_off_webhooks().await?;
            operations.idle().await
        } else {
            std::future::pending().await
        }
    };
    tokio::select! {
        result = idle => result.map(|()| Exit::Done),
        exit = signals::stop() => Ok(exit),
        () = systemd::keep_watched(operations) => Ok(Exit::Failed),
        () = reload::follow(hang_up, operations, &context.output) => Ok(Exit::Done),
    }
}
