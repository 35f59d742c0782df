//! A text in the person's own editor, in a file that only they can read.

use std::io::Write;
use std::path::Path;
use tokio::process::Command;

/// Runs the editor on a text and gives the text back. Waits until the editor ends; the terminal is the
/// editor's meanwhile.
pub async fn edit(text: &str) -> Result<String, String> {
    let editor = ["VISUAL", "EDITOR"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.trim().is_empty())
        .unwrap_or_else(|| "vi".to_owned());
    edit_with(&editor, text).await
}

async fn edit_with(editor: &str, text: &str) -> Result<String, String> {
    // Temporary files of this crate are made with mode 0600.
    let mut file = tempfile::Builder::new()
        .prefix("tramline-")
        .suffix(".json")
        .tempfile()
        .map_err(|error| format!("no temporary file: {error}"))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.flush())
        .map_err(|error| format!("{}: {error}", file.path().display()))?;
    run(editor, file.path()).await?;
    tokio::fs::read_to_string(file.path())
        .await
        .map_err(|error| format!("{}: {error}", file.path().display()))
}

async fn run(editor: &str, path: &Path) -> Result<(), String> {
    // Through a shell, as git does it, for an $EDITOR with arguments.
    let status = Command::new("sh")
        .arg("-c")
        .arg(format!("{editor} \"$1\""))
        .arg("sh")
        .arg(path)
        .status()
        .await
        .map_err(|error| format!("{editor}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{editor} ended with {status}; nothing was written"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_text_comes_back_as_the_editor_left_it() {
        let changed = edit_with("sed -i s/Rex/Max/", "{\"name\": \"Rex\"}").await;
        assert_eq!(changed.unwrap(), "{\"name\": \"Max\"}");
        assert!(edit_with("false", "x").await.is_err());
    }

    #[tokio::test]
    async fn nobody_else_can_read_the_file() {
        let mode = edit_with("stat -c %a \"$1\" > \"$1\"; true", "x")
            .await
            .unwrap();
        assert_eq!(mode.trim(), "600");
    }
}
