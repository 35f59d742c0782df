//! Contact fields of the ActiveCampaign account.

use super::audit::Act;
use super::{Done, Operations};
use crate::model::{ConnectionName, ContactField, ErrorClass, NewField, Problem};

impl Operations {
    /// All contact fields of the ActiveCampaign account.
    pub async fn contact_fields(&self, connection: &ConnectionName) -> Done<Vec<ContactField>> {
        Ok(self.person(connection)?.fields().await?.as_ref().clone())
    }

    /// Creates a contact field, shows it in all lists, and adds its options. A field that an earlier try made and did not
    /// finish is finished: it has the same title and type, and no list or no options.
    ///
    /// # Errors
    /// `--read-only`; something about the field is wrong; its title or tag is another field's; a call failed: then the message
    /// says what was done and what remains.
    pub async fn create_contact_field(
        &self,
        connection: &ConnectionName,
        new: &NewField,
    ) -> Done<ContactField> {
        self.writable()?;
        let title = new.title.trim().to_owned();
        let tag = new.tag.as_deref().map(|tag| tag.trim().trim_matches('%'));
        let new = NewField {
            tag: tag.map(str::to_owned),
            title,
            ..new.clone()
        };
        new.check()?;
        let account = self.person(connection)?;
        // Read anew: the account refuses a second title, but a second tag it would change in silence.
        let fields = account.activecampaign.fields().await?;
        let half_made = unfinished(&new, &fields)?.cloned();
        let doing = async {
            let client = &account.activecampaign;
            Ok(match half_made {
                Some(made) => client.finish_field(made, &new.options).await?,
                None => client.create_field(&new).await?,
            })
        };
        let act = Act::new("contact field create", &new.title).of(connection);
        let result = self.audited(act, doing, |_| Some(1)).await;
        // Half a field is there too.
        account.forget().await;
        result
    }
}

/// The field that an earlier try made and did not finish.
///
/// # Errors
/// The title or the tag is that of a field that is whole, or is another one.
fn unfinished<'a>(
    new: &NewField,
    fields: &'a [ContactField],
) -> Result<Option<&'a ContactField>, Problem> {
    let has_tag = |field: &ContactField| {
        let wanted = new.tag.as_deref();
        wanted.is_some_and(|tag| field.tag.eq_ignore_ascii_case(tag))
    };
    let told = |field: &ContactField| format!("%{}%, {}", field.tag, field.kind.as_str());
    let Some(same) = fields.iter().find(|field| field.title == new.title) else {
        return match fields.iter().find(|field| has_tag(field)) {
            None => Ok(None),
            Some(other) => Err(Problem::new(
                ErrorClass::Invalid,
                format!("it is the tag of \"{}\" ({})", other.title, told(other)),
            )
            .field("tag")
            .remedy("choose another tag, or map to that field")),
        };
    };
    let lacks = !same.listed || (same.options.is_empty() && !new.options.is_empty());
    if lacks && same.kind == new.kind && (new.tag.is_none() || has_tag(same)) {
        return Ok(Some(same));
    }
    let message = format!("there is a contact field of this title: {}", told(same));
    Err(Problem::new(ErrorClass::Invalid, message)
        .field("title")
        .remedy("choose another title, or map to that field"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::{FieldId, FieldKind, FieldOption};

    #[test]
    fn only_what_an_earlier_try_left_half_done_is_gone_on_with() {
        let option = FieldOption {
            value: "Calm".into(),
            label: "Calm".into(),
        };
        let field = |listed, options: &[FieldOption]| ContactField {
            id: FieldId::new("7"),
            tag: "TEMPER".into(),
            title: "Temper".into(),
            kind: FieldKind::Dropdown,
            options: options.to_vec(),
            listed,
        };
        let new = |title: &str, tag: Option<&str>, kind| NewField {
            title: title.into(),
            tag: tag.map(str::to_owned),
            kind,
            options: vec!["Calm".into()],
        };
        let temper = new("Temper", Some("temper"), FieldKind::Dropdown);
        for half in [
            field(false, std::slice::from_ref(&option)),
            field(false, &[]),
            field(true, &[]),
        ] {
            let fields = [half];
            assert_eq!(unfinished(&temper, &fields), Ok(Some(&fields[0])));
        }
        let whole = [field(true, &[option])];
        let at = |result: Result<_, Problem>| result.unwrap_err().field.unwrap();
        assert_eq!(at(unfinished(&temper, &whole)), "title");
        let half = [field(false, &[])];
        let radio = new("Temper", None, FieldKind::Radio);
        assert_eq!(at(unfinished(&radio, &half)), "title", "of another type");
        let other = new("Temper", Some("MOOD"), FieldKind::Dropdown);
        assert_eq!(at(unfinished(&other, &half)), "title", "of another tag");
        let taken = new("Mood", Some("TEMPER"), FieldKind::Dropdown);
        assert_eq!(at(unfinished(&taken, &half)), "tag");
        let fresh = new("Mood", None, FieldKind::Dropdown);
        assert_eq!(unfinished(&fresh, &half), Ok(None));
    }
}
