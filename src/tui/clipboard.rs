//! Copying through the terminal (OSC 52): works over SSH, and inside tmux. A terminal answers nothing: that the text went out
//! is all that is known.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// Larger texts are cut off by terminals without a word.
pub const MOST: usize = 74_994;

/// Who takes the sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taker {
    Terminal,
    /// tmux, on this machine or between it and the person's.
    Tmux,
}

impl Taker {
    /// By the variables `TMUX` and `TERM`.
    pub fn of(tmux: bool, term: &str) -> Self {
        match tmux || term.starts_with("tmux") {
            true => Self::Tmux,
            false => Self::Terminal,
        }
    }

    /// What is known once a text went out, and what it needs to arrive.
    pub fn told(self, what: &str) -> String {
        match self {
            Self::Terminal => format!("{what} sent to the clipboard by OSC 52"),
            Self::Tmux => format!(
                "{what} sent to the clipboard by OSC 52 through tmux; it takes it with set-clipboard on"
            ),
        }
    }
}

/// The escape sequences that copy a text; `None` if the text is too long.
///
/// tmux takes the plain one itself with `set-clipboard on`, keeps it as a buffer and tells its terminal; the wrapped one it hands
/// through with `allow-passthrough on`. Each setting drops the other one without a word, so both go out: the same text twice
/// does no harm.
pub fn sequence(text: &str, taker: Taker) -> Option<String> {
    if text.len() > MOST {
        return None;
    }
    let plain = format!("\x1b]52;c;{}\x07", BASE64_STANDARD.encode(text));
    Some(match taker {
        Taker::Terminal => plain,
        Taker::Tmux => {
            let wrapped = plain.replace('\x1b', "\x1b\x1b");
            format!("\x1bPtmux;{wrapped}\x1b\\{plain}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_rides_in_base64_and_tmux_gets_it_in_both_ways() {
        let plain = "\x1b]52;c;aGk=\x07";
        assert_eq!(sequence("hi", Taker::Terminal).unwrap(), plain);
        assert_eq!(
            sequence("hi", Taker::Tmux).unwrap(),
            format!("\x1bPtmux;\x1b\x1b]52;c;aGk=\x07\x1b\\{plain}")
        );
        assert!(sequence(&"x".repeat(MOST + 1), Taker::Terminal).is_none());
    }

    #[test]
    fn tmux_is_known_here_and_behind_a_connection() {
        assert_eq!(Taker::of(true, "screen-256color"), Taker::Tmux);
        assert_eq!(Taker::of(false, "tmux-256color"), Taker::Tmux);
        assert_eq!(Taker::of(false, "screen-256color"), Taker::Terminal);
        assert_eq!(Taker::of(false, "xterm-256color"), Taker::Terminal);
    }

    #[test]
    fn nothing_is_claimed_that_is_not_known() {
        let told = Taker::Tmux.told("job id");
        assert!(told.contains("sent") && told.contains("set-clipboard on"));
        assert!(!told.contains("copied"));
    }
}
