//! What is on its way to one page. It takes a bounded amount of memory, also when the page does not read it.

use kindling_book::{Change, Language, Live, left_out};
use nbformat::v4::Output;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Mutex;
use tokio::sync::Notify;

/// The bytes of outputs that may wait.
const ROOM: usize = 16_000_000;
/// A page for which more than these wait reads nothing at all.
const MOST: usize = 20_000;

/// Events for one page, in order.
pub struct Outbox {
    /// What the page is written in.
    pub language: Language,
    waiting: Mutex<Waiting>,
    news: Notify,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<String>,
    bytes: usize,
    /// The characters of outputs that found no room.
    dropped: u64,
    given_up: bool,
}

impl Outbox {
    pub fn new(language: Language) -> Self {
        Self {
            language,
            waiting: Mutex::default(),
            news: Notify::new(),
        }
    }

    /// Tells the page something that it must not miss.
    pub fn tell(&self, event: Value) {
        if let Ok(mut waiting) = self.waiting.lock() {
            if let (Some(cell), true) = (event["cell"].as_str(), waiting.dropped > 0) {
                let dropped = std::mem::take(&mut waiting.dropped);
                let change = Change::Append(left_out(dropped, self.language));
                waiting.push(change_event(cell, &change));
            }
            waiting.push(event.to_string());
        }
        self.news.notify_one();
    }

    /// Shows an output, unless the page reads so slowly that too many wait; then it is told later how much it missed.
    pub fn output(&self, cell: &str, live: &mut Live, output: &Output) {
        let changes = live.show(output);
        let events: Vec<String> = changes
            .iter()
            .map(|change| change_event(cell, change))
            .collect();
        let bytes: usize = events.iter().map(String::len).sum();
        if let Ok(mut waiting) = self.waiting.lock() {
            if waiting.bytes + bytes > ROOM {
                waiting.dropped += bytes as u64;
                live.lose();
                return;
            }
            events.into_iter().for_each(|event| waiting.push(event));
        }
        self.news.notify_one();
    }

    /// The next event; `None` when the page is given up, because it reads none of them.
    pub async fn next(&self) -> Option<String> {
        loop {
            if let Ok(mut waiting) = self.waiting.lock() {
                if waiting.given_up {
                    return None;
                }
                if let Some(event) = waiting.events.pop_front() {
                    waiting.bytes -= event.len();
                    return Some(event);
                }
            }
            self.news.notified().await;
        }
    }
}

impl Waiting {
    fn push(&mut self, event: String) {
        if self.given_up || self.events.len() >= MOST {
            (self.events, self.bytes, self.given_up) = (VecDeque::new(), 0, true);
            return;
        }
        self.bytes += event.len();
        self.events.push_back(event);
    }
}

/// A change below a cell, as the page is told.
fn change_event(cell: &str, change: &Change) -> String {
    let event = match change {
        Change::Append(html) => json!({"type": "output", "cell": cell, "html": html}),
        Change::Replace(html) => {
            json!({"type": "output", "cell": cell, "html": html, "replace": true})
        }
        Change::Print { lines, last } => {
            json!({"type": "print", "cell": cell, "lines": lines, "last": last})
        }
    };
    event.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nbformat::v4::MultilineString;

    fn printed(text: String) -> Output {
        let (name, text) = ("stdout".to_owned(), MultilineString(text));
        Output::Stream { name, text }
    }

    #[tokio::test]
    async fn a_page_that_does_not_read_costs_bounded_memory_and_is_told_what_it_missed() {
        let outbox = Outbox::new(Language::SOURCE);
        outbox.tell(json!({"type": "started", "cell": "a"}));
        let mut live = Live::new("a", Language::SOURCE);
        for _ in 0..24 {
            outbox.output(
                "a",
                &mut live,
                &printed(format!("{}\n", "x".repeat(1_000_000))),
            );
        }
        assert!(outbox.waiting.lock().unwrap().bytes <= ROOM);
        outbox.tell(json!({"type": "finished", "cell": "a"}));
        let mut events = Vec::new();
        while outbox.waiting.lock().unwrap().bytes > 0 {
            events.push(outbox.next().await.unwrap());
        }
        assert!(
            events[0].contains("started") && events.len() < 20,
            "{} events",
            events.len()
        );
        assert!(
            events[events.len() - 2].contains("characters left out"),
            "{}",
            events[events.len() - 2]
        );
        assert!(events[events.len() - 1].contains("finished"));
    }

    #[tokio::test]
    async fn a_page_that_asks_for_ever_and_reads_nothing_is_given_up() {
        let outbox = Outbox::new(Language::SOURCE);
        for _ in 0..=MOST {
            outbox.tell(json!({"type": "problem", "message": "unknown"}));
        }
        assert_eq!(outbox.next().await, None);
        assert_eq!(outbox.waiting.lock().unwrap().events.len(), 0);
    }
}
