//! How many of a list are printed, and what is said where that was not all.

use super::Context;

/// What a list prints where nobody says how many.
const USUAL: u64 = 100;

#[derive(Debug, clap::Args)]
pub struct Limit {
    /// At most so many [default: 100]
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// All there are
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

impl Limit {
    /// At most so many.
    pub fn number(&self) -> u64 {
        match self.all {
            true => u64::MAX,
            false => self.limit.unwrap_or(USUAL),
        }
    }

    /// Says on stderr that a list is not whole, where nobody asked for a part of it: `printed` of `total`, which is not
    /// always known. `more`: there are others, as far as the list itself tells.
    pub fn tell(
        &self,
        context: &Context,
        what: &str,
        printed: usize,
        total: Option<u64>,
        more: bool,
    ) {
        let more = total.map_or(more, |total| total > printed as u64);
        if self.all || self.limit.is_some() || !more {
            return;
        }
        let of = match total {
            Some(total) => format!("{printed} of {total} {what}"),
            None => format!("the first {printed} {what}, and there are more"),
        };
        context
            .output
            .note(&format!("{of}: --all prints all, --limit N so many"));
    }
}
