//! Parts that several screens are made of.

pub mod confirm;
pub mod contact;
pub mod diff;
pub mod expression;
pub mod field;
pub mod form;
pub mod gauge;
pub mod help;
pub mod json;
pub mod line;
pub mod overlay;
pub mod paged;
pub mod palette;
pub mod picker;
pub mod round;
pub mod rule;
pub mod source;
pub mod state;
pub mod table;
pub mod text;
pub mod toast;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// True for a key that leaves a window, whatever is typed in it.
pub fn leaves(key: &KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    key.code == KeyCode::Esc || (key.code == KeyCode::Char('c') && control)
}
