//! Columns that line up, with colours that do not count.

use crate::text::plain;
use anstyle::Style;

/// One cell: a text in one style.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A text in a style. What could do something to a terminal is shown as `?`.
    pub fn new(text: &str, style: Style) -> Cell {
        Cell {
            text: harmless(text),
            style,
        }
    }

    pub fn plain(text: &str) -> Cell {
        Cell::new(text, Style::new())
    }

    /// With its style, and with blanks up to this width.
    fn put(&self, width: usize, out: &mut String) {
        let (on, off) = (self.style.render(), self.style.render_reset());
        let pad = width.saturating_sub(self.width());
        out.push_str(&format!("{on}{}{off}{:pad$}", self.text, ""));
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

/// Text without control characters and without those that change the direction of what follows.
pub(super) fn harmless(text: &str) -> String {
    plain(text).into_owned()
}

/// Rows as lines: every column as wide as its widest cell, two blanks between them, no blanks at
/// the end of a line. `indent` blanks begin each line.
pub(super) fn lines(indent: usize, rows: &[Vec<Cell>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(Cell::width).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        // A column that nobody fills takes no room; one that only this row leaves empty does.
        let last = row.iter().rposition(|c| !c.text.is_empty());
        let filled = last.map_or(0, |at| at + 1);
        out.push_str(&" ".repeat(indent));
        let cells = row.iter().take(filled).enumerate();
        for (at, cell) in cells.filter(|(at, _)| widths[*at] > 0) {
            let width = if at + 1 == filled { 0 } else { widths[at] };
            cell.put(width, &mut out);
            if at + 1 < filled {
                out.push_str("  ");
            }
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use anstyle::AnsiColor;

    /// Columns line up whatever their styles are; empty columns vanish; nothing hangs over the end.
    #[test]
    fn columns_line_up() {
        let red = AnsiColor::Red.on_default();
        let rows = [
            vec![
                Cell::plain("a"),
                Cell::new("up", red),
                Cell::plain(""),
                Cell::plain("x"),
            ],
            vec![Cell::plain("long-name"), Cell::new("backoff", red)],
            vec![
                Cell::plain("évil\u{1b}[2J"),
                Cell::plain("down"),
                Cell::plain(""),
                Cell::plain(""),
            ],
        ];
        let text = anstream::adapter::strip_str(&lines(1, &rows)).to_string();
        assert_eq!(
            text,
            " a          up       x\n long-name  backoff\n évil?[2J   down\n"
        );
    }
}
