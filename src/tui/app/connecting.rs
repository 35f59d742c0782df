//! From one connection to another: every screen begins anew, and nothing that was asked of the other one is taken in.

use super::App;
use super::going::Lost;
use crate::model::{ConnectionName, Level, PauseKind, Problem};
use crate::operations::Done;
use crate::operations::connections::ConnectionSummary;
use crate::tui::canvas::{cut, shown_width};
use crate::tui::command::quoted;
use crate::tui::context::{Cx, Then};
use crate::tui::effect::Effect;
use crate::tui::load::Load;
use crate::tui::request::{Reply, Request};
use crate::tui::screens::Refresh;
use crate::tui::screens::activity::Activity;
use crate::tui::screens::exports::Exports;
use crate::tui::screens::mappings::Mappings;
use crate::tui::screens::queue::Queue;
use crate::tui::screens::records::Records;
use crate::tui::screens::schemas::Schemas;
use crate::tui::slots::Slot;
use crate::tui::widgets::confirm::Confirm;
use crate::tui::widgets::overlay::{Choice, Overlay};
use crate::tui::widgets::picker::{Item, Picker};

/// Columns that a part of an item takes at most.
const WIDEST: usize = 30;

impl App {
    /// The connections came: one is to be chosen.
    pub(super) fn choose_connection(&mut self, result: Done<Vec<ConnectionSummary>>) {
        let connections = match result {
            Ok(connections) => connections,
            Err(problem) => {
                self.toasts
                    .push(Level::Error, problem.to_string(), self.now);
                return;
            }
        };
        // Whoever opened something else meanwhile wants that.
        if !self.overlays.is_empty() {
            return;
        }
        let mut title = "Connection".to_owned();
        if !self.session.environment.is_empty() {
            let dot = self.theme.glyphs.dot;
            title.push_str(&format!(" {dot} {}", self.session.environment));
        }
        let here = connections
            .iter()
            .position(|connection| connection.name == self.session.connection);
        let picker = Picker::new(title, self.items(&connections)).at(here.unwrap_or(0));
        let choices = connections.into_iter().map(|c| (c.name, c.account));
        let choice = Choice::Connection(choices.collect());
        self.overlays.push(Overlay::Pick(picker, choice));
    }

    /// Items whose parts stand below each other: `● eu  paused  acme-eu.api-us1.com  ve9E…`.
    fn items(&self, connections: &[ConnectionSummary]) -> Vec<Item> {
        let glyphs = self.theme.glyphs;
        let parts = |connection: &ConnectionSummary| {
            [
                connection.name.to_string(),
                self.standing(connection),
                connection.host.clone(),
            ]
        };
        let rows: Vec<[String; 3]> = connections.iter().map(parts).collect();
        let widest = |at: usize| rows.iter().map(|row| shown_width(&row[at])).max();
        let widths = [0, 1, 2].map(|at| widest(at).unwrap_or(0).min(WIDEST));
        let mut items = Vec::with_capacity(rows.len());
        for (connection, row) in connections.iter().zip(&rows) {
            let here = connection.name == self.session.connection;
            let mut label = if here { glyphs.selected } else { " " }.to_owned();
            for (part, width) in row.iter().zip(widths) {
                let part = cut(part, width as u16, glyphs.cut);
                let gap = " ".repeat(width.saturating_sub(shown_width(&part)) + 1);
                label.push_str(&format!(" {part}{gap}"));
            }
            label.push_str(&format!(" {}", connection.location));
            items.push(Item {
                label,
                note: String::new(),
                key: String::new(),
                off: false,
            });
        }
        items
    }

    /// `alive`, `paused until 15:00:00`.
    fn standing(&self, connection: &ConnectionSummary) -> String {
        let time = |at| self.session.time(at, self.now);
        match connection.pauses.first() {
            None => "alive".to_owned(),
            Some(pause) => match (pause.kind, pause.until) {
                (PauseKind::Person, None) => "paused".to_owned(),
                (PauseKind::Person, Some(at)) => format!("paused until {}", time(at)),
                (PauseKind::Breaker, _) => "stopped: token refused".to_owned(),
            },
        }
    }

