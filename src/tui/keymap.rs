//! Keys and actions: the one source of the footer, the help and the palette.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::collections::BTreeMap;
use thiserror::Error;

/// The six screens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tab {
    #[default]
    Schemas,
    Records,
    Mappings,
    Queue,
    Exports,
    Activity,
}

impl Tab {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Schemas,
        Self::Records,
        Self::Mappings,
        Self::Queue,
        Self::Exports,
        Self::Activity,
    ];

    /// The title in the header.
    pub fn title(self) -> &'static str {
        match self {
            Self::Schemas => "Schemas",
            Self::Records => "Records",
            Self::Mappings => "Mappings",
            Self::Queue => "Queue",
            Self::Exports => "Exports",
            Self::Activity => "Activity",
        }
    }

    /// The tab of a title, as the remembered view spells it.
    pub fn from_title(title: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tab| tab.title() == title)
    }

    /// 0 to 5.
    pub fn index(self) -> usize {
        Self::ALL.iter().position(|tab| *tab == self).unwrap_or(0)
    }
}

/// What a key can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Show(Tab),
    Up,
    Down,
    Left,
    Right,
    Top,
    Bottom,
    HalfDown,
    HalfUp,
    PageDown,
    PageUp,
    Filter,
    NextMatch,
    PreviousMatch,
    Help,
    Palette,
    Copy,
    Twin,
    LastError,
    Reload,
    Back,
    Suspend,
    Quit,
    Open,
    Switch,
    SwitchBack,
    Select,
    OpenMapping,
    Sync,
    SyncSelected,
    Diff,
    Edit,
    EditJson,
    New,
    Delete,
    Related,
    ChooseObject,
    CopyJson,
    NextSample,
    Rules,
    Suggest,
    Check,
    Retry,
    RetryAll,
    Discard,
    Why,
    OpenRecord,
    Follow,
    Pause,
    Cancel,
}

/// One line of the key table.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    pub action: Action,
    /// The screen it works on; `None` for everywhere.
    pub tab: Option<Tab>,
    /// The name used in `[tui.keys]`.
    pub name: &'static str,
    /// Keys unless config.toml says otherwise.
    pub keys: &'static [&'static str],
    /// One or two words for the footer; empty where the footer does not name it.
    pub label: &'static str,
    /// One sentence for the help and the palette.
    pub help: &'static str,
    /// The command that does the same, where there is one.
    pub twin: &'static str,
}

const fn everywhere(
    action: Action,
    name: &'static str,
    keys: &'static [&'static str],
    label: &'static str,
    help: &'static str,
) -> Binding {
    Binding {
        action,
        tab: None,
        name,
        keys,
        label,
        help,
        twin: "",
    }
}

const fn on(
    tab: Tab,
    action: Action,
    name: &'static str,
    keys: &'static [&'static str],
    label: &'static str,
    help: &'static str,
    twin: &'static str,
) -> Binding {
    Binding {
        action,
        tab: Some(tab),
        name,
        keys,
        label,
        help,
        twin,
    }
}

use Action as A;
use Tab::{Activity, Exports, Mappings, Queue, Records, Schemas};

