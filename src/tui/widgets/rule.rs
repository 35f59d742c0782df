//! A rule being edited: its name, its condition with what the sample makes of it, and its actions.

use super::expression::Expression;
use super::leaves;
use super::overlay::frame;
use super::picker::Picker;
use super::round;
use super::text::{Tone, wrap};
use crate::model::{Action, MappingName};
use crate::operations::draft::{Names, RuleSpec};
use crate::tui::app::types;
use crate::tui::canvas::{Canvas, below};
use crate::tui::hits::Hit;
use crossterm::event::{Event as TerminalEvent, KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;
use tui_input::backend::crossterm::EventHandler;
use tui_input::{Input, InputRequest};

/// One line of the editor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Name,
    When,
    Names(Action),
    Resubscribe,
    OnFirstSync,
}

/// The lines in their order, with what they are called.
const LINES: [(Line, &str); 11] = [
    (Line::Name, "name"),
    (Line::When, "when"),
    (Line::Names(Action::AddTag), "add tags"),
    (Line::Names(Action::RemoveTag), "remove tags"),
    (Line::Names(Action::Subscribe), "subscribe to"),
    (Line::Resubscribe, "also who left"),
    (Line::Names(Action::Unsubscribe), "unsubscribe from"),
    (Line::Names(Action::StartAutomation), "start automation"),
    (Line::Names(Action::LeaveAutomation), "leave automation"),
    (Line::Names(Action::RecordEvent), "record event"),
    (Line::OnFirstSync, "at first sync too"),
];

/// Columns of the names of the lines.
const LABEL: u16 = 18;

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleOutcome {
    /// Nothing that changes the result.
    Stay,
    /// The rule is another one.
    Typed,
    /// The names of an action are to be chosen; a character that was typed begins one.
    Names(Action, Option<char>),
    Done,
    Dropped,
}

/// A rule being edited.
#[derive(Clone, Debug)]
pub struct RuleEditor {
    pub mapping: MappingName,
    /// Its place among the rules of the mapping; `None` for one that is new.
    pub at: Option<usize>,
    /// The actions and switches; name and condition are being typed.
    rule: RuleSpec,
    /// The rule before anybody changed it.
    before: RuleSpec,
    name: Input,
    when: Expression,
    cursor: usize,
    /// The names of the other rules: effects are kept by name.
    others: Vec<String>,
    /// Names that were being chosen for an action when their list was left.
    begun: Option<(Action, Picker)>,
    /// Why the rule cannot be taken.
    problem: Option<&'static str>,
    /// What the rule makes of the sample, or why it does not; empty until that is known.
    pub result: Vec<(String, Tone)>,
}

impl RuleEditor {
    /// Begins with a rule; `fields` are the record's: key and what is said about it.
    pub fn new(
        mapping: MappingName,
        at: Option<usize>,
        rule: RuleSpec,
        others: Vec<String>,
        fields: Vec<(String, String)>,
    ) -> Self {
        Self {
            mapping,
            at,
            name: Input::new(rule.name.clone()),
            when: Expression::new(&rule.when, fields),
            // The name of a rule that is there seldom changes.
            cursor: usize::from(at.is_some()),
            before: rule.clone(),
            rule,
            others,
            begun: None,
            problem: None,
            result: Vec::new(),
        }
    }

    /// True if the rule is another one than at the beginning.
    pub fn is_typed_in(&self) -> bool {
        self.rule() != self.before || self.begun.is_some()
    }

