//! What `cargo course bench detect` says: one JSON object, or the same as a table.

use course_program::bench::Measured;
use serde_json::{Map, Value, json};

use super::{OWN, PEERS};

/// What was measured of a model.
#[derive(Debug)]
pub struct Sides {
    pub speed: Measured,
    pub quality: Option<Measured>,
}

impl Sides {
    /// Medians over the rounds, their ratios, and how good each side is.
    pub fn report(&self) -> Map<String, Value> {
        let mut report = Map::new();
        for task in ["training", "detection"] {
            let key = format!("{task}_pictures_per_s");
            let speeds = self.speed.speeds(&key, "pictures_per_s", &PEERS);
            report.insert(task.to_owned(), Value::Object(speeds));
        }
        for key in ["parameters", "first_step_s", "peak_mb"] {
            report.insert(key.to_owned(), Value::Object(self.speed.row(key)));
        }
        if let Some(quality) = &self.quality {
            let of_measure = |measure: &'static str| {
                let row = quality.row(measure).into_iter();
                row.map(move |(side, value)| (format!("{side}_{measure}"), value))
            };
            let row: Map<String, Value> = of_measure("map_50").chain(of_measure("map")).collect();
            report.insert("quality".to_owned(), Value::Object(row));
        }
        report
    }
}

/// A column of the table: the number of a side is `report[row][side + ending]`.
struct Column {
    titles: [&'static str; 2],
    row: &'static str,
    ending: &'static str,
    factor: f64,
    decimals: usize,
}

const fn column(
    titles: [&'static str; 2],
    (row, ending): (&'static str, &'static str),
    (factor, decimals): (f64, usize),
) -> Column {
    Column {
        titles,
        row,
        ending,
        factor,
        decimals,
    }
}

const COLUMNS: [Column; 7] = [
    column(["", "parameters"], ("parameters", ""), (1.0, 0)),
    column(
        ["training", "pictures/s"],
        ("training", "_pictures_per_s"),
        (1.0, 1),
    ),
    column(
        ["detection", "pictures/s"],
        ("detection", "_pictures_per_s"),
        (1.0, 1),
    ),
    column(["first step", "s"], ("first_step_s", ""), (1.0, 2)),
    column(["memory", "MB"], ("peak_mb", ""), (1.0, 0)),
    column(["mAP@0.5", "%"], ("quality", "_map_50"), (100.0, 2)),
    column(["mAP@0.5:0.95", "%"], ("quality", "_map"), (100.0, 2)),
];

/// The models' reports, by title, as the lines of one table.
pub fn table(models: &[(&str, Map<String, Value>)]) -> Vec<String> {
    let measured = |column: &&Column| {
        models
            .iter()
            .any(|(_, report)| report.contains_key(column.row))
    };
    let columns: Vec<&Column> = COLUMNS.iter().filter(measured).collect();
    let line = |title: &str, side: &str, cells: Vec<String>| {
        let cells: String = cells.iter().map(|cell| format!("{cell:>14}")).collect();
        format!("{title:<10} {side:<16}{cells}")
    };
    let titles = |row: usize| {
        columns
            .iter()
            .map(move |column| column.titles[row].to_owned())
    };
    let mut lines: Vec<String> = (0..2)
        .map(|row| line("", "", titles(row).collect()))
        .collect();
    for (title, report) in models {
        let mut title = *title;
        for side in OWN.iter().chain(&PEERS) {
            let cells = columns.iter().map(|column| {
                let value = &report.get(column.row).unwrap_or(&Value::Null)
                    [format!("{side}{}", column.ending)];
                value.as_f64().map_or("-".to_owned(), |value| {
                    format!("{:.*}", column.decimals, column.factor * value)
                })
            });
            lines.push(line(title, side, cells.collect()));
            title = "";
        }
        let ratios = columns.iter().map(|column| {
            let ratio = report.get(column.row).unwrap_or(&Value::Null)["ratio_to_pytorch"].as_f64();
            ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"))
        });
        lines.push(line("", "ours / pytorch", ratios.collect()));
    }
    lines
}

/// The models' reports as one object; the keys of all but the first begin with the model's title.
pub fn object(models: Vec<(&str, Map<String, Value>)>, pictures: &str) -> Value {
    let mut all = Map::new();
    for (number, (title, report)) in models.into_iter().enumerate() {
        let prefix = match number {
            0 => String::new(),
            _ => format!("{}_", title.replace('-', "_")),
        };
        all.extend(
            report
                .into_iter()
                .map(|(key, row)| (format!("{prefix}{key}"), row)),
        );
    }
    all.insert("pictures".to_owned(), json!(pictures));
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model that our side and PyTorch's have run at these speeds.
    fn sides(speeds: &[(&'static str, f64)]) -> Sides {
        let turns = speeds.iter().map(|(side, speed)| {
            let turn = json!({
                "training_pictures_per_s": speed,
                "detection_pictures_per_s": 3.0 * speed,
                "parameters": 1000,
            });
            (*side, vec![turn])
        });
        let quality = [("ours", vec![json!({"map_50": 0.8125, "map": 0.5})])];
        Sides {
            speed: Measured::from_turns(&turns.collect::<Vec<_>>()),
            quality: Some(Measured::from_turns(&quality)),
        }
    }

    #[test]
    fn the_ratio_is_to_the_quicker_pytorch_and_absent_without_one() {
        let all = sides(&[("ours", 30.0), ("pytorch", 20.0), ("pytorch_best", 40.0)]).report();
        assert_eq!(all["training"]["ratio_to_pytorch"], json!(0.75));
        assert_eq!(all["detection"]["pytorch_pictures_per_s"], json!(60.0));
        let alone = sides(&[("ours", 30.0)]).report();
        assert_eq!(alone["detection"]["ratio_to_pytorch"], Value::Null);
    }

    #[test]
    fn one_table_and_one_object_hold_all_models() {
        let first = sides(&[("ours", 30.0), ("pytorch", 20.0)]).report();
        let without = Sides {
            quality: None,
            ..sides(&[("ours", 10.0)])
        };
        let models = vec![("one-stage", first), ("two-stage", without.report())];
        let lines: Vec<Vec<String>> = table(&models)
            .iter()
            .map(|line| line.split_whitespace().map(str::to_owned).collect())
            .collect();
        assert_eq!(
            lines[2],
            [
                "one-stage",
                "ours",
                "1000",
                "30.0",
                "90.0",
                "-",
                "-",
                "81.25",
                "50.00"
            ]
        );
        assert_eq!(lines[5], ["ours", "/", "pytorch", "1.50", "1.50"]);
        assert_eq!(
            lines[6],
            [
                "two-stage",
                "ours",
                "1000",
                "10.0",
                "30.0",
                "-",
                "-",
                "-",
                "-"
            ]
        );
        let all = object(models, "toy");
        assert_eq!(all["quality"]["ours_map_50"], json!(0.8125));
        assert_eq!(
            all["two_stage_training"]["ours_pictures_per_s"],
            json!(10.0)
        );
        assert_eq!(all.get("two_stage_quality"), None);
        assert_eq!(all["pictures"], "toy");
    }
}
