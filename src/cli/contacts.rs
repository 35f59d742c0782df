//! `tramline contacts`

use super::{Context, Exit};
use crate::model::{Builtin, Email, Problem};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Action {
    /// Show one contact whole: values, tags, lists, automations, scores
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
    if !whole.surroundings.refused.iter().any(|part| part == "tags") {
        rows.push(vec!["tags".into(), whole.surroundings.tags.join(", ")]);
    }
    rows.extend(
        whole
            .surroundings
            .lists
            .iter()
            .map(|list| vec![format!("list {}", list.list), list.status.clone()]),
    );
    rows.extend(whole.surroundings.automations.iter().map(|enrolment| {
        vec![
            format!("automation {}", enrolment.automation),
            if enrolment.completed {
                "completed"
            } else {
                "running"
            }
            .into(),
        ]
    }));
    rows.extend(
        whole
            .surroundings
            .scores
            .iter()
            .map(|score| vec![format!("score {}", score.score), score.value.clone()]),
    );
    rows.extend(
        whole
            .surroundings
            .refused
            .iter()
            .map(|part| vec![part.clone(), "not allowed for this token".into()]),
    );
    context.output.table(&["FIELD", "VALUE"], &rows);
    Ok(Exit::Done)
}
