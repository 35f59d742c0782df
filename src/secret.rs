//! Secrets by reference: config.toml names where a token lies and never holds one.

use crate::model::{ErrorClass, Problem};
use secrecy::{ExposeSecret, SecretString};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

/// How long a token command may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// Every secret that this process has read, the former ones too, the longest first: what hides them from the log.
static KNOWN: RwLock<Vec<SecretString>> = RwLock::new(Vec::new());

/// The shortest text that is hidden as a secret: hiding shorter ones would only mangle the message.
const SHORTEST: usize = 4;

/// Lets [`hide`] know a secret that no reference led to, such as a token that an API gave.
pub fn remember(secret: &SecretString) {
    let text = secret.expose_secret();
    if text.len() < SHORTEST {
        return;
    }
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if !known.iter().any(|known| known.expose_secret() == text) {
        // One may be part of another: the longer one must go as a whole.
        let place = known.partition_point(|known| known.expose_secret().len() > text.len());
        known.insert(place, secret.clone());
    }
}

/// A text without any secret that this process has read: the last line of defence, after redaction where texts are made.
pub fn hide(text: &str) -> Cow<'_, str> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let mut hidden = Cow::Borrowed(text);
    for secret in known.iter().map(ExposeSecret::expose_secret) {
        if hidden.contains(secret) {
            hidden = Cow::Owned(hidden.replace(secret, "[redacted]"));
        }
    }
    hidden
}

/// Where a secret lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file; a path that is not absolute is relative to config.toml. White space around the text is left out.
    File(PathBuf),
    /// A program with its arguments, run without a shell; its first output is the secret.
    Command(Vec<String>),
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretRefVisitor)
    }
}

struct SecretRefVisitor;

impl<'de> Visitor<'de> for SecretRefVisitor {
    type Value = SecretRef;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"a reference: { env = "…" }, { file = "…" } or { command = ["…"] }"#)
    }

    fn visit_str<E: de::Error>(self, _inline: &str) -> Result<Self::Value, E> {
        // The text is not repeated: it may be a real token.
        Err(E::custom(
            "a secret must not stand in this file: write where it lies, \
             { env = \"NAME\" }, { file = \"PATH\" } or { command = [\"PROGRAM\", \"ARGUMENT\"] }",
        ))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Some(kind) = map.next_key::<String>()? else {
            return Err(de::Error::custom(
                "empty reference: give env, file or command",
            ));
        };
        let secret = match kind.as_str() {
            "env" => SecretRef::Env(variable(map.next_value()?)?),
            "file" => SecretRef::File(map.next_value()?),
            "command" => SecretRef::Command(map.next_value()?),
            _ => return Err(de::Error::unknown_field(&kind, &["env", "file", "command"])),
        };
        if map.next_key::<String>()?.is_some() {
            return Err(de::Error::custom(
                "give one of env, file and command, not several",
            ));
        }
        if matches!(&secret, SecretRef::Command(words) if words.is_empty()) {
            return Err(de::Error::custom(
                "command is empty: give a program and its arguments",
            ));
        }
        Ok(secret)
    }
}

/// The name of an environment variable. What cannot be one is not repeated: it may be the token itself. So may be what looks
/// like a token; that is taken, and hidden wherever it would be shown.
fn variable<E: de::Error>(name: String) -> Result<String, E> {
    let starts = |c: char| c.is_ascii_alphabetic() || c == '_';
    let goes_on = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.starts_with(starts) || !name.chars().all(goes_on) {
        remember(&name.into());
        return Err(E::custom(
            "env is not the name of an environment variable (letters, digits and _, no digit first): \
             write the variable's name there, not the secret; what stands there is not repeated",
        ));
    }
    if looks_like_a_token(&name) {
        remember(&name.as_str().into());
    }
    Ok(name)
}

/// Whether a name is as long and as mixed as tokens are, and variables' names are not.
fn looks_like_a_token(name: &str) -> bool {
    let has = |kind: fn(&char) -> bool| name.chars().any(|c| kind(&c));
    let mixed = has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase);
    name.len() >= 20 && has(char::is_ascii_digit) && (mixed || !name.contains('_'))
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) if looks_like_a_token(name) => {
                write!(
                    f,
                    "environment variable (its name looks like a token and is not shown)"
                )
            }
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Command(words) => {
                write!(f, "command {}", words.first().map_or("", String::as_str))
            }
        }
    }
}

