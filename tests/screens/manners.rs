//! What a person expects of keys that close, quit and choose: nothing is hidden, lost or done to another row.

use crate::driver::{Driver, session};
use crate::view;
use crate::world::{self, Mood};
use crossterm::event::KeyCode;
use tramline::model::{ErrorClass, Job, Level, Problem};
use tramline::operations::queue::{Chosen, JobCursor, JobList};
use tramline::operations::status::Status;
use tramline::tui::context::Session;
use tramline::tui::effect::Effect;
use tramline::tui::event::Event;
use tramline::tui::keymap::{Keymap, Tab};
use tramline::tui::request::{Reply, Request};
use tramline::tui::slots::Slot;
use tramline::tui::theme::ThemeName;

fn asked(driver: &Driver, what: impl Fn(&Request) -> bool) -> usize {
    driver.asked.iter().filter(|request| what(request)).count()
}

fn jobs(request: &Request) -> bool {
    matches!(request, Request::Jobs { .. })
}

fn cursor_of(job: &Job) -> JobCursor {
    JobCursor {
        updated_at: job.updated_at,
        id: job.id.clone(),
    }
}

/// Numbers of jobs as a page of the list; more follow if `more`.
fn page(page: usize, numbers: std::ops::Range<u64>, more: bool) -> Reply {
    let jobs: Vec<_> = numbers.map(|n| world::job(Mood::Normal, n)).collect();
    let next = jobs.last().filter(|_| more).map(cursor_of);
    let result = Ok(JobList {
        total: None,
        jobs,
        next,
    });
    Reply::Jobs { page, result }
}

#[test]
fn the_cursor_stays_on_its_job_when_esc_clears_the_filter() {
    let mut driver = view(Mood::Normal, "4/age>1h\n");
    driver.silent = true;
    driver.keys("jj");
    let third = world::job(Mood::Normal, 2).id;
    // The whole list has it on its second page.
    driver.keys("\u{1b}");
    driver.keys("r");
    assert_eq!(
        asked(&driver, |r| matches!(r, Request::Retry(_))),
        0,
        "it is looked for"
    );
    driver.reply(jobs, page(0, 100..200, true));
    driver.keys("r");
    assert_eq!(asked(&driver, |r| matches!(r, Request::Retry(_))), 0);
    driver.reply(jobs, page(1, 0..50, false));
    driver.keys("r");
    let retried = Request::Retry(Chosen::Ids(vec![third.clone()]));
    assert_eq!(asked(&driver, |r| *r == retried), 1, "{:?}", driver.asked);
    // And the state as well.
    let mut driver = view(Mood::Normal, "4jj\t");
    driver.keys("j");
    let under = world::job(Mood::Normal, 1).id;
    driver.keys("\u{1b}");
    driver.keys("r");
    let retried = Request::Retry(Chosen::Ids(vec![under]));
    assert_eq!(asked(&driver, |r| *r == retried), 1, "{:?}", driver.asked);
}

#[test]
fn a_job_that_is_not_listed_any_more_is_said_to_be_gone() {
    let mut driver = view(Mood::Normal, "4/age>1h\njj");
    driver.silent = true;
    driver.keys("\u{1b}");
    driver.reply(jobs, page(0, 100..150, false));
    let toasts = driver.app.toasts().join("; ");
    assert!(toasts.contains("not in this list"), "{toasts}");
    // Whoever moves wants the rows that are there.
    let mut driver = view(Mood::Normal, "4/age>1h\njj");
    driver.silent = true;
    driver.keys("\u{1b}");
    driver.reply(jobs, page(0, 100..200, true));
    driver.keys("jr");
    let retried = Request::Retry(Chosen::Ids(vec![world::job(Mood::Normal, 101).id]));
    assert_eq!(asked(&driver, |r| *r == retried), 1, "{:?}", driver.asked);
}

