//! What is on its way to one page. It takes a bounded amount of memory, also when the page does not read it.

use kindling_pages::LeftOut;
use nbformat::v4::{DisplayData, Output};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Mutex;
use tokio::sync::Notify;

/// The bytes of outputs that may wait.
const ROOM: usize = 16_000_000;
/// A page for which more than these wait reads nothing at all.
const MOST: usize = 20_000;

/// Events for one page, in order.
#[derive(Default)]
pub struct Outbox {
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
    /// Tells the page something that it must not miss.
    pub fn tell(&self, event: Value) {
        if let Ok(mut waiting) = self.waiting.lock() {
            if let (Some(cell), true) = (event["cell"].as_str(), waiting.dropped > 0) {
                let bytes = std::mem::take(&mut waiting.dropped);
                let data = LeftOut { lines: 0, bytes }.media();
                let metadata = serde_json::Map::new();
                let output = Output::DisplayData(DisplayData { data, metadata });
                waiting.push(output_event(cell, &output));
            }
            waiting.push(event.to_string());
        }
        self.news.notify_one();
    }

    /// Shows an output, unless the page reads so slowly that too many wait; then it is told later how much it missed.
    pub fn output(&self, cell: &str, output: &Output) {
        let event = output_event(cell, output);
        if let Ok(mut waiting) = self.waiting.lock() {
            if waiting.bytes + event.len() > ROOM {
                waiting.dropped += event.len() as u64;
                return;
            }
            waiting.push(event);
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

fn output_event(cell: &str, output: &Output) -> String {
    json!({"type": "output", "cell": cell, "output": output}).to_string()
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
        let outbox = Outbox::default();
        outbox.tell(json!({"type": "started", "cell": "a"}));
        for _ in 0..24 {
            outbox.output("a", &printed("x".repeat(1_000_000)));
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
        let outbox = Outbox::default();
        for _ in 0..=MOST {
            outbox.tell(json!({"type": "problem", "message": "unknown"}));
        }
        assert_eq!(outbox.next().await, None);
        assert_eq!(outbox.waiting.lock().unwrap().events.len(), 0);
    }
}
