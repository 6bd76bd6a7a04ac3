//! How far the preparation of kernels is: a part of a whole, cargo's own count within it, and a guess about the rest.

use crate::KernelKind;
use kindling_cargo::{Count, Phase, minutes_left, time_left};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// What a part of the preparation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Doing {
    /// Waits for another process that prepares kernels.
    Wait,
    /// Compiles the search of the book.
    Search,
    /// Compiles the notebook kernel itself.
    Kernel,
    /// Compiles the crates that cells use.
    KernelKind,
    /// Runs a first cell.
    Cell,
}

/// What cargo does within a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Nothing that can be counted.
    #[default]
    None,
    /// It fetches crates.
    Fetching,
    /// It compiles.
    Compiling,
}

/// How far the preparation is, as numbers: a terminal and a page make their own words of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What the part does.
    pub doing: Doing,
    /// The crate besides those of every page; absent for the kernel of most pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<String>,
    /// The number of the part, from 1.
    pub part: usize,
    /// How many parts there are.
    pub parts: usize,
    /// What is counted.
    pub step: Step,
    /// Steps that are done.
    pub done: u64,
    /// Steps in all; 0 while nobody knows.
    pub total: u64,
    /// Seconds until everything is prepared, as a guess; absent at the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<u64>,
    /// Thousandths of everything that are done.
    pub permille: u64,
}

impl Report {
    /// For example `part 2 of 3: compiling Candle and the course's crate, 83 of 214, about 6 minutes left`.
    #[must_use]
    pub fn text(&self) -> String {
        let what = match (self.doing, &self.extra) {
            (Doing::Wait, _) => {
                return "waiting for another `cargo course` that prepares the kernel".to_owned();
            }
            (Doing::Search, _) => "the search of the book".to_owned(),
            (Doing::Kernel, _) => "the notebook kernel (evcxr)".to_owned(),
            (Doing::KernelKind, None) => "Candle and the course's crate".to_owned(),
            (Doing::KernelKind, Some(extra)) => extra.clone(),
            (Doing::Cell, _) => "a first cell".to_owned(),
        };
        let verb = match (self.doing, self.step) {
            (Doing::Cell, _) => "trying",
            (_, Step::Fetching) => "fetching",
            (_, Step::None | Step::Compiling) => "compiling",
        };
        let mut text = format!("part {} of {}: {verb} {what}", self.part, self.parts);
        if self.total > 0 {
            text += &format!(", {} of {}", self.done, self.total);
        }
        if let Some(seconds) = self.seconds_left {
            text += &format!(", {}", minutes_left(Duration::from_secs(seconds)));
        }
        text
    }

    /// How far cargo is with the search of the book, the only part of that work, which it began at `began`.
    #[must_use]
    pub fn of_search(count: &Count, began: Instant) -> Self {
        let share = count.share();
        Self {
            doing: Doing::Search,
            extra: None,
            part: 1,
            parts: 1,
            step: Step::Compiling,
            done: count.done,
            total: count.total,
            seconds_left: time_left(began.elapsed(), share).map(|left| left.as_secs()),
            permille: (share * 1000.0) as u64,
        }
    }

    /// The part of everything that is done, 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.permille as f64 / 1000.0
    }
}

/// The parts of a preparation, in order, and who is told about them.
pub(crate) struct Parts<'a> {
    parts: Vec<(Doing, KernelKind)>,
    /// How many have begun.
    begun: usize,
    /// The part of the present one that is done; it never falls.
    share: f64,
    began: Instant,
    /// The part, the step and the count that were told last.
    told: Option<(usize, Step, u64, u64)>,
    tell: &'a mut dyn FnMut(&Report),
}

impl<'a> Parts<'a> {
    /// These parts, of which none has begun.
    pub(crate) fn new(parts: Vec<(Doing, KernelKind)>, tell: &'a mut dyn FnMut(&Report)) -> Self {
        Self {
            parts,
            begun: 0,
            share: 0.0,
            began: Instant::now(),
            told: None,
            tell,
        }
    }

    /// Says that another process has to end first.
    pub(crate) fn wait(&mut self) {
        let report = self.report(Doing::Wait, KernelKind::COURSE, Step::None, 0, 0);
        (self.tell)(&report);
    }

    /// Begins a part. One that another process has done meanwhile is passed over.
    pub(crate) fn begin(&mut self, doing: Doing, crates: KernelKind) {
        let found = self.parts.iter().position(|part| *part == (doing, crates));
        match found {
            Some(at) => self.begun = at + 1,
            // Not foreseen, because it was in place when the list was made.
            None => {
                self.parts.insert(self.begun, (doing, crates));
                self.begun += 1;
            }
        }
        self.share = 0.0;
        let report = self.report(doing, crates, Step::None, 0, 0);
        (self.tell)(&report);
    }

