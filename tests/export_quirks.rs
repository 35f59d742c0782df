//! Where the fact sheets call a behaviour unknown or contradictory, the contacts end the same either way.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use support::expectation::{self, Person};
use support::{House, PETS, assert_export, count, options, side_by_side};
use tramline::sandbox::{Options, PageWithSearchAfter, Quirks, Sort};

/// More rows than page mode reaches here.
const ROWS: usize = 750;
const REACH: usize = 300;

fn walk(what: &str, change: impl FnOnce(&mut Quirks)) -> House {
    let house = House::quirky(ROWS, |quirks| {
        quirks.page_reach = REACH;
        change(quirks);
    });
    let summary = assert_export(&house, what);
    assert_eq!(count(&summary, "read"), ROWS as u64, "{what}: {summary}");
    house
}

#[test]
fn page_beside_a_cursor_ignored_rejected_or_required() {
    for quirk in [
        PageWithSearchAfter::Ignore,
        PageWithSearchAfter::Reject,
        PageWithSearchAfter::Require,
    ] {
        walk(&format!("{quirk:?}"), |quirks| {
            quirks.page_with_search_after = quirk;
        });
    }
}

#[test]
fn sort_honoured_ignored_or_rejected() {
    side_by_side([Sort::Honour, Sort::Ignore, Sort::Reject], |sort| {
        walk(&format!("sort {sort:?}"), |quirks| quirks.sort = sort);
        walk(&format!("sort {sort:?}, page rejected"), |quirks| {
            quirks.sort = sort;
            quirks.page_with_search_after = PageWithSearchAfter::Reject;
        });
    });
}

/// The record that wins a contact stands pages behind the one that loses it.
#[test]
fn without_an_order_a_second_export_writes_nothing() {
    for sort in [Sort::Honour, Sort::Ignore, Sort::Reject] {
        let house = House::quirky(400, |quirks| quirks.sort = sort);
        let records = house.control.records(PETS);
        for (loser, winner) in [(5, 395), (390, 10), (120, 130)] {
            for place in [loser, winner] {
                let email = format!("pair.{loser}@example.com");
                let id = &records[place].id;
                house
                    .control
                    .set_property(PETS, id, "owner_email", email.into());
            }
        }
        assert_export(&house, &format!("{sort:?}"));
        let seq = house.now();
        let (again, _) = house.export(&[]);
        assert_eq!(count(&again, "synced"), 0, "{sort:?}: {again}");
        let writes = house.writes_since(seq);
        assert!(writes.is_empty(), "{sort:?}: {writes:#?}");
    }
}

#[test]
fn smaller_pages_and_other_shapes_of_records() {
    walk("50 rows a page", |quirks| quirks.max_page_limit = 50);
    walk("properties as a string", |quirks| {
        quirks.properties_as_string = true
    });
    walk("numbers as strings", |quirks| {
        quirks.numbers_as_strings = true
    });
}

#[test]
fn imports_that_name_updated_contacts_and_that_do_not() {
    let all = [(true, true), (true, false), (false, true), (false, false)];
    side_by_side(all, |(named, side_loads)| {
        let what = format!("named {named}, side loads {side_loads}");
        let house = House::quirky(ROWS, |quirks| {
            quirks.success_names_updated = named;
            quirks.include_side_loads = side_loads;
        });
        assert_export(&house, &what);
        // Every contact exists now: all of them are updates.
        let (full, _) = house.export(&["--full"]);
        assert!(count(&full, "synced") > 700, "{what}: {full}");
        house.assert_no_violation();
    });
}

#[test]
fn a_date_is_cleared_where_an_empty_value_does_not_clear_it() {
    for clears in [true, false] {
        let house = House::quirky(60, |quirks| quirks.empty_date_clears = clears);
        house.edit_config(
            r#""%BORN%" = "born""#,
            r#""%BORN%" = { from = "born", empty = "clear" }"#,
        );
        house.export(&[]);
        let (id, email) = house
            .control
            .records(PETS)
            .into_iter()
            .find_map(|record| {
                let email = record.properties.get("owner_email")?.as_str()?.to_owned();
                let born = record.properties.get("born")?;
                let contact = house.control.contact(&email)?;
                (contact.fields.get("BORN")? == born.as_str()?).then_some((record.id, email))
            })
            .unwrap();
        house.control.remove_property(PETS, &id, "born");
        let (summary, ran) = house.export(&[]);
        let contact = house.control.contact(&email).unwrap();
        assert!(
            !contact.fields.contains_key("BORN"),
            "clears {clears}: {summary}"
        );
        assert_eq!(count(&summary, "synced"), 1, "{summary}");
        assert_eq!(ran.code, Some(3), "{ran:#?}");
        house.assert_no_violation();
    }
}

