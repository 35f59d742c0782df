//! A JSON value as a tree whose branches fold.

use crate::tui::canvas::Canvas;
use crate::tui::hits::Hit;
use crate::tui::keymap::Action;
use crate::tui::widgets::text::out_of_sight;
use ratatui::layout::Rect;
use serde_json::Value;
use std::cell::Cell;
use std::collections::BTreeSet;

/// One line of the tree.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    depth: usize,
    path: String,
    /// The keys that lead to it.
    keys: Vec<String>,
    label: String,
    value: String,
    /// `None` for a leaf.
    folded: Option<bool>,
}

/// Which branches are folded, and where the cursor stands.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    folded: BTreeSet<String>,
    cursor: usize,
    offset: Cell<usize>,
    height: Cell<usize>,
}

fn grow(lines: &mut Vec<Line>, folded: &BTreeSet<String>, keys: &[String], value: &Value) {
    let path: String = keys.iter().map(|key| format!("/{key}")).collect();
    let mut line = Line {
        depth: keys.len(),
        path: path.clone(),
        keys: keys.to_vec(),
        label: keys.last().cloned().unwrap_or_default(),
        value: String::new(),
        folded: None,
    };
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), v)).collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(at, v)| (at.to_string(), v))
            .collect(),
        leaf => {
            line.value = leaf.to_string();
            lines.push(line);
            return;
        }
    };
    let shut = folded.contains(&path);
    let (open, close) = if value.is_array() {
        ('[', ']')
    } else {
        ('{', '}')
    };
    line.value = match (shut, children.len()) {
        (_, 0) => format!("{open}{close}"),
        (true, many) => format!("{open}…{close} {many}"),
        (false, _) => open.to_string(),
    };
    line.folded = Some(shut);
    lines.push(line);
    if !shut {
        for (key, child) in children {
            let keys = [keys, &[key]].concat();
            grow(lines, folded, &keys, child);
        }
    }
}

impl Tree {
    fn lines(&self, value: &Value) -> Vec<Line> {
        let mut lines = Vec::new();
        grow(&mut lines, &self.folded, &[], value);
        lines
    }

    /// Moves, folds (left) and unfolds (right); true if the action was one of these.
    pub fn act(&mut self, action: Action, value: &Value) -> bool {
        let lines = self.lines(value);
        let last = lines.len().saturating_sub(1);
        let page = self.height.get().max(1);
        self.cursor = match action {
            Action::Up => self.cursor.saturating_sub(1),
            Action::Down => self.cursor + 1,
            Action::Top => 0,
            Action::Bottom => last,
            Action::HalfDown => self.cursor + page / 2,
            Action::HalfUp => self.cursor.saturating_sub(page / 2),
            Action::PageDown => self.cursor + page,
            Action::PageUp => self.cursor.saturating_sub(page),
            Action::Right => match lines.get(self.cursor) {
                Some(line) if line.folded == Some(true) => {
                    self.folded.remove(&line.path);
                    self.cursor
                }
                _ => return false,
            },
            Action::Left => match lines.get(self.cursor) {
                Some(line) if line.folded == Some(false) && line.depth > 0 => {
                    self.folded.insert(line.path.clone());
                    self.cursor
                }
                _ => return false,
            },
            _ => return false,
        }
        .min(last);
        true
    }

