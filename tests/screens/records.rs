//! The records screen: columns, sort, filter, selection, and the view into a file.

use super::driver::{Driver, session};
use super::world::{self, Mood};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tramline::model::Record;
use tramline::operations::records::file::{Filed, Format, RecordFile, Rows};
use tramline::operations::records::{RecordList, RecordOrder};
use tramline::tui::effect::Effect;
use tramline::tui::event::Event;
use tramline::tui::request::{Reply, Request};
use tramline::tui::slots::Slot;
use tramline::tui::theme::ThemeName;

fn at(keys: &str) -> Driver {
    let mut driver = Driver::new(Mood::Normal).start();
    driver.frame(120, 40);
    driver.keys("2");
    driver.frame(120, 40);
    driver.asked.clear();
    type_keys(&mut driver, keys);
    driver
}

/// Presses keys, and draws after each as a terminal would.
fn type_keys(driver: &mut Driver, keys: &str) {
    for key in keys.chars() {
        driver.keys(&key.to_string());
        driver.frame(120, 40);
    }
}

fn shifted(driver: &mut Driver, code: KeyCode) {
    driver.event(Event::Key(KeyEvent::new(code, KeyModifiers::SHIFT)));
}

fn right(driver: &mut Driver, times: usize) {
    for _ in 0..times {
        driver.press(KeyCode::Right);
        driver.frame(120, 40);
    }
}

/// The line with the headings.
fn headings(driver: &Driver) -> String {
    driver.text(200, 60).lines().nth(3).unwrap().to_owned()
}

fn title(driver: &Driver) -> String {
    driver.text(160, 40).lines().nth(2).unwrap().to_owned()
}

/// The cells of a column, from the first row on.
fn cells(driver: &Driver, heading: &str) -> Vec<String> {
    let text = driver.text(200, 60);
    let mut lines = text.lines().skip(3);
    let head = lines.next().unwrap();
    // Columns are counted by characters; the columns looked at here stand before any wide one.
    let from = head.split(heading).next().unwrap().chars().count();
    let from = from.saturating_sub(6);
    let cell = |line: &str| line.chars().skip(from).take(heading.len() + 12).collect();
    lines.take(5).map(cell).collect()
}

/// All records there are, in answer to the question for the first page.
fn answer_records(driver: &mut Driver, records: Vec<Record>, sorted: bool) {
    let (slot, generation) = driver.waiting(|r| matches!(r, Request::Records { .. }));
    let list = RecordList {
        total: Some(records.len() as u64),
        records,
        sorted,
        next: None,
    };
    let reply = Reply::Records {
        page: 0,
        result: Ok(list),
    };
    driver.answer((slot, generation), reply);
}

fn files(driver: &Driver) -> Vec<RecordFile> {
    let asked = driver.asked.iter();
    asked
        .filter_map(|request| match request {
            Request::FileRecords(file) => Some((**file).clone()),
            _ => None,
        })
        .collect()
}

fn columns_of(file: &RecordFile) -> Vec<&str> {
    file.columns.iter().map(|column| column.heading()).collect()
}

fn read(file: &RecordFile) -> usize {
    match &file.rows {
        Rows::These(records) => records.len(),
        Rows::All { .. } => panic!("all"),
    }
}

fn view_of(driver: &Driver) -> String {
    let views = driver.effects.iter().rev();
    let mut views = views.filter_map(|effect| match effect {
        Effect::Remember(view) => Some(view.clone()),
        _ => None,
    });
    views.next().unwrap()
}

/// A room that begins with a remembered view.
fn restored(view: &str) -> Driver {
    let mut next = Driver::new(Mood::Normal);
    for effect in next.app.start() {
        if let Effect::Ask {
            slot,
            generation,
            request,
        } = effect
        {
            let reply = match slot {
                Slot::Remembered => Reply::Remembered(Ok(Some(view.to_owned()))),
                _ => world::answer(Mood::Normal, request),
            };
            next.answer((slot, generation), reply);
        }
    }
    next.frame(120, 40);
    next
}

