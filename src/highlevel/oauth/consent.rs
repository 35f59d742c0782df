//! Where a person gives consent, and what comes back from there.

use crate::model::{ErrorClass, Problem};

/// HighLevel's consent page (fact sheet §1.3); a white-label host has one of its own.
pub const CONSENT_URL: &str = "https://marketplace.gohighlevel.com/v2/oauth/chooselocation";

/// The address at which a person chooses the location and says yes to `scopes`.
///
/// # Errors
/// `page` is no URL.
pub fn consent_url(
    page: &str,
    client_id: &str,
    redirect_uri: &str,
    scopes: &[&str],
) -> Result<String, Problem> {
    let mut url = url::Url::parse(page).map_err(|error| {
        Problem::new(
            ErrorClass::Config,
            format!("the consent page {page} is no URL: {error}"),
        )
    })?;
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("client_id", client_id)
        .append_pair("scope", &scopes.join(" "));
    // Both mean a blank in a query; this one means it everywhere.
    Ok(url.to_string().replace('+', "%20"))
}

/// The code in what was pasted: the whole address that the browser was sent to, or the bare code.
///
/// # Errors
/// Consent was refused, or there is no code in it.
pub fn code_of(pasted: &str) -> Result<String, Problem> {
    let pasted = pasted.trim();
    let refuse = |message: String| {
        Problem::new(ErrorClass::Config, message)
            .remedy("paste the whole address that the browser shows after the consent, with code=…")
    };
    let code = match url::Url::parse(pasted) {
        Ok(url) => {
            let find = |name: &str| {
                url.query_pairs()
                    .find(|(key, _)| key == name)
                    .map(|(_, value)| value.into_owned())
            };
            if let Some(error) = find("error") {
                let said = find("error_description").unwrap_or(error);
                return Err(refuse(format!("consent was not given: {said}")));
            }
            find("code").ok_or_else(|| refuse("the address has no code".to_owned()))?
        }
        Err(_) => pasted.to_owned(),
    };
    let plain = |c: char| c.is_ascii_graphic();
    if code.is_empty() || !code.chars().all(plain) {
        return Err(refuse("that is no code".to_owned()));
    }
    Ok(code)
}
