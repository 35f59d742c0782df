//! A mapping while it is edited: what it was, what it is to be, and the way back.

use crate::mapping::{FieldSpec, is_template};

pub use crate::mapping::MappingSpec;

/// A mapping with its changes, which nobody goes by before they are saved.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// As config.toml had it when the edit began.
    pub before: MappingSpec,
    /// As it is to be.
    pub spec: MappingSpec,
    /// What it was before each change, the latest last.
    history: Vec<MappingSpec>,
}

/// How a line differs from what config.toml has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The contact field, as config.toml names it.
    pub target: String,
    /// `None` for a line that is new.
    pub old: Option<String>,
    /// `None` for a line that is taken out.
    pub new: Option<String>,
}

impl Change {
    /// `~` changed, `+` new, `-` taken out.
    pub fn mark(&self) -> &'static str {
        match (&self.old, &self.new) {
            (None, _) => "+",
            (_, None) => "-",
            _ => "~",
        }
    }

    /// For people: `~ %PET_NAME%: name → {{ name | upper }}`.
    pub fn text(&self, to: &str) -> String {
        let target = &self.target;
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => format!("~ {target}: {old} {to} {new}"),
            (None, Some(new)) => format!("+ {target}: {new}"),
            (Some(old), None) => format!("- {target}: {old}"),
            (None, None) => target.clone(),
        }
    }
}

impl Draft {
    /// Begins with a mapping as it is.
    pub fn of(before: MappingSpec) -> Self {
        Self {
            spec: before.clone(),
            before,
            history: Vec::new(),
        }
    }

    /// What a contact field is filled from; `None` if it is not mapped.
    pub fn source(&self, target: &str) -> Option<&str> {
        self.spec.fields.get(target).map(FieldSpec::source)
    }

    /// The mapping with a contact field filled from this: a record field or a template. A table keeps its other options.
    pub fn with_source(&self, target: &str, source: &str) -> MappingSpec {
        let mut spec = self.spec.clone();
        let fields = &mut spec.fields.0;
        match fields.iter_mut().find(|(name, _)| name == target) {
            Some((_, FieldSpec::Table(table))) => {
                let (from, template) = match is_template(source) {
                    true => (None, Some(source.to_owned())),
                    false => (Some(source.to_owned()), None),
                };
                (table.from, table.template) = (from, template);
            }
            Some((_, short)) => *short = FieldSpec::Short(source.to_owned()),
            None => fields.push((target.to_owned(), FieldSpec::Short(source.to_owned()))),
        }
        spec
    }

    /// The mapping without a contact field.
    pub fn without(&self, target: &str) -> MappingSpec {
        let mut spec = self.spec.clone();
        spec.fields.0.retain(|(name, _)| name != target);
        spec
    }

    /// Goes on with another state; false if it is the same.
    pub fn put(&mut self, spec: MappingSpec) -> bool {
        if spec == self.spec {
            return false;
        }
        self.history.push(std::mem::replace(&mut self.spec, spec));
        true
    }

    /// Takes the last change back; false if there is none.
    pub fn undo(&mut self) -> bool {
        let Some(before) = self.history.pop() else {
            return false;
        };
        self.spec = before;
        true
    }

    /// What differs from config.toml, in the order of the lines, those taken out last.
    pub fn changes(&self) -> Vec<Change> {
        let whole = |field: &FieldSpec| field.source().to_owned();
        let mut changes = Vec::new();
        for (target, field) in self.spec.fields.iter() {
            let old = self.before.fields.get(target);
            if old != Some(field) {
                changes.push(Change {
                    target: target.to_owned(),
                    old: old.map(whole),
                    new: Some(whole(field)),
                });
            }
        }
        let gone = self.before.fields.iter();
        for (target, field) in gone.filter(|(target, _)| self.spec.fields.get(target).is_none()) {
            changes.push(Change {
                target: target.to_owned(),
                old: Some(whole(field)),
                new: None,
            });
        }
        changes
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        let text = "object = \"pets\"\nemail = \"mail\"\n[fields]\nphone = \"tel\"\n\
            \"%T%\" = { from = \"temper\", map = { calm = \"Calm\" } }\n";
        Draft::of(toml::from_str(text).unwrap())
    }

    #[test]
    fn a_table_keeps_its_options_and_knows_a_template_from_a_field() {
        let mut draft = draft();
        assert!(draft.put(draft.with_source("%T%", "{{ temper }}")));
        let FieldSpec::Table(table) = draft.spec.fields.get("%T%").unwrap() else {
            panic!("still a table");
        };
        assert_eq!(
            (table.from.as_deref(), table.template.as_deref()),
            (None, Some("{{ temper }}"))
        );
        assert_eq!(table.map.get("calm").map(String::as_str), Some("Calm"));
        draft.put(draft.with_source("%T%", "temper"));
        assert_eq!(draft.changes(), [], "as it was");
    }

    #[test]
    fn changes_are_told_and_taken_back_one_by_one() {
        let mut draft = draft();
        assert!(!draft.put(draft.with_source("phone", "tel")), "nothing new");
        draft.put(draft.with_source("phone", "mobile"));
        draft.put(draft.with_source("first_name", "name"));
        draft.put(draft.without("%T%"));
        let told: Vec<String> = draft
            .changes()
            .iter()
            .map(|change| change.text("->"))
            .collect();
        assert_eq!(
            told,
            [
                "~ phone: tel -> mobile",
                "+ first_name: name",
                "- %T%: temper"
            ]
        );
        assert_eq!(draft.source("%T%"), None);
        for left in [2, 1, 0] {
            assert!(draft.undo());
            assert_eq!(draft.changes().len(), left);
        }
        assert!(!draft.undo());
        assert_eq!(draft.spec, draft.before);
    }
}
