//! Text as cells of a terminal: clean, and as wide everywhere as it is measured here.
//!
//! Terminals do not agree on how wide some grapheme clusters are: one that knows the cluster draws a flag, a family or a
//! thumb with a skin tone in two columns, one that goes by characters draws four or eight, and the rest of the row
//! stands elsewhere. Such clusters are drawn in their parts, which are as wide in every terminal:
//!
//! - joined emoji (ZWJ) stand side by side, without the joiner;
//! - a flag is its country's letters;
//! - skin tones, variation selectors and the frame of keycaps are left out.

use crate::model::sanitize;
use std::borrow::Cow;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Joins, modifies or pairs with its neighbours; how wide the result is depends on the terminal.
fn is_moody(c: char) -> bool {
    matches!(c, '\u{200d}' | '\u{20e3}' | '\u{fe0e}' | '\u{fe0f}' | '\u{1f1e6}'..='\u{1f1ff}' | '\u{1f3fb}'..='\u{1f3ff}')
}

/// A regional indicator as its letter.
fn letter(c: char) -> Option<char> {
    let at = u32::from(c).checked_sub(0x1f1e6).filter(|at| *at < 26)?;
    char::from_u32(u32::from('A') + at)
}

fn by_chars(cluster: &str) -> usize {
    cluster.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// Columns of a cluster that stands by itself.
pub fn cluster_width(cluster: &str) -> usize {
    cluster.width()
}

fn push_steady(out: &mut String, cluster: &str) {
    let start = out.len();
    for (at, c) in cluster.chars().enumerate() {
        match letter(c) {
            Some(letter) => out.push(letter),
            // A skin tone without anything to colour is a square of its own.
            None if is_moody(c) && (at > 0 || c.width() == Some(0)) => {}
            None => out.push(c),
        }
    }
    let made = &out[start..];
    let agreed = made
        .graphemes(true)
        .all(|part| part.width() == by_chars(part));
    if !agreed && let Some(first) = made.chars().next() {
        out.truncate(start);
        out.push(first);
    }
}

fn steady(text: Cow<'_, str>) -> Cow<'_, str> {
    // Nothing below these joins with anything.
    if text.chars().all(|c| c < '\u{300}') {
        return text;
    }
    let agreed =
        |cluster: &str| !cluster.contains(is_moody) && cluster.width() == by_chars(cluster);
    if text.graphemes(true).all(agreed) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    for cluster in text.graphemes(true) {
        match agreed(cluster) {
            true => out.push_str(cluster),
            false => push_steady(&mut out, cluster),
        }
    }
    Cow::Owned(out)
}

/// One line of any text, as it may be drawn.
pub fn line(text: &str) -> Cow<'_, str> {
    steady(sanitize::line(text))
}

/// Text of several lines, as it may be drawn.
pub fn block(text: &str) -> Cow<'_, str> {
    steady(sanitize::block(text))
}

/// Columns that a text from [`line`] takes: those of its clusters, one after another.
pub fn width(text: &str) -> usize {
    match text.is_ascii() {
        true => text.len(),
        false => text.graphemes(true).map(cluster_width).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn clusters_that_terminals_disagree_on_are_drawn_in_parts() {
        assert_eq!(line("🐕\u{200d}🦺 Rex"), "🐕🦺 Rex");
        assert_eq!(line("👨\u{200d}👩\u{200d}👧"), "👨👩👧");
        assert_eq!(line("🇩🇪🇫🇷"), "DEFR");
        assert_eq!(line("👍🏽"), "👍");
        assert_eq!(line("❤\u{fe0f} 1\u{fe0f}\u{20e3}"), "❤ 1");
        assert_eq!(line("🏳\u{fe0f}\u{200d}🌈"), "🏳🌈");
    }

    #[test]
    fn what_terminals_agree_on_stays_as_it_is() {
        for text in [
            "Böser Wolf",
            "小雪",
            "e\u{301}",
            "שלום",
            "नमस्ते",
            "한국",
            "한",
            "🐕",
            "กำ",
        ] {
            assert!(
                matches!(line(text), Cow::Borrowed(same) if same == text),
                "{text}"
            );
        }
        assert_eq!(width("小雪"), 4);
        assert_eq!(width("e\u{301}"), 1);
        // As a word this is one column to some; as two characters it is two to all.
        assert_eq!(width("لا"), 2);
    }

    proptest! {
        #[test]
        fn every_text_is_as_wide_by_clusters_as_by_characters(text in "[a-z\\u{300}-\\u{303}\\u{200d}\\u{fe0f}\\u{20e3}🇦-🇿🏻-🏿🐕👍❤日क्षि]{0,12}") {
            let clean = line(&text);
            let joins = |c: char| is_moody(c) && !matches!(c, '\u{1f3fb}'..='\u{1f3ff}');
            prop_assert!(!clean.contains(joins), "{:?}", clean);
            prop_assert_eq!(width(&clean), by_chars(&clean), "{:?}", clean);
        }

        #[test]
        fn any_text_at_all(text in any::<String>()) {
            let clean = line(&text);
            prop_assert_eq!(width(&clean), by_chars(&clean), "{:?}", clean);
        }
    }
}
