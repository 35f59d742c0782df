//! Copying through the terminal (OSC 52): works over SSH, and through tmux when it is told to pass.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// Larger texts are cut off by terminals without a word.
pub const MOST: usize = 74_994;

/// The escape sequence that copies a text; `None` if the text is too long.
pub fn sequence(text: &str, tmux: bool) -> Option<String> {
    if text.len() > MOST {
        return None;
    }
    let copy = format!("\x1b]52;c;{}\x07", BASE64_STANDARD.encode(text));
    Some(match tmux {
        true => format!("\x1bPtmux;{}\x1b\\", copy.replace('\x1b', "\x1b\x1b")),
        false => copy,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_rides_in_base64_and_tmux_wraps_it() {
        assert_eq!(sequence("hi", false).unwrap(), "\x1b]52;c;aGk=\x07");
        assert_eq!(
            sequence("hi", true).unwrap(),
            "\x1bPtmux;\x1b\x1b]52;c;aGk=\x07\x1b\\"
        );
        assert!(sequence(&"x".repeat(MOST + 1), false).is_none());
    }
}
