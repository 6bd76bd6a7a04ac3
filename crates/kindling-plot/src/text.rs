//! How wide a text is, about; the reader's own font decides, and it is near Helvetica.

/// The width in pixels of one line of `text` at this size.
pub(super) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(advance).sum::<f64>() * size
}

/// The widths of Helvetica, in classes; East Asian characters are square.
fn advance(character: char) -> f64 {
    match character {
        'i' | 'j' | 'l' | '|' | '\'' | '.' | ',' | ':' | ';' | '!' | ' ' | 'I' => 0.28,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '/' | '-' | '⁻' | '⁰'..='⁹' | '¹' | '²' | '³' => {
            0.35
        }
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '—' | '→' | '←' => 0.9,
        'A'..='Z' | '&' | '+' | '=' | '<' | '>' | '−' | '×' | '±' => 0.68,
        '\u{2e80}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7af}'
        | '\u{f900}'..='\u{faff}'
        | '\u{ff00}'..='\u{ff60}' => 1.0,
        _ => 0.56,
    }
}

/// `text` for XML: special characters escaped, those that XML forbids dropped.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => {}
            _ if character.is_control() => escaped.push(' '),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// A number as a person would write it: few digits, no noise, a true minus sign.
pub(super) fn number(value: f64, decimals: usize) -> String {
    let size = value.abs();
    let plain = if value == 0.0 {
        "0".to_owned()
    } else if !(5e-5..1e6).contains(&size) {
        let mut exponent = size.log10().floor() as i32;
        let mut leading = size / 10_f64.powi(exponent);
        if (leading * 10.0).round() >= 100.0 {
            (leading, exponent) = (leading / 10.0, exponent + 1);
        }
        let digits = format!("{leading:.1}");
        let digits = digits.strip_suffix(".0").unwrap_or(&digits).to_owned();
        let power = format!("10{}", superscript(exponent));
        let unsigned = if digits == "1" {
            power
        } else {
            format!("{digits}×{power}")
        };
        if value < 0.0 {
            format!("-{unsigned}")
        } else {
            unsigned
        }
    } else {
        format!("{value:.decimals$}")
    };
    match plain.strip_prefix('-') {
        Some(digits) if digits.chars().all(|digit| "0.".contains(digit)) => digits.to_owned(),
        Some(digits) => format!("−{digits}"),
        None => plain,
    }
}

/// A number with about three digits that matter, for labels beside data.
pub(super) fn short(value: f64) -> String {
    let label = number(value, decimals(&[value]));
    // What rounds to a whole number is shown as one.
    match label
        .strip_suffix(".000")
        .or(label.strip_suffix(".00"))
        .or(label.strip_suffix(".0"))
    {
        Some(whole) => whole.to_owned(),
        None => label,
    }
}

/// How many decimals show these numbers alike: enough for about three digits of the largest, no more than they have.
pub(super) fn decimals(values: &[f64]) -> usize {
    let largest = values
        .iter()
        .fold(0.0, |most: f64, value| most.max(value.abs()));
    let whole_digits = if largest > 0.0 {
        largest.log10().floor() as i32 + 1
    } else {
        0
    };
    let most = (3 - whole_digits).clamp(0, 4) as usize;
    let exact = |decimals: usize| {
        let scale = 10_f64.powi(decimals as i32);
        values
            .iter()
            .all(|value| ((value * scale).round() / scale - value).abs() < 1e-6 * largest)
    };
    (0..most).find(|&decimals| exact(decimals)).unwrap_or(most)
}

/// A whole number in raised digits.
pub(super) fn superscript(exponent: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    exponent
        .to_string()
        .chars()
        .map(|digit| {
            digit
                .to_digit(10)
                .map_or('⁻', |digit| DIGITS[digit as usize])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_matter() {
        let shown = [
            0.0, 1.0, -2.5, 0.123_456, 1_350.4, 2e7, -3.2e-9, 0.000_2, 0.999_99,
        ]
        .map(short);
        assert_eq!(
            shown,
            [
                "0",
                "1",
                "−2.5",
                "0.123",
                "1350",
                "2×10⁷",
                "−3.2×10⁻⁹",
                "0.0002",
                "1"
            ]
        );
        assert_eq!(decimals(&[0.5, 0.25]), 2);
        assert_eq!(decimals(&[1.0, 959.0]), 0);
        assert_eq!(decimals(&[]), 0);
    }

    #[test]
    fn xml_is_escaped() {
        assert_eq!(escape("a<b & \"c\"\u{0}"), "a&lt;b &amp; &quot;c&quot; ");
    }
}
