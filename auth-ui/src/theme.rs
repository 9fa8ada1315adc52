//! The look: name, logo, and the colours that follow from one accent colour.

use std::fmt;

use minijinja::{Value, context};

/// Normal text needs this contrast (WCAG 2.2, 1.4.3).
const TEXT: f64 = 4.5;
/// The boundary of a control needs this one (WCAG 2.2, 1.4.11).
const BOUNDARY: f64 = 3.0;

const WHITE: Rgb = Rgb(255, 255, 255);
const BLACK: Rgb = Rgb(0, 0, 0);

/// The accent of a provider that sets none.
pub(crate) const DEFAULT_ACCENT: Rgb = Rgb(0x34, 0x55, 0xd1);

/// A colour in sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rgb(u8, u8, u8);

impl Rgb {
    /// Reads `#rgb` or `#rrggbb`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?;
        // Signs are digits to `from_str_radix`, and slicing needs ASCII.
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let part = |range| u8::from_str_radix(digits.get(range)?, 16).ok();
        match digits.len() {
            3 => Some(Self(part(0..1)? * 17, part(1..2)? * 17, part(2..3)? * 17)),
            6 => Some(Self(part(0..2)?, part(2..4)?, part(4..6)?)),
            _ => None,
        }
    }

    /// WCAG's relative luminance.
    fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2)
    }

    /// WCAG's contrast ratio, from 1 to 21.
    pub(crate) fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// Whether it has hardly any colour.
    fn is_grey(self) -> bool {
        let channels = [self.0, self.1, self.2];
        channels.iter().all(|&one| channels.iter().all(|&other| one.abs_diff(other) < 24))
    }

    /// This colour with `percent` of another one.
    fn mix(self, other: Self, percent: u16) -> Self {
        let channel = |a: u8, b: u8| {
            let mixed = (u16::from(a) * (100 - percent) + u16::from(b) * percent + 50) / 100;
            u8::try_from(mixed).unwrap_or(u8::MAX)
        };
        Self(channel(self.0, other.0), channel(self.1, other.1), channel(self.2, other.2))
    }

    /// The nearest mixture with `ink` that `enough` accepts.
    fn towards(self, ink: Self, enough: impl Fn(Self) -> bool) -> Self {
        (0..=50).map(|step| self.mix(ink, step * 2)).find(|&colour| enough(colour)).unwrap_or(ink)
    }
}

impl fmt::Display for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

/// The colours of one scheme, light or dark, that depend on the accent or are needed to derive those.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scheme {
    /// Behind the card.
    pub(crate) page: Rgb,
    /// The card.
    pub(crate) surface: Rgb,
    /// The main button.
    pub(crate) accent: Rgb,
    /// The main button under the pointer.
    pub(crate) accent_over: Rgb,
    /// The edge of the main button, which keeps it visible whatever the accent.
    pub(crate) accent_edge: Rgb,
    /// Text on the main button.
    pub(crate) on_accent: Rgb,
    /// Text, symbols and focus rings in the accent colour.
    pub(crate) accent_text: Rgb,
    /// A tint behind text in the accent colour.
    pub(crate) accent_soft: Rgb,
}

impl Scheme {
    pub(crate) fn light(accent: Rgb) -> Self {
        Self::derive(accent, Rgb(0xf3, 0xf4, 0xf7), WHITE, BLACK)
    }

    pub(crate) fn dark(accent: Rgb) -> Self {
        let surface = Rgb(0x1a, 0x1d, 0x24);
        // A fill as dark as the card would make the main button look like the lesser one, and a
        // dark grey made lighter looks disabled: black turns white.
        let visible = |colour: Rgb| colour.contrast(surface) >= BOUNDARY;
        let accent = if accent.is_grey() && !visible(accent) {
            Rgb(0xec, 0xee, 0xf2)
        } else {
            accent.towards(WHITE, visible)
        };
        Self::derive(accent, Rgb(0x0f, 0x11, 0x16), surface, WHITE)
    }

    fn derive(accent: Rgb, page: Rgb, surface: Rgb, ink: Rgb) -> Self {
        // One of the two always reaches 4.5; white wins if both do, for it looks calmer on colour.
        let on_accent = if accent.contrast(WHITE) >= TEXT { WHITE } else { BLACK };
        let away = if on_accent == WHITE { BLACK } else { WHITE };
        let soft = |colour: Rgb| surface.mix(colour, 11);
        let accent_text = accent.towards(ink, |colour| {
            [page, surface, soft(colour)].iter().all(|&behind| colour.contrast(behind) >= TEXT)
        });
        Self {
            page,
            surface,
            accent,
            accent_over: accent.mix(away, 12),
            accent_edge: accent.towards(ink, |colour| colour.contrast(surface) >= BOUNDARY),
            on_accent,
            accent_text,
            accent_soft: soft(accent_text),
        }
    }

