//! Progress lines: a line that starts with a carriage return replaces the progress line before it.
//!
//! evcxr passes a program's output on line by line and ends each with a newline. Jupyter overwrites a line
//! only where none stands between, so the newline is held back until something else is printed.

/// Holds back the newline after a progress line.
#[derive(Debug, Default)]
pub struct ProgressLines {
    held: bool,
    /// How many characters of the progress line may still be seen: a shorter one must cover them.
    width: usize,
}

impl ProgressLines {
    /// The text to send on for `text`, which evcxr sent.
    pub fn pass(&mut self, text: &str) -> String {
        let mut passed = String::with_capacity(text.len() + 1);
        for line in text.split_inclusive('\n') {
            match line
                .strip_prefix('\r')
                .and_then(|line| line.strip_suffix('\n'))
            {
                Some(progress) => self.replace(progress, &mut passed),
                None => {
                    passed.push_str(self.finish());
                    passed.push_str(line);
                }
            }
        }
        passed
    }

    /// Overwrites the progress line; a blank one erases it.
    fn replace(&mut self, progress: &str, passed: &mut String) {
        let progress = progress.trim_end();
        let gap = " ".repeat(self.width.saturating_sub(progress.chars().count()));
        passed.push('\r');
        passed.push_str(progress);
        passed.push_str(&gap);
        self.held = !progress.is_empty();
        if self.held {
            self.width = self.width.max(progress.chars().count());
        } else {
            passed.push('\r'); // What comes next starts where the line was.
            self.width = 0;
        }
    }

    /// What is still to be sent when a cell ends.
    pub fn finish(&mut self) -> &'static str {
        self.width = 0;
        if std::mem::take(&mut self.held) {
            "\n"
        } else {
            ""
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kindling_pages::settle;

    #[test]
    fn a_progress_line_is_overwritten() {
        let mut fold = ProgressLines::default();
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

    #[test]
    fn a_shorter_line_covers_the_longer_one() {
        let mut fold = ProgressLines::default();
        let sent = fold.pass("\rstep 10\n\rdone\n");
        assert_eq!(sent, "\rstep 10\rdone   ");
        assert_eq!(settle(&sent), "done");
    }

    #[test]
    fn a_blank_progress_line_erases() {
        let mut fold = ProgressLines::default();
        let mut sent = fold.pass("\r1 of 2\n\r \n");
        assert_eq!(settle(&sent), "");
        sent.push_str(&fold.pass("table\n\r1 of 9\n\r \n"));
        sent.push_str(fold.finish());
        assert_eq!(sent, "\r1 of 2\r      \rtable\n\r1 of 9\r      \r");
        assert_eq!(settle(&sent), "table\n");
    }
}
