//! A mapping while it is edited: what it was, what it is to be, and the way back.

use super::mappings::SuggestedPair;
use crate::mapping::{FieldSpec, is_template};

pub use crate::mapping::{MappingSpec, Names, RuleSpec, propose_text};

/// A mapping with its changes, which nobody goes by before they are saved.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// As config.toml had it when the edit began.
    pub before: MappingSpec,
    /// As it is to be.
    pub spec: MappingSpec,
    /// What it was before each change, the latest last.
    history: Vec<MappingSpec>,
    /// What config.toml has by now, where that and the changes are about the same lines.
    other: Option<MappingSpec>,
}

/// Who wins where two changes are about the same line.
#[derive(Clone, Copy, PartialEq)]
enum Clash {
    /// Nobody: they cannot be put together.
    Refused,
    /// The person who edits.
    Mine,
}

/// What `mine` makes of `before`, made of `theirs`: lines one by one, rules as a whole, everything else as `theirs` has it.
fn together(
    before: &MappingSpec,
    mine: &MappingSpec,
    theirs: &MappingSpec,
    clash: Clash,
) -> Option<MappingSpec> {
    let mut spec = theirs.clone();
    if theirs.fields == before.fields {
        spec.fields = mine.fields.clone();
    } else {
        let gone = before
            .fields
            .iter()
            .filter(|(target, _)| mine.fields.get(target).is_none());
        let gone = gone.map(|(target, _)| (target, None));
        let kept = mine
            .fields
            .iter()
            .map(|(target, field)| (target, Some(field)));
        for (target, field) in gone.chain(kept) {
            let (old, now) = (before.fields.get(target), theirs.fields.get(target));
            if field == old || field == now {
                continue;
            }
            if now != old && clash == Clash::Refused {
                return None;
            }
            let fields = &mut spec.fields.0;
            match (field, fields.iter().position(|(name, _)| name == target)) {
                (Some(field), Some(at)) => fields[at].1 = field.clone(),
                (Some(field), None) => fields.push((target.to_owned(), field.clone())),
                (None, Some(at)) => drop(fields.remove(at)),
                (None, None) => {}
            }
        }
    }
    if mine.rules != before.rules && mine.rules != theirs.rules {
        if theirs.rules != before.rules && clash == Clash::Refused {
            return None;
        }
        spec.rules = mine.rules.clone();
    }
    Some(spec)
}

/// How a line or a rule differs from what config.toml has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The contact field, as config.toml names it; `rule NAME`; or `order of rules`.
    pub target: String,
    /// `None` for a line that is new.
    pub old: Option<String>,
    /// `None` for a line that is taken out.
    pub new: Option<String>,
}

/// A rule in one line: `status == 'adopted': tag pet-adopted`.
fn whole(rule: &RuleSpec) -> String {
    let mut acts: Vec<String> = rule.acts().iter().map(ToString::to_string).collect();
    if rule.on_first_sync {
        acts.push("at a first sync too".to_owned());
    }
    format!("{}: {}", rule.when, acts.join(", "))
}

