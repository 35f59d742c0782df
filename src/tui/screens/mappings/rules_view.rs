//! How the rules of a mapping look: one a row, with what the sample makes of it; the one under the cursor whole beneath.

use super::{Mappings, finding_text, tone};
use crate::model::Level;
use crate::operations::draft::{RuleSpec, rule_target};
use crate::tui::canvas::Canvas;
use crate::tui::keymap::Action;
use crate::tui::widgets::table::{Column, TableCell, TableState};
use crate::tui::widgets::text::{Tone, wrap};
use ratatui::layout::Rect;

impl Mappings {
    /// Draws the rules.
    pub(super) fn view_rules(&self, canvas: &mut Canvas, area: Rect, table: &TableState) {
        let theme = canvas.theme;
        let shown = self.shown_rules();
        if shown.is_empty() {
            let add = format!(
                "this mapping has no rules; {} adds one",
                canvas.key(Action::New)
            );
            self.view_none(canvas, area, &add, "rule");
            return;
        }
        let columns = vec![
            Column::new("rule", 0, 10, 24),
            Column::new("when", 0, 18, 50),
            Column::new("sample", 1, 13, 13),
            Column::new("does", 2, 16, 70),
            Column::new("first sync", 3, 10, 10),
        ];
        let under = shown.get(table.cursor).map(|(_, rule)| *rule);
        let cross = theme.glyphs.cross;
        let foot = under.map(|rule| self.rule_foot(rule, area.width, cross));
        let foot = foot.unwrap_or_default();
        // The table keeps two thirds, and no more than it needs.
        let most = usize::from(area.height / 3).max(2);
        let foot_height = foot.len().min(most) as u16;
        let rows = (shown.len() as u16).saturating_add(2);
        let list = Rect {
            height: rows.min(area.height.saturating_sub(foot_height)),
            ..area
        };
        self.view_rows(canvas, list, columns, table, shown.len(), |at| {
            let (_, rule) = *shown.get(at)?;
            let broken = self.rule_findings(&rule.name);
            let broken = broken.iter().any(|finding| finding.level == Level::Error);
            let (says, style) = match (broken, self.sampled_rule(&rule.name)) {
                (true, _) => (format!("{} error", theme.glyphs.cross), theme.error),
                (false, Some(sampled)) if sampled.fires => ("fires".to_owned(), theme.ok),
                (false, Some(sampled)) if sampled.holds => ("holds".to_owned(), theme.text),
                (false, Some(_)) => ("does not hold".to_owned(), theme.muted),
                (false, None) => (theme.glyphs.none.to_owned(), theme.muted),
            };
            let first = if rule.on_first_sync { "too" } else { "" };
            let cells = vec![
                TableCell::new(rule.name.as_str(), theme.text),
                TableCell::new(rule.when.as_str(), theme.text),
                TableCell::new(says, style),
                TableCell::new(acts(rule), theme.muted),
                TableCell::new(first, theme.muted),
            ];
            Some((rule_target(&rule.name).into(), cells))
        });
        for (at, (text, tone)) in foot.iter().take(usize::from(foot_height)).enumerate() {
            let y = list.bottom() + at as u16;
            canvas.put(area.x, y, area.width, text, tone.style(theme));
        }
    }

    /// The rule under the cursor whole.
    fn rule_foot(&self, rule: &RuleSpec, width: u16, cross: &str) -> Vec<(String, Tone)> {
        let mut all: Vec<(String, Tone)> = Vec::new();
        let mut add = |text: String, tone: Tone| {
            all.extend(wrap(&text, width).into_iter().map(|line| (line, tone)));
        };
        if let Some(sampled) = self.sampled_rule(&rule.name) {
            let title = self
                .preview
                .value()
                .map_or("the sample", |p| p.title.as_str());
            let (says, tone) = match (sampled.fires, sampled.holds) {
                (true, _) => ("a sync fires it", Tone::Ok),
                (false, true) => ("it holds and does not fire", Tone::Plain),
                (false, false) => ("it does not hold", Tone::Muted),
            };
            let note = sampled.note.as_ref();
            let note = note.map(|note| format!(": {note}")).unwrap_or_default();
            add(format!("for {title} {says}{note}"), tone);
        }
        for finding in self.rule_findings(&rule.name) {
            add(finding_text(finding, cross), tone(finding.level));
        }
        add(format!("when {}", rule.when), Tone::Plain);
        let does = match rule.acts().is_empty() {
            true => "does nothing yet".to_owned(),
            false => format!("does {}", acts(rule)),
        };
        add(does, Tone::Muted);
        all
    }
}

fn acts(rule: &RuleSpec) -> String {
    let acts: Vec<String> = rule.acts().iter().map(ToString::to_string).collect();
    acts.join(", ")
}
