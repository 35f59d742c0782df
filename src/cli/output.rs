//! Tables and JSON on stdout, notes and errors on stderr; foreign text only through the sanitiser.

use crate::model::{Problem, sanitize};
pub use crate::operations::records::csv::cell;
use serde::Serialize;
use std::io::{IsTerminal, Write};
use unicode_width::UnicodeWidthStr;

/// The widest a column of a table gets on a terminal.
const COLUMN_WIDTH: usize = 48;
/// The widest a column gets elsewhere for the sake of a longer text in one of its rows.
const WIDENED: usize = 80;

/// Where a command prints.
pub struct Output {
    json: bool,
}

impl Output {
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// True under `--json`.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// One JSON document on one line.
    pub fn document(&self, value: &impl Serialize) {
        match serde_json::to_string(value) {
            Ok(text) => self.raw_line(&sanitize::json(&text)),
            Err(error) => self.note(&format!("cannot be written as JSON: {error}")),
        }
    }

    /// A list: JSON lines, or a table with these columns.
    pub fn list<T: Serialize>(
        &self,
        items: &[T],
        columns: &[&str],
        row: impl Fn(&T) -> Vec<String>,
    ) {
        if self.json {
            for item in items {
                self.document(item);
            }
        } else {
            self.table(columns, &items.iter().map(row).collect::<Vec<_>>());
        }
    }

    /// A table. On a terminal what exceeds a column's width is cut; elsewhere it is whole, and a very long text widens no line
    /// but its own.
    pub fn table(&self, columns: &[&str], rows: &[Vec<String>]) {
        let cut = std::io::stdout().is_terminal();
        let cell = |text: &str| {
            let clean = sanitize::line(text);
            if cut {
                shorten(&clean, COLUMN_WIDTH)
            } else {
                clean.into_owned()
            }
        };
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.iter().map(|text| cell(text)).collect())
            .collect();
        let mut widths: Vec<usize> = columns.iter().map(|name| name.width()).collect();
        for row in &rows {
            for (width, text) in widths.iter_mut().zip(row) {
                *width = (*width).max(text.width().min(WIDENED));
            }
        }
        let print = |cells: &mut dyn Iterator<Item = &str>| {
            let mut line = String::new();
            for (text, width) in cells.zip(&widths) {
                line.push_str(text);
                line.push_str(&" ".repeat(width.saturating_sub(text.width()) + 2));
            }
            self.raw_line(line.trim_end());
        };
        print(&mut columns.iter().copied());
        for row in &rows {
            print(&mut row.iter().map(String::as_str));
        }
    }

    /// A line of a person's output; control characters are made visible.
    pub fn line(&self, text: &str) {
        self.raw_line(&sanitize::line(text));
    }

    /// One JSON document over several lines, for people.
    pub fn pretty(&self, value: &impl Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.raw_line(&sanitize::json(&text)),
            Err(error) => self.note(&format!("cannot be written as JSON: {error}")),
        }
    }

    /// A line of data that has no way to spell a control character (CSV): as it is for files and pipes, made visible on a
    /// terminal.
    pub fn data_line(&self, text: &str) {
        if std::io::stdout().is_terminal() {
            self.raw_line(&sanitize::block(text));
        } else {
            self.raw_line(text);
        }
    }

    /// Text of our own as it is, such as completions.
    pub fn raw_line(&self, text: &str) {
        // A reader that went away (`| head`) is no error worth a message.
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }

    /// A note beside the output.
    pub fn note(&self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{}", sanitize::line(text));
    }

    /// An error: text, or a JSON document under `--json`; on stderr.
    pub fn problem(&self, problem: &Problem) {
        if self.json
            && let Ok(text) = serde_json::to_string(&serde_json::json!({ "error": problem }))
        {
            let _ = writeln!(std::io::stderr().lock(), "{}", sanitize::json(&text));
        } else {
            self.note(&format!("tramline: {problem}"));
        }
    }
}

/// Cuts a text to a display width, with `…` in place of what is left out.
pub fn shorten(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
        if used + wide + 1 > width {
            break;
        }
        used += wide;
        out.push(c);
    }
    out.push('…');
    out
}

/// A time as people read it, in UTC.
pub fn time(at: Option<jiff::Timestamp>) -> String {
    at.map_or_else(
        || "—".into(),
        |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}
