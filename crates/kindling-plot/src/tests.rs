//! What holds for every kind of figure.

use candle_core::{Device, Tensor};

use super::*;

/// One figure of each kind.
fn all() -> Vec<Figure> {
    let wave = |shift: f64| -> Vec<(f64, f64)> {
        (0..5_000)
            .map(|i| f64::from(i) / 500.0)
            .map(|x| (x, (x + shift).sin() * x))
            .collect()
    };
    let pixels = Tensor::arange(0_f32, 2.0 * 28.0 * 28.0, &Device::Cpu)
        .unwrap()
        .reshape((2, 28, 28))
        .unwrap();
    let rows: Vec<Vec<f64>> = (0..10)
        .map(|row| {
            (0..10)
                .map(|column| f64::from((row * column) % 7))
                .collect()
        })
        .collect();
    let digits: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
    let large = vec![vec![0.25; 40]; 40];
    let many: Vec<String> = (0..40).map(|index| format!("token {index}")).collect();
    vec![
        Lines::new("Curves <&\"'> \u{1}")
            .axes("epoch", "loss")
            .series("a & b", wave(0.0))
            .series("b", wave(1.0))
            .draw()
            .unwrap(),
        Lines::new("Logarithmic")
            .series("a", vec![1.0, 1e-3, 1e-6])
            .log_y()
            .draw()
            .unwrap(),
        Scatter::new("Points")
            .series("class 0", wave(0.5))
            .line("fit", [(0.0, 0.0), (10.0, 3.0)])
            .draw()
            .unwrap(),
        Bars::new("Bars")
            .axes("digit", "count")
            .labels(["a", "b"])
            .series("x", [1.0, -2.0])
            .series("y", vec![0.5, 3.0])
            .draw()
            .unwrap(),
        Contours::new("Valley", -2.0..2.0, -1.0..3.0, |x, y| {
            (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2)
        })
        .log_levels()
        .path(
            "descent",
            [(-1.5, 2.0), (-1.0, 1.0), (9.0, 9.0), (1.0, 1.0)],
        )
        .mark("minimum", (1.0, 1.0))
        .draw()
        .unwrap(),
        Images::new("Digits")
            .tensor(&pixels, ["3 → 5", "two\nlines"])
            .draw()
            .unwrap(),
        BoxedImages::new("Boxes")
            .image(&pixels.get(0).unwrap(), "one\npicture")
            .detections(
                &[kindling_base::boxes::Detection {
                    corners: [-3.0, 2.0, 14.0, 40.0],
                    class: 3,
                    score: 0.987,
                }],
                &digits,
            )
            .draw()
            .unwrap(),
        Heatmap::new("Confusion", &rows, &digits, &digits)
            .axes("predicted", "true")
            .draw()
            .unwrap(),
        Heatmap::new("Attention", &large, &many, &many)
            .draw()
            .unwrap(),
        Graph::new("Graph")
            .node(0, "x\n1.0")
            .operation(1, "+")
            .node(2, "y")
            .edge(0, 1)
            .edge(1, 2)
            .edge(0, 2)
            .draw()
            .unwrap(),
    ]
}

#[test]
fn every_figure_is_a_well_formed_svg_with_a_name_and_no_id() {
    for figure in all() {
        let document = roxmltree::Document::parse(figure.svg())
            .unwrap_or_else(|error| panic!("{figure:?}: {error}"));
        let root = document.root_element();
        assert_eq!(root.tag_name().name(), "svg");
        assert_eq!(
            (
                root.attribute("role"),
                root.attribute("aria-label").is_some()
            ),
            (Some("img"), true)
        );
        assert!(
            root.attribute("viewBox").unwrap().starts_with("0 0 720 "),
            "{figure:?}"
        );
        assert!(
            document
                .descendants()
                .all(|node| node.attribute("id").is_none())
        );
    }
}

#[test]
fn the_same_data_gives_the_same_figure() {
    assert_eq!(all(), all());
}

#[test]
fn figures_are_small() {
    for figure in all() {
        assert!(figure.svg().len() < 60_000, "{figure:?}");
    }
}

/// Every coordinate of every shape lies on the page: nothing is clipped, nothing is lost.
#[test]
fn text_stays_on_the_page() {
    for figure in all() {
        let document = roxmltree::Document::parse(figure.svg()).unwrap();
        let size: Vec<f64> = document
            .root_element()
            .attribute("viewBox")
            .unwrap()
            .split(' ')
            .map(|number| number.parse().unwrap())
            .collect();
        for node in document
            .descendants()
            .filter(|node| node.has_tag_name("text"))
        {
            let face = node.parent().unwrap();
            let number = |name: &str| {
                let place = if name == "font-size" { face } else { node };
                place.attribute(name).unwrap().parse::<f64>().unwrap()
            };
            let words = node.text().unwrap_or_default();
            let long = text::width(words, number("font-size"));
            let (before, after) = match face.attribute("text-anchor") {
                None => (0.0, long),
                Some("middle") => (long / 2.0, long / 2.0),
                _ => (long, 0.0),
            };
            let (place, most) = if node.attribute("transform").is_some() {
                (number("y"), size[3])
            } else {
                (number("x"), size[2])
            };
            assert!(
                place - before >= -1.0 && place + after <= most + 1.0,
                "{figure:?}: {words:?} leaves the page"
            );
            assert!(
                number("y") <= size[3] && number("y") >= 8.0,
                "{figure:?}: {words:?} leaves the page"
            );
        }
    }
}

