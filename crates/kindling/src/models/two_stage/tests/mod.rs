//! The two-stage detector learns scenes, and takes whatever a picture holds.

mod peers;

use candle_core::Tensor;

use super::{
    assign::{ANCHORS, Match},
    sampling::Sample,
    *,
};
use crate::{
    boxes::{Object, Role},
    data::{
        Loader,
        detection::{DetectionLoader, Scenes, targets},
    },
    metrics::MeanAveragePrecision,
    models::FeaturePyramidConfig,
    optim::AdamW,
    train::Training,
};

fn small() -> TwoStageDetectorConfig {
    TwoStageDetectorConfig {
        pyramid: FeaturePyramidConfig {
            image: (64, 64),
            stages: vec![8, 16, 24, 32],
            channels: 24,
        },
        anchor_sizes: vec![4.0],
        proposals: 32,
        region_side: 5,
        hidden_size: 64,
        classes: 5,
        ..TwoStageDetectorConfig::default()
    }
}

fn images(count: usize) -> Tensor {
    Random::new(2)
        .uniform((count, 64, 64, 3), 0.0, 1.0)
        .unwrap()
}

fn number(tensor: &Tensor) -> f32 {
    tensor.to_scalar().unwrap()
}

#[test]
fn gradients_reach_all_parameters_and_the_weights_are_shared() {
    let model = TwoStageDetector::new(&small(), 1).unwrap();
    let loss = TwoStageDetectorLoss::new(&model).unwrap();
    let objects = [Object::new([8.0, 8.0, 28.0, 28.0], 2)];
    let targets = targets(&[&objects, &[]], 3).unwrap();
    let outputs = model
        .forward_training(&images(2), &mut Random::new(0))
        .unwrap();
    let value = loss
        .forward(&outputs, &targets, &mut Random::new(1))
        .unwrap();
    let gradients = value.backward().unwrap();
    for (name, parameter) in model.state() {
        if !name.contains(".running_") {
            assert!(gradients.get(&parameter).is_some(), "{name}");
        }
    }
    let again = loss
        .forward(&outputs, &targets, &mut Random::new(1))
        .unwrap();
    assert_eq!(number(&value), number(&again));
}

#[test]
fn pictures_with_no_one_and_only_ignored_objects_have_a_loss() {
    let model = TwoStageDetector::new(&small(), 1).unwrap();
    let loss = TwoStageDetectorLoss::new(&model).unwrap();
    let outputs = model.forward(&images(1)).unwrap();
    let one = Object::new([8.0, 8.0, 28.0, 28.0], 2);
    let flat = Object::new([8.0, 8.0, 8.0, 28.0], 2);
    let all = Object {
        corners: [0.0, 0.0, 64.0, 64.0],
        role: Role::Crowd,
        ..one
    };
    for (objects, boxes) in [
        (&[][..], false),
        (&[one], true),
        (&[flat], false),
        (&[all], false),
    ] {
        let targets = targets(&[objects], 1).unwrap();
        let parts = loss.parts(&outputs, &targets, &mut Random::new(1)).unwrap();
        assert!(number(&parts.sum().unwrap()).is_finite());
        assert_eq!(number(&parts.anchors) > 0.0, boxes);
        assert_eq!(number(&parts.regions) > 0.0, boxes);
        // All regions lie in a crowd that fills the picture; some anchors reach out of it.
        assert_eq!(number(&parts.classes) > 0.0, objects != [all]);
        let found = model.detect(&images(1), 0.0, 0.5).unwrap();
        assert_eq!(found.len(), 1);
    }
}

#[test]
fn every_object_has_an_anchor_and_the_background_does_not_drown_it() {
    let model = TwoStageDetector::new(&small(), 1).unwrap();
    let anchors = model.rpn.anchors().unwrap();
    let tiny = Object::new([30.0, 30.0, 33.0, 33.0], 0);
    let matches = ANCHORS.matches(&anchors, &[tiny]);
    assert!(matches.contains(&Match::Object(tiny)));
    let large = Object::new([8.0, 8.0, 40.0, 40.0], 1);
    let matches = ANCHORS.matches(&anchors, &[tiny, large]);
    let mut sample = Sample::default();
    let few = BoxSampling {
        boxes: 8,
        on_objects: 0.25,
    };
    sample.draw((0, &anchors), &matches, few, &mut Random::new(3));
    assert_eq!(sample.len(), 8);
    let positives = sample.positives();
    assert_eq!(positives.numbers.len(), 2);
    assert!(
        positives
            .numbers
            .iter()
            .all(|&number| sample.objects[number].is_some())
    );
}

#[test]
fn with_all_boxes_chance_plays_no_part() {
    let model = TwoStageDetector::new(&small(), 1).unwrap();
    let outputs = model.forward(&images(1)).unwrap();
    let objects = [Object::new([8.0, 8.0, 28.0, 28.0], 2)];
    let targets = targets(&[&objects], 1).unwrap();
    let sampled = TwoStageDetectorLoss::new(&model).unwrap();
    let whole = sampled.clone().sampling(BoxSampling::ALL, BoxSampling::ALL);
    let of = |loss: &TwoStageDetectorLoss, seed| {
        let loss = loss.forward(&outputs, &targets, &mut Random::new(seed));
        number(&loss.unwrap())
    };
    assert_ne!(of(&sampled, 1), of(&sampled, 2));
    assert!((of(&whole, 1) - of(&whole, 2)).abs() < 1e-5);
}

