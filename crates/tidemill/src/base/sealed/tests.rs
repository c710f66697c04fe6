//! A sealed file is opened whole or not at all.

use super::*;

#[test]
fn what_was_sealed_is_opened_and_every_damage_is_noticed() {
    let file = seal(*b"TEST", 3, b"body");
    assert_eq!(open(*b"TEST", "f", &file).unwrap(), (3, b"body".as_slice()));
    assert!(open(*b"ELSE", "f", &file).is_err());
    for length in 0..file.len() {
        assert!(open(*b"TEST", "f", &file[..length]).is_err(), "cut to {length} bytes");
    }
    for at in (0..file.len()).filter(|at| *at != 4) {
        let mut flipped = file.clone();
        flipped[at] ^= 1;
        let error = open(*b"TEST", "f", &flipped).unwrap_err();
        assert!(error.to_string().contains("\"f\" is damaged"), "byte {at}: {error}");
    }
}
