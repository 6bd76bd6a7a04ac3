//! The detector learns scenes, and its parts fit each other.

use candle_core::{Device, Tensor, Var};

use super::{
    assign::{Answer, assign, cells},
    *,
};
use crate::{
    boxes::{Object, Role},
    data::{
        Loader,
        detection::{DetectionLoader, Scenes, targets},
    },
    metrics::MeanAveragePrecision,
    optim::AdamW,
    train::Training,
};

fn small() -> OneStageDetectorConfig {
    OneStageDetectorConfig {
        pyramid: FeaturePyramidConfig {
            image: (64, 64),
            stages: vec![8, 16, 24, 32],
            channels: 24,
        },
        head: 1,
        classes: 5,
    }
}

#[test]
fn an_object_is_given_to_cells_of_the_level_of_its_size() {
    let levels = small().levels().unwrap();
    let strides: Vec<usize> = levels.iter().map(|level| level.stride).collect();
    assert_eq!(strides, [4, 8, 16]);
    let cells = cells(&levels);
    assert_eq!(cells.len(), 16 * 16 + 8 * 8 + 4 * 4);
    for (corners, stride) in [
        ([10.0, 10.0, 22.0, 22.0], 4.0),
        ([-1.0, -1.0, 65.0, 65.0], 8.0),
    ] {
        let answers = assign(&cells, &[Object::new(corners, 3)]);
        let mut chosen = cells
            .iter()
            .zip(&answers)
            .filter_map(|(cell, answer)| (*answer == Answer::Object(3, corners)).then_some(cell));
        let first = chosen.next().unwrap();
        assert_eq!(first.stride, stride);
        assert!(chosen.all(|cell| cell.stride == stride));
    }
    // Of two objects around a cell the smaller is meant; an ignored one is nobody's business.
    let (large, small) = ([0.0, 0.0, 30.0, 30.0], [8.0, 8.0, 22.0, 22.0]);
    let mut objects = [Object::new(large, 0), Object::new(small, 1)];
    let count = |objects: &[Object], wanted: Answer| {
        let answers = assign(&cells, objects);
        answers.iter().filter(|answer| **answer == wanted).count()
    };
    assert!(count(&objects, Answer::Object(1, small)) > 0);
    objects[1].role = Role::Crowd;
    assert_eq!(count(&objects, Answer::Object(1, small)), 0);
    assert!(count(&objects[1..], Answer::Ignore) > 0);
}

#[test]
fn a_perfect_output_has_no_box_loss_and_gradients_reach_all_parameters() {
    let config = small();
    let model = OneStageDetector::new(&config, 1).unwrap();
    let images = Random::new(2).uniform((2, 64, 64, 3), 0.0, 1.0).unwrap();
    let objects = [Object::new([8.0, 8.0, 28.0, 28.0], 2)];
    let targets = targets(&[&objects, &[]], 3).unwrap();
    let loss = OneStageDetectorLoss::new(&config).unwrap();
    let outputs = model
        .forward_training(&images, &mut Random::new(0))
        .unwrap();
    let value = loss.forward(&outputs, &targets).unwrap();
    assert!(value.to_scalar::<f32>().unwrap() > 0.0);
    let gradients = value.backward().unwrap();
    for (name, parameter) in model.state() {
        if !name.contains(".running_") {
            assert!(gradients.get(&parameter).is_some(), "{name}");
        }
    }
    // An output that says exactly what is there.
    let cells = cells(&config.levels().unwrap());
    let mut said = Vec::new();
    for cell in &cells {
        let [object] = objects;
        let answer = assign(std::slice::from_ref(cell), &objects)[0];
        let sure = |class: usize| match answer {
            Answer::Object(wanted, _) if wanted == class => 20.0,
            _ => -20.0,
        };
        said.extend((0..5).map(sure));
        let distances = cell.distances(object.corners);
        said.extend(distances.map(|distance| (distance.max(0.01) / cell.stride).ln()));
        let central = cell.centerness(object.corners).clamp(1e-6, 1.0 - 1e-6);
        said.push((central / (1.0 - central)).ln());
    }
    let said = Tensor::from_vec(said, (1, cells.len(), 10), &Device::Cpu).unwrap();
    let said = Var::from_tensor(&said).unwrap();
    let one = targets.narrow(0, 0, 1).unwrap();
    let perfect = loss.forward(&said, &one).unwrap();
    let worse = loss
        .forward(&outputs.narrow(0, 0, 1).unwrap(), &one)
        .unwrap();
    let number = |tensor: &Tensor| tensor.to_scalar::<f32>().unwrap();
    // What is left is the entropy of the centralities.
    assert!(number(&perfect) < 0.7, "{}", number(&perfect));
    assert!(number(&worse) > 1.5, "{}", number(&worse));
}

