//! What a reader gets: outputs, figures, maths, folds and both languages.

mod fixture;

use fixture::Fixture;

const PAGE: &str = r#"---
minutes: 7
memory: 300 MB
status: complete
---
# One

Lower the learning rate $\eta$ a little, says [the other page](../two.md#a-part).

$$
y = x^2
$$

```rust
# use a::b;
println!("{}", 1 < 2);
```

```rust
draw()
```

Figure: The loss falls, with $\eta$ small.

```rust,compile_fail
let a: u32 = "x";
```

> [!TIP]
> Look twice.

<details class="quiz"><summary>Why is <code>a</code> wrong?</summary>

It is text.

</details>
"#;

const NOTEBOOK: &str = r#"{"metadata": {}, "nbformat": 4, "nbformat_minor": 5, "cells": [
 {"id": "one-1", "cell_type": "code", "metadata": {}, "execution_count": null, "source": ["use a::b;\n", "println!(\"{}\", 1 < 2);"],
  "outputs": [{"output_type": "stream", "name": "stdout", "text": ["<true>\n"]}]},
 {"id": "one-2", "cell_type": "code", "metadata": {}, "execution_count": null, "source": "draw()",
  "outputs": [{"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": {"text/plain": "Figure", "image/svg+xml":
    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"4\" height=\"2\"><defs><clipPath id=\"c\"/></defs><g clip-path=\"url(#c)\"/></svg>"}}]},
 {"id": "one-3", "cell_type": "code", "metadata": {}, "execution_count": null, "source": "let a: u32 = \"x\";",
  "outputs": [{"output_type": "error", "ename": "E", "evalue": "mismatched", "traceback": ["\u001b[31mmismatched types\u001b[0m"]}]}
]}"#;

fn built() -> Fixture {
    let fixture = Fixture::new(PAGE);
    fixture.write("notebooks/a/one.ipynb", NOTEBOOK);
    fixture.write(
        "book/po/zh-CN.po",
        concat!(
            "msgid \"\"\nmsgstr \"Content-Type: text/plain; charset=UTF-8\\n\"\n\n",
            "msgid \"One\"\nmsgstr \"第一页\"\n\n",
            "msgid \"Lower the learning rate `$\\\\eta$` a little, says [the other page](../two.md#a-part).\"\n",
            "msgstr \"[另一页](../two.md#a-part)说，把**学习率** `$\\\\eta$` 调低一点。\"\n\n",
            "msgid \"Figure: The loss falls, with `$\\\\eta$` small.\"\nmsgstr \"图：`$\\\\eta$` 较小时损失下降。\"\n\n",
            "msgid \"Why is <code>a</code> wrong?\"\nmsgstr \"<code>a</code> 为什么错了？\"\n",
        ),
    );
    fixture
}

#[test]
fn a_page_shows_its_outputs_figures_and_maths() {
    let fixture = built();
    let report = fixture.build().unwrap();
    assert_eq!((report.pages, report.cells), (2, 3));
    let html = fixture.read("book/build/a/one.html");
    let has = |part: &str| {
        assert!(
            html.contains(part),
            "no `{part}` in\n{}",
            &html[html.find("<main").unwrap()..html.find("</main>").unwrap()]
        )
    };
    has("<html lang=\"en\"");
    has("<span>7 minutes</span><span>300 MB memory</span>");
    has("href=\"../notebooks/a/one.ipynb\" download=\"one.ipynb\"");
    assert!(fixture.path("book/build/notebooks/a/one.ipynb").is_file());
    has("data-cell=\"one-1\"");
    has(
        "<span class=\"boring\">use a::b;\n</span>println!(&quot;{}&quot;, 1 &lt; 2);</code></pre>",
    );
    has("<pre class=\"output\">&lt;true&gt;</pre>");
    has("viewBox=\"0 0 4 2\"");
    has("aria-label=\"The loss falls, with \\eta small.\"");
    has("<figcaption>The loss falls, with <span data-pagefind-ignore class=\"katex\"");
    assert!(
        !html.contains("id=\"c\"") && !html.contains("url(#c)"),
        "ids of a drawing must be its own"
    );
    has("<div class=\"formula\"><span data-pagefind-ignore class=\"katex-display\"");
    has("<pre class=\"output\">mismatched types</pre>");
    has("<p class=\"note-title note-tip\">Tip</p>");
    has("<details class=\"quiz\"><summary>Why is <code>a</code> wrong?</summary>");
    has("href=\"../zh-CN/a/one.html\">中文</a>");
    has("id=\"book-search-toggle\"");
    assert!(
        !html.contains("playground\""),
        "mdBook must not ask the Rust playground"
    );
    assert!(
        !html
            .chars()
            .any(|letter| ('\u{E000}'..='\u{F8FF}').contains(&letter)),
        "a marker is left"
    );
}

