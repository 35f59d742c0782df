//! The token file: readable by its owner only, replaced as a whole, and locked by whoever renews.

use super::grant::Grant;
use crate::model::{ErrorClass, Problem};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longer than any renewal takes.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// Where the tokens of one connection lie.
#[derive(Clone, Debug)]
pub(super) struct TokenFile {
    path: PathBuf,
}

/// What the file holds.
#[derive(Clone)]
pub(super) struct Kept {
    pub client_id: String,
    pub location_id: String,
    pub grant: Grant,
    /// Since then a renewal is under way. Found under the lock: its answer was lost.
    pub asked_at: Option<Timestamp>,
}

/// The file's text. Not `Debug`: it holds secrets.
#[derive(Serialize, Deserialize)]
struct Text {
    client_id: String,
    location_id: String,
    access_token: String,
    refresh_token: String,
    scope: Option<String>,
    obtained_at: Timestamp,
    expires_at: Option<Timestamp>,
    asked_at: Option<Timestamp>,
}

/// The right to renew, over all processes; given back when it is dropped.
pub(super) struct Turn {
    _lock: File,
}

impl TokenFile {
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until no other process renews.
    pub async fn turn(&self) -> Result<Turn, Problem> {
        let path = self.path.with_extension("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| self.trouble("cannot be locked", &error))?;
        let start = tokio::time::Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Turn { _lock: lock }),
                Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => {
                    tokio::time::sleep(LOOK).await;
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Problem::new(
                        ErrorClass::Transient,
                        format!(
                            "another process renews the token for longer than {} s ({} is locked)",
                            PATIENCE.as_secs(),
                            path.display()
                        ),
                    ));
                }
                Err(TryLockError::Error(error)) => {
                    return Err(self.trouble("cannot be locked", &error));
                }
            }
        }
    }

    /// What is kept; `None` before the first login.
    pub fn read(&self) -> Result<Option<Kept>, Problem> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.trouble("cannot be read", &error)),
        };
        // What the parser says may repeat a token.
        let text: Text = serde_json::from_slice(&bytes).map_err(|_| {
            Problem::new(
                ErrorClass::Auth,
                format!("the token file {} is damaged", self.path.display()),
            )
        })?;
        Ok(Some(Kept {
            client_id: text.client_id,
            location_id: text.location_id.clone(),
            grant: Grant {
                access: text.access_token.into(),
                refresh: text.refresh_token.into(),
                scope: text.scope,
                location: Some(text.location_id),
                obtained_at: text.obtained_at,
                expires_at: text.expires_at,
            },
            asked_at: text.asked_at,
        }))
    }

    /// Replaces the file; it is on disk when this returns.
    pub fn write(&self, kept: &Kept) -> Result<(), Problem> {
        let grant = &kept.grant;
        let text = Text {
            client_id: kept.client_id.clone(),
            location_id: kept.location_id.clone(),
            access_token: grant.access.expose_secret().to_owned(),
            refresh_token: grant.refresh.expose_secret().to_owned(),
            scope: grant.scope.clone(),
            obtained_at: grant.obtained_at,
            expires_at: grant.expires_at,
            asked_at: kept.asked_at,
        };
        self.replace(&text)
            .map_err(|error| self.trouble("cannot be written", &error))
    }

    fn replace(&self, text: &Text) -> std::io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        // Made with mode 0600, in the same folder so that it can take the other's place at once.
        let mut file = tempfile::Builder::new()
            .prefix(".tramline-oauth-")
            .tempfile_in(folder)?;
        file.write_all(&serde_json::to_vec_pretty(text)?)?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|failed| failed.error)?;
        File::open(folder)?.sync_all()
    }

    fn trouble(&self, what: &str, error: &std::io::Error) -> Problem {
        Problem::new(
            ErrorClass::Store,
            format!("the token file {} {what}: {error}", self.path.display()),
        )
        .remedy("check the folder's permissions and the disk's space")
    }
}