/// Every key of every screen. The order is that of footer and help.
#[rustfmt::skip]
pub const TABLE: &[Binding] = &[
    on(Schemas, A::Open, "open", &["enter"], "records", "Open the records of this object", "tramline records list OBJECT"),
    on(Schemas, A::OpenMapping, "mapping", &["m"], "mapping", "Open the mapping of this object", "tramline mappings show NAME"),
    on(Schemas, A::Switch, "switch", &["tab"], "other pane", "Go to the other pane", ""),
    on(Records, A::Sync, "sync", &["s"], "sync", "Sync this record now and show the result", "tramline sync MAPPING RECORD"),
    on(Records, A::Diff, "diff", &["d"], "diff", "Show the record beside its contact, with what a sync would change", "tramline mappings preview NAME RECORD"),
    on(Records, A::Open, "open", &["enter"], "detail", "Open or close the detail of this record", "tramline records get OBJECT RECORD"),
    on(Records, A::Switch, "switch", &["tab"], "view", "Next view of the detail: properties, JSON, sync", ""),
    on(Records, A::Edit, "edit", &["e"], "edit", "Edit this record in a form", "tramline records update OBJECT RECORD --set FIELD=VALUE"),
    on(Records, A::EditJson, "edit_json", &["E"], "", "Edit this record as JSON in $VISUAL or $EDITOR", "tramline records update OBJECT RECORD --data FILE"),
    on(Records, A::New, "new", &["a"], "new", "Create a record in a form", "tramline records create OBJECT --set FIELD=VALUE"),
    on(Records, A::Delete, "delete", &["D"], "", "Delete this record or the selected ones; asks with their number", "tramline records delete OBJECT RECORD"),
    on(Records, A::Select, "select", &["space"], "select", "Select this row for an action of many", ""),
    on(Records, A::SyncSelected, "sync_selected", &["S"], "", "Sync the selected records; asks with their number", "tramline sync MAPPING RECORD..."),
    on(Records, A::Related, "related", &["o"], "", "Show related records and contacts", ""),
    on(Records, A::ChooseObject, "choose_object", &["O"], "object", "Choose another object", "tramline schemas list"),
    on(Records, A::CopyJson, "copy_json", &["Y"], "", "Copy this record as JSON", "tramline records get OBJECT RECORD --json"),
    on(Mappings, A::NextSample, "next_sample", &["space"], "next sample", "Send the next sample record through the mapping", "tramline mappings preview NAME"),
    on(Mappings, A::Switch, "switch", &["tab"], "next mapping", "Go to the next mapping", "tramline mappings list"),
    on(Mappings, A::Open, "open", &["enter"], "line", "Show this line whole", "tramline mappings show NAME"),
    on(Mappings, A::Rules, "rules", &["r"], "rules", "Show the rules and whether they would fire for the sample", "tramline mappings preview NAME"),
    on(Mappings, A::Suggest, "suggest", &["A"], "suggest", "Suggest pairs of fields by name, type and values", "tramline mappings suggest NAME"),
    on(Mappings, A::Check, "check", &["v"], "check", "Check configuration, scopes, limits and all mappings", "tramline check"),
    on(Queue, A::Retry, "retry", &["r"], "retry", "Retry this job or the selected ones", "tramline queue retry ID"),
    on(Queue, A::RetryAll, "retry_all", &["R"], "retry all", "Retry every job that matches the filter; asks with their number", "tramline queue retry --filter F"),
    on(Queue, A::Open, "open", &["enter"], "detail", "Open or close the detail with its attempts", "tramline queue show ID"),
    on(Queue, A::Why, "why", &["w"], "why", "Say why this job waits, or what it needs", "tramline queue why ID"),
    on(Queue, A::OpenRecord, "open_record", &["o"], "record", "Open this job's record beside its contact, to mend it", "tramline mappings preview NAME RECORD"),
    on(Queue, A::Switch, "switch", &["tab"], "state", "Show the jobs of the next state", "tramline queue list --filter state:STATE"),
    on(Queue, A::SwitchBack, "switch_back", &["backtab"], "", "Show the jobs of the state before", "tramline queue list --filter state:STATE"),
    on(Queue, A::Select, "select", &["space"], "select", "Select this row for an action of many", ""),
    on(Queue, A::Discard, "discard", &["X"], "", "Give this job or the selected ones up; asks with their number", "tramline queue discard ID"),
    on(Queue, A::Follow, "follow", &["f"], "follow", "Keep the newest row in view", ""),
    on(Exports, A::New, "new", &["a"], "new", "Start an export: mapping, dry run, full", "tramline export MAPPING"),
    on(Exports, A::Pause, "pause", &["p"], "pause/resume", "Pause this run, or go on with it", "tramline exports pause ID"),
    on(Exports, A::Open, "open", &["enter"], "failures", "Show this run's failed jobs in the queue", "tramline queue list --filter run:ID"),
    on(Exports, A::Cancel, "cancel", &["K"], "cancel", "End this run for good; asks", "tramline exports cancel ID"),
    on(Activity, A::Open, "open", &["enter"], "detail", "Show this call whole", ""),
    on(Activity, A::Follow, "follow", &["f"], "follow", "Keep the newest row in view", ""),
    everywhere(A::Filter, "filter", &["/"], "filter", "Filter or search this screen"),
    everywhere(A::Palette, "palette", &[":"], "command", "Every action of every screen, with its key and its command"),
    everywhere(A::Help, "help", &["?"], "help", "Keys of this screen"),
    everywhere(A::Back, "back", &["esc"], "", "Back: closes, clears, gives up what is awaited"),
    everywhere(A::Copy, "copy", &["y"], "", "Copy the id or key of this row"),
    everywhere(A::Twin, "command_line", &["C"], "", "Show and copy the command that does what was just done"),
    everywhere(A::LastError, "last_error", &["!"], "", "Show the jobs of the last error"),
    everywhere(A::Reload, "reload", &["ctrl-r"], "", "Read this screen again"),
    everywhere(A::Up, "up", &["up", "k"], "", "One row up"),
    everywhere(A::Down, "down", &["down", "j"], "", "One row down"),
    everywhere(A::Left, "left", &["left", "h"], "", "Pane to the left, or columns to the left"),
    everywhere(A::Right, "right", &["right", "l"], "", "Pane to the right, or columns to the right"),
    everywhere(A::Top, "top", &["g", "home"], "", "First row"),
    everywhere(A::Bottom, "bottom", &["G", "end"], "", "Last row that is read"),
    everywhere(A::HalfDown, "half_down", &["ctrl-d"], "", "Half a page down"),
    everywhere(A::HalfUp, "half_up", &["ctrl-u"], "", "Half a page up"),
    everywhere(A::PageDown, "page_down", &["pagedown", "ctrl-f"], "", "One page down"),
    everywhere(A::PageUp, "page_up", &["pageup", "ctrl-b"], "", "One page up"),
    everywhere(A::NextMatch, "next_match", &["n"], "", "Next row with the text of the filter"),
    everywhere(A::PreviousMatch, "previous_match", &["N"], "", "Row before with the text of the filter"),
    everywhere(A::Show(Schemas), "schemas", &["1"], "", "Schemas"),
    everywhere(A::Show(Records), "records", &["2"], "", "Records"),
    everywhere(A::Show(Mappings), "mappings", &["3"], "", "Mappings"),
    everywhere(A::Show(Queue), "queue", &["4"], "", "Queue"),
    everywhere(A::Show(Exports), "exports", &["5"], "", "Exports"),
    everywhere(A::Show(Activity), "activity", &["6"], "", "Activity"),
    everywhere(A::Suspend, "suspend", &["ctrl-z"], "", "Suspend to the shell; fg comes back"),
    everywhere(A::Quit, "quit", &["q", "ctrl-c"], "", "Quit; asks while something is being written"),
];

