//! What a cell asks for that no kernel can give, said in a sentence.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::borrow::Cow;

/// Evcxr gives its orders to the program that runs the cells through that program's standard input: a cell that reads from it
/// waits for ever, and takes the orders away.
const NO_INPUT: &str = "compile_error!(\"a cell cannot read standard input: nobody types there; put the text into a variable, such as `let line = \\\"42\\\";`\");";

/// The code to send for a cell: itself, or what says why it cannot run.
pub(crate) fn sent(code: &str) -> Cow<'_, str> {
    // Most cells are told at a glance; only the others are read as a compiler reads them, without comments and texts.
    let reads = code.contains("stdin") && code.parse().is_ok_and(reads_input);
    if reads { NO_INPUT.into() } else { code.into() }
}

/// What evcxr says of a cell that printed bytes that are no text. From then on it takes each line for the one before it, and the
/// next cell waits for ever.
const NO_TEXT: &str = "stream did not contain valid UTF-8";

/// The sentence for a reader in place of what evcxr says of that; the kernel must not run another cell.
pub(crate) fn is_no_text(evalue: &str) -> Option<&'static str> {
    (evalue == NO_TEXT).then_some(
        "the cell wrote bytes to standard output that are no text in UTF-8, which cannot be shown; interrupt or restart the kernel, whose variables are lost",
    )
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
            assert!(sent(code).starts_with("compile_error!"), "{code}");
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
}
