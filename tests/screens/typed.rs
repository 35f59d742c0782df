//! What a person typed is taken at its word, and never lost by one key.

use super::driver::Driver;
use super::shape::left_with;
use super::world::Mood;
use tramline::model::Level;
use tramline::tui::effect::Effect;
use tramline::tui::event::Event;
use tramline::tui::request::Request;

fn listed(driver: &Driver) -> Vec<&str> {
    let asked = driver.asked.iter().filter_map(|request| match request {
        Request::Jobs { query, .. } => Some(query.filter.as_str()),
        _ => None,
    });
    asked.collect()
}

#[test]
fn the_place_of_a_filters_fault_is_that_in_what_was_typed() {
    // The state in view is no part of what is typed.
    for state in ["", "\t", "\t\t"] {
        let driver = Driver::after(&format!("4{state}/age>1h stat:x\n"));
        let text = driver.text(80, 24);
        assert!(text.contains("character 8: unknown key stat"), "{text}");
    }
    // Nothing is asked that cannot be answered, and there is no command for it.
    let mut driver = left_with(Mood::Normal, "Queue", "colour:red");
    assert!(!listed(&driver).iter().any(|filter| filter.contains(':')));
    driver.asked.clear();
    driver.wait(5_000);
    driver.keys("R\t\t");
    assert!(driver.said().contains("unknown key colour"));
    let bulk = |r: &Request| matches!(r, Request::Count(_));
    assert_eq!(listed(&driver), [""; 0]);
    assert!(!driver.asked.iter().any(bulk), "{:?}", driver.asked);
    driver.keys("C");
    let copied = |e: &Effect| matches!(e, Effect::Copy { text, .. } if text.contains("colour"));
    assert!(!driver.effects.iter().any(copied));
    // One that is mended is asked at once.
    driver.keys("/\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}age>1h\n");
    assert!(
        listed(&driver)
            .iter()
            .any(|filter| filter.ends_with("age>1h"))
    );
}

#[test]
fn a_filter_that_cannot_be_read_is_not_saved() {
    for tab in ["Queue", "Activity"] {
        let mut driver = left_with(Mood::Normal, tab, "colour:red");
        driver.keys("F");
        let text = driver.text(80, 24);
        assert!(!text.contains("save the filter in force"), "{text}");
        assert!(driver.said().contains("cannot be read, nor saved"));
        driver.keys("save\n");
        let saves = |r: &Request| matches!(r, Request::SaveFilter(_));
        assert!(!driver.asked.iter().any(saves));
    }
}

#[test]
fn a_state_that_is_typed_wins_over_the_one_in_view() {
    let mut driver = Driver::after("4\t");
    driver.asked.clear();
    driver.keys("/state:failed\n");
    assert_eq!(listed(&driver).last(), Some(&"state:failed"));
    let text = driver.text(120, 40);
    assert!(text.contains("/state:failed"), "{text}");
    assert!(
        driver.said().contains("not of those that are ready"),
        "{}",
        driver.said()
    );
    // A state chosen after it is said to be none, too.
    driver.asked.clear();
    driver.keys("\t");
    assert_eq!(listed(&driver), ["state:failed"]);
    assert!(driver.said().contains("names states itself"));
}

#[test]
fn the_queue_follows_a_filter_as_it_is_typed_and_is_what_it_was_when_it_is_dropped() {
    let mut driver = Driver::after("4jj");
    let row = |driver: &Driver| {
        let text = driver.text(120, 40);
        let row = text.lines().find(|line| line.contains('▶'));
        row.map(str::to_owned)
    };
    let before = row(&driver);
    driver.asked.clear();
    driver.keys("/own");
    assert_eq!(listed(&driver), ["own"], "short texts are not looked for");
    driver.keys("er3 mapp");
    assert_eq!(
        listed(&driver),
        ["own", "owne", "owner", "owner3"],
        "what may become a key is not asked for"
    );
    driver.keys("\u{1b}");
    assert_eq!(listed(&driver).last(), Some(&""));
    assert_eq!(row(&driver), before, "the cursor is on its job again");
    // What is taken is listed already.
    driver.asked.clear();
    driver.keys("/owner3");
    driver.asked.clear();
    driver.keys("\n");
    assert_eq!(listed(&driver), [""; 0]);
    assert!(driver.text(120, 40).contains("/owner3"));
    let command = "tramline queue list --filter owner3";
    driver.keys("C");
    let copied = |e: &Effect| matches!(e, Effect::Copy { text, .. } if text.contains(command));
    assert!(driver.effects.iter().any(copied), "{:?}", driver.effects);
}

