//! Who sent a webhook: the Ed25519 signature over the body as it came (fact sheet §5.3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "x-ghl-signature";

/// HighLevel's published key, the same for all apps (fact sheet §5.3).
const PUBLISHED: &str = "MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=";

/// What stands before the 32 bytes of an Ed25519 key in its DER form (RFC 8410).
const DER_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// A key that verifies webhooks.
#[derive(Clone, Debug)]
pub struct WebhookKey(VerifyingKey);

/// Text that is no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no Ed25519 public key: give a PEM block (BEGIN PUBLIC KEY), or its base64 text")]
pub struct InvalidKey;

/// Why a webhook is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// No signature came, or the literal `N/A`.
    #[error("the webhook has no signature")]
    Missing,
    /// The signature is not one, or does not belong to this body and this key.
    #[error("the webhook's signature does not fit its body")]
    Forged,
}

impl WebhookKey {
    /// HighLevel's published key.
    ///
    /// # Errors
    /// Never: the key is a constant, and a test reads it.
    pub fn published() -> Result<Self, InvalidKey> {
        Self::parse(PUBLISHED)
    }

    /// Reads a PEM block, or the base64 text of a DER key or of its bare 32 bytes.
    ///
    /// # Errors
    /// The text is none of these.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let base64: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("-----"))
            .flat_map(str::chars)
            .filter(|c| !c.is_whitespace())
            .collect();
        let bytes = STANDARD.decode(base64).map_err(|_| InvalidKey)?;
        let bare = bytes.strip_prefix(&DER_PREFIX).unwrap_or(&bytes);
        let bare: &[u8; 32] = bare.try_into().map_err(|_| InvalidKey)?;
        VerifyingKey::from_bytes(bare)
            .map(Self)
            .map_err(|_| InvalidKey)
    }

    /// Believes a body whose signature (base64 of 64 bytes) was made with the key's other half.
    ///
    /// # Errors
    /// There is no signature, or it is not one over these bytes.
    pub fn verify(&self, signature: Option<&str>, body: &[u8]) -> Result<(), Unsigned> {
        let text = signature
            .map(str::trim)
            .filter(|text| !text.is_empty() && *text != "N/A")
            .ok_or(Unsigned::Missing)?;
        let bytes = STANDARD.decode(text).map_err(|_| Unsigned::Forged)?;
        let signature = Signature::from_slice(&bytes).map_err(|_| Unsigned::Forged)?;
        self.0
            .verify_strict(body, &signature)
            .map_err(|_| Unsigned::Forged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer, SigningKey};
    use proptest::prelude::*;

    fn pair() -> (SigningKey, WebhookKey) {
        let signing = SigningKey::from_bytes(&[7; 32]);
        let key = WebhookKey(signing.verifying_key());
        (signing, key)
    }

    fn signed(key: &SigningKey, body: &[u8]) -> String {
        STANDARD.encode(key.sign(body).to_bytes())
    }

    #[test]
    fn the_published_key_is_the_one_of_the_fact_sheet() {
        let key = WebhookKey::published().unwrap();
        let hex: String = key
            .0
            .to_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex,
            "8b61d1d6cacbe28d7c3bc0516bb815258ec6edbba96cddc7f40c09ac708388e8"
        );
    }

    #[test]
    fn keys_are_read_in_each_form() {
        let (signing, key) = pair();
        let bare = STANDARD.encode(signing.verifying_key().to_bytes());
        let der = STANDARD.encode(
            DER_PREFIX
                .iter()
                .copied()
                .chain(signing.verifying_key().to_bytes())
                .collect::<Vec<u8>>(),
        );
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n");
        for text in [bare, der, pem] {
            assert_eq!(WebhookKey::parse(&text).unwrap().0, key.0, "{text}");
        }
        for text in ["", "AAAA", "no key", "-----BEGIN PUBLIC KEY-----"] {
            assert!(WebhookKey::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_the_body_that_was_signed_is_believed() {
        let (signing, key) = pair();
        let body = br#"{"type":"RecordUpdate","id":"1"}"#;
        let signature = signed(&signing, body);
        assert_eq!(key.verify(Some(&signature), body), Ok(()));
        for missing in [None, Some("N/A"), Some(""), Some("  ")] {
            assert_eq!(key.verify(missing, body), Err(Unsigned::Missing));
        }
        let other = signed(&SigningKey::from_bytes(&[8; 32]), body);
        for forged in [other.as_str(), "AAAA", "not base64!", &signature[..80]] {
            assert_eq!(key.verify(Some(forged), body), Err(Unsigned::Forged));
        }
        // Parsed and written again is not the same body.
        assert_eq!(
            key.verify(Some(&signature), br#"{"type": "RecordUpdate", "id": "1"}"#),
            Err(Unsigned::Forged)
        );
    }

    proptest! {
        #[test]
        fn no_header_and_no_body_makes_it_panic(
            header in ".{0,200}", body in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let (_, key) = pair();
            prop_assert!(key.verify(Some(&header), &body).is_err());
        }
    }
}
