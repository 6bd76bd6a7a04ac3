//! The book as a reader meets it: in a real browser, served by `course up`.

use anyhow::{Context, Result, bail};
use headless_chrome::protocol::cdp::Page::AddScriptToEvaluateOnNewDocument;
use headless_chrome::protocol::cdp::types::Event;
use headless_chrome::protocol::cdp::{Emulation, Log, Network, Runtime};
use headless_chrome::{Browser, LaunchOptions, Tab};
use kindling_kernel::{Home, is_prepared};
use kindling_pages::{Block, Book};
use kindling_skip::{Need, skip};
use kindling_tests::{Up, entrance, root};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What a reader finds on the open page.
const FINDINGS: &str = include_str!("../page.js");

fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("CHROME").map(PathBuf::from);
    let usual = [
        "/usr/bin/chromium",
        "/usr/bin/chromium-browser",
        "/usr/bin/google-chrome",
    ]
    .map(PathBuf::from);
    named.into_iter().chain(usual).find(|path| path.is_file())
}

/// A browser tab that notes what goes wrong in it.
struct Page {
    tab: Arc<Tab>,
    faults: Arc<Mutex<Vec<String>>>,
    _browser: Browser,
}

impl Page {
    #[track_caller]
    fn open(origin: &str, width: u32, height: u32) -> Result<Option<Self>> {
        let Some(path) = chromium() else {
            let reason = "no Chromium here; install it, or name one in CHROME";
            skip(Need::Browser, reason);
            return Ok(None);
        };
        let flags = [
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-gpu",
        ];
        let options = LaunchOptions {
            path: Some(path),
            sandbox: false,
            window_size: Some((width, height)),
            idle_browser_timeout: Duration::from_secs(300),
            args: flags.iter().map(OsStr::new).collect(),
            ..LaunchOptions::default()
        };
        let browser = Browser::new(options)?;
        let tab = browser.new_tab()?;
        tab.set_default_timeout(Duration::from_secs(30));
        let faults = Arc::new(Mutex::new(Vec::new()));
        tab.call_method(Network::Enable {
            max_total_buffer_size: None,
            max_resource_buffer_size: None,
            max_post_data_size: None,
            report_direct_socket_traffic: None,
            enable_durable_messages: None,
        })?;
        tab.call_method(Log::Enable(None))?;
        tab.call_method(Runtime::Enable(None))?;
        if let Some(address) = entrance(origin) {
            tab.navigate_to(&address)?.wait_until_navigated()?;
        }
        let (noted, origin) = (faults.clone(), origin.to_owned());
        tab.add_event_listener(Arc::new(move |event: &Event| {
            let fault = match event {
                Event::NetworkRequestWillBeSent(sent) => {
                    let url = &sent.params.request.url;
                    let own = url.starts_with(&origin)
                        || url.starts_with("data:")
                        || url.starts_with("blob:");
                    (!own).then(|| format!("asks {url}"))
                }
                Event::NetworkResponseReceived(received)
                    if received.params.response.status >= 400 =>
                {
                    Some(format!(
                        "{} for {}",
                        received.params.response.status, received.params.response.url
                    ))
                }
                Event::LogEntryAdded(entry)
                    if entry.params.entry.level == Log::LogEntryLevel::Error =>
                {
                    Some(format!("console: {}", entry.params.entry.text))
                }
                Event::RuntimeExceptionThrown(thrown) => {
                    Some(format!("exception: {:?}", thrown.params.exception_details))
                }
                _ => None,
            };
            if let (Some(fault), Ok(mut noted)) = (fault, noted.lock()) {
                noted.push(fault);
            }
        }))?;
        let page = Self {
            tab,
            faults,
            _browser: browser,
        };
        page.resize(width, height)?;
        Ok(Some(page))
    }

    /// Makes the page exactly this wide: a window of Chromium is never narrower than 500 pixels.
    fn resize(&self, width: u32, height: u32) -> Result<()> {
        self.tab.call_method(Emulation::SetDeviceMetricsOverride {
            width,
            height,
            device_scale_factor: 1.0,
            mobile: false,
            scale: None,
            screen_width: None,
            screen_height: None,
            position_x: None,
            position_y: None,
            dont_set_visible_size: None,
            screen_orientation: None,
            viewport: None,
            display_feature: None,
            device_posture: None,
        })?;
        Ok(())
    }

