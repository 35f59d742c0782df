//! A configuration that was read again: keys, theme and names follow it at once.

use super::App;
use crate::model::{Level, Problem};
use crate::tui::effect::Effect;
use crate::tui::keymap::{Action, Keymap};
use crate::tui::request::Configured;
use crate::tui::theme::Theme;
use crate::tui::widgets::toast::About;

impl App {
    /// config.toml was read again, or cannot be used.
    pub(super) fn reloaded(&mut self, result: Result<Box<Configured>, Problem>) {
        let configured = match result {
            Ok(configured) => *configured,
            Err(problem) => {
                let text = problem.to_string();
                self.toasts.retract(About::Configuration);
                self.toasts
                    .push_about(About::Configuration, Level::Error, text, self.now);
                return;
            }
        };
        // The file is good again.
        self.toasts.retract(About::Configuration);
        for problem in &configured.problems {
            let text = format!("{problem}; the old token stays");
            self.toasts.push(Level::Error, text, self.now);
        }
        if !configured.connected {
            let text = format!(
                "config.toml has no connection `{}` any more: bring it back, or choose another one with {}",
                self.session.connection,
                self.keymap.key_of(Action::Connections)
            );
            self.toasts
                .push_about(About::Configuration, Level::Error, text, self.now);
        }
        if !configured.reloaded.is_nothing() {
            let level = match configured.reloaded.restart.is_empty() {
                true => Level::Ok,
                false => Level::Warning,
            };
            self.toasts
                .push(level, configured.reloaded.to_string(), self.now);
        }
        self.session.account = configured.account;
        self.session.connections = configured.connections;
        self.narrow();
        self.session.environment = configured.environment;
        self.session.production = configured.production;
        self.session.mappings = configured.mappings;
        let options = configured.options;
        match Keymap::new(&options.keys) {
            Ok(keymap) => self.keymap = keymap,
            Err(error) => {
                let (action, remedy) = (error.action(), error.remedy());
                let text =
                    format!("tui.keys.{action}: {error} ({remedy}); the keys stay as they were");
                self.toasts
                    .push_about(About::Configuration, Level::Error, text, self.now);
            }
        }
        self.theme = Theme::new(options.theme, options.ascii);
        if self.session.low_bandwidth != options.low_bandwidth {
            self.session.low_bandwidth = options.low_bandwidth;
            self.status_refresh.pace(options.low_bandwidth);
            self.queue.pace(options.low_bandwidth);
            self.exports.pace(options.low_bandwidth);
            self.activity.pace(options.low_bandwidth);
        }
        self.effects.push(Effect::Tune {
            fps: options.fps,
            low_bandwidth: options.low_bandwidth,
            mouse: options.mouse,
        });
        if !configured.reloaded.changed.is_empty() {
            self.mappings.forget(&self.session);
            self.read_status();
            self.with_screen(|screen, cx| screen.open(cx));
        }
    }
}
