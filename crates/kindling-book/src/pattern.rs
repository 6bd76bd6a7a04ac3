//! Regular expressions that are known to be right: a test compiles each.

use regex::{Captures, Regex, Replacer};
use std::borrow::Cow;
use std::sync::OnceLock;

/// A regular expression, compiled when it is first used. It is made by [`patterns`], so that a test compiles it, too.
pub(crate) struct Pattern {
    text: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    pub(crate) const fn new(text: &'static str) -> Self {
        let compiled = OnceLock::new();
        Self { text, compiled }
    }

    fn get(&self) -> Option<&Regex> {
        let compile = || Regex::new(self.text).ok();
        self.compiled.get_or_init(compile).as_ref()
    }

    /// What a test asks of every pattern.
    #[cfg(test)]
    pub(crate) fn expect_right(&self) {
        let compiled = Regex::new(self.text);
        assert!(compiled.is_ok(), "{compiled:?}");
    }

    pub(crate) fn captures<'a>(&self, text: &'a str) -> Option<Captures<'a>> {
        self.get()?.captures(text)
    }

    pub(crate) fn captures_iter<'a>(&self, text: &'a str) -> impl Iterator<Item = Captures<'a>> {
        let regex = self.get().into_iter();
        regex.flat_map(move |regex| regex.captures_iter(text))
    }

    pub(crate) fn find_iter<'a>(&self, text: &'a str) -> impl Iterator<Item = &'a str> {
        let regex = self.get().into_iter();
        regex.flat_map(move |regex| regex.find_iter(text).map(|found| found.as_str()))
    }

    pub(crate) fn replace_all<'a>(&self, text: &'a str, with: impl Replacer) -> Cow<'a, str> {
        match self.get() {
            Some(regex) => regex.replace_all(text, with),
            None => Cow::Borrowed(text),
        }
    }
}

/// The patterns of a module, and the test that they are right.
macro_rules! patterns {
    ($($(#[$about:meta])* $name:ident = $text:expr;)*) => {
        $($(#[$about])* static $name: $crate::pattern::Pattern = $crate::pattern::Pattern::new($text);)*

        #[test]
        fn patterns_are_right() {
            $($name.expect_right();)*
        }
    };
}

pub(crate) use patterns;
