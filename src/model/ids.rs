//! Identifiers as types, so that a record's id cannot be handed over where a contact's is wanted.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it stands.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The identifier's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
    };
}

text_id! {
    /// A HighLevel record's id: 24 hexadecimal digits.
    RecordId
}
text_id! {
    /// A HighLevel object's key, with its prefix: `custom_objects.pets`, `contact`, `business`.
    ObjectKey
}
text_id! {
    /// A HighLevel association definition's id.
    AssociationId
}
text_id! {
    /// An ActiveCampaign contact's id: a number that the wire spells as text or as a number.
    ContactId
}
text_id! {
    /// An ActiveCampaign contact field's id.
    FieldId
}
text_id! {
    /// The name of a mapping in config.toml.
    MappingName
}
text_id! {
    /// The name of a pair of accounts in config.toml; `default` for the two top-level tables.
    ConnectionName
}
text_id! {
    /// A job's id: a UUID of version 7, so that ids sort by time of creation.
    JobId
}
text_id! {
    /// An export run's id: a UUID of version 7.
    RunId
}
text_id! {
    /// The id of a person's action on many jobs: a UUID of version 7.
    BulkId
}

impl JobId {
    /// A fresh id.
    pub fn fresh() -> Self {
        Self(uuid::Uuid::now_v7().to_string())
    }
}

impl BulkId {
    /// A fresh id.
    pub fn fresh() -> Self {
        Self(uuid::Uuid::now_v7().to_string())
    }
}

impl RunId {
    /// A fresh id.
    pub fn fresh() -> Self {
        Self(uuid::Uuid::now_v7().to_string())
    }
}

impl ObjectKey {
    /// The last part of the key: `pets` of `custom_objects.pets`.
    pub fn short(&self) -> &str {
        self.0.strip_prefix("custom_objects.").unwrap_or(&self.0)
    }

    /// The key with the prefix that the paths of the HighLevel API want; standard objects
    /// (`contact`, `opportunity`, `business`) have none.
    pub fn from_input(text: &str) -> Self {
        match text {
            "contact" | "opportunity" | "business" => Self(text.to_owned()),
            _ if text.starts_with("custom_objects.") => Self(text.to_owned()),
            _ => Self(format!("custom_objects.{text}")),
        }
    }
}

/// An e-mail address, trimmed and lower-cased: the key by which ActiveCampaign knows a contact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Email(String);

/// Text that is no e-mail address, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address: {0}")]
pub struct InvalidEmail(pub &'static str);

impl Email {
    /// Normalises and checks an address. The check refuses what a bulk import would refuse the whole
    /// batch for: it wants one `@`, a local part of dot-separated atoms and a domain of at least two
    /// labels.
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        let text = text.trim().to_lowercase();
        let Some((local, domain)) = text.rsplit_once('@') else {
            return Err(InvalidEmail("it has no @"));
        };
        if local.is_empty() || local.len() > 64 {
            return Err(InvalidEmail("the part before @ is empty or too long"));
        }
        let atom = |c: char| c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c);
        if !local
            .split('.')
            .all(|part| !part.is_empty() && part.chars().all(atom))
        {
            return Err(InvalidEmail(
                "the part before @ has a character that is not allowed",
            ));
        }
        let label = |part: &str| {
            !part.is_empty()
                && part.len() <= 63
                && !part.starts_with('-')
                && !part.ends_with('-')
                && part.chars().all(|c| c.is_alphanumeric() || c == '-')
        };
        if domain.len() > 253 || !domain.contains('.') || !domain.split('.').all(label) {
            return Err(InvalidEmail("the part after @ is no domain"));
        }
        if domain
            .rsplit('.')
            .next()
            .is_some_and(|tld| tld.len() < 2 || tld.chars().all(|c| c.is_ascii_digit()))
        {
            return Err(InvalidEmail("the part after @ is no domain"));
        }
        Ok(Self(text))
    }

    /// The address, lower-cased.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What was sent for a contact, in 128 bits: two equal fingerprints mean that nothing would change.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of a canonical text.
    pub fn of(bytes: &[u8]) -> Self {
        let digest = Sha256::digest(bytes);
        Self(
            digest[..16]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
    }

    /// A fingerprint that was kept in the store.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// 32 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_normalised() {
        assert_eq!(
            Email::parse("  Jo@Example.ORG ").unwrap().as_str(),
            "jo@example.org"
        );
        assert_eq!(
            Email::parse("a.b+c@mail.example.co").unwrap().as_str(),
            "a.b+c@mail.example.co"
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "not-an-email",
            "@example.org",
            "a@b",
            "a b@example.org",
            "a@@example.org",
            "a..b@example.org",
            "a@example..org",
            "a@-example.org",
            "a@example.org\u{1b}[2J",
            "jo@example.org, x@example.org",
            "a@1.2.3.4",
        ] {
            assert!(Email::parse(text).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn object_keys_take_their_prefix() {
        assert_eq!(
            ObjectKey::from_input("pets").as_str(),
            "custom_objects.pets"
        );
        assert_eq!(ObjectKey::from_input("business").as_str(), "business");
        assert_eq!(ObjectKey::from_input("custom_objects.pets").short(), "pets");
    }
}
