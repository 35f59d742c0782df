//! The view into a file: which rows, how they stand in it, where it lies; and what became of it.

use super::Records;
use crate::model::{Level, ObjectKey, Problem, Record};
use crate::operations::Done;
use crate::operations::records::RecordOrder;
use crate::operations::records::csv::{self, Column};
use crate::operations::records::file::{Filed, Format, PATH, Progress, RecordFile, Rows};
use crate::tui::canvas::{counted, grouped};
use crate::tui::command::quoted;
use crate::tui::context::{Cx, Then};
use crate::tui::request::Request;
use crate::tui::widgets::confirm::Confirm;
use crate::tui::widgets::field::{Field, Kind};
use crate::tui::widgets::form::{Form, Purpose};
use crate::tui::widgets::overlay::Overlay;
use serde_json::json;
use std::sync::Arc;

/// A file that is being written: nobody waits for it any more once this is gone.
pub(super) struct Filing {
    progress: Progress,
    /// What was asked for, to be asked for again with another path.
    form: Option<Box<Form>>,
}

impl Drop for Filing {
    /// The control room is left, or the file is over: what is still on its way is stopped, and leaves nothing.
    fn drop(&mut self) {
        self.progress.stop();
    }
}

impl Filing {
    /// `writing 1,200 of 10,000 records`.
    pub(super) fn text(&self) -> String {
        let done = grouped(self.progress.done());
        match self.progress.total() {
            _ if self.progress.is_stopped() => "stopping".to_owned(),
            Some(total) => format!("writing {done} of {}", counted(total, "record")),
            None => format!("writing {done} records"),
        }
    }
}

/// The rows that a file may hold, as the form names them.
const SELECTED: &str = "selected";
const READ: &str = "read";
const ALL: &str = "all";
/// The formats, with the end of their files' names.
const FORMATS: [(Format, &str, &str); 2] = [
    (Format::Csv, "csv", "CSV"),
    (Format::JsonLines, "jsonl", "JSON lines"),
];

impl Records {
    /// The records that are read and shown, in the order of the screen.
    pub(super) fn held_rows(&self) -> impl Iterator<Item = &Record> {
        let shown = self.shown.iter().flatten();
        let arranged = shown.filter_map(|row| self.list.get(*row));
        let plain = self.list.held().map(|(_, record)| record);
        let plain = plain.filter(|_| self.shown.is_none());
        arranged.chain(plain)
    }

    /// Asks which rows go into which file.
    pub(super) fn ask_for_file(&mut self, cx: &mut Cx) {
        let Some(object) = self.object.clone() else {
            return;
        };
        if self.filing.is_some() {
            cx.toast(
                Level::Warning,
                "a file is being written already: esc stops it",
            );
            return;
        }
        if self.schema.value().is_none() {
            cx.toast(Level::Warning, "the object's fields are not read yet");
            return;
        }
        self.take_range(cx);
        let read = self.held_rows().count() as u64;
        let selected = self.held_rows().filter(|r| self.selected.contains(&r.id));
        let selected = selected.count() as u64;
        let all = self.list.total().unwrap_or(read);
        if all == 0 {
            cx.toast(Level::Warning, "there are no records to export");
            return;
        }
        let what = match self.local.is_empty() {
            true => "read",
            false => "of the filter",
        };
        let mut rows = vec![(READ.to_owned(), format!("{} {what}", grouped(read)))];
        if all > read || !self.local.is_empty() {
            let of = match (&self.query, self.local.is_empty()) {
                (_, false) => ", filter or not",
                (Some(_), true) => " of the search",
                (None, true) => "",
            };
            rows.push((ALL.to_owned(), format!("all {}{of}", grouped(all))));
        }
        if selected > 0 {
            rows.push((
                SELECTED.to_owned(),
                format!("{} selected", grouped(selected)),
            ));
        }
        let formats = FORMATS.map(|(_, key, label)| (key.to_owned(), label.to_owned()));
        let path = cx
            .session
            .working_dir
            .join(format!("{}.csv", object.short()));
        let path = json!(path.to_string_lossy());
        let mut path = Field::text(PATH, "File", Kind::Text, Some(path));
        path.required = true;
        let fields = vec![
            Field::choice("rows", "Records", Kind::One, rows, Some(json!(READ))),
            Field::choice(
                "format",
                "Format",
                Kind::One,
                formats.into(),
                Some(json!("csv")),
            ),
            path,
        ];
        let title = format!("Export {}", self.plural());
        cx.show(Overlay::Form(Box::new(Form::new(
            title,
            Purpose::File(object),
            fields,
        ))));
    }

    /// Writes what the form asks for.
    pub(in crate::tui) fn file(&mut self, object: ObjectKey, form: Box<Form>, cx: &mut Cx) {
        if self.object.as_ref() != Some(&object) {
            return;
        }
        let choice = |key: &str| form.fields.iter().find(|f| f.key == key)?.chosen_key();
        let format = FORMATS
            .iter()
            .find(|(_, key, _)| choice("format") == Some(key));
        let format = format.map_or(Format::default(), |(format, _, _)| *format);
        let which = choice("rows").unwrap_or(READ);
        let rows = match which {
            ALL => Rows::All {
                query: self.query.clone(),
            },
            _ => {
                let rows = self.held_rows();
                let rows = rows.filter(|r| which == READ || self.selected.contains(&r.id));
                Rows::These(Arc::new(rows.cloned().collect()))
            }
        };
        let path = form.fields.iter().find(|field| field.key == PATH);
        let file = RecordFile {
            columns: self.file_columns(),
            path: path
                .map(|field| field.typed().to_owned())
                .unwrap_or_default(),
            overwrite: false,
            progress: Progress::default(),
            object,
            rows,
            format,
        };
        let did = self.file_command(&file);
        self.write_file(file, Some(form), did, cx);
    }

