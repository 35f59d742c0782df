//! Everything that can happen to the screen.

use super::request::{Editing, Reply};
use super::slots::Slot;
use crate::model::Level;
use crate::model::call::Call;
use crossterm::event::{KeyEvent, MouseEvent};

/// One thing that happened.
#[derive(Debug)]
pub enum Event {
    Key(KeyEvent),
    /// Text pasted in brackets: it only ever goes into a text field.
    Paste(String),
    Mouse(MouseEvent),
    /// The terminal's size in columns and rows.
    Resize(u16, u16),
    /// An effect's answer.
    Answer(Box<Answer>),
    /// The store was changed, by this process or another.
    Changed,
    /// The file config.toml changed.
    Configured,
    /// An HTTP call of this process ended.
    Call(Call),
    /// The time that `App::wake` named has come.
    Tick,
    /// The editor came back with a text, or could not be run.
    Edited(Editing, Result<String, String>),
    /// Something that the loop itself has to say, such as where copied text went.
    Note(Level, String),
}

/// The answer to the question of one generation of a slot.
#[derive(Debug)]
pub struct Answer {
    pub slot: Slot,
    pub generation: u64,
    pub reply: Reply,
}
