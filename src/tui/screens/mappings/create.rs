//! Contact fields that are missing: made in ActiveCampaign after a question, and filled by the mapping.

use super::Mappings;
use crate::model::{ContactField, ErrorClass, FieldKind, FieldProposal, Level, NewField, Problem};
use crate::operations::draft::propose_text;
use crate::tui::command::quoted;
use crate::tui::context::Cx;
use crate::tui::widgets::confirm::Confirm;
use crate::tui::widgets::field::{Field, Kind};
use crate::tui::widgets::form::{FieldFor, Form, Purpose};
use crate::tui::widgets::overlay::{Choice, Overlay};
use crate::tui::widgets::picker::{Item, Picker};
use serde_json::json;

impl Mappings {
    /// Asks for the contact field that the line under the cursor lacks; where it lacks none, for which record field one is to be
    /// made.
    pub(super) fn ask_field(&self, cx: &mut Cx) {
        if cx.refused() {
            return;
        }
        let Some((_, draft)) = self.at_hand(cx) else {
            return;
        };
        let shown = self.shown();
        let line = shown
            .get(self.lines.cursor)
            .filter(|_| self.rules.is_none());
        if let Some(line) = line.filter(|line| !line.builtin && line.target_type.is_none()) {
            let tag = line.target.trim_matches('%');
            let mut known = self.fields.proposals.iter();
            let known = known
                .find(|proposal| proposal.source == line.source)
                .cloned();
            let mut proposal = known.unwrap_or_else(|| propose_text(&line.source, &as_title(tag)));
            proposal.tag = tag.to_owned();
            self.field_form(&proposal, Some(line.target.clone()), cx);
            return;
        }
        let mapped = |source: &str| draft.spec.fields.iter().any(|(_, f)| f.source() == source);
        let (first, second): (Vec<_>, Vec<_>) = self
            .fields
            .proposals
            .iter()
            .cloned()
            .partition(|proposal| !mapped(&proposal.source));
        let items = first.iter().map(|proposal| (proposal, ""));
        let items = items.chain(second.iter().map(|proposal| (proposal, "  mapped already")));
        let items = items.map(|(proposal, mapped)| Item {
            label: proposal.source.clone(),
            note: format!("{}{mapped}", proposal.note),
            key: String::new(),
            off: false,
        });
        let picker = Picker::new(
            "A new contact field for which record field?",
            items.collect(),
        );
        let proposals = first.into_iter().chain(second).collect();
        cx.show(Overlay::Pick(picker, Choice::Proposal(proposals)));
    }

    /// Opens the form of a contact field.
    pub fn field_form(&self, proposal: &FieldProposal, target: Option<String>, cx: &mut Cx) {
        let Some((mapping, _)) = self.at_hand(cx) else {
            return;
        };
        let mut title = Field::text("title", "Title", Kind::Text, Some(json!(proposal.title)));
        title.required = true;
        let mut tag = Field::text("tag", "Tag", Kind::Text, Some(json!(proposal.tag)));
        tag.required = true;
        let kinds: Vec<_> = proposal
            .kinds
            .iter()
            .map(|kind| (kind.as_str().to_owned(), kind.as_str().to_owned()))
            .collect();
        let best = kinds.first().map(|(key, _)| json!(key));
        let mut fields = vec![
            title,
            tag,
            Field::choice("kind", "Type", Kind::One, kinds, best),
        ];
        if !proposal.options.is_empty() {
            let options = proposal.options.iter();
            let options = options
                .map(|label| (label.clone(), label.clone()))
                .collect();
            let all = Some(json!(proposal.options));
            fields.push(Field::choice(
                "options",
                "Options",
                Kind::Many,
                options,
                all,
            ));
        }
        let wanted = FieldFor {
            mapping,
            source: proposal.source.clone(),
            target,
        };
        let heading = format!("New contact field for {}", proposal.source);
        let form = Form::new(heading, Purpose::Field(wanted), fields);
        cx.show(Overlay::Form(Box::new(form)));
    }

    /// A contact field was created: the line that waited for it is whole, or there is one more line. `wanted` is `None` if the
    /// form was left meanwhile.
    pub fn field_created(&mut self, field: &ContactField, wanted: Option<FieldFor>, cx: &mut Cx) {
        let made = format!("%{}%", field.tag);
        let mut text = format!("{made} is created: {}", field.kind.as_str());
        if let Some(wanted) = wanted {
            let (name, source) = (&wanted.mapping, &wanted.source);
            match &wanted.target {
                // The account may have made another tag of the one that was asked for.
                Some(old) if old.trim_matches('%').eq_ignore_ascii_case(&field.tag) => {}
                Some(old) => {
                    self.put(name, |draft| draft.with_target(old, &made), cx);
                    text.push_str(&format!("; {old} is {made} now"));
                }
                None => {
                    self.put(name, |draft| draft.with_source(&made, source), cx);
                    text.push_str(&format!(", filled from {source} once it is saved"));
                }
            }
        }
        cx.toast(Level::Ok, text);
        self.read(cx);
    }
}

/// What a form asks for, the question before it is done, and the command that does the same. `None` where something is wrong,
/// which the form then says.
pub fn field_from_form(form: &mut Form, wanted: &FieldFor) -> Option<(NewField, Confirm, String)> {
    let typed = |key: &str| {
        let field = form.fields.iter().find(|field| field.key == key);
        field.map(Field::typed).unwrap_or_default().to_owned()
    };
    let chosen = |key: &str| {
        let field = form.fields.iter().find(|field| field.key == key);
        field.map(Field::chosen_keys).unwrap_or_default()
    };
    let kind = FieldKind::from(chosen("kind").into_iter().next().unwrap_or_default());
    let options = match kind.is_choice() {
        true => chosen("options"),
        false => Vec::new(),
    };
    let new = NewField {
        title: typed("title"),
        tag: Some(typed("tag").trim_matches('%').to_owned()),
        kind,
        options,
    };
    let none = Problem::new(ErrorClass::Invalid, "choose one at least").field("options");
    let checked = match new.kind.is_choice() && new.options.is_empty() {
        true => Err(none),
        false => new.check(),
    };
    if let Err(problem) = checked {
        form.failed(problem);
        return None;
    }
    let tag = new.tag.as_deref().unwrap_or_default();
    let kind = new.kind.as_str();
    let mut question = Confirm::new("Create this contact field in ActiveCampaign?")
        .line(format!("{}   %{tag}%   {kind}", new.title));
    if !new.options.is_empty() {
        question = question.line(format!("Options: {}", new.options.join(", ")));
    }
    let line = match &wanted.target {
        Some(_) => format!(
            "It is shown in all lists. The line from {} goes there.",
            wanted.source
        ),
        None => format!(
            "It is shown in all lists. A line from {} is added.",
            wanted.source
        ),
    };
    let mut did = format!(
        "tramline fields create {} --kind {kind} --tag {}",
        quoted(&new.title),
        quoted(tag)
    );
    for option in &new.options {
        did.push_str(&format!(" --option {}", quoted(option)));
    }
    Some((new, question.line(line), did))
}

/// A tag as a title: `PET_NAME` is `Pet name`.
fn as_title(tag: &str) -> String {
    let words = tag.replace('_', " ").to_lowercase();
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => words,
    }
}
