//! Progress lines: a line that starts with a carriage return replaces the progress line before it.
//!
//! evcxr passes a program's output on line by line and ends each with a newline. Jupyter overwrites a line
//! only where none stands between, so the newline is held back until something else is printed.

/// Holds back the newline after a progress line.
#[derive(Debug, Default)]
pub struct Fold {
    held: bool,
}

impl Fold {
    /// The text to send on for `text`, which evcxr sent.
    pub fn pass(&mut self, text: &str) -> String {
        let mut passed = String::with_capacity(text.len() + 1);
        for line in text.split_inclusive('\n') {
            let progress = line.starts_with('\r');
            if self.held && !progress {
                passed.push('\n');
            }
            self.held = progress && line.ends_with('\n');
            passed.push_str(if self.held {
                line.trim_end_matches('\n')
            } else {
                line
            });
        }
        passed
    }

    /// What is still to be sent when a cell ends.
    pub fn finish(&mut self) -> &'static str {
        if std::mem::take(&mut self.held) {
            "\n"
        } else {
            ""
        }
    }
}

/// What a reader sees of `text`: of each progress line only its last state.
pub fn settle(text: &str) -> String {
    let mut settled = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match line.trim_end_matches(['\n', '\r']).rsplit_once('\r') {
            Some((_, last)) => {
                settled.push_str(last);
                if line.ends_with('\n') {
                    settled.push('\n');
                }
            }
            None => settled.push_str(line),
        }
    }
    settled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_progress_line_is_overwritten() {
        let mut fold = Fold::default();
        let mut sent = String::new();
        for text in [
            "start\n",
            "\r1 of 2\n",
            "\r2 of 2\n",
            "done\n",
            "\r1 of 1\n",
        ] {
            sent.push_str(&fold.pass(text));
        }
        sent.push_str(fold.finish());
        assert_eq!(sent, "start\n\r1 of 2\r2 of 2\ndone\n\r1 of 1\n");
        assert_eq!(settle(&sent), "start\n2 of 2\ndone\n1 of 1\n");
        assert_eq!(fold.finish(), "");
    }
}