    /// Back to the top, all branches open.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// What is under the cursor: where it stands, and the whole of it as text.
    pub fn under<'a>(&self, value: &'a Value) -> Option<(String, String)> {
        let lines = self.lines(value);
        let line = lines.get(self.cursor.min(lines.len().saturating_sub(1)))?;
        let found: &'a Value = line.keys.iter().try_fold(value, |value, key| match value {
            Value::Array(items) => items.get(key.parse::<usize>().ok()?),
            other => other.get(key),
        })?;
        let text = match found {
            Value::String(text) => text.clone(),
            other => serde_json::to_string_pretty(other).unwrap_or_default(),
        };
        Some((line.keys.join(" / "), text))
    }

    /// Draws the lines in sight; where not all are, the last row says how many are not.
    pub fn draw(&self, canvas: &mut Canvas, area: Rect, value: &Value, focused: bool) {
        let lines = self.lines(value);
        let whole = lines.len() <= usize::from(area.height) || area.height < 3;
        let height = usize::from(area.height) - usize::from(!whole);
        self.height.set(height);
        let cursor = self.cursor.min(lines.len().saturating_sub(1));
        let offset = self
            .offset
            .get()
            .clamp((cursor + 1).saturating_sub(height), cursor);
        self.offset.set(offset);
        let theme = canvas.theme;
        if !whole {
            let below = lines.len().saturating_sub(offset + height);
            let note = out_of_sight(offset, below);
            canvas.put_right(area.x, area.bottom() - 1, area.width, &note, theme.muted);
        }
        for (at, line) in lines.iter().skip(offset).take(height).enumerate() {
            let y = area.y + at as u16;
            let indent = (line.depth * 2) as u16;
            if indent + 2 >= area.width {
                continue;
            }
            let fold = match line.folded {
                Some(true) => theme.glyphs.folded,
                Some(false) => theme.glyphs.open,
                None => " ",
            };
            let turn = match line.folded {
                Some(true) => Some(Action::Right),
                // The whole of it stays open: to the left of it is the list.
                Some(false) if line.depth > 0 => Some(Action::Left),
                _ => None,
            };
            let steps = (offset + at) as isize - cursor as isize;
            // The line that an unfocused tree would turn has not been seen to be under the cursor.
            let turn = turn.filter(|_| focused);
            canvas.hit(Rect::new(area.x, y, area.width, 1), Hit::Line(steps, turn));
            let under = focused && offset + at == cursor;
            let key = if under { theme.cursor } else { theme.accent };
            let x = area.x + indent;
            let width = area.width - indent;
            if line.label.is_empty() {
                canvas.spans(
                    x,
                    y,
                    width,
                    &[
                        (fold, theme.muted),
                        (" ", theme.text),
                        (&line.value, theme.muted),
                    ],
                );
            } else {
                canvas.spans(
                    x,
                    y,
                    width,
                    &[
                        (fold, theme.muted),
                        (" ", theme.text),
                        (&line.label, key),
                        (": ", theme.muted),
                        (&line.value, theme.text),
                    ],
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn branches_fold_and_unfold() {
        let value = json!({"a": {"b": [1, 2]}, "c": "x"});
        let mut tree = Tree::default();
        assert_eq!(tree.lines(&value).len(), 6);
        tree.act(Action::Down, &value);
        assert!(tree.act(Action::Left, &value));
        assert_eq!(tree.lines(&value).len(), 3);
        assert!(
            !tree.act(Action::Left, &value),
            "it is shut already: the pane is left"
        );
        assert!(tree.act(Action::Right, &value));
        assert_eq!(tree.lines(&value).len(), 6);
        tree.act(Action::Bottom, &value);
        assert_eq!(tree.cursor, 5);
    }

    #[test]
    fn what_is_under_the_cursor_is_given_whole() {
        let value = json!({"a/b": {"c": ["one\ntwo", 12.40]}});
        let mut tree = Tree::default();
        let under = |tree: &Tree| tree.under(&value).unwrap();
        assert_eq!(under(&tree).0, "");
        for _ in 0..3 {
            tree.act(Action::Down, &value);
        }
        let whole = ("a/b / c / 0".to_owned(), "one\ntwo".to_owned());
        assert_eq!(under(&tree), whole);
    }

    #[test]
    fn numbers_keep_their_digits() {
        let value: Value = serde_json::from_str(r#"{"n": 12.40}"#).unwrap();
        let tree = Tree::default();
        assert_eq!(tree.lines(&value)[1].value, "12.40");
    }
}