    /// Opens `url`: the answer to a navigation comes when the new page has taken the old one's place.
    fn go(&self, url: &str) -> Result<()> {
        self.tab.navigate_to(url)?;
        self.wait("document.readyState === 'complete'", 20)
            .with_context(|| url.to_owned())
    }

    fn ask(&self, script: &str) -> Result<Value> {
        let answer = self
            .tab
            .evaluate(script, true)
            .with_context(|| format!("`{script}`"))?;
        Ok(answer.value.unwrap_or(Value::Null))
    }

    fn wait(&self, condition: &str, seconds: u64) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < end {
            // While a page loads there may be nobody to answer.
            if self
                .ask(&format!("Boolean({condition})"))
                .is_ok_and(|answer| answer == true)
            {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("after {seconds} s still not: {condition}")
    }

    /// What went wrong since the last time.
    fn take_faults(&self) -> Vec<String> {
        let faults = self.faults.lock();
        faults
            .map(|mut faults| std::mem::take(&mut *faults))
            .unwrap_or_default()
    }

    fn expect_no_fault(&self) {
        let faults = self.take_faults();
        assert!(faults.is_empty(), "{faults:#?}");
    }
}

/// What the source of a page says that there is to see, under the names of [`FINDINGS`].
fn promised(page: &kindling_pages::Page) -> [(&'static str, usize); 5] {
    let prose = page.blocks.iter().filter_map(|block| match block {
        Block::Prose { text, .. } => Some(text.as_str()),
        Block::Cell(_) => None,
    });
    let (mut captions, mut formulas) = (0, 0);
    for text in prose {
        captions += text
            .lines()
            .filter(|line| line.starts_with("Figure: "))
            .count();
        formulas += text.matches("$$").count() / 2;
    }
    let cells = page.cells().filter(|cell| cell.in_notebook()).count();
    let shown = page.cells().count() - cells;
    [
        ("headings", 1),
        ("cells", cells),
        ("shown", shown),
        ("captions", captions),
        ("formulas", formulas),
    ]
}

/// The texts of a list.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// What is wrong with a page on any screen: `found` is what [`FINDINGS`] says of it.
fn faults_of(page: &kindling_pages::Page, language: &str, found: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for (what, count) in promised(page) {
        if found[what] != count {
            faults.push(format!("{} {what}, and {count} in the source", found[what]));
        }
    }
    faults.extend(texts(&found["unnamed"]).map(|at| format!("{at} has no alternative text")));
    faults.extend(texts(&found["faint"]).map(str::to_owned));
    if language == "zh-CN/" {
        let english: HashSet<&str> = texts(&found["english"]).collect();
        faults.extend(
            english
                .iter()
                .map(|text| format!("says `{text}` in English")),
        );
    }
    if found["sideways"] != 0 {
        faults.push(format!(
            "the page is {} px wider than the screen",
            found["sideways"]
        ));
    }
    faults
}

/// Links within the book that lead to no page, or to no place on it; `ids` has the places of each page.
fn broken_links(
    origin: &str,
    ids: &HashMap<String, HashSet<String>>,
    links: &[(String, String)],
) -> Vec<String> {
    let built = root().join("book/build");
    let leads = |link: &str| {
        let path = link
            .strip_prefix(origin)
            .unwrap_or(link)
            .trim_start_matches('/');
        let (path, place) = path.split_once('#').unwrap_or((path, ""));
        match ids.get(path) {
            Some(places) => place.is_empty() || places.contains(place),
            None => built.join(path).is_file(),
        }
    };
    let broken = links.iter().filter(|(_, link)| !leads(link));
    broken
        .map(|(page, link)| format!("{page}: the link to {link} leads nowhere"))
        .collect()
}

/// One server, one browser: each page on a laptop in the light theme, and on a phone in the dark one.
#[test]
fn every_page_is_whole_and_fits_in_both_languages() -> Result<()> {
    let book = Book::open(&root())?;
    let up = Up::start(&["--no-kernel"])?;
    let Some(page) = Page::open(&up.url, 1280, 900)? else {
        return Ok(());
    };
    page.go(&format!("{}/introduction.html", up.url))?;
    let origin = page.ask("location.origin")?;
    let origin = origin.as_str().unwrap_or_default();
    let (mut wrong, mut ids, mut links) = (Vec::new(), HashMap::new(), Vec::new());
    let mut times: Vec<(Duration, String)> = Vec::new();
    for (width, height, theme) in [(1280, 900, "light"), (390, 844, "navy")] {
        page.resize(width, height)?;
        page.ask(&format!("localStorage.setItem('mdbook-theme', '{theme}')"))?;
        for language in ["", "zh-CN/"] {
            for lesson in &book.pages {
                let path = format!("{language}{}", lesson.path.with_extension("html").display());
                let start = Instant::now();
                page.go(&format!("{}/{path}", up.url))?;
                let found = page.ask(FINDINGS).with_context(|| path.clone())?;
                let found: Value = serde_json::from_str(found.as_str().unwrap_or_default())
                    .with_context(|| format!("{path}: {found}"))?;
                times.push((start.elapsed(), format!("{path} at {width} px")));
                let mut faults = faults_of(lesson, language, &found);
                faults.extend(page.take_faults());
                // On a phone, code scrolls inside its box.
                if width > 1000 {
                    faults.extend(texts(&found["wide"]).map(str::to_owned));
                    links
                        .extend(texts(&found["links"]).map(|link| (path.clone(), link.to_owned())));
                    ids.insert(
                        path.clone(),
                        texts(&found["ids"]).map(str::to_owned).collect(),
                    );
                }
                let dark = found["shade"].as_f64().unwrap_or(1.0) < 0.1;
                if dark != (theme == "navy") {
                    faults.push(format!("the ground does not follow the theme {theme}"));
                }
                wrong.extend(
                    faults
                        .into_iter()
                        .map(|fault| format!("{path} at {width} px: {fault}")),
                );
            }
        }
    }
    wrong.extend(page.take_faults());
    wrong.extend(broken_links(origin, &ids, &links));
    let total: Duration = times.iter().map(|(time, _)| *time).sum();
    if let Some((longest, path)) = times.iter().max() {
        println!(
            "{} visits in {:.1} s, {:.2} s each; the longest {:.2} s: {path}",
            times.len(),
            total.as_secs_f64(),
            total.as_secs_f64() / times.len() as f64,
            longest.as_secs_f64()
        );
    }
    assert!(
        wrong.is_empty(),
        "{} faults:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    Ok(())
}

#[test]
fn a_reader_can_move_search_and_change_the_language() -> Result<()> {
    let up = Up::start(&["--no-kernel"])?;
    let Some(page) = Page::open(&up.url, 1280, 900)? else {
        return Ok(());
    };
    page.go(&format!("{}/algorithms/backpropagation.html", up.url))?;
    page.ask("document.querySelector('a[rel~=next]').click()")?;
    page.wait(
        "location.pathname === '/algorithms/gradient-descent.html'",
        10,
    )?;
    page.wait("document.readyState === 'complete'", 10)?;
    page.ask("document.querySelector('.language-link[hreflang^=zh], .language-link[lang^=zh], .language-link').click()")?;
    page.wait(
        "location.pathname === '/zh-CN/algorithms/gradient-descent.html'",
        10,
    )?;
    page.wait("document.documentElement.lang.startsWith('zh')", 10)?;
    for (folder, word, found) in [
        ("", "momentum", "gradient-descent"),
        ("/zh-CN", "动量", "gradient-descent"),
    ] {
        page.go(&format!("{}{folder}/introduction.html", up.url))?;
        page.tab.press_key("s")?;
        page.wait("document.querySelector('#book-search input')", 10)?;
        page.tab
            .wait_for_element("#book-search input")?
            .type_into(word)?;
        page.wait(&format!("[...document.querySelectorAll('#book-search a')].some(a => a.href.includes('{found}'))"), 15)?;
    }
    page.expect_no_fault();
    Ok(())
}

#[test]
fn a_run_button_runs_the_cell_on_the_real_kernel() -> Result<()> {
    if !is_prepared(&Home::locate(&root())) {
        let reason = "the kernel is not prepared; run `cargo course kernel prepare`";
        skip(Need::Kernel, reason);
        return Ok(());
    }
    let mut up = Up::start(&[])?;
    let Some(page) = Page::open(&up.url, 1280, 900)? else {
        return Ok(());
    };
    up.wait_for("The kernel is warm", Duration::from_secs(180))?;
    page.go(&format!("{}/algorithms/forward-propagation.html", up.url))?;
    page.wait(
        "document.querySelector('.run-bar')?.dataset.state === 'ready'",
        60,
    )?;
    // The third cell needs those before it, so they are run first; it shows what is stored, freshly made.
    let outputs = "document.querySelectorAll('.cell[data-cell]')[2].querySelector('.outputs')";
    let stored = page.ask(&format!("{outputs}.textContent.trim()"))?;
    assert!(!stored.as_str().unwrap_or_default().is_empty());
    page.ask(&format!("{outputs}.textContent = 'stale'"))?;
    page.ask("document.querySelectorAll('.cell[data-cell] .run-button')[2].click()")?;
    page.wait(
        "/\\d s$/.test(document.querySelectorAll('.run-note')[2].textContent)",
        90,
    )?;
    assert_eq!(page.ask(&format!("{outputs}.textContent.trim()"))?, stored);
    page.expect_no_fault();
    Ok(())
}

/// Takes the place of the server behind the Run buttons.
const FAKE_SERVER: &str = r"
    window.WebSocket = class extends EventTarget {
        static OPEN = 1;
        readyState = 1;
        constructor() { super(); window.server = this; }
        send() {}
        say(event) { this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(event) })); }
    };";

