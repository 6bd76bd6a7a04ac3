//! What passed before, and need not run again while nothing that it depends on has changed.
//!
//! A proof is a file under the target folder, named by the key of what passed. What failed or was skipped leaves none.

use super::skips::Skip;
use anyhow::{Context, Result};
use kindling_pages::write_whole;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// A proof that nobody asked for so long is removed.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// What is known of a unit that passed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proof {
    /// The unit, for a person who looks.
    pub unit: String,
    /// How many of its tests passed.
    pub passed: usize,
    /// The tests that are ignored at each run: they did not run then, and do not now.
    pub ignored: Vec<Skip>,
}

/// The folder of proofs.
pub struct Proofs {
    folder: PathBuf,
}

impl Proofs {
    /// The proofs in this folder; it need not exist.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The proof for this key, if there is a sound one.
    pub fn find(&self, unit: &str, key: &str) -> Option<Proof> {
        let file = self.folder.join(key);
        let value: Value = serde_json::from_slice(&std::fs::read(&file).ok()?).ok()?;
        if value["unit"] != unit {
            return None;
        }
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let ignored = value["ignored"].as_array()?.iter().map(|skip| {
            Some(Skip {
                package: text(&skip[0])?,
                program: String::new(),
                test: text(&skip[1])?,
                reason: text(&skip[2])?,
            })
        });
        let proof = Proof {
            unit: unit.to_owned(),
            passed: usize::try_from(value["passed"].as_u64()?).ok()?,
            ignored: ignored.collect::<Option<_>>()?,
        };
        // Its time says when it was last of use.
        let touched = std::fs::File::options().append(true).open(&file);
        let _ = touched.and_then(|file| file.set_modified(SystemTime::now()));
        Some(proof)
    }

    /// Keeps a proof; half a file never gets its name.
    pub fn keep(&self, key: &str, proof: &Proof) -> Result<()> {
        let ignored: Vec<Value> = proof
            .ignored
            .iter()
            .map(|skip| json!([skip.package, skip.test, skip.reason]))
            .collect();
        let text = json!({"unit": proof.unit, "passed": proof.passed, "ignored": ignored});
        write_whole(&self.folder.join(key), &text.to_string())
            .with_context(|| format!("cannot write into {}", self.folder.display()))?;
        Ok(())
    }

    /// Removes what was of no use for a month.
    pub fn tidy(&self) {
        for entry in std::fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .flatten()
        {
            let modified = entry.metadata().and_then(|data| data.modified());
            let age = modified.ok().and_then(|time| time.elapsed().ok());
            if age.is_some_and(|age| age > KEPT) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_found_by_its_key_and_a_damaged_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let proofs = Proofs::at(folder.path().join("passed"));
        let proof = Proof {
            unit: "crates kindling".to_owned(),
            passed: 3,
            ignored: vec![Skip {
                package: "kindling".to_owned(),
                program: String::new(),
                test: "slow".to_owned(),
                reason: "a measurement".to_owned(),
            }],
        };
        assert_eq!(proofs.find(&proof.unit, "k"), None);
        proofs.keep("k", &proof).unwrap();
        assert_eq!(proofs.find(&proof.unit, "k"), Some(proof.clone()));
        assert_eq!(proofs.find(&proof.unit, "other"), None);
        assert_eq!(proofs.find("crates another", "k"), None);
        let file = folder.path().join("passed/k");
        let whole = std::fs::read_to_string(&file).unwrap();
        for damaged in ["", "{}", &whole[..whole.len() / 2]] {
            std::fs::write(&file, damaged).unwrap();
            assert_eq!(proofs.find(&proof.unit, "k"), None, "{damaged}");
        }
        proofs.tidy();
        assert!(file.exists());
        let old = SystemTime::now() - 2 * KEPT;
        std::fs::File::options()
            .append(true)
            .open(&file)
            .unwrap()
            .set_modified(old)
            .unwrap();
        proofs.tidy();
        assert!(!file.exists());
    }
}
