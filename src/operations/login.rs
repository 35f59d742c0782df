//! Logging in to HighLevel: a person's consent becomes tokens that renew themselves.

use super::audit::Act;
use super::state::State;
use super::{Done, Operations};
use crate::highlevel::{OAuthToken, SCOPES, code_of, consent_url};
use crate::model::{ConnectionName, ErrorClass, Problem};
use jiff::Timestamp;
use serde::Serialize;
use std::path::PathBuf;

/// What a person is asked to do.
#[derive(Clone, Debug)]
pub struct Consent {
    /// The address to open in a browser.
    pub url: String,
    /// Where the browser is sent afterwards.
    pub redirect_uri: String,
    /// The location to choose.
    pub location_id: String,
}

/// What a login brought.
#[derive(Clone, Debug, Serialize)]
pub struct LoggedIn {
    pub connection: ConnectionName,
    pub location_id: String,
    /// Where the tokens are kept.
    pub file: PathBuf,
    /// When the access token ends; it is renewed before.
    pub expires_at: Option<Timestamp>,
    pub scopes: Vec<String>,
    /// Scopes that Tramline uses and that were not granted.
    pub missing: Vec<String>,
}

impl Operations {
    /// Where a person gives the app of a connection its consent; `redirect_uri` in place of config.toml's.
    ///
    /// # Errors
    /// The connection has a token and no app.
    pub fn consent(
        &self,
        connection: &ConnectionName,
        redirect_uri: Option<&str>,
    ) -> Done<Consent> {
        let state = self.state();
        let (_, settings) = app(&state, connection)?;
        let oauth = settings.oauth.as_ref().ok_or_else(|| no_app(connection))?;
        let redirect_uri = redirect_uri.unwrap_or(&oauth.redirect_uri).to_owned();
        Ok(Consent {
            url: consent_url(&oauth.consent_url, &oauth.client_id, &redirect_uri, &SCOPES)?,
            redirect_uri,
            location_id: settings.location_id.clone(),
        })
    }

    /// Exchanges what came back from the consent (the address, or its code) for tokens and keeps them. Running processes of
    /// this store use them as soon as theirs are refused, at the latest.
    ///
    /// # Errors
    /// The code is refused, the consent was given for another location, or the tokens cannot be kept.
    pub async fn login(
        &self,
        connection: &ConnectionName,
        pasted: &str,
        redirect_uri: &str,
    ) -> Done<LoggedIn> {
        self.writable()?;
        let state = self.state();
        let (token, settings) = app(&state, connection)?;
        let code = code_of(pasted)?;
        let act = Act::new("login", settings.location_id.as_str()).of(connection);
        let doing = async { Ok(token.login(&code, redirect_uri).await?) };
        self.audited(act, doing, |_| None).await?;
        let scopes = token.scopes().await?;
        tracing::info!(%connection, location = %settings.location_id, "logged in to HighLevel");
        Ok(LoggedIn {
            connection: connection.clone(),
            location_id: settings.location_id.clone(),
            file: token.file().to_owned(),
            expires_at: token.expires_at().await,
            missing: scopes.as_deref().map(missing).unwrap_or_default(),
            scopes: scopes.unwrap_or_default(),
        })
    }
}

/// The scopes that Tramline uses and that are not among these.
pub(super) fn missing(granted: &[String]) -> Vec<String> {
    SCOPES
        .iter()
        .filter(|scope| !granted.iter().any(|granted| granted == *scope))
        .map(|scope| (*scope).to_owned())
        .collect()
}

fn app<'a>(
    state: &'a State,
    connection: &ConnectionName,
) -> Done<(&'a OAuthToken, &'a crate::config::HighLevel)> {
    let opened = state.open_account(connection)?;
    let settings = state.config.connections.get(connection);
    match (opened.highlevel.app(), settings) {
        (Some(token), Some(settings)) => Ok((token, &settings.highlevel)),
        _ => Err(no_app(connection)),
    }
}

fn no_app(connection: &ConnectionName) -> Problem {
    Problem::new(
        ErrorClass::Config,
        format!("the connection `{connection}` opens HighLevel with a token: there is nothing to log in to"),
    )
    .remedy("in config.toml, write oauth = { client_id = …, client_secret = … } in place of token")
}