    /// True if both began with the same rule at the same place.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.mapping, self.at, &self.before) == (&other.mapping, other.at, &other.before)
    }

    /// Goes on with the same rule as it was left; which names others have may have changed since.
    pub fn take_up(&mut self, before: Self) {
        let others = std::mem::take(&mut self.others);
        *self = Self { others, ..before };
    }

    /// What it is called.
    pub fn title(&self) -> String {
        match self.at {
            Some(_) => format!("Rule {}", self.rule.name),
            None => format!("New rule of {}", self.mapping),
        }
    }

    fn begin_anew(&mut self) {
        self.rule = self.before.clone();
        self.name = Input::new(self.before.name.clone());
        self.when.retype(&self.before.when);
        self.begun = None;
        self.problem = None;
    }

    /// The rule as it stands.
    pub fn rule(&self) -> RuleSpec {
        RuleSpec {
            name: self.name.value().trim().to_owned(),
            when: self.when.text().trim().to_owned(),
            ..self.rule.clone()
        }
    }

    /// The names that an action is about.
    pub fn names(&self, action: Action) -> &[String] {
        &self.rule.names(action).0
    }

    /// The list of an action's names was left: what was typed and marked in it is there when it is opened again.
    pub fn leave_names(&mut self, action: Action, left: &Picker) {
        if left.is_touched() {
            self.begun = Some((action, left.clone()));
        }
    }

    /// The list of an action's names as it was left, if it was.
    pub fn take_begun(&mut self, action: Action) -> Option<Picker> {
        let begun = self.begun.take_if(|(of, _)| *of == action);
        begun.map(|(_, picker)| picker)
    }

    /// Takes the names that were chosen for an action.
    pub fn set_names(&mut self, action: Action, names: Vec<String>) {
        *self.rule.names_mut(action) = Names(names);
        self.problem = None;
    }

    fn line(&self) -> Line {
        LINES[self.cursor].0
    }

    /// What keeps the rule from being taken, and the line that it is about.
    fn fault(&self) -> Option<(usize, &'static str)> {
        let rule = self.rule();
        if rule.name.is_empty() {
            return Some((0, "a rule needs a name"));
        }
        if self.others.contains(&rule.name) {
            return Some((0, "another rule has this name"));
        }
        rule.when
            .is_empty()
            .then_some((1, "a rule needs a condition"))
    }

    /// Takes the offered field of this number into the condition.
    pub fn take(&mut self, at: usize) {
        self.when.take(at);
    }

    /// True on a line of text.
    pub fn is_typing(&self) -> bool {
        matches!(self.line(), Line::Name | Line::When)
    }

    /// Puts pasted text into the line under the cursor, on one line.
    pub fn paste(&mut self, text: &str) {
        match self.line() {
            Line::Name => {
                for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
                    self.name.handle(InputRequest::InsertChar(c));
                }
            }
            Line::When => self.when.paste(text),
            _ => {}
        }
    }

    /// The keys that it takes, for the footer.
    pub fn keys(&self) -> &'static [(&'static str, &'static str)] {
        match self.line() {
            Line::Name => &[("tab", "next line"), ("enter", "take"), ("esc", "leave")],
            Line::When => &[
                ("tab", "complete, or next line"),
                ("ctrl-n", "next name"),
                ("ctrl-p", "name before"),
                ("enter", "take"),
                ("esc", "leave"),
            ],
            Line::Names(_) => &[
                ("space", "choose"),
                ("type", "a name"),
                ("backspace", "take the last out"),
                ("tab", "next line"),
                ("enter", "take"),
                ("esc", "leave"),
            ],
            Line::Resubscribe | Line::OnFirstSync => &[
                ("space", "yes or no"),
                ("tab", "next line"),
                ("enter", "take"),
                ("esc", "leave"),
            ],
        }
    }

    /// Takes a key.
    pub fn key(&mut self, key: &KeyEvent) -> RuleOutcome {
        match (key.code, key.modifiers) {
            _ if leaves(key) => return RuleOutcome::Dropped,
            (KeyCode::Char('r'), KeyModifiers::CONTROL) => {
                self.begin_anew();
                return RuleOutcome::Typed;
            }
            (KeyCode::Enter, _) => {
                let Some((at, problem)) = self.fault() else {
                    return RuleOutcome::Done;
                };
                (self.cursor, self.problem) = (at, Some(problem));
            }
            (KeyCode::Tab, _) if self.line() == Line::When && self.when.is_naming() => {
                self.when.complete();
                return RuleOutcome::Typed;
            }
            _ => match round::to(key, self.cursor, LINES.len()) {
                Some(to) => self.cursor = to,
                None => return self.edit(key),
            },
        }
        RuleOutcome::Stay
    }

    fn edit(&mut self, key: &KeyEvent) -> RuleOutcome {
        let space = key.code == KeyCode::Char(' ');
        let changed = match self.line() {
            Line::Name => {
                let change = self.name.handle_event(&TerminalEvent::Key(*key));
                change.is_some_and(|change| change.value)
            }
            Line::When => match (key.code, key.modifiers) {
                (KeyCode::Char(c @ ('n' | 'p')), KeyModifiers::CONTROL) => {
                    self.when.choose(c == 'n');
                    false
                }
                _ => self.when.key(key),
            },
            Line::Names(action) => match key.code {
                KeyCode::Char(' ') => return RuleOutcome::Names(action, None),
                KeyCode::Char(c) if types(key) => return RuleOutcome::Names(action, Some(c)),
                KeyCode::Backspace | KeyCode::Delete => {
                    self.rule.names_mut(action).0.pop().is_some()
                }
                _ => false,
            },
            Line::Resubscribe if space => {
                self.rule.resubscribe = !self.rule.resubscribe;
                true
            }
            Line::OnFirstSync if space => {
                self.rule.on_first_sync = !self.rule.on_first_sync;
                true
            }
            Line::Resubscribe | Line::OnFirstSync => false,
        };
        if !changed {
            return RuleOutcome::Stay;
        }
        self.problem = None;
        RuleOutcome::Typed
    }

    /// Draws it over the screen.
    pub fn draw(&self, canvas: &mut Canvas, area: Rect) {
        let theme = canvas.theme;
        let width = area.width.saturating_sub(4).min(110);
        let inside = width.saturating_sub(4);
        let mut result: Vec<(String, Tone)> = Vec::new();
        if let Some(problem) = self.problem {
            result.push((format!("{} {problem}", theme.glyphs.cross), Tone::Error));
        }
        for (text, tone) in &self.result {
            result.extend(wrap(text, inside).into_iter().map(|line| (line, *tone)));
        }
        let offered = match self.line() {
            Line::When if self.when.is_naming() => self.when.offered_height(),
            _ => 0,
        };
        let height = LINES.len() + 1 + result.len().max(2) + offered + 2;
        let inner = frame(canvas, area, width, height as u16, &self.title());
        // Where there is little room, what the rule makes of the sample stays in sight.
        let kept = (result.len().min(3) + 1) as u16;
        let rows = usize::from(inner.height.saturating_sub(kept)).min(LINES.len());
        let from = (self.cursor + 1).saturating_sub(rows);
        for (at, (line, label)) in LINES.iter().enumerate().skip(from).take(rows) {
            let y = inner.y + (at - from) as u16;
            let under = at == self.cursor;
            let steps = at as isize - self.cursor as isize;
            canvas.hit(Rect::new(inner.x, y, inner.width, 1), Hit::Row(steps));
            let style = if under { theme.title } else { theme.muted };
            if under {
                canvas.put(inner.x, y, 1, theme.glyphs.marker, theme.accent);
            }
            canvas.put(inner.x + 2, y, LABEL, label, style);
            let x = inner.x + 2 + LABEL;
            let place = Rect::new(x, y, inner.right().saturating_sub(x), 1);
            self.draw_line(canvas, *line, place, under);
        }
        let room = below(inner, rows as u16 + 1);
        let mut y = room.y;
        for (text, tone) in result.iter().take(usize::from(room.height)) {
            canvas.put(room.x, y, room.width, text, tone.style(theme));
            y += 1;
        }
        if offered > 0 {
            self.when.draw_offered(canvas, below(room, y - room.y));
        }
    }

    fn draw_line(&self, canvas: &mut Canvas, line: Line, place: Rect, under: bool) {
        let theme = canvas.theme;
        let (text, style) = match line {
            Line::Name => {
                let (text, at) = (self.name.value(), self.name.cursor());
                canvas.typed(place, text, at, theme.text, under);
                return;
            }
            Line::When => return self.when.draw(canvas, place, under),
            Line::Names(action) => match self.names(action) {
                [] => (theme.glyphs.none.to_owned(), theme.muted),
                names => (names.join(", "), theme.text),
            },
            Line::Resubscribe | Line::OnFirstSync => {
                let yes = match line {
                    Line::Resubscribe => self.rule.resubscribe,
                    _ => self.rule.on_first_sync,
                };
                match yes {
                    true => ("yes".to_owned(), theme.text),
                    false => ("no".to_owned(), theme.muted),
                }
            }
        };
        canvas.put(place.x, place.y, place.width, &text, style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn editor(at: Option<usize>, rule: RuleSpec) -> RuleEditor {
        let fields = ["status", "weight"].map(|key| (key.to_owned(), String::new()));
        RuleEditor::new("pets".into(), at, rule, vec!["gone".into()], fields.into())
    }

    fn press(editor: &mut RuleEditor, code: KeyCode) -> RuleOutcome {
        editor.key(&KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn type_in(editor: &mut RuleEditor, text: &str) {
        for c in text.chars() {
            press(editor, KeyCode::Char(c));
        }
    }

    #[test]
    fn a_rule_without_name_or_condition_or_with_anothers_name_is_not_taken() {
        let mut new = editor(None, RuleSpec::new("", ""));
        assert_eq!(press(&mut new, KeyCode::Enter), RuleOutcome::Stay);
        type_in(&mut new, "gone");
        assert_eq!(press(&mut new, KeyCode::Enter), RuleOutcome::Stay);
        assert_eq!(new.problem, Some("another rule has this name"));
        type_in(&mut new, "r");
        assert_eq!(press(&mut new, KeyCode::Enter), RuleOutcome::Stay);
        assert_eq!(new.line(), Line::When, "there the fault is");
        type_in(&mut new, "sta");
        assert_eq!(press(&mut new, KeyCode::Tab), RuleOutcome::Typed);
        type_in(&mut new, " == 'gone'");
        assert_eq!(press(&mut new, KeyCode::Enter), RuleOutcome::Done);
        let rule = new.rule();
        assert_eq!(
            (rule.name.as_str(), rule.when.as_str()),
            ("goner", "status == 'gone'")
        );
    }

    #[test]
    fn actions_and_switches_are_lines_of_their_own() {
        let mut rule = RuleSpec::new("a", "true");
        rule.add_tags = Names(vec!["x".into(), "y".into()]);
        let mut editor = editor(Some(0), rule);
        assert_eq!(press(&mut editor, KeyCode::Tab), RuleOutcome::Stay);
        let space = press(&mut editor, KeyCode::Char(' '));
        assert_eq!(space, RuleOutcome::Names(Action::AddTag, None));
        assert_eq!(press(&mut editor, KeyCode::Backspace), RuleOutcome::Typed);
        assert_eq!(editor.names(Action::AddTag), ["x"]);
        press(&mut editor, KeyCode::Down);
        assert_eq!(
            press(&mut editor, KeyCode::Backspace),
            RuleOutcome::Stay,
            "there is none"
        );
        for _ in 0..4 {
            press(&mut editor, KeyCode::Up);
        }
        assert_eq!(editor.line(), Line::OnFirstSync, "up goes round");
        assert_eq!(press(&mut editor, KeyCode::Char(' ')), RuleOutcome::Typed);
        assert!(editor.rule().on_first_sync);
        assert_eq!(press(&mut editor, KeyCode::Char('x')), RuleOutcome::Stay);
    }
}
