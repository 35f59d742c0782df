//! The templates and conditions of one mapping: MiniJinja over a record's raw values.

use super::labels::Labels;
use super::number;
use super::scope::Scope;
use crate::model::ObjectSchema;
use minijinja::value::{Kwargs, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, filters};

/// Work that one rendering may do; about one a step, and one for 64 bytes made. A legitimate template over a
/// 64 KiB text stays far below.
const FUEL: u64 = 100_000;

/// A template that is wrong or failed, with its line where known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    pub message: String,
    /// True where no record can help: unknown filter, test, function; syntax.
    pub fatal: bool,
}

impl From<Error> for TemplateError {
    fn from(error: Error) -> Self {
        let detail = error.detail().map(str::to_owned);
        let mut message = match (error.kind(), detail) {
            (ErrorKind::OutOfFuel, _) => "it works too long on one record".to_owned(),
            (ErrorKind::InvalidOperation, Some(detail)) => detail,
            (kind, Some(detail)) => format!("{kind}: {detail}"),
            (kind, None) => kind.to_string(),
        };
        if let Some(line) = error.line().filter(|line| *line > 1) {
            message.push_str(&format!(" (line {line})"));
        }
        Self {
            message,
            fatal: matches!(
                error.kind(),
                ErrorKind::SyntaxError
                    | ErrorKind::UnknownFilter
                    | ErrorKind::UnknownTest
                    | ErrorKind::UnknownFunction
                    | ErrorKind::UnknownMethod
                    | ErrorKind::TemplateNotFound
                    | ErrorKind::TooManyArguments
                    | ErrorKind::MissingArgument
            ),
        }
    }
}

/// A template's or condition's place among the compiled ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TemplateId(String);

/// Compiled templates and conditions.
#[derive(Debug)]
pub(super) struct Templates {
    env: Environment<'static>,
    count: usize,
}

impl Templates {
    pub(super) fn new(schema: &ObjectSchema) -> Self {
        let labels = Labels::new(schema);
        let mut env = Environment::new();
        // A property goes before a function of its name.
        for property in &schema.properties {
            env.remove_global(&property.key);
        }
        env.set_undefined_behavior(UndefinedBehavior::Chainable);
        env.set_auto_escape_callback(|_| AutoEscape::None);
        env.set_formatter(number::format);
        env.set_fuel(Some(FUEL));
        env.add_filter(
            "label",
            move |state: &minijinja::State<'_, '_>, value: &Value, property: Option<&str>| {
                labels.label(state, value, property)
            },
        );
        // A property that a record lacks is empty, not an error.
        env.add_filter(
            "round",
            |value: Value, precision: Option<i32>, method: Option<&str>, kwargs: Kwargs| {
                if is_empty(&value) {
                    return Ok(Value::UNDEFINED);
                }
                filters::round(value, precision, method, kwargs)
            },
        );
        env.add_filter("abs", |value: Value| {
            if is_empty(&value) {
                return Ok(Value::UNDEFINED);
            }
            filters::abs(value)
        });
        Self { env, count: 0 }
    }

    /// Compiles a template.
    pub(super) fn add(&mut self, source: &str) -> Result<TemplateId, TemplateError> {
        let id = TemplateId(self.count.to_string());
        self.env
            .add_template_owned(id.0.clone(), source.to_owned())?;
        self.count += 1;
        Ok(id)
    }

    /// Compiles a condition: an expression, not a template.
    pub(super) fn add_condition(&mut self, source: &str) -> Result<TemplateId, TemplateError> {
        // By itself first, so that only an expression is taken and an error names the right column.
        self.env.compile_expression_owned(source.to_owned())?;
        self.add(&format!("{{% if ({source}) %}}1{{% endif %}}"))
    }

    /// Names that a template reads, each with the parts behind dots: `weight`, `notes.kitchen`. Functions
    /// are left out.
    pub(super) fn names(&self, id: &TemplateId) -> Result<Vec<String>, TemplateError> {
        let template = self.env.get_template(&id.0)?;
        let mut names: Vec<String> = template
            .undeclared_variables(true)
            .into_iter()
            .filter(|name| !self.env.globals().any(|(global, _)| global == name))
            .collect();
        names.sort();
        Ok(names)
    }

    /// True if there is a filter of a name.
    pub(super) fn has_filter(&self, name: &str) -> bool {
        match self.env.empty_state().apply_filter(name, &[]) {
            Ok(_) => true,
            Err(error) => error.kind() != ErrorKind::UnknownFilter,
        }
    }

    /// Renders a template over a context of [`Scope::context`].
    pub(super) fn render(&self, id: &TemplateId, context: &Value) -> Result<String, TemplateError> {
        Ok(self.env.get_template(&id.0)?.render(context)?)
    }

    /// True if a condition holds.
    pub(super) fn holds(&self, id: &TemplateId, context: &Value) -> Result<bool, TemplateError> {
        Ok(!self.render(id, context)?.is_empty())
    }

    /// The scope that some templates need: the first part of every name they read.
    pub(super) fn heads<'a>(
        &self,
        ids: impl Iterator<Item = &'a TemplateId>,
    ) -> Result<Vec<String>, TemplateError> {
        let mut heads = Vec::new();
        for id in ids {
            for name in self.names(id)? {
                let head = Scope::head(&name).to_owned();
                if !heads.contains(&head) {
                    heads.push(head);
                }
            }
        }
        Ok(heads)
    }
}

/// Names that a template reads, each with the parts behind dots, without knowing the schema.
pub(super) fn names_in(source: &str) -> Result<Vec<String>, TemplateError> {
    let env = Environment::new();
    let template = env.template_from_str(source)?;
    let mut names: Vec<String> = template.undeclared_variables(true).into_iter().collect();
    names.sort();
    Ok(names)
}

fn is_empty(value: &Value) -> bool {
    value.is_undefined()
        || value.is_none()
        || value.as_str().is_some_and(|text| text.trim().is_empty())
}