    /// Says how far cargo is with the part that began last.
    pub(crate) fn count(&mut self, count: &Count) {
        let Some((doing, crates)) = self.begun.checked_sub(1).and_then(|at| self.parts.get(at))
        else {
            return;
        };
        let (doing, crates) = (*doing, *crates);
        let step = match count.phase {
            Phase::Reading => return,
            Phase::Fetching => Step::Fetching,
            Phase::Compiling => Step::Compiling,
        };
        if step == Step::Compiling {
            self.share = self.share.max(count.share());
        }
        let now = (self.begun, step, count.done, count.total);
        if self.told == Some(now) {
            return; // Cargo writes more lines than it takes steps.
        }
        self.told = Some(now);
        let report = self.report(doing, crates, step, count.done, count.total);
        (self.tell)(&report);
    }

    fn report(
        &self,
        doing: Doing,
        crates: KernelKind,
        step: Step,
        done: u64,
        total: u64,
    ) -> Report {
        let all: f64 = self.parts.iter().map(weight).sum();
        let before: f64 = self
            .parts
            .iter()
            .take(self.begun.saturating_sub(1))
            .map(weight)
            .sum();
        let now = self.begun.checked_sub(1).and_then(|at| self.parts.get(at));
        let done_of_all = before + now.map_or(0.0, weight) * self.share;
        let share = if all > 0.0 { done_of_all / all } else { 0.0 };
        Report {
            doing,
            extra: crates.extra().map(str::to_owned),
            part: self.begun.max(1),
            parts: self.parts.len().max(1),
            step,
            done,
            total,
            seconds_left: time_left(self.began.elapsed(), share).map(|left| left.as_secs()),
            permille: (share * 1000.0) as u64,
        }
    }
}

/// How long a part takes beside the others: about its seconds on two cores.
fn weight((doing, crates): &(Doing, KernelKind)) -> f64 {
    match (doing, crates) {
        (Doing::Wait, _) => 0.0,
        (Doing::Search, _) => 40.0,
        (Doing::Kernel, _) => 300.0,
        (Doing::KernelKind, crates) => crates.extra_seconds().unwrap_or(240.0),
        (Doing::Cell, _) => 15.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(parts: Vec<(Doing, KernelKind)>, act: impl FnOnce(&mut Parts)) -> Vec<Report> {
        let mut told = Vec::new();
        let mut tell = |report: &Report| told.push(report.clone());
        act(&mut Parts::new(parts, &mut tell));
        told
    }

    fn count(lines: &[&str]) -> Count {
        let mut count = Count::new(0);
        for line in lines {
            assert!(count.read(line));
        }
        count
    }

    #[test]
    fn a_report_names_the_part_the_count_and_the_whole() {
        let parts = vec![
            (Doing::Kernel, KernelKind::COURSE),
            (Doing::KernelKind, KernelKind::COURSE),
            (Doing::Cell, KernelKind::COURSE),
        ];
        let told = told(parts, |parts| {
            parts.begin(Doing::Kernel, KernelKind::COURSE);
            parts.count(&count(&[" Downloading 6 crates"]));
            parts.begin(Doing::KernelKind, KernelKind::COURSE);
            parts.count(&count(&["    Building [=> ] 83/214: candle-core"]));
            // A second cargo of the same part counts anew; the whole does not fall.
            parts.count(&count(&["    Building [=> ] 0/3: shared"]));
            parts.begin(Doing::Cell, KernelKind::COURSE);
        });
        let texts: Vec<_> = told.iter().map(Report::text).collect();
        assert_eq!(
            texts,
            [
                "part 1 of 3: compiling the notebook kernel (evcxr)",
                "part 1 of 3: fetching the notebook kernel (evcxr), 0 of 6",
                "part 2 of 3: compiling Candle and the course's crate",
                "part 2 of 3: compiling Candle and the course's crate, 83 of 214",
                "part 2 of 3: compiling Candle and the course's crate, 0 of 3",
                "part 3 of 3: trying a first cell",
            ]
        );
        assert!(
            told.windows(2)
                .all(|two| two[0].permille <= two[1].permille)
        );
        assert!(told[3].permille > 600 && told[5].permille < 1000);
        let mut late = told[3].clone();
        late.seconds_left = Some(301);
        assert!(late.text().ends_with("83 of 214, about 6 minutes left"));
        let json = serde_json::to_string(&late).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), late);
    }

    #[test]
    fn a_part_that_was_not_foreseen_is_one_more() {
        let tables = KernelKind::with(Some("kindling-tables")).unwrap();
        let told = told(vec![(Doing::Cell, tables)], |parts| {
            parts.wait();
            parts.begin(Doing::KernelKind, tables);
            parts.begin(Doing::Cell, tables);
        });
        let texts: Vec<_> = told.iter().map(Report::text).collect();
        assert_eq!(texts[1], "part 1 of 2: compiling kindling-tables");
        assert_eq!(texts[2], "part 2 of 2: trying a first cell");
        assert!(texts[0].starts_with("waiting for another"));
    }
}