impl SecretRef {
    /// Reads the secret now.
    ///
    /// # Errors
    /// A problem of class `config` that names the reference and the remedy, never the secret.
    pub async fn read(&self, folder: &Path) -> Result<SecretString, Problem> {
        let text = self.read_text(folder).await?;
        let text = text.trim();
        if text.is_empty() {
            return Err(self
                .problem("gives an empty text")
                .remedy("put the token there"));
        }
        if text
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || !c.is_ascii())
        {
            return Err(self.problem("gives a text that is no token: it has spaces, line breaks or characters beyond ASCII")
                .remedy("let it give the bare token and nothing else"));
        }
        let secret = SecretString::from(text);
        remember(&secret);
        Ok(secret)
    }

    /// Reads a text that is no token, such as a key of several lines.
    ///
    /// # Errors
    /// As [`SecretRef::read`], whatever the text.
    pub async fn read_text(&self, folder: &Path) -> Result<String, Problem> {
        match self {
            Self::Env(name) => std::env::var(name).map_err(|_| {
                let remedy = if looks_like_a_token(name) {
                    "write the variable's name after env in config.toml, not the secret; replace a token that stood there"
                        .to_owned()
                } else {
                    format!("export {name}=… before starting, or refer to a file")
                };
                self.problem("is not set").remedy(remedy)
            }),
            Self::File(path) => {
                let path = folder.join(path);
                tokio::fs::read_to_string(&path).await.map_err(|error| {
                    self.problem(&format!("cannot be read: {error}"))
                        .remedy("create the file, or correct its path in config.toml")
                })
            }
            Self::Command(words) => self.run(words).await,
        }
    }

    async fn run(&self, words: &[String]) -> Result<String, Problem> {
        let Some((program, arguments)) = words.split_first() else {
            return Err(self.problem("is empty"));
        };
        let child = tokio::process::Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(COMMAND_TIMEOUT, child)
            .await
            .map_err(|_| {
                self.problem(&format!(
                    "gave no answer within {} s",
                    COMMAND_TIMEOUT.as_secs()
                ))
                .remedy("run it by hand; a command that asks for a password cannot be used here")
            })?
            .map_err(|error| {
                self.problem(&format!("cannot be started: {error}"))
                    .remedy("give the program's full path")
            })?;
        if !output.status.success() {
            return Err(self
                .problem(&format!("ended with {}", output.status))
                .remedy("run it by hand and see what it says"));
        }
        String::from_utf8(output.stdout).map_err(|_| self.problem("gives bytes that are no text"))
    }

    fn problem(&self, what: &str) -> Problem {
        Problem::new(ErrorClass::Config, format!("{self} {what}"))
    }
}

/// A secret that is read on first use, kept, and read again on request.
pub struct Secret {
    reference: SecretRef,
    folder: PathBuf,
    value: tokio::sync::Mutex<Option<SecretString>>,
}

impl Secret {
    /// A secret that has not been read yet; `folder` is config.toml's.
    pub fn new(reference: SecretRef, folder: &Path) -> Self {
        Self {
            reference,
            folder: folder.to_owned(),
            value: tokio::sync::Mutex::new(None),
        }
    }

    /// The secret, read if it has not been.
    ///
    /// # Errors
    /// As [`SecretRef::read`].
    pub async fn current(&self) -> Result<SecretString, Problem> {
        let mut value = self.value.lock().await;
        if let Some(secret) = value.as_ref() {
            return Ok(secret.clone());
        }
        let secret = self.reference.read(&self.folder).await?;
        *value = Some(secret.clone());
        Ok(secret)
    }

    /// Reads the secret again after this one was refused; true if there is another one now. Where somebody else has read it
    /// meanwhile, that is enough.
    ///
    /// # Errors
    /// As [`SecretRef::read`]; the old value stays.
    pub async fn refused(&self, refused: &SecretString) -> Result<bool, Problem> {
        {
            let value = self.value.lock().await;
            if value
                .as_ref()
                .is_some_and(|value| value.expose_secret() != refused.expose_secret())
            {
                return Ok(true);
            }
        }
        self.refresh().await
    }

