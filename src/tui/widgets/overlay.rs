//! What lies above a screen and takes the keys until it is closed.

use super::confirm::Confirm;
use super::form::Form;
use super::help::Help;
use super::line::InputLine;
use super::palette::Palette;
use super::picker::Picker;
use super::rule::RuleEditor;
use super::source::Source;
use super::text::{Paragraphs, Scroll};
use crate::model::{Action, ConnectionName, FieldProposal, ObjectKey, RecordId};
use crate::operations::mappings::SuggestedPair;
use crate::tui::app::FilterStep;
use crate::tui::canvas::Canvas;
use crate::tui::keymap::Keymap;
use crate::tui::screens::queue::Step;
use crate::tui::screens::records::chooser::{self, Chooser};
use ratatui::layout::Rect;

/// Text in a window.
#[derive(Clone, Debug, Default)]
pub struct TextBox {
    pub title: String,
    pub text: Paragraphs,
    pub scroll: Scroll,
}

impl TextBox {
    /// Text under a title.
    pub fn new(title: impl Into<String>, text: Paragraphs) -> Self {
        Self {
            title: title.into(),
            text,
            scroll: Scroll::default(),
        }
    }
}

/// What a choice is for.
#[derive(Clone, Debug)]
pub enum Choice {
    Object(Vec<ObjectKey>),
    Related(Vec<(ObjectKey, RecordId)>),
    Pause(Vec<Step>),
    /// Connections with the names of their accounts.
    Connection(Vec<(ConnectionName, String)>),
    Filter(Vec<FilterStep>),
    /// Contact fields that a mapping does not fill.
    Target(Vec<String>),
    Pair(Vec<SuggestedPair>),
    /// What an action of the rule beneath is about.
    Names(Action),
    /// Record fields that a contact field could be made for.
    Proposal(Vec<FieldProposal>),
}

/// Anything above a screen.
#[derive(Clone, Debug)]
pub enum Overlay {
    Confirm(Confirm),
    Help(Help),
    Palette(Palette),
    Form(Box<Form>),
    Pick(Picker, Choice),
    Text(TextBox),
    Source(Box<Source>),
    Rule(Box<RuleEditor>),
    Filter(InputLine),
    Columns(Box<Chooser>),
}

impl Overlay {
    /// The keys that it takes, for the footer.
    pub fn keys(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Confirm(_) => &[("y", "yes"), ("esc", "no")],
            Self::Help(help) => help.keys(),
            Self::Text(_) => &[("j k", "scroll"), ("y", "copy"), ("esc", "close")],
            Self::Palette(palette) => palette.picker.keys(),
            Self::Pick(picker, _) => picker.keys(),
            Self::Rule(rule) => rule.keys(),
            Self::Source(_) => &[("enter", "take"), ("tab", "complete"), ("esc", "leave")],
            Self::Form(form) => form.keys(),
            Self::Filter(line) => line.keys(),
            Self::Columns(_) => chooser::KEYS,
        }
    }

    /// True if leaving it would lose what a person typed or chose in it.
    pub fn is_typed_in(&self) -> bool {
        match self {
            Self::Form(form) => form.is_typed_in(),
            Self::Source(source) => source.is_typed_in(),
            Self::Rule(rule) => rule.is_typed_in(),
            _ => false,
        }
    }

    /// What something that is typed in is called.
    pub fn title(&self) -> String {
        match self {
            Self::Form(form) => form.title.clone(),
            Self::Source(source) => source.title(),
            Self::Rule(rule) => rule.title(),
            _ => String::new(),
        }
    }

    /// True while the answer of a write is awaited.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Form(form) if form.is_busy())
    }

    /// True if both are about the same thing, so that what was typed into one belongs into the other.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Form(one), Self::Form(other)) => one.purpose.is_same(&other.purpose),
            (Self::Source(one), Self::Source(other)) => one.is_same(other),
            (Self::Rule(one), Self::Rule(other)) => one.is_same(other),
            _ => false,
        }
    }

    /// Takes in what was typed into the same thing before; true if anything was.
    pub fn take_up(&mut self, before: Self) -> bool {
        match (self, before) {
            (Self::Form(form), Self::Form(before)) => form.take_up(&before),
            (Self::Source(source), Self::Source(before)) => {
                *source = before;
                true
            }
            (Self::Rule(rule), Self::Rule(before)) => {
                rule.take_up(*before);
                true
            }
            _ => false,
        }
    }

    /// Draws it over the screen's area.
    pub fn draw(&self, canvas: &mut Canvas, area: Rect, keymap: &Keymap) {
        match self {
            Self::Confirm(confirm) => confirm.draw(canvas, area),
            Self::Help(help) => help.draw(canvas, area, keymap),
            Self::Palette(palette) => palette.picker.draw(canvas, area),
            Self::Form(form) => form.draw(canvas, area),
            Self::Pick(picker, _) => picker.draw(canvas, area),
            Self::Source(source) => source.draw(canvas, area),
            Self::Rule(rule) => rule.draw(canvas, area),
            Self::Filter(line) => line.draw(canvas, area),
            Self::Columns(chooser) => chooser.draw(canvas, area),
            Self::Text(text) => {
                let width = area.width.saturating_sub(4).min(110);
                let lines = text.text.lines(width.saturating_sub(4));
                let height = (lines.len() as u16).saturating_add(2);
                let height = height.min(area.height.saturating_sub(2));
                let inner = frame(canvas, area, width, height.max(3), &text.title);
                text.scroll.draw(canvas, inner, &lines);
            }
        }
    }
}

/// An empty window of a size in the middle of an area, with a title; returns its inside.
pub fn frame(canvas: &mut Canvas, area: Rect, width: u16, height: u16, title: &str) -> Rect {
    let width = width.min(area.width);
    let height = height.min(area.height);
    let window = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    canvas.clear(window);
    if window.width < 4 || window.height < 2 {
        return Rect {
            width: 0,
            height: 0,
            ..window
        };
    }
    let (muted, glyphs) = (canvas.theme.muted, canvas.theme.glyphs);
    canvas.rule(window.x, window.y, window.width);
    canvas.rule(window.x, window.bottom() - 1, window.width);
    for y in window.y + 1..window.bottom() - 1 {
        canvas.put(window.x, y, 1, glyphs.vertical, muted);
        canvas.put(window.right() - 1, y, 1, glyphs.vertical, muted);
    }
    let title = format!(" {title} ");
    let style = canvas.theme.title;
    canvas.put(window.x + 2, window.y, window.width - 4, &title, style);
    Rect {
        x: window.x + 2,
        y: window.y + 1,
        width: window.width - 4,
        height: window.height - 2,
    }
}
