//! The key table: actions, the screens they belong to, their keys, and what is said about them.

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
    Log,
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
    SelectRange,
    SelectAll,
    Invert,
    Keep,
    Columns,
    Sort,
    Wider,
    Narrower,
    File,
    NextSample,
    Rules,
    Earlier,
    Later,
    Suggest,
    CreateField,
    Save,
    Survey,
    Check,
    Retry,
    RetryAll,
    Discard,
    Why,
    OpenRecord,
    Follow,
    /// Saved filters.
    Filters,
    /// The connections of config.toml.
    Connections,
    Groups,
    Undo,
    Pause,
    Cancel,
}

/// What must be on a screen for an action to have anything to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// A row under the cursor, or selected rows.
    Row,
    /// A mapping in view.
    Mapping,
}

impl Action {
    /// True if the action only moves the cursor.
    pub fn moves(self) -> bool {
        matches!(
            self,
            Self::Up
                | Self::Down
                | Self::Left
                | Self::Right
                | Self::Top
                | Self::Bottom
                | Self::HalfDown
                | Self::HalfUp
                | Self::PageDown
                | Self::PageUp
        )
    }

    /// What the action needs on a screen; `None` if it can always be tried.
    pub fn needs(self, tab: Tab) -> Option<Needs> {
        match (self, tab) {
            (
                Self::New | Self::Survey | Self::Suggest | Self::Rules | Self::CreateField,
                Tab::Mappings,
            )
            | (Self::Switch | Self::Save, Tab::Mappings) => Some(Needs::Mapping),
            (Self::NextSample, Tab::Mappings) => Some(Needs::Row),
            (Self::Switch, Tab::Schemas | Tab::Records)
            | (Self::Pause | Self::Cancel, Tab::Exports) => Some(Needs::Row),
            (
                Self::Open
                | Self::OpenMapping
                | Self::Select
                | Self::Sync
                | Self::SyncSelected
                | Self::Diff
                | Self::Edit
                | Self::EditJson
                | Self::Delete
                | Self::Related
                | Self::Copy
                | Self::CopyJson
                | Self::File
                | Self::Sort
                | Self::Narrower
                | Self::Wider
                | Self::SelectRange
                | Self::SelectAll
                | Self::Invert
                | Self::Retry
                | Self::Discard
                | Self::Why
                | Self::OpenRecord,
                _,
            ) => Some(Needs::Row),
            _ => None,
        }
    }
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
    on(Schemas, A::Open, "open", &["enter"], "records", "Open the records of this object; in the other pane, show the field whole with its options", "tramline records list OBJECT"),
    on(Schemas, A::OpenMapping, "mapping", &["m"], "mapping", "Open the mapping of this object", "tramline mappings show NAME"),
    on(Schemas, A::Switch, "switch", &["tab"], "other pane", "Go to the other pane", ""),
    on(Records, A::Sync, "sync", &["s"], "sync", "Sync this record now and show the result", "tramline sync MAPPING RECORD"),
    on(Records, A::Diff, "diff", &["d"], "diff", "Show the record beside its contact, with what a sync would change", "tramline mappings preview NAME RECORD"),
    on(Records, A::Open, "open", &["enter"], "detail", "Open the detail of this record; in it, show the field under the cursor whole", "tramline records get OBJECT RECORD"),
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
    on(Records, A::File, "file", &["x"], "export", "Export the view into a file, CSV or JSON lines", "tramline records list OBJECT --format csv --columns KEY,... > FILE"),
    on(Records, A::Columns, "columns", &["c"], "", "Choose the columns, their order, and what is sorted by", "tramline records list OBJECT --columns KEY,..."),
    on(Records, A::Sort, "sort", &["t"], "", "Sort by the column under the cursor: up, down, as it comes", ""),
    on(Records, A::Narrower, "narrower", &["<"], "", "Make the column under the cursor narrower", ""),
    on(Records, A::Wider, "wider", &[">"], "", "Make the column under the cursor wider", ""),
    on(Records, A::Keep, "keep", &["f"], "", "Keep only those of the rows read that have a text anywhere", ""),
    on(Records, A::SelectRange, "select_range", &["v"], "", "Begin a range at this row; again, or space, selects it", ""),
    on(Records, A::SelectAll, "select_all", &["A"], "", "Select all rows that are read and shown", ""),
    on(Records, A::Invert, "invert", &["I"], "", "Select the rows that are not selected, and only those", ""),
    on(Mappings, A::Edit, "edit", &["t", "e"], "edit", "Change where this contact field comes from, a record field or a template; or this rule", ""),
    on(Mappings, A::New, "new", &["a"], "add", "Fill one more contact field; or add a rule", ""),
    on(Mappings, A::Delete, "delete", &["D"], "", "Take this line or rule out of the mapping", ""),
    on(Mappings, A::Undo, "undo", &["u"], "undo", "Take the last change of the mapping back", ""),
    on(Mappings, A::Save, "save", &["w"], "save", "Write the changes into config.toml; asks, and keeps its comments and order", ""),
    on(Mappings, A::NextSample, "next_sample", &["space"], "next sample", "Send the next sample record through the mapping", "tramline mappings preview NAME"),
    on(Mappings, A::Switch, "switch", &["tab"], "next mapping", "Go to the next mapping", "tramline mappings list"),
    on(Mappings, A::Open, "open", &["enter"], "line", "Show this line whole, or edit this rule", "tramline mappings show NAME"),
    on(Mappings, A::Rules, "rules", &["r"], "rules", "Show the rules in place of the lines, or the lines again; they are edited with the same keys", "tramline mappings preview NAME"),
    on(Mappings, A::Earlier, "earlier", &["<"], "", "Let this rule come before the one above it", ""),
    on(Mappings, A::Later, "later", &[">"], "", "Let this rule come after the one below it", ""),
    on(Mappings, A::Suggest, "suggest", &["A"], "suggest", "Choose among pairs of fields that seem to belong together by name, type and values; space marks several", "tramline mappings suggest NAME"),
    on(Mappings, A::Survey, "survey", &["v"], "all records", "Send all records through the mapping: what fails and how often, and how many contacts would change", "tramline export NAME --dry-run"),
    on(Mappings, A::CreateField, "create_field", &["c"], "new field", "Create the contact field that this line lacks, or one for a record field; asks", "tramline fields create TITLE --kind KIND --tag TAG --option TEXT"),
    on(Mappings, A::Check, "check", &["V"], "check", "Check configuration, scopes, limits and all mappings", "tramline check"),
    on(Queue, A::Retry, "retry", &["r"], "retry", "Retry this job or the selected ones", "tramline queue retry ID"),
    on(Queue, A::Edit, "edit", &["e"], "mend", "Edit this job's record in a form; then retry the job", "tramline records update OBJECT RECORD --set FIELD=VALUE"),
    on(Queue, A::RetryAll, "retry_all", &["R"], "retry all", "Retry every job that matches the filter; asks with their number", "tramline queue retry --filter F"),
    on(Queue, A::Open, "open", &["enter"], "detail", "Open or close the detail with its attempts", "tramline queue show ID"),
    on(Queue, A::Why, "why", &["w"], "why", "Say why this job waits, or what it needs", "tramline queue why ID"),
    on(Queue, A::Groups, "groups", &["v"], "groups", "Show the failures by what they have in common, or the list again", "tramline queue groups"),
    on(Queue, A::OpenRecord, "open_record", &["o"], "record", "Open this job's record beside its contact", "tramline mappings preview NAME RECORD"),
    on(Queue, A::Pause, "pause", &["p"], "pause/resume", "Pause this job's mapping or connection, or let it go on", "tramline queue pause --mapping NAME --reason TEXT"),
    on(Queue, A::Switch, "switch", &["tab"], "state", "Show the jobs of the next state", "tramline queue list --filter state:STATE"),
    on(Queue, A::SwitchBack, "switch_back", &["backtab"], "", "Show the jobs of the state before", "tramline queue list --filter state:STATE"),
    on(Queue, A::Select, "select", &["space"], "select", "Select this row for an action of many", ""),
    on(Queue, A::Discard, "discard", &["X"], "", "Give this job or the selected ones up; asks with their number", "tramline queue discard ID"),
    on(Queue, A::Undo, "undo", &["u"], "undo", "Take the last retry or discard of many back, or stop the rest of it", ""),
    on(Queue, A::Follow, "follow", &["f"], "follow", "Keep the newest row in view", ""),
    on(Queue, A::Filters, "filters", &["F"], "saved", "Choose a saved filter, save the one in force, or delete one", "tramline queue list --filter F"),
    on(Exports, A::New, "new", &["a"], "new", "Start an export: mapping, dry run, full", "tramline export MAPPING"),
    on(Exports, A::Pause, "pause", &["p"], "pause/resume", "Pause this run, or go on with it", "tramline exports pause ID"),
    on(Exports, A::Open, "open", &["enter"], "failures", "Show this run's failed jobs in the queue", "tramline queue list --filter run:ID"),
    on(Exports, A::Cancel, "cancel", &["K"], "cancel", "End this run for good; asks", "tramline exports cancel ID"),
    on(Activity, A::Open, "open", &["enter"], "detail", "Show this call, line or action whole", ""),
    on(Activity, A::Switch, "switch", &["tab"], "kind", "Show the next kind: all, calls, log, actions", "tramline activity; tramline audit"),
    on(Activity, A::SwitchBack, "switch_back", &["backtab"], "", "Show the kind before", "tramline activity; tramline audit"),
    on(Activity, A::Follow, "follow", &["f"], "follow", "Keep the newest row in view", ""),
    on(Activity, A::Filters, "filters", &["F"], "saved", "Choose a saved filter, save the one in force, or delete one", "tramline activity"),
    everywhere(A::Filter, "filter", &["/"], "filter", "Filter or search this screen"),
    everywhere(A::Palette, "palette", &[":"], "command", "Every action of every screen, with its key and its command"),
    everywhere(A::Help, "help", &["?"], "help", "Keys of this screen"),
    everywhere(A::Back, "back", &["esc"], "", "Back: closes, clears, gives up what is awaited"),
    everywhere(A::Copy, "copy", &["y"], "", "Copy the id or key of this row"),
    everywhere(A::Twin, "command_line", &["C"], "", "Show and copy the command that does what was just done"),
    everywhere(A::LastError, "last_error", &["!"], "", "Show the jobs of the last error"),
    everywhere(A::Log, "log", &["L"], "", "Show what goes on about this record, job, run or mapping; esc leads back"),
    Binding { twin: "tramline tui --connection NAME", ..everywhere(A::Connections, "connections", &["@"], "", "Choose another connection: every screen then shows its accounts") },
    everywhere(A::Reload, "reload", &["ctrl-r"], "", "Read this screen, config.toml and the tokens again"),
    everywhere(A::Up, "up", &["up", "k"], "", "One row up"),
    everywhere(A::Down, "down", &["down", "j"], "", "One row down"),
    everywhere(A::Left, "left", &["left", "h"], "", "Pane or column to the left"),
    everywhere(A::Right, "right", &["right", "l"], "", "Pane or column to the right"),
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
    everywhere(A::Quit, "quit", &["q", "ctrl-c"], "", "Quit; asks while something is being written, unsaved or exported here"),
];
