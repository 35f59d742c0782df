//! The tokens in force: renewed in time, by one task of one process, on disk before they are used.

use super::file::{Kept, TokenFile, Turn};
use super::grant::Grant;
use crate::http::{ApiError, Clock, FormPost, Token};
use crate::model::{ErrorClass, Problem};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// For this long after a refresh token was used, asking again with it gives the same answer (fact sheet §1.3, reported):
/// a lost answer is asked for again within it, some time left for the way.
const GRACE: Duration = Duration::from_secs(28);
/// Pause between two asks of one renewal.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// What was refused is not asked for again at once: jobs would ask without end.
const REFUSED_FOR: Duration = Duration::from_secs(60);
/// After a renewal in vain while the access token is still good.
const FAILED_FOR: Duration = Duration::from_secs(10);

/// An app that was installed in a location.
pub struct OAuthApp {
    pub client_id: String,
    pub client_secret: Arc<dyn Token>,
    /// The location that must have been chosen at the consent.
    pub location_id: String,
    /// Where the tokens are kept.
    pub file: PathBuf,
    /// The command that a person logs in with, for remedies.
    pub login: String,
    pub clock: Arc<dyn Clock>,
}

/// The app's tokens. Clones share them.
#[derive(Clone)]
pub struct OAuthToken {
    inner: Arc<Inner>,
}

struct Inner {
    app: OAuthApp,
    post: FormPost,
    file: TokenFile,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// What is used now: it is in the file.
    grant: Option<Grant>,
    /// What was answered and could not be written yet: it must not be used.
    unsaved: Option<Grant>,
    /// A refresh token that was refused, when, and how.
    refused: Option<(SecretString, Instant, Problem)>,
    /// When a renewal failed for a reason that passes.
    failed: Option<Instant>,
    /// When a refused access token was last renewed before its time: a token that lacks a scope is refused as well, and
    /// renewing it helps nothing.
    forced: Option<Instant>,
}

impl State {
    /// Uses other tokens from now on.
    fn adopt(&mut self, grant: Grant) {
        *self = Self {
            grant: Some(grant),
            forced: self.forced,
            ..Self::default()
        };
    }
}

impl OAuthToken {
    /// Tokens that are read from their file when they are first needed.
    pub(crate) fn new(app: OAuthApp, post: FormPost) -> Self {
        let file = TokenFile::new(app.file.clone());
        Self {
            inner: Arc::new(Inner {
                app,
                post,
                file,
                state: Arc::default(),
            }),
        }
    }

    /// Where the tokens are kept.
    pub fn file(&self) -> &Path {
        self.inner.file.path()
    }

    /// Exchanges the code of a consent for tokens and keeps them.
    ///
    /// # Errors
    /// The code is refused, the consent was given for another location, or the tokens cannot be written.
    pub async fn login(&self, code: &str, redirect_uri: &str) -> Result<(), Problem> {
        let mut state = Arc::clone(&self.inner.state).lock_owned().await;
        let (inner, code, redirect_uri) = (
            Arc::clone(&self.inner),
            code.to_owned(),
            redirect_uri.to_owned(),
        );
        // A code is used once: a caller that goes away must not take the answer along.
        finished(tokio::spawn(async move {
            let _turn = inner.file.turn().await?;
            let fields = [
                ("grant_type", "authorization_code"),
                ("code", code.as_str()),
                ("redirect_uri", redirect_uri.as_str()),
            ];
            let grant =
                inner
                    .ask(&fields, &[&code], None)
                    .await
                    .map_err(|error| match error.class {
                        ErrorClass::Transient | ErrorClass::Throttled | ErrorClass::Store => {
                            Problem::from(error)
                        }
                        _ => inner.refusal("the code", &error),
                    })?;
            inner.check_location(&grant)?;
            inner.keep(&grant)?;
            state.adopt(grant);
            Ok(())
        }))
        .await
    }