    /// Reads the secret again, as on SIGHUP; true if it differs.
    ///
    /// # Errors
    /// As [`SecretRef::read`]; the old value stays.
    pub async fn refresh(&self) -> Result<bool, Problem> {
        let mut value = self.value.lock().await;
        let fresh = self.reference.read(&self.folder).await?;
        let changed = value
            .as_ref()
            .is_none_or(|old| old.expose_secret() != fresh.expose_secret());
        *value = Some(fresh);
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SecretRef, String> {
        #[derive(serde::Deserialize)]
        struct Holder {
            token: SecretRef,
        }
        toml::from_str::<Holder>(text)
            .map(|holder| holder.token)
            .map_err(|error| error.message().to_owned())
    }

    #[test]
    fn an_inline_token_is_refused_without_repeating_it() {
        let message = parse("token = 'pit-canary'").unwrap_err();
        assert!(
            message.contains("must not stand in this file") && !message.contains("canary"),
            "{message}"
        );
    }

    #[test]
    fn references_are_read() {
        assert_eq!(
            parse("token = { env = 'A' }").unwrap(),
            SecretRef::Env("A".into())
        );
        assert!(parse("token = { env = 'A', file = 'b' }").is_err());
        assert!(parse("token = { enw = 'A' }").is_err());
        assert!(parse("token = { command = [] }").is_err());
    }

    #[tokio::test]
    async fn a_token_in_place_of_a_variables_name_is_not_repeated() {
        for token in [
            "pit-0f3c9a52-canary-4d1e",
            "eyJhbGciOi.canary",
            "0canary",
            "sk canary",
            "",
        ] {
            let message = parse(&format!("token = {{ env = '{token}' }}")).unwrap_err();
            assert!(
                message.contains("env is not the name") && !message.contains("canary"),
                "{message}"
            );
        }
        // Of the letters of a name, too.
        for token in [
            "canary5d41402abc4b2a76b9719d911017c592",
            "canary_X9aB3kQ7mZ2pL5",
        ] {
            let reference = parse(&format!("token = {{ env = '{token}' }}")).unwrap();
            let unset = reference.read(Path::new(".")).await.unwrap_err();
            let told = format!("{unset} {:?}", unset.remedy);
            assert!(
                told.contains("is not set") && !told.contains("canary"),
                "{told}"
            );
            assert_eq!(hide(token), "[redacted]");
        }
        for name in ["GHL_TOKEN", "_x", "ACTIVECAMPAIGN_TOKEN_2", "ghlToken2"] {
            let reference = parse(&format!("token = {{ env = '{name}' }}")).unwrap();
            let unset = reference.read(Path::new(".")).await.unwrap_err();
            assert!(unset.message.contains(name), "{unset}");
            assert_eq!(hide(name), name);
        }
    }

    #[tokio::test]
    async fn files_and_commands_give_their_text_without_the_line_break() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("t"), "abc\n").unwrap();
        let file = SecretRef::File("t".into())
            .read(folder.path())
            .await
            .unwrap();
        assert_eq!(file.expose_secret(), "abc");
        let command = SecretRef::Command(vec!["printf".into(), "x-%s".into(), "$HOME".into()]);
        assert_eq!(
            command.read(folder.path()).await.unwrap().expose_secret(),
            "x-$HOME"
        );
    }

    #[tokio::test]
    async fn what_fails_is_named() {
        let here = Path::new(".");
        let unset = SecretRef::Env("TRAMLINE_NO_SUCH_VARIABLE".into())
            .read(here)
            .await
            .unwrap_err();
        assert!(
            unset
                .message
                .contains("TRAMLINE_NO_SUCH_VARIABLE is not set"),
            "{unset}"
        );
        let failing = SecretRef::Command(vec!["false".into()])
            .read(here)
            .await
            .unwrap_err();
        assert!(failing.message.contains("ended with"), "{failing}");
    }

    #[tokio::test]
    async fn a_rotated_file_is_seen_on_refresh() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t");
        std::fs::write(&path, "old").unwrap();
        let secret = Secret::new(SecretRef::File("t".into()), folder.path());
        assert_eq!(secret.current().await.unwrap().expose_secret(), "old");
        std::fs::write(&path, "new").unwrap();
        assert_eq!(secret.current().await.unwrap().expose_secret(), "old");
        assert!(secret.refresh().await.unwrap());
        assert!(!secret.refresh().await.unwrap());
        assert_eq!(secret.current().await.unwrap().expose_secret(), "new");
        // Who was refused with the old one need not read it again; who was with the new one does so in vain.
        assert!(secret.refused(&"old".into()).await.unwrap());
        assert!(!secret.refused(&"new".into()).await.unwrap());
    }
}
