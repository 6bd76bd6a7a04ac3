//! Which vector instructions the loops use: the widest that the processor has, or narrower ones for a measurement.

use std::sync::OnceLock;

use pulp::Arch;

/// Names the widest instructions to use, `avx2` or `scalar`: what an older processor would do, on a newer one.
pub const SIMD: &str = "KINDLING_SIMD";

/// The instructions of this process.
///
/// Every loop that `pulp` compiles more than once chooses by this. Products that Candle computes choose for themselves.
#[must_use]
pub fn arch() -> Arch {
    static CHOSEN: OnceLock<Arch> = OnceLock::new();
    *CHOSEN.get_or_init(|| {
        let Some(wanted) = std::env::var_os(SIMD) else {
            return Arch::new();
        };
        narrower(&wanted.to_string_lossy()).unwrap_or_else(|problem| {
            eprintln!("{SIMD}: {problem}; the widest instructions of this processor are used");
            Arch::new()
        })
    })
}

/// The instructions of this name.
fn narrower(name: &str) -> Result<Arch, String> {
    match name {
        "scalar" => Ok(Arch::Scalar),
        "avx2" => avx2().ok_or_else(|| "this processor has no avx2".to_owned()),
        other => Err(format!("expected avx2 or scalar, found {other:?}")),
    }
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn avx2() -> Option<Arch> {
    pulp::x86::V3::try_new().map(Arch::V3)
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
fn avx2() -> Option<Arch> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_or_said_to_be_unknown() {
        assert!(matches!(narrower("scalar"), Ok(Arch::Scalar)));
        let problem = narrower("sse").unwrap_err();
        assert_eq!(problem, "expected avx2 or scalar, found \"sse\"");
        #[cfg(target_arch = "x86_64")]
        if let Ok(arch) = narrower("avx2") {
            assert!(matches!(arch, Arch::V3(_)));
        }
    }
}