    /// Writes a file. Nothing outside this machine is written: nobody is asked, not even on production.
    pub(in crate::tui) fn write_file(
        &mut self,
        file: RecordFile,
        form: Option<Box<Form>>,
        did: String,
        cx: &mut Cx,
    ) {
        self.filing = Some(Filing {
            progress: file.progress.clone(),
            form,
        });
        cx.write_now(Request::FileRecords(Box::new(file)), did);
    }

    /// The columns in view; each member of a text box list has its own.
    fn file_columns(&self) -> Vec<Column> {
        let schema = self.schema.value();
        let columns = self.layout().columns(schema).into_iter();
        columns
            .flat_map(|column| match &column {
                Column::Property(key) => match schema.and_then(|s| s.property(key)) {
                    Some(property) => csv::columns_of(property),
                    None => vec![column],
                },
                _ => vec![column],
            })
            .collect()
    }

    fn file_command(&self, file: &RecordFile) -> String {
        let mut did = format!("tramline records list {}", file.object.short());
        if let Some(query) = &self.query {
            did.push_str(&format!(" --query {}", quoted(query)));
        }
        let (limit, note) = match &file.rows {
            Rows::All { .. } => (self.list.total().unwrap_or(u64::from(u32::MAX)), ""),
            Rows::These(records) => {
                if self.order() == RecordOrder::Oldest {
                    did.push_str(" --order oldest");
                }
                let note = match self.shown.is_some() || !self.selected.is_empty() {
                    true => "   # filtered, sorted and selected on the screen",
                    false => "",
                };
                (records.len() as u64, note)
            }
        };
        did.push_str(&format!(" --limit {limit} --format "));
        match file.format {
            Format::JsonLines => did.push_str("jsonl"),
            Format::Csv => {
                let names: Vec<&str> = file.columns.iter().map(Column::heading).collect();
                did.push_str(&format!("csv --columns {}", quoted(&names.join(","))));
            }
        }
        format!("{did} > {}{note}", quoted(&file.path))
    }

    /// What became of a file.
    pub(super) fn filed(&mut self, file: RecordFile, result: Done<Filed>, cx: &mut Cx) {
        let mine = |filing: &Filing| filing.progress == file.progress;
        let filing = self.filing.take_if(|filing| mine(filing));
        let form = filing.and_then(|mut filing| filing.form.take());
        match (result, form) {
            (Ok(Filed::Written { path, records }), _) => {
                let records = counted(records, "record");
                cx.toast(Level::Ok, format!("{records} in {}", path.display()));
            }
            (Ok(Filed::Stopped(records)), _) => {
                let records = counted(records, "record");
                let text = format!("stopped after {records}; no file was written");
                cx.toast(Level::Warning, text);
            }
            (Ok(Filed::Exists(path)), _) => {
                let did = self.file_command(&file);
                let again = RecordFile {
                    overwrite: true,
                    progress: Progress::default(),
                    ..file
                };
                let question = Confirm::new("Replace the file?")
                    .line(format!("{} is there already.", path.display()))
                    .then(Then::File(Box::new(again)))
                    .did(did);
                cx.show(Overlay::Confirm(question));
            }
            (Err(problem), Some(mut form)) if is_about_path(&problem) => {
                form.failed(problem);
                cx.show(Overlay::Form(form));
            }
            (Err(problem), _) => cx.toast(Level::Error, problem.to_string()),
        }
    }

    /// Stops the file that is being written; false if there is none.
    pub(super) fn stop_file(&mut self) -> bool {
        match &self.filing {
            Some(filing) if !filing.progress.is_stopped() => {
                filing.progress.stop();
                true
            }
            _ => false,
        }
    }

    /// What people call the records in view.
    fn plural(&self) -> String {
        match (self.schema.value(), &self.object) {
            (Some(schema), _) => schema.plural.clone(),
            (None, Some(object)) => object.short().to_owned(),
            (None, None) => "records".to_owned(),
        }
    }
}

fn is_about_path(problem: &Problem) -> bool {
    problem.field.as_deref() == Some(PATH)
}

/// A key was pressed in the form. Where a format is chosen, the file's name ends as that does, unless the person gave it another
/// end; a name that is typed with the end of a format chooses that.
pub(in crate::tui) fn follow_format(form: &mut Form) {
    let typing = form.under().is_some_and(|field| field.key == PATH);
    let mut fields = form.fields.iter_mut();
    let Some(format) = fields.find(|field| field.key == "format") else {
        return;
    };
    let Some(path) = fields.find(|field| field.key == PATH) else {
        return;
    };
    let ends = FORMATS.map(|(_, end, _)| end);
    let stem = |end: &str| {
        path.typed()
            .strip_suffix(&format!(".{end}"))
            .map(str::to_owned)
    };
    let Some((end, stem)) = ends.into_iter().find_map(|end| Some((end, stem(end)?))) else {
        return;
    };
    match format.chosen_key() {
        Some(chosen) if chosen == end => {}
        _ if typing => format.choose(end),
        Some(chosen) => path.retype(&format!("{stem}.{chosen}")),
        None => {}
    }
}
