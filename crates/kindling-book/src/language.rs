//! The languages of the book and the words of its frame: everything that is not written on a page.

use kindling_pages::{LeftOut, grouped};
use std::fmt;

/// A language that the book is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// The source language.
    English,
    /// Simplified Chinese, translated by `book/po/zh-CN.po`.
    Chinese,
}

impl Language {
    /// Both languages, the source first.
    pub const ALL: [Self; 2] = [Self::English, Self::Chinese];

    /// The tag that HTML, gettext and the folder in the built book use.
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }

    /// The language with this code.
    pub fn with_code(code: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|language| language.code() == code)
    }

    /// What its own readers call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Chinese => "中文",
        }
    }

    /// The folder below the built book; English is the book itself.
    pub fn folder(self) -> &'static str {
        match self {
            Self::English => "",
            Self::Chinese => "zh-CN",
        }
    }

    /// The words of the frame.
    pub(crate) fn words(self) -> &'static Words {
        match self {
            Self::English => &ENGLISH,
            Self::Chinese => &CHINESE,
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

/// What the book itself says around a page.
pub(crate) struct Words {
    pub minutes: &'static str,
    pub memory: &'static str,
    pub download: &'static str,
    pub notebook: &'static str,
    pub outline: &'static str,
    pub shown_only: &'static str,
    pub no_run: &'static str,
    pub compile_fail: &'static str,
    pub should_panic: &'static str,
    pub error_output: &'static str,
    pub stderr: &'static str,
    /// What a paragraph below a picture begins with, besides the source's own word.
    pub caption: &'static [&'static str],
    /// How much of an output is not shown: the number, and what was counted.
    pub left_out: &'static str,
    /// One line, several lines.
    pub lines: [&'static str; 2],
    /// One character, several characters.
    pub characters: [&'static str; 2],
    pub search: &'static str,
    pub search_help: &'static str,
    pub notes: [&'static str; 5],
    /// Texts of mdBook's own frame and what to show in their place.
    pub frame: &'static [(&'static str, &'static str)],
    /// The same for `book.js`, which makes the buttons of a cell and tells their state by their titles.
    pub script: &'static [(&'static str, &'static str)],
}

impl Words {
    /// The sentence that says how much of a cell's output is not shown.
    pub(crate) fn left_out(&self, left_out: LeftOut) -> String {
        let (count, what) = match left_out.lines {
            0 => (left_out.bytes, self.characters),
            lines => (lines, self.lines),
        };
        self.left_out
            .replace("{count}", &grouped(count))
            .replace("{what}", what[usize::from(count != 1)])
    }
}

const ENGLISH: Words = Words {
    minutes: "{} minutes",
    memory: "{} memory",
    download: "{} download",
    notebook: "Notebook",
    outline: "Outline: this page is not written yet",
    shown_only: "shown, not run",
    no_run: "takes a while",
    compile_fail: "does not compile",
    should_panic: "panics",
    error_output: "Error",
    stderr: "Standard error",
    caption: &[],
    left_out: "… {count} {what} left out …",
    lines: ["line", "lines"],
    characters: ["character", "characters"],
    search: "Search",
    search_help: "Press <kbd>S</kbd> or <kbd>/</kbd> to search in the book",
    notes: ["Note", "Tip", "Important", "Warning", "Caution"],
    frame: &[],
    script: &[],
};

const CHINESE: Words = Words {
    minutes: "{} 分钟",
    memory: "内存 {}",
    download: "下载 {}",
    notebook: "笔记本",
    outline: "提纲：本页尚未写成",
    shown_only: "仅展示，不运行",
    no_run: "需要一些时间",
    compile_fail: "无法编译",
    should_panic: "会 panic",
    error_output: "错误",
    stderr: "标准错误输出",
    caption: &["图：", "图: "],
    left_out: "……省略 {count} {what}……",
    lines: ["行", "行"],
    characters: ["个字符", "个字符"],
    search: "搜索",
    search_help: "按 <kbd>S</kbd> 或 <kbd>/</kbd> 在书中搜索",
    notes: ["注意", "提示", "重要", "警告", "当心"],
    frame: &[
        (">Keyboard shortcuts<", ">键盘快捷键<"),
        (
            "Press <kbd>←</kbd> or <kbd>→</kbd> to navigate between chapters",
            "按 <kbd>←</kbd> 或 <kbd>→</kbd> 在章节之间切换",
        ),
        (
            "Press <kbd>?</kbd> to show this help",
            "按 <kbd>?</kbd> 显示本帮助",
        ),
        (
            "Press <kbd>Esc</kbd> to hide this help",
            "按 <kbd>Esc</kbd> 关闭本帮助",
        ),
        ("\"Table of contents\"", "\"目录\""),
        ("\"Toggle Table of Contents\"", "\"打开或关闭目录\""),
        ("\"Change theme\"", "\"更换主题\""),
        ("aria-label=\"Themes\"", "aria-label=\"主题\""),
        (">Auto</button>", ">跟随系统</button>"),
        (">Light</button>", ">浅色</button>"),
        (">Rust</button>", ">铁锈</button>"),
        (">Coal</button>", ">炭黑</button>"),
        (">Navy</button>", ">海军蓝</button>"),
        (">Ayu</button>", ">Ayu 暗色</button>"),
        ("\"Page navigation\"", "\"翻页\""),
        ("\"Previous chapter\"", "\"上一页\""),
        ("\"Next chapter\"", "\"下一页\""),
        ("Document not found (404)", "页面不存在（404）"),
        ("Page not found", "页面不存在"),
        (
            "This URL is invalid, sorry. Please use the navigation bar or search to continue.",
            "这个地址无效，请从目录或搜索继续。",
        ),
    ],
    script: &[
        ("Show hidden lines", "显示隐藏的行"),
        ("Hide lines", "隐藏这些行"),
        ("Copy to clipboard", "复制"),
        ("Copied!", "已复制"),
        ("Clipboard error!", "无法复制"),
    ],
};