    fn value(self) -> Value {
        context! {
            page => self.page.to_string(),
            surface => self.surface.to_string(),
            accent => self.accent.to_string(),
            accent_over => self.accent_over.to_string(),
            accent_edge => self.accent_edge.to_string(),
            on_accent => self.on_accent.to_string(),
            accent_text => self.accent_text.to_string(),
            accent_soft => self.accent_soft.to_string(),
        }
    }
}

/// What the builder was told about the look.
#[derive(Debug, Clone)]
pub(crate) struct Theme {
    pub(crate) product: Option<String>,
    pub(crate) logo: Option<String>,
    pub(crate) accent: Rgb,
}

impl Theme {
    /// `theme` of the templates.
    pub(crate) fn value(&self) -> Value {
        context! {
            product => &self.product,
            logo => &self.logo,
            light => Scheme::light(self.accent).value(),
            dark => Scheme::dark(self.accent).value(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The colour that the style sheet gives a variable in the light and in the dark scheme.
    fn neutral(name: &str) -> [Rgb; 2] {
        let style = include_str!("../templates/style.css");
        let mut found = style.lines().filter_map(|line| {
            let value = line.trim().strip_prefix(name)?.strip_prefix(": ")?;
            Rgb::parse(value.trim_end_matches(';'))
        });
        let pair = [found.next().expect("light"), found.next().expect("dark")];
        assert_eq!(found.next(), None, "{name} is set more than twice");
        pair
    }

    #[test]
    fn colours_are_read() {
        assert_eq!(Rgb::parse("#0af"), Some(Rgb(0, 0xaa, 0xff)));
        assert_eq!(Rgb::parse("#3455D1"), Some(Rgb(0x34, 0x55, 0xd1)));
        for wrong in ["", "#", "3455d1", "#3455d", "#+1+2+3", "#é00", "red", "#12345678"] {
            assert_eq!(Rgb::parse(wrong), None, "{wrong}");
        }
        assert!((BLACK.contrast(WHITE) - 21.0).abs() < 1e-9);
    }

    #[test]
    fn whatever_the_accent_its_colours_have_contrast() {
        let steps = [0, 51, 102, 153, 204, 255];
        let step = |index: usize| steps[index % steps.len()];
        for index in 0..216 {
            let (r, g, b) = (step(index), step(index / 6), step(index / 36));
            for scheme in [Scheme::light(Rgb(r, g, b)), Scheme::dark(Rgb(r, g, b))] {
                let least = |ratio: f64, a: Rgb, b: Rgb, what: &str| {
                    assert!(a.contrast(b) >= ratio, "{what}: {} in {scheme:?}", a.contrast(b));
                };
                least(TEXT, scheme.on_accent, scheme.accent, "button");
                least(TEXT, scheme.on_accent, scheme.accent_over, "button under the pointer");
                least(TEXT, scheme.accent_text, scheme.surface, "on the card");
                least(TEXT, scheme.accent_text, scheme.page, "on the page");
                least(TEXT, scheme.accent_text, scheme.accent_soft, "on the tint");
                least(BOUNDARY, scheme.accent_edge, scheme.surface, "edge");
            }
        }
    }

    #[test]
    fn the_neutral_colours_have_contrast() {
        let schemes = [Scheme::light(DEFAULT_ACCENT), Scheme::dark(DEFAULT_ACCENT)];
        for (index, scheme) in schemes.iter().enumerate() {
            let colour = |name| neutral(name)[index];
            for text in ["--text", "--muted"] {
                for behind in [scheme.page, scheme.surface, colour("--field")] {
                    let ratio = colour(text).contrast(behind);
                    assert!(ratio >= TEXT, "{text} on {behind}: {ratio}");
                }
            }
            let alert = colour("--danger").contrast(colour("--danger-soft"));
            assert!(alert >= TEXT, "alert: {alert}");
            for behind in [scheme.surface, colour("--field")] {
                for line in ["--field-line", "--danger"] {
                    let ratio = colour(line).contrast(behind);
                    assert!(ratio >= BOUNDARY, "{line} on {behind}: {ratio}");
                }
            }
        }
    }
}
