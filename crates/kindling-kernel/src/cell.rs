//! What a cell asks for that no kernel can give, said in a sentence.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::borrow::Cow;

/// What is sent for a cell that reads standard input: the prelude defines it.
///
/// Evcxr gives its orders to the program that runs the cells through that program's standard input, so such a cell would wait for
/// ever, and take the orders away.
const NO_INPUT: &str = "a_cell_cannot_read_standard_input!();";

/// What each kernel begins with.
///
/// Evcxr shows whole lines: what `print!` leaves unfinished is marked, and [`crate::limit`] puts it together.
pub(crate) const PRELUDE: &str = r#"#[allow(unused_macros)]
macro_rules! print { ($($text:tt)*) => { ::std::println!("{}\u{1f}", ::std::format_args!($($text)*)) } }
#[allow(unused_macros)]
macro_rules! eprint { ($($text:tt)*) => { ::std::eprintln!("{}\u{1f}", ::std::format_args!($($text)*)) } }
#[allow(unused_macros)]
macro_rules! a_cell_cannot_read_standard_input {
    () => { ::std::compile_error!("a cell cannot read standard input, because nobody types there; put the text into a variable") }
}"#;

/// The code to send for a cell: itself, or what says why it cannot run.
pub(crate) fn sent(code: &str) -> Cow<'_, str> {
    // Most cells are told at a glance; only the others are read as a compiler reads them, without comments and texts.
    let reads = code.contains("stdin") && code.parse().is_ok_and(reads_input);
    if reads { NO_INPUT.into() } else { code.into() }
}

/// What evcxr says of a cell that printed bytes that are no text.
const NO_TEXT: &str = "stream did not contain valid UTF-8";
/// What it says of one that ended the program, before how that ended.
const ENDED: &str = "Subprocess terminated with status: ";

/// Whether no other cell must run: after bytes that are no text evcxr takes each line for the one before it, and the next cell
/// waits for ever.
pub(crate) fn is_no_text(evalue: &str) -> bool {
    evalue == NO_TEXT
}

/// The sentence for a reader in place of what evcxr says, where that tells little.
pub(crate) fn explained(evalue: &str) -> Option<String> {
    if is_no_text(evalue) {
        return Some("the cell wrote bytes to standard output that are no text in UTF-8 and cannot be shown; restart the kernel, whose variables are lost".to_owned());
    }
    let (printed, how) = evalue.rsplit_once(ENDED)?;
    let cause = if how.contains("SIGSEGV") {
        "; the usual cause is a function that calls itself without end"
    } else if how.contains("SIGKILL") {
        "; it was stopped, or memory ran out"
    } else {
        ""
    };
    Some(format!(
        "{printed}the program that runs the cells ended ({how}){cause}. All variables are lost; the next cell starts it again"
    ))
}

/// Whether `stdin()` stands in it.
fn reads_input(tokens: TokenStream) -> bool {
    let mut after_name = false;
    tokens.into_iter().any(|token| {
        let called = std::mem::replace(
            &mut after_name,
            matches!(&token, TokenTree::Ident(name) if name == "stdin"),
        );
        let TokenTree::Group(group) = token else {
            return false;
        };
        let nothing = group.delimiter() == Delimiter::Parenthesis && group.stream().is_empty();
        called && nothing || reads_input(group.stream())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_reads_what_nobody_types_is_told_so() {
        for code in [
            "std::io::stdin().read_line(&mut line)?;",
            "let all = { io::read_to_string(stdin ( ))? };",
            "for line in io::stdin().lock().lines() {}",
        ] {
            assert_eq!(sent(code), NO_INPUT, "{code}");
        }
        for code in [
            "println!(\"stdin()\"); // stdin()",
            "Command::new(\"wc\").stdin(Stdio::piped())",
            "child.stdin.take()",
            "let half = stdin(",
            "1 + 1",
        ] {
            assert_eq!(sent(code), code);
        }
    }

    #[test]
    fn how_a_program_ended_is_said_in_a_sentence() {
        let told = |evalue: &str| explained(evalue).unwrap_or_default();
        let exit = told("last words\nSubprocess terminated with status: exit status: 3");
        assert_eq!(
            exit,
            "last words\nthe program that runs the cells ended (exit status: 3). All variables are lost; the next cell starts it again"
        );
        let deep = "Subprocess terminated with status: signal: 11 (SIGSEGV)";
        assert!(told(deep).contains("a function that calls itself"));
        assert!(told(NO_TEXT).contains("no text in UTF-8") && is_no_text(NO_TEXT));
        assert_eq!(explained("mismatched types"), None);
    }
}
