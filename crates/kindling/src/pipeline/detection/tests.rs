//! A detector in a file finds the same as before, and wrong files are told apart.

use std::fs;

use super::*;
use crate::{
    boxes::Object,
    data::{Random, detection::Scenes},
    models::{FeaturePyramidConfig, Mlp, MlpConfig, OneStageDetectorConfig},
    train::save_weights,
};

fn architecture() -> DetectorArchitecture {
    DetectorArchitecture::OneStage(OneStageDetectorConfig {
        pyramid: FeaturePyramidConfig {
            image: (64, 64),
            stages: vec![8, 8, 8, 8],
            channels: 8,
        },
        head: 1,
        classes: 2,
    })
}

fn names() -> Vec<String> {
    vec!["disc".to_owned(), "star".to_owned()]
}

/// Random weights say next to nothing, so the threshold is low.
fn pipeline() -> DetectionPipeline {
    let pipeline = DetectionPipeline::new(architecture(), names(), 3).unwrap();
    pipeline.threshold(0.01).unwrap()
}

fn picture(width: u32, height: u32) -> RgbImage {
    let mut random = Random::new(5);
    let bytes = (0..width * height * 3).map(|_| random.below(256) as u8);
    RgbImage::from_raw(width, height, bytes.collect()).unwrap()
}

/// What was found in 30 pictures in which everything is a disc.
fn counting() -> Counting {
    let corners = [0.0, 0.0, 9.0, 9.0];
    let found = |score| Detection {
        corners,
        class: 0,
        score,
    };
    let pictures = vec![(vec![found(0.9), found(0.2)], vec![Object::new(corners, 0)]); 30];
    Counting::fit(2, &pictures, 0.9).unwrap()
}

#[test]
fn boxes_are_in_the_pixels_of_the_picture() {
    let (wide, high) = (200, 100);
    let found = pipeline().detect_in(&picture(wide, high), "noise").unwrap();
    assert!(!found.found().is_empty());
    for found in found.found() {
        let [x1, y1, x2, y2] = found.corners;
        assert!(0.0 <= x1 && x1 < x2 && x2 <= wide as f32, "{found:?}");
        assert!(0.0 <= y1 && y1 < y2 && y2 <= high as f32, "{found:?}");
    }
    let farthest = found.found().iter().map(|found| found.corners[2]);
    assert!(
        farthest.fold(0.0, f32::max) > 100.0,
        "boxes of the sheet's size"
    );
    assert!(found.plot().unwrap().svg().contains("disc"));
    assert_eq!(found.drawn().dimensions(), (wide, high));
    assert!(found.counts().is_empty() && found.json().get("counts").is_none());
}

#[test]
fn a_file_of_weights_gives_the_same_detector_with_its_counting() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("detector.safetensors");
    let before = pipeline().counting(counting()).unwrap();
    before.save(&file, &[("score", "none")]).unwrap();
    let after = DetectionPipeline::open(&file).unwrap();
    let after = after.threshold(0.01).unwrap();
    let seen = picture(70, 64);
    let [before, after] = [before, after].map(|pipeline| pipeline.detect_in(&seen, "a").unwrap());
    assert_eq!(before.found(), after.found());
    assert_eq!(after.counts().len(), 2);
    for (before, after) in before.counts().iter().zip(after.counts()) {
        // Numbers in JSON may lose their last bit.
        assert!((before.expected - after.expected).abs() < 1e-9);
        assert_eq!(
            (before.at_least, before.at_most),
            (after.at_least, after.at_most)
        );
    }
    assert_eq!(after.json()["coverage"], 0.9);
    assert_eq!(after.counts_in_words().len(), 2);
}

#[test]
fn results_are_written_as_a_picture_and_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.detected.png");
    let found = pipeline().counting(counting()).unwrap();
    let found = found.detect_in(&picture(80, 60), "a.png").unwrap();
    let beside = found.save(&file).unwrap();
    assert_eq!(beside, folder.path().join("a.detected.json"));
    assert_eq!(image::open(&file).unwrap().to_rgb8(), found.drawn());
    let json: serde_json::Value = serde_json::from_slice(&fs::read(beside).unwrap()).unwrap();
    assert_eq!(
        json["objects"].as_array().unwrap().len(),
        found.found().len()
    );
    assert_eq!(
        (json["width"].as_u64(), json["picture"].as_str()),
        (Some(80), Some("a.png"))
    );
    let first = &json["objects"][0];
    assert!(first["probability"].is_f64() && first["corners"].as_array().unwrap().len() == 4);
    assert!(found.save(folder.path().join("nowhere/a.png")).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn without_a_threshold_boxes_are_shown_that_are_more_likely_right_than_wrong() {
    let pipeline = DetectionPipeline::new(architecture(), names(), 3).unwrap();
    assert_eq!(pipeline.thresholds(), [PLAIN_THRESHOLD; 2]);
    let pipeline = pipeline.counting(counting()).unwrap();
    let [first, second] = pipeline.thresholds()[..] else {
        panic!("two classes");
    };
    assert!(0.2 < first && first < 0.9);
    assert!((second - 0.5).abs() < 1e-9); // nothing is known of it
    assert!(pipeline.threshold(1.5).is_err());
}

#[test]
fn wrong_files_of_weights_are_one_clear_error_each() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weights.safetensors");
    let problem = || DetectionPipeline::open(&file).unwrap_err().to_string();
    assert!(problem().contains("weights.safetensors"));
    let mlp = Mlp::new(&MlpConfig::default(), 0).unwrap();
    save_weights(&mlp, &file, &[("recipe", "mnist-mlp")]).unwrap();
    assert!(
        problem().contains("found those of mnist-mlp"),
        "{}",
        problem()
    );
    pipeline().save(&file, &[]).unwrap();
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    assert!(problem().contains("weights.safetensors"), "{}", problem());
    // Weights of other sizes than the file says.
    let sizes = serde_json::to_string(&architecture()).unwrap();
    let classes = serde_json::to_string(&names()).unwrap();
    let details = [("sizes", sizes.as_str()), ("classes", &classes)];
    save_weights(&mlp, &file, &details).unwrap();
    assert!(problem().contains("weights.safetensors"), "{}", problem());
    let few = DetectionPipeline::new(architecture(), vec!["disc".to_owned()], 0);
    assert!(few.unwrap_err().to_string().contains("expected 2 names"));
    let of_other = Counting::fit(1, &[(Vec::new(), Vec::new())], 0.9).unwrap();
    assert!(pipeline().counting(of_other).is_err());
}

#[test]
fn a_picture_of_the_sheets_size_is_seen_as_the_detector_was_trained_on_it() {
    let scenes = Scenes::default().size(64, 64).sizes(12.0..=30.0);
    let set = scenes.draw(1, 4).unwrap();
    let images = set.images(0..1).unwrap(); // (1, 64, 64, 3)
    let pixels = images.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let bytes = pixels
        .into_iter()
        .map(|brightness| (255.0 * brightness).round() as u8);
    let seen = RgbImage::from_raw(64, 64, bytes.collect()).unwrap();
    let pipeline = pipeline();
    let direct = pipeline
        .network()
        .detect(&images, 0.01, LARGEST_OVERLAP)
        .unwrap();
    let found = pipeline.detect_in(&seen, "scene").unwrap();
    assert_eq!(found.found(), direct[0]);
}
