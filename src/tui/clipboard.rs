//! Copying through the terminal (OSC 52): works over SSH. A terminal answers nothing: that the text went out is all that is
//! known. tmux is asked to take the text itself first: as it comes, it drops the sequences of programs.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Larger texts are cut off by terminals without a word.
pub const MOST: usize = 74_994;

/// A tmux that answers later does not draw either.
const TMUX_WITHIN: Duration = Duration::from_secs(1);

/// Lets the tmux that this runs in keep a text as its newest buffer and hand it on to its own terminal; false if it did not, as
/// before version 3.2, which cannot hand it on. The text goes by a pipe: the list of processes shows none of it.
pub async fn load(tmux: &str, text: &str) -> bool {
    let load = async {
        let mut child = Command::new(tmux)
            .args(["load-buffer", "-w", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(text.as_bytes()).await?;
            input.shutdown().await?;
        }
        child.wait().await
    };
    matches!(tokio::time::timeout(TMUX_WITHIN, load).await, Ok(Ok(status)) if status.success())
}

/// What is known once tmux took a text.
pub fn kept(what: &str) -> String {
    format!("{what} copied into tmux's buffer, and handed on to its terminal")
}

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

    /// A program that stands in for tmux, in a folder of its own.
    fn stand_in(body: &str) -> (tempfile::TempDir, String) {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tmux");
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        let path = path.to_str().unwrap().to_owned();
        (folder, path)
    }

    #[tokio::test]
    async fn tmux_gets_the_text_by_a_pipe_and_says_whether_it_took_it() {
        let (folder, tmux) = stand_in("cat > \"${0%/*}/got\"; echo \"$@\" > \"${0%/*}/args\"");
        assert!(load(&tmux, "Böser Wolf\n").await);
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("got"), "Böser Wolf\n");
        assert_eq!(read("args").trim(), "load-buffer -w -");
        let (_old, tmux) = stand_in("exit 1");
        assert!(!load(&tmux, "x").await);
        assert!(!load("/nowhere/tmux", "x").await);
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
