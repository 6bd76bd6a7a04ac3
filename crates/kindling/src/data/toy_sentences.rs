//! A toy grammar: English sentences with their Chinese, for where no real text can be had.
//!
//! What a translator must learn here: which word is which; that Chinese says time and place before the verb; that it counts
//! with a word that the noun decides; that 2 is 两 before such a word; that nothing marks the past or more than one.

use std::collections::HashSet;

use super::{Random, SentencePair};

/// One and many in English, in Chinese, and the Chinese counting word.
const NOUNS: [(&str, &str, &str, &str); 10] = [
    ("cat", "cats", "猫", "只"),
    ("dog", "dogs", "狗", "只"),
    ("bird", "birds", "鸟", "只"),
    ("child", "children", "孩子", "个"),
    ("student", "students", "学生", "个"),
    ("teacher", "teachers", "老师", "位"),
    ("book", "books", "书", "本"),
    ("car", "cars", "汽车", "辆"),
    ("horse", "horses", "马", "匹"),
    ("letter", "letters", "信", "封"),
];

/// How many of the first nouns can do something themselves.
const ACTORS: usize = 6;

const ADJECTIVES: [(&str, &str); 7] = [
    ("red", "红色的"),
    ("white", "白色的"),
    ("black", "黑色的"),
    ("small", "小"),
    ("big", "大"),
    ("beautiful", "漂亮的"),
    ("quiet", "安静的"),
];

const VERBS: [(&str, &str); 6] = [
    ("saw", "看见"),
    ("found", "找到"),
    ("drew", "画"),
    ("remembered", "想起"),
    ("described", "描述"),
    ("photographed", "拍"),
];

const PLACES: [(&str, &str); 6] = [
    ("in the park", "在公园里"),
    ("at school", "在学校"),
    ("at home", "在家"),
    ("on the street", "在街上"),
    ("in the city", "在城里"),
    ("near the river", "在河边"),
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const NUMBERS: [(&str, &str); 9] = [
    ("one", "一"),
    ("two", "两"),
    ("three", "三"),
    ("four", "四"),
    ("five", "五"),
    ("six", "六"),
    ("seven", "七"),
    ("eight", "八"),
    ("nine", "九"),
];

/// So many pairs, no two of which have the same sentence.
pub(super) fn pairs(count: usize, seed: u64) -> Vec<SentencePair> {
    let mut random = Random::new(seed);
    let mut seen = HashSet::new();
    let mut pairs = Vec::with_capacity(count);
    // There are billions of sentences: few are drawn in vain.
    while pairs.len() < count {
        let pair = pair(&mut random);
        if seen.insert(pair.source.clone()) {
            pairs.push(pair);
        }
    }
    pairs
}

fn pair(random: &mut Random) -> SentencePair {
    let who = things(random, ACTORS);
    let verb = VERBS[random.below(VERBS.len())];
    let what = things(random, NOUNS.len());
    let place = PLACES[random.below(PLACES.len())];
    let time = time(random);
    let sentence = format!("{} {} {} {} {}.", who.0, verb.0, what.0, place.0, time.0);
    let mut letters = sentence.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    SentencePair {
        source: first.into_iter().chain(letters).collect(),
        target: format!("{}{}{}{}了{}。", time.1, who.1, place.1, verb.1, what.1),
        attribution: None,
    }
}

/// A number of things, perhaps of some kind, in English and Chinese.
fn things(random: &mut Random, nouns: usize) -> (String, String) {
    let number = random.below(NUMBERS.len());
    let (one, many, noun, counter) = NOUNS[random.below(nouns)];
    let name = if number == 0 { one } else { many };
    let (english, chinese) = NUMBERS[number];
    if random.below(3) == 0 {
        return (
            format!("{english} {name}"),
            format!("{chinese}{counter}{noun}"),
        );
    }
    let kind = ADJECTIVES[random.below(ADJECTIVES.len())];
    (
        format!("{english} {} {name}", kind.0),
        format!("{chinese}{counter}{}{noun}", kind.1),
    )
}

/// When it was, in English and Chinese.
fn time(random: &mut Random) -> (String, String) {
    match random.below(4) {
        0 => ("yesterday".to_owned(), "昨天".to_owned()),
        1 => ("last year".to_owned(), "去年".to_owned()),
        _ => {
            let (month, day) = (random.below(MONTHS.len()), 1 + random.below(28));
            let english = format!("on {} {day}", MONTHS[month]);
            (english, format!("{}月{day}日", month + 1))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_sentences() {
        let first = &pairs(3, 1)[0];
        assert_eq!(first, &pairs(1, 1)[0]);
        let words = first.source.split(' ').count();
        assert!((7..=14).contains(&words), "{first:?}");
        assert!(first.source.ends_with('.') && first.target.ends_with('。'));
    }

    #[test]
    fn time_comes_last_in_english_and_first_in_chinese() {
        for pair in pairs(500, 2) {
            assert_eq!(
                pair.source.ends_with("yesterday."),
                pair.target.starts_with("昨天")
            );
            assert_eq!(
                pair.source.contains("at home"),
                pair.target.contains("在家")
            );
            assert_eq!(
                pair.source.contains("wo "),
                pair.target.contains('两'),
                "{pair:?}"
            );
        }
    }
}