/// A cell that prints more than anybody reads; the value is the time in milliseconds.
const FLOOD: &str = r#"(() => {
    const cell = document.querySelector('.cell[data-cell]').dataset.cell;
    const show = (html, replace) => server.say({ type: 'output', cell, html, replace });
    const print = (lines, last) => server.say({ type: 'print', cell, lines, last });
    const start = performance.now();
    server.say({ type: 'started', cell });
    show('<pre class="output"></pre>');
    print('', 'step 3'); print('step 3\ndone', '');
    for (let line = 0; line < 20000; line += 1) { print(`\n${line}`, ''); }
    for (let step = 0; step < 5000; step += 1) { print('', `\n${step}`); }
    show('<pre class="output output-warning"></pre>'); print('careful', '');
    show('<p class="output-left-out">5</p>'); show('<p class="output-left-out">1,234,567</p>', true);
    server.say({ type: 'finished', cell, result: 'stopped', message: '', seconds: 1, fresh: true });
    return performance.now() - start;
})()"#;

/// Each thing that the first cell shows: its kind, how it starts, and its lines.
const SHOWN: &str = r"[...document.querySelector('.cell[data-cell] .outputs').children]
    .map((part) => [part.className, part.textContent.slice(0, 16), part.textContent.split('\n').length].join('|')).join('; ')";