#[test]
fn x_writes_what_is_read_and_says_where() {
    let mut driver = at("x");
    let text = driver.text(120, 40);
    for said in [
        "100 read",
        "all 230",
        "CSV",
        "JSON lines",
        "/home/jo/pets.csv",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    driver.keys("\n");
    let file = files(&driver).remove(0);
    assert_eq!(
        (read(&file), file.format, file.overwrite),
        (100, Format::Csv, false)
    );
    assert_eq!(file.path, "/home/jo/pets.csv");
    let columns = columns_of(&file);
    assert_eq!(columns[..3], ["name", "owner_email", "status"]);
    assert!(columns.contains(&"notes.garden") && columns.ends_with(&["updated_at"]));
    assert!(!driver.app.has_overlay());
    assert!(driver.app.toasts()[0].contains("100 records in /home/jo/pets.csv"));
    driver.keys("C");
    let twin = driver.effects.iter().find_map(|effect| match effect {
        Effect::Copy { text, .. } => Some(text.clone()),
        _ => None,
    });
    let twin = twin.unwrap();
    assert!(
        twin.starts_with("tramline records list pets --limit 100 --format csv --columns name,")
    );
    assert!(twin.ends_with(" > /home/jo/pets.csv"), "{twin}");
}

#[test]
fn all_that_match_may_be_written_and_the_name_follows_the_format() {
    let mut driver = at("/luna\nx");
    assert!(driver.text(120, 40).contains("2 read"));
    driver.keys("\u{1b}\u{1b}x");
    right(&mut driver, 1);
    driver.keys("\t");
    right(&mut driver, 1);
    assert!(driver.text(120, 40).contains("/home/jo/pets.jsonl"));
    driver.press(KeyCode::Left);
    assert!(driver.text(120, 40).contains("/home/jo/pets.csv"));
    right(&mut driver, 1);
    // A name of the person's own stays as it is.
    driver.keys("\t");
    for _ in 0.."pets.jsonl".len() {
        driver.press(KeyCode::Backspace);
    }
    driver.keys("animals.txt");
    shifted(&mut driver, KeyCode::BackTab);
    driver.press(KeyCode::Left);
    right(&mut driver, 1);
    driver.keys("\n");
    let file = files(&driver).remove(0);
    assert_eq!(file.rows, Rows::All { query: None });
    assert_eq!(file.format, Format::JsonLines);
    assert_eq!(file.path, "/home/jo/animals.txt");
    assert!(driver.app.toasts()[0].contains("230 records"));
}

/// A form of a file with another path.
fn with_path(path: &str) -> Driver {
    let mut driver = at("x\t\t");
    driver.ctrl('u');
    driver.keys(path);
    driver.keys("\n");
    driver
}

#[test]
fn a_file_that_is_there_is_asked_for_before_it_is_replaced() {
    let mut driver = with_path("/tmp/there.csv");
    assert!(
        driver
            .text(120, 40)
            .contains("/tmp/there.csv is there already")
    );
    driver.keys("\n");
    assert_eq!(files(&driver).len(), 1, "enter is no");
    let mut driver = with_path("/tmp/there.csv");
    driver.keys("y");
    let asked = files(&driver);
    assert_eq!(
        asked.iter().map(|f| f.overwrite).collect::<Vec<_>>(),
        [false, true]
    );
    assert!(driver.app.toasts()[0].contains("100 records in /tmp/there.csv"));
}

#[test]
fn a_path_that_cannot_be_used_comes_back_with_what_was_typed() {
    let mut driver = with_path("/nowhere/pets.csv");
    let text = driver.text(160, 40);
    assert!(text.contains("No such file or directory"), "{text}");
    assert!(text.contains("/nowhere/pets.csv") && text.contains("name a folder that is there"));
    driver.keys("\n");
    assert_eq!(files(&driver).len(), 2, "it can be tried again");
}

#[test]
fn esc_stops_a_file_that_is_being_written() {
    let mut driver = at("x");
    right(&mut driver, 1);
    driver.silent = true;
    driver.keys("\n");
    driver.wait(400);
    assert!(
        title(&driver).contains("writing 0 records; esc stops"),
        "{}",
        title(&driver)
    );
    driver.keys("x");
    assert!(driver.app.toasts()[0].contains("being written already"));
    assert!(!driver.app.has_overlay());
    // The detail is closed first, whatever message is in view; then the file.
    driver.keys("\n\u{1b}");
    let file = files(&driver).remove(0);
    assert!(!file.progress.is_stopped());
    driver.keys("\u{1b}");
    assert!(file.progress.is_stopped());
    let (slot, generation) = driver.waiting(|r| matches!(r, Request::FileRecords(_)));
    let reply = Reply::Filed(Box::new(file), Ok(Filed::Stopped(1200)));
    driver.answer((slot, generation), reply);
    assert!(driver.app.toasts()[0].contains("stopped after 1,200 records; no file was written"));
    assert!(!title(&driver).contains("writing"));
}

#[test]
fn leaving_stops_a_file_that_is_being_written() {
    let mut driver = at("x");
    driver.silent = true;
    driver.keys("\n");
    let file = files(&driver).remove(0);
    driver.keys("1");
    driver.keys("2O");
    assert!(!file.progress.is_stopped(), "it goes on elsewhere");
    driver.keys("\u{1b}q");
    assert!(
        driver
            .text(120, 40)
            .contains("Quit while something is being written?")
    );
    driver.keys("y");
    assert!(driver.effects.contains(&Effect::Quit));
    drop(driver);
    assert!(file.progress.is_stopped());
}

#[test]
fn a_file_changes_nothing_outside_and_is_allowed_under_read_only_and_on_production() {
    let careful = tramline::tui::context::Session {
        production: true,
        read_only: true,
        ..session()
    };
    let mut driver = Driver::with(Mood::Normal, careful, ThemeName::Dark, false).start();
    driver.keys("2x\n");
    assert_eq!(files(&driver).len(), 1);
    assert!(!driver.app.has_overlay());
}

#[test]
fn yes_to_a_file_is_no_yes_to_production() {
    let production = tramline::tui::context::Session {
        production: true,
        ..session()
    };
    let mut driver = Driver::with(Mood::Normal, production, ThemeName::Dark, false).start();
    driver.keys("2x\t\t");
    driver.ctrl('u');
    driver.keys("/tmp/there.csv\ny");
    assert_eq!(files(&driver).len(), 2);
    driver.keys("\u{1b}s");
    assert!(driver.text(120, 40).contains("Write to production?"));
}

#[test]
fn columns_are_chosen_ordered_and_remembered() {
    let mut driver = at("c");
    let text = driver.text(120, 40);
    assert!(
        text.contains("Columns") && text.contains("12 of 14 shown"),
        "{text}"
    );
    // Owner e-mail goes, the weight comes first, the id comes at all.
    driver.keys("j jj");
    for _ in 0..3 {
        shifted(&mut driver, KeyCode::Left);
    }
    driver.keys("G \n");
    let line = headings(&driver);
    assert!(line.trim_start().starts_with("Weight"), "{line}");
    assert!(!line.contains("Owner e-mail"), "{line}");
    driver.keys("x\n");
    let file = files(&driver).remove(0);
    let columns = columns_of(&file);
    assert_eq!(columns[..3], ["weight", "name", "status"]);
    assert!(columns.ends_with(&["updated_at", "id"]), "{columns:?}");

    let next = restored(&view_of(&driver));
    assert_eq!(headings(&next), line, "it comes back, quit or not");
    // Another object has its own columns; coming back, so has this one.
    let mut driver = next;
    driver.keys("1G\n");
    driver.keys("1gg\n");
    driver.frame(120, 40);
    assert_eq!(headings(&driver), line);
}

#[test]
fn a_view_of_another_schema_keeps_what_is_still_there() {
    let view = r#"{"tab": "Records", "records": {"object": "custom_objects.pets", "layouts":
        {"custom_objects.pets": {"columns": ["gone", "born", "@updated_at", "name"],
         "widths": {"gone": 9, "born": 30}, "sort": "gone", "descending": true}}}}"#;
    let mut driver = restored(view);
    let line = headings(&driver);
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words, ["Born", "updated", "Name"]);
    assert!(
        line.contains(&format!("Born{}updated", " ".repeat(28))),
        "{line}"
    );
    driver.keys("c");
    let text = driver.text(120, 40);
    assert!(
        text.contains("3 of 14 shown") && !text.contains("gone"),
        "{text}"
    );
    assert!(
        text.contains("○   Chip number"),
        "new ones are offered: {text}"
    );
    for broken in [
        "{}",
        "[]",
        "7",
        r#"{"tab":"Records","records":{"object":7,"layouts":[1]}}"#,
    ] {
        restored(broken);
    }
}

