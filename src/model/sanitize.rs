//! The one way in which foreign text reaches a screen, a table or a log line.
//!
//! Control characters (C0, C1, DEL), bidirectional overrides and invisible format characters are made
//! visible, so that no record can move the cursor, set the title or write the clipboard.

use std::borrow::Cow;

/// True for a character that must not reach a terminal as it is.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{061c}' | '\u{180e}'
            | '\u{200b}'..='\u{200c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

fn push_visible(out: &mut String, c: char) {
    match c {
        '\n' => out.push('⏎'),
        '\t' => out.push(' '),
        '\u{7f}' => out.push('␡'),
        '\u{00}'..='\u{1f}' => {
            // Control pictures stand at U+2400 in the order of the control characters.
            if let Some(picture) = char::from_u32(0x2400 + u32::from(c)) {
                out.push(picture);
            }
        }
        _ => {
            out.push('‹');
            out.push_str(&format!("{:X}", u32::from(c)));
            out.push('›');
        }
    }
}

/// One line of text in which nothing can act on a terminal: newlines become `⏎`, tabs a space, other
/// control characters their picture, invisible ones their code in `‹›`. Clean text is borrowed.
pub fn line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hostile(c) {
            push_visible(&mut out, c)
        } else {
            out.push(c)
        }
    }
    Cow::Owned(out)
}

/// As [`line`], but newlines stay and tabs become four spaces: for text shown whole.
pub fn block(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c != '\n' && is_hostile(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => out.push('\n'),
            '\t' => out.push_str("    "),
            _ if is_hostile(c) => push_visible(&mut out, c),
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// JSON text in which nothing can act on a terminal. Within strings JSON has escaped C0 already; the other hostile
/// characters are escaped in the same way, so the text means what it meant.
pub fn json(text: &str) -> Cow<'_, str> {
    let hostile = |c: char| c >= '\u{7f}' && is_hostile(c);
    if !text.chars().any(hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if hostile(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escape_sequences_become_visible() {
        assert_eq!(line("a\u{1b}[2Jb\nc"), "a␛[2Jb⏎c");
        assert_eq!(line("\u{9b}31m"), "‹9B›31m");
        assert_eq!(line("abc\u{202e}def"), "abc‹202E›def");
        assert!(matches!(line("日本 é 🐕 שלום"), Cow::Borrowed(_)));
        assert_eq!(block("a\n\tb\r"), "a\n    b␍");
    }

    #[test]
    fn json_keeps_its_meaning() {
        assert_eq!(
            json("\"\u{9b}x\u{202e}\u{e0041}\""),
            r#""\u009bx\u202e\udb40\udc41""#
        );
        assert!(matches!(json("{\n  \"a\": \"é\"\n}"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn json_is_the_same_value_without_anything_hostile(text in any::<String>()) {
            let plain = serde_json::to_string(&text).unwrap();
            let clean = json(&plain);
            prop_assert!(!clean.chars().any(is_hostile));
            prop_assert_eq!(serde_json::from_str::<String>(&clean).unwrap(), text);
        }

        #[test]
        fn nothing_hostile_comes_out(text in any::<String>()) {
            prop_assert!(!line(&text).chars().any(is_hostile));
            prop_assert!(!block(&text).chars().any(|c| c != '\n' && is_hostile(c)));
        }
    }
}
