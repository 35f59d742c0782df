//! Chance from a seed: the same seed and place always give the same value, whatever came before.

use fastrand::Rng;

/// A generator of its own for one place (a kind of thing and its index).
pub(super) fn at(seed: u64, kind: &str, index: usize) -> Rng {
    let mut hash = seed ^ 0x9E37_79B9_7F4A_7C15;
    for byte in kind.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    }
    Rng::with_seed((hash ^ index as u64).wrapping_mul(0xBF58_476D_1CE4_E5B9))
}

/// 24 hexadecimal digits, as HighLevel's object, record, association and relation ids.
pub(super) fn hex_id(rng: &mut Rng) -> String {
    format!("{:08x}{:016x}", rng.u32(..) | 0x4000_0000, rng.u64(..))
}

/// 20 letters and digits, as HighLevel's contact and user ids.
pub(super) fn alphanumeric_id(rng: &mut Rng) -> String {
    (0..20).map(|_| rng.alphanumeric()).collect()
}

/// A random UUID.
pub(super) fn uuid() -> String {
    let [high, low] = [fastrand::u64(..), fastrand::u64(..)];
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xFFFF,
        high & 0x0FFF,
        0x8000 | (low >> 48 & 0x3FFF),
        low & 0xFFFF_FFFF_FFFF
    )
}
