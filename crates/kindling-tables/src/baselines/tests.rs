use candle_core::{Device, Tensor};
use kindling::data::{Examples, Mnist};

use super::*;

/// Two clouds of points that a line separates, and their classes.
fn clouds() -> Examples {
    let points: Vec<f32> = (0..40)
        .flat_map(|index| {
            let (side, step) = ((index % 2) as f32, (index / 2) as f32);
            [
                side * 4.0 + (step * 0.7).sin(),
                side * 4.0 + (step * 1.3).cos(),
            ]
        })
        .collect();
    let labels: Vec<u32> = (0..40).map(|index| 3 + index % 2).collect();
    Examples::new(
        Tensor::from_vec(points, (40, 2), &Device::Cpu).unwrap(),
        Tensor::from_vec(labels, 40, &Device::Cpu).unwrap(),
    )
    .unwrap()
}

#[test]
fn both_tell_two_clouds_apart_by_their_labels() {
    let clouds = clouds();
    let query = Tensor::new(&[[0_f32, 0.0], [4.0, 4.0]], &Device::Cpu).unwrap();
    let regression = LogisticRegression::fit(&clouds).unwrap();
    assert_eq!(regression.accuracy(&clouds).unwrap(), 1.0);
    assert_eq!(regression.predict(&query).unwrap(), [3, 4]);
    assert_eq!(regression.parameters(), 2 * 2 + 2);
    let neighbours = NearestNeighbours::fit(&clouds, 5).unwrap();
    assert_eq!(neighbours.accuracy(&clouds).unwrap(), 1.0);
    assert_eq!(neighbours.predict(&query).unwrap(), [3, 4]);
}

#[test]
fn the_neighbours_are_those_that_a_plain_search_finds() {
    let digits = Mnist::builtin(120, 30, 7).unwrap();
    let model = NearestNeighbours::fit(&digits.train, 1).unwrap();
    let (train, test) = (
        rows(&digits.train.images).unwrap(),
        rows(&digits.test.images).unwrap(),
    );
    let labels = classes(&digits.train.labels).unwrap();
    let expected: Vec<u32> = test
        .rows()
        .into_iter()
        .map(|query| {
            let distance = |row: usize| -> f32 {
                let difference = &train.row(row) - &query;
                difference.iter().map(|number| number * number).sum()
            };
            let nearest = (0..120).min_by(|a, b| distance(*a).total_cmp(&distance(*b)));
            labels[nearest.unwrap()]
        })
        .collect();
    assert_eq!(model.predict(&digits.test.images).unwrap(), expected);
}

#[test]
fn fitting_twice_gives_the_same() {
    let digits = Mnist::builtin(200, 50, 3).unwrap();
    let fit = || LogisticRegression::fit(&digits.train).unwrap();
    assert_eq!(fit(), fit());
}

#[test]
fn what_cannot_be_learned_from_is_named() {
    let clouds = clouds();
    let message = |result: Result<LogisticRegression>| result.unwrap_err().to_string();
    let same = Examples::new(
        clouds.images.clone(),
        Tensor::zeros(40, DType::U32, &Device::Cpu).unwrap(),
    );
    assert!(message(LogisticRegression::fit(&same.unwrap())).contains("only class 0"));
    assert!(message(LogisticRegression::fit_with(&clouds, -1.0, 10)).contains("penalty -1"));
    let none = clouds.subset(0..0).unwrap();
    assert!(message(LogisticRegression::fit(&none)).contains("1 to 20000 examples, found 0"));
    let many = Tensor::zeros((20_001, 2), DType::F32, &Device::Cpu).unwrap();
    let labels = Tensor::zeros(20_001, DType::U32, &Device::Cpu).unwrap();
    let error = message(LogisticRegression::fit(
        &Examples::new(many, labels).unwrap(),
    ));
    assert!(error.contains("found 20001; take some of them"), "{error}");
    let bad = Tensor::new(&[[0_f32, 1.0], [f32::NAN, 1.0]], &Device::Cpu).unwrap();
    let bad = Examples::new(bad, Tensor::new(&[0_u32, 1], &Device::Cpu).unwrap()).unwrap();
    assert!(message(LogisticRegression::fit(&bad)).contains("found NaN in example 1"));
    let mixed = Examples::new(clouds.images.clone(), clouds.images.clone()).unwrap();
    assert!(message(LogisticRegression::fit(&mixed)).contains("one class for each example"));
    for wrong in [0, 41] {
        let error = NearestNeighbours::fit(&clouds, wrong)
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            format!("neighbours: expected 1 to 40, the number of examples, found {wrong}")
        );
    }
}

#[test]
fn pictures_of_another_size_are_refused() {
    let clouds = clouds();
    let wide = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap();
    for error in [
        LogisticRegression::fit(&clouds)
            .unwrap()
            .predict(&wide)
            .unwrap_err(),
        NearestNeighbours::fit(&clouds, 1)
            .unwrap()
            .predict(&wide)
            .unwrap_err(),
    ] {
        assert_eq!(
            error.to_string(),
            "images: expected 2 numbers an example, as in the training set, found 3 in shape [2, 3]"
        );
    }
}