#[test]
fn the_cursor_stays_on_its_record_run_and_line_when_a_filter_is_cleared() {
    let id = |row| world::record(Mood::Normal, row).id;
    let mut driver = view(Mood::Normal, "2fRex\njj\u{1b}s");
    let synced = driver.asked.iter().find_map(|request| match request {
        Request::Sync(_, ids) => Some(ids.clone()),
        _ => None,
    });
    // Every sixth is called Rex.
    assert_eq!(synced, Some(vec![id(12)]));
    driver.keys("3/temper\n\u{1b}t");
    let text = driver.text(120, 40);
    assert!(text.contains("%TEMPERAMENT% from"), "{text}");
    let mut driver = view(Mood::Normal, "5");
    driver.keys("j");
    driver.keys("y");
    let copied = |driver: &Driver| {
        let texts = driver.effects.iter().rev().find_map(|effect| match effect {
            Effect::Copy { text, .. } => Some(text.clone()),
            _ => None,
        });
        texts.unwrap()
    };
    let second = copied(&driver);
    driver.keys(&format!("/{second}\n"));
    driver.keys("\u{1b}y");
    assert_eq!(copied(&driver), second);
}

#[test]
fn the_palette_has_every_action() {
    let keymap = Keymap::new(&Default::default()).unwrap();
    let mut driver = view(Mood::Normal, "2:");
    // So low that all of them stand below each other.
    let text = driver.text(200, 250);
    for bound in keymap.all() {
        let help = bound.binding.help;
        if bound.binding.name != "palette" {
            assert!(text.contains(help), "{help}");
        }
        if let Some(key) = bound.keys.first() {
            assert!(text.contains(&key.name()), "{help}");
        }
    }
    // On a narrow screen what is under the cursor is shown whole.
    driver.keys("Give this job up");
    let text = driver.text(80, 24);
    assert!(text.contains("tramline queue discard ID"), "{text}");
    for _ in 0.."Give this job up".len() {
        driver.keys("\u{8}");
    }
    driver.keys("pairs of fields");
    let text = driver.text(80, 24);
    let flat = text.replace(['│', '\n'], " ");
    let flat = flat.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "by name, type and values; space marks several",
        "tramline mappings suggest NAME",
    ] {
        assert!(flat.contains(part), "{part}: {text}");
    }
}

#[test]
fn an_action_of_another_screen_waits_until_that_is_read() {
    let mut driver = Driver::new(Mood::Normal).start();
    driver.text(120, 40);
    driver.silent = true;
    driver.keys(":Give this job up\n");
    assert_eq!(driver.app.tab(), Tab::Queue);
    assert!(driver.app.toasts().is_empty(), "{:?}", driver.app.toasts());
    driver.speak();
    let text = driver.text(120, 40);
    assert!(text.contains("Discard 41 jobs?"), "{text}");
    let record = world::job(Mood::Normal, 0).record;
    assert!(text.contains(record.as_str()), "which one is said: {text}");
    // A key takes it back.
    let mut driver = Driver::new(Mood::Normal).start();
    driver.silent = true;
    driver.keys(":Give this job up\nj");
    driver.speak();
    assert!(!driver.app.has_overlay());
    // What there is none of is said.
    let mut driver = Driver::new(Mood::Empty).start();
    driver.keys(":Give this job up\n");
    assert_eq!(
        driver.app.toasts(),
        ["X needs a row, and there is none here"]
    );
    // What writes unasked is never done to a row that nobody has seen.
    let mut driver = view(Mood::Normal, "1");
    driver.keys(":Retry this job\n");
    assert_eq!(driver.app.tab(), Tab::Queue);
    assert_eq!(asked(&driver, |r| matches!(r, Request::Retry(_))), 0);
    let toasts = driver.app.toasts().join("; ");
    assert!(toasts.contains("choose the row: r is for"), "{toasts}");
}

#[test]
fn esc_closes_what_is_open_whatever_message_is_in_view() {
    // A range.
    let mut driver = view(Mood::Normal, "2v");
    driver.keys("y");
    driver.event(Event::Note(Level::Ok, "sent".into()));
    driver.keys("\u{1b}");
    assert!(driver.app.toasts().is_empty());
    assert!(!driver.text(120, 40).contains("range of"));
    // A detail, over the end of a sync.
    let mut driver = view(Mood::Normal, "2ds");
    assert!(!driver.app.toasts().is_empty());
    driver.keys("\u{1b}");
    assert!(!driver.text(120, 40).contains("will send"));
}

