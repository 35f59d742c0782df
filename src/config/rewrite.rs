//! A mapping changed in the text of config.toml: only what differs is written, all else keeps its place, comments and order.

use crate::mapping::MappingSpec;
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value};

/// The text with a mapping as `after` has it. `before` is the mapping as the text has it.
///
/// # Errors
/// The text has no such mapping, or no TOML.
pub(super) fn rewrite(
    text: &str,
    name: &str,
    before: &MappingSpec,
    after: &MappingSpec,
) -> Result<String, String> {
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
    let mapping = document
        .get_mut("mappings")
        .and_then(Item::as_table_like_mut)
        .and_then(|mappings| mappings.get_mut(name))
        .and_then(Item::as_table_like_mut)
        .ok_or_else(|| format!("it has no table [mappings.{name}]"))?;
    let (before, after) = (table_of(before)?, table_of(after)?);
    change(mapping, &before, &after, &item);
    Ok(document.to_string())
}

fn table_of(spec: &MappingSpec) -> Result<toml::Table, String> {
    toml::Table::try_from(spec).map_err(|error| error.to_string())
}

/// Writes what differs between two states of a table into its text; `entry` makes one that is new.
fn change(
    text: &mut dyn TableLike,
    before: &toml::Table,
    after: &toml::Table,
    entry: &dyn Fn(&str, &toml::Value) -> Item,
) {
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        text.remove(key);
    }
    for (key, new) in after {
        let old = before.get(key);
        if old == Some(new) {
            continue;
        }
        match text.get_mut(key) {
            None => {
                text.insert(key, entry(key, new));
            }
            Some(item) => change_item(item, old, new),
        }
    }
}

fn change_item(text: &mut Item, old: Option<&toml::Value>, new: &toml::Value) {
    match (old, new) {
        (Some(toml::Value::Table(old)), toml::Value::Table(new)) => {
            if let Some(table) = text.as_table_like_mut() {
                return change(table, old, new, &inline);
            }
        }
        (Some(toml::Value::Array(old)), toml::Value::Array(new)) => {
            if let (Some(tables), Some(old), Some(new)) =
                (text.as_array_of_tables_mut(), tables(old), tables(new))
            {
                return change_tables(tables, &old, &new);
            }
        }
        _ => {}
    }
    // What stands around a value stays: the space before it and the comment behind it.
    match text {
        Item::Value(kept) => {
            let around = kept.decor().clone();
            *kept = value(new);
            *kept.decor_mut() = around;
        }
        other => *other = Item::Value(value(new)),
    }
}

/// Rules, each as what it is, not by its place: one that is changed or moved takes its comments along, one that goes takes them
/// with it, and a new one has none.
fn change_tables(text: &mut ArrayOfTables, old: &[&toml::Table], new: &[&toml::Table]) {
    let pairs = paired(old, new);
    let before: Vec<Table> = text.iter().cloned().collect();
    let kept = pairs.iter().flatten().filter_map(|at| before.get(*at));
    let mut places: Vec<Option<isize>> = kept.map(Table::position).collect();
    if places.is_empty() {
        places.extend(before.iter().map(Table::position).take(1));
    }
    places.sort();
    text.clear();
    for (at, (new, pair)) in new.iter().zip(&pairs).enumerate() {
        let was = pair.and_then(|at| Some((before.get(at)?, old.get(at)?)));
        let mut entry = match was {
            Some((kept, old)) => {
                let mut kept = kept.clone();
                change(&mut kept, old, new, &inline);
                kept
            }
            None => table(new),
        };
        // Where a table stands in the file is its own: those that stay share their places in the new order, and more of
        // them follow the last.
        entry.set_position(places.get(at).or(places.last()).copied().flatten());
        text.push(entry);
    }
}

/// Which of the old rules each new one is: the one of its name, else one that differs in nothing but the name.
fn paired(old: &[&toml::Table], new: &[&toml::Table]) -> Vec<Option<usize>> {
    let nameless = |rule: &toml::Table| {
        let mut rule = rule.clone();
        rule.remove("name");
        rule
    };
    let mut free: Vec<usize> = (0..old.len()).collect();
    let mut take = |is: &dyn Fn(&toml::Table) -> bool| {
        let at = free.iter().position(|at| is(old[*at]))?;
        Some(free.remove(at))
    };
    let mut pairs: Vec<Option<usize>> = new
        .iter()
        .map(|new| take(&|old| old.get("name") == new.get("name")))
        .collect();
    for (pair, new) in pairs.iter_mut().zip(new) {
        if pair.is_none() {
            *pair = take(&|old| nameless(old) == nameless(new));
        }
    }
    pairs
}

