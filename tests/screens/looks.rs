//! Themes, ASCII and the badge of `--read-only`: other clothes, the same words.

use super::driver::{Driver, session, text};
use super::world::Mood;
use super::{SIZES, VIEWS, led, view};
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier, Style};
use std::collections::HashMap;
use tramline::tui::context::Session;
use tramline::tui::theme::{Theme, ThemeName};

const THEMES: [ThemeName; 4] = [
    ThemeName::Dark,
    ThemeName::Light,
    ThemeName::Sixteen,
    ThemeName::Mono,
];

/// Keys that open what is coloured in a way of its own, beside the views.
const ABOVE: [&str; 14] = [
    "1?", "1:", "2e", "2c", "2D", "3r", "3r\n", "3r\n\t ", "3A", "3jt", "4F", "4vR", "5a", "1@",
];

/// The app in other clothes.
pub fn driver(theme: ThemeName, ascii: bool) -> Driver {
    Driver::with(Mood::Normal, session(), theme, ascii)
}

/// The app under `--read-only`.
pub fn read_only() -> Driver {
    let session = Session {
        read_only: true,
        ..session()
    };
    Driver::with(Mood::Normal, session, ThemeName::Dark, false)
}

/// The meanings of a theme, by the letter that stands for each.
fn roles(theme: &Theme) -> [(char, Style); 11] {
    [
        (' ', theme.text),
        ('m', theme.muted),
        ('a', theme.accent),
        ('o', theme.ok),
        ('w', theme.warn),
        ('e', theme.error),
        ('T', theme.title),
        ('k', theme.key),
        ('t', theme.tab),
        ('P', theme.production),
        ('c', theme.cursor),
    ]
}

/// A style as a frame holds it.
fn in_cell(style: Style) -> Cell {
    let mut cell = Cell::default();
    cell.set_style(style);
    cell
}

fn same(a: &Cell, b: &Cell) -> bool {
    (a.fg, a.bg, a.modifier) == (b.fg, b.bg, b.modifier)
}

/// A letter for what each cell of a frame in the dark theme means; `?` for a style of no meaning.
pub fn meanings(frame: &Buffer) -> String {
    let roles = roles(&Theme::new(ThemeName::Dark, false)).map(|(c, style)| (c, in_cell(style)));
    let mut lines = Vec::new();
    for row in frame.content.chunks(usize::from(frame.area.width)) {
        let letters = row.iter().map(|cell| {
            // The colour of a space is not seen, unless it is turned round.
            let blank = cell.symbol() == " " && cell.modifier.is_empty();
            let found = roles.iter().find(|(_, role)| same(role, cell));
            // The cursor lies over the colour of its cell.
            let under = cell.modifier.contains(Modifier::REVERSED | Modifier::BOLD);
            match found {
                None if under => 'c',
                Some((' ', _)) | None if blank => ' ',
                Some((' ', _)) => '.',
                Some((letter, _)) if !blank => *letter,
                Some(_) => ' ',
                None => '?',
            }
        });
        lines.push(letters.collect::<String>().trim_end().to_owned());
    }
    lines.join("\n")
}

/// Keys that lead to each view, and to what lies above some.
fn places() -> impl Iterator<Item = &'static str> {
    VIEWS.iter().map(|(_, keys)| *keys).chain(ABOVE)
}

#[test]
fn every_style_has_a_meaning() {
    for keys in places() {
        let driver = view(Mood::Normal, keys);
        for (width, height) in SIZES {
            let meanings = meanings(&driver.frame(width, height));
            assert!(!meanings.contains('?'), "after {keys:?}:\n{meanings}");
        }
    }
}