#[test]
fn t_sorts_what_is_read_and_says_so() {
    let mut driver = at("");
    right(&mut driver, 3);
    type_keys(&mut driver, "t");
    assert!(
        title(&driver).contains("▲ Weight, of 100 read"),
        "{}",
        title(&driver)
    );
    assert!(headings(&driver).contains("▲ Weight"));
    let weights = cells(&driver, "Weight");
    assert!(
        weights[0].contains("3.40") && weights[4].contains("4.40"),
        "{weights:?}"
    );
    type_keys(&mut driver, "t");
    assert!(headings(&driver).contains("▼ Weight"));
    let weights = cells(&driver, "Weight");
    assert!(
        weights[0].contains("42.40"),
        "numbers are sorted as numbers: {weights:?}"
    );
    type_keys(&mut driver, "t");
    assert!(!headings(&driver).contains(['▲', '▼']));
    assert!(title(&driver).ends_with("1 of 230"));
    let mut asked = driver.asked.iter();
    assert!(
        !asked.any(|r| matches!(r, Request::Records { page: 0, .. })),
        "nothing is read again"
    );
}

#[test]
fn a_sort_that_comes_back_begins_at_its_first_row() {
    let mut driver = at("");
    right(&mut driver, 3);
    type_keys(&mut driver, "tt");
    let next = restored(&view_of(&driver));
    assert!(title(&next).ends_with("1 of 100"), "{}", title(&next));
    assert!(cells(&next, "Weight")[0].contains("42.40"));
}

