//! Drawings inside a page: without ids or styles that could meet those of another drawing.

use crate::maths::escape;
use crate::pattern::patterns;

patterns! {
    ID = r#"(\s(?:id|aria-labelledby|aria-describedby))="([^"]+)""#;
    HREF = r#"((?:xlink:)?href)="\#([^"]+)""#;
    URL = r"url\(\#([^)]+)\)";
    STYLE = r"(?s)<style[^>]*>(.*?)</style>";
    TITLE = r"(?s)<title[^>]*>(.*?)</title>";
    TAG = r"(?s)<svg\b([^>]*)>";
    ROLE = r#"\s(?:role|aria-label|aria-labelledby|aria-hidden|id)="[^"]*""#;
    SIZE = r#"\s(width|height)="([\d.]+)(?:px)?""#;
}

/// A drawing.
pub(crate) struct Svg<'a> {
    attributes: &'a str,
    inner: &'a str,
}

impl<'a> Svg<'a> {
    /// Reads the text of an SVG file.
    pub(crate) fn new(text: &'a str) -> Result<Self, String> {
        let found = TAG.captures(text);
        let end = text.rfind("</svg>");
        let parts = found.and_then(|found| Some((found.get(0)?.end(), found.get(1)?.as_str())));
        match (parts, end) {
            (Some((start, attributes)), Some(end)) if start <= end => Ok(Self {
                attributes,
                inner: &text[start..end],
            }),
            _ => Err("this picture is not an SVG file: `<svg …>…</svg>` is missing".to_owned()),
        }
    }

    /// The text of its own `<title>`.
    pub(crate) fn title(&self) -> Option<&'a str> {
        let found = TITLE.captures(self.inner)?;
        Some(found.get(1)?.as_str().trim())
    }

    /// The drawing as part of a page; `prefix` is unique there, `alt` says what it shows.
    pub(crate) fn inline(&self, prefix: &str, alt: &str) -> String {
        let id = format!("svg-{prefix}");
        let alt = if alt.is_empty() {
            self.title().unwrap_or("").to_owned()
        } else {
            escape(alt)
        };
        let mut attributes = ROLE.replace_all(self.attributes, "").into_owned();
        if !attributes.contains("viewBox") {
            let size = |name: &str| {
                let mut sizes = SIZE.captures_iter(&attributes);
                sizes
                    .find(|found| &found[1] == name)
                    .map(|found| found[2].to_owned())
            };
            if let (Some(width), Some(height)) = (size("width"), size("height")) {
                attributes.push_str(&format!(" viewBox=\"0 0 {width} {height}\""));
            }
        }
        let inner = TITLE.replace_all(self.inner, "");
        let inner = ID.replace_all(&inner, format!("$1=\"{prefix}-$2\""));
        let inner = HREF.replace_all(&inner, format!("$1=\"#{prefix}-$2\""));
        let inner = URL.replace_all(&inner, format!("url(#{prefix}-$1)"));
        let inner = STYLE.replace_all(&inner, format!("<style>#{id} {{$1}}</style>"));
        format!(
            "<svg{attributes} id=\"{id}\" role=\"img\" aria-label=\"{alt}\">{}</svg>",
            inner.trim()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_styles_stay_inside() {
        let text = r##"<?xml version="1.0"?><svg width="10" height="20" role="img"><title>A</title><style>.a{fill:red}</style><g id="x"/><use href="#x" fill="url(#x)"/></svg>"##;
        let svg = Svg::new(text).unwrap();
        assert_eq!(svg.title(), Some("A"));
        let html = svg.inline("p1", "say \"hi\"");
        assert!(
            html.starts_with("<svg width=\"10\" height=\"20\" viewBox=\"0 0 10 20\" id=\"svg-p1\"")
        );
        assert!(html.contains("aria-label=\"say &quot;hi&quot;\""));
        assert!(
            html.contains("id=\"p1-x\"")
                && html.contains("href=\"#p1-x\"")
                && html.contains("url(#p1-x)")
        );
        assert!(html.contains("<style>#svg-p1 {.a{fill:red}}</style>"));
        assert!(Svg::new("<p>").is_err());
    }
}