#[test]
fn esc_ends_no_read_that_nobody_sees() {
    let mut driver = view(Mood::Normal, "2");
    driver.silent = true;
    driver.keys("d\t");
    driver.wait(400);
    let text = driver.text(80, 24);
    assert!(text.contains("properties"), "{text}");
    driver.keys("\u{1b}");
    let text = driver.text(80, 24);
    assert!(text.contains("1 of 230"), "the detail is closed: {text}");
    assert!(
        driver.effects.contains(&Effect::Cancel(Slot::Preview)),
        "nobody waits for it any more"
    );
    // One that is in sight is given up first.
    let mut driver = view(Mood::Normal, "2");
    driver.silent = true;
    driver.keys("d");
    driver.wait(400);
    driver.keys("\u{1b}");
    assert!(driver.text(80, 24).contains("sync view"));
}

#[test]
fn a_message_is_shown_whole_on_a_narrow_screen() {
    let mut driver = view(Mood::Normal, "1");
    driver.silent = true;
    driver.event(Event::Configured);
    driver.silent = false;
    let text = "config.toml:12: unknown key `retri` in [tui.keys]; did you mean `retry`? The configuration in force stays";
    let problem = Problem::new(ErrorClass::Config, text);
    driver.reply(
        |r| matches!(r, Request::Reload { .. }),
        Reply::Reloaded(Err(problem)),
    );
    let frame = driver.text(80, 24);
    let flat = frame.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        flat.contains("did you mean") && flat.contains("in force stays"),
        "{frame}"
    );
    // The file is good again.
    driver.silent = true;
    driver.event(Event::Configured);
    driver.silent = false;
    let good = Reply::Reloaded(Ok(Box::new(world::configured(Mood::Normal))));
    driver.reply(|r| matches!(r, Request::Reload { .. }), good);
    assert!(driver.app.toasts().is_empty(), "{:?}", driver.app.toasts());
}

#[test]
fn undo_takes_back_what_was_said_of_the_change() {
    for keys in ["3D", "3rD"] {
        let mut driver = view(Mood::Normal, keys);
        let toasts = driver.app.toasts().join("; ");
        assert!(toasts.contains("undo brings it back"), "{toasts}");
        driver.keys("u");
        let toasts = driver.app.toasts().join("; ");
        assert!(!toasts.contains("undo brings it back"), "{toasts}");
    }
}

