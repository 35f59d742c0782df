//! Pausing a mapping or a connection, and letting it go on; what is paused stands above the list.

use super::Queue;
use crate::model::{ConnectionName, Level, MappingName, Pause, PauseKind};
use crate::operations::Done;
use crate::operations::pauses::{MOMENTS, Scope, moment};
use crate::tui::canvas::{Canvas, below, counted, cut, shown_width};
use crate::tui::command::quoted;
use crate::tui::context::{Cx, Session};
use crate::tui::keymap::Action;
use crate::tui::request::Request;
use crate::tui::widgets::confirm::Confirm;
use crate::tui::widgets::field::{Field, Kind};
use crate::tui::widgets::form::{Form, Purpose};
use crate::tui::widgets::overlay::{Choice, Overlay};
use crate::tui::widgets::picker::{Item, Picker};
use jiff::Timestamp;
use ratatui::layout::Rect;

/// Pauses that are named above the list; of more there is only the number.
const NAMED: usize = 2;

/// What a person can choose to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Pause(Scope),
    /// With what is in force there.
    Resume(Scope, Vec<Pause>),
}

fn scope_of(pause: &Pause) -> Scope {
    match &pause.mapping {
        Some(mapping) => Scope::Mapping(mapping.clone()),
        None => Scope::Connection(pause.connection.clone()),
    }
}

/// `paused until 15:00:00`.
fn until(pause: &Pause, time: impl Fn(Timestamp) -> String) -> String {
    let (verb, end) = match pause.kind {
        PauseKind::Person => ("paused", "until"),
        PauseKind::Breaker => ("stopped, asked again", "at"),
    };
    match pause.until {
        Some(at) => format!("{verb} {end} {}", time(at)),
        None if pause.kind == PauseKind::Person => "paused".to_owned(),
        None => "stopped".to_owned(),
    }
}

/// `by jo since 14:02:11`.
fn whose(pause: &Pause, time: impl Fn(Timestamp) -> String) -> String {
    format!("by {} since {}", pause.by, time(pause.since))
}

/// The command of a scope: `tramline queue pause --mapping pets`.
fn command(verb: &str, scope: &Scope) -> String {
    let which = match scope {
        Scope::All => String::new(),
        Scope::Connection(name) => format!(" --connection {}", quoted(name.as_str())),
        Scope::Mapping(name) => format!(" --mapping {}", quoted(name.as_str())),
    };
    format!("tramline queue {verb}{which}")
}

/// What the form of a pause asks for, and the command that does the same; `None` if a field cannot be taken, which
/// it then says.
pub fn from_form(
    form: &mut Form,
    scope: &Scope,
    now: Timestamp,
    session: &Session,
) -> Option<(Request, String)> {
    let [reason, end] = form.fields.as_mut_slice() else {
        return None;
    };
    let reason = reason.typed().to_owned();
    let mut did = format!("{} --reason {}", command("pause", scope), quoted(&reason));
    let until = match end.typed() {
        "" => None,
        text => match moment(text, now, &session.time_zone) {
            Some(at) => Some(at),
            None => {
                end.problem = Some(MOMENTS.to_owned());
                return None;
            }
        },
    };
    if let Some(at) = until {
        did.push_str(&format!(" --until {}", at.strftime("%Y-%m-%dT%H:%M:%SZ")));
    }
    let request = Request::Pause {
        scope: scope.clone(),
        reason,
        until,
    };
    Some((request, did))
}

impl Queue {
    /// The place that a pause would be about: that of the job or the group in view.
    fn place(&self, session: &Session) -> (ConnectionName, Vec<MappingName>) {
        if self.groups.is_open() {
            let connection = self.groups.current().map(|group| group.connection.clone());
            return (
                connection.unwrap_or_else(|| session.connection.clone()),
                Vec::new(),
            );
        }
        match self.in_view() {
            Some(job) => (job.connection.clone(), vec![job.mapping.clone()]),
            None => {
                let all = session.mappings.iter().map(|mapping| mapping.name.clone());
                (session.connection.clone(), all.collect())
            }
        }
    }

    /// What can be gone on with, the place in view first, and what can be paused there.
    fn steps(&self, session: &Session) -> Vec<Step> {
        let (connection, mappings) = self.place(session);
        let here = |pause: &Pause| {
            let mine = pause.mapping.as_ref();
            pause.connection == connection && mine.is_none_or(|name| mappings.contains(name))
        };
        let mut steps: Vec<Step> = Vec::new();
        let (near, far): (Vec<&Pause>, Vec<&Pause>) = self.pauses.iter().partition(|p| here(p));
        for pause in near.into_iter().chain(far) {
            let scope = scope_of(pause);
            let same = steps.iter_mut().find_map(|step| match step {
                Step::Resume(other, pauses) if *other == scope => Some(pauses),
                _ => None,
            });
            match same {
                Some(pauses) => pauses.push(pause.clone()),
                None => steps.push(Step::Resume(scope, vec![pause.clone()])),
            }
        }
        let scopes = mappings.into_iter().map(Scope::Mapping);
        for scope in scopes.chain([Scope::Connection(connection)]) {
            let by_person =
                |pause: &Pause| pause.kind == PauseKind::Person && scope_of(pause) == scope;
            if !self.pauses.iter().any(by_person) {
                steps.push(Step::Pause(scope));
            }
        }
        steps
    }