#[test]
fn rows_without_a_value_stand_last_either_way() {
    let mut driver = at("");
    driver.silent = true;
    driver.ctrl('r');
    let mut records: Vec<Record> = (0..5).map(|n| world::record(Mood::Normal, n)).collect();
    records[1].properties.remove("weight");
    records[2]
        .properties
        .insert("weight".into(), "heavy".into());
    records[3].properties.insert("weight".into(), 100.into());
    answer_records(&mut driver, records, true);
    right(&mut driver, 3);
    let order = |driver: &Driver| -> Vec<String> {
        let text = driver.text(200, 60);
        let rows = text.lines().skip(4).take(5);
        let owner = |row: &str| row.split("owner").nth(1)?.chars().next().map(String::from);
        rows.filter_map(owner).collect()
    };
    type_keys(&mut driver, "t");
    assert_eq!(order(&driver), ["0", "4", "3", "2", "1"]);
    type_keys(&mut driver, "t");
    assert_eq!(order(&driver), ["2", "3", "4", "0", "1"]);
}

#[test]
fn the_time_of_the_last_change_is_sorted_by_highlevel() {
    let mut driver = at("");
    right(&mut driver, 20);
    type_keys(&mut driver, "t");
    let orders: Vec<RecordOrder> = driver
        .asked
        .iter()
        .filter_map(|request| match request {
            Request::Records {
                search, page: 0, ..
            } => Some(search.order),
            _ => None,
        })
        .collect();
    assert_eq!(orders, [RecordOrder::Oldest]);
    assert!(
        title(&driver).contains("▲ updated, by HighLevel"),
        "{}",
        title(&driver)
    );
    type_keys(&mut driver, "t");
    assert!(title(&driver).contains("▼ updated, by HighLevel"));
    // The file of all is read in the order that misses nothing.
    type_keys(&mut driver, "tt");
    driver.keys("x\n");
    assert_eq!(read(&files(&driver)[0]), 100);
}

