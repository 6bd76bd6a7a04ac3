//! How a table looks below a notebook's cell and in the book.

use std::fmt::{self, Write};

use polars::prelude::*;

/// How many rows are drawn; of a longer table the rest is counted.
const ROWS: usize = 30;

/// A table to look at: HTML in a notebook and in the book, lines of text elsewhere.
#[derive(Clone, PartialEq)]
pub struct Table {
    html: String,
    text: String,
}

/// Draws `frame` when it is the last value of a cell: `show(&runs)`.
///
/// Numbers with a fraction are rounded to four digits after the point; what is missing is drawn as a dash.
///
/// ```
/// use kindling_tables::polars::prelude::*;
/// let frame = df!("model" => ["mlp", "cnn"], "accuracy" => [0.977, 0.995])?;
/// let table = kindling_tables::show(&frame);
/// assert!(table.html().contains("<td>0.9770</td>"));
/// # Ok::<(), PolarsError>(())
/// ```
#[must_use]
pub fn show(frame: &DataFrame) -> Table {
    Table {
        html: html(frame),
        text: text(frame),
    }
}

impl Table {
    /// The table as HTML: `table`, `thead`, `tbody`, `tr`, `th` and `td`, and no attributes.
    #[must_use]
    pub fn html(&self) -> &str {
        &self.html
    }

    /// Shows the table in a notebook; the evcxr kernel calls this for the last value of a cell.
    pub fn evcxr_display(&self) {
        for (kind, content) in [("text/html", &self.html), ("text/plain", &self.text)] {
            println!("EVCXR_BEGIN_CONTENT {kind}\n{content}\nEVCXR_END_CONTENT");
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The rows as they are drawn, the names of the columns first.
fn cells(frame: &DataFrame) -> Vec<Vec<String>> {
    let names = frame.get_column_names();
    let mut rows = vec![names.iter().map(|name| name.to_string()).collect()];
    for row in 0..frame.height().min(ROWS) {
        let values = frame.columns().iter();
        rows.push(values.map(|column| shown(column.get(row))).collect());
    }
    rows
}

fn shown(value: PolarsResult<AnyValue<'_>>) -> String {
    match value {
        Err(_) | Ok(AnyValue::Null) => "–".to_owned(),
        Ok(AnyValue::Float32(number)) => format!("{number:.4}"),
        Ok(AnyValue::Float64(number)) => format!("{number:.4}"),
        Ok(AnyValue::String(text)) => text.to_owned(),
        Ok(AnyValue::StringOwned(text)) => text.to_string(),
        Ok(other) => other.to_string(),
    }
}

/// What is said below the rows of a table that is not drawn in full.
fn rest(frame: &DataFrame) -> Option<String> {
    let hidden = frame.height().saturating_sub(ROWS);
    (hidden > 0).then(|| format!("… and {hidden} more rows"))
}

fn html(frame: &DataFrame) -> String {
    let mut html = "<table>\n<thead>\n".to_owned();
    for (index, row) in cells(frame).iter().enumerate() {
        let tag = if index == 0 { "th" } else { "td" };
        html.push_str("<tr>");
        for cell in row {
            let _ = write!(html, "<{tag}>{}</{tag}>", escape(cell));
        }
        html.push_str("</tr>\n");
        if index == 0 {
            html.push_str("</thead>\n<tbody>\n");
        }
    }
    html.push_str("</tbody>\n</table>");
    if let Some(rest) = rest(frame) {
        let _ = write!(html, "\n<p>{rest}</p>");
    }
    html
}

/// Columns of equal width, two spaces apart; numbers stand to the right.
fn text(frame: &DataFrame) -> String {
    let rows = cells(frame);
    let width = |column: usize| {
        let lengths = rows.iter().map(|row| row[column].chars().count());
        lengths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..frame.width()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, (cell, width)) in frame.columns().iter().zip(row.iter().zip(&widths)) {
            let _ = if column.dtype().is_numeric() {
                write!(line, "{cell:>width$}  ")
            } else {
                write!(line, "{cell:<width$}  ")
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push_str(&rest(frame).unwrap_or_default());
    text.trim_end().to_owned()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_drawn_as_text_and_as_html() {
        let frame = df!(
            "model" => ["a<b>", "c"],
            "accuracy" => [Some(0.5), None],
            "parameters" => [7_u64, 1_000],
        )
        .unwrap();
        let table = show(&frame);
        let wanted =
            "model  accuracy  parameters\na<b>     0.5000           7\nc             –        1000";
        assert_eq!(format!("{table}"), wanted);
        assert_eq!(format!("{table:?}"), wanted);
        assert!(
            table
                .html()
                .contains("<tr><td>a&lt;b&gt;</td><td>0.5000</td><td>7</td></tr>")
        );
        assert!(table.html().contains("<thead>\n<tr><th>model</th>"));
    }

    #[test]
    fn of_a_long_table_the_rest_is_counted() {
        let numbers: Vec<u32> = (0..45).collect();
        let table = show(&df!("number" => numbers).unwrap());
        assert_eq!(table.html().matches("<tr>").count(), 31);
        assert!(table.html().ends_with("<p>… and 15 more rows</p>"));
        assert!(table.to_string().ends_with("29\n… and 15 more rows"));
    }

    #[test]
    fn an_empty_table_has_its_names() {
        let table = show(&df!("a" => Vec::<f64>::new()).unwrap());
        assert_eq!(table.to_string(), "a");
    }
}
