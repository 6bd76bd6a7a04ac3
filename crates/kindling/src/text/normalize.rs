//! Normalising: different ways to write the same text become one, before anything is counted or learned.

use unicode_normalization::UnicodeNormalization;

/// Which Unicode normalisation form the text gets (Unicode Standard Annex 15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// Leaves characters as they are composed.
    AsIs,
    /// NFC: a letter and its accent become one character where there is one. It looks the same.
    #[default]
    Composed,
    /// NFKC: besides, variants become their plain characters, such as `ﬁ` fi, `Ａ` A and `²` 2. It may look different.
    Compatible,
}

/// What becomes of control characters that are no white space, and of the byte order mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Control {
    /// They stay.
    Keep,
    /// They go.
    #[default]
    Remove,
    /// Each becomes a space.
    Space,
}

/// What is made the same in a text. By default NFC, and control characters go; case and white space stay.
///
/// ```
/// use kindling::text::{Form, Normalizer};
/// assert_eq!(Normalizer::default().normalize("cafe\u{301}\u{0}"), "café");
/// let plain = Normalizer { form: Form::Compatible, lowercase: true, fold_white_space: true, ..Normalizer::default() };
/// assert_eq!(plain.normalize("  ＧＰＴ ²\n\n Ｍodel "), "gpt 2 model");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Normalizer {
    /// The normalisation form.
    pub form: Form,
    /// Whether capital letters become small ones. It says nothing in Chinese, and loses names and nouns in German.
    pub lowercase: bool,
    /// What becomes of control characters.
    pub control: Control,
    /// Whether each run of white space becomes one space, and none is left at both ends.
    pub fold_white_space: bool,
}

impl Normalizer {
    /// Leaves everything as it is.
    pub const NOTHING: Self = Self {
        form: Form::AsIs,
        lowercase: false,
        control: Control::Keep,
        fold_white_space: false,
    };

    /// The text, normalised; normalising it again changes nothing.
    #[must_use]
    pub fn normalize(&self, text: &str) -> String {
        let mut text = self.without_control(text);
        text = self.formed(text);
        if self.lowercase {
            // Small letters can fit together with an accent that their capitals did not fit.
            text = self.formed(text.to_lowercase());
        }
        if self.fold_white_space {
            let words: Vec<&str> = text.split_whitespace().collect();
            text = words.join(" ");
        }
        text
    }

    fn formed(&self, text: String) -> String {
        match self.form {
            Form::AsIs => text,
            _ if text.is_ascii() => text, // has one form only
            Form::Composed => text.nfc().collect(),
            Form::Compatible => text.nfkc().collect(),
        }
    }

    fn without_control(&self, text: &str) -> String {
        match self.control {
            Control::Keep => text.to_owned(),
            Control::Remove => text.chars().filter(|c| !is_control(*c)).collect(),
            Control::Space => {
                let spaced = |c| if is_control(c) { ' ' } else { c };
                text.chars().map(spaced).collect()
            }
        }
    }
}

/// Control characters that are no white space, and the byte order mark. The joiners inside emoji are not among them.
fn is_control(character: char) -> bool {
    character == '\u{feff}' || (character.is_control() && !character.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Random;

    const ALL: Normalizer = Normalizer {
        form: Form::Compatible,
        lowercase: true,
        control: Control::Remove,
        fold_white_space: true,
    };

    #[test]
    fn each_switch_does_its_own_work() {
        let text = "\u{feff}Ａ\u{0}b\u{7f}\t Cafe\u{301} ﬁ ";
        assert_eq!(Normalizer::NOTHING.normalize(text), text);
        let with = |change: fn(&mut Normalizer)| {
            let mut normalizer = Normalizer::NOTHING;
            change(&mut normalizer);
            normalizer.normalize(text)
        };
        assert_eq!(
            with(|n| n.form = Form::Composed),
            "\u{feff}Ａ\u{0}b\u{7f}\t Café ﬁ "
        );
        assert_eq!(
            with(|n| n.form = Form::Compatible),
            "\u{feff}A\u{0}b\u{7f}\t Café fi "
        );
        assert_eq!(
            with(|n| n.lowercase = true),
            "\u{feff}ａ\u{0}b\u{7f}\t cafe\u{301} ﬁ "
        );
        assert_eq!(
            with(|n| n.control = Control::Remove),
            "Ａb\t Cafe\u{301} ﬁ "
        );
        assert_eq!(
            with(|n| n.control = Control::Space),
            " Ａ b \t Cafe\u{301} ﬁ "
        );
        assert_eq!(
            with(|n| n.fold_white_space = true),
            "\u{feff}Ａ\u{0}b\u{7f} Cafe\u{301} ﬁ"
        );
        assert_eq!(ALL.normalize(text), "ab café fi");
    }

    #[test]
    fn chinese_and_emoji_keep_their_meaning() {
        assert_eq!(ALL.normalize("你好，世界！"), "你好,世界!");
        assert_eq!(Normalizer::default().normalize("你好，👩‍👩‍👧！"), "你好，👩‍👩‍👧！");
        for text in ["", " \n", "\u{0}"] {
            assert_eq!(ALL.normalize(text), "");
        }
    }

    #[test]
    fn once_is_enough_for_every_character_and_for_random_texts() {
        let every = (0..=0x10_ffff).filter_map(char::from_u32);
        let mut texts: Vec<String> = every.map(String::from).collect();
        let mut random = Random::new(3);
        let mut character = || char::from_u32(random.below(0x3_0000) as u32).unwrap_or(' ');
        texts.extend((0..10_000).map(|_| (0..6).map(|_| character()).collect()));
        for text in texts {
            let once = ALL.normalize(&text);
            assert_eq!(ALL.normalize(&once), once, "{text:?}");
        }
    }
}