fn message(drawn: crate::Result<Figure>) -> String {
    drawn.unwrap_err().to_string()
}

#[test]
fn numbers_that_are_none_name_their_series() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let lines = message(
            Lines::new("Loss")
                .series("good", vec![1.0])
                .series("bad", vec![1.0, bad])
                .draw(),
        );
        assert!(
            lines.contains("lines \"Loss\", series \"bad\": point 1 is (1, "),
            "{lines}"
        );
        assert!(
            message(Scatter::new("S").series("s", [(bad, 0.0)]).draw()).contains("series \"s\"")
        );
        assert!(message(Bars::new("B").bar("one", bad).draw()).contains("\"one\""));
        assert!(
            message(Contours::new("C", 0.0..1.0, 0.0..1.0, move |_, _| bad).draw())
                .contains("at (0, 0)")
        );
        assert!(
            message(
                Contours::new("C", 0.0..1.0, 0.0..1.0, |x, _| x)
                    .path("p", [(bad, 0.0)])
                    .draw()
            )
            .contains("series \"p\"")
        );
        assert!(
            message(Heatmap::new("H", &[vec![bad]], &["x"], &["y"]).draw())
                .contains("row 0, column 0")
        );
        let pixels = Tensor::new(&[[0_f32, bad as f32]], &Device::Cpu).unwrap();
        assert!(message(Images::new("I").image(&pixels, "").draw()).contains("row 0, column 1"));
    }
}

#[test]
fn no_data_says_how_to_add_some() {
    assert!(message(Lines::new("L").draw()).contains(".series(name, points)"));
    assert!(
        message(Lines::new("L").series("empty", Vec::<f64>::new()).draw())
            .contains("series \"empty\": expected at least one point")
    );
    assert!(message(Scatter::new("S").draw()).contains(".series(name, points)"));
    assert!(message(Bars::new("B").draw()).contains(".bar(label, value)"));
    assert!(message(Images::new("I").draw()).contains(".image(&tensor, label)"));
    assert!(
        message(Heatmap::new("H", &[], &[""; 0], &[""; 0]).draw()).contains("at least one row")
    );
}

#[test]
fn lengths_and_shapes_that_do_not_fit_are_told() {
    let cube = Tensor::zeros((2, 2, 2), candle_core::DType::F32, &Device::Cpu).unwrap();
    assert!(
        message(Lines::new("L").series("cube", &cube).draw()).contains("found shape [2, 2, 2]")
    );
    assert!(
        message(Images::new("I").tensor(&cube, ["one"]).draw())
            .contains("each of 2 pictures, found 1 labels")
    );
    assert!(message(Images::new("I").image(&cube, "").draw()).contains("(height, width)"));
    assert!(
        message(Bars::new("B").labels(["a", "b"]).series("s", [1.0]).draw())
            .contains("each of 2 labels, found 1 values")
    );
    assert!(
        message(Heatmap::new("H", &[vec![1.0]], &["x", "y"], &["z"]).draw())
            .contains("row 0 has 1 numbers")
    );
    assert!(
        message(Heatmap::new("H", &[vec![1.0]], &["x"], &["y", "z"]).draw())
            .contains("1 rows, found 2 labels")
    );
    assert!(
        message(Lines::new("L").series("s", vec![1.0, 0.0]).log_y().draw())
            .contains("point 1 is (1, 0), expected numbers above 0")
    );
    assert!(
        message(
            Lines::new("L")
                .series("s", vec![1.0])
                .y_range(1.0, 1.0)
                .draw()
        )
        .contains("low < high")
    );
    assert!(
        message(Contours::new("C", 1.0..0.0, 0.0..1.0, |x, _| x).draw()).contains("range of x")
    );
    assert!(
        message(Contours::new("C", 0.0..1.0, 0.0..1.0, |_, _| 1.0).draw())
            .contains("values that differ")
    );
    assert!(
        message(Lines::new("L").series("s", vec![-1e308, 1e308]).draw()).contains("too far apart")
    );
}

#[test]
fn one_point_and_equal_points_are_drawn() {
    for points in [
        vec![(0.0, 0.0)],
        vec![(2.0, 5.0); 3],
        vec![(1e-300, 1e300)],
        vec![(1e15, -1e15), (1e15 + 1.0, -1e15)],
    ] {
        Lines::new("L").series("s", &points).draw().unwrap();
        Scatter::new("S").series("s", &points).draw().unwrap();
    }
    Lines::new("L")
        .series("s", vec![1e-300, 1e300])
        .log_y()
        .draw()
        .unwrap();
}

#[test]
fn a_long_line_keeps_its_peak() {
    let mut points: Vec<(f64, f64)> = (0..100_000).map(|i| (f64::from(i), 0.0)).collect();
    points[77_777].1 = 5.0;
    let kept = points::thin_line(&points, 1_200);
    assert!(kept.len() <= 1_300 && kept.contains(&(77_777.0, 5.0)));
}

#[test]
fn a_saved_figure_is_the_figure_and_leaves_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let figure = Lines::new("L").series("s", vec![1.0, 2.0]).draw().unwrap();
    figure.save(folder.path().join("loss.svg")).unwrap();
    assert_eq!(
        std::fs::read_to_string(folder.path().join("loss.svg")).unwrap(),
        figure.svg()
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let error = figure
        .save(folder.path().join("nowhere/loss.svg"))
        .unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
    assert!(figure.save("/").is_err());
}
