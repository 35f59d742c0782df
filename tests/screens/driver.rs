//! Drives the app as a person at a keyboard would, with the world's answers.

use super::world::{self, Mood};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::collections::BTreeMap;
use tramline::mapping::MappingSpec;
use tramline::model::bulk::Bulk;
use tramline::operations::status::Status;
use tramline::tui::app::App;
use tramline::tui::context::Session;
use tramline::tui::effect::Effect;
use tramline::tui::event::{Answer, Event};
use tramline::tui::keymap::Keymap;
use tramline::tui::request::{Reply, Request};
use tramline::tui::slots::Slot;
use tramline::tui::theme::{Theme, ThemeName};

pub struct Driver {
    pub app: App,
    pub now: Timestamp,
    pub mood: Mood,
    /// Effects that are no questions, in the order they came.
    pub effects: Vec<Effect>,
    /// Questions asked, in the order they came.
    pub asked: Vec<Request>,
    /// Answers are held back: everything stays loading.
    pub silent: bool,
    /// How far actions on many jobs are, in place of what the world says.
    pub bulks: Option<Vec<Bulk>>,
    /// Actions on many that the status tells of.
    pub open: Vec<Bulk>,
    /// What was kept of the last session.
    pub remembered: Option<String>,
    /// config.toml cannot be written.
    pub refuse_save: bool,
    held: Vec<Effect>,
}

pub fn session() -> Session {
    Session {
        connection: "default".into(),
        connections: vec!["default".into()],
        account: "acme".into(),
        environment: "sandbox".into(),
        production: false,
        read_only: false,
        writes_allowed: false,
        log_path: Some("/home/jo/.local/state/tramline/tramline.log".into()),
        working_dir: "/home/jo".into(),
        config: None,
        passing: false,
        time_zone: jiff::tz::TimeZone::UTC,
        low_bandwidth: false,
        mappings: Vec::new(),
    }
}

impl Driver {
    /// Saves the mapping in view, with the yes that it asks for; what was saved.
    pub fn save_mapping(&mut self) -> MappingSpec {
        self.keys("wy");
        let saved = self.asked.iter().rev().find_map(|request| match request {
            Request::SaveMapping(_, both) => Some(both.1.clone()),
            _ => None,
        });
        saved.unwrap()
    }

    pub fn new(mood: Mood) -> Self {
        Self::with(mood, session(), ThemeName::Dark, false)
    }

    pub fn with(mood: Mood, session: Session, theme: ThemeName, ascii: bool) -> Self {
        let now = world::noon();
        let keymap = Keymap::new(&BTreeMap::new()).unwrap();
        Self {
            app: App::new(session, keymap, Theme::new(theme, ascii), now),
            now,
            mood,
            effects: Vec::new(),
            asked: Vec::new(),
            silent: false,
            bulks: None,
            open: Vec::new(),
            remembered: None,
            refuse_save: false,
            held: Vec::new(),
        }
    }

    /// Starts the app and answers until it is quiet.
    /// A started app at 120x40 after some keys; what it asked before them is forgotten.
    pub fn after(keys: &str) -> Self {
        let mut driver = Self::new(Mood::Normal).start();
        driver.frame(120, 40);
        driver.asked.clear();
        driver.keys(keys);
        driver
    }

    /// The messages in view.
    pub fn said(&self) -> String {
        self.app.toasts().join("; ")
    }

    pub fn start(mut self) -> Self {
        let effects = self.app.start();
        self.settle(effects);
        self
    }