    /// Asks what is to be paused, or to go on.
    pub(super) fn choose_pause(&self, cx: &mut Cx) {
        if cx.refused() {
            return;
        }
        let steps = self.steps(cx.session);
        let items = steps.iter().map(|step| match step {
            Step::Pause(scope) => Item {
                label: format!("pause {scope}"),
                note: match scope {
                    Scope::Mapping(_) => "none of its jobs begins, no export of it sends",
                    _ => "every mapping of this connection",
                }
                .to_owned(),
                key: String::new(),
                off: false,
            },
            Step::Resume(scope, pauses) => Item {
                label: format!("resume {scope}"),
                note: pauses.first().map_or_else(String::new, |pause| {
                    let time = |at| cx.session.time(at, cx.now);
                    format!("{} {}", until(pause, time), whose(pause, time))
                }),
                key: String::new(),
                off: false,
            },
        });
        let picker = Picker::new("Pause or resume", items.collect());
        cx.show(Overlay::Pick(picker, Choice::Pause(steps)));
    }

    /// Does what was chosen: a pause wants a reason, the end of one is asked for with what is known of it.
    pub fn take_step(&mut self, step: Step, cx: &mut Cx) {
        match step {
            Step::Pause(scope) => {
                let mut reason = Field::text("reason", "Reason", Kind::Text, None);
                reason.required = true;
                let end = Field::text("until", "Until (2h or 18:00)", Kind::Text, None);
                let title = format!("Pause {scope}");
                let form = Form::new(title, Purpose::Pause(scope), vec![reason, end]);
                cx.show(Overlay::Form(Box::new(form)));
            }
            Step::Resume(scope, pauses) => {
                let mut question = Confirm::new(format!("Resume {scope}?"));
                let mut breaker = false;
                for pause in &pauses {
                    let time = |at| cx.session.time(at, cx.now);
                    question = question
                        .line(format!("It is {}: {}", until(pause, time), pause.reason))
                        .line(whose(pause, time));
                    breaker |= pause.kind == PauseKind::Breaker;
                }
                if breaker {
                    question = question.warn(
                        "If its token is still refused, it is stopped again with the next job.",
                    );
                }
                let did = command("resume", &scope);
                cx.write(Request::Resume(scope), Some(question), did);
            }
        }
    }

    pub(super) fn pause_begun(&mut self, scope: &Scope, pauses: Vec<Pause>, cx: &mut Cx) {
        self.pauses = pauses;
        self.mark();
        let begun = self
            .pauses
            .iter()
            .rev()
            .find(|pause| pause.kind == PauseKind::Person && scope_of(pause) == *scope);
        let end = begun.and_then(|pause| pause.until);
        let end = end.map_or(String::new(), |at| {
            format!(" until {}", cx.session.day_time(at, cx.now))
        });
        let text = format!("{scope} is paused{end}; what was sent is still confirmed");
        cx.toast(Level::Ok, text);
    }

    pub(super) fn pause_ended(&mut self, scope: &Scope, result: Done<Vec<Pause>>, cx: &mut Cx) {
        match result {
            Ok(ended) if ended.is_empty() => {
                cx.toast(Level::Warning, format!("{scope} was not paused any more"));
            }
            Ok(ended) => {
                self.pauses.retain(|pause| !ended.contains(pause));
                cx.toast(Level::Ok, format!("{scope} goes on"));
            }
            Err(problem) => cx.toast(Level::Error, problem.to_string()),
        }
        self.mark();
    }

    /// Lines on what is paused; returns what is left of the area.
    pub(super) fn draw_pauses(&self, canvas: &mut Canvas, area: Rect) -> Rect {
        let theme = canvas.theme;
        let hint = format!("{} resumes", canvas.key(Action::Pause));
        let hint_width = shown_width(&hint) as u16;
        let mut rest = area;
        for pause in self.pauses.iter().take(NAMED) {
            let scope = scope_of(pause);
            let (glyph, style) = match pause.kind {
                PauseKind::Person => (theme.glyphs.waiting, theme.warn),
                PauseKind::Breaker => (theme.glyphs.cross, theme.error),
            };
            let mut text = format!(
                "{glyph} {scope} is {}: {}",
                until(pause, |at| canvas.time(at)),
                pause.reason
            );
            let room = rest.width.saturating_sub(hint_width + 2);
            // What gives way on a narrow terminal is who and since when; the question to resume says it all.
            let who = format!(" ({})", whose(pause, |at| canvas.time(at)));
            if shown_width(&text) + shown_width(&who) <= usize::from(room) {
                text.push_str(&who);
            }
            let text = cut(&text, room, theme.glyphs.cut);
            canvas.put(rest.x, rest.y, room, &text, style);
            canvas.put_right(
                rest.right().saturating_sub(hint_width),
                rest.y,
                hint_width,
                &hint,
                theme.muted,
            );
            rest = below(rest, 1);
        }
        if let Some(more) = self.pauses.len().checked_sub(NAMED + 1) {
            let more = counted(more as u64 + 1, "more pause");
            canvas.put(rest.x, rest.y, rest.width, &more, theme.warn);
            rest = below(rest, 1);
        }
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_of_a_pause_names_its_scope() {
        assert_eq!(
            command("pause", &Scope::Mapping("my pets".into())),
            "tramline queue pause --mapping 'my pets'"
        );
        assert_eq!(
            command("resume", &Scope::Connection("eu".into())),
            "tramline queue resume --connection eu"
        );
    }
}