/// A key with its modifiers, comparable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

impl Key {
    /// The key of a terminal event: shift is part of a character already.
    pub fn of(event: &KeyEvent) -> Self {
        let mut modifiers =
            event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        if matches!(event.code, KeyCode::Char(_) | KeyCode::BackTab) {
            modifiers -= KeyModifiers::SHIFT;
        }
        Self {
            code: event.code,
            modifiers,
        }
    }

    /// Reads `ctrl-d`, `enter`, `space`, `G`, `/`, `f5`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut modifiers = KeyModifiers::NONE;
        let mut rest = text;
        loop {
            let (modifier, tail) = if let Some(tail) = rest.strip_prefix("ctrl-") {
                (KeyModifiers::CONTROL, tail)
            } else if let Some(tail) = rest.strip_prefix("alt-") {
                (KeyModifiers::ALT, tail)
            } else {
                break;
            };
            modifiers |= modifier;
            rest = tail;
        }
        let code = match rest {
            "enter" => KeyCode::Enter,
            "esc" => KeyCode::Esc,
            "tab" => KeyCode::Tab,
            "backtab" => KeyCode::BackTab,
            "space" => KeyCode::Char(' '),
            "backspace" => KeyCode::Backspace,
            "delete" => KeyCode::Delete,
            "insert" => KeyCode::Insert,
            "up" => KeyCode::Up,
            "down" => KeyCode::Down,
            "left" => KeyCode::Left,
            "right" => KeyCode::Right,
            "home" => KeyCode::Home,
            "end" => KeyCode::End,
            "pageup" => KeyCode::PageUp,
            "pagedown" => KeyCode::PageDown,
            _ => {
                let mut chars = rest.chars();
                match (chars.next(), chars.next()) {
                    (Some(c), None) => KeyCode::Char(c),
                    (Some('f'), Some(_)) => {
                        let number = rest.get(1..)?.parse().ok()?;
                        (1..=12).contains(&number).then_some(KeyCode::F(number))?
                    }
                    _ => return None,
                }
            }
        };
        Some(Self { code, modifiers })
    }

    /// The spelling that [`Key::parse`] reads.
    pub fn name(&self) -> String {
        let code = match self.code {
            KeyCode::Enter => "enter".to_owned(),
            KeyCode::Esc => "esc".to_owned(),
            KeyCode::Tab => "tab".to_owned(),
            KeyCode::BackTab => "backtab".to_owned(),
            KeyCode::Char(' ') => "space".to_owned(),
            KeyCode::Backspace => "backspace".to_owned(),
            KeyCode::Delete => "delete".to_owned(),
            KeyCode::Insert => "insert".to_owned(),
            KeyCode::Up => "up".to_owned(),
            KeyCode::Down => "down".to_owned(),
            KeyCode::Left => "left".to_owned(),
            KeyCode::Right => "right".to_owned(),
            KeyCode::Home => "home".to_owned(),
            KeyCode::End => "end".to_owned(),
            KeyCode::PageUp => "pageup".to_owned(),
            KeyCode::PageDown => "pagedown".to_owned(),
            KeyCode::Char(c) => c.to_string(),
            KeyCode::F(number) => format!("f{number}"),
            other => format!("{other:?}").to_lowercase(),
        };
        let mut name = String::new();
        if self.modifiers.contains(KeyModifiers::CONTROL) {
            name.push_str("ctrl-");
        }
        if self.modifiers.contains(KeyModifiers::ALT) {
            name.push_str("alt-");
        }
        name + &code
    }
}