#[test]
fn scenes_are_learned() {
    let scenes = Scenes::default()
        .size(64, 64)
        .sizes(12.0..=30.0)
        .count(1..=2);
    let set = scenes.clutter(false).draw(16, 1).unwrap();
    let config = small();
    let model = OneStageDetector::new(&config, 3).unwrap();
    let loss = OneStageDetectorLoss::new(&config).unwrap();
    let loader = DetectionLoader::new(&set, 8, 1).unwrap();
    let history = Training::new(Box::new(AdamW::new(model.parameters(), 0.004).unwrap()))
        .epochs(60)
        .clip_norm(10.0)
        .loss(move |outputs, targets| loss.forward(outputs, targets))
        .fit(&model, &loader, &loader)
        .unwrap();
    let losses: Vec<f64> = history.epochs.iter().map(|epoch| epoch.loss).collect();
    assert!(losses[59] < 0.6 * losses[0], "{losses:?}");
    let mut metric = MeanAveragePrecision::new(set.classes().len());
    let found = model
        .detect(&set.images(0..16).unwrap(), 0.05, 0.6)
        .unwrap();
    for (picture, found) in found.iter().enumerate() {
        metric.add(found, set.objects(picture)).unwrap();
    }
    let score = metric.score().unwrap();
    assert!(score.at_50 > 0.5, "{score:?}\n{losses:?}");
    assert_eq!(loader.steps(), 2);
}

#[test]
fn what_does_not_fit_is_named() {
    let wrong =
        |config: OneStageDetectorConfig| OneStageDetector::new(&config, 0).unwrap_err().to_string();
    let mut odd = small();
    odd.pyramid.image = (60, 64);
    assert!(wrong(odd).contains("multiples"));
    let mut short = small();
    short.pyramid.stages = vec![8, 8];
    assert!(wrong(short).contains("3 stages"));
    let nothing = OneStageDetectorConfig {
        classes: 0,
        ..small()
    };
    assert!(wrong(nothing).contains("classes"));
    let model = OneStageDetector::new(&small(), 0).unwrap();
    let images = Random::new(2).uniform((1, 64, 64, 3), 0.0, 1.0).unwrap();
    assert!(model.detect(&images, f64::NAN, 0.5).is_err());
    assert!(model.detect(&images, 0.9, 0.5).unwrap()[0].is_empty());
    let loss = OneStageDetectorLoss::new(&small()).unwrap();
    let outputs = model.forward(&images).unwrap();
    let unknown = targets(&[&[Object::new([0.0, 0.0, 20.0, 20.0], 9)]], 1).unwrap();
    let error = loss.forward(&outputs, &unknown).unwrap_err().to_string();
    assert!(error.contains("below 5, found 9"), "{error}");
    assert!(
        loss.forward(&outputs.narrow(1, 0, 9).unwrap(), &unknown)
            .is_err()
    );
    let nan = (images * f64::NAN).unwrap();
    assert!(model.detect(&nan, 0.5, 0.5).is_err());
}
