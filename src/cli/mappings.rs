//! `tramline mappings`

use super::{Context, Exit, check};
use crate::model::job::Edit;
use crate::model::view::Preview;
use crate::model::{Level, MappingName, Problem, RecordId};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Action {
    /// List the mappings of config.toml
    List {
        /// Only those of a connection [default: all connections]
        #[arg(long, value_name = "NAME")]
        connection: Option<String>,
    },
    /// Show a mapping: its lines between record fields and contact fields
    Show { name: String },
    /// Hold mappings against both live schemas
    Check {
        /// One mapping [default: all]
        name: Option<String>,
    },
    /// Suggest pairs of fields that could be added
    Suggest { name: String },
    /// What the mapping makes of a record, beside the contact's values now; nothing is written
    Preview {
        name: String,
        /// The record [default: the newest]
        record: Option<String>,
    },
}

pub async fn run(context: &Context, action: Action) -> Result<Exit, Problem> {
    let operations = context.open(false).await?;
    let exit = match action {
        Action::List { connection } => {
            let only = operations.named(connection.as_deref())?;
            let mut mappings = operations.mappings();
            mappings.retain(|mapping| only.as_ref().is_none_or(|only| mapping.connection == *only));
            context.output.list(
                &mappings,
                &[
                    "NAME",
                    "OBJECT",
                    "E-MAIL",
                    "FIELDS",
                    "RULES",
                    "SCHEDULE",
                    "CONNECTION",
                ],
                |mapping| {
                    vec![
                        mapping.name.to_string(),
                        mapping.object.to_string(),
                        mapping.email.clone(),
                        mapping.fields.to_string(),
                        mapping.rules.len().to_string(),
                        mapping.schedule.clone().unwrap_or_else(|| "—".into()),
                        mapping.connection.to_string(),
                    ]
                },
            );
            Exit::Done
        }
        Action::Show { name } => {
            let detail = operations.mapping_detail(&MappingName::from(name)).await?;
            if context.output.is_json() {
                context.output.document(&detail);
            } else {
                let rows: Vec<Vec<String>> = detail
                    .lines
                    .iter()
                    .map(|line| {
                        vec![
                            line.source.clone(),
                            line.source_type
                                .as_ref()
                                .map_or("—", |data_type| data_type.as_str())
                                .into(),
                            match (&line.problem, line.transform) {
                                (Some((Level::Error, _)), _) => "✗─▶",
                                (_, true) => "─ƒ▶",
                                _ => "──▶",
                            }
                            .into(),
                            line.target.clone(),
                            line.target_type
                                .as_ref()
                                .map_or(if line.builtin { "built-in" } else { "—" }, |kind| {
                                    kind.as_str()
                                })
                                .into(),
                            line.problem
                                .as_ref()
                                .map(|(_, message)| message.clone())
                                .unwrap_or_default(),
                        ]
                    })
                    .collect();
                context.output.table(
                    &[
                        "RECORD FIELD",
                        "TYPE",
                        "",
                        "CONTACT FIELD",
                        "TYPE",
                        "PROBLEM",
                    ],
                    &rows,
                );
            }
            Exit::Done
        }
        Action::Check { name } => {
            let names = match name {
                Some(name) => vec![MappingName::from(name)],
                None => operations
                    .mappings()
                    .into_iter()
                    .map(|mapping| mapping.name)
                    .collect(),
            };
            let mut worst = Level::Ok;
            for name in names {
                let findings = operations.check_mapping(&name).await?;
                worst = findings
                    .iter()
                    .map(|finding| finding.level)
                    .max()
                    .unwrap_or(Level::Ok)
                    .max(worst);
                check::print(context, &findings);
            }
            if worst == Level::Error {
                Exit::Failed
            } else {
                Exit::Done
            }
        }
        Action::Suggest { name } => {
            let pairs = operations.suggest(&MappingName::from(name)).await?;
            context.output.list(
                &pairs,
                &["CONTACT FIELD", "RECORD FIELD", "SCORE", "WHY"],
                |pair| {
                    vec![
                        pair.field.clone(),
                        pair.from.clone(),
                        format!("{:.2}", pair.score),
                        pair.reason.clone(),
                    ]
                },
            );
            Exit::Done
        }
        Action::Preview { name, record } => {
            let name = MappingName::from(name);
            let record = match record {
                Some(record) => RecordId::from(record),
                None => operations
                    .mapping_samples(&name, 1)
                    .await?
                    .first()
                    .map(|record| record.id.clone())
                    .ok_or_else(|| super::usage("the object has no record", "create one"))?,
            };
            let preview = operations.preview(&name, &record).await?;
            if context.output.is_json() {
                context.output.document(&preview);
            } else {
                print(context, &preview);
            }
            let broken = preview.fields.iter().any(|field| field.problem.is_some());
            if !preview.skips && (preview.problem.is_some() || broken) {
                Exit::Partly
            } else {
                Exit::Done
            }
        }
    };
    operations.close().await;
    Ok(exit)
}