fn tables(values: &[toml::Value]) -> Option<Vec<&toml::Table>> {
    values.iter().map(toml::Value::as_table).collect()
}

/// A new entry of a mapping: its fields and rules stand under headers of their own, all else in one line.
fn item(key: &str, new: &toml::Value) -> Item {
    match (key, new) {
        ("fields", toml::Value::Table(entries)) => Item::Table(table(entries)),
        ("rules", toml::Value::Array(entries)) => match tables(entries) {
            Some(tables) => Item::ArrayOfTables(tables.into_iter().map(table).collect()),
            None => inline(key, new),
        },
        _ => inline(key, new),
    }
}

/// A new entry in one line.
fn inline(_: &str, new: &toml::Value) -> Item {
    Item::Value(value(new))
}

fn table(entries: &toml::Table) -> Table {
    let entries = entries.iter();
    entries
        .map(|(key, entry)| (key, Item::Value(value(entry))))
        .collect()
}

fn value(new: &toml::Value) -> Value {
    match new {
        toml::Value::String(text) => Value::from(text.as_str()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Value::from(*number),
        toml::Value::Boolean(yes) => Value::from(*yes),
        toml::Value::Datetime(time) => Value::from(*time),
        toml::Value::Array(entries) => Value::Array(entries.iter().map(value).collect::<Array>()),
        toml::Value::Table(entries) => {
            let entries = entries.iter().map(|(key, entry)| (key, value(entry)));
            Value::InlineTable(entries.collect::<InlineTable>())
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::mapping::{EmailSpec, FieldSpec, OnDelete};
    use crate::model::MappingName;
    use crate::{config::Config, mapping::FieldTable};
    use proptest::prelude::*;
    use std::path::Path;

    const TEXT: &str = r#"# The clinic.
environment = "staging"   # not yet

[highlevel]
location_id = "loc"
token = { env = "GHL" }

[activecampaign]
url = "https://x.api-us1.com"
token = { env = "AC" }

[mappings.visits]
object = "custom_objects.visits"
email = "mail"

[mappings.pets] # all pets
object = "custom_objects.pets"
# Owners know their address.
email = "owner_email"

[mappings.pets.fields]
first_name = "owner_first_name"
# What it is called.
"%PET_NAME%" = "name"   # short
"%WEIGHT_KG%" = "{{ weight }}"
"%TEMPERAMENT%" = { from = "temperament", map = { calm = "Calm" } } # by option

[[mappings.pets.rules]]
name = "adopted"          # stable
when = "status == 'adopted'"
add_tags = ["pet-adopted"]

# Those who left.
[[mappings.pets.rules]]
name = "gone"
when = "status == 'gone'"
remove_tags = ["pet-adopted"]

[tui]
fps = 30
"#;

    fn spec(text: &str) -> MappingSpec {
        let config = Config::parse(text, Path::new("config.toml")).unwrap();
        config.mappings[&MappingName::from("pets")].clone()
    }

    /// The text after a change, which must read as the change wants it.
    fn changed(text: &str, change: impl FnOnce(&mut MappingSpec)) -> String {
        let before = spec(text);
        let mut after = before.clone();
        change(&mut after);
        let text = rewrite(text, "pets", &before, &after).unwrap();
        assert_eq!(spec(&text), after, "{text}");
        text
    }

    fn set(spec: &mut MappingSpec, target: &str, source: &str) {
        let new = FieldSpec::Short(source.to_owned());
        match spec.fields.0.iter_mut().find(|(name, _)| name == target) {
            Some((_, field)) => *field = new,
            None => spec.fields.0.push((target.to_owned(), new)),
        }
    }

    #[test]
    fn nothing_changed_is_the_same_text() {
        assert_eq!(changed(TEXT, |_| {}), TEXT);
    }

    #[test]
    fn a_changed_line_keeps_its_comments_and_all_others() {
        let text = changed(TEXT, |pets| set(pets, "%PET_NAME%", "{{ name | upper }}"));
        let expected = TEXT.replace(
            "\"%PET_NAME%\" = \"name\"   # short",
            "\"%PET_NAME%\" = \"{{ name | upper }}\"   # short",
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn a_new_line_stands_last_among_the_fields_and_a_removed_one_is_gone() {
        let text = changed(TEXT, |pets| {
            set(pets, "phone", "owner_phone");
            pets.fields.0.retain(|(target, _)| target != "%WEIGHT_KG%");
        });
        let expected = TEXT
            .replace("\"%WEIGHT_KG%\" = \"{{ weight }}\"\n", "")
            .replace("# by option\n", "# by option\nphone = \"owner_phone\"\n");
        assert_eq!(text, expected);
    }

    #[test]
    fn a_table_is_changed_in_its_place() {
        let text = changed(TEXT, |pets| {
            let (_, field) = &mut pets.fields.0[3];
            let FieldSpec::Table(table) = field else {
                panic!("a table")
            };
            table.map.0.push(("shy".into(), "Shy".into()));
            table.max_length = Some(40);
        });
        let expected = TEXT.replace(
            "map = { calm = \"Calm\" } }",
            "map = { calm = \"Calm\" , shy = \"Shy\" } , max_length = 40 }",
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn a_rule_that_goes_takes_its_own_lines_along() {
        let text = changed(TEXT, |pets| {
            pets.rules.remove(0);
        });
        assert!(text.contains("# Those who left.\n[[mappings.pets.rules]]\nname = \"gone\""));
        assert!(!text.contains("adopted\"          # stable"));
        let text = changed(TEXT, |pets| pets.rules[0].when = "true".into());
        assert!(text.contains("when = \"true\"\n") && text.contains("# stable"));
    }

    #[test]
    fn a_rule_that_moves_takes_its_comments_along() {
        let text = changed(TEXT, |pets| pets.rules.swap(0, 1));
        let gone = "\n# Those who left.\n[[mappings.pets.rules]]\nname = \"gone\"\n\
            when = \"status == 'gone'\"\nremove_tags = [\"pet-adopted\"]\n";
        let adopted = "\n[[mappings.pets.rules]]\nname = \"adopted\"          # stable\n\
            when = \"status == 'adopted'\"\nadd_tags = [\"pet-adopted\"]\n";
        let both = format!("{adopted}{gone}");
        assert!(TEXT.contains(&both));
        assert_eq!(text, TEXT.replace(&both, &format!("{gone}{adopted}")));
    }

    #[test]
    fn a_new_rule_stands_where_it_was_put_and_has_no_comment_of_another() {
        let mut rule = spec(TEXT).rules[0].clone();
        (rule.name, rule.when) = ("new".into(), "weight > 40".into());
        for at in 0..=2 {
            let text = changed(TEXT, |pets| pets.rules.insert(at, rule.clone()));
            assert!(text.contains("# Those who left.\n[[mappings.pets.rules]]\nname = \"gone\""));
            assert!(text.contains("name = \"adopted\"          # stable\n"));
            let names = text.lines().filter(|line| line.starts_with("name = "));
            assert!(names.clone().nth(at).unwrap().contains("\"new\""), "{text}");
            assert!(text.ends_with("[tui]\nfps = 30\n"), "{text}");
        }
        // In place of another: that one's comments are not the new one's.
        let text = changed(TEXT, |pets| pets.rules[1] = rule.clone());
        assert!(!text.contains("Those who left"), "{text}");
        // Rules before the fields stay before them.
        let (head, rest) = TEXT.split_once("[mappings.pets.fields]").unwrap();
        let (fields, rest) = rest.split_once("\n[[mappings.pets.rules]]").unwrap();
        let (rules, tail) = rest.split_once("[tui]").unwrap();
        let early = format!(
            "{head}[[mappings.pets.rules]]{rules}[mappings.pets.fields]{fields}\n[tui]{tail}"
        );
        let text = changed(&early, |pets| pets.rules.insert(0, rule.clone()));
        let at = |part: &str| text.find(part).unwrap();
        assert!(at("\"new\"") < at("\"adopted\"") && at("\"gone\"") < at("[mappings.pets.fields]"));
    }

    #[test]
    fn a_renamed_rule_keeps_its_comments() {
        let text = changed(TEXT, |pets| pets.rules[1].name = "left".into());
        assert_eq!(text, TEXT.replace("name = \"gone\"", "name = \"left\""));
    }

    #[test]
    fn a_mapping_without_fields_or_rules_gets_them_under_headers() {
        let bare = TEXT
            .split("[mappings.pets.fields]")
            .next()
            .unwrap()
            .to_owned()
            + "[tui]\n";
        let rule = spec(TEXT).rules[0].clone();
        let text = changed(&bare, |pets| {
            set(pets, "%PET_NAME%", "name");
            pets.rules.push(rule);
        });
        assert!(text.contains("[mappings.pets.fields]\n\"%PET_NAME%\" = \"name\"\n"));
        assert!(text.contains("[[mappings.pets.rules]]\nname = \"adopted\"\n"));
    }

    #[test]
    fn settings_of_the_mapping_change_beside_its_fields() {
        let text = changed(TEXT, |pets| {
            pets.email = EmailSpec::Association("pet_owner".into());
            pets.on_delete = OnDelete::Unsubscribe;
            pets.enabled = false;
        });
        assert!(
            text.contains("email = { association = \"pet_owner\" }\n"),
            "{text}"
        );
        let text = changed(&text, |pets| pets.enabled = true);
        assert!(!text.contains("enabled"));
    }

    #[test]
    fn other_spellings_of_tables_are_kept() {
        let inline = TEXT.split("[mappings.pets]").next().unwrap().to_owned()
            + "[mappings]\npets = { object = \"pets\", email = \"e\", fields = { first_name = \"a\" } }\n";
        let text = changed(
            &inline.replace(
                "[mappings.visits]\nobject = \"custom_objects.visits\"\nemail = \"mail\"\n",
                "",
            ),
            |pets| set(pets, "phone", "p"),
        );
        assert!(text.contains("fields = { first_name = \"a\""), "{text}");
        let dotted = TEXT.replace(
            "[mappings.pets.fields]\nfirst_name = \"owner_first_name\"\n",
            "[mappings.pets.fields.first_name]\nfrom = \"owner_first_name\"\n[mappings.pets.fields]\n",
        );
        let text = changed(&dotted, |pets| set(pets, "first_name", "first"));
        assert!(!text.contains("owner_first_name"), "{text}");
    }

    #[test]
    fn a_mapping_that_is_gone_is_told() {
        let spec = spec(TEXT);
        let error = rewrite(TEXT, "cats", &spec, &spec).unwrap_err();
        assert!(error.contains("[mappings.cats]"), "{error}");
    }

    fn field() -> impl Strategy<Value = FieldSpec> {
        prop_oneof![
            "\\PC{1,20}".prop_map(FieldSpec::Short),
            (
                "\\PC{1,20}",
                proptest::option::of("\\PC{0,9}"),
                any::<bool>()
            )
                .prop_map(|(from, default, truncate)| FieldSpec::Table(FieldTable {
                    from: Some(from),
                    default,
                    truncate,
                    ..FieldTable::default()
                })),
        ]
    }

    proptest! {
        /// Whatever is put into a mapping, the text reads as it, and the other mapping as before.
        #[test]
        fn what_is_written_is_what_is_read(
            fields in proptest::collection::btree_map("[a-zA-Z%. ü\"']{1,12}", field(), 0..6),
            when in "\\PC{0,30}",
            rules in 0_usize..4,
        ) {
            let before = spec(TEXT);
            let mut after = before.clone();
            after.fields.0 = fields.into_iter().collect();
            let rule = crate::mapping::RuleSpec { when, ..before.rules[0].clone() };
            after.rules = vec![rule; rules];
            let text = rewrite(TEXT, "pets", &before, &after).unwrap();
            let read: toml::Table = toml::from_str(&text).unwrap();
            let wanted: toml::Table = toml::from_str(TEXT).unwrap();
            prop_assert_eq!(&read["mappings"]["visits"], &wanted["mappings"]["visits"]);
            let pets = read["mappings"]["pets"].clone();
            let mut pets: MappingSpec = pets.try_into().unwrap();
            // New lines stand behind those that stay.
            pets.fields.0.sort_by(|a, b| a.0.cmp(&b.0));
            prop_assert_eq!(pets, after);
        }
    }
}