#[test]
fn a_form_that_is_left_begins_with_what_was_typed_when_it_is_opened_again() {
    let mut driver = Driver::after("2aRexona\u{1b}");
    assert!(!driver.app.has_overlay(), "esc leaves");
    driver.keys("a");
    let text = driver.text(80, 24);
    assert!(
        text.contains("Rexona") && text.contains("ctrl-r undo"),
        "{text}"
    );
    assert!(driver.said().contains("ctrl-r takes it out"));
    driver.ctrl('r');
    let text = driver.text(80, 24);
    assert!(
        !text.contains("Rexona") && !text.contains("ctrl-r undo"),
        "{text}"
    );
    // What was taken out is not kept, and another form is another one.
    driver.keys("\u{1b}a");
    assert!(!driver.text(80, 24).contains("Rexona"));
    driver.keys("Bello\u{1b}e");
    assert!(!driver.text(80, 24).contains("Bello"));
    driver.keys("\u{1b}a");
    assert!(driver.text(80, 24).contains("Bello"));
    // What is saved is done with.
    driver.keys("\na");
    assert!(!driver.text(80, 24).contains("Bello"));
}

#[test]
fn a_form_left_while_its_answer_is_awaited_is_kept_only_if_the_answer_is_no() {
    for (mood, kept) in [(Mood::Broken, true), (Mood::Normal, false)] {
        let mut driver = Driver::after("2e");
        driver.silent = true;
        driver.keys("ona\n\u{1b}");
        assert!(!driver.app.has_overlay());
        driver.mood = mood;
        driver.speak();
        driver.mood = Mood::Normal;
        driver.keys("e");
        let text = driver.text(80, 24);
        assert_eq!(text.contains("ctrl-r undo"), kept, "{mood:?}: {text}");
    }
}

#[test]
fn a_form_that_is_being_written_is_not_written_twice_and_waits_for_its_own_answer() {
    let mut driver = Driver::after("2a");
    driver.silent = true;
    driver.keys("Rexona\n\u{1b}a\n\n");
    let creates = |driver: &Driver| {
        let of = |r: &&Request| matches!(r, Request::Create(..));
        driver.asked.iter().filter(of).count()
    };
    assert_eq!(creates(&driver), 1);
    assert!(driver.said().contains("this is being written still"));
    // Another one is written meanwhile: its answer is not the first one's.
    driver.keys("\u{1b}e");
    driver.keys("Q\n");
    driver.speak();
    assert!(!driver.app.has_overlay(), "{}", driver.text(80, 24));
    driver.keys("a");
    assert!(!driver.text(80, 24).contains("Rexona"), "it is written");
}

#[test]
fn a_rule_and_a_template_are_kept_too() {
    for (keys, again) in [("3raold\twe\u{1b}", "a"), ("3jtXYZ\u{1b}", "t")] {
        let mut driver = Driver::after(keys);
        driver.keys(again);
        let text = driver.text(80, 24);
        assert!(text.contains("old") || text.contains("XYZ"), "{text}");
        assert!(driver.said().contains("ctrl-r takes it out"));
        let tried = |r: &&Request| matches!(r, Request::Trial(..) | Request::TryRule(..));
        assert!(
            driver.asked.iter().filter(tried).count() > 1,
            "the sample goes by it"
        );
        driver.ctrl('r');
        let text = driver.text(80, 24);
        assert!(!text.contains("XYZ") && !text.contains(" old"), "{text}");
    }
}

#[test]
fn a_message_covers_nothing_of_a_window() {
    let long =
        "the worker cannot reach the account, tries again by itself and says so in many words "
            .repeat(3);
    for keys in ["2a", "2c", "3r\n", "2D", "5a", "4?", "2:"] {
        for (width, height) in [(80, 24), (60, 16), (120, 40)] {
            let mut driver = Driver::after(keys);
            let before = driver.text(width, height);
            driver.event(Event::Note(Level::Warning, "one line".into()));
            let with = driver.text(width, height);
            assert!(with.contains("! one line"), "{keys}: {with}");
            let screen = usize::from(height) - 3;
            for (one, other) in before.lines().zip(with.lines()).take(screen) {
                assert_eq!(one, other, "{keys}");
            }
            // A longer one takes lines of its own, which the window gives up.
            driver.event(Event::Note(Level::Warning, long.clone()));
            let with = driver.text(width, height);
            let first = with
                .lines()
                .position(|line| line.contains("! the worker"))
                .unwrap();
            let frame = |line: &&str| line.contains("──────") || line.contains("│");
            let window = with.lines().take(screen + 1).skip(2);
            let last = window
                .enumerate()
                .filter(|(_, line)| frame(line))
                .map(|(at, _)| at + 2)
                .last();
            assert!(last.unwrap() < first, "{keys} {width}: {with}");
        }
    }
}

#[test]
fn a_message_covers_nothing_of_what_is_offered_for_a_filter() {
    let mut driver = Driver::after("4/");
    driver.event(Event::Note(
        Level::Warning,
        "a word that takes much of a narrow line, or even all of it".into(),
    ));
    let text = driver.text(80, 24);
    for part in ["state:", "reason:", "class:", "! a word that"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
