//! The book as a reader meets it: in a real browser, served by `course up`.

use anyhow::{Context, Result, bail};
use headless_chrome::protocol::cdp::Page::AddScriptToEvaluateOnNewDocument;
use headless_chrome::protocol::cdp::types::Event;
use headless_chrome::protocol::cdp::{Log, Network, Runtime};
use headless_chrome::{Browser, LaunchOptions, Tab};
use kindling_kernel::{Home, is_prepared};
use kindling_tests::{Up, entrance, root, skip};
use serde_json::Value;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const LESSONS: [&str; 4] = [
    "algorithms/forward-propagation",
    "algorithms/backpropagation",
    "algorithms/gradient-descent",
    "practice/handwritten-digits",
];

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
    fn open(origin: &str, width: u32, height: u32) -> Result<Option<Self>> {
        let Some(path) = chromium() else {
            skip("no Chromium here; install it, or name one in CHROME")?;
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
        Ok(Some(Self {
            tab,
            faults,
            _browser: browser,
        }))
    }

    fn go(&self, url: &str) -> Result<()> {
        self.tab.navigate_to(url)?.wait_until_navigated()?;
        self.wait("document.readyState === 'complete'", 20)
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
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("after {seconds} s still not: {condition}")
    }

    fn expect_no_fault(&self) {
        let faults = self
            .faults
            .lock()
            .map(|faults| faults.clone())
            .unwrap_or_default();
        assert!(faults.is_empty(), "{faults:#?}");
    }
}

#[test]
fn every_lesson_is_whole_in_both_languages_and_asks_nobody_else() -> Result<()> {
    let up = Up::start(&["--no-kernel"])?;
    let Some(page) = Page::open(&up.url, 1280, 900)? else {
        return Ok(());
    };
    for language in ["", "/zh-CN"] {
        for lesson in LESSONS {
            page.go(&format!("{}{language}/{lesson}.html", up.url))?;
            let cells = page.ask("document.querySelectorAll('.cell[data-cell]').length")?;
            assert!(
                cells.as_u64().unwrap_or(0) >= 10,
                "{language}/{lesson}: {cells} cells"
            );
            let figures = page.ask("document.querySelectorAll('.outputs figure svg').length")?;
            assert!(
                figures.as_u64().unwrap_or(0) >= 2,
                "{language}/{lesson}: {figures} figures"
            );
            let unnamed = "[...document.querySelectorAll('main img, main svg[role=img]')].filter(i => !(i.alt || i.getAttribute('aria-label') || i.querySelector('title'))).length";
            assert_eq!(
                page.ask(unnamed)?,
                0,
                "{language}/{lesson}: pictures without alternative text"
            );
            assert_eq!(
                page.ask("document.querySelectorAll('main .katex').length > 3")?,
                true,
                "{language}/{lesson}: maths"
            );
        }
    }
    page.expect_no_fault();
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
fn dark_theme_and_a_phone_fit() -> Result<()> {
    let up = Up::start(&["--no-kernel"])?;
    let Some(page) = Page::open(&up.url, 390, 844)? else {
        return Ok(());
    };
    page.go(&format!("{}/introduction.html", up.url))?;
    page.ask("localStorage.setItem('mdbook-theme', 'navy')")?;
    for lesson in LESSONS {
        page.go(&format!("{}/{lesson}.html", up.url))?;
        let shade = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number).reduce((a, b) => a + b)";
        let background = page.ask(shade)?.as_f64().unwrap_or(765.0);
        assert!(
            background < 250.0,
            "{lesson}: the dark theme has the background {background}"
        );
        let overflow =
            "document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(page.ask(overflow)?, 0, "{lesson} is wider than a phone");
    }
    page.expect_no_fault();
    Ok(())
}

#[test]
fn a_run_button_runs_the_cell_on_the_real_kernel() -> Result<()> {
    if !is_prepared(&Home::locate(&root())) {
        return skip("the kernel is not prepared; run `cargo course kernel prepare`");
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
const FLOOD: &str = r"(() => {
    const cell = document.querySelector('.cell[data-cell]').dataset.cell;
    const show = (output) => server.say({ type: 'output', cell, output });
    const print = (text, name = 'stdout') => show({ output_type: 'stream', name, text });
    const type = 'application/vnd.kindling.left-out+json';
    const leaveOut = (lines) => show({ output_type: 'display_data', metadata: {}, data: { [type]: { lines, characters: 9 } } });
    const start = performance.now();
    server.say({ type: 'started', cell });
    print('\rstep 1'); print('\rstep 20  \rstep 3  '); print('\ndone\n');
    for (let line = 0; line < 20000; line += 1) { print(`${line}\n`); }
    for (let step = 0; step < 5000; step += 1) { print(`\r${step}`); }
    print('\n'); print('careful\n', 'stderr');
    leaveOut(5); leaveOut(1234567);
    print('erased\r      \r'); print('last\n');
    server.say({ type: 'finished', cell, result: 'stopped', message: '', seconds: 1, fresh: true });
    return performance.now() - start;
})()";

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
    for (language, left_out, note) in [
        ("", "… 1,234,567 line", "stopped: all variables are gone"),
        ("/zh-CN", "……省略 1,234,567 行", "已停止，所有变量都已清除"),
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
        let expected = format!(
            "output|step 3\ndone\n0\n1\n|20003; output output-warning|careful|1; output-left-out|{left_out}|1; output|last|1"
        );
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
