//! Maths: found in Markdown, carried through translation as code, rendered with KaTeX at build time.

use crate::pattern::patterns;
use katex::{KatexContext, OutputFormat, Settings, StrictMode, StrictSetting};
use regex::Captures;

/// A line of Markdown and the line of the page that it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub origin: usize,
    pub text: String,
}

impl Line {
    pub(crate) fn new(origin: usize, text: impl Into<String>) -> Self {
        Self {
            origin,
            text: text.into(),
        }
    }
}

/// Joins lines to a Markdown document.
pub(crate) fn join(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        text.push_str(&line.text);
        text.push('\n');
    }
    text
}

/// Turns `$x$` and `$$x$$` outside code into the code spans `` `$x$` `` and `` `$$x$$` ``: Markdown then
/// leaves their backslashes and underscores alone, and a translator sees one unit.
pub(crate) fn protect(lines: &[Line]) -> Vec<Line> {
    let mut result: Vec<Line> = Vec::with_capacity(lines.len());
    let mut start = 0;
    while start < lines.len() {
        let blank = |line: &Line| line.text.trim().is_empty();
        if blank(&lines[start]) {
            result.push(lines[start].clone());
            start += 1;
            continue;
        }
        let end = lines[start..]
            .iter()
            .position(blank)
            .map_or(lines.len(), |length| start + length);
        protect_paragraph(&lines[start..end], &mut result);
        start = end;
    }
    result
}

fn protect_paragraph(lines: &[Line], result: &mut Vec<Line>) {
    let text = join(lines);
    let text = text.trim_end_matches('\n');
    let mut index = 0;
    let mut line = 0;
    let origin = |line: usize| lines[line.min(lines.len() - 1)].origin;
    let mut current = Line::new(origin(0), String::new());
    while index < text.len() {
        let rest = &text[index..];
        let taken = match rest.as_bytes()[0] {
            b'\\' => copy(
                &mut current,
                rest,
                1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            ),
            b'`' => code_span(&mut current, rest),
            b'$' => match span(rest) {
                Some((length, delimiter, tex)) => {
                    let tex: Vec<&str> = tex
                        .lines()
                        .map(|line| line.trim_start_matches(['>', ' ']))
                        .collect();
                    current
                        .text
                        .push_str(&format!("`{delimiter}{}{delimiter}`", tex.join(" ").trim()));
                    length
                }
                None => copy(&mut current, rest, 1),
            },
            b'\n' => {
                let next = Line::new(origin(line + 1), String::new());
                result.push(std::mem::replace(&mut current, next));
                1
            }
            _ => {
                let length = rest.find(['\\', '`', '$', '\n']).unwrap_or(rest.len());
                copy(&mut current, rest, length)
            }
        };
        line += text[index..index + taken].matches('\n').count();
        index += taken;
    }
    result.push(current);
}

fn copy(current: &mut Line, rest: &str, length: usize) -> usize {
    let length = if rest[..length].contains('\n') {
        1
    } else {
        length
    };
    current.text.push_str(&rest[..length]);
    length
}

/// Copies a code span; one that looks like protected maths becomes HTML, so that it stays code.
fn code_span(current: &mut Line, rest: &str) -> usize {
    let ticks = rest.len() - rest.trim_start_matches('`').len();
    let mut from = ticks;
    while let Some(found) = rest[from..].find('`') {
        let at = from + found;
        let run = rest[at..].len() - rest[at..].trim_start_matches('`').len();
        if run == ticks {
            let inner = &rest[ticks..at];
            let code = inner.trim();
            if code.len() > 2 && code.starts_with('$') && code.ends_with('$') {
                let code = escape(code).replace('$', "&#36;");
                current.text.push_str(&format!("<code>{code}</code>"));
            } else {
                current.text.push_str(&rest[..at + run].replace('\n', " "));
            }
            return at + run;
        }
        from = at + run;
    }
    copy(current, rest, ticks)
}

/// A maths span at the start of `rest`: its length, its delimiter and its TeX.
fn span(rest: &str) -> Option<(usize, &'static str, &str)> {
    if let Some(inner) = rest.strip_prefix("$$") {
        let end = inner.find("$$")?;
        let tex = &inner[..end];
        return (!tex.trim().is_empty()).then_some((end + 4, "$$", tex));
    }
    let inner = &rest[1..];
    if inner.starts_with([' ', '\n', '\t']) {
        return None;
    }
    let mut from = 0;
    while let Some(found) = inner[from..].find('$') {
        let end = from + found;
        if inner[..end].ends_with('\\') {
            from = end + 1;
            continue;
        }
        let closes = !inner[..end].ends_with([' ', '\n', '\t']) && end > 0;
        let digit = inner[end + 1..].starts_with(|next: char| next.is_ascii_digit());
        return (closes && !digit).then_some((end + 2, "$", &inner[..end]));
    }
    None
}

