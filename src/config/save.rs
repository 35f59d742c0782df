//! config.toml written by the program: at once or not at all, and only over what the person saw.

use super::rewrite::rewrite;
use super::{Config, ConfigError};
use crate::mapping::MappingSpec;
use crate::model::MappingName;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

impl Config {
    /// Writes a mapping into its file, which keeps comments, order, owner's permissions and every other line; it is on disk when
    /// this returns. `before` is the mapping as the person saw it.
    ///
    /// # Errors
    /// The file says something else by now, cannot be written, or could not be read with the change: it stays as it is.
    pub fn save_mapping(
        path: &Path,
        name: &MappingName,
        before: &MappingSpec,
        after: &MappingSpec,
    ) -> Result<(), ConfigError> {
        let fault = |message: String, remedy: &str| ConfigError {
            path: path.to_owned(),
            line: None,
            key: Some(format!("mappings.{name}")),
            message,
            remedy: Some(remedy.to_owned()),
        };
        let by_hand = "change it in an editor";
        let now = Self::read(path)?;
        if now.mappings.get(name) != Some(before) {
            return Err(fault(
                "the file says something else by now; nothing was written".to_owned(),
                "read it again, and change that",
            ));
        }
        let unwritten = |error: std::io::Error| {
            fault(
                format!("cannot be written: {error}"),
                "check the folder's permissions and the disk's space",
            )
        };
        // A link stays one: what it leads to is replaced.
        let file = fs::canonicalize(path).map_err(unwritten)?;
        let text = fs::read_to_string(&file).map_err(unwritten)?;
        let text = rewrite(&text, name.as_str(), before, after)
            .map_err(|error| fault(format!("cannot be changed: {error}"), by_hand))?;
        let read = Self::parse(&text, path)?;
        if read.mappings.get(name) != Some(after) {
            return Err(fault(
                "the change cannot be put into the file as it is written; it stays as it is"
                    .to_owned(),
                by_hand,
            ));
        }
        replace(&file, &text).map_err(unwritten)
    }
}

fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // In the same folder, so that it can take the other's place at once.
    let mut file = tempfile::Builder::new()
        .prefix(".tramline-config-")
        .tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file()
        .set_permissions(fs::metadata(path)?.permissions())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|failed| failed.error)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::mapping::FieldSpec;
    use std::os::unix::fs::PermissionsExt;

    const TEXT: &str = "[highlevel]\nlocation_id = \"l\"\ntoken = { env = \"A\" }\n\
        [activecampaign]\nurl = \"https://x.api-us1.com\"\ntoken = { env = \"B\" }\n\
        [mappings.pets]\nobject = \"pets\"\nemail = \"mail\"\n[mappings.pets.fields]\nphone = \"tel\" # by day\n";

    fn pets(path: &Path) -> MappingSpec {
        Config::read(path).unwrap().mappings[&MappingName::from("pets")].clone()
    }

    #[test]
    fn a_mapping_is_written_once_and_never_over_somebody_elses_change() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (
            folder.path().join("real.toml"),
            folder.path().join("config.toml"),
        );
        fs::write(&file, TEXT).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let (name, before) = (MappingName::from("pets"), pets(&link));
        let mut after = before.clone();
        after.fields.0[0].1 = FieldSpec::Short("mobile".into());
        Config::save_mapping(&link, &name, &before, &after).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text, TEXT.replace("tel", "mobile"));
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o640
        );
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let again = Config::save_mapping(&link, &name, &before, &after).unwrap_err();
        assert!(again.message.contains("something else"), "{again}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_could_not_be_read_again_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        fs::write(&file, TEXT).unwrap();
        let (name, before) = (MappingName::from("pets"), pets(&file));
        let mut after = before.clone();
        after.schedule = Some("not a time".into());
        let error = Config::save_mapping(&file, &name, &before, &after).unwrap_err();
        assert!(error.to_string().contains("schedule"), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), TEXT);
    }
}
