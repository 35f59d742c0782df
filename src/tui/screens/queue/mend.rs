//! Mending: the record of a failed job in a form, with the cursor on the field at fault.

use super::Queue;
use crate::model::{JobState, Level, Problem, Record, RecordId};
use crate::operations::Done;
use crate::tui::context::Cx;
use crate::tui::request::{Request, SchemaDetail};
use crate::tui::slots::Slot;
use crate::tui::widgets::form::Form;
use crate::tui::widgets::overlay::Overlay;
use serde_json::Value;

/// True if an error is about the value that a field has now: an error names the value it is about as `"value" is …`; of
/// others it is not known before the record was changed.
fn is_about(error: &Problem, value: Option<&Value>, changed: impl FnOnce() -> bool) -> bool {
    let named = error.message.strip_prefix('"');
    let Some((named, _)) = named.and_then(|rest| rest.split_once('"')) else {
        return !changed();
    };
    let is_named = |text: &str| match named.strip_suffix('…') {
        Some(begun) => text.starts_with(begun),
        None => text.trim() == named.trim(),
    };
    match value {
        None => is_named(""),
        Some(Value::String(text)) => is_named(text),
        // One of several may be at fault, or all of them as they were sent.
        Some(Value::Array(several)) => {
            let mut texts = several.iter().filter_map(Value::as_str);
            texts.any(is_named) || !changed()
        }
        Some(other) => is_named(&other.to_string()) || !changed(),
    }
}

impl Queue {
    pub(super) fn mend(&mut self, cx: &mut Cx) {
        if cx.refused() {
            return;
        }
        let Some(job) = self.in_view() else { return };
        let request = Request::Mend(job.object.clone(), job.record.clone());
        let (record, state) = (job.record.clone(), job.state);
        self.mending = Some((job.mapping.clone(), job.error.clone(), job.updated_at));
        self.mended = Some((record, state));
        cx.ask(Slot::Mend, request);
    }

    /// What becomes of the job whose record was mended; `retry` is the key for it.
    pub fn after_mending(&self, record: &RecordId, retry: &str) -> Option<String> {
        let (_, state) = self
            .mended
            .as_ref()
            .filter(|(mended, _)| mended == record)?;
        Some(match state {
            JobState::Failed | JobState::Unknown | JobState::Waiting => {
                format!("{retry} retries its job")
            }
            JobState::Ready => "its job is ready and goes by it".to_owned(),
            JobState::Running => "a worker was on its job: look how that ends".to_owned(),
            JobState::Done | JobState::Discarded => {
                format!("its job is {}: sync the record to send it", state.name())
            }
        })
    }

    pub(super) fn mendable(&mut self, result: Done<(SchemaDetail, Record)>, cx: &mut Cx) {
        let Some((mapping, error, failed_at)) = self.mending.take() else {
            return;
        };
        let (detail, record) = match result {
            Ok(read) => read,
            Err(problem) => {
                cx.toast(Level::Error, problem.to_string());
                return;
            }
        };
        let mut form = Form::of_record(&detail.schema, Some((&record.id, &record.properties)));
        if let Some(mut error) = error {
            // An error names the contact field; the form has the record field that it comes from.
            let email = || {
                let summary = cx.session.mappings.iter().find(|m| m.name == mapping);
                summary.map(|summary| summary.email.clone())
            };
            error.field = error.field.and_then(|field| match field.as_str() {
                "email" => email(),
                field => {
                    let pair = detail.mapped_to.iter().find(|(_, to)| to == field);
                    let (from, _) = pair?;
                    // The form has members of text box lists; of other properties that a template reads in parts, the whole.
                    Some(match detail.schema.property_or_member(from) {
                        Some(_) => from.clone(),
                        None => from.split('.').next().unwrap_or_default().to_owned(),
                    })
                }
            });
            let is_of_now = match &error.field {
                Some(field) => is_about(&error, record.properties.get(field), || {
                    record.updated_at.is_some_and(|at| at > failed_at)
                }),
                None => true,
            };
            if is_of_now {
                form.failed(error);
            }
        }
        cx.show(Overlay::Form(Box::new(form)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ErrorClass;
    use serde_json::json;

    #[test]
    fn an_error_that_names_a_value_is_about_that_one() {
        let about = |message: &str, value: Value, changed| {
            let error = Problem::new(ErrorClass::Invalid, message);
            is_about(&error, Some(&value), || changed)
        };
        let named = "\"not-an-email\" is no e-mail address";
        assert!(about(named, json!("not-an-email"), true));
        assert!(!about(named, json!("jo@example.org"), false));
        assert!(about(
            "\"very lo…\" is too long",
            json!("very long text"),
            true
        ));
        assert!(about(
            "\"huge\" is no option",
            json!(["calm", "huge"]),
            true
        ));
        assert!(!about("\"huge\" is no option", json!(["calm"]), true));
        assert!(about("\"12.40\" is no date", json!(12), false));
        assert!(about("invalid", json!("x"), false) && !about("invalid", json!("x"), true));
    }
}
