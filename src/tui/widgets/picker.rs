//! A list to choose one or several from, narrowed by typing.

use super::leaves;
use super::overlay::frame;
use super::text::wrap;
use crate::tui::canvas::{Canvas, shown_width};
use crate::tui::hits::Hit;
use crossterm::event::{Event as TerminalEvent, KeyCode, KeyEvent, KeyModifiers};
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui::layout::Rect;
use std::collections::BTreeSet;
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PickOutcome {
    Stay,
    /// The item of this number was chosen.
    Chosen(usize),
    /// Several were: see [`Picker::taken`].
    Taken,
    Dropped,
}

/// One item: what it is, what is said about it where there is room, and its key at the right.
#[derive(Clone, Debug)]
pub struct Item {
    pub label: String,
    pub note: String,
    pub key: String,
    /// It cannot be done now: the note says why.
    pub off: bool,
}

/// The items that are marked, where several can be taken.
#[derive(Clone, Debug, Default)]
struct Marks {
    marked: BTreeSet<usize>,
    /// Somebody marked something, or took a mark away.
    touched: bool,
    /// What an item is called that is typed and not in the list; `None` where only the list will do.
    new: Option<&'static str>,
}

/// Items, the text typed, and the items that match it, best first.
#[derive(Clone, Debug)]
pub struct Picker {
    title: String,
    items: Vec<Item>,
    /// Other names of the first items, by which they are found.
    names: Vec<&'static str>,
    input: Input,
    shown: Vec<usize>,
    cursor: usize,
    marks: Option<Marks>,
    /// The item under the cursor stands whole beneath the list, where lines have no room for it.
    whole: bool,
}

/// Columns that a list takes where there is room; more where its items want more.
const USUAL: u16 = 90;
/// Columns between the texts of an item and its key.
const KEY_GAP: u16 = 2;
/// Lines that a label, and a note, take at most beneath the list.
const BENEATH: usize = 2;

impl Picker {
    /// A list under a title.
    pub fn new(title: impl Into<String>, items: Vec<Item>) -> Self {
        let mut picker = Self {
            title: title.into(),
            shown: Vec::new(),
            items,
            names: Vec::new(),
            input: Input::default(),
            cursor: 0,
            marks: None,
            whole: false,
        };
        picker.narrow();
        picker
    }

    /// The cursor begins on this item.
    pub fn at(mut self, item: usize) -> Self {
        let row = self.shown.iter().position(|shown| *shown == item);
        self.cursor = row.unwrap_or(0);
        self
    }

    /// What is under the cursor is shown whole beneath the list, where its line has no room for it.
    pub fn whole(mut self) -> Self {
        self.whole = true;
        self
    }

    /// The items are found by these names, too.
    pub fn named(mut self, names: Vec<&'static str>) -> Self {
        self.names = names;
        self
    }

    /// How good a match is: the beginning of a name, of a word of the label, or letters here and there.
    fn nearness(&self, at: usize, typed: &str) -> u8 {
        let name = self.names.get(at);
        let label = self.items[at].label.to_lowercase();
        let mut words = label.match_indices(typed).map(|(from, _)| &label[..from]);
        if name.is_some_and(|name| name.starts_with(typed)) {
            0
        } else if words.any(|before| !before.ends_with(char::is_alphanumeric)) {
            1
        } else {
            2
        }
    }

    /// Columns that the widest item wants.
    fn wanted(&self) -> u16 {
        let wide = |item: &Item| {
            let parts = [&item.label, &item.note, &item.key];
            let parts = parts.map(|part| shown_width(part)).into_iter();
            parts
                .filter(|width| *width > 0)
                .map(|width| width + 2)
                .sum()
        };
        let widest: usize = self.items.iter().map(wide).max().unwrap_or(0);
        let marks = if self.marks.is_some() { 2 } else { 0 };
        // Frame and cursor.
        u16::try_from(widest + marks + 6).unwrap_or(u16::MAX)
    }