#[test]
fn a_sort_that_highlevel_refuses_is_made_of_what_is_read() {
    let mut driver = at("");
    right(&mut driver, 20);
    driver.silent = true;
    type_keys(&mut driver, "t");
    let records = (0..50).map(|n| world::record(Mood::Normal, n)).collect();
    answer_records(&mut driver, records, false);
    let title = title(&driver);
    assert!(
        title.contains("▲ updated") && !title.contains("HighLevel"),
        "{title}"
    );
    let text = driver.text(120, 40);
    let first = text.lines().nth(4).unwrap();
    assert!(
        first.contains("13:13:30"),
        "the oldest comes first: {first}"
    );
}

#[test]
fn a_column_is_made_wider_and_narrower() {
    let mut driver = at("");
    right(&mut driver, 1);
    let room = |driver: &Driver| {
        let line = headings(driver);
        line.find("Status").unwrap() - line.find("Owner").unwrap()
    };
    let before = room(&driver);
    driver.frame(200, 60);
    driver.keys(">");
    driver.frame(200, 60);
    driver.keys(">");
    driver.frame(200, 60);
    assert_eq!(room(&driver), before + 4);
    let next = restored(&view_of(&driver));
    assert_eq!(room(&next), before + 4);
    driver.keys("<");
    assert_eq!(room(&driver), before + 2);
    for _ in 0..60 {
        driver.frame(200, 60);
        driver.keys("<");
    }
    assert!(headings(&driver).contains("Own…"), "never to nothing");
}

#[test]
fn every_column_can_be_brought_into_sight() {
    let mut driver = at("");
    let narrow = |driver: &Driver| driver.text(80, 24).lines().nth(3).unwrap().to_owned();
    assert!(!narrow(&driver).contains("Papers"));
    for _ in 0..9 {
        driver.press(KeyCode::Right);
        driver.frame(80, 24);
    }
    assert!(narrow(&driver).contains("Papers"), "{}", narrow(&driver));
    assert!(narrow(&driver).contains("Name"), "the first stays");
    for _ in 0..9 {
        driver.press(KeyCode::Left);
        driver.frame(80, 24);
    }
    assert!(narrow(&driver).contains("Owner e-mail"));
}

#[test]
fn f_keeps_a_filter_over_the_rows_read() {
    let mut driver = at("fluna");
    assert!(title(&driver).contains("/luna  17 of the rows read; enter keeps them"));
    driver.keys("\n");
    assert!(
        title(&driver).contains("/luna  17 of 100 read"),
        "{}",
        title(&driver)
    );
    let searches = |driver: &Driver| {
        let asked = driver.asked.iter();
        asked
            .filter(|r| matches!(r, Request::Records { .. }))
            .count()
    };
    assert_eq!(searches(&driver), 0, "nobody is asked");
    // It comes back at the next start, and over the pages that come.
    driver.keys("q");
    let next = restored(&view_of(&driver));
    assert!(
        title(&next).contains("/luna  17 of 100 read"),
        "{}",
        title(&next)
    );
    // At the end of what is shown, the next page is read.
    driver.keys("G");
    assert_eq!(searches(&driver), 1);
    assert!(
        title(&driver).contains("/luna  34 of 200 read"),
        "{}",
        title(&driver)
    );
    // What is typed over it and left again changes nothing.
    driver.keys("frex");
    assert!(title(&driver).contains("of the rows read"));
    driver.keys("\u{1b}");
    assert!(title(&driver).contains("/luna  34 of 200 read"));
    driver.keys("x");
    let text = driver.text(120, 40);
    assert!(
        text.contains("34 of the filter") && text.contains("all 230, filter or not"),
        "{text}"
    );
    driver.keys("\n");
    assert_eq!(read(&files(&driver)[0]), 34);
    driver.keys("\u{1b}\u{1b}");
    assert!(title(&driver).ends_with("of 230"), "{}", title(&driver));
}

