//! Where a client gets its token from.

use crate::model::Problem;
use futures_util::future::BoxFuture;
use secrecy::SecretString;

/// A source of a token. Clients ask before every request, so a rotated token is used at once.
pub trait Token: Send + Sync {
    /// The token now.
    ///
    /// # Errors
    /// The reference cannot be resolved: an unset variable, a failing command.
    fn current(&self) -> BoxFuture<'_, Result<SecretString, Problem>>;

    /// Gets another token after this one was refused. True if there is another one now; also if somebody else got it
    /// meanwhile.
    ///
    /// # Errors
    /// As [`Token::current`].
    fn refresh<'a>(&'a self, refused: &'a SecretString) -> BoxFuture<'a, Result<bool, Problem>>;
}

/// A token that never changes.
pub struct FixedToken(pub SecretString);

impl FixedToken {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }
}

impl Token for FixedToken {
    fn current(&self) -> BoxFuture<'_, Result<SecretString, Problem>> {
        Box::pin(async { Ok(self.0.clone()) })
    }

    fn refresh<'a>(&'a self, _refused: &'a SecretString) -> BoxFuture<'a, Result<bool, Problem>> {
        Box::pin(async { Ok(false) })
    }
}