/// How a rule is named among changes.
pub fn rule_target(name: &str) -> String {
    format!("rule {name}")
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
            other: None,
        }
    }

    /// True if there is something to save.
    pub fn is_changed(&self) -> bool {
        self.spec != self.before
    }

    /// True if config.toml has by now something else for a line that is changed here: only [`Draft::over`] can be saved.
    pub fn is_outdated(&self) -> bool {
        self.other.is_some()
    }

    /// config.toml has the mapping like this: the changes are put on top of it where they are about other lines, and begin
    /// anew where there are none. True if that makes another mapping.
    pub fn meet(&mut self, now: MappingSpec) -> bool {
        if now == self.before {
            return self.other.take().is_some();
        }
        match together(&self.before, &self.spec, &now, Clash::Refused) {
            Some(spec) => self.rebase(spec, now, Clash::Refused),
            None => self.other = Some(now),
        }
        true
    }

    /// Puts the changes over those that somebody else made to the same lines; false if there are none.
    pub fn over(&mut self) -> bool {
        let Some(now) = self.other.take() else {
            return false;
        };
        if let Some(spec) = together(&self.before, &self.spec, &now, Clash::Mine) {
            self.rebase(spec, now, Clash::Mine);
        }
        true
    }

    fn rebase(&mut self, spec: MappingSpec, now: MappingSpec, clash: Clash) {
        let steps = std::mem::take(&mut self.history).into_iter();
        let steps = steps.filter_map(|step| together(&self.before, &step, &now, clash));
        self.history = steps.collect();
        // What a change made may be in the file already: a step that changes nothing is none.
        self.history.dedup();
        if self.history.last() == Some(&spec) {
            self.history.pop();
        }
        (self.before, self.spec, self.other) = (now, spec, None);
    }

    /// Without a change there is nothing that could be in the way of what config.toml has by now.
    fn begin_anew_if_unchanged(&mut self) {
        if !self.is_changed()
            && let Some(now) = self.other.take()
        {
            *self = Self::of(now);
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

    /// The mapping with several contact fields filled.
    pub fn with_sources(&self, pairs: &[SuggestedPair]) -> MappingSpec {
        let mut draft = Self::of(self.spec.clone());
        for pair in pairs {
            draft.spec = draft.with_source(&pair.field, &pair.from);
        }
        draft.spec
    }

    /// The mapping without a contact field.
    pub fn without(&self, target: &str) -> MappingSpec {
        let mut spec = self.spec.clone();
        spec.fields.0.retain(|(name, _)| name != target);
        spec
    }

    /// The mapping with a rule in place of that of a number, or as the last one.
    pub fn with_rule(&self, at: Option<usize>, rule: RuleSpec) -> MappingSpec {
        let mut spec = self.spec.clone();
        match at.and_then(|at| spec.rules.get_mut(at)) {
            Some(old) => *old = rule,
            None => spec.rules.push(rule),
        }
        spec
    }

    /// The mapping without a rule.
    pub fn without_rule(&self, at: usize) -> MappingSpec {
        let mut spec = self.spec.clone();
        if at < spec.rules.len() {
            spec.rules.remove(at);
        }
        spec
    }

    /// The mapping with two rules in each other's place; as it is if there is one only.
    pub fn with_rules_swapped(&self, at: usize, other: usize) -> MappingSpec {
        let mut spec = self.spec.clone();
        if at.max(other) < spec.rules.len() {
            spec.rules.swap(at, other);
        }
        spec
    }

    /// The mapping with another name for the contact field of a line.
    pub fn with_target(&self, old: &str, new: &str) -> MappingSpec {
        let mut spec = self.spec.clone();
        if let Some((target, _)) = spec.fields.0.iter_mut().find(|(name, _)| name == old) {
            *target = new.to_owned();
        }
        spec
    }

    /// Goes on with another state; false if it is the same.
    pub fn put(&mut self, spec: MappingSpec) -> bool {
        if spec == self.spec {
            return false;
        }
        self.history.push(std::mem::replace(&mut self.spec, spec));
        self.begin_anew_if_unchanged();
        true
    }

    /// Takes the last change back; false if there is none.
    pub fn undo(&mut self) -> bool {
        let Some(before) = self.history.pop() else {
            return false;
        };
        self.spec = before;
        self.begin_anew_if_unchanged();
        true
    }

    /// What differs from config.toml: lines in their order, those taken out last; then rules in the same way.
    pub fn changes(&self) -> Vec<Change> {
        let mut changes = self.line_changes();
        changes.extend(self.rule_changes());
        changes
    }

    fn rule_changes(&self) -> Vec<Change> {
        let (before, after) = (&self.before.rules, &self.spec.rules);
        let mut changes = Vec::new();
        for rule in after {
            let old = before.iter().find(|old| old.name == rule.name);
            if old != Some(rule) {
                changes.push(Change {
                    target: rule_target(&rule.name),
                    old: old.map(whole),
                    new: Some(whole(rule)),
                });
            }
        }
        for gone in before {
            if !after.iter().any(|rule| rule.name == gone.name) {
                changes.push(Change {
                    target: rule_target(&gone.name),
                    old: Some(whole(gone)),
                    new: None,
                });
            }
        }
        let order = |rules: &[RuleSpec], others: &[RuleSpec]| {
            let names = rules.iter().map(|rule| rule.name.as_str());
            let stays = |name: &&str| others.iter().any(|other| other.name == *name);
            names.filter(stays).collect::<Vec<_>>().join(", ")
        };
        let (old, new) = (order(before, after), order(after, before));
        if old != new {
            changes.push(Change {
                target: "order of rules".to_owned(),
                old: Some(old),
                new: Some(new),
            });
        }
        changes
    }

    fn line_changes(&self) -> Vec<Change> {
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
    fn rules_change_move_and_go_like_lines() {
        let mut before = draft().spec;
        for name in ["a", "b", "c"] {
            let mut rule = RuleSpec::new(name, "temper == 'calm'");
            rule.add_tags = Names(vec![name.to_owned()]);
            before.rules.push(rule);
        }
        let mut draft = Draft::of(before);
        let told = |draft: &Draft| -> Vec<String> {
            draft
                .changes()
                .iter()
                .map(|change| change.text("->"))
                .collect()
        };
        let mut changed = draft.spec.rules[1].clone();
        changed.on_first_sync = true;
        draft.put(draft.with_rule(Some(1), changed));
        draft.put(draft.with_rule(None, RuleSpec::new("d", "true")));
        assert_eq!(draft.spec.rules[3].name, "d");
        let more =
            "~ rule b: temper == 'calm': tag b -> temper == 'calm': tag b, at a first sync too";
        assert_eq!(told(&draft), [more, "+ rule d: true: "]);
        draft.put(draft.without_rule(0));
        assert_eq!(told(&draft)[2], "- rule a: temper == 'calm': tag a");
        assert_eq!(told(&draft).len(), 3, "the others stay in their order");
        draft.put(draft.with_rules_swapped(0, 1));
        assert_eq!(told(&draft)[3], "~ order of rules: b, c -> c, b");
        assert!(!draft.put(draft.with_rules_swapped(2, 3)), "there is none");
        for _ in 0..4 {
            assert!(draft.undo());
        }
        assert_eq!(told(&draft), [""; 0]);
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

    #[test]
    fn changes_go_on_top_of_those_that_are_about_other_lines() {
        let mut draft = draft();
        draft.put(draft.with_source("phone", "mobile"));
        draft.put(draft.with_source("first_name", "name"));
        let mut now = draft.before.clone();
        now.fields.0[1].1 = FieldSpec::Short("mood".into());
        now.schedule = Some("0 6 * * *".into());
        assert!(draft.meet(now.clone()));
        assert!(!draft.is_outdated());
        assert_eq!(draft.before, now);
        assert_eq!(draft.spec.schedule, now.schedule);
        assert_eq!(draft.source("%T%"), Some("mood"));
        assert_eq!(draft.changes().len(), 2, "{:?}", draft.changes());
        assert!(draft.undo() && draft.undo() && !draft.undo());
        assert_eq!(draft.spec, now);
        assert!(!draft.meet(now));
    }

    #[test]
    fn a_line_that_both_changed_is_theirs_without_a_change_and_mine_where_it_is_put_over() {
        let mut mine = draft();
        mine.put(mine.with_source("first_name", "name"));
        mine.put(mine.with_source("phone", "mobile"));
        let now = mine.with_source("phone", "land");
        assert!(mine.meet(now.clone()));
        assert!(mine.is_outdated());
        let mut over = mine.clone();
        assert!(over.over() && !over.is_outdated());
        assert_eq!(over.changes()[0].text("->"), "~ phone: land -> mobile");
        assert!(over.undo());
        assert_eq!(over.spec, now, "the other line was the same");
        assert!(mine.undo() && mine.is_outdated());
        assert!(mine.undo() && !mine.is_outdated());
        assert_eq!((mine.spec, mine.before), (now.clone(), now));
    }
}