#[test]
fn a_sorted_list_reads_on_when_a_person_comes_to_its_end_and_not_by_itself() {
    let mut driver = Driver::new(Mood::Million).start();
    driver.frame(120, 40);
    driver.keys("2");
    driver.frame(120, 40);
    right(&mut driver, 3);
    type_keys(&mut driver, "t");
    driver.asked.clear();
    type_keys(&mut driver, "G");
    assert!(
        title(&driver).contains("▲ Weight, of 200 read"),
        "{}",
        title(&driver)
    );
    for _ in 0..40 {
        type_keys(&mut driver, "G");
    }
    // What can be held is read, and nothing of it is let go for more.
    assert!(
        title(&driver).contains("of 3,000 read"),
        "{}",
        title(&driver)
    );
}

#[test]
fn a_range_all_and_the_others_are_selected_and_counted() {
    let mut driver = at("jv");
    type_keys(&mut driver, "jjj");
    assert!(
        title(&driver).contains("range of 4 rows"),
        "{}",
        title(&driver)
    );
    type_keys(&mut driver, "v");
    assert!(title(&driver).contains("● 4 selected"));
    type_keys(&mut driver, "S");
    assert!(driver.text(120, 40).contains("Sync 4 records?"));
    driver.keys("\u{1b}I");
    assert!(
        title(&driver).contains("● 96 selected"),
        "{}",
        title(&driver)
    );
    driver.keys("A");
    assert!(title(&driver).contains("● 100 selected"));
    assert!(
        driver.app.toasts()[0]
            .contains("100 records selected: those that are read and shown, of 230")
    );
    driver.keys("D");
    assert!(
        driver
            .text(120, 40)
            .contains("Delete 100 selected records?")
    );
    driver.keys("\u{1b}x");
    assert!(driver.text(120, 40).contains("100 selected"));
    driver.keys("\u{1b}\u{1b}");
    assert!(!title(&driver).contains("selected"));
    // An action of many takes the range that is being drawn; esc drops it.
    type_keys(&mut driver, "gvjS");
    assert!(driver.text(120, 40).contains("Sync 2 records?"));
    driver.keys("\u{1b}\u{1b}gvjj\u{1b}");
    assert!(!title(&driver).contains("range") && !title(&driver).contains("selected"));
    // Backwards, and ended by space.
    type_keys(&mut driver, "jjjvkk ");
    assert!(
        title(&driver).contains("● 3 selected"),
        "{}",
        title(&driver)
    );
}

/// The record of the first row, edited as JSON; `production` asks before it is written.
fn edited(production: bool) -> (Driver, Effect) {
    let session = tramline::tui::context::Session {
        production,
        ..session()
    };
    let mut driver = Driver::with(Mood::Normal, session, ThemeName::Dark, false).start();
    driver.keys("2E");
    let Some(Effect::Edit(editing, text)) = driver.effects.last().cloned() else {
        panic!("no editor");
    };
    driver.mood = Mood::Broken;
    let text = text.replace("\"Rex\"", "\"Max\"");
    driver.event(Event::Edited(editing.clone(), Ok(text.clone())));
    (driver, Effect::Edit(editing, text))
}

#[test]
fn an_edit_that_is_refused_is_not_lost() {
    let (mut driver, edit) = edited(false);
    let text = driver.text(120, 40);
    assert!(text.contains("It was not saved. Edit it again?"), "{text}");
    assert!(text.contains("the token is refused"), "{text}");
    driver.keys("y");
    assert_eq!(driver.effects.last(), Some(&edit));
    // It is of this edit alone: another write that is refused says so and no more.
    driver.keys("Dy");
    assert!(!driver.text(120, 40).contains("Edit it again?"));

    let (mut driver, edit) = edited(true);
    assert!(driver.text(120, 40).contains("Write to production?"));
    driver.keys("y");
    assert!(driver.text(120, 40).contains("Edit it again?"));
    driver.keys("y");
    assert_eq!(driver.effects.last(), Some(&edit));
}

#[test]
fn a_selection_may_be_written_by_itself() {
    let mut driver = at("  x");
    right(&mut driver, 2);
    driver.keys("\n");
    assert_eq!(read(&files(&driver)[0]), 2);
}
