//! The control room.
use crate::operations::Operations;
/// Options.
pub struct Options;
/// Runs it.
pub async fn run(_operations: Operations, _options: Options) -> anyhow::Result<()> {
    Ok(())
}
