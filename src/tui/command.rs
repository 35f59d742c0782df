//! Commands that do what a key does, as a person would type them.

use crate::model::{ConnectionName, Properties};
use crate::operations::records::change::RecordChange;
use serde_json::Value;
use std::path::PathBuf;

/// The commands that take `--connection`. Others are about a mapping, job or run, which belongs to one connection, name their
/// connection in a filter, or are about all of them. The command line checks this list against itself.
pub const CONNECTED: [&[&str]; 21] = [
    &["tui"],
    &["login", "highlevel"],
    &["schemas", "list"],
    &["schemas", "show"],
    &["fields", "list"],
    &["fields", "create"],
    &["contacts", "show"],
    &["segments", "list"],
    &["segments", "create"],
    &["records", "list"],
    &["records", "get"],
    &["records", "create"],
    &["records", "update"],
    &["records", "delete"],
    &["mappings", "list"],
    &["exports", "list"],
    &["queue", "groups"],
    &["activity"],
    &["audit"],
    &["alerts", "list"],
    &["api"],
];

/// What a command must say so that it is about the accounts in view, in whatever shell it is pasted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aim {
    /// The connection, where the command line would not take it by itself.
    pub connection: Option<ConnectionName>,
    /// The configuration, where it would not be found.
    pub config: Option<PathBuf>,
}

impl Aim {
    /// A command whole, to be copied.
    pub fn whole(&self, command: &str) -> String {
        let command = self.short(command);
        match (&self.config, command.strip_prefix("tramline")) {
            (Some(path), Some(rest)) => {
                format!(
                    "tramline --config {}{rest}",
                    quoted(&path.to_string_lossy())
                )
            }
            _ => command,
        }
    }

    /// The commands of a line of the key table, to be read.
    pub fn lines(&self, twin: &str) -> String {
        let commands: Vec<_> = twin.split("; ").map(|one| self.short(one)).collect();
        commands.join("; ")
    }

    /// A command to be read: without the configuration, which is the one in view.
    pub fn short(&self, command: &str) -> String {
        let Some(connection) = &self.connection else {
            return command.to_owned();
        };
        let words = |path: &&[&str]| format!("tramline {}", path.join(" "));
        let known = CONNECTED.iter().map(words).find_map(|words| {
            let rest = command.strip_prefix(&words)?;
            (rest.is_empty() || rest.starts_with(' ')).then(|| (words.clone(), rest))
        });
        match known {
            // Right behind the command's own words: what follows may end in `> FILE`.
            Some((words, rest)) if !rest.starts_with(" --connection ") => {
                format!("{words} --connection {}{rest}", quoted(connection.as_str()))
            }
            _ => command.to_owned(),
        }
    }
}

/// Changed properties as words of `records create` and `records update`: ` --set name=Rex`.
pub fn set(changes: &Properties) -> String {
    let words = changes.iter().map(|(key, value)| {
        let value = match value {
            Value::String(text) => text.clone(),
            // Nothing behind the = empties a property.
            Value::Null => String::new(),
            other => other.to_string(),
        };
        format!(" --set {}", quoted(&format!("{key}={value}")))
    });
    words.collect()
}

/// The command of a change: `tramline records update pets 66b1 --set name=Rex`.
pub fn update(change: &RecordChange) -> String {
    let (object, record) = (change.object.short(), &change.record);
    let words = set(&change.properties);
    format!("tramline records update {object} {record}{words}")
}

/// A text as a word of a shell.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_shell_would_take_apart_is_quoted() {
        assert_eq!(quoted("state:failed"), "state:failed");
        assert_eq!(quoted("state:failed age>1h"), "'state:failed age>1h'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn a_command_names_the_accounts_in_view_where_it_would_not_find_them() {
        let update = "tramline records update pets 66b1 --set name=Rex";
        assert_eq!(Aim::default().whole(update), update);
        let aim = Aim {
            connection: Some("us".into()),
            config: Some("/home/jo/my accounts.toml".into()),
        };
        assert_eq!(
            aim.whole(update),
            "tramline --config '/home/jo/my accounts.toml' records update --connection us pets 66b1 --set name=Rex"
        );
        assert_eq!(
            aim.short("tramline records list pets --format csv > pets.csv"),
            "tramline records list --connection us pets --format csv > pets.csv"
        );
        for whole in [
            "tramline tui --connection eu",
            "tramline queue pause --connection eu --reason r",
            "tramline sync pets 66b1",
            "tramline check",
        ] {
            assert_eq!(aim.short(whole), whole);
        }
    }

    #[test]
    fn what_is_emptied_is_set_to_nothing() {
        let changes = json!({ "name": "Rex's", "weight": null, "tags": ["a"] });
        let Value::Object(changes) = changes else {
            panic!()
        };
        assert_eq!(
            set(&changes),
            r#" --set 'name=Rex'\''s' --set weight= --set 'tags=["a"]'"#
        );
    }
}