#[test]
fn a_page_bears_what_a_cell_prints_without_end() -> Result<()> {
    let up = Up::start(&["--no-kernel"])?;
    let Some(page) = Page::open(&up.url, 1280, 900)? else {
        return Ok(());
    };
    page.tab.call_method(AddScriptToEvaluateOnNewDocument {
        source: FAKE_SERVER.to_owned(),
        world_name: None,
        include_command_line_api: None,
        run_immediately: None,
    })?;
    for (language, note) in [
        ("", "stopped: all variables are gone"),
        ("/zh-CN", "已停止，所有变量都已清除"),
    ] {
        page.go(&format!(
            "{}{language}/algorithms/forward-propagation.html",
            up.url
        ))?;
        let took = page.ask(FLOOD)?;
        assert!(
            took.as_f64().is_some_and(|took| took < 10_000.0),
            "took {took} ms"
        );
        let expected = "output|step 3\ndone\n0\n1\n|20003; output output-warning|careful|1; output-left-out|1,234,567|1";
        assert_eq!(page.ask(SHOWN)?, expected);
        assert_eq!(
            page.ask("document.querySelector('.run-note').textContent")?,
            note
        );
    }
    page.expect_no_fault();
    Ok(())
}

#[test]
fn without_the_course_there_is_no_run_button_and_no_question() -> Result<()> {
    // The published book is only files: serve them as files are.
    let up = Up::start(&["--no-kernel"])?;
    let Some(page) = Page::open("file://", 1280, 900)? else {
        return Ok(());
    };
    drop(up);
    let file = root().join("book/build/algorithms/backpropagation.html");
    page.tab
        .navigate_to(&format!("file://{}", file.display()))?
        .wait_until_navigated()?;
    assert_eq!(
        page.ask("document.querySelectorAll('.run-button').length")?,
        0
    );
    let faults = page.faults.lock().unwrap();
    let asked: Vec<_> = faults
        .iter()
        .filter(|fault| fault.contains("/api/") || fault.starts_with("asks"))
        .collect();
    assert!(asked.is_empty(), "{asked:#?}");
    Ok(())
}
