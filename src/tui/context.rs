//! What `update` may touch: the session, the slots, and the list of effects it answers with.

use super::command::Aim;
use super::effect::Effect;
use super::keymap::Tab;
use super::request::Request;
use super::slots::{Slot, Slots};
use super::widgets::confirm::Confirm;
use super::widgets::overlay::Overlay;
use super::widgets::toast::About;
use crate::model::{
    ConnectionName, JobState, Level, MappingName, ObjectKey, ObjectSchema, RecordId,
};
use crate::operations::mappings::MappingSummary;
use crate::operations::records::file::RecordFile;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::path::PathBuf;

/// What holds for the whole session.
#[derive(Clone, Debug)]
pub struct Session {
    /// The connection in view.
    pub connection: ConnectionName,
    /// All connections of config.toml.
    pub connections: Vec<ConnectionName>,
    /// A short name of the connection's accounts.
    pub account: String,
    /// `production`, `sandbox`, …; may be empty.
    pub environment: String,
    pub production: bool,
    pub read_only: bool,
    /// True once a person has said yes to writing to production in this session.
    pub writes_allowed: bool,
    pub log_path: Option<PathBuf>,
    /// Where files of a person go unless another folder is named.
    pub working_dir: PathBuf,
    /// The configuration, where a command would not find it by itself.
    pub config: Option<PathBuf>,
    /// True if configuration and store end with this program, as those of the demo do.
    pub passing: bool,
    pub time_zone: TimeZone,
    pub low_bandwidth: bool,
    /// The mappings of this connection.
    pub mappings: Vec<MappingSummary>,
}

impl Session {
    /// A session without an account, for tests of what is drawn.
    #[cfg(test)]
    pub fn of_nobody() -> Self {
        Self {
            connection: "default".into(),
            connections: vec!["default".into()],
            account: String::new(),
            environment: String::new(),
            production: false,
            read_only: false,
            writes_allowed: false,
            log_path: None,
            working_dir: PathBuf::new(),
            config: None,
            passing: false,
            time_zone: TimeZone::UTC,
            low_bandwidth: false,
            mappings: Vec::new(),
        }
    }

    /// A time of day, with the date where it is not today's.
    pub fn time(&self, at: Timestamp, now: Timestamp) -> String {
        let zone = &self.time_zone;
        let (at, now) = (at.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
        let format = if at.date() == now.date() {
            "%H:%M:%S"
        } else {
            "%m-%d %H:%M"
        };
        at.strftime(format).to_string()
    }

    /// A time of day with the day it is of, where that is not today: `tomorrow 19:20`.
    pub fn day_time(&self, at: Timestamp, now: Timestamp) -> String {
        let zone = &self.time_zone;
        let (at, now) = (at.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
        let tomorrow = now.date().tomorrow().ok();
        let format = match Some(at.date()) {
            day if day == Some(now.date()) => "%H:%M",
            day if day == tomorrow => "tomorrow %H:%M",
            _ => "%Y-%m-%d %H:%M",
        };
        at.strftime(format).to_string()
    }

    /// The connection that lists are narrowed to: none where there is only one.
    pub fn only(&self) -> Option<&ConnectionName> {
        (self.connections.len() > 1).then_some(&self.connection)
    }

    /// What a command must say to be about the accounts in view.
    pub fn aim(&self) -> Aim {
        let alone = self.connections == [self.connection.clone()];
        Aim {
            connection: (!alone).then(|| self.connection.clone()),
            config: self.config.clone(),
        }
    }

    /// The mapping of an object: the first by name.
    pub fn mapping_of(&self, object: &ObjectKey) -> Option<&MappingSummary> {
        self.mappings
            .iter()
            .find(|mapping| mapping.object == *object)
    }
}

/// Where to go.
#[derive(Clone, Debug)]
pub enum Go {
    Tab(Tab),
    /// Records of an object, with its schema where it is at hand.
    Records(ObjectKey, Option<Box<ObjectSchema>>),
    /// One record beside its contact.
    Record(ObjectKey, RecordId),
    Mapping(MappingName),
    /// The jobs of a state, or of all, under a filter text.
    Queue(Option<JobState>, String),
    /// What goes on about something, by the filter for it; `esc` leads back to the screen that asked.
    Log(String),
}

/// What a screen asks the app for.
#[derive(Debug)]
pub enum Wish {
    Toast(Level, String),
    /// As [`Wish::Toast`], until it is taken back.
    ToastAbout(About, Level, String),
    /// Take back what was said about something.
    Retract(About),
    Show(Box<Overlay>),
    Go(Go),
    /// The command that does what was just done.
    Did(Did),
    /// Keep the view for the next start, however this one ends.
    Remember,
}

/// A command that does what was just done.
#[derive(Clone, Debug)]
pub struct Did {
    pub command: String,
    /// The mapping that was gone by as it is edited; the command goes by config.toml.
    pub edited: Option<MappingName>,
    /// Why it does not do just that, where nothing does: then it is the nearest that there is.
    pub nearest: Option<&'static str>,
}

/// What happens when a question is answered with yes.
#[derive(Clone, Debug, PartialEq)]
pub enum Then {
    Ask(Request),
    /// Only stops something: that is no yes to writes on production.
    Stop(Request),
    /// Go back to the editor with this text.
    Edit(super::request::Editing, String),
    /// Show another connection, with the name of its accounts.
    Connect(ConnectionName, String),
    /// Write this file: nothing outside this machine is changed.
    File(Box<RecordFile>),
    Quit,
}

/// The hands of one update.
pub struct Cx<'a> {
    pub now: Timestamp,
    pub session: &'a mut Session,
    pub slots: &'a mut Slots,
    pub effects: &'a mut Vec<Effect>,
    pub wishes: &'a mut Vec<Wish>,
}

impl Cx<'_> {
    /// Asks a question for a slot; an older question of the slot is given up.
    pub fn ask(&mut self, slot: Slot, request: Request) {
        let generation = self.slots.start(slot, self.now);
        self.effects.push(Effect::Ask {
            slot,
            generation,
            request,
        });
    }