    /// The scopes that were granted; `None` if HighLevel did not tell.
    ///
    /// # Errors
    /// Nobody logged in, or the tokens cannot be renewed.
    pub async fn scopes(&self) -> Result<Option<Vec<String>>, Problem> {
        self.current().await?;
        let state = self.inner.state.lock().await;
        let scope = state.grant.as_ref().and_then(|grant| grant.scope.as_ref());
        Ok(scope.map(|scope| scope.split_whitespace().map(str::to_owned).collect()))
    }

    /// When the access token ends; `None` if that is not known.
    pub async fn expires_at(&self) -> Option<Timestamp> {
        let state = self.inner.state.lock().await;
        state.grant.as_ref().and_then(|grant| grant.expires_at)
    }

    /// Reads the file again: somebody may have logged in. True if the tokens are others now.
    ///
    /// # Errors
    /// The file cannot be read; what is in use stays.
    pub async fn read_again(&self) -> Result<bool, Problem> {
        let mut state = self.inner.state.lock().await;
        let kept = self.inner.kept()?;
        let same = state
            .grant
            .as_ref()
            .is_some_and(|grant| grant.opens_with(&kept.grant.access));
        state.adopt(kept.grant);
        state.forced = None;
        Ok(!same)
    }

    async fn renew(
        &self,
        mut state: OwnedMutexGuard<State>,
        refused: Option<SecretString>,
    ) -> Result<(), Problem> {
        let inner = Arc::clone(&self.inner);
        // A caller that goes away must not take the only copy of a new refresh token along.
        finished(tokio::spawn(async move {
            inner.renewed(&mut state, refused.as_ref()).await
        }))
        .await
    }
}

/// The result of a task that ran to its end.
async fn finished(task: tokio::task::JoinHandle<Result<(), Problem>>) -> Result<(), Problem> {
    task.await.unwrap_or_else(|error| {
        Err(Problem::new(
            ErrorClass::Transient,
            format!("the token was not renewed: {error}"),
        ))
    })
}

