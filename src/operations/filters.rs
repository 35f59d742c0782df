//! Filters that a person gave a name. They are kept in the store, beside the last view: they are this machine's and no part
//! of config.toml.

use super::{Done, Operations};
use crate::model::{ErrorClass, Problem, sanitize};
use serde::{Deserialize, Serialize};

/// The list that a filter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FilterOf {
    Queue,
    Activity,
}

/// A filter with its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedFilter {
    pub of: FilterOf,
    pub name: String,
    /// The part of the list that it narrows: a state of jobs, a kind of activity. `None` is for all.
    #[serde(default)]
    pub part: Option<String>,
    pub filter: String,
}

/// The key under which they are kept.
const KEY: &str = "tui.filters";
/// Characters of a name at most.
const LONGEST: usize = 40;
/// Filters of one list at most: more are no help to anybody.
const MOST: usize = 100;

impl Operations {
    /// The saved filters of a list, by name.
    ///
    /// # Errors
    /// The store cannot be read, or what it keeps under that key is no list of filters.
    pub async fn saved_filters(&self, of: FilterOf) -> Done<Vec<SavedFilter>> {
        let mut filters = read(self.remembered(KEY).await?.as_deref())?;
        filters.retain(|filter| filter.of == of);
        Ok(filters)
    }

    /// Keeps a filter; one of the same list and name is replaced. Answers it as it was kept: its name is one line of plain
    /// text.
    ///
    /// # Errors
    /// The name is empty or too long, or there are too many already.
    pub async fn save_filter(&self, filter: SavedFilter) -> Done<SavedFilter> {
        let kept = named(filter)?;
        let change = |filters: &mut Vec<SavedFilter>| put(filters, kept.clone());
        self.change_filters(change).await?;
        Ok(kept)
    }

    /// Deletes a saved filter. False if it was gone already.
    pub async fn delete_filter(&self, of: FilterOf, name: &str) -> Done<bool> {
        let mut gone = false;
        let change = |filters: &mut Vec<SavedFilter>| {
            let before = filters.len();
            filters.retain(|filter| filter.of != of || filter.name != name);
            gone = filters.len() < before;
            Ok(())
        };
        self.change_filters(change).await?;
        Ok(gone)
    }

    /// Changes the list in one transaction, so that two control rooms do not lose each other's filters.
    async fn change_filters(
        &self,
        change: impl FnOnce(&mut Vec<SavedFilter>) -> Done<()> + Send,
    ) -> Done<()> {
        let amend = |text: Option<&str>| -> Done<String> {
            let mut filters = read(text)?;
            change(&mut filters)?;
            Ok(crate::store::to_json(&filters)?)
        };
        let store = &self.inner.store;
        store.amend(&self.anywhere(), KEY, amend).await?
    }
}

fn read(text: Option<&str>) -> Done<Vec<SavedFilter>> {
    let Some(text) = text else {
        return Ok(Vec::new());
    };
    serde_json::from_str(text).map_err(|error| {
        Problem::new(
            ErrorClass::Invalid,
            format!("the saved filters in the store cannot be read: {error}"),
        )
    })
}

fn wrong(message: String) -> Problem {
    Problem::new(ErrorClass::Invalid, message).field("name")
}

/// The filter with its name as one line of plain text.
fn named(filter: SavedFilter) -> Done<SavedFilter> {
    let name = sanitize::line(filter.name.trim()).into_owned();
    if name.is_empty() {
        return Err(wrong("a filter needs a name".to_owned()));
    }
    if name.chars().count() > LONGEST {
        return Err(wrong(format!("a name has at most {LONGEST} characters")));
    }
    Ok(SavedFilter { name, ..filter })
}

/// Puts a filter among the others, in place of one with its name.
fn put(filters: &mut Vec<SavedFilter>, new: SavedFilter) -> Done<()> {
    filters.retain(|other| (other.of, &other.name) != (new.of, &new.name));
    if filters.iter().filter(|other| other.of == new.of).count() >= MOST {
        let text = format!("there are {MOST} saved filters already; delete one first");
        return Err(wrong(text));
    }
    filters.push(new);
    filters.sort_by_cached_key(|filter| (filter.name.to_lowercase(), filter.name.clone()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(of: FilterOf, name: &str, filter: &str) -> SavedFilter {
        SavedFilter {
            of,
            name: name.into(),
            part: None,
            filter: filter.into(),
        }
    }

    #[test]
    fn a_name_is_one_line_of_plain_text() {
        let of = |name: &str| named(filter(FilterOf::Queue, name, "age>1h"));
        assert_eq!(of("  old ones ").unwrap().name, "old ones");
        let hostile = of("a\u{1b}[2J\nb").unwrap().name;
        assert!(!hostile.chars().any(char::is_control), "{hostile:?}");
        for refused in ["", "  ", &"x".repeat(41)] {
            assert_eq!(of(refused).unwrap_err().field.as_deref(), Some("name"));
        }
    }

    #[test]
    fn a_name_stands_once_for_each_list_and_names_are_sorted() {
        let mut filters = Vec::new();
        for new in [
            filter(FilterOf::Queue, "b", "age>1h"),
            filter(FilterOf::Queue, "A", "age>2h"),
            filter(FilterOf::Activity, "b", "level:warn"),
            filter(FilterOf::Queue, "b", "age>3h"),
        ] {
            put(&mut filters, new).unwrap();
        }
        let kept: Vec<&str> = filters.iter().map(|f| f.filter.as_str()).collect();
        assert_eq!(kept, ["age>2h", "level:warn", "age>3h"]);
        let text = serde_json::to_string(&filters).unwrap();
        assert_eq!(read(Some(&text)).unwrap(), filters);
        assert!(read(Some("{")).is_err(), "what cannot be read is not lost");
    }

    #[test]
    fn there_is_an_end_to_saving() {
        let mut filters = Vec::new();
        for number in 0..MOST {
            let new = filter(FilterOf::Queue, &number.to_string(), "x");
            put(&mut filters, new).unwrap();
        }
        assert!(put(&mut filters, filter(FilterOf::Queue, "one more", "x")).is_err());
        put(&mut filters, filter(FilterOf::Queue, "7", "replaced")).unwrap();
        put(&mut filters, filter(FilterOf::Activity, "other", "x")).unwrap();
    }
}
