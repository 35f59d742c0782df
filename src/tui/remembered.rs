//! What is remembered from one session to the next: the connection in view, and the view of each connection.

use crate::model::ConnectionName;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The key under which it is kept.
pub const KEY: &str = "tui.view";

/// Read from JSON text, which other versions may have written: what cannot be read is not remembered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remembered {
    /// The connection that was in view last.
    pub connection: Option<ConnectionName>,
    views: BTreeMap<ConnectionName, Value>,
}

impl Remembered {
    /// What a text tells; a view that belongs to no connection is that of `own`.
    pub fn read(text: &str, own: &ConnectionName) -> Self {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let connection = value.get("connection").and_then(Value::as_str);
        let views = match value.get("views") {
            Some(Value::Object(views)) => views
                .iter()
                .map(|(name, view)| (ConnectionName::from(name.as_str()), view.clone()))
                .collect(),
            _ if value.get("tab").is_some() => BTreeMap::from([(own.clone(), value.clone())]),
            _ => BTreeMap::new(),
        };
        Self {
            connection: connection.map(ConnectionName::from),
            views,
        }
    }

    /// The view of a connection.
    pub fn view(&self, connection: &ConnectionName) -> Option<&Value> {
        self.views.get(connection)
    }

    /// Takes the view of a connection in, which is the one in view.
    pub fn keep(&mut self, connection: &ConnectionName, view: Value) {
        self.connection = Some(connection.clone());
        self.views.insert(connection.clone(), view);
    }

    /// The text to be kept.
    pub fn text(&self) -> String {
        let views: serde_json::Map<String, Value> = self
            .views
            .iter()
            .map(|(name, view)| (name.to_string(), view.clone()))
            .collect();
        json!({
            "connection": self.connection.as_ref().map(ConnectionName::as_str),
            "views": views,
        })
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_connection_has_its_view() {
        let (eu, us) = ("eu".into(), "us".into());
        let mut remembered = Remembered::default();
        remembered.keep(&eu, json!({"tab": "Queue"}));
        remembered.keep(&us, json!({"tab": "Exports"}));
        let again = Remembered::read(&remembered.text(), &eu);
        assert_eq!(again, remembered);
        assert_eq!(again.connection, Some(us.clone()));
        assert_eq!(again.view(&eu), Some(&json!({"tab": "Queue"})));
        assert_eq!(again.view(&us), Some(&json!({"tab": "Exports"})));
    }

    #[test]
    fn a_view_of_an_older_version_belongs_to_the_connection_in_view() {
        let own = "default".into();
        let old = Remembered::read(r#"{"tab": "Queue"}"#, &own);
        assert_eq!(old.view(&own), Some(&json!({"tab": "Queue"})));
        for nothing in ["", "[]", "{", r#"{"views": 7}"#] {
            assert_eq!(Remembered::read(nothing, &own), Remembered::default());
        }
    }
}
