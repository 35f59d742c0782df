//! Tokens as HighLevel gives them.

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// An access token is renewed this long before it ends, or a tenth of its life, whichever is shorter.
const EARLY: SignedDuration = SignedDuration::from_mins(5);

/// An access token with what renews it.
#[derive(Clone)]
pub(super) struct Grant {
    pub access: SecretString,
    pub refresh: SecretString,
    /// Separated by blanks; `None` if the answer did not tell.
    pub scope: Option<String>,
    /// The sub-account it opens; `None` if the answer did not tell.
    pub location: Option<String>,
    pub obtained_at: Timestamp,
    /// `None` if the answer did not tell: then a refusal is waited for.
    pub expires_at: Option<Timestamp>,
}

impl Grant {
    /// Reads the answer to a request for tokens. `before` is the refresh token it was asked with, which stays if the answer
    /// names no other. `None` if it is no such answer; what is wrong is not said, for the answer holds secrets.
    pub fn of_answer(body: &[u8], before: Option<&SecretString>, now: Timestamp) -> Option<Self> {
        let value: Value = serde_json::from_slice(body).ok()?;
        // v3 spells the same in camel case.
        let text = |names: [&str; 2]| {
            names
                .into_iter()
                .find_map(|name| value.get(name).and_then(Value::as_str))
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        let seconds = ["expires_in", "expiresIn"]
            .into_iter()
            .find_map(|name| match value.get(name)? {
                Value::Number(number) => number.to_string().parse::<f64>().ok(),
                Value::String(text) => text.trim().parse().ok(),
                _ => None,
            })
            .filter(|seconds| (0.0..1e10).contains(seconds));
        Some(Self {
            access: text(["access_token", "accessToken"])?.into(),
            refresh: match text(["refresh_token", "refreshToken"]) {
                Some(token) => token.into(),
                None => before?.clone(),
            },
            scope: text(["scope", "scope"]),
            location: text(["locationId", "location_id"]),
            obtained_at: now,
            expires_at: seconds.and_then(|seconds| {
                now.checked_add(SignedDuration::from_secs(seconds as i64))
                    .ok()
            }),
        })
    }

    /// True once it should be renewed.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| {
            let life = end.duration_since(self.obtained_at);
            end.duration_since(now) <= EARLY.min(life / 10)
        })
    }

    /// True while the access token has not ended.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| end > now)
    }

    /// True if this is the access token.
    pub fn opens_with(&self, token: &SecretString) -> bool {
        self.access.expose_secret() == token.expose_secret()
    }
}
