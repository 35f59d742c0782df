//! Frames to bytes: only cells that changed, as one synchronized update, nothing at all if nothing changed.
//!
//! `ratatui::Terminal` is not used: its `draw` writes bytes for an unchanged frame, and its `clear` (0.30.2)
//! asks the terminal for the cursor, which stalls for two seconds while an event stream reads the answer.

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::queue;
use crossterm::terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate};
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};
use std::io::{self, Write};

/// What the terminal shows, and the frame that is being made.
pub struct Painter<W: Write> {
    backend: CrosstermBackend<W>,
    shown: Buffer,
    next: Buffer,
    cursor: Option<Position>,
    /// True if what the terminal shows is not known.
    fresh: bool,
}

/// Ends the synchronized update on every way out.
struct Synchronized<'a, W: Write>(&'a mut CrosstermBackend<W>);

impl<'a, W: Write> Synchronized<'a, W> {
    fn begin(backend: &'a mut CrosstermBackend<W>) -> io::Result<Self> {
        queue!(backend, BeginSynchronizedUpdate)?;
        Ok(Self(backend))
    }
}

impl<W: Write> Drop for Synchronized<'_, W> {
    fn drop(&mut self) {
        // A terminal that is gone is noticed by the next read; a drop cannot answer.
        let _ = queue!(self.0, EndSynchronizedUpdate);
        let _ = Write::flush(self.0);
    }
}

impl<W: Write> Painter<W> {
    /// A painter of a terminal whose content is not known.
    pub fn new(writer: W) -> Self {
        Self {
            backend: CrosstermBackend::new(writer),
            shown: Buffer::default(),
            next: Buffer::default(),
            cursor: None,
            fresh: true,
        }
    }

    /// Forgets what the terminal shows: the next frame draws every cell.
    pub fn forget(&mut self) {
        self.fresh = true;
    }

    /// Draws one frame; true if anything had to be written.
    pub fn draw(
        &mut self,
        size: Size,
        view: impl FnOnce(&mut Buffer) -> Option<Position>,
    ) -> io::Result<bool> {
        let area = Rect::new(0, 0, size.width, size.height);
        if self.next.area != area {
            self.next.resize(area);
            self.fresh = true;
        }
        self.next.reset();
        let cursor = view(&mut self.next);
        if self.fresh {
            self.shown.resize(area);
            self.shown.reset();
        }
        let cells = self.shown.diff(&self.next);
        if cells.is_empty() && cursor == self.cursor && !self.fresh {
            return Ok(false);
        }
        let update = Synchronized::begin(&mut self.backend)?;
        if self.fresh {
            queue!(update.0, Hide, Clear(ClearType::All))?;
            self.cursor = None;
        }
        if self.cursor.is_some() && cursor.is_none() {
            queue!(update.0, Hide)?;
        }
        if !cells.is_empty() {
            update.0.draw(cells.into_iter())?;
        }
        if let Some(at) = cursor {
            queue!(update.0, MoveTo(at.x, at.y))?;
            if self.cursor.is_none() {
                queue!(update.0, Show)?;
            }
        }
        drop(update);
        self.cursor = cursor;
        self.fresh = false;
        std::mem::swap(&mut self.shown, &mut self.next);
        Ok(true)
    }

    /// Writes bytes that draw nothing, such as a copy sequence.
    pub fn pass(&mut self, bytes: &str) -> io::Result<()> {
        self.backend.write_all(bytes.as_bytes())?;
        Write::flush(&mut self.backend)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Style;
    use std::cell::RefCell;
    use std::rc::Rc;

    #[derive(Clone, Default)]
    struct Sink(Rc<RefCell<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_unchanged_frame_writes_nothing_and_a_changed_one_is_synchronized() {
        let sink = Sink::default();
        let mut painter = Painter::new(sink.clone());
        let size = Size::new(20, 3);
        let view = |text: &'static str| {
            move |buf: &mut Buffer| {
                buf.set_string(0, 0, text, Style::new());
                None
            }
        };
        assert!(painter.draw(size, view("one")).unwrap());
        let first = sink.0.borrow().len();
        assert!(!painter.draw(size, view("one")).unwrap());
        assert_eq!(sink.0.borrow().len(), first);
        assert!(painter.draw(size, view("ons")).unwrap());
        let bytes = sink.0.borrow()[first..].to_vec();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("\x1b[?2026h") && text.ends_with("\x1b[?2026l"));
        assert!(text.contains('s') && !text.contains('o'));
    }
}
