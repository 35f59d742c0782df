//! Lines that are gone round: those of a form, and of anything else that is filled in line by line.

use crossterm::event::{KeyCode, KeyEvent};

/// Where a key leads from a line: tab and down to the next, backtab and up to the one before, round at both ends. `None` for a
/// key that is the line's own.
pub fn to(key: &KeyEvent, at: usize, lines: usize) -> Option<usize> {
    let last = lines.saturating_sub(1);
    match key.code {
        KeyCode::Tab | KeyCode::Down if at >= last => Some(0),
        KeyCode::Tab | KeyCode::Down => Some(at + 1),
        KeyCode::BackTab | KeyCode::Up => Some(at.checked_sub(1).unwrap_or(last)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::KeyModifiers;

    #[test]
    fn both_ends_lead_to_the_other() {
        let to = |code, at| to(&KeyEvent::new(code, KeyModifiers::NONE), at, 3);
        assert_eq!(to(KeyCode::Tab, 0), Some(1));
        assert_eq!(to(KeyCode::Down, 2), Some(0));
        assert_eq!(to(KeyCode::BackTab, 0), Some(2));
        assert_eq!(to(KeyCode::Up, 2), Some(1));
        assert_eq!(to(KeyCode::Left, 1), None);
    }
}