    /// An item whole, in lines of a width: its label, then its note.
    fn lines(item: &Item, width: u16) -> [Vec<String>; 2] {
        [&item.label, &item.note].map(|text| match text.is_empty() {
            true => Vec::new(),
            false => wrap(text, width),
        })
    }

    /// Several can be taken: those that are marked, else the one under the cursor.
    pub fn marking(mut self) -> Self {
        self.marks = Some(Marks::default());
        self
    }

    /// Several can be taken, or none, and also such as are not in the list; `new` is what one is called. The first `marked` items
    /// are marked already.
    pub fn naming(mut self, new: &'static str, marked: usize) -> Self {
        self.marks = Some(Marks {
            marked: (0..marked).collect(),
            touched: false,
            new: Some(new),
        });
        self
    }

    /// The numbers of the items that were taken.
    pub fn taken(&self) -> Vec<usize> {
        let Some(marks) = &self.marks else {
            return Vec::new();
        };
        let under = self.shown.get(self.cursor).copied();
        if marks.marked.is_empty() && (marks.new.is_none() || !marks.touched) {
            return under.into_iter().collect();
        }
        marks.marked.iter().copied().collect()
    }

    /// True if something is typed, or was marked.
    pub fn is_touched(&self) -> bool {
        let marked = self.marks.as_ref().is_some_and(|marks| marks.touched);
        marked || !self.input.value().trim().is_empty()
    }

    /// The labels of the items that were taken.
    pub fn taken_labels(&self) -> Vec<String> {
        let taken = self.taken();
        taken
            .iter()
            .map(|at| self.items[*at].label.clone())
            .collect()
    }

    /// Adds items that are not in the list yet.
    pub fn add(&mut self, items: Vec<Item>) {
        for item in items {
            if !self.items.iter().any(|known| known.label == item.label) {
                self.items.push(item);
            }
        }
        let cursor = self.cursor;
        self.narrow();
        self.cursor = cursor.min(self.rows().saturating_sub(1));
    }

    /// What is typed and could be taken although it is not in the list.
    fn new_label(&self) -> Option<(&'static str, &str)> {
        let noun = self.marks.as_ref()?.new?;
        let typed = self.input.value().trim();
        let known = |item: &Item| item.label.eq_ignore_ascii_case(typed);
        (!typed.is_empty() && !self.items.iter().any(known)).then_some((noun, typed))
    }

    fn rows(&self) -> usize {
        self.shown.len() + usize::from(self.new_label().is_some())
    }

    /// Marks the item under the cursor, or what was typed; a second time takes the mark away, where `toggle`. The text that
    /// led to it has done its work.
    fn mark(&mut self, toggle: bool) {
        let new = self.new_label().map(|(_, label)| label.to_owned());
        let at = match (self.shown.get(self.cursor), new) {
            (Some(at), _) => *at,
            (None, Some(label)) => {
                self.items.push(Item {
                    label,
                    note: "new".to_owned(),
                    key: String::new(),
                    off: false,
                });
                self.items.len() - 1
            }
            (None, None) => return,
        };
        if let Some(marks) = &mut self.marks {
            marks.touched = true;
            if !marks.marked.insert(at) && toggle {
                marks.marked.remove(&at);
            }
        }
        if !self.input.value().is_empty() {
            self.input = Input::default();
            self.narrow();
            self.cursor = self
                .shown
                .iter()
                .position(|shown| *shown == at)
                .unwrap_or(0);
        }
    }