    /// A connection was chosen; changes of mappings that are in no file yet are asked about.
    pub(super) fn connect(&mut self, name: ConnectionName, account: String) {
        if name == self.session.connection {
            return;
        }
        let lost = self.would_be_lost();
        let Some((_, first)) = lost.first() else {
            self.switch(name, account);
            return;
        };
        let title = match first {
            Lost::Mappings => "Leave this connection without saving?",
            Lost::Typed => "Leave this connection and what was typed?",
        };
        let question = Confirm::new(title).then(Then::Connect(name, account));
        let lines = lost.into_iter().map(|(line, _)| line);
        self.overlays
            .push(Overlay::Confirm(lines.fold(question, Confirm::line)));
    }

    /// Shows another connection on every screen.
    pub(super) fn switch(&mut self, name: ConnectionName, account: String) {
        let view = self.view_now();
        self.remembered.keep(&self.session.connection, view);
        let configures = self.slots.waits(Slot::Configuration);
        for slot in self.slots.all() {
            match slot {
                // What is being written is written; how it ended is said without a screen.
                Slot::Write(_) => {
                    self.elsewhere
                        .entry(slot)
                        .or_insert_with(|| self.session.connection.clone());
                }
                // The views of the last session are those of all connections.
                Slot::Remembered => {}
                _ => hands!(self).give_up(slot),
            }
        }
        self.effects.push(Effect::Connect(name.clone()));
        let session = &mut self.session;
        session.connection = name;
        session.account = account;
        // A yes to writes was said for other accounts.
        session.writes_allowed = false;
        session.mappings.clear();
        let slow = session.low_bandwidth;
        self.overlays.clear();
        self.unfinished.clear();
        self.ways.clear();
        let twin = format!(
            "tramline tui --connection {}",
            quoted(session.connection.as_str())
        );
        hands!(self).did(twin);
        self.status = Load::Idle;
        self.status_refresh = Refresh::of_status(slow);
        self.schemas = Schemas::default();
        self.records = Records::default();
        self.mappings = Mappings::default();
        self.queue = Queue::new(slow);
        self.exports = Exports::new(slow);
        self.activity = Activity::new(slow);
        self.narrow();
        let view = self.remembered.view(&self.session.connection).cloned();
        if let Some(view) = view {
            self.restore_screens(&view);
        }
        let mut cx = hands!(self);
        if configures {
            cx.ask(Slot::Configuration, Request::Reload { credentials: false });
        }
        cx.ask(Slot::Mappings, Request::Mappings);
        self.read_status();
        self.with_screen(|screen, cx| screen.open(cx));
        let text = format!("now in view: {}", self.session.connection);
        self.toasts.push(Level::Ok, text, self.now);
    }

    /// Narrows the lists that go by it to the connection in view, where there are several.
    pub(in crate::tui) fn narrow(&mut self) {
        let only = self.session.only().cloned();
        self.activity.narrow(only.clone());
        self.queue.narrow(only);
    }

    /// What was written to a connection that is not in view any more ended.
    pub(super) fn ended_elsewhere(&mut self, connection: &ConnectionName, reply: &Reply) {
        let (level, text) = match (reply, problem_of(reply)) {
            (Reply::Overtaken(change, _), _) => {
                let record = &change.record;
                let text = format!(
                    "record {record} was changed by somebody else meanwhile: nothing was written to it"
                );
                (Level::Error, text)
            }
            (_, None) => (Level::Ok, "what was being written there is done".to_owned()),
            (_, Some(problem)) => (Level::Error, problem.to_string()),
        };
        self.toasts
            .push(level, format!("{connection}: {text}"), self.now);
    }
}

/// Why what was written failed, if it did.
fn problem_of(reply: &Reply) -> Option<&Problem> {
    match reply {
        Reply::Synced(Ok(results)) => results.iter().find_map(|result| result.error.as_ref()),
        Reply::Synced(Err(problem))
        | Reply::Saved(Err(problem))
        | Reply::Deleted(_, Some(problem))
        | Reply::MappingSaved(_, Err(problem))
        | Reply::Paused(_, Err(problem))
        | Reply::Resumed(_, Err(problem))
        | Reply::Retried(_, Err(problem))
        | Reply::Begun(_, _, Err(problem))
        | Reply::Cancelled(_, Err(problem))
        | Reply::FilterSaved(Err(problem))
        | Reply::FilterDeleted(_, Err(problem))
        | Reply::Run(_, Err(problem)) => Some(problem),
        _ => None,
    }
}
