//! `tramline init`

use super::{Context, Exit, check, usage};
use crate::config::{self, Config};
use crate::model::Problem;
use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// HighLevel location (sub-account) id
    #[arg(long)]
    location_id: Option<String>,
    /// Environment variable that holds the HighLevel token
    #[arg(long, value_name = "NAME")]
    highlevel_token_env: Option<String>,
    /// Client id of a Marketplace app, to log in by OAuth in place of a token
    #[arg(long, value_name = "ID", conflicts_with = "highlevel_token_env")]
    oauth_client_id: Option<String>,
    /// Environment variable that holds the app's client secret
    #[arg(long, value_name = "NAME", requires = "oauth_client_id")]
    oauth_client_secret_env: Option<String>,
    /// ActiveCampaign API URL
    #[arg(long)]
    url: Option<String>,
    /// Environment variable that holds the ActiveCampaign token
    #[arg(long, value_name = "NAME")]
    activecampaign_token_env: Option<String>,
    /// Shown in the header, such as production or staging
    #[arg(long)]
    environment: Option<String>,
    /// Do not check the accounts afterwards
    #[arg(long)]
    no_check: bool,
}

pub async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Problem> {
    let path = context
        .global
        .config
        .clone()
        .unwrap_or_else(config::default_path);
    if path.exists() {
        return Err(usage(
            format!("{} exists already", path.display()),
            "edit it, or name another with --config FILE",
        ));
    }
    let mut ask = Ask {
        terminal: std::io::stdin().is_terminal(),
    };
    let location = ask.value(
        arguments.location_id,
        "--location-id",
        "HighLevel location id (Settings → Business Profile)",
        None,
    )?;
    let by_app = arguments.oauth_client_id.is_some();
    let highlevel = match arguments.oauth_client_id {
        Some(client_id) => {
            let secret = ask.value(
                arguments.oauth_client_secret_env,
                "--oauth-client-secret-env",
                "Environment variable with the app's client secret",
                Some("GHL_CLIENT_SECRET"),
            )?;
            format!(
                "oauth = {{ client_id = {}, client_secret = {{ env = {} }} }}",
                quoted(&client_id),
                quoted(&secret)
            )
        }
        None => {
            let name = ask.value(
                arguments.highlevel_token_env,
                "--highlevel-token-env",
                "Environment variable with the HighLevel token",
                Some("GHL_TOKEN"),
            )?;
            format!("token = {{ env = {} }}", quoted(&name))
        }
    };
    let url = ask.value(
        arguments.url,
        "--url",
        "ActiveCampaign API URL (Settings → Developer)",
        None,
    )?;
    let activecampaign = ask.value(
        arguments.activecampaign_token_env,
        "--activecampaign-token-env",
        "Environment variable with the ActiveCampaign token",
        Some("ACTIVECAMPAIGN_TOKEN"),
    )?;
    let environment = ask.value(
        arguments.environment,
        "--environment",
        "Environment",
        Some("production"),
    )?;
    let text = format!(
        "# Tramline's configuration; it holds no secret. Every key: config.example.toml of the project.\n\
         environment = {environment}\n\n\
         [highlevel]\nlocation_id = {location}\n{highlevel}\n\n\
         [activecampaign]\nurl = {url}\ntoken = {{ env = {activecampaign} }}\n\n\
         # A mapping: which records go to which contacts. `tramline schemas list` and `tramline fields list` show the names.\n\
         # [mappings.pets]\n\
         # object = \"custom_objects.pets\"\n\
         # email = \"owner_email\"                # or {{ association = \"pet_owner\" }}\n\
         # [mappings.pets.fields]               # contact field = record field or template\n\
         # first_name = \"owner_first_name\"\n\
         # \"%PET_NAME%\" = \"name\"\n",
        environment = quoted(&environment),
        location = quoted(&location),
        url = quoted(&url),
        activecampaign = quoted(&activecampaign),
    );
    // Refused here rather than at the next start, and before anything is written.
    let config = Config::parse(&text, &path)?;
    // The store may belong to other accounts: that is known before a file is left behind that cannot be used.
    let operations = if arguments.no_check {
        None
    } else {
        Some(context.open_with(config, false).await?)
    };
    write(&path, &text).map_err(|error| {
        usage(
            format!("{} cannot be written: {error}", path.display()),
            "name another with --config FILE",
        )
    })?;
    context.output.note(&format!("wrote {}", path.display()));
    if by_app {
        let next = "now run `tramline login highlevel`, then `tramline check`";
        context.output.note(next);
        if let Some(operations) = operations {
            operations.close().await;
        }
        return Ok(Exit::Done);
    }
    let Some(operations) = operations else {
        return Ok(Exit::Done);
    };
    let findings = operations.check().await;
    operations.close().await;
    check::print(context, &findings);
    Ok(
        if findings
            .iter()
            .any(|finding| finding.level == crate::model::Level::Error)
        {
            Exit::Failed
        } else {
            Exit::Done
        },
    )
}

fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string().trim().to_owned()
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

struct Ask {
    terminal: bool,
}

impl Ask {
    /// The flag's value, else what the person types, else the default; without a terminal a missing flag is
    /// an error unless there is a default.
    fn value(
        &mut self,
        flag: Option<String>,
        name: &str,
        question: &str,
        default: Option<&str>,
    ) -> Result<String, Problem> {
        if let Some(value) = flag {
            return Ok(value);
        }
        if !self.terminal {
            return default.map(str::to_owned).ok_or_else(|| {
                usage(
                    format!("{name} is needed where there is no terminal to ask on"),
                    "give it",
                )
            });
        }
        loop {
            match default {
                Some(default) => eprint!("{question} [{default}]: "),
                None => eprint!("{question}: "),
            }
            let _ = std::io::stderr().flush();
            let mut line = String::new();
            let read = std::io::stdin()
                .lock()
                .read_line(&mut line)
                .map_err(|error| {
                    usage(
                        format!("the answer cannot be read: {error}"),
                        "use the flags",
                    )
                })?;
            match (line.trim(), default) {
                ("", Some(default)) => return Ok(default.to_owned()),
                ("", None) if read == 0 => return Err(usage("no answer", format!("give {name}"))),
                ("", None) => {}
                (answer, _) => return Ok(answer.to_owned()),
            }
        }
    }
}
