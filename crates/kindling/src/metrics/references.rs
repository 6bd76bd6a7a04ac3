//! What a translation or a summary is compared with: one or more references for each text.

use crate::{Error, Result};

/// A text and its references.
pub(super) type Pair<'a> = (&'a str, Vec<&'a str>);

/// Each text with its references, once it is certain that they belong together.
pub(super) fn pairs<'a, H, R, S>(hypotheses: &'a [H], references: &'a [R]) -> Result<Vec<Pair<'a>>>
where
    H: AsRef<str>,
    R: AsRef<[S]>,
    S: AsRef<str> + 'a,
{
    if hypotheses.is_empty() {
        return Err(Error::Argument(
            "hypotheses: expected at least one, found none".to_owned(),
        ));
    }
    if hypotheses.len() != references.len() {
        return Err(Error::Argument(format!(
            "references: expected {} lists, one for each hypothesis, found {}",
            hypotheses.len(),
            references.len()
        )));
    }
    let lists = references.iter().enumerate().map(|(number, list)| {
        let list: Vec<&str> = list.as_ref().iter().map(AsRef::as_ref).collect();
        if list.is_empty() {
            return Err(Error::Argument(format!(
                "references[{number}]: expected at least one reference, found none"
            )));
        }
        Ok(list)
    });
    let texts = hypotheses.iter().map(AsRef::as_ref);
    texts
        .zip(lists)
        .map(|(text, list)| Ok((text, list?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(hypotheses: &[&str], references: &[Vec<&str>]) -> String {
        pairs(hypotheses, references).unwrap_err().to_string()
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        assert_eq!(
            problem(&[], &[]),
            "hypotheses: expected at least one, found none"
        );
        assert_eq!(
            problem(&["a", "b"], &[vec!["a"]]),
            "references: expected 2 lists, one for each hypothesis, found 1"
        );
        assert_eq!(
            problem(&["a", "b"], &[vec!["a"], vec![]]),
            "references[1]: expected at least one reference, found none"
        );
    }

    #[test]
    fn arrays_vectors_and_strings_are_taken() {
        assert_eq!(
            pairs(&["a"], &[["b", "c"]]).unwrap(),
            [("a", vec!["b", "c"])]
        );
        let owned = vec![vec!["b".to_owned()]];
        assert_eq!(
            pairs(&["a".to_owned()], &owned).unwrap(),
            [("a", vec!["b"])]
        );
    }
}
