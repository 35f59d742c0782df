//! What somebody may have meant by a name that does not exist.

/// So alike are two words, from 0 to 1, that one is a likely misspelling of the other.
const ALIKE: f64 = 0.8;

/// The name most like `word`, whatever its case; `None` where nothing is like it.
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&word, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness > ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood_and_another_word_is_not() {
        let names = ["state", "reason", "mapping"];
        assert_eq!(nearest("stat", names), Some("state"));
        assert_eq!(nearest("MAPING", names), Some("mapping"));
        assert_eq!(nearest("colour", names), None);
    }
}
