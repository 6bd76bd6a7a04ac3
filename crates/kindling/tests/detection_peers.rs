//! Boxes, regions, losses and scores are those of torchvision and pycocotools: `fixtures/detection.py`.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)] // tests may fail loudly

mod fixture;

use candle_core::{DType, Device, Tensor, Var};
use fixture::Numbers;
use kindling::{
    boxes::{self, BoxCoder, Decay, Detection, Level, Object, Role},
    metrics::MeanAveragePrecision,
    ops::{RoiAlignConfig, focal_loss, roi_align, smooth_l1},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

fn part<T: DeserializeOwned>(name: &str) -> T {
    let mut all: Value = serde_json::from_str(include_str!("../fixtures/detection.json")).unwrap();
    serde_json::from_value(all[name].take()).unwrap()
}

#[track_caller]
fn near(found: &Tensor, expected: &Numbers) {
    let expected = expected.tensor();
    assert_eq!(found.dims(), expected.dims());
    let numbers = |tensor: &Tensor| {
        let flat = tensor.flatten_all().unwrap();
        flat.to_vec1::<f32>().unwrap()
    };
    for (found, expected) in numbers(found).iter().zip(numbers(&expected)) {
        let close = 2e-5 * (1.0 + expected.abs());
        assert!((found - expected).abs() <= close, "{found}, {expected}");
    }
}

fn var(numbers: &Numbers) -> Var {
    Var::from_tensor(&numbers.tensor()).unwrap()
}

/// The gradient of the sum of `output`, weighted by `probe`.
fn gradient(output: &Tensor, probe: Option<&Numbers>, of: &Var) -> Tensor {
    let output = match probe {
        Some(probe) => (output * probe.tensor()).unwrap(),
        None => output.clone(),
    };
    let gradients = output.sum_all().unwrap().backward().unwrap();
    gradients.get(of).unwrap().clone()
}

#[derive(Deserialize)]
struct Overlaps {
    boxes: Numbers,
    others: Numbers,
    areas: Numbers,
    iou: Numbers,
    giou: Numbers,
    clipped: Numbers,
    large: Vec<usize>,
    predicted: Numbers,
    target: Numbers,
    loss: Numbers,
    probe: Numbers,
    gradient: Numbers,
}

#[test]
fn overlaps_are_those_of_torchvision() {
    let case: Overlaps = part("overlaps");
    let (boxes, others) = (case.boxes.tensor(), case.others.tensor());
    near(&boxes::areas(&boxes).unwrap(), &case.areas);
    near(&boxes::iou(&boxes, &others).unwrap(), &case.iou);
    near(&boxes::giou(&boxes, &others).unwrap(), &case.giou);
    let shifted = (&boxes - 15.0).unwrap();
    near(&boxes::clip(&shifted, 30, 40).unwrap(), &case.clipped);
    assert_eq!(boxes::large_enough(&boxes, 20.0).unwrap(), case.large);
    let predicted = var(&case.predicted);
    let loss = boxes::giou_loss(&predicted, &case.target.tensor()).unwrap();
    near(&loss, &case.loss);
    near(
        &gradient(&loss, Some(&case.probe), &predicted),
        &case.gradient,
    );
}

#[derive(Deserialize)]
struct Coding {
    weights: [f64; 4],
    boxes: Numbers,
    anchors: Numbers,
    deltas: Numbers,
    encoded: Numbers,
    decoded: Numbers,
}

#[test]
fn coded_boxes_are_those_of_torchvision() {
    for case in part::<Vec<Coding>>("coding") {
        let coder = BoxCoder::new(case.weights).unwrap();
        let anchors = case.anchors.tensor();
        let encoded = coder.encode(&case.boxes.tensor(), &anchors).unwrap();
        near(&encoded, &case.encoded);
        let decoded = coder.decode(&case.deltas.tensor(), &anchors).unwrap();
        near(&decoded, &case.decoded);
        near(&coder.decode(&encoded, &anchors).unwrap(), &case.boxes);
    }
}

#[derive(Deserialize)]
struct Anchors {
    levels: Vec<[usize; 3]>,
    sizes: Vec<Vec<f64>>,
    ratios: Vec<f64>,
    anchors: Numbers,
}

#[test]
fn anchors_and_levels_are_those_of_torchvision() {
    let case: Anchors = part("anchors");
    let level = |&[rows, columns, stride]: &[usize; 3]| Level {
        rows,
        columns,
        stride,
    };
    let levels: Vec<Level> = case.levels.iter().map(level).collect();
    let anchors = boxes::anchors(&levels, &case.sizes, &case.ratios).unwrap();
    near(&anchors, &case.anchors);

    #[derive(Deserialize)]
    struct Levels {
        boxes: Numbers,
        usual_side: f64,
        levels: Vec<usize>,
    }
    for case in part::<Vec<Levels>>("levels") {
        let levels = boxes::pyramid_levels(&case.boxes.tensor(), 2, 5, case.usual_side).unwrap();
        assert_eq!(levels, case.levels);
    }
}

#[derive(Deserialize)]
struct Suppression {
    boxes: Numbers,
    scores: Numbers,
    classes: Vec<u32>,
    nms: Vec<(f64, Vec<usize>)>,
    batched: Vec<(f64, Vec<usize>)>,
    linear: (f64, Vec<(usize, f32)>),
    gaussian: (f64, Vec<(usize, f32)>),
}

#[test]
fn the_same_boxes_are_kept_as_by_torchvision() {
    let case: Suppression = part("suppression");
    let (boxes, scores) = (case.boxes.tensor(), case.scores.tensor());
    let classes = Tensor::new(case.classes, &Device::Cpu).unwrap();
    for (threshold, kept) in case.nms {
        assert_eq!(boxes::nms(&boxes, &scores, threshold).unwrap(), kept);
    }
    for (threshold, kept) in case.batched {
        let found = boxes::batched_nms(&boxes, &scores, &classes, threshold).unwrap();
        assert_eq!(found, kept);
    }
    for (decay, expected) in [
        (
            Decay::Linear {
                threshold: case.linear.0,
            },
            case.linear.1,
        ),
        (
            Decay::Gaussian {
                sigma: case.gaussian.0,
            },
            case.gaussian.1,
        ),
    ] {
        let kept = boxes::soft_nms(&boxes, &scores, decay, 0.05).unwrap();
        assert_eq!(kept.len(), expected.len(), "{decay:?}");
        for (found, expected) in kept.iter().zip(expected) {
            assert_eq!(found.0, expected.0, "{decay:?}");
            assert!((found.1 - expected.1).abs() < 1e-5, "{decay:?}");
        }
    }
}

#[derive(Deserialize)]
struct Regions {
    features: Numbers,
    boxes: Numbers,
    images: Vec<usize>,
    cases: Vec<Region>,
}

#[derive(Deserialize)]
struct Region {
    aligned: bool,
    sampling_ratio: usize,
    output: Numbers,
    probe: Numbers,
    gradient: Numbers,
}

#[test]
fn regions_are_those_of_torchvision() {
    let all: Regions = part("regions");
    for case in all.cases {
        let config = RoiAlignConfig {
            output: (3, 2),
            spatial_scale: 0.5,
            sampling_ratio: case.sampling_ratio,
            aligned: case.aligned,
        };
        let features = var(&all.features);
        let output = roi_align(&features, &all.boxes.tensor(), &all.images, &config).unwrap();
        near(&output, &case.output);
        near(
            &gradient(&output, Some(&case.probe), &features),
            &case.gradient,
        );
    }
}

#[derive(Deserialize)]
struct Losses {
    logits: Numbers,
    targets: Numbers,
    focal: Vec<Loss>,
    smooth_l1: Vec<Loss>,
}

#[derive(Deserialize)]
struct Loss {
    alpha: Option<f64>,
    #[serde(default)]
    gamma: f64,
    #[serde(default)]
    beta: f64,
    loss: Numbers,
    gradient: Numbers,
}

#[test]
fn losses_are_those_of_pytorch() {
    let all: Losses = part("losses");
    let targets = all.targets.tensor();
    for case in all.focal {
        let logits = var(&all.logits);
        let loss = focal_loss(&logits, &targets, case.alpha, case.gamma).unwrap();
        near(&loss, &case.loss);
        near(&gradient(&loss, None, &logits), &case.gradient);
    }
    for case in all.smooth_l1 {
        let logits = var(&all.logits);
        let loss = smooth_l1(&logits, &targets, case.beta).unwrap();
        near(&loss, &case.loss);
        near(&gradient(&loss, None, &logits), &case.gradient);
    }
    assert!(smooth_l1(&targets, &targets, f64::NAN).is_err());
    let flat = targets.flatten_all().unwrap();
    assert!(smooth_l1(&flat, &targets, 1.0).is_err());
    let double = targets.to_dtype(DType::F64).unwrap();
    assert!(smooth_l1(&double, &double, 1.0).is_ok());
}

#[derive(Deserialize)]
struct Scores {
    pictures: Vec<Picture>,
    mean: f64,
    at_50: f64,
    at_75: f64,
    classes: Vec<Option<OfClass>>,
}

#[derive(Deserialize)]
struct Picture {
    objects: Vec<(f32, f32, f32, f32, usize, u8)>,
    found: Vec<(f32, f32, f32, f32, usize, f32)>,
}

#[derive(Deserialize)]
struct OfClass {
    mean: f64,
    at_50: f64,
    recalls: Vec<f64>,
    precisions_at_50: Vec<f64>,
}

#[test]
fn scores_are_those_of_pycocotools() {
    let case: Scores = part("average_precision");
    let mut metric = MeanAveragePrecision::new(case.classes.len());
    for picture in &case.pictures {
        let object = |&(x1, y1, x2, y2, class, role): &(f32, f32, f32, f32, usize, u8)| Object {
            corners: [x1, y1, x2, y2],
            class,
            role: [Role::Counted, Role::Ignored, Role::Crowd][usize::from(role)],
        };
        let found =
            |&(x1, y1, x2, y2, class, score): &(f32, f32, f32, f32, usize, f32)| Detection {
                corners: [x1, y1, x2, y2],
                class,
                score,
            };
        let found: Vec<Detection> = picture.found.iter().map(found).collect();
        let objects: Vec<Object> = picture.objects.iter().map(object).collect();
        metric.add(&found, &objects).unwrap();
    }
    let score = metric.score().unwrap();
    let same = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{score:?}");
    same(score.mean, case.mean);
    same(score.at_50, case.at_50);
    same(score.at_75, case.at_75);
    assert_eq!(score.classes.len(), case.classes.len());
    for (found, expected) in score.classes.iter().zip(&case.classes) {
        let (Some(found), Some(expected)) = (found, expected) else {
            assert_eq!(found.is_some(), expected.is_some());
            continue;
        };
        same(found.mean, expected.mean);
        same(found.at_50, expected.at_50);
        let pairs = found.recalls.iter().zip(&expected.recalls);
        pairs.for_each(|(found, expected)| same(*found, *expected));
        let pairs = found.precisions[0].iter().zip(&expected.precisions_at_50);
        pairs.for_each(|(found, expected)| same(*found, *expected));
    }
}