/// Replaces each protected span of `text` by what `put` returns for its TeX and its display mode.
pub(crate) fn replace(text: &str, mut put: impl FnMut(&str, bool) -> String) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("`$") {
        let inner = &rest[start + 1..];
        let Some(end) = inner.find("$`") else { break };
        let content = &inner[..=end];
        let display = content.starts_with("$$") && content.len() > 3;
        let tex = if display {
            content.trim_matches('$')
        } else {
            &content[1..content.len() - 1]
        };
        result.push_str(&rest[..start]);
        result.push_str(&put(&tex.replace("\\|", "\\Vert "), display));
        rest = &inner[end + 2..];
    }
    result.push_str(rest);
    result
}

/// Renders TeX to HTML and MathML.
pub(crate) struct Renderer {
    context: KatexContext,
}

impl Renderer {
    pub(crate) fn new() -> Self {
        Self {
            context: KatexContext::default(),
        }
    }

    /// The HTML of `tex`, or what KaTeX says is wrong with it.
    pub(crate) fn render(&self, tex: &str, display: bool) -> Result<String, String> {
        let settings = Settings::builder()
            .display_mode(display)
            .output(OutputFormat::HtmlAndMathml)
            .throw_on_error(true)
            .strict(StrictSetting::Mode(StrictMode::Ignore))
            .build();
        katex::render_to_string(&self.context, tex, &settings)
            .map(|html| sorted(&html))
            .map_err(|error| error.to_string())
    }
}

patterns! {
    TAG = r#"<([a-z]+)((?:\s[\w:-]+="[^"]*"){2,})"#;
    ATTRIBUTE = r#"[\w:-]+="[^"]*""#;
}

/// Sorts the attributes of each tag: KaTeX keeps them in a map whose order changes from run to run.
fn sorted(html: &str) -> String {
    let sort = |found: &Captures| {
        let mut attributes: Vec<&str> = ATTRIBUTE.find_iter(&found[2]).collect();
        attributes.sort_unstable();
        format!("<{} {}", &found[1], attributes.join(" "))
    };
    TAG.replace_all(html, sort).into_owned()
}

/// Escapes text for HTML, in elements and in double-quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protected(text: &str) -> String {
        let lines: Vec<Line> = text
            .lines()
            .enumerate()
            .map(|(index, text)| Line::new(index + 1, text))
            .collect();
        join(&protect(&lines)).trim_end().to_owned()
    }

    #[test]
    fn maths_becomes_code() {
        assert_eq!(
            protected(r"a $x_1$ and $\mathbf{W}$."),
            r"a `$x_1$` and `$\mathbf{W}$`."
        );
        assert_eq!(protected("$$\na\n- b\n$$"), "`$$a - b$$`");
    }

    #[test]
    fn money_and_code_are_left_alone() {
        assert_eq!(protected("from $5 to $6"), "from $5 to $6");
        assert_eq!(protected("`a $b$ c`"), "`a $b$ c`");
        assert_eq!(protected(r"\$a\$"), r"\$a\$");
        assert_eq!(protected("write `$x$`"), "write <code>&#36;x&#36;</code>");
    }

    #[test]
    fn lines_keep_their_origin() {
        let lines: Vec<Line> = ["a", "$$x", "y$$", "b $z$"]
            .iter()
            .enumerate()
            .map(|(index, text)| Line::new(index + 1, *text))
            .collect();
        let origins: Vec<usize> = protect(&lines).iter().map(|line| line.origin).collect();
        assert_eq!(origins, [1, 2, 4]);
    }

    #[test]
    fn protected_spans_come_back() {
        let text = replace("a `$x$` b `$$y$$`", |tex, display| {
            format!("<{tex}{display}>")
        });
        assert_eq!(text, "a <xfalse> b <ytrue>");
    }

    #[test]
    fn wrong_maths_is_an_error() {
        let renderer = Renderer::new();
        assert!(
            renderer
                .render(r"\frac{a}{b}", false)
                .unwrap()
                .contains("katex")
        );
        assert!(renderer.render(r"\frac{a}{", false).is_err());
        assert!(renderer.render(r"\nosuchthing", false).is_err());
    }
}
