//! Every cut and every changed byte is noticed.

use super::*;

const KIND: Envelope = Envelope { magic: *b"TEST", version: 3 };

#[test]
fn what_is_closed_is_opened_and_nothing_else_is() {
    for content in [&b""[..], b"x", &[7; 1_000]] {
        let file = KIND.close(content);
        assert_eq!(KIND.open(&file).unwrap(), content);
        for cut in 0..file.len() {
            assert!(KIND.open(&file[..cut]).is_err(), "cut at {cut}");
        }
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(KIND.open(&changed).is_err(), "changed at {at}");
        }
    }
    let later = Envelope { version: 4, ..KIND }.close(b"x");
    assert!(KIND.open(&later).unwrap_err().to_string().contains("version 4"));
}