/// The values that come by association, by e-mail.
fn visits(house: &House) -> Vec<(String, Vec<Option<String>>)> {
    let tags = ["VISIT_REASON", "VISIT_COST", "CLINIC"];
    expectation::contacts(&house.control)
        .into_iter()
        .map(|(email, Person { fields, .. })| {
            (email, tags.map(|tag| fields.get(tag).cloned()).to_vec())
        })
        .filter(|(_, values)| values.iter().any(Option::is_some))
        .collect()
}

#[test]
fn relations_inside_records_or_asked_for() {
    let ended = [true, false].map(|inside| {
        let house = House::quirky(600, |quirks| quirks.relations_in_records = inside);
        let ran = house.run(&["--json", "export", "visits"]);
        let summary = ran.summary();
        assert_eq!(
            (ran.code, count(&summary, "failed")),
            (Some(0), 0),
            "{ran:#?}"
        );
        assert_eq!(count(&summary, "read"), 60);
        house.assert_no_violation();
        visits(&house)
    });
    assert!(ended[0].len() > 50, "{}", ended[0].len());
    assert_eq!(ended[0], ended[1]);
}

/// A client that asks too fast, because its configuration says so: it hears rate-limit answers, and ends well.
#[test]
fn rate_limit_answers_of_every_kind() {
    type Kind = (&'static str, fn(&mut Quirks));
    let kinds: [Kind; 3] = [
        ("429 with Retry-After", |_| {}),
        ("429 without Retry-After", |quirks| {
            quirks.retry_after = false
        }),
        ("503", |quirks| quirks.throttle_status = 503),
    ];
    side_by_side(kinds, |(what, change)| {
        let mut options = Options {
            limits: true,
            ..options(30)
        };
        // A client that reads the headers would slow down in time.
        options.quirks.rate_headers = false;
        change(&mut options.quirks);
        let house = House::with(options);
        house.edit_config(
            "[activecampaign]",
            "[activecampaign]\nrate = { requests = 1000, per = \"1s\" }",
        );
        // Clears go one by one, so that there are calls enough.
        for record in house.control.records(PETS) {
            house.control.remove_property(PETS, &record.id, "chip");
        }
        let summary = assert_export(&house, what);
        assert!(
            house.control.stats().throttled > 0,
            "{what}: nothing was throttled"
        );
        // A bare 503 may as well be a server that fails.
        assert_eq!(
            count(&summary, "throttled") > 0,
            what != "503",
            "{what}: {summary}"
        );
    });
}

#[test]
fn a_refused_import_is_mended_wherever_it_counts_from() {
    for base in [0, 1] {
        let house = House::quirky(400, |quirks| quirks.failure_index_base = base);
        // Addresses that pass here and are refused there.
        for (at, record) in house
            .control
            .records(PETS)
            .iter()
            .enumerate()
            .filter(|(at, _)| at % 90 == 7)
        {
            let email = format!("\"odd {at}\"@example.com");
            house
                .control
                .set_property(PETS, &record.id, "owner_email", email.into());
        }
        let before = expectation::contacts(&house.control);
        let expected = expectation::pets(&house.control, &before);
        let (summary, ran) = house.export(&[]);
        assert_eq!(ran.code, Some(3), "{ran:#?}");
        let found = expectation::contacts(&house.control);
        for (email, person) in expected
            .contacts
            .iter()
            .filter(|(email, _)| !email.contains('"'))
        {
            assert_eq!(
                found.get(email),
                Some(person),
                "base {base}: contact {email}, {summary}"
            );
        }
        assert!(count(&summary, "failed") >= expected.failed, "{summary}");
    }
}