#[test]
fn scenes_are_learned() {
    let scenes = Scenes::default()
        .size(64, 64)
        .sizes(12.0..=30.0)
        .count(1..=2);
    let set = scenes.clutter(false).draw(16, 1).unwrap();
    let model = TwoStageDetector::new(&small(), 3).unwrap();
    let loss = TwoStageDetectorLoss::new(&model).unwrap();
    let loader = DetectionLoader::new(&set, 8, 1).unwrap();
    let history = Training::new(Box::new(AdamW::new(model.parameters(), 0.003).unwrap()))
        .epochs(60)
        .clip_norm(10.0)
        .sampled_loss(move |outputs, targets, random| loss.forward(outputs, targets, random))
        .fit(&model, &loader, &loader)
        .unwrap();
    let losses: Vec<f64> = history.epochs.iter().map(|epoch| epoch.loss).collect();
    assert!(losses[59] < 0.4 * losses[0], "{losses:?}");
    let mut metric = MeanAveragePrecision::new(set.classes().len());
    let found = model
        .detect(&set.images(0..16).unwrap(), 0.05, 0.5)
        .unwrap();
    for (picture, found) in found.iter().enumerate() {
        metric.add(found, set.objects(picture)).unwrap();
    }
    let score = metric.score().unwrap();
    assert!(score.at_50 > 0.6, "{score:?}\n{losses:?}");
    assert_eq!(loader.steps(), 2);
}

/// Loss, gradients and detections of a model, as bits.
fn bits(threads: usize) -> Vec<u32> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap();
    pool.install(|| {
        let model = TwoStageDetector::new(&small(), 1).unwrap();
        let loss = TwoStageDetectorLoss::new(&model).unwrap();
        let objects = [Object::new([8.0, 8.0, 28.0, 28.0], 2)];
        let targets = targets(&[&objects, &objects, &[]], 1).unwrap();
        let outputs = model
            .forward_training(&images(3), &mut Random::new(0))
            .unwrap();
        let value = loss
            .forward(&outputs, &targets, &mut Random::new(1))
            .unwrap();
        let gradients = value.backward().unwrap();
        let mut numbers = vec![number(&value)];
        for parameter in model.parameters() {
            let gradient = gradients.get(&parameter).unwrap().flatten_all().unwrap();
            numbers.extend(gradient.to_vec1::<f32>().unwrap());
        }
        for found in model.detect(&images(3), 0.0, 0.5).unwrap().concat() {
            numbers.extend(found.corners);
            numbers.push(found.score);
        }
        numbers.into_iter().map(f32::to_bits).collect()
    })
}

#[test]
fn one_and_two_threads_give_the_same_bits() {
    assert!(bits(1) == bits(2));
}

#[test]
fn what_does_not_fit_is_named() {
    let wrong = |change: fn(&mut TwoStageDetectorConfig)| {
        let mut config = small();
        change(&mut config);
        TwoStageDetector::new(&config, 0).unwrap_err().to_string()
    };
    assert!(wrong(|config| config.pyramid.image = (60, 64)).contains("multiples"));
    assert!(wrong(|config| config.classes = 0).contains("classes"));
    assert!(wrong(|config| config.anchor_sizes.clear()).contains("anchor_sizes"));
    assert!(wrong(|config| config.aspect_ratios = vec![-1.0]).contains("aspect_ratios"));
    let model = TwoStageDetector::new(&small(), 0).unwrap();
    let one = images(1);
    assert!(model.detect(&one, f64::NAN, 0.5).is_err());
    assert!(model.detect(&one, 0.0, f64::NAN).is_err());
    assert!(model.detect(&one, 1.0, 0.5).unwrap()[0].is_empty());
    let loss = TwoStageDetectorLoss::new(&model).unwrap();
    let outputs = model.forward(&one).unwrap();
    let unknown = targets(&[&[Object::new([0.0, 0.0, 20.0, 20.0], 9)]], 1).unwrap();
    let failure = |outputs: &Tensor, targets: &Tensor| {
        let found = loss.forward(outputs, targets, &mut Random::new(0));
        found.unwrap_err().to_string()
    };
    assert!(failure(&outputs, &unknown).contains("below 5, found 9"));
    assert!(failure(&outputs.narrow(1, 0, 9).unwrap(), &unknown).contains("outputs"));
    let two = targets(&[&[], &[]], 1).unwrap();
    assert!(failure(&outputs, &two).contains("1 pictures, found 2"));
    let nan = (&one * f64::NAN).unwrap();
    let error = model.detect(&nan, 0.5, 0.5).unwrap_err().to_string();
    assert!(error.contains("NaN"), "{error}");
    let nothing = targets(&[&[]], 1).unwrap();
    let outputs = model.forward(&nan).unwrap();
    assert!(failure(&outputs, &nothing).contains("NaN"));
    assert!(model.proposals(&one).unwrap()[0].dim(0).unwrap() <= 32);
}
