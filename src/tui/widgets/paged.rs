//! A list of any length of which only some pages are held: the pages around the cursor. Pages that were
//! let go are read again when they are wanted; the way to each is remembered.

use std::collections::VecDeque;
use std::ops::Range;

#[derive(Clone, Debug)]
struct Mark<C> {
    start: usize,
    cursor: Option<C>,
}

/// A windowed list with keyset pages. `C` is the cursor that leads to a page.
#[derive(Clone, Debug)]
pub struct Paged<T, C> {
    marks: Vec<Mark<C>>,
    pages: VecDeque<Vec<T>>,
    first: usize,
    end: Option<usize>,
    total: Option<u64>,
    keep: usize,
}

impl<T, C: Clone + PartialEq> Paged<T, C> {
    /// An empty list that holds at most `keep` pages.
    pub fn new(keep: usize) -> Self {
        Self {
            marks: vec![Mark {
                start: 0,
                cursor: None,
            }],
            pages: VecDeque::new(),
            first: 0,
            end: None,
            total: None,
            keep: keep.max(2),
        }
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        *self = Self::new(self.keep);
    }

    /// Rows known so far: all that were read, held or not.
    pub fn len(&self) -> usize {
        self.end
            .unwrap_or_else(|| self.marks.last().map_or(0, |mark| mark.start))
    }

    /// True if no row is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows there are, as the answer said or as was counted at the end.
    pub fn total(&self) -> Option<u64> {
        self.end.map(|end| end as u64).or(self.total)
    }

    /// True once the last page was seen.
    pub fn is_whole(&self) -> bool {
        self.end.is_some()
    }

    /// True while one more page can be held beside those that are.
    pub fn has_room(&self) -> bool {
        self.pages.len() < self.keep
    }

    fn page_of(&self, row: usize) -> usize {
        self.marks
            .partition_point(|mark| mark.start <= row)
            .saturating_sub(1)
    }

    /// A row, if its page is held.
    pub fn get(&self, row: usize) -> Option<&T> {
        let page = self.page_of(row);
        let held = self.pages.get(page.checked_sub(self.first)?)?;
        held.get(row - self.marks[page].start)
    }

    /// The rows that are held, with their numbers.
    pub fn held(&self) -> impl Iterator<Item = (usize, &T)> {
        let first = self.marks.get(self.first).map_or(0, |mark| mark.start);
        self.pages
            .iter()
            .flatten()
            .enumerate()
            .map(move |(at, row)| (first + at, row))
    }

    /// The rows that are held, to be changed in place.
    pub fn held_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.pages.iter_mut().flatten()
    }

    /// The page to read next so that `rows` can be shown: its number and the cursor that leads to it.
    pub fn wanted(&self, rows: Range<usize>) -> Option<(usize, Option<C>)> {
        let held = self.first..self.first + self.pages.len();
        let known = self.len();
        let from = self.page_of(rows.start.min(known.saturating_sub(1)));
        let to = if rows.end > known && self.end.is_none() {
            self.marks.len() - 1
        } else {
            self.page_of(rows.end.clamp(1, known.max(1)) - 1)
        };
        (from..=to)
            .find(|page| !held.contains(page))
            .and_then(|page| Some((page, self.marks.get(page)?.cursor.clone())))
    }

    /// The page that holds a row, to be read again: its number and cursor.
    pub fn again(&self, row: usize) -> (usize, Option<C>) {
        let page = self.page_of(row.min(self.len().saturating_sub(1)));
        (page, self.marks[page].cursor.clone())
    }

    /// A page came: `next` leads to the one behind it, `None` if it is the last.
    pub fn insert(&mut self, page: usize, rows: Vec<T>, next: Option<C>, total: Option<u64>) {
        let Some(start) = self.marks.get(page).map(|mark| mark.start) else {
            return;
        };
        let end = start + rows.len();
        let same = match &next {
            Some(cursor) => self
                .marks
                .get(page + 1)
                .is_some_and(|mark| mark.start == end && mark.cursor.as_ref() == Some(cursor)),
            None => self.end == Some(end),
        };
        if !same {
            // What stood behind this page stands elsewhere now.
            self.marks.truncate(page + 1);
            self.pages.truncate((page + 1).saturating_sub(self.first));
            self.end = next.is_none().then_some(end);
            if next.is_some() {
                self.marks.push(Mark {
                    start: end,
                    cursor: next,
                });
            }
        }
        if total.is_some() {
            self.total = total;
        }
        self.hold(page, rows);
    }

    fn hold(&mut self, page: usize, rows: Vec<T>) {
        let past = self.first + self.pages.len();
        if self.pages.is_empty() || page + 1 < self.first || page > past {
            self.pages.clear();
            self.first = page;
            self.pages.push_back(rows);
        } else if page + 1 == self.first {
            self.first = page;
            self.pages.push_front(rows);
            self.pages.truncate(self.keep);
        } else if page == past {
            self.pages.push_back(rows);
            if self.pages.len() > self.keep {
                self.pages.pop_front();
                self.first += 1;
            }
        } else {
            self.pages[page - self.first] = rows;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers below `of`, in pages of ten, the cursor being the first number.
    fn read(list: &mut Paged<usize, usize>, of: usize, rows: Range<usize>) -> usize {
        let mut reads = 0;
        while let Some((page, cursor)) = list.wanted(rows.clone()) {
            let from = cursor.unwrap_or(0);
            let to = (from + 10).min(of);
            list.insert(
                page,
                (from..to).collect(),
                (to < of).then_some(to),
                Some(of as u64),
            );
            reads += 1;
            assert!(reads < 1000, "no end");
        }
        reads
    }

    #[test]
    fn pages_are_read_as_they_are_wanted() {
        let mut list = Paged::new(3);
        assert_eq!(read(&mut list, 95, 0..5), 1);
        assert_eq!(list.get(9), Some(&9));
        assert_eq!(list.total(), Some(95));
        assert_eq!(read(&mut list, 95, 5..25), 2);
        assert_eq!(list.get(24), Some(&24));
        assert!(!list.is_whole());
    }

    #[test]
    fn far_pages_are_let_go_and_come_back() {
        let mut list = Paged::new(3);
        for row in 0..95 {
            read(&mut list, 95, row..row + 5);
            assert_eq!(list.get(row), Some(&row));
        }
        assert!(list.is_whole());
        assert_eq!(list.len(), 95);
        assert_eq!(list.get(0), None);
        assert!(list.held().count() <= 30);
        for row in (0..95).rev() {
            read(&mut list, 95, row..row + 1);
            assert_eq!(list.get(row), Some(&row), "row {row}");
        }
        read(&mut list, 95, 90..95);
        assert_eq!(list.get(94), Some(&94));
    }

    #[test]
    fn a_changed_page_drops_what_stood_behind_it() {
        let mut list = Paged::new(9);
        read(&mut list, 40, 0..40);
        assert_eq!(list.len(), 40);
        list.insert(1, vec![100, 101], Some(77), None);
        assert_eq!(list.len(), 12);
        assert_eq!(list.get(11), Some(&101));
        assert_eq!(list.get(12), None);
        assert_eq!(list.wanted(0..20), Some((2, Some(77))));
        list.insert(0, vec![], None, Some(0));
        assert!(list.is_empty() && list.is_whole());
        assert_eq!(list.wanted(0..20), None);
    }
}
