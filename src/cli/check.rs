//! `tramline check`

use super::{Context, Exit};
use crate::model::{Finding, Level, Problem};

pub async fn run(context: &Context) -> Result<Exit, Problem> {
    let operations = context.open(false).await?;
    let findings = operations.check().await;
    operations.close().await;
    print(context, &findings);
    Ok(
        if findings.iter().any(|finding| finding.level == Level::Error) {
            Exit::Failed
        } else {
            Exit::Done
        },
    )
}

/// Findings as lines: a mark, the item, the message, the remedy beneath.
pub fn print(context: &Context, findings: &[Finding]) {
    for finding in findings {
        if context.output.is_json() {
            context.output.document(finding);
            continue;
        }
        let mark = match finding.level {
            Level::Ok => "✓",
            Level::Warning => "!",
            Level::Error => "✗",
        };
        context
            .output
            .line(&format!("{mark} {}: {}", finding.item, finding.message));
        if let Some(remedy) = &finding.remedy {
            context.output.line(&format!("    → {remedy}"));
        }
    }
}
