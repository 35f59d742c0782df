//! Which of the rows read are shown, and in which order: the local filter, and the sort that HighLevel does not do.

use super::layout::Sort;
use super::{Records, value};
use crate::model::decimal::Decimal;
use crate::model::{DataType, Record, RecordId};
use crate::operations::records::RecordOrder;
use crate::operations::records::csv::Column;
use std::cmp::Ordering;

/// What a record is sorted by: numbers by size and before texts, texts without regard to case.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Time(jiff::Timestamp),
    Number(Decimal),
    Text(String),
}

impl Records {
    /// What the person wants it sorted by.
    pub(super) fn sort(&self) -> Option<&Sort> {
        let layout = self
            .object
            .as_ref()
            .and_then(|object| self.layouts.get(object))?;
        layout.sorted_by(self.schema.value())
    }

    /// The order that HighLevel is asked for: by the time of the last change, the only field that is known to sort.
    pub(super) fn order(&self) -> RecordOrder {
        match self.sort() {
            Some(sort) if sort.column == Column::Updated && !sort.descending => RecordOrder::Oldest,
            _ => RecordOrder::Newest,
        }
    }

    /// The sort that is made of what was read, because HighLevel does not.
    pub(super) fn local_sort(&self) -> Option<&Sort> {
        self.sort()
            .filter(|sort| sort.column != Column::Updated || self.unsorted)
    }

    /// Filters and sorts what is read. The cursor and the end of a range stay with their records.
    pub(super) fn arrange(&mut self) {
        let cursor = self.record_at(self.table.cursor).map(|r| r.id.clone());
        let anchor = self.range.and_then(|row| self.record_at(row));
        let anchor = anchor.map(|record| record.id.clone());
        let was = self.shown.is_some();
        self.shown = self.arranged();
        if !was && self.shown.is_none() {
            return;
        }
        if let Some(row) = cursor.and_then(|id| self.row_of(&id)) {
            self.table.cursor = row;
        }
        if self.range.is_some() {
            self.range = anchor.and_then(|id| self.row_of(&id));
        }
        let rows = self.rows();
        self.table.clamp(rows);
    }

    /// The rows to show, in order; `None` for all that are read as they came.
    pub(super) fn arranged(&self) -> Option<Vec<usize>> {
        let sort = self.local_sort();
        if self.local.is_empty() && sort.is_none() {
            return None;
        }
        let wanted = |record: &Record| self.local.is_empty() || self.text_of(record, &self.local);
        let rows = self.list.held().filter(|(_, record)| wanted(record));
        let Some(sort) = sort else {
            return Some(rows.map(|(row, _)| row).collect());
        };
        let mut ranked: Vec<(Option<Rank>, usize)> = rows
            .map(|(row, record)| (self.rank(record, &sort.column), row))
            .collect();
        // What has no value stands last either way.
        ranked.sort_by(|(one, _), (other, _)| match (one, other) {
            (Some(one), Some(other)) if sort.descending => other.cmp(one),
            (Some(one), Some(other)) => one.cmp(other),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        });
        Some(ranked.into_iter().map(|(_, row)| row).collect())
    }

    fn rank(&self, record: &Record, column: &Column) -> Option<Rank> {
        let key = match column {
            Column::Id => return Some(Rank::Text(record.id.to_string())),
            Column::Created => return record.created_at.map(Rank::Time),
            Column::Updated => return record.updated_at.map(Rank::Time),
            Column::Property(key) => key,
        };
        let property = self.schema.value()?.property(key)?;
        let text = value::of(property, &record.properties);
        if text.trim().is_empty() {
            return None;
        }
        let number = match property.data_type {
            DataType::Numerical => Decimal::parse(&text).ok(),
            DataType::Monetory => {
                // The amount without its currency.
                let amount = text.split(' ').next().unwrap_or_default();
                Decimal::parse(amount).ok()
            }
            _ => None,
        };
        Some(match number {
            Some(number) => Rank::Number(number),
            None => Rank::Text(text.to_lowercase()),
        })
    }

    pub(super) fn row_of(&self, id: &RecordId) -> Option<usize> {
        let held = |row: &usize| self.list.get(*row).is_some_and(|record| record.id == *id);
        match &self.shown {
            Some(shown) => shown.iter().position(held),
            None => {
                let mut rows = self.list.held();
                rows.find_map(|(row, record)| (record.id == *id).then_some(row))
            }
        }
    }
}
