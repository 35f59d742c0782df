//! How an object's records stand in the list: which columns, in which order and how wide, and what they are sorted by.

use super::table::ordered;
use crate::model::ObjectSchema;
use crate::operations::records::csv::Column;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The narrowest and the widest that a column is made.
const NARROWEST: u16 = 4;
const WIDEST: u16 = 160;
/// Columns of the terminal that one key makes a column wider.
const STEP: u16 = 2;

/// What the list is sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    pub column: Column,
    pub descending: bool,
}

impl Sort {
    /// One key after another: ascending, descending, as it comes.
    pub fn next(sort: Option<&Self>, column: Column) -> Option<Self> {
        match sort {
            Some(sort) if sort.column == column && sort.descending => None,
            Some(sort) if sort.column == column => Some(Self {
                column,
                descending: true,
            }),
            _ => Some(Self {
                column,
                descending: false,
            }),
        }
    }
}

/// The layout of one object's list; by default all columns of the schema.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    /// `None` until a person chose.
    chosen: Option<Vec<Column>>,
    widths: BTreeMap<Column, u16>,
    pub sort: Option<Sort>,
}

impl Layout {
    /// True once a person chose columns.
    pub fn is_chosen(&self) -> bool {
        self.chosen.is_some()
    }

    /// The columns shown, in order. What the schema does not have any more is left out.
    pub fn columns(&self, schema: Option<&ObjectSchema>) -> Vec<Column> {
        let Some(schema) = schema else {
            return vec![Column::Id, Column::Updated];
        };
        let known = self.chosen.iter().flatten().filter(|column| match column {
            Column::Property(key) => schema.property(key).is_some(),
            _ => true,
        });
        let columns: Vec<Column> = known.cloned().collect();
        if !columns.is_empty() {
            return columns;
        }
        let properties = ordered(schema).into_iter();
        let mut columns: Vec<Column> = properties
            .map(|property| Column::Property(property.key.clone()))
            .collect();
        columns.push(Column::Updated);
        columns
    }

    /// The columns that could be shown besides.
    pub fn others(&self, schema: &ObjectSchema) -> Vec<Column> {
        let shown = self.columns(Some(schema));
        let properties = ordered(schema).into_iter();
        properties
            .map(|property| Column::Property(property.key.clone()))
            .chain([Column::Updated, Column::Created, Column::Id])
            .filter(|column| !shown.contains(column))
            .collect()
    }

    /// What the list is sorted by, unless the schema does not have it any more.
    pub fn sorted_by(&self, schema: Option<&ObjectSchema>) -> Option<&Sort> {
        self.sort.as_ref().filter(|sort| match &sort.column {
            Column::Property(key) => schema.is_none_or(|schema| schema.property(key).is_some()),
            _ => true,
        })
    }

    /// Takes columns that a person chose; all and in the schema's own order is no choice.
    pub fn choose(&mut self, columns: Vec<Column>, schema: &ObjectSchema) {
        let usual = Self::default().columns(Some(schema));
        self.chosen = (columns != usual).then_some(columns);
    }

    /// How wide a person made a column.
    pub fn width(&self, column: &Column) -> Option<u16> {
        self.widths.get(column).copied()
    }

    /// Makes a column a step wider or narrower than it is on the screen.
    pub fn resize(&mut self, column: Column, drawn: u16, wider: bool) {
        let width = match wider {
            true => drawn.saturating_add(STEP),
            false => drawn.saturating_sub(STEP),
        };
        self.widths.insert(column, width.clamp(NARROWEST, WIDEST));
    }

    /// For the next start; `None` where nobody changed anything.
    pub fn remembered(&self) -> Option<Value> {
        if *self == Self::default() {
            return None;
        }
        let names = |columns: &Vec<Column>| columns.iter().map(name).collect::<Vec<_>>();
        let widths: Map<String, Value> = self
            .widths
            .iter()
            .map(|(column, width)| (name(column), json!(width)))
            .collect();
        let sort = self.sort.as_ref();
        Some(json!({
            "columns": self.chosen.as_ref().map(names),
            "widths": widths,
            "sort": sort.map(|sort| name(&sort.column)),
            "descending": sort.is_some_and(|sort| sort.descending),
        }))
    }

