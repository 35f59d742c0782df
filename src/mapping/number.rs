//! Numbers inside templates. A template computes in double precision, yet a number that was only passed
//! through prints with all its digits.

use crate::model::Decimal;
use minijinja::value::{Object, Value};
use minijinja::{Error, ErrorKind, Output, State, escape_formatter};
use std::sync::Arc;

/// The name under which a template's context keeps its [`Exact`] numbers; no template can spell it.
pub(super) const EXACT: &str = "\u{0}exact";

/// The numbers of a context that are doubles there, with the digits they came with.
#[derive(Debug, Default)]
pub(super) struct Exact(Vec<(f64, String)>);

impl Object for Exact {}

impl Exact {
    /// A template's value of a decimal: an integer where it is one of up to 128 bits, else the nearest double.
    pub(super) fn number(&mut self, plain: &str) -> Value {
        if !plain.contains('.') {
            if let Ok(small) = plain.parse::<i64>() {
                return Value::from(small);
            }
            if let Ok(large) = plain.parse::<i128>() {
                return Value::from(large);
            }
        }
        // Plain decimals are within the grammar of f64.
        let nearest = plain.parse::<f64>().unwrap_or(f64::NAN);
        self.0.push((nearest, plain.to_owned()));
        Value::from(nearest)
    }

    /// The digits of a double: those of the number it came from, where it came from exactly one.
    fn digits(&self, double: f64) -> Result<Option<&str>, Error> {
        let mut same = self.0.iter().filter(|(nearest, _)| *nearest == double);
        let Some((_, first)) = same.next() else {
            return Ok(None);
        };
        match same.find(|(_, other)| other != first) {
            None => Ok(Some(first)),
            Some((_, other)) => Err(Error::new(
                ErrorKind::InvalidOperation,
                format!(
                    "{first} and {other} differ beyond the digits that a template can tell apart"
                ),
            )),
        }
    }
}

/// Prints a value: doubles as the shortest decimal, `none` as nothing.
pub(super) fn format(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    if value.is_none() {
        return Ok(());
    }
    if !value.is_number() || value.is_integer() {
        return escape_formatter(out, state, value);
    }
    let double = f64::try_from(value.clone())?;
    let context = state.lookup(EXACT);
    let exact = context
        .as_ref()
        .and_then(|value| value.downcast_object_ref::<Exact>());
    let text = match exact
        .map(|exact| exact.digits(double))
        .transpose()?
        .flatten()
    {
        Some(digits) => digits.to_owned(),
        None => Decimal::parse(&double.to_string())
            .map_err(|_| {
                Error::new(
                    ErrorKind::InvalidOperation,
                    "the result of the calculation is no finite number",
                )
            })?
            .to_string(),
    };
    out.write_str(&text).map_err(Error::from)
}

/// The [`Exact`] numbers as a value of a context.
pub(super) fn value(exact: Exact) -> Value {
    Value::from_dyn_object(Arc::new(exact))
}