impl Inner {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.app.clock.now_micros()).unwrap_or_default()
    }

    /// What the file holds for this app and location.
    fn kept(&self) -> Result<Kept, Problem> {
        let problem = |message: String| {
            Problem::new(ErrorClass::Auth, message).remedy(format!("run {}", self.app.login))
        };
        let kept = self.file.read().map_err(|error| match error.class {
            ErrorClass::Auth => problem(error.message),
            _ => error,
        })?;
        let Some(kept) = kept else {
            return Err(problem(format!(
                "nobody has logged in to HighLevel yet: there is no {}",
                self.file.path().display()
            )));
        };
        if kept.client_id != self.app.client_id || kept.location_id != self.app.location_id {
            return Err(problem(format!(
                "the tokens in {} are of another app or location than config.toml names",
                self.file.path().display()
            )));
        }
        Ok(kept)
    }

    fn keep(&self, grant: &Grant) -> Result<(), Problem> {
        self.write(grant, None)
    }

    fn write(&self, grant: &Grant, asked_at: Option<Timestamp>) -> Result<(), Problem> {
        self.file.write(&Kept {
            client_id: self.app.client_id.clone(),
            location_id: self.app.location_id.clone(),
            grant: grant.clone(),
            asked_at,
        })
    }

    /// Makes sure that tokens are in force which are not due, and not the refused one.
    async fn renewed(
        &self,
        state: &mut State,
        refused: Option<&SecretString>,
    ) -> Result<(), Problem> {
        let turn = self.file.turn().await?;
        if let Some(unsaved) = state.unsaved.clone() {
            self.keep(&unsaved)?;
            state.adopt(unsaved);
        }
        let kept = self.kept()?;
        let stale = |grant: &Grant| refused.is_some_and(|refused| grant.opens_with(refused));
        let now = self.now();
        if kept.asked_at.is_none() && !kept.grant.is_due(now) && !stale(&kept.grant) {
            // Another process was here before.
            state.adopt(kept.grant);
            return Ok(());
        }
        let usable = kept.grant.is_good(now) && !stale(&kept.grant);
        let known = state.refused.as_ref().filter(|(token, at, _)| {
            token.expose_secret() == kept.grant.refresh.expose_secret()
                && at.elapsed() < REFUSED_FOR
        });
        if let Some((_, _, problem)) = known {
            let problem = problem.clone();
            return self.make_do(state, kept.grant, usable, problem);
        }
        if usable && state.failed.is_some_and(|at| at.elapsed() < FAILED_FOR) {
            state.grant = Some(kept.grant);
            return Ok(());
        }
        match self.refreshed(&turn, &kept).await {
            Ok(grant) => match self.keep(&grant) {
                Ok(()) => {
                    tracing::info!(location = %self.app.location_id, "the HighLevel token was renewed");
                    state.adopt(grant);
                    Ok(())
                }
                Err(problem) => {
                    state.unsaved = Some(grant);
                    Err(problem)
                }
            },
            Err(problem) if problem.class == ErrorClass::Auth => {
                state.refused = Some((kept.grant.refresh.clone(), Instant::now(), problem.clone()));
                // It was answered: nothing is under way any more.
                self.write(&kept.grant, None)?;
                self.make_do(state, kept.grant, usable, problem)
            }
            Err(problem) => {
                state.failed = Some(Instant::now());
                self.make_do(state, kept.grant, usable, problem)
            }
        }
    }

    /// Goes on with an access token that is still good, though it cannot be renewed.
    fn make_do(
        &self,
        state: &mut State,
        grant: Grant,
        usable: bool,
        problem: Problem,
    ) -> Result<(), Problem> {
        if !usable {
            return Err(problem);
        }
        tracing::warn!(%problem, "the HighLevel token cannot be renewed; the old one is good for a while");
        state.grant = Some(grant);
        Ok(())
    }

    /// Asks for new tokens, again and again while the answer may only be lost.
    async fn refreshed(&self, _turn: &Turn, kept: &Kept) -> Result<Grant, Problem> {
        // Whoever finds this mark under the lock knows that an answer was lost, and asks again while that may help.
        self.write(&kept.grant, Some(kept.asked_at.unwrap_or(self.now())))?;
        let token = kept.grant.refresh.expose_secret();
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
        let start = Instant::now();
        let error = loop {
            let error = match self.ask(&fields, &[token], Some(&kept.grant.refresh)).await {
                Ok(grant) => {
                    self.check_location(&grant)?;
                    return Ok(grant);
                }
                Err(error) => error,
            };
            let passes = matches!(error.class, ErrorClass::Transient | ErrorClass::Throttled);
            let wait = error.retry_after.unwrap_or(ASK_AGAIN).max(ASK_AGAIN);
            if !passes || start.elapsed() + wait > GRACE {
                break error;
            }
            tokio::time::sleep(wait).await;
        };
        Err(match error.class {
            ErrorClass::Transient | ErrorClass::Throttled | ErrorClass::Store => {
                Problem::from(error)
            }
            _ => {
                let mut problem = self.refusal("the refresh token", &error);
                if let Some(at) = kept.asked_at {
                    problem.message.push_str(&format!(
                        "; a renewal begun at {} was never answered, and a refresh token is used once",
                        at.strftime("%Y-%m-%d %H:%M:%S UTC")
                    ));
                }
                problem
            }
        })
    }

    /// One request for tokens.
    async fn ask(
        &self,
        fields: &[(&str, &str)],
        secrets: &[&str],
        before: Option<&SecretString>,
    ) -> Result<Grant, ApiError> {
        let api = self.post.api;
        let mut reread = false;
        loop {
            let secret = self
                .app
                .client_secret
                .current()
                .await
                .map_err(|problem| ApiError::before_sending(api, problem))?;
            let mut all = vec![
                ("client_id", self.app.client_id.as_str()),
                ("client_secret", secret.expose_secret()),
                ("user_type", "Location"),
            ];
            all.extend(fields);
            let mut hidden = vec![secret.expose_secret()];
            hidden.extend(secrets);
            let now = self.now();
            match self.post.post("/oauth/token", &all, &hidden).await {
                Ok(answer) => {
                    return Grant::of_answer(&answer.body, before, now).ok_or_else(|| {
                        let message = "the answer to the request for tokens is not as documented";
                        let mut error = ApiError::new(api, ErrorClass::Transient, message);
                        error.status = Some(answer.status);
                        error.ambiguous = true;
                        error
                    });
                }
                // The client secret may have been rotated.
                Err(error) if error.status == Some(401) && !reread => {
                    reread = true;
                    let changed = self.app.client_secret.refresh(&secret).await;
                    if !changed.map_err(|problem| ApiError::before_sending(api, problem))? {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// HighLevel said no.
    fn refusal(&self, what: &str, error: &ApiError) -> Problem {
        Problem {
            status: error.status,
            request_id: error.request_id.clone(),
            ..Problem::new(
                ErrorClass::Auth,
                format!("HighLevel refuses {what}: {}", error.message),
            )
            .remedy(format!(
                "run {}; if that is refused as well, compare oauth in config.toml with the app",
                self.app.login
            ))
        }
    }

    /// Tokens of another location would read and write somebody else's records.
    fn check_location(&self, grant: &Grant) -> Result<(), Problem> {
        match &grant.location {
            Some(location) if *location != self.app.location_id => Err(Problem::new(
                ErrorClass::Auth,
                format!(
                    "the consent was given for location {location}, and config.toml names {}",
                    self.app.location_id
                ),
            )
            .remedy(format!(
                "run {} and choose that location, or correct location_id",
                self.app.login
            ))),
            Some(_) => Ok(()),
            // An agency's token names none, and opens no records (fact sheet §1.3).
            None => Err(Problem::new(
                ErrorClass::Auth,
                "the consent was given for no location: HighLevel answered with an agency's token",
            )
            .remedy(format!(
                "run {} and choose the location at the consent",
                self.app.login
            ))),
        }
    }
}

impl Token for OAuthToken {
    fn current(&self) -> BoxFuture<'_, Result<SecretString, Problem>> {
        Box::pin(async {
            let mut state = Arc::clone(&self.inner.state).lock_owned().await;
            let now = self.inner.now();
            if state.grant.is_none() && state.unsaved.is_none() {
                let kept = self.inner.kept()?;
                if kept.asked_at.is_none() && !kept.grant.is_due(now) {
                    state.adopt(kept.grant);
                }
            }
            match &state.grant {
                Some(grant) if !grant.is_due(now) => Ok(grant.access.clone()),
                _ => {
                    self.renew(state, None).await?;
                    let state = self.inner.state.lock().await;
                    let grant = state.grant.as_ref().ok_or_else(lost)?;
                    Ok(grant.access.clone())
                }
            }
        })
    }

    fn refresh<'a>(&'a self, refused: &'a SecretString) -> BoxFuture<'a, Result<bool, Problem>> {
        Box::pin(async move {
            let mut state = Arc::clone(&self.inner.state).lock_owned().await;
            let other = |state: &State| {
                let grant = state.grant.as_ref();
                grant.is_some_and(|grant| !grant.opens_with(refused))
            };
            if other(&state) {
                return Ok(true);
            }
            if state.forced.is_some_and(|at| at.elapsed() < REFUSED_FOR) {
                // Another process or a person may have brought other tokens.
                let kept = self.inner.kept()?;
                if !kept.grant.opens_with(refused) {
                    state.adopt(kept.grant);
                    return Ok(true);
                }
                // Whoever comes second hears as well that the renewal was refused, and what to do.
                return match &state.refused {
                    Some((_, at, problem)) if at.elapsed() < REFUSED_FOR => Err(problem.clone()),
                    _ => Ok(false),
                };
            }
            state.forced = Some(Instant::now());
            self.renew(state, Some(refused.clone())).await?;
            Ok(other(&*self.inner.state.lock().await))
        })
    }
}

fn lost() -> Problem {
    Problem::new(ErrorClass::Transient, "the token was replaced meanwhile")
}
