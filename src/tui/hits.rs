//! The mouse: what a click can hit is remembered while it is drawn, and a click does what keys would do.

use super::app::App;
use super::context::Go;
use super::keymap::Action;
use super::widgets::overlay::Overlay;
use super::widgets::rule::RuleOutcome;
use super::widgets::source::SourceOutcome;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use jiff::{SignedDuration, Timestamp};
use ratatui::layout::{Position, Rect};
use std::cell::RefCell;

/// Two clicks on one place within this time are a double click.
const DOUBLE: SignedDuration = SignedDuration::from_millis(500);

/// What a click hits.
#[derive(Clone, Debug)]
pub enum Hit {
    /// A row so many rows below the cursor of what takes the keys; above it where negative.
    Row(isize),
    /// As [`Hit::Row`], of a line that enter does nothing to; a click on the one under the cursor does this, if anything.
    Line(isize, Option<Action>),
    /// One of the names that are offered for what is being typed.
    Offer(usize),
    /// One of the two panes of the screen: true for the right one.
    Pane(bool),
    /// A tab, or a thing that is gone to by its name.
    Go(Go),
}

/// What can be hit on the last frame, in the order it was drawn.
#[derive(Debug, Default)]
pub struct Hits(RefCell<Vec<(Rect, Hit)>>);

impl Hits {
    /// Forgets what is drawn over.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }

    /// Remembers what an area is.
    pub fn add(&self, area: Rect, hit: Hit) {
        self.0.borrow_mut().push((area, hit));
    }

    fn at(&self, place: Position) -> Vec<Hit> {
        let all = self.0.borrow();
        let hit = all.iter().filter(|(area, _)| area.contains(place));
        hit.map(|(_, hit)| hit.clone()).collect()
    }
}

/// The last click on a row, which another one makes a double click.
#[derive(Clone, Copy, Debug)]
pub struct Click {
    place: Position,
    at: Timestamp,
}

impl App {
    /// Takes the mouse; false if nothing came of it.
    pub(super) fn mouse(&mut self, mouse: MouseEvent) -> bool {
        match mouse.kind {
            MouseEventKind::ScrollDown => self.step(1),
            MouseEventKind::ScrollUp => self.step(-1),
            MouseEventKind::Down(MouseButton::Left) => {
                self.click(Position::new(mouse.column, mouse.row))
            }
            _ => false,
        }
    }

    /// Moves the cursor of what takes the keys by so many rows; false where that has no rows.
    fn step(&mut self, rows: isize) -> bool {
        let (action, code) = match rows {
            ..0 => (Action::Up, KeyCode::Up),
            _ => (Action::Down, KeyCode::Down),
        };
        for _ in 0..rows.unsigned_abs() {
            match self.overlays.last() {
                None => self.act(action),
                // A question is for the keys alone, and a line of text has rows only while something is offered.
                Some(Overlay::Confirm(_)) => return false,
                Some(Overlay::Filter(line)) if !line.offers() => return false,
                Some(_) => self.overlay_key(&KeyEvent::new(code, KeyModifiers::NONE)),
            }
        }
        true
    }

    fn click(&mut self, place: Position) -> bool {
        let before = self.clicked.take();
        let hits = self.hits.at(place);
        let again = before.is_some_and(|click| {
            click.place == place && self.now.duration_since(click.at) <= DOUBLE
        });
        // A list that moved on between the two clicks has another row there.
        if again && hits.iter().any(|hit| matches!(hit, Hit::Row(0))) {
            self.enter();
            return true;
        }
        for hit in &hits {
            match hit {
                Hit::Row(rows) => {
                    self.step(*rows);
                    let at = self.now;
                    self.clicked = Some(Click { place, at });
                }
                Hit::Line(0, Some(action)) => self.act(*action),
                Hit::Line(rows, _) => {
                    self.step(*rows);
                }
                Hit::Offer(at) => self.take_offered(*at),
                Hit::Pane(right) => {
                    let right = *right;
                    self.with_screen(|screen, cx| screen.focus(right, cx));
                }
                Hit::Go(go) => self.go(go.clone()),
            }
        }
        !hits.is_empty()
    }

    /// Takes a name that is offered into what is being typed.
    fn take_offered(&mut self, at: usize) {
        let Some(mut overlay) = self.overlays.pop() else {
            return;
        };
        match &mut overlay {
            Overlay::Filter(line) => {
                line.take(at);
                let text = line.text().to_owned();
                self.overlays.push(overlay);
                self.set_filter(&text, false);
                return;
            }
            Overlay::Source(source) => {
                source.take(at);
                self.typed_source(source, SourceOutcome::Typed);
            }
            Overlay::Rule(rule) => {
                rule.take(at);
                self.typed_rule(rule, RuleOutcome::Typed);
            }
            _ => {}
        }
        self.overlays.push(overlay);
    }

    /// What enter does to the row under the cursor. In a form it would save, in a list of columns take them all: not by a
    /// click.
    fn enter(&mut self) {
        match self.overlays.last() {
            None => self.act(Action::Open),
            Some(Overlay::Pick(..) | Overlay::Palette(_)) => {
                self.overlay_key(&KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE));
            }
            // Where space chooses: names of an action, yes or no.
            Some(Overlay::Rule(rule)) if !rule.is_typing() => {
                self.overlay_key(&KeyEvent::new(KeyCode::Char(' '), KeyModifiers::NONE));
            }
            Some(_) => {}
        }
    }
}
