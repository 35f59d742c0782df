//! OAuth 2.0 of an app (fact sheet §1.3): consent, and tokens that expire, rotate and are used once.

use super::errors;
use crate::sandbox::chance;
use crate::sandbox::instant;
use crate::sandbox::wire::{Call, Reply};
use crate::sandbox::{LOCATION_ID, OAUTH_CLIENT_ID, OAUTH_CLIENT_SECRET, Shared};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A refresh token asked for again within this time gets the same answer (fact sheet §1.3, reported).
const GRACE_MS: i64 = 30_000;
/// How long an access token lives, in seconds.
const LIFE: i64 = 86_399;

/// What the app was granted.
pub(in crate::sandbox) struct Grants {
    /// Seconds that an access token lives from now on.
    pub life: i64,
    /// The location that the next consent is given for.
    pub location: String,
    /// Whether a refresh token is answered again within the grace.
    pub grace: bool,
    codes: BTreeMap<String, Consent>,
    access: BTreeMap<String, Access>,
    refresh: BTreeMap<String, Refresh>,
}

#[derive(Clone)]
struct Consent {
    redirect_uri: String,
    scopes: BTreeSet<String>,
    location: String,
}

struct Access {
    until: i64,
    scopes: BTreeSet<String>,
    location: String,
}

struct Refresh {
    consent: Consent,
    /// When it was used, and what was answered.
    used: Option<(i64, Value)>,
}

impl Default for Grants {
    fn default() -> Self {
        Self {
            life: LIFE,
            location: LOCATION_ID.to_owned(),
            grace: true,
            codes: BTreeMap::new(),
            access: BTreeMap::new(),
            refresh: BTreeMap::new(),
        }
    }
}

impl Grants {
    /// The scopes of an access token that is good now for the sandbox's location.
    pub fn scopes(&self, token: &str) -> Option<&BTreeSet<String>> {
        let access = self.access.get(token)?;
        (access.until > instant::now() && access.location == LOCATION_ID).then_some(&access.scopes)
    }

    /// Ends all access tokens; refresh tokens stay good.
    pub fn expire(&mut self) {
        self.access.clear();
    }

    /// Ends everything: the app was uninstalled.
    pub fn revoke(&mut self) {
        self.access.clear();
        self.refresh.clear();
        self.codes.clear();
    }

    /// A code as the consent page would give it.
    pub fn consent(&mut self, redirect_uri: &str, scopes: BTreeSet<String>) -> String {
        let code = chance::uuid().replace('-', "");
        let consent = Consent {
            redirect_uri: redirect_uri.to_owned(),
            scopes,
            location: self.location.clone(),
        };
        self.codes.insert(code.clone(), consent);
        code
    }

    fn grant(&mut self, consent: &Consent) -> Value {
        let (access, refresh) = (
            format!("access-{}", chance::uuid()),
            format!("refresh-{}", chance::uuid()),
        );
        self.access.insert(
            access.clone(),
            Access {
                until: instant::now() + self.life * 1000,
                scopes: consent.scopes.clone(),
                location: consent.location.clone(),
            },
        );
        self.refresh.insert(
            refresh.clone(),
            Refresh {
                consent: consent.clone(),
                used: None,
            },
        );
        let scopes: Vec<&str> = consent.scopes.iter().map(String::as_str).collect();
        json!({
            "access_token": access, "token_type": "Bearer", "expires_in": self.life, "refresh_token": refresh,
            "scope": scopes.join(" "), "userType": "Location", "locationId": consent.location,
            "companyId": "5DP41231LkQsiKESj6rh", "userId": "Wk4RtDZLM1GAtdMjmBpF", "traceId": chance::uuid(),
        })
    }
}

/// The consent page: this one says yes at once and sends back.
pub(super) fn authorize(shared: &Shared, call: &Call) -> Reply {
    let (Some("code"), Some(OAUTH_CLIENT_ID), Some(redirect_uri), Some(scope)) = (
        call.query("response_type"),
        call.query("client_id"),
        call.query("redirect_uri"),
        call.query("scope"),
    ) else {
        return errors::plain(400, "Invalid authorize request").violating("authorize parameters");
    };
    let Ok(mut target) = url::Url::parse(redirect_uri) else {
        return errors::plain(400, "Invalid redirect uri").violating("redirect_uri");
    };
    let wanted: BTreeSet<String> = scope.split_whitespace().map(str::to_owned).collect();
    let granted = wanted.intersection(&shared.scopes()).cloned().collect();
    let code = shared.keys().grants.consent(redirect_uri, granted);
    target.query_pairs_mut().append_pair("code", &code);
    Reply::text(302, "").with_header("Location", target)
}

/// `POST /oauth/token`, form-encoded.
pub(super) fn token(shared: &Shared, call: &Call) -> Reply {
    let is_form = call
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if !is_form {
        return errors::plain(415, "Unsupported Media Type").violating("body is no form");
    }
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(&call.body)
        .into_owned()
        .collect();
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    const KNOWN: [&str; 7] = [
        "client_id",
        "client_secret",
        "grant_type",
        "code",
        "refresh_token",
        "user_type",
        "redirect_uri",
    ];
    if let Some(unknown) = form.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return errors::should_not_exist(unknown);
    }
    if field("client_id") != OAUTH_CLIENT_ID || field("client_secret") != OAUTH_CLIENT_SECRET {
        return errors::plain(401, "Invalid client: client is invalid");
    }
    let mut keys = shared.keys();
    let grants = &mut keys.grants;
    match field("grant_type") {
        "authorization_code" => {
            let good = grants
                .codes
                .remove(field("code"))
                .filter(|consent| consent.redirect_uri == field("redirect_uri"));
            match good {
                Some(consent) => Reply::ok(&grants.grant(&consent)),
                None => refuse("Invalid grant: authorization code is invalid"),
            }
        }
        "refresh_token" => refresh(grants, field("refresh_token")),
        _ => errors::unprocessable(&["grant_type must be a valid enum value".to_owned()]),
    }
}

fn refresh(grants: &mut Grants, token: &str) -> Reply {
    let now = instant::now();
    let Some(found) = grants.refresh.get(token) else {
        return refuse("Invalid grant: refresh token is invalid");
    };
    if let Some((at, answer)) = &found.used {
        return match grants.grace && now - at < GRACE_MS {
            true => Reply::ok(answer),
            false => refuse("Invalid grant: refresh token is invalid"),
        };
    }
    let consent = found.consent.clone();
    let answer = grants.grant(&consent);
    if let Some(found) = grants.refresh.get_mut(token) {
        found.used = Some((now, answer.clone()));
    }
    Reply::ok(&answer)
}

fn refuse(why: &str) -> Reply {
    Reply::json(
        400,
        &json!({"error": "invalid_grant", "error_description": why, "traceId": chance::uuid()}),
    )
}
