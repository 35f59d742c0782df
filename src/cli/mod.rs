//! The command line: one file per command. Arguments in, operation called, table or JSON out.

mod activity;
mod alerts;
mod api;
mod audit;
mod check;
mod contacts;
mod demo;
mod export;
mod exports;
mod fields;
mod init;
mod input;
mod keys;
mod limit;
mod locate;
mod login;
mod mappings;
mod output;
mod queue;
mod reconcile;
mod records;
mod reload;
mod sandbox;
mod schemas;
mod segments;
mod shell;
mod signals;
mod sync;
mod systemd;
mod tui;
mod worker;

use crate::config::{self, Config};
use crate::model::{ErrorClass, Problem};
use crate::operations::{OpenOptions, Operations};
use clap::{CommandFactory, Parser, Subcommand};
use output::Output;
use std::path::PathBuf;

/// How a command ended; the number is the exit code (product.md, Commands).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All done; skipped and superseded records too.
    Done = 0,
    /// It failed, or `check` found an error.
    Failed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// Done, but some records failed or are unknown.
    Partly = 3,
    Interrupted = 130,
    Terminated = 143,
}

impl Exit {
    /// How a command about records ended, of which so many failed: the command itself did what it was told.
    fn of(failed: usize) -> Self {
        match failed {
            0 => Self::Done,
            _ => Self::Partly,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Keeps ActiveCampaign contacts in step with HighLevel custom-object records.
#[derive(Debug, Parser)]
#[command(name = "tramline", version = env!("TRAMLINE_VERSION"), about, arg_required_else_help = false)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    global: Global,
}

#[derive(Debug, clap::Args)]
struct Global {
    /// The configuration [default: $TRAMLINE_CONFIG, else tramline/config.toml in the XDG config folder]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Refuse everything that writes to either API or to the queue
    #[arg(long, global = true)]
    read_only: bool,
    /// Print JSON: one document, or a line for each item of a list
    #[arg(long, global = true)]
    json: bool,
    /// Log more: -v debug, -vv trace
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Open the control room (the same as no command)
    Tui(tui::Arguments),
    /// Try everything on simulated accounts: nothing is kept, no account is needed
    Demo(demo::Arguments),
    /// Write a commented config.toml and check it
    Init(init::Arguments),
    /// Log in by OAuth, where config.toml names an app in place of a token
    #[command(subcommand)]
    Login(login::Account),
    /// Check configuration, credentials, scopes, limits and mappings
    Check,
    /// HighLevel objects and their properties
    #[command(subcommand)]
    Schemas(schemas::Action),
    /// ActiveCampaign contact fields
    #[command(subcommand)]
    Fields(fields::Action),
    /// ActiveCampaign contacts
    #[command(subcommand)]
    Contacts(contacts::Action),
    /// ActiveCampaign segments
    #[command(subcommand)]
    Segments(segments::Action),
    /// Records of HighLevel objects
    #[command(subcommand)]
    Records(records::Action),
    /// Mappings: what they say, what is wrong with them, what they make of a record
    #[command(subcommand)]
    Mappings(mappings::Action),
    /// Sync records now and wait for the result
    Sync(sync::Arguments),
    /// Bring all records of a mapping to their contacts; a second run sends only what changed
    Export(export::Arguments),
    /// Runs of bulk exports
    #[command(subcommand)]
    Exports(exports::Action),
    /// Compare a mapping's records with what was announced, as a worker does once a day; what was missed is enqueued
    Reconcile(reconcile::Arguments),
    /// The sync queue
    #[command(subcommand)]
    Queue(queue::Action),
    /// The log: calls and settled jobs
    Activity(activity::Arguments),
    /// What people did: who, when, what, how many
    Audit(audit::Arguments),
    /// Whom alerts tell, and of what
    #[command(subcommand)]
    Alerts(alerts::Action),
    /// Work the queue without a screen
    Worker(worker::Arguments),
    /// Simulate both APIs, with their rate limits and faults on request
    Sandbox(sandbox::Arguments),
    /// Send one authenticated request through the shared budget
    Api(api::Arguments),
    /// Say where config.toml, store, log and login are
    Locate,
    /// Name the actions of the control room, with the keys that they have
    Keys,
    /// Print completions for a shell
    Completions(shell::Completions),
    /// Print the manual page
    Man,
}

/// Runs the command line to its end.
pub async fn run(cli: Cli) -> Exit {
    let output = Output::new(cli.global.json);
    let context = Context {
        global: cli.global,
        output,
    };
    let command = cli
        .command
        .unwrap_or(Command::Tui(tui::Arguments::default()));
    signals::install(!matches!(command, Command::Tui(_) | Command::Demo(_)));
    // These end in order by themselves; everything else may be dropped where it stands.
    let orderly = matches!(
        command,
        Command::Tui(_)
            | Command::Demo(_)
            | Command::Login(_)
            | Command::Sync(_)
            | Command::Export(_)
            | Command::Exports(_)
            | Command::Worker(_)
            | Command::Sandbox(_)
    );
    let result = tokio::select! {
        result = perform(&context, command) => result,
        exit = signals::stop(), if !orderly => Ok(exit),
    };
    match result {
        Ok(exit) => exit,
        Err(problem) => {
            context.output.problem(&problem);
            if problem.class == ErrorClass::Config {
                Exit::Usage
            } else {
                Exit::Failed
            }
        }
    }
}

async fn perform(context: &Context, command: Command) -> Result<Exit, Problem> {
    match command {
        Command::Tui(arguments) => tui::run(context, arguments).await,
        Command::Demo(arguments) => demo::run(context, arguments).await,
        Command::Init(arguments) => init::run(context, arguments).await,
        Command::Login(account) => login::run(context, account).await,
        Command::Check => check::run(context).await,
        Command::Schemas(action) => schemas::run(context, action).await,
        Command::Fields(action) => fields::run(context, action).await,
        Command::Contacts(action) => contacts::run(context, action).await,
        Command::Segments(action) => segments::run(context, action).await,
        Command::Records(action) => records::run(context, action).await,
        Command::Mappings(action) => mappings::run(context, action).await,
        Command::Sync(arguments) => sync::run(context, arguments).await,
        Command::Export(arguments) => export::run(context, arguments).await,
        Command::Exports(action) => exports::run(context, action).await,
        Command::Reconcile(arguments) => reconcile::run(context, arguments).await,
        Command::Queue(action) => queue::run(context, action).await,
        Command::Activity(arguments) => activity::run(context, arguments).await,
        Command::Audit(arguments) => audit::run(context, arguments).await,
        Command::Alerts(action) => alerts::run(context, action).await,
        Command::Worker(arguments) => worker::run(context, arguments).await,
        Command::Sandbox(arguments) => sandbox::run(context, arguments).await,
        Command::Api(arguments) => api::run(context, arguments).await,
        Command::Locate => locate::run(context),
        Command::Keys => keys::run(context),
        Command::Completions(arguments) => shell::completions(arguments, Cli::command()),
        Command::Man => shell::man(Cli::command()),
    }
}

/// What every command needs: the global options and where to print.
struct Context {
    global: Global,
    output: Output,
}

impl Context {
    fn config(&self) -> Result<Config, Problem> {
        let path = self
            .global
            .config
            .clone()
            .unwrap_or_else(config::default_path);
        let config = Config::read(&path)?;
        crate::tui::check_keys(&config)?;
        Ok(config)
    }

    /// Opens configuration, store and clients. With `worker`, jobs of the queue are worked in this process.
    async fn open(&self, worker: bool) -> Result<Operations, Problem> {
        self.open_with(self.config()?, worker).await
    }

    async fn open_with(&self, config: Config, worker: bool) -> Result<Operations, Problem> {
        Operations::open(config, self.options(worker)).await
    }

    fn options(&self, worker: bool) -> OpenOptions {
        OpenOptions {
            read_only: self.global.read_only,
            worker: worker && !self.global.read_only,
            verbosity: self.global.verbose,
            ..OpenOptions::default()
        }
    }
}

/// A usage error that clap cannot know of.
fn usage(message: impl Into<String>, remedy: impl Into<String>) -> Problem {
    Problem::new(ErrorClass::Config, message).remedy(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::command::CONNECTED;
    use std::collections::BTreeSet;

    /// The paths of the commands that take an option, but for those whose scope is in what they say already.
    fn with_option(command: &clap::Command, path: &[String], found: &mut BTreeSet<String>) {
        if command.get_arguments().any(|a| a.get_id() == "connection") {
            found.insert(path.join(" "));
        }
        for inner in command.get_subcommands() {
            let mut path = path.to_vec();
            path.push(inner.get_name().to_owned());
            with_option(inner, &path, found);
        }
    }

    #[test]
    fn what_the_control_room_knows_of_connections_is_what_the_commands_take() {
        let mut found = BTreeSet::new();
        with_option(&Cli::command(), &[], &mut found);
        // A pause says what it is about: a mapping, or a connection.
        for scoped in ["queue pause", "queue resume"] {
            assert!(found.remove(scoped), "{scoped}");
        }
        let known: BTreeSet<String> = CONNECTED.iter().map(|path| path.join(" ")).collect();
        assert_eq!(found, known);
    }
}
