//! Plain loops, compiled for the vectors that the processor at hand has.

/// Defines a function whose loops the compiler turns into the widest vector instructions that this processor knows.
///
/// Rust compiles for the oldest processor of a family unless told otherwise. `pulp` compiles such a function once for each generation
/// and chooses when it is called.
macro_rules! vectorized {
    ($(#[$attribute:meta])* $visibility:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$attribute])*
        #[allow(clippy::too_many_arguments)]
        $visibility fn $name($($argument: $type),*) {
            struct Loops<A>(A);
            impl ::pulp::WithSimd for Loops<($($type,)*)> {
                type Output = ();

                #[inline(always)]
                fn with_simd<S: ::pulp::Simd>(self, _: S) {
                    let ($($argument,)*) = self.0;
                    $body
                }
            }
            $crate::arch().dispatch(Loops(($($argument,)*)));
        }
    };
}

pub(crate) use vectorized;
