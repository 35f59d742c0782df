//! `tramline contacts`

use super::{Context, Exit};
use crate::model::contact::{Enrolment, Membership, Part, ScoreValue};
use crate::model::{Builtin, Email, Problem};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Action {
    /// Show one contact whole: values, tags, lists, automations, scores, segments
    Show {
        email: String,
        /// The connection [default: the first]
        #[arg(long)]
        connection: Option<String>,
    },
}

pub async fn run(context: &Context, action: Action) -> Result<Exit, Problem> {
    let Action::Show { email, connection } = action;
    let email = Email::parse(&email)
        .map_err(|error| super::usage(error.to_string(), "give the contact's e-mail address"))?;
    let operations = context.open(false).await?;
    let connection = operations.connection(connection.as_deref())?;
    let whole = operations.contact(&connection, &email).await?;
    operations.close().await;
    if context.output.is_json() {
        context.output.document(&whole);
        return Ok(Exit::Done);
    }
    let mut rows = vec![
        vec!["id".to_owned(), whole.contact.id.to_string()],
        vec!["email".into(), whole.contact.email.clone()],
    ];
    for field in Builtin::ALL {
        let value = whole
            .contact
            .value(&crate::model::TargetField::Builtin(field))
            .unwrap_or_default();
        rows.push(vec![field.name().into(), value.into()]);
    }
    rows.extend(
        whole
            .values
            .iter()
            .map(|(field, value)| vec![field.clone(), value.clone()]),
    );
    let around = &whole.surroundings;
    rows.extend(part("tags", &around.tags, |tags| {
        vec![vec!["tags".into(), tags.join(", ")]]
    }));
    rows.extend(part("lists", &around.lists, |lists| {
        let row = |l: &Membership| vec![format!("list {}", l.list), l.status.clone()];
        lists.iter().map(row).collect()
    }));
    rows.extend(part("automations", &around.automations, |automations| {
        let row = |a: &Enrolment| {
            let state = if a.completed { "completed" } else { "running" };
            vec![format!("automation {}", a.automation), state.into()]
        };
        automations.iter().map(row).collect()
    }));
    rows.extend(part("scores", &around.scores, |scores| {
        let row = |s: &ScoreValue| vec![format!("score {}", s.score), s.value.clone()];
        scores.iter().map(row).collect()
    }));
    rows.extend(part("segments", &whole.segments.matching, |segments| {
        let mut text = segments.join(", ");
        if whole.segments.unasked > 0 {
            text.push_str(&format!(" ({} more not asked for)", whole.segments.unasked));
        }
        vec![vec!["segments".into(), text]]
    }));
    context.output.table(&["FIELD", "VALUE"], &rows);
    Ok(Exit::Done)
}

/// The rows of a part, or one that says why it may not be read.
fn part<T>(
    what: &str,
    part: &Part<T>,
    rows: impl FnOnce(&[T]) -> Vec<Vec<String>>,
) -> Vec<Vec<String>> {
    match part.refused() {
        Some(refused) => vec![vec![what.to_owned(), format!("may not be read: {refused}")]],
        None => rows(part.items()),
    }
}