/// What is wrong with `[tui.keys]`.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum KeymapError {
    #[error("tui.keys: there is no action {name:?}{}", .near.as_ref().map(|n| format!("; did you mean {n:?}?")).unwrap_or_default())]
    UnknownAction { name: String, near: Option<String> },
    #[error(
        "tui.keys.{action}: {key:?} is no key; keys look like \"x\", \"ctrl-x\", \"enter\", \"f5\""
    )]
    BadKey { action: String, key: String },
    #[error(
        "tui.keys: {key:?} stands for both {first} and {second}; give one of them another key, or none with []"
    )]
    Conflict {
        key: String,
        first: String,
        second: String,
    },
}

/// A line of the table with the keys that are in force.
#[derive(Clone, Debug)]
pub struct Bound {
    pub binding: &'static Binding,
    pub keys: Vec<Key>,
}

impl Bound {
    /// The keys as text: `g, home`.
    pub fn key_names(&self) -> String {
        let names: Vec<_> = self.keys.iter().map(Key::name).collect();
        names.join(", ")
    }
}

/// The table with the user's own keys put in.
#[derive(Clone, Debug)]
pub struct Keymap {
    bounds: Vec<Bound>,
}

impl Keymap {
    /// The table with overrides: name of an action → its keys, none to unbind it.
    pub fn new(overrides: &BTreeMap<String, Vec<String>>) -> Result<Self, KeymapError> {
        for (name, keys) in overrides {
            if !TABLE.iter().any(|binding| binding.name == name) {
                let near = TABLE
                    .iter()
                    .map(|binding| binding.name)
                    .min_by_key(|known| strsim::levenshtein(known, name))
                    .filter(|known| strsim::levenshtein(known, name) <= 3)
                    .map(str::to_owned);
                let name = name.clone();
                return Err(KeymapError::UnknownAction { name, near });
            }
            if let Some(key) = keys.iter().find(|key| Key::parse(key).is_none()) {
                return Err(KeymapError::BadKey {
                    action: name.clone(),
                    key: key.clone(),
                });
            }
        }
        let bounds = TABLE
            .iter()
            .map(|binding| Bound {
                binding,
                keys: match overrides.get(binding.name) {
                    Some(keys) => keys.iter().filter_map(|key| Key::parse(key)).collect(),
                    None => binding
                        .keys
                        .iter()
                        .filter_map(|key| Key::parse(key))
                        .collect(),
                },
            })
            .collect();
        let keymap = Self { bounds };
        match keymap.conflict() {
            Some(conflict) => Err(conflict),
            None => Ok(keymap),
        }
    }

    fn conflict(&self) -> Option<KeymapError> {
        for (at, a) in self.bounds.iter().enumerate() {
            for b in &self.bounds[at + 1..] {
                let meet = a.binding.tab == b.binding.tab
                    || a.binding.tab.is_none()
                    || b.binding.tab.is_none();
                if !meet {
                    continue;
                }
                if let Some(key) = a.keys.iter().find(|key| b.keys.contains(key)) {
                    return Some(KeymapError::Conflict {
                        key: key.name(),
                        first: a.binding.name.to_owned(),
                        second: b.binding.name.to_owned(),
                    });
                }
            }
        }
        None
    }

