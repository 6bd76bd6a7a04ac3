//! The toolchain that a kernel sees: the reader's own, whose cargo compiles a cell where evcxr asks it to check one.
//!
//! Where evcxr cannot tell a variable's type, as in a cell with a mistake or half a cell, it runs `cargo check`. Cargo keeps
//! what is checked apart from what is compiled, so the first mistake in each kernel would have Candle and all other crates
//! checked, for minutes. `cargo build` finds the same mistakes, with the crates that are there.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Says `build` for `check` to the cargo beside it, which finds its own place through the link.
#[cfg(unix)]
const CARGO: &str = r#"#!/bin/sh
for argument; do
  shift
  [ "$argument" != check ] || argument=build
  set -- "$@" "$argument"
done
exec "${0%/*}/kindling-cargo" "$@"
"#;

/// The toolchain that a kernel is to see: made in `folder`, of links to the `real` one.
#[cfg(unix)]
pub(crate) fn seen(folder: &Path, real: &Path) -> Result<PathBuf> {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let make = || -> std::io::Result<()> {
        let programs = folder.join("bin");
        std::fs::create_dir_all(&programs)?;
        for entry in std::fs::read_dir(real)? {
            let name = entry?.file_name();
            if name != "bin" {
                symlink(real.join(&name), folder.join(&name))?;
            }
        }
        for entry in std::fs::read_dir(real.join("bin"))? {
            let name = entry?.file_name();
            let own = if name == "cargo" {
                "kindling-cargo".into()
            } else {
                name.clone()
            };
            symlink(real.join("bin").join(&name), programs.join(own))?;
        }
        let cargo = programs.join("cargo");
        std::fs::write(&cargo, CARGO)?;
        std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755))
    };
    make().with_context(|| format!("cannot write {}", folder.display()))?;
    Ok(folder.to_owned())
}

/// The real one, where no script can stand for a program.
#[cfg(not(unix))]
pub(crate) fn seen(_folder: &Path, real: &Path) -> Result<PathBuf> {
    Ok(real.to_owned())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_check_becomes_a_build_and_all_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("a real one");
        std::fs::create_dir_all(real.join("bin")).unwrap();
        std::fs::create_dir_all(real.join("lib")).unwrap();
        for name in ["cargo", "rustc"] {
            let program = real.join("bin").join(name);
            std::fs::write(&program, "#!/bin/sh\nfor one; do echo \"<$one>\"; done\n").unwrap();
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(&program, mode).unwrap();
        }
        let own = folder.path().join("own");
        assert_eq!(seen(&own, &real).unwrap(), own);
        assert!(own.join("lib").is_dir());
        let said = |name: &str, arguments: &[&str]| {
            let mut command = std::process::Command::new(own.join("bin").join(name));
            let output = command.args(arguments).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        assert_eq!(
            said(
                "cargo",
                &["--offline", "check", "a b", "--message-format=json"]
            ),
            "<--offline>\n<build>\n<a b>\n<--message-format=json>\n"
        );
        assert_eq!(said("cargo", &["build"]), "<build>\n");
        assert_eq!(said("rustc", &["check"]), "<check>\n");
    }
}
