//! What an error answer means, in a class, words and a remedy.

use super::error_body::ErrorBody;
use super::request::Request;
use crate::model::ErrorClass;
use crate::model::call::Api;
use reqwest::Method;

/// The class of an error answer (HighLevel fact sheet §2.8, ActiveCampaign fact sheet §1.2).
/// `pressed`: a Retry-After came, or the budget was busy.
pub(super) fn classify(api: Api, status: u16, body: &ErrorBody, pressed: bool) -> ErrorClass {
    let message = body.message.as_deref().unwrap_or_default();
    let says = |text: &str| message.to_ascii_lowercase().contains(text);
    match status {
        429 => ErrorClass::Throttled,
        // The body of ActiveCampaign's refusal of a token is not known; that of any other refusal is JSON, or nothing.
        401 | 402 => ErrorClass::Auth,
        403 if api == Api::ActiveCampaign && body.page => ErrorClass::Auth,
        400 | 403..=410 | 422 if body.page => ErrorClass::Transient,
        // ActiveCampaign: import limits come as 400, and an overrun at times as 503.
        400 if api == Api::ActiveCampaign && says("rate limit exceeded") => ErrorClass::Throttled,
        503 if api == Api::ActiveCampaign && pressed => ErrorClass::Throttled,
        400 | 403 if says("no result found") => ErrorClass::Missing,
        400 if api == Api::HighLevel && says("not found") => ErrorClass::Missing,
        403 if says("could not create") || says("field id not valid") => ErrorClass::Invalid,
        403 => ErrorClass::Auth,
        404 | 410 => ErrorClass::Missing,
        408 | 425 | 500.. => ErrorClass::Transient,
        300..=399 => ErrorClass::Config,
        _ => ErrorClass::Invalid,
    }
}

/// The scope that a HighLevel call needs (fact sheet §1.4).
fn scope(request: &Request) -> &'static str {
    let path = request.path.split('?').next().unwrap_or_default();
    let writes = request.method != Method::GET && !path.ends_with("/search");
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        ["objects", _, "records", ..] if writes => "objects/record.write",
        ["objects", _, "records", ..] => "objects/record.readonly",
        ["objects", ..] if writes => "objects/schema.write",
        ["objects", ..] => "objects/schema.readonly",
        ["associations", "relations", ..] if writes => "associations/relation.write",
        ["associations", "relations", ..] => "associations/relation.readonly",
        ["associations", ..] if writes => "associations.write",
        ["associations", ..] => "associations.readonly",
        ["contacts", ..] if writes => "contacts.write",
        ["contacts", ..] => "contacts.readonly",
        ["custom-fields", ..] if writes => "locations/customFields.write",
        ["custom-fields", ..] => "locations/customFields.readonly",
        _ => "this call needs",
    }
}

pub(super) fn default_message(status: u16) -> String {
    let words = match status {
        300..=399 => "the server sends elsewhere",
        400 => "the request is refused without a reason",
        401 => "the token is refused",
        402 => "the account is not paid for",
        403 => "access is refused without a reason",
        404 => "there is no such thing",
        429 => "too many requests",
        500..=599 => "the server fails",
        _ => "the server answers with an error and no reason",
    };
    format!("{words} (HTTP {status})")
}

pub(super) fn remedy(
    api: Api,
    status: u16,
    class: ErrorClass,
    message: &str,
    request: &Request,
) -> Option<String> {
    let scope = scope(request);
    let text = match (api, status) {
        (_, 300..=399) => "check the address in config.toml: redirects are not followed",
        (Api::HighLevel, 401 | 403) if message.contains("location") => {
            "the token belongs to another location: compare location_id with where the token was made"
        }
        (Api::HighLevel, 401) => {
            return Some(format!(
                "check the token, and that its private integration has the scope {scope}"
            ));
        }
        (Api::HighLevel, 403) => {
            return Some(format!(
                "add the scope {scope} to the private integration or the app"
            ));
        }
        (Api::HighLevel, 404) if message.starts_with("Custom Object") => {
            "check the object's key and location_id"
        }
        (Api::ActiveCampaign, 402) => "the ActiveCampaign account must be paid for",
        (Api::ActiveCampaign, 403) if class == ErrorClass::Auth => {
            "check url and token (Settings, Developer); else the token's user lacks the permission, or the plan the feature"
        }
        (_, 429) => "nothing to do: it goes on when the limit allows",
        _ => return None,
    };
    Some(text.to_owned())
}