    /// The keys that it takes, for the footer.
    pub fn keys(&self) -> &'static [(&'static str, &'static str)] {
        match &self.marks {
            None => &[("type", "to narrow"), ("enter", "choose"), ("esc", "leave")],
            Some(Marks { new: None, .. }) => &[
                ("space", "mark"),
                ("enter", "take the marked"),
                ("type", "to narrow"),
                ("tab", "mark"),
                ("esc", "leave"),
            ],
            Some(Marks { new: Some(_), .. }) => &[
                ("space", "mark"),
                ("type", "a name, known or new"),
                ("tab", "mark"),
                ("enter", "take the marked"),
                ("esc", "leave"),
            ],
        }
    }

    fn narrow(&mut self) {
        self.cursor = 0;
        if self.input.value().trim().is_empty() {
            self.shown = (0..self.items.len()).collect();
            return;
        }
        let pattern = Pattern::parse(
            self.input.value(),
            CaseMatching::Smart,
            Normalization::Smart,
        );
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut buffer = Vec::new();
        let typed = self.input.value().trim().to_lowercase();
        let mut scored: Vec<(u8, u32, usize)> = self
            .items
            .iter()
            .enumerate()
            .filter_map(|(at, item)| {
                let name = self.names.get(at).copied().unwrap_or_default();
                let text = format!("{} {} {name}", item.label, item.note);
                let score = pattern.score(Utf32Str::new(&text, &mut buffer), &mut matcher)?;
                Some((self.nearness(at, &typed), score, at))
            })
            .collect();
        scored.sort_by_key(|(near, score, at)| (*near, std::cmp::Reverse(*score), *at));
        self.shown = scored.into_iter().map(|(.., at)| at).collect();
    }

    /// Puts pasted text in, on one line.
    pub fn paste(&mut self, text: &str) {
        for c in text.chars().filter(|c| !c.is_control()) {
            self.input.handle(tui_input::InputRequest::InsertChar(c));
        }
        self.narrow();
    }

    /// Takes a key.
    pub fn key(&mut self, key: &KeyEvent) -> PickOutcome {
        let last = self.rows().saturating_sub(1);
        match (key.code, key.modifiers) {
            _ if leaves(key) => return PickOutcome::Dropped,
            // While something is typed a space is a part of it.
            (KeyCode::Char(' '), _) if self.marks.is_some() && self.input.value().is_empty() => {
                self.mark(true);
            }
            (KeyCode::Tab, _) if self.marks.is_some() => self.mark(true),
            (KeyCode::Enter, _) if self.marks.is_some() => {
                let names = self.marks.as_ref().is_some_and(|marks| marks.new.is_some());
                if names && !self.input.value().trim().is_empty() {
                    self.mark(false);
                } else if names || !self.taken().is_empty() {
                    return PickOutcome::Taken;
                }
            }
            (KeyCode::Enter, _) => {
                return match self.shown.get(self.cursor) {
                    Some(at) => PickOutcome::Chosen(*at),
                    None => PickOutcome::Stay,
                };
            }
            (KeyCode::Down, _) | (KeyCode::Char('n'), KeyModifiers::CONTROL) => {
                self.cursor = (self.cursor + 1).min(last);
            }
            (KeyCode::Up, _) | (KeyCode::Char('p'), KeyModifiers::CONTROL) => {
                self.cursor = self.cursor.saturating_sub(1);
            }
            (KeyCode::PageDown, _) => self.cursor = (self.cursor + 10).min(last),
            (KeyCode::PageUp, _) => self.cursor = self.cursor.saturating_sub(10),
            _ => {
                let changed = self
                    .input
                    .handle_event(&TerminalEvent::Key(*key))
                    .is_some_and(|change| change.value);
                if changed {
                    self.narrow();
                }
            }
        }
        PickOutcome::Stay
    }

    /// Draws it over the screen.
    pub fn draw(&self, canvas: &mut Canvas, area: Rect) {
        let (most, wanted) = (area.width.saturating_sub(4), self.wanted());
        let width = most.min(wanted.max(USUAL));
        let beneath = match self.whole && wanted > width {
            true => {
                let lines = |item| Self::lines(item, width.saturating_sub(4));
                let lines = |item| lines(item).iter().map(|l| l.len().min(BENEATH)).sum();
                let most: usize = self.items.iter().map(lines).max().unwrap_or(0);
                most as u16 + 1
            }
            false => 0,
        };
        let height = (self.items.len() as u16).saturating_add(4 + beneath);
        let height = height.clamp(6, area.height.saturating_sub(2).max(6));
        let inner = frame(canvas, area, width, height.min(area.height), &self.title);
        if inner.height < 2 {
            return;
        }
        let (text, muted, key) = (canvas.theme.text, canvas.theme.muted, canvas.theme.key);
        canvas.put(inner.x, inner.y, 1, ":", key);
        let place = Rect::new(inner.x + 2, inner.y, inner.width.saturating_sub(2), 1);
        let at = self.input.cursor();
        canvas.typed(place, self.input.value(), at, text, true);
        // The list goes before what is said about one of its items.
        let beneath = if inner.height > beneath + 3 {
            beneath
        } else {
            0
        };
        let rows = usize::from(inner.height - 1 - beneath);
        if let Some(item) = self.shown.get(self.cursor).map(|at| &self.items[*at])
            && beneath > 0
        {
            let mut y = inner.bottom() - beneath;
            canvas.rule(inner.x, y, inner.width);
            let accent = canvas.theme.accent;
            for (lines, style) in Self::lines(item, inner.width)
                .into_iter()
                .zip([text, accent])
            {
                for line in lines.iter().take(BENEATH) {
                    y += 1;
                    canvas.put(inner.x, y, inner.width, line, style);
                }
            }
        }
        let from = (self.cursor + 1).saturating_sub(rows);
        if self.rows() == 0 {
            canvas.put(
                inner.x + 2,
                inner.y + 1,
                inner.width,
                "nothing matches",
                muted,
            );
        }
        for (line, at) in self.shown.iter().skip(from).take(rows).enumerate() {
            let y = inner.y + 1 + line as u16;
            let item = &self.items[*at];
            let under = from + line == self.cursor;
            let steps = (from + line) as isize - self.cursor as isize;
            canvas.hit(Rect::new(inner.x, y, inner.width, 1), Hit::Row(steps));
            if under {
                let accent = canvas.theme.accent;
                canvas.put(inner.x, y, 1, canvas.theme.glyphs.marker, accent);
            }
            let style = match (under, item.off) {
                (true, _) => canvas.theme.title,
                (false, false) => text,
                (false, true) => muted,
            };
            let key_width = (shown_width(&item.key) as u16).min(inner.width / 3);
            canvas.put_right(inner.right() - key_width, y, key_width, &item.key, key);
            // What stands before the key does not run into it.
            let gap = if key_width > 0 { KEY_GAP } else { 0 };
            let right = inner.right().saturating_sub(key_width + gap);
            let mut x = inner.x + 2;
            if let Some(marks) = &self.marks {
                let glyphs = canvas.theme.glyphs;
                let (mark, style) = match marks.marked.contains(at) {
                    true => (glyphs.selected, canvas.theme.accent),
                    false => (glyphs.ready, muted),
                };
                canvas.put(x, y, 1, mark, style);
                x += 2;
            }
            let room = right.saturating_sub(x);
            let used = canvas.put(x, y, room, &item.label, style);
            let room = room.saturating_sub(used + 2);
            let x = x + used + 2;
            if shown_width(&item.note) <= usize::from(room) {
                canvas.put_right(x, y, room, &item.note, muted);
            } else if !self.whole && room > 3 {
                // What is said about an item is a part of the choice; of the palette's it stands beneath.
                canvas.put(x, y, room, &item.note, muted);
            }
        }
        if let Some((noun, label)) = self.new_label()
            && (from..from + rows).contains(&self.shown.len())
        {
            let y = inner.y + 1 + (self.shown.len() - from) as u16;
            let under = self.cursor == self.shown.len();
            if under {
                let accent = canvas.theme.accent;
                canvas.put(inner.x, y, 1, canvas.theme.glyphs.marker, accent);
            }
            let style = if under { canvas.theme.title } else { text };
            let line = format!("new {noun}: {label}");
            canvas.put(inner.x + 4, y, inner.width.saturating_sub(4), &line, style);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_narrows_and_enter_chooses() {
        let items = ["retry all", "discard", "sync"].map(|label| Item {
            label: label.into(),
            note: String::new(),
            key: String::new(),
            off: false,
        });
        let mut picker = Picker::new("t", items.into());
        for c in "sy".chars() {
            picker.key(&KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
        }
        let enter = KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE);
        assert_eq!(picker.key(&enter), PickOutcome::Chosen(2));
        picker.paste("zzz");
        assert_eq!(picker.key(&enter), PickOutcome::Stay);
    }

    fn items() -> Vec<Item> {
        let item = |label: &str| Item {
            label: label.into(),
            note: String::new(),
            key: String::new(),
            off: false,
        };
        ["vip", "pet-adopted", "pet-owner"].map(item).into()
    }

    fn keys(picker: &mut Picker, keys: &str) -> PickOutcome {
        let mut last = PickOutcome::Stay;
        for c in keys.chars() {
            let code = match c {
                '\n' => KeyCode::Enter,
                '\t' => KeyCode::Tab,
                'v' => KeyCode::Down,
                c => KeyCode::Char(c),
            };
            last = picker.key(&KeyEvent::new(code, KeyModifiers::NONE));
        }
        last
    }

    #[test]
    fn what_begins_as_typed_comes_before_letters_here_and_there() {
        let item = |label: &str| Item {
            label: label.into(),
            note: String::new(),
            key: String::new(),
            off: false,
        };
        let labels = [
            "Quit; asks while something is under way, or so",
            "Take it back",
            "Rundown",
        ];
        let mut picker = Picker::new("t", labels.map(item).into()).named(vec!["quit", "undo", ""]);
        assert_eq!(keys(&mut picker, "undo\n"), PickOutcome::Chosen(1));
        let mut picker = Picker::new("t", labels.map(item).into());
        assert_eq!(keys(&mut picker, "und\n"), PickOutcome::Chosen(0));
    }

    #[test]
    fn where_nobody_marked_anything_the_one_under_the_cursor_is_taken() {
        let mut picker = Picker::new("t", items()).naming("tag", 0);
        assert_eq!(keys(&mut picker, "v\n"), PickOutcome::Taken);
        assert_eq!(picker.taken(), [1]);
        // Somebody took all marks away: none is meant.
        let mut picker = Picker::new("t", items()).naming("tag", 1);
        assert_eq!(keys(&mut picker, " v\n"), PickOutcome::Taken);
        assert_eq!(picker.taken(), Vec::<usize>::new());
    }

    #[test]
    fn several_are_marked_and_taken_together() {
        let mut picker = Picker::new("t", items()).marking();
        assert_eq!(keys(&mut picker, "v\n"), PickOutcome::Taken);
        assert_eq!(
            picker.taken(),
            [1],
            "nothing is marked: the one under the cursor"
        );
        assert_eq!(keys(&mut picker, " v  \n"), PickOutcome::Taken);
        assert_eq!(picker.taken(), [1], "the third was marked twice");
        keys(&mut picker, "owner\t");
        assert_eq!(picker.taken_labels(), ["pet-adopted", "pet-owner"]);
        assert_eq!(keys(&mut picker, "zzz\n"), PickOutcome::Taken);
    }

    #[test]
    fn a_name_that_is_not_in_the_list_can_be_taken_too() {
        let mut picker = Picker::new("t", items()).naming("tag", 1);
        assert_eq!(picker.taken_labels(), ["vip"]);
        // The first enter is for the name, the second for all.
        assert_eq!(keys(&mut picker, "a good one\n"), PickOutcome::Stay);
        assert_eq!(keys(&mut picker, "\n"), PickOutcome::Taken);
        assert_eq!(picker.taken_labels(), ["vip", "a good one"]);
        keys(&mut picker, "pet-adopted\n");
        assert_eq!(picker.taken_labels(), ["vip", "pet-adopted", "a good one"]);
        picker.add(items());
        assert_eq!(picker.items.len(), 4, "what is known is not added again");
        // Below what fits stands what was typed.
        keys(&mut picker, "pet");
        assert_eq!(picker.rows(), 3);
        keys(&mut picker, "vv\t");
        assert!(picker.taken_labels().contains(&"pet".to_owned()));
    }
}
