//! The controller's colour, so used that everything stays readable (WCAG 2.2, 1.4.3 and 1.4.11).
//!
//! Invariants: text on the colour is black or white, whichever contrasts more, and that is always 4.5 to 1 or more;
//! text in the colour is darkened (lightened on the dark scheme) until it contrasts 4.5 to 1 with every surface of
//! public.css. Only six hexadecimal digits ever reach a style sheet.

#[cfg(test)]
mod tests;

/// WCAG 2.2, 1.4.3 (AA).
const CONTRAST_MIN: f64 = 4.5;
/// Steps from a colour to black or white.
const STEPS: u8 = 20;
/// The surfaces of public.css on which text in the colour may stand.
const LIGHT_SURFACES: [Accent; 3] = [Accent(0xf6, 0xf7, 0xf8), Accent(0xff, 0xff, 0xff), Accent(0xee, 0xf4, 0xf7)];
const DARK_SURFACES: [Accent; 3] = [Accent(0x12, 0x16, 0x1b), Accent(0x1b, 0x21, 0x28), Accent(0x22, 0x2b, 0x34)];

const BLACK: Accent = Accent(0, 0, 0);
const WHITE: Accent = Accent(0xff, 0xff, 0xff);

/// A colour in sRGB.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Accent(u8, u8, u8);

impl Accent {
    /// From `#1a2b3c`, with or without the sign.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').unwrap_or(text);
        if digits.len() != 6 || !digits.bytes().all(|octet| octet.is_ascii_hexdigit()) {
            return None;
        }
        let part = |from: usize| u8::from_str_radix(digits.get(from..from + 2)?, 16).ok();
        Some(Self(part(0)?, part(2)?, part(4)?))
    }

    /// Six hexadecimal digits without the sign, as in the path of [`style_path`](Self::style_path).
    #[must_use]
    pub fn hex(self) -> String {
        format!("{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }

    /// Where the pages look for this colour's style sheet: `/accent/1a2b3c.css`.
    #[must_use]
    pub fn style_path(self) -> String {
        format!("/accent/{}.css", self.hex())
    }

    /// The style sheet that belongs at [`style_path`](Self::style_path). The page's policy forbids styles inside the
    /// page, so the colour comes this way.
    #[must_use]
    pub fn style(self) -> String {
        let brand = self.hex();
        let on_brand = self.text_on().hex();
        let light = self.readable_on(&LIGHT_SURFACES, BLACK).hex();
        let dark = self.readable_on(&DARK_SURFACES, WHITE).hex();
        format!(
            ":root{{--brand:#{brand};--on-brand:#{on_brand};--accent:#{light}}}\n\
             @media (prefers-color-scheme:dark){{:root{{--accent:#{dark}}}}}\n"
        )
    }

    /// Black or white, whichever can be read better on this colour.
    fn text_on(self) -> Self {
        if self.contrast(WHITE) >= self.contrast(BLACK) { WHITE } else { BLACK }
    }

    /// This colour, mixed with black or white as far as it must be.
    fn readable_on(self, surfaces: &[Self], towards: Self) -> Self {
        let readable = |colour: &Self| surfaces.iter().all(|surface| colour.contrast(*surface) >= CONTRAST_MIN);
        (0..=STEPS).map(|step| self.mixed(towards, step)).find(readable).unwrap_or(towards)
    }

    fn mixed(self, other: Self, step: u8) -> Self {
        let mix = |own: u8, far: u8| {
            let sum = u16::from(own) * u16::from(STEPS - step) + u16::from(far) * u16::from(step);
            u8::try_from(sum / u16::from(STEPS)).unwrap_or(far)
        };
        Self(mix(self.0, other.0), mix(self.1, other.1), mix(self.2, other.2))
    }

    /// The contrast ratio of WCAG 2.2, from 1 to 21.
    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// The relative luminance of WCAG 2.2.
    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2)
    }
}