    fn settle(&mut self, effects: Vec<Effect>) {
        let mut todo: Vec<Effect> = effects;
        let mut rounds = 0;
        while !todo.is_empty() {
            rounds += 1;
            assert!(
                rounds < 200,
                "the app never comes to rest: {:?}",
                todo.first()
            );
            let mut next = Vec::new();
            for effect in todo {
                match effect {
                    Effect::Ask {
                        slot,
                        generation,
                        request,
                    } => {
                        self.asked.push(request.clone());
                        if self.silent {
                            self.held.push(Effect::Ask {
                                slot,
                                generation,
                                request,
                            });
                            continue;
                        }
                        let reply = match (&request, &self.bulks) {
                            (Request::Bulks, Some(bulks)) => Reply::Bulks(Ok(bulks.clone())),
                            (Request::SaveMapping(name, _), _) if self.refuse_save => {
                                Reply::MappingSaved(name.clone(), Err(world::changed_meanwhile()))
                            }
                            (Request::Remembered, _) => {
                                Reply::Remembered(Ok(self.remembered.clone()))
                            }
                            _ => world::answer(self.mood, request),
                        };
                        let reply = match reply {
                            Reply::Status(Ok(status)) => Reply::Status(Ok(Status {
                                bulks: self.open.clone(),
                                ..status
                            })),
                            reply => reply,
                        };
                        let answer = Box::new(Answer {
                            slot,
                            generation,
                            reply,
                        });
                        next.extend(self.app.update(Event::Answer(answer), self.now));
                    }
                    other => self.effects.push(other),
                }
            }
            todo = next;
        }
    }

    /// The queue's pace comes, as the world of the mood has it; nothing else.
    pub fn answer_pace(&mut self, since: Timestamp) {
        let effects = self.app.update(Event::Changed, self.now);
        for effect in effects {
            let Effect::Ask {
                slot,
                generation,
                request,
            } = effect
            else {
                continue;
            };
            let (mood, request) = match request {
                Request::Pace(_) => (self.mood, Request::Pace(since)),
                other => (Mood::Empty, other),
            };
            let answer = Box::new(Answer {
                slot,
                generation,
                reply: world::answer(mood, request),
            });
            let effects = self.app.update(Event::Answer(answer), self.now);
            self.settle(effects);
        }
    }

    /// Slot and generation of a question that was held back.
    pub fn waiting(&self, what: impl Fn(&Request) -> bool) -> (Slot, u64) {
        let found = self.held.iter().rev().find_map(|effect| match effect {
            Effect::Ask {
                slot,
                generation,
                request,
            } if what(request) => Some((*slot, *generation)),
            _ => None,
        });
        found.unwrap()
    }

    /// Gives an answer to what was asked there.
    pub fn answer(&mut self, (slot, generation): (Slot, u64), reply: Reply) {
        self.event(Event::Answer(Box::new(Answer {
            slot,
            generation,
            reply,
        })));
    }

    /// Gives the answer to the question that is held back last.
    pub fn reply(&mut self, what: impl Fn(&Request) -> bool, reply: Reply) {
        let asked = self.waiting(what);
        self.answer(asked, reply);
    }

    /// Gives the answers that were held back.
    pub fn speak(&mut self) {
        self.silent = false;
        let held = std::mem::take(&mut self.held);
        self.settle(held);
    }

    pub fn event(&mut self, event: Event) {
        let effects = self.app.update(event, self.now);
        self.settle(effects);
    }

    pub fn wait(&mut self, milliseconds: i64) {
        self.now += SignedDuration::from_millis(milliseconds);
        self.event(Event::Tick);
    }

    pub fn press(&mut self, code: KeyCode) {
        self.event(Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }

    pub fn ctrl(&mut self, c: char) {
        self.event(Event::Key(KeyEvent::new(
            KeyCode::Char(c),
            KeyModifiers::CONTROL,
        )));
    }

    /// Presses each character of a text; `\n` is enter, `\t` tab, `\u{8}` backspace, `\u{1b}` esc.
    pub fn keys(&mut self, keys: &str) {
        for c in keys.chars() {
            self.press(match c {
                '\n' => KeyCode::Enter,
                '\t' => KeyCode::Tab,
                '\u{8}' => KeyCode::Backspace,
                '\u{1b}' => KeyCode::Esc,
                c => KeyCode::Char(c),
            });
        }
    }

    pub fn frame(&self, width: u16, height: u16) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        self.app.view(&mut buffer);
        buffer
    }

    pub fn text(&self, width: u16, height: u16) -> String {
        text(&self.frame(width, height))
    }
}

/// The characters of a frame, without spaces at line ends.
pub fn text(buffer: &Buffer) -> String {
    let area = buffer.area;
    let mut lines = Vec::new();
    for y in area.top()..area.bottom() {
        let mut line = String::new();
        let mut x = area.left();
        while x < area.right() {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            // A wide character covers the cell behind it.
            x += (unicode_width::UnicodeWidthStr::width(symbol).max(1)) as u16;
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}