/// Whose values are sent in place of the record's.
fn edited(edit: &Edit) -> String {
    let fields: Vec<&str> = edit.properties.keys().map(String::as_str).collect();
    format!(
        "edited by {} until the record changes: {}",
        edit.by,
        fields.join(", ")
    )
}

fn print(context: &Context, preview: &Preview) {
    let contact = match (&preview.contact_id, &preview.email) {
        (Some(id), Some(email)) => format!("contact {id} {email}"),
        (None, Some(email)) => format!("{email}: no such contact yet, it would be created"),
        _ => "no contact".into(),
    };
    context.output.line(&format!(
        "{} / {}  {}    {contact}",
        preview.mapping, preview.title, preview.record.id
    ));
    if let Some(problem) = &preview.problem {
        context.output.line(&format!("✗ {problem}"));
    }
    if preview.skips {
        context.output.line(Preview::SKIPPED);
    }
    if let Some(winner) = &preview.superseded_by {
        context
            .output
            .line(&format!("superseded by record {winner}"));
    }
    if let Some(warning) = &preview.warning {
        context.output.line(&format!("warning: {warning}"));
    }
    if let Some(edit) = &preview.edit {
        context.output.line(&edited(edit));
    }
    let rows: Vec<Vec<String>> = preview
        .fields
        .iter()
        .map(|field| {
            let (send, mark) = match (&field.problem, &field.send) {
                (Some(_), _) => ("✗".to_owned(), "!"),
                (None, None) => ("—".into(), ""),
                (None, Some(value)) if value.is_empty() => {
                    ("(clear)".into(), if field.changes { "≠" } else { "" })
                }
                (None, Some(value)) => (
                    value.clone(),
                    if !field.changes {
                        ""
                    } else if field.contact.is_none() {
                        "+"
                    } else {
                        "≠"
                    },
                ),
            };
            let note = match (&field.problem, &field.warning) {
                (Some(problem), _) => problem.to_string(),
                (None, Some(warning)) => warning.clone(),
                _ => String::new(),
            };
            vec![
                format!("{} → {}", field.source, field.field),
                field.record.clone().unwrap_or_else(|| "—".into()),
                send,
                field.contact.clone().unwrap_or_else(|| "—".into()),
                mark.into(),
                note,
            ]
        })
        .collect();
    context.output.table(
        &["FIELD", "RECORD", "WILL SEND", "CONTACT NOW", "", ""],
        &rows,
    );
    for rule in &preview.rules {
        let note = rule
            .note
            .as_deref()
            .map(|note| format!(" — {note}"))
            .unwrap_or_default();
        let fires = if rule.fires { "fires" } else { "does not fire" };
        context.output.line(&format!(
            "rule {} {fires}: {}{note}",
            rule.name,
            rule.actions.join(", ")
        ));
    }
}
