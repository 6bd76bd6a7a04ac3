//! Values of JSON as programs write them: an id as a number or as a string, a flag as 0 or `false`, a length as 640 or 640.0.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

/// What tells a picture or a category from others; `7`, `7.0` and `"7"` are the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Id {
    Number(i128),
    Words(String),
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Words(words) => write!(f, "{words:?}"),
        }
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdVisitor;

        impl Visitor<'_> for IdVisitor {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a whole number or a string as an id")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Id, E> {
                Ok(Id::Number(number.into()))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Id, E> {
                Ok(Id::Number(number.into()))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Id, E> {
                // Beyond, two ids may round to the same number.
                let exact = number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0;
                match exact {
                    true => Ok(Id::Number(number as i128)),
                    false => Err(E::invalid_value(
                        serde::de::Unexpected::Float(number),
                        &self,
                    )),
                }
            }

            fn visit_str<E: Error>(self, words: &str) -> Result<Id, E> {
                let words = words.trim();
                let number = words.parse().map(Id::Number);
                Ok(number.unwrap_or_else(|_| Id::Words(words.to_owned())))
            }
        }
        deserializer.deserialize_any(IdVisitor)
    }
}

/// Whether something is so: a number that is not 0, `true`, or nothing at all for no.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Flag(pub(crate) bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FlagVisitor;

        impl Visitor<'_> for FlagVisitor {
            type Value = Flag;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "0, 1, true or false")
            }

            fn visit_bool<E: Error>(self, flag: bool) -> Result<Flag, E> {
                Ok(Flag(flag))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Flag, E> {
                Ok(Flag(number != 0))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Flag, E> {
                Ok(Flag(number != 0))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Flag, E> {
                Ok(Flag(number != 0.0))
            }

            fn visit_unit<E: Error>(self) -> Result<Flag, E> {
                Ok(Flag(false))
            }
        }
        deserializer.deserialize_any(FlagVisitor)
    }
}

/// A height or a width in pixels; nothing where a program does not know and writes 0.
pub(crate) fn side(number: f64) -> Option<usize> {
    (number >= 1.0 && number.fract() == 0.0 && number < 1e9).then_some(number as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Result<String, String> {
        let id: Result<Id, _> = serde_json::from_str(text);
        id.map(|id| id.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn an_id_is_a_number_or_a_string() {
        for (text, expected) in [
            ("7", "7"),
            ("\"7\"", "7"),
            ("7.0", "7"),
            ("-1", "-1"),
            ("18446744073709551615", "18446744073709551615"),
            ("\"340282366920938463463\"", "340282366920938463463"),
            ("\"a7\"", "\"a7\""),
        ] {
            assert_eq!(id(text).as_deref(), Ok(expected), "{text}");
        }
        for text in ["null", "[1]", "7.5", "340282366920938463463", "true"] {
            let error = id(text).unwrap_err();
            assert!(error.contains("a whole number or a string"), "{error}");
        }
    }

    #[test]
    fn a_flag_may_be_written_in_many_ways() {
        for (text, expected) in [
            ("0", false),
            ("1", true),
            ("0.0", false),
            ("true", true),
            ("false", false),
            ("null", false),
        ] {
            let flag: Flag = serde_json::from_str(text).unwrap();
            assert_eq!(flag.0, expected, "{text}");
        }
        assert!(serde_json::from_str::<Flag>("\"yes\"").is_err());
        assert_eq!(
            [640.0, 0.0, -1.0, 0.5, 1e300].map(side),
            [Some(640), None, None, None, None]
        );
    }
}
