//! The control room as a person meets it: the real binary in a pseudo-terminal, keys in, bytes out.

#![allow(
    clippy::unwrap_used,
    reason = "a test that fails here has found something"
)]

mod support;

#[path = "terminal/bytes.rs"]
mod bytes;
#[path = "terminal/canary.rs"]
mod canary;
#[path = "terminal/connections.rs"]
mod connections;
#[path = "terminal/copying.rs"]
mod copying;
#[path = "terminal/hands.rs"]
mod hands;
#[path = "terminal/hostile.rs"]
mod hostile;
#[path = "terminal/journey.rs"]
mod journey;
#[path = "terminal/leaving.rs"]
mod leaving;
#[path = "terminal/mappings.rs"]
mod mappings;
#[path = "terminal/mouse.rs"]
mod mouse;
#[path = "terminal/pty.rs"]
mod pty;
#[path = "terminal/reload.rs"]
mod reload;
#[path = "terminal/sizes.rs"]
mod sizes;
#[path = "terminal/spoiler.rs"]
mod spoiler;
#[path = "terminal/together.rs"]
mod together;

use portable_pty::CommandBuilder;
use pty::{Terminal, tramline};
use support::House;

/// The control room on a house's configuration, not started yet.
fn room(house: &House) -> CommandBuilder {
    let mut command = tramline(house.folder.path());
    command.arg("--config");
    command.arg(house.path("config.toml"));
    command.arg("tui");
    command
}

/// The control room at 120×40 with its first data on the screen.
fn open(house: &House) -> Terminal {
    let mut terminal = Terminal::start(room(house), 120, 40);
    terminal.until("custom_objects.pets");
    terminal.until("GHL ");
    terminal
}
