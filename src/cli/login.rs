//! `tramline login`

use super::{Context, Exit, signals, usage};
use crate::model::Problem;
use crate::operations::login::{Consent, LoggedIn};
use std::io::Write;

#[derive(Debug, clap::Subcommand)]
pub enum Account {
    /// Give a Marketplace app consent to a location and keep its tokens
    Highlevel(Arguments),
}

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The connection, where config.toml has several
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// The app's redirect URL [default: redirect_uri of oauth in config.toml]
    #[arg(long, value_name = "URL")]
    redirect_uri: Option<String>,
    /// The address that the browser was sent to, or its code; without it, it is asked for
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
}

pub async fn run(context: &Context, account: Account) -> Result<Exit, Problem> {
    let Account::Highlevel(arguments) = account;
    let operations = context.open(false).await?;
    let connection = operations.connection(arguments.connection.as_deref())?;
    let consent = operations.consent(&connection, arguments.redirect_uri.as_deref())?;
    let pasted = match arguments.code {
        Some(code) => code,
        None => {
            explain(context, &consent);
            tokio::select! {
                pasted = ask() => pasted?,
                exit = signals::stop() => return Ok(exit),
            }
        }
    };
    // Once it is begun it is waited for: a code is used once.
    let done = operations
        .login(&connection, &pasted, &consent.redirect_uri)
        .await;
    operations.close().await;
    print(context, &done?);
    Ok(Exit::Done)
}

fn explain(context: &Context, consent: &Consent) {
    let output = &context.output;
    let url = &consent.url;
    if output.is_json() {
        output.note(url);
    } else {
        output.line(url);
    }
    output.note(&format!(
        "Open this address in a browser, choose the location {} and agree. The browser is then sent to {}?code=…, where \
         nothing needs to answer. Paste that address here, or its code:",
        consent.location_id, consent.redirect_uri
    ));
}

/// A line of standard input. The thread that waits for it is given up when the program ends.
async fn ask() -> Result<String, Problem> {
    let _ = std::io::stderr().flush();
    let (sender, answer) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line).map(|_| line);
        // Nobody waits any more after a signal.
        let _ = sender.send(read);
    });
    let line = answer
        .await
        .unwrap_or_else(|_| Ok(String::new()))
        .map_err(|error| {
            usage(
                format!("the answer cannot be read: {error}"),
                "give it with --code",
            )
        })?;
    match line.trim() {
        "" => Err(usage(
            "no address was pasted",
            "open the address above, then run it again; or give --code",
        )),
        line => Ok(line.to_owned()),
    }
}

fn print(context: &Context, done: &LoggedIn) {
    let output = &context.output;
    if output.is_json() {
        output.document(done);
        return;
    }
    output.line(&format!(
        "logged in to location {}; the tokens are in {} and renew themselves",
        done.location_id,
        done.file.display()
    ));
    for scope in &done.missing {
        output.line(&format!(
            "the scope {scope} was not granted: add it to the app, then log in again"
        ));
    }
}
