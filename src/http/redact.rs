//! Keeping secrets and bulk out of errors and logs.

use super::request::encode;

const REDACTED: &str = "[redacted]";
/// Longest request or response text kept with an error, in bytes.
pub(super) const LONGEST: usize = 2048;

/// Replaces every occurrence of a secret, also as a form spells it. Texts of fewer than four characters are no secrets: replacing
/// them would only mangle the message.
pub(super) fn redact(text: &str, secret: &str) -> String {
    if secret.len() < 4 {
        return text.to_owned();
    }
    let mut text = text.to_owned();
    for spelling in [secret, &encode(secret)] {
        if text.contains(spelling) {
            text = text.replace(spelling, REDACTED);
        }
    }
    text
}

/// The first [`LONGEST`] bytes of a body as text, without secrets.
pub(super) fn excerpt(bytes: &[u8], secret: &str) -> String {
    // A secret that straddles the cut must not survive in part: redact before cutting.
    let window = &bytes[..bytes.len().min(LONGEST + encode(secret).len())];
    let mut text = redact(&String::from_utf8_lossy(window), secret);
    if text.len() > LONGEST {
        let mut end = LONGEST;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    } else if window.len() < bytes.len() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_survives() {
        assert_eq!(
            redact("a pit-123 b pit-123", "pit-123"),
            "a [redacted] b [redacted]"
        );
        assert_eq!(redact("k=a%2F%2Bb&", "a/+b"), "k=[redacted]&");
        let secret = "canary-token-canary-token";
        for lead in LONGEST - secret.len() - 2..LONGEST + 4 {
            let body = format!("{}{secret}{}", "x".repeat(lead), "y".repeat(100));
            let text = excerpt(body.as_bytes(), secret);
            assert!(!text.contains("canary"), "at {lead}");
            assert!(text.len() <= LONGEST + 4);
        }
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert!(excerpt("é".repeat(3000).as_bytes(), "secret").ends_with('…'));
        assert_eq!(excerpt(b"short", "secret"), "short");
    }
}
