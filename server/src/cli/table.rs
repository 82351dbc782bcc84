//! Tables that fit a terminal of 80 columns, as every subcommand prints them.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Columns of a usual terminal.
pub(super) const WIDTH: u16 = 80;
/// A longer name in a header is broken behind its underscores.
const HEADER_LINE_MAX: usize = 10;

/// Returns an empty table with this header. Its cells wrap if they do not fit.
pub(super) fn table<'a>(header: impl IntoIterator<Item = &'a str>) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN).set_header(header.into_iter().map(broken));
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table
}

/// As [`table`], with every column aligned to the right.
pub(super) fn right_aligned<'a>(header: impl IntoIterator<Item = &'a str>) -> Table {
    let mut table = table(header);
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Whether no cell needs to wrap.
pub(super) fn fits(table: &Table) -> bool {
    let mut whole = table.clone();
    whole.set_content_arrangement(ContentArrangement::Disabled);
    whole.lines().all(|line| line.chars().count() <= usize::from(WIDTH))
}

/// Breaks a name behind underscores into lines: `max_drawdown_percentage` into `max_`, `drawdown_` and `percentage`.
fn broken(name: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for part in name.split_inclusive('_') {
        match lines.last_mut() {
            Some(line) if line.len() + part.len() <= HEADER_LINE_MAX => line.push_str(part),
            _ => lines.push(part.to_owned()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_broken_behind_its_underscores() {
        assert_eq!(broken("max_drawdown_percentage"), "max_\ndrawdown_\npercentage");
        assert_eq!(broken("win_rate"), "win_rate");
        assert_eq!(broken("a_b_c_long_window"), "a_b_c_\nlong_\nwindow");
        assert_eq!(broken("short"), "short");
    }

    #[test]
    fn what_is_too_wide_wraps() {
        let mut wide = right_aligned(["one", "other"]);
        wide.add_row(["many words ".repeat(8), "2024-01-15 14:00 ".repeat(3)]);
        assert!(!fits(&wide));
        assert!(wide.lines().all(|line| line.chars().count() <= usize::from(WIDTH)), "{wide}");
        let mut narrow = table(["max_drawdown_percentage"]);
        narrow.add_row(["1"]);
        assert!(fits(&narrow));
    }
}
