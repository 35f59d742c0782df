//! What opens an account: a token that somebody else keeps, or an app's tokens that renew themselves.

use super::Done;
use crate::highlevel::OAuthToken;
use crate::http::Token;
use crate::model::Problem;
use crate::secret::Secret;
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use std::sync::Arc;

/// How a HighLevel location is opened.
#[derive(Clone)]
pub enum Credential {
    /// A Private Integration Token.
    Private(Arc<Secret>),
    /// A Marketplace app.
    App {
        token: OAuthToken,
        client_secret: Arc<Secret>,
    },
}

impl Credential {
    /// The same for a client.
    pub fn token(&self) -> Arc<dyn Token> {
        match self {
            Self::Private(secret) => Arc::new(SecretToken(Arc::clone(secret))),
            Self::App { token, .. } => Arc::new(AppToken(token.clone())),
        }
    }

    /// The app's tokens, if it is an app.
    pub fn app(&self) -> Option<&OAuthToken> {
        match self {
            Self::Private(_) => None,
            Self::App { token, .. } => Some(token),
        }
    }

    /// Reads everything again that somebody may have replaced; true if something is different.
    ///
    /// # Errors
    /// It cannot be read; what is in use stays.
    pub async fn read_again(&self) -> Done<bool> {
        match self {
            Self::Private(secret) => secret.refresh().await,
            Self::App {
                token,
                client_secret,
            } => {
                let secret = client_secret.refresh().await;
                Ok(token.read_again().await? | secret?)
            }
        }
    }
}

/// An app's token as the clients ask for it; each is hidden from the log, since no reference leads to it.
struct AppToken(OAuthToken);

impl Token for AppToken {
    fn current(&self) -> BoxFuture<'_, Result<SecretString, Problem>> {
        Box::pin(async {
            let token = self.0.current().await?;
            crate::secret::remember(&token);
            Ok(token)
        })
    }

    fn refresh<'a>(&'a self, refused: &'a SecretString) -> BoxFuture<'a, Result<bool, Problem>> {
        self.0.refresh(refused)
    }
}

/// A secret as the clients ask for it.
pub struct SecretToken(pub Arc<Secret>);

impl Token for SecretToken {
    fn current(&self) -> BoxFuture<'_, Result<SecretString, Problem>> {
        Box::pin(self.0.current())
    }

    fn refresh<'a>(&'a self, refused: &'a SecretString) -> BoxFuture<'a, Result<bool, Problem>> {
        Box::pin(self.0.refused(refused))
    }
}