#[test]
fn quitting_asks_while_an_export_runs_here() {
    let with_export = |session: Session| {
        let mut driver = Driver::with(Mood::Normal, session, ThemeName::Dark, false).start();
        driver.silent = true;
        driver.event(Event::Changed);
        driver.wait(2_000);
        driver.silent = false;
        let Reply::Status(Ok(status)) = world::answer(Mood::Normal, Request::Status) else {
            panic!()
        };
        let status = Status {
            at_work: status.exports.clone(),
            ..status
        };
        driver.reply(|r| *r == Request::Status, Reply::Status(Ok(status)));
        driver
    };
    let mut driver = with_export(session());
    driver.keys("q");
    assert!(!driver.effects.contains(&Effect::Quit));
    let text = driver.text(80, 24);
    for part in [
        "Quit while an export runs?",
        "pets: ",
        "goes on with the next start",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    driver.keys("n");
    assert!(!driver.effects.contains(&Effect::Quit));
    // The numbers of the question are those of now.
    driver.keys("q");
    let status_with = |driver: &mut Driver, synced: u64, running: bool| {
        driver.silent = true;
        driver.event(Event::Changed);
        driver.wait(2_000);
        driver.silent = false;
        let Reply::Status(Ok(status)) = world::answer(Mood::Normal, Request::Status) else {
            panic!()
        };
        let mut runs = status.exports.clone();
        runs.iter_mut().for_each(|run| run.counts.synced = synced);
        let at_work = if running { runs } else { Vec::new() };
        let status = Status { at_work, ..status };
        driver.reply(|r| *r == Request::Status, Reply::Status(Ok(status)));
    };
    status_with(&mut driver, 7_777, true);
    let settled = driver.text(80, 24);
    assert!(
        settled.contains("pets: 8,") || settled.contains("pets: 7,"),
        "{settled}"
    );
    assert_ne!(settled, text);
    status_with(&mut driver, 7_777, false);
    let over = driver.text(80, 24);
    assert!(!over.contains("Quit while an export runs?"), "{over}");
    // Nothing is left to ask about, and quitting is what was wanted.
    assert!(driver.effects.contains(&Effect::Quit));
    driver.effects.clear();
    status_with(&mut driver, 394, true);
    driver.keys("qy");
    assert!(driver.effects.contains(&Effect::Quit));
    let demo = Session {
        passing: true,
        ..session()
    };
    let mut driver = with_export(demo);
    driver.keys("q");
    assert!(driver.text(80, 24).contains("It ends with the demo."));
    // One that another process works on goes on without this one.
    let mut driver = view(Mood::Normal, "5");
    assert!(driver.text(120, 40).contains("running"));
    driver.keys("q");
    assert!(driver.effects.contains(&Effect::Quit));
}

#[test]
fn a_form_says_what_enter_does() {
    for (keys, word) in [
        ("5a", "start"),
        ("2e", "save"),
        ("2a", "create"),
        ("2x", "write"),
    ] {
        let driver = view(Mood::Normal, keys);
        let text = driver.text(80, 24);
        assert_eq!(text.matches(&format!("enter {word}")).count(), 2, "{text}");
    }
    let mut driver = view(Mood::Normal, "4p");
    driver.press(KeyCode::Enter);
    assert!(driver.text(80, 24).contains("enter pause"));
}

#[test]
fn a_dry_run_says_where_its_failures_are() {
    let mut driver = view(Mood::Normal, "5");
    let dry = |driver: &Driver| {
        driver
            .app
            .toasts()
            .join("; ")
            .contains("a dry run makes no jobs")
    };
    for _ in 0..5 {
        if !dry(&driver) {
            driver.keys("5j");
            driver.wait(200);
            driver.keys("\n");
        }
    }
    assert!(dry(&driver), "{:?}", driver.app.toasts());
    let frame = driver.text(80, 24);
    let flat = frame.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["v in Mappings", "tramline export pets --dry-run lists the"] {
        assert!(flat.contains(part), "{part}: {frame}");
    }
}

#[test]
fn what_is_wrong_with_a_field_hides_none_of_its_choices() {
    let mut driver = view(Mood::Normal, "2eX");
    driver.silent = true;
    driver.keys("\n");
    driver.silent = false;
    let text =
        "\"vanished\" is in no option list of its field, and no map of the mapping covers it";
    let problem = Problem::new(ErrorClass::Invalid, text).field("status");
    let reply_to = |r: &Request| matches!(r, Request::Update(..));
    driver.reply(reply_to, Reply::Saved(Err(problem)));
    let text = driver.text(80, 24);
    let lines: Vec<&str> = text.lines().collect();
    let at = lines
        .iter()
        .position(|line| line.contains("Available"))
        .unwrap();
    for option in ["Available", "Adopted", "Pending"] {
        assert!(lines[at].contains(option), "{option}: {text}");
    }
    assert!(
        lines[at + 1].contains("\"vanished\" is in no option list"),
        "{text}"
    );
    assert!(lines[at + 2].contains("covers it"), "{text}");
}

#[test]
fn a_form_says_how_much_of_it_is_out_of_sight() {
    let mut driver = view(Mood::Normal, "2e");
    let low = driver.text(80, 16);
    assert!(low.contains(" more below "), "{low}");
    assert!(!low.contains(" more above "), "{low}");
    driver.press(KeyCode::Up);
    let low = driver.text(80, 16);
    assert!(low.contains(" more above "), "{low}");
    assert!(!low.contains(" more below "), "{low}");
}

#[test]
fn a_long_value_keeps_its_head_where_nobody_types_and_shows_that_it_goes_on() {
    let mut driver = view(Mood::Normal, "2e");
    driver.event(Event::Paste(format!(" begins {} ends", "x".repeat(90))));
    let text = driver.text(80, 24);
    let line = text.lines().find(|line| line.contains("ends")).unwrap();
    assert!(line.contains('…') && !line.contains("begins"), "{text}");
    driver.keys("\t");
    let text = driver.text(80, 24);
    let line = text.lines().find(|line| line.contains("begins")).unwrap();
    assert!(line.contains('…') && !line.contains("ends"), "{text}");
}
