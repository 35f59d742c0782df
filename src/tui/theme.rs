//! Colours by meaning. Colour is never the only carrier of a meaning: a word or a glyph goes with it.

use ratatui::style::{Color, Modifier, Style};

/// The themes of config.toml.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ThemeName {
    #[default]
    Dark,
    Light,
    /// No colour at all, as NO_COLOR asks for.
    Mono,
    /// Only the terminal's own sixteen colours.
    Sixteen,
}

impl ThemeName {
    /// The theme of a name in config.toml: `dark`, `light`, `mono`, `16`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "dark" => Some(Self::Dark),
            "light" => Some(Self::Light),
            "mono" => Some(Self::Mono),
            "16" => Some(Self::Sixteen),
            _ => None,
        }
    }
}

/// Characters that draw, as opposed to characters that say.
#[derive(Debug)]
pub struct Glyphs {
    pub horizontal: &'static str,
    pub vertical: &'static str,
    pub full: &'static str,
    pub empty: &'static str,
    pub marker: &'static str,
    pub selected: &'static str,
    pub check: &'static str,
    pub cross: &'static str,
    pub running: &'static str,
    pub waiting: &'static str,
    pub ready: &'static str,
    pub unknown: &'static str,
    pub discarded: &'static str,
    pub differs: &'static str,
    pub none: &'static str,
    pub dot: &'static str,
    pub arrow: &'static str,
    pub through: &'static str,
    pub broken: &'static str,
    pub to: &'static str,
    pub cut: &'static str,
    pub open: &'static str,
    pub folded: &'static str,
    pub ascending: &'static str,
    pub descending: &'static str,
    pub spinner: [&'static str; 4],
    /// The columns of a sparkline, by height; the first is nothing.
    pub levels: [&'static str; 8],
}

static UNICODE: Glyphs = Glyphs {
    horizontal: "─",
    vertical: "│",
    full: "█",
    empty: "░",
    marker: "▶",
    selected: "●",
    check: "✓",
    cross: "✗",
    running: "▸",
    waiting: "◷",
    ready: "○",
    unknown: "?",
    discarded: "⊘",
    differs: "≠",
    none: "—",
    dot: "·",
    arrow: "──▶",
    through: "─ƒ▶",
    broken: "✗─▶",
    to: "→",
    cut: "…",
    open: "▾",
    folded: "▸",
    ascending: "▲",
    descending: "▼",
    spinner: ["◐", "◓", "◑", "◒"],
    levels: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
};

static ASCII: Glyphs = Glyphs {
    horizontal: "-",
    vertical: "|",
    full: "#",
    empty: ".",
    marker: ">",
    selected: "*",
    check: "+",
    cross: "x",
    running: ">",
    waiting: "~",
    ready: "o",
    unknown: "?",
    discarded: "/",
    differs: "!=",
    none: "-",
    dot: "|",
    arrow: "-->",
    through: "-f>",
    broken: "x->",
    to: "->",
    cut: "~",
    open: "v",
    folded: ">",
    ascending: "^",
    descending: "v",
    spinner: ["|", "/", "-", "\\"],
    levels: ["_", ".", ":", "-", "=", "+", "*", "#"],
};

/// Styles by what they mean.
#[derive(Clone, Debug)]
pub struct Theme {
    pub text: Style,
    pub muted: Style,
    pub accent: Style,
    pub ok: Style,
    pub warn: Style,
    pub error: Style,
    pub title: Style,
    pub key: Style,
    pub tab: Style,
    pub production: Style,
    /// The first cell of the row that the cursor is on.
    pub cursor: Style,
    /// Rows that an action of many is about.
    pub selected: Style,
    /// Nothing but ASCII is drawn, apart from what the data holds.
    pub ascii: bool,
    pub glyphs: &'static Glyphs,
}

impl Theme {
    /// The styles of a theme; `ascii` draws with ASCII only.
    pub fn new(name: ThemeName, ascii: bool) -> Self {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        let reversed = plain.add_modifier(Modifier::REVERSED);
        let colour = |colour: Color| plain.fg(colour);
        let glyphs = if ascii { &ASCII } else { &UNICODE };
        let of = |muted: Color, accent: Color, ok: Color, warn: Color, error: Color| Self {
            text: plain,
            muted: colour(muted),
            accent: colour(accent),
            ok: colour(ok),
            warn: colour(warn),
            error: colour(error),
            title: bold,
            key: colour(accent).add_modifier(Modifier::BOLD),
            tab: colour(accent).add_modifier(Modifier::BOLD | Modifier::REVERSED),
            production: colour(error).add_modifier(Modifier::BOLD),
            cursor: bold.add_modifier(Modifier::REVERSED),
            selected: colour(accent),
            ascii,
            glyphs,
        };
        match name {
            ThemeName::Dark => of(
                Color::Indexed(245),
                Color::Indexed(80),
                Color::Indexed(114),
                Color::Indexed(221),
                Color::Indexed(210),
            ),
            ThemeName::Light => of(
                Color::Indexed(242),
                Color::Indexed(25),
                Color::Indexed(28),
                Color::Indexed(130),
                Color::Indexed(124),
            ),
            ThemeName::Sixteen => of(
                Color::DarkGray,
                Color::Cyan,
                Color::Green,
                Color::Yellow,
                Color::Red,
            ),
            ThemeName::Mono => Self {
                text: plain,
                muted: plain.add_modifier(Modifier::DIM),
                accent: bold,
                ok: plain,
                warn: bold,
                error: bold.add_modifier(Modifier::UNDERLINED),
                title: bold,
                key: bold,
                tab: reversed,
                production: bold.add_modifier(Modifier::REVERSED),
                cursor: bold.add_modifier(Modifier::REVERSED),
                selected: bold,
                ascii,
                glyphs,
            },
        }
    }
}