    /// As it was remembered; what cannot be read is as by default.
    pub fn restored(value: &Value) -> Self {
        let columns = value["columns"].as_array().map(|names| {
            let names = names.iter().filter_map(Value::as_str);
            let mut columns: Vec<Column> = Vec::new();
            for column in names.map(named) {
                if !columns.contains(&column) {
                    columns.push(column);
                }
            }
            columns
        });
        let widths = value["widths"].as_object().into_iter().flatten();
        Self {
            chosen: columns,
            widths: widths
                .filter_map(|(column, width)| {
                    let width = u16::try_from(width.as_u64()?).ok()?;
                    Some((named(column), width.clamp(NARROWEST, WIDEST)))
                })
                .collect(),
            sort: value["sort"].as_str().map(|column| Sort {
                column: named(column),
                descending: value["descending"] == true,
            }),
        }
    }
}

/// A column's name in the remembered view; no property's key begins with an at sign.
fn name(column: &Column) -> String {
    match column {
        Column::Property(key) => key.clone(),
        other => format!("@{}", other.heading()),
    }
}

fn named(name: &str) -> Column {
    [Column::Id, Column::Created, Column::Updated]
        .into_iter()
        .find(|column| name.strip_prefix('@') == Some(column.heading()))
        .unwrap_or_else(|| Column::Property(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema(keys: &[&str]) -> ObjectSchema {
        let properties: Vec<Value> = keys
            .iter()
            .map(|key| {
                json!({
                    "id": key, "key": key, "name": key, "data_type": "TEXT", "options": [],
                    "allow_custom_option": false, "required": null, "unique": null,
                })
            })
            .collect();
        serde_json::from_value(json!({
            "id": "o", "key": "custom_objects.pets", "singular": "Pet", "plural": "Pets",
            "description": null, "standard": false, "primary_property": "name", "searchable": [],
            "updated_at": null, "properties": properties,
        }))
        .unwrap()
    }

    fn property(key: &str) -> Column {
        Column::Property(key.to_owned())
    }

    #[test]
    fn a_layout_comes_back_as_it_was() {
        let mut layout = Layout::default();
        assert_eq!(layout.remembered(), None);
        layout.choose(
            vec![property("weight"), Column::Created, property("name")],
            &schema(&["name", "weight"]),
        );
        layout.resize(property("name"), 20, true);
        layout.sort = Sort::next(None, property("weight"));
        layout.sort = Sort::next(layout.sort.as_ref(), property("weight"));
        let text = layout.remembered().unwrap().to_string();
        let back = Layout::restored(&serde_json::from_str(&text).unwrap());
        assert_eq!(back, layout);
        assert_eq!(back.width(&property("name")), Some(22));
        assert!(back.sort.unwrap().descending);
        assert_eq!(Layout::restored(&json!("what?")), Layout::default());
    }

    #[test]
    fn columns_that_are_gone_are_dropped_and_new_ones_are_offered() {
        let mut layout = Layout::default();
        layout.choose(
            vec![property("weight"), property("name")],
            &schema(&["name", "weight", "born"]),
        );
        layout.sort = Sort::next(None, property("weight"));
        let now = schema(&["name", "born", "chip"]);
        assert_eq!(layout.columns(Some(&now)), [property("name")]);
        assert_eq!(layout.sorted_by(Some(&now)), None);
        let others = layout.others(&now);
        assert_eq!(others[..2], [property("born"), property("chip")]);
        // Where nothing is left, all are shown.
        let other = schema(&["colour"]);
        layout.choose(vec![property("weight")], &now);
        let columns = layout.columns(Some(&other));
        assert_eq!(columns, [property("colour"), Column::Updated]);
    }

    #[test]
    fn all_columns_in_the_usual_order_are_no_choice() {
        let schema = schema(&["name", "weight"]);
        let mut layout = Layout::default();
        let usual = layout.columns(Some(&schema));
        layout.choose(vec![property("weight")], &schema);
        assert!(layout.is_chosen());
        layout.choose(usual, &schema);
        assert!(!layout.is_chosen());
    }

    #[test]
    fn widths_stay_within_reason() {
        let mut layout = Layout::default();
        layout.resize(Column::Id, 4, false);
        assert_eq!(layout.width(&Column::Id), Some(4));
        layout.resize(Column::Id, 160, true);
        assert_eq!(layout.width(&Column::Id), Some(160));
    }
}