/// The words are the same in every theme, and so is what each cell means: one style of the dark theme is one of the other.
#[test]
fn every_theme_says_the_same() {
    for keys in places() {
        let dark = view(Mood::Normal, keys);
        for name in THEMES {
            let other = led(driver(name, false), keys);
            for (width, height) in SIZES {
                let (one, two) = (dark.frame(width, height), other.frame(width, height));
                assert_eq!(text(&one), text(&two), "{name:?} after {keys:?}");
                let mut pairs = HashMap::new();
                for (a, b) in one.content.iter().zip(&two.content) {
                    let style = |cell: &Cell| (cell.fg, cell.bg, cell.modifier);
                    let known = *pairs.entry(style(a)).or_insert(style(b));
                    assert_eq!(known, style(b), "{name:?} after {keys:?}: {a:?}");
                }
            }
        }
    }
}

#[test]
fn mono_has_no_colour_and_the_others_have_their_own() {
    for keys in places() {
        for name in THEMES {
            let frame = led(driver(name, false), keys).frame(120, 40);
            for cell in &frame.content {
                let fits = |colour: Color| match (name, colour) {
                    (_, Color::Reset) => true,
                    (ThemeName::Mono, _) => false,
                    // Sixteen are the terminal's own, whose values the person chose.
                    (ThemeName::Sixteen, colour) => {
                        !matches!(colour, Color::Rgb(..) | Color::Indexed(_))
                    }
                    (_, colour) => matches!(colour, Color::Indexed(_)),
                };
                assert!(fits(cell.fg) && fits(cell.bg), "{name:?}: {cell:?}");
            }
        }
    }
}

/// A colour that is meant to be read differs enough from the paper of its theme.
#[test]
fn colours_can_be_read_on_their_paper() {
    for (name, paper) in [(ThemeName::Dark, 0.0), (ThemeName::Light, 1.0)] {
        for (letter, style) in roles(&Theme::new(name, false)) {
            let Some(Color::Indexed(index)) = style.fg else {
                continue;
            };
            let ink = luminance(index);
            let (light, dark) = if ink > paper {
                (ink, paper)
            } else {
                (paper, ink)
            };
            let contrast = (light + 0.05) / (dark + 0.05);
            assert!(contrast >= 4.5, "{name:?} {letter}: {contrast:.1} to 1");
        }
    }
}

/// Relative luminance, after WCAG 2, of one of the 240 colours whose values are the same in all terminals.
fn luminance(index: u8) -> f64 {
    let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
    let rgb = match index {
        232.. => [8 + 10 * (index - 232); 3],
        _ => {
            let cube = index - 16;
            [level(cube / 36), level(cube / 6 % 6), level(cube % 6)]
        }
    };
    let linear = |value: u8| {
        let value = f64::from(value) / 255.0;
        match value <= 0.04045 {
            true => value / 12.92,
            false => ((value + 0.055) / 1.055).powf(2.4),
        }
    };
    0.2126 * linear(rgb[0]) + 0.7152 * linear(rgb[1]) + 0.0722 * linear(rgb[2])
}

#[test]
fn ascii_draws_with_ascii_only() {
    // The views of records hold names in other scripts: data stays as it is.
    for keys in [
        "1", "4", "4v", "4\n", "5", "6", "6\t", "4?", "5a", "4p", "4vR",
    ] {
        let text = led(driver(ThemeName::Dark, true), keys).text(120, 40);
        let foreign: String = text.chars().filter(|c| !c.is_ascii()).collect();
        assert_eq!(foreign, "", "after {keys:?}:\n{text}");
    }
}

#[test]
fn read_only_is_a_badge_and_changes_nothing_else() {
    for (name, keys) in VIEWS {
        let (plain, guarded) = (view(Mood::Normal, keys), led(read_only(), keys));
        for (width, height) in SIZES {
            let (plain, guarded) = (plain.text(width, height), guarded.text(width, height));
            let (header, rest) = guarded.split_once('\n').unwrap();
            assert!(header.contains("read-only"), "{name}: {header}");
            assert_eq!(plain.split_once('\n').unwrap().1, rest, "{name}");
        }
    }
}
