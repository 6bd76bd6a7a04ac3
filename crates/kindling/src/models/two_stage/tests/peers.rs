//! Both stages are those of torchvision: `fixtures/two_stage.py`.

use std::collections::HashMap;

use candle_core::{Device, Tensor, Var};
use serde::Deserialize;

use super::super::{
    assign::{ANCHORS, Match, REGIONS},
    *,
};
use crate::{
    boxes::{Object, rows},
    data::detection::targets,
    models::FeaturePyramidConfig,
};

#[derive(Deserialize)]
struct Numbers {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Numbers {
    fn tensor(&self) -> Tensor {
        Tensor::from_slice(&self.values, self.shape.as_slice(), &Device::Cpu).unwrap()
    }
}

#[derive(Deserialize)]
struct Fixture {
    matches: Matches,
    objects: Vec<Vec<[f32; 5]>>,
    outputs: Numbers,
    weights: HashMap<String, Numbers>,
    proposals: Vec<Numbers>,
    losses: [f32; 4],
    gradient: Numbers,
    detections: Vec<Vec<[f32; 6]>>,
}

/// Numbers of objects; -1 for the background, -2 for what is neither right nor wrong.
#[derive(Deserialize)]
struct Matches {
    boxes: Numbers,
    objects: Numbers,
    anchors: Vec<i64>,
    regions: Vec<i64>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../../../../fixtures/two_stage.json")).unwrap()
}

/// The model of the fixture; its first stage is not asked.
fn model(fixture: &Fixture) -> TwoStageDetector {
    let config = TwoStageDetectorConfig {
        pyramid: FeaturePyramidConfig {
            image: (16, 16),
            stages: vec![2; 3],
            channels: 2,
        },
        anchor_sizes: vec![2.0],
        proposals: 20,
        region_side: 2,
        hidden_size: 8,
        classes: 2,
        ..TwoStageDetectorConfig::default()
    };
    let model = TwoStageDetector::new(&config, 0).unwrap();
    let mut set = 0;
    for (name, parameter) in model.state() {
        if let Some(numbers) = fixture.weights.get(&name) {
            parameter.set(&numbers.tensor()).unwrap();
            set += 1;
        }
    }
    assert_eq!(set, fixture.weights.len());
    model
}

#[track_caller]
fn near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let close = 2e-5 * (1.0 + expected.abs());
        assert!((found - expected).abs() <= close, "{found}, {expected}");
    }
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn boxes_are_matched_as_by_torchvision() {
    let case = fixture().matches;
    let boxes = rows(&case.boxes.tensor(), "boxes").unwrap();
    let corners = rows(&case.objects.tensor(), "objects").unwrap();
    let numbered = corners.into_iter().enumerate();
    let objects: Vec<Object> = numbered
        .map(|(number, corners)| Object::new(corners, number))
        .collect();
    for (matcher, expected) in [(ANCHORS, case.anchors), (REGIONS, case.regions)] {
        let found = matcher.matches(&boxes, &objects);
        let number = |found: &Match| match *found {
            Match::Object(object) => object.class as i64,
            Match::Nothing => -1,
            Match::Ignore => -2,
        };
        let found: Vec<i64> = found.iter().map(number).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn losses_and_gradients_are_those_of_torchvision() {
    let case = fixture();
    let model = model(&case);
    let loss = TwoStageDetectorLoss::new(&model).unwrap();
    let object = |row: &[f32; 5]| Object::new([row[0], row[1], row[2], row[3]], row[4] as usize);
    let objects: Vec<Vec<Object>> = case
        .objects
        .iter()
        .map(|rows| rows.iter().map(object).collect())
        .collect();
    let objects: Vec<&[Object]> = objects.iter().map(Vec::as_slice).collect();
    let outputs = Var::from_tensor(&case.outputs.tensor()).unwrap();
    let parts = loss
        .parts(
            &outputs,
            &targets(&objects, 3).unwrap(),
            &mut Random::new(7),
        )
        .unwrap();
    let found = [
        &parts.objectness,
        &parts.anchors,
        &parts.classes,
        &parts.regions,
    ];
    let found = found.map(|loss| loss.to_scalar::<f32>().unwrap());
    near(&found, &case.losses);
    let gradients = parts.sum().unwrap().backward().unwrap();
    near(
        &flat(gradients.get(&outputs).unwrap()),
        &case.gradient.values,
    );
}

#[test]
fn proposals_and_detections_are_those_of_torchvision() {
    let case = fixture();
    let model = model(&case);
    let first = model.split(&case.outputs.tensor()).unwrap();
    for (picture, expected) in case.proposals.iter().enumerate() {
        let found = model.propose(&first, picture).unwrap();
        assert_eq!(found.dims(), expected.shape);
        near(&flat(&found), &expected.values);
    }
    let found = model.look(&first, 0.2, 0.5).unwrap();
    for (found, expected) in found.iter().zip(&case.detections) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            near(&found.corners, &expected[..4]);
            assert_eq!(found.class, expected[4] as usize);
            near(&[found.score], &expected[5..]);
        }
    }
}
