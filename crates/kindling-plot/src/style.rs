//! One look for all figures: size, colours and type.

use plotters::style::RGBColor;

/// The width of every figure, in CSS pixels.
pub(super) const WIDTH: f64 = 720.0;
/// The height of a figure with axes.
pub(super) const HEIGHT: f64 = 405.0;

/// The colours of series 1, 2, 3 …
///
/// Okabe and Ito's colour-blind safe hues, each moved to a lightness that stands out from white paper and from a dark
/// page alike (a contrast of at least 3 : 1 with both). The first four are the easiest to tell apart.
pub const PALETTE: [RGBColor; 6] = [
    RGBColor(0x0f, 0x82, 0xc8),
    RGBColor(0xe0, 0x6c, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xc5, 0x66, 0xa0),
    RGBColor(0x6f, 0x5b, 0xd0),
    RGBColor(0xa5, 0x8a, 0x00),
];

/// Text, axes and grid. The canvas writes it as `currentColor`, so that a page can set its own; alone, it is this grey,
/// which reads on white and on dark.
pub(super) const INK: RGBColor = RGBColor(0x7a, 0x7a, 0x7a);
/// Drawn around things that lie on a coloured ground.
pub(super) const WHITE: RGBColor = RGBColor(0xff, 0xff, 0xff);
/// The letters on a light ground.
pub(super) const BLACK: RGBColor = RGBColor(0x11, 0x18, 0x20);

/// How dark the lines of the grid are.
pub(super) const GRID: f64 = 0.25;
/// The width of the lines of a series.
pub(super) const LINE: f64 = 2.0;

/// Sizes of type, in CSS pixels.
pub(super) const TITLE_SIZE: f64 = 16.0;
pub(super) const LABEL_SIZE: f64 = 13.5;
pub(super) const TICK_SIZE: f64 = 12.5;

/// The colour of a series, by its number.
pub(super) fn color(series: usize) -> RGBColor {
    PALETTE[series % PALETTE.len()]
}

/// A colour for a share `0.0..=1.0`: from pale to deep blue, evenly in lightness.
pub(super) fn sequential(share: f64) -> RGBColor {
    ramp(
        &[(0xdc, 0xe9, 0xf5), (0x6b, 0xae, 0xd6), (0x0b, 0x4a, 0x8f)],
        share,
    )
}

/// A colour for a share `-1.0..=1.0`: orange below zero, near white at zero, blue above.
pub(super) fn diverging(share: f64) -> RGBColor {
    ramp(
        &[(0xb3, 0x55, 0x06), (0xf2, 0xf2, 0xf0), (0x0b, 0x4a, 0x8f)],
        (share + 1.0) / 2.0,
    )
}

/// Black or white, whichever reads better on `ground`.
pub(super) fn letters_on(ground: RGBColor) -> RGBColor {
    let RGBColor(red, green, blue) = ground;
    let brightness = 0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue);
    if brightness > 140.0 { BLACK } else { WHITE }
}

fn ramp(stops: &[(u8, u8, u8); 3], share: f64) -> RGBColor {
    let place = share.clamp(0.0, 1.0) * 2.0;
    let (from, to) = if place < 1.0 {
        (stops[0], stops[1])
    } else {
        (stops[1], stops[2])
    };
    let part = if place < 1.0 { place } else { place - 1.0 };
    let mix = |from: u8, to: u8| {
        (f64::from(from) + (f64::from(to) - f64::from(from)) * part).round() as u8
    };
    RGBColor(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}