    /// What a key asks for on a screen.
    pub fn action(&self, tab: Tab, key: &KeyEvent) -> Option<Action> {
        let key = Key::of(key);
        self.of(tab)
            .chain(self.everywhere())
            .find(|bound| bound.keys.contains(&key))
            .map(|bound| bound.binding.action)
    }

    /// The lines of one screen.
    pub fn of(&self, tab: Tab) -> impl Iterator<Item = &Bound> {
        self.bounds
            .iter()
            .filter(move |bound| bound.binding.tab == Some(tab))
    }

    /// The lines that hold on every screen.
    pub fn everywhere(&self) -> impl Iterator<Item = &Bound> {
        self.bounds
            .iter()
            .filter(|bound| bound.binding.tab.is_none())
    }

    /// All lines.
    pub fn all(&self) -> &[Bound] {
        &self.bounds
    }

    /// The first key of an action, for hints in running text.
    pub fn key_of(&self, action: Action) -> String {
        self.bounds
            .iter()
            .find(|bound| bound.binding.action == action)
            .and_then(|bound| bound.keys.first())
            .map(Key::name)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &[&str])]) -> Result<Keymap, KeymapError> {
        Keymap::new(
            &pairs
                .iter()
                .map(|(name, keys)| {
                    let keys = keys.iter().map(|key| key.to_string()).collect();
                    (name.to_string(), keys)
                })
                .collect(),
        )
    }

    #[test]
    fn no_screen_key_shadows_a_global_one_and_all_keys_are_readable() {
        let keymap = with(&[]).unwrap();
        assert!(keymap.conflict().is_none());
        for binding in TABLE {
            for key in binding.keys {
                let parsed = Key::parse(key).unwrap_or_else(|| panic!("{key} is no key"));
                assert_eq!(parsed.name(), *key);
            }
        }
    }

    #[test]
    fn every_action_has_a_help_text_and_one_name() {
        for binding in TABLE {
            assert!(binding.help.len() > 4, "{}", binding.name);
            for other in TABLE.iter().filter(|other| other.name == binding.name) {
                assert_eq!(other.action, binding.action, "{}", binding.name);
            }
        }
    }

    #[test]
    fn what_destroys_or_acts_on_many_is_upper_case() {
        for action in [
            Action::Delete,
            Action::SyncSelected,
            Action::RetryAll,
            Action::Discard,
            Action::Cancel,
        ] {
            let bound = TABLE
                .iter()
                .find(|binding| binding.action == action)
                .unwrap();
            assert!(
                bound
                    .keys
                    .iter()
                    .all(|key| key.chars().all(char::is_uppercase))
            );
        }
    }

    #[test]
    fn keys_can_be_changed_and_taken_away() {
        let keymap = with(&[("sync", &["ctrl-s", "f5"]), ("delete", &[])]).unwrap();
        let key = KeyEvent::new(KeyCode::Char('s'), KeyModifiers::CONTROL);
        assert_eq!(keymap.action(Tab::Records, &key), Some(Action::Sync));
        let key = KeyEvent::new(KeyCode::F(5), KeyModifiers::NONE);
        assert_eq!(keymap.action(Tab::Records, &key), Some(Action::Sync));
        for free in ['s', 'D'] {
            let key = KeyEvent::new(KeyCode::Char(free), KeyModifiers::NONE);
            assert_eq!(keymap.action(Tab::Records, &key), None);
        }
    }

    #[test]
    fn a_wrong_table_is_refused_with_the_reason() {
        assert_eq!(
            with(&[("retri", &["z"])]).unwrap_err(),
            KeymapError::UnknownAction {
                name: "retri".into(),
                near: Some("retry".into())
            }
        );
        assert!(matches!(
            with(&[("retry", &["ctrl-"])]).unwrap_err(),
            KeymapError::BadKey { .. }
        ));
        assert!(matches!(
            with(&[("retry", &["q"])]).unwrap_err(),
            KeymapError::Conflict { .. }
        ));
        assert!(with(&[("retry", &["d"])]).is_ok(), "d is of another screen");
    }

    #[test]
    fn shift_is_part_of_the_character() {
        let keymap = with(&[]).unwrap();
        let key = KeyEvent::new(KeyCode::Char('R'), KeyModifiers::SHIFT);
        assert_eq!(keymap.action(Tab::Queue, &key), Some(Action::RetryAll));
        let key = KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT);
        assert_eq!(keymap.action(Tab::Queue, &key), Some(Action::SwitchBack));
    }
}