#[test]
fn the_chinese_page_shares_code_and_addresses() {
    let fixture = built();
    fixture.build().unwrap();
    let html = fixture.read("book/build/zh-CN/a/one.html");
    let has = |part: &str| {
        assert!(
            html.contains(part),
            "no `{part}` in\n{}",
            &html[html.find("<main").unwrap()..html.find("</main>").unwrap()]
        )
    };
    has("<html lang=\"zh-CN\"");
    has("id=\"one\"><a class=\"header\" href=\"#one\">第一页</a>");
    has("<a href=\"../two.html#a-part\">另一页</a>说，把<strong>学习率</strong>");
    has("7 分钟");
    has("href=\"../../notebooks/a/one.ipynb\"");
    has("println!(&quot;{}&quot;, 1 &lt; 2);");
    has("aria-label=\"\\eta 较小时损失下降。\"");
    has("<summary><code>a</code> 为什么错了？</summary>");
    has("It is text.");
    has("href=\"../../a/one.html\">English</a>");
    assert!(html.contains("第一页") && fixture.read("book/build/zh-CN/toc.js").contains("第一页"));
}

#[test]
fn the_chinese_frame_speaks_chinese() {
    let fixture = built();
    fixture.build().unwrap();
    let script = fixture.read("book/build/zh-CN/book.js");
    // The state of a button is told by its title: what is shown and what is compared must stay the same.
    assert_eq!(script.matches("=== '显示隐藏的行'").count(), 1);
    assert_eq!(script.matches("title = '显示隐藏的行'").count(), 1);
    assert!(!script.contains("Hide lines") && !script.contains("Copy to clipboard"));
    assert!(fixture.read("book/build/book.js").contains("Hide lines"));
    let missing = fixture.read("book/build/zh-CN/404.html");
    assert!(missing.contains("这个地址无效，请从目录或搜索继续。"));
}

#[test]
fn nothing_is_asked_of_another_host() {
    let fixture = built();
    fixture.build().unwrap();
    for page in [
        "index.html",
        "a/one.html",
        "two.html",
        "zh-CN/index.html",
        "zh-CN/a/one.html",
    ] {
        let html = fixture.read(&format!("book/build/{page}"));
        for attribute in ["src=\"", "<link rel=\"stylesheet\" href=\""] {
            for part in html.split(attribute).skip(1) {
                let address = part.split('"').next().unwrap_or("");
                assert!(!address.contains("//"), "{page} loads {address}");
            }
        }
    }
}

#[test]
fn the_same_pages_give_the_same_book() {
    let fixture = built();
    fixture.build().unwrap();
    let first = fixture.read("book/build/zh-CN/a/one.html");
    fixture.build().unwrap();
    assert_eq!(fixture.read("book/build/zh-CN/a/one.html"), first);
}

#[test]
fn a_changed_cell_does_not_show_its_old_output() {
    let fixture = built();
    fixture.write("book/src/a/one.md", &PAGE.replace("1 < 2", "2 < 1"));
    fixture.build().unwrap();
    assert!(
        !fixture
            .read("book/build/a/one.html")
            .contains("&lt;true&gt;")
    );
}