    /// Gives a question up.
    pub fn give_up(&mut self, slot: Slot) {
        if self.slots.waits(slot) {
            self.slots.cancel(slot);
            self.effects.push(Effect::Cancel(slot));
        }
    }

    /// Does something that writes: refused under `--read-only`, asked for with `question`, and asked for once
    /// a session on production. `did` is the command that does the same.
    pub fn write(&mut self, request: Request, question: Option<Confirm>, did: String) {
        if self.refused() {
            return;
        }
        let first = self.session.production && !self.session.writes_allowed;
        let question = match (question, first) {
            (Some(question), true) => {
                Some(question.warn("This is production: yes allows writes until you quit."))
            }
            (Some(question), false) => Some(question),
            (None, true) => Some(
                Confirm::new("Write to production?")
                    .line(self.session.aim().short(&did))
                    .warn("This is production: yes allows writes until you quit."),
            ),
            (None, false) => None,
        };
        match question {
            Some(question) => {
                self.show(Overlay::Confirm(question.then(Then::Ask(request)).did(did)))
            }
            None => self.write_now(request, did),
        }
    }

    /// True under `--read-only`, which is then said.
    pub fn refused(&mut self) -> bool {
        if self.session.read_only {
            self.toast(
                Level::Error,
                "read-only: nothing is written. Start without --read-only to write",
            );
        }
        self.session.read_only
    }

    /// Writes without asking again; `did` is empty for what no command does.
    pub fn write_now(&mut self, request: Request, did: String) {
        let slot = self.slots.write();
        self.ask(slot, request);
        if !did.is_empty() {
            self.did(did);
        }
    }

    /// Says something for a few seconds.
    pub fn toast(&mut self, level: Level, text: impl Into<String>) {
        self.wishes.push(Wish::Toast(level, text.into()));
    }

    /// As [`Cx::toast`], until it is taken back.
    pub fn toast_about(&mut self, about: About, level: Level, text: impl Into<String>) {
        self.wishes
            .push(Wish::ToastAbout(about, level, text.into()));
    }

    /// Takes back what was said about something.
    pub fn retract(&mut self, about: About) {
        self.wishes.push(Wish::Retract(about));
    }

    /// Opens something above the screen.
    pub fn show(&mut self, overlay: Overlay) {
        self.wishes.push(Wish::Show(Box::new(overlay)));
    }

    /// Goes somewhere else.
    pub fn go(&mut self, go: Go) {
        self.wishes.push(Wish::Go(go));
    }

    /// Keeps the view for the next start.
    pub fn remember(&mut self) {
        self.wishes.push(Wish::Remember);
    }

    /// Notes the command that does what was just done.
    pub fn did(&mut self, command: impl Into<String>) {
        self.note(command.into(), None, None);
    }

    /// As [`Cx::did`], of what goes by a mapping with the changes that are not saved yet.
    pub fn did_by(&mut self, mapping: &MappingName, command: impl Into<String>) {
        self.note(command.into(), Some(mapping.clone()), None);
    }

    /// Notes the command that comes nearest to what was just done, and why none does it.
    pub fn did_nearly(&mut self, command: impl Into<String>, why: &'static str) {
        self.note(command.into(), None, Some(why));
    }

    fn note(
        &mut self,
        command: String,
        edited: Option<MappingName>,
        nearest: Option<&'static str>,
    ) {
        let did = Did {
            command,
            edited,
            nearest,
        };
        self.wishes.push(Wish::Did(did));
    }

    /// Copies text to the terminal's clipboard.
    pub fn copy(&mut self, what: &str, text: String) {
        self.effects.push(Effect::Copy {
            what: what.to_owned(),
            text,
        });
    }
}
