//! Whatever happens to a file is noticed, and nothing of it is believed.

use super::*;
use proptest::prelude::*;

type Body = Vec<(u64, String)>;

fn example() -> Body {
    vec![(7, "seven".into()), (u64::MAX, String::new())]
}

#[test]
fn what_was_sealed_is_read_again() {
    let bytes = seal(Kind::State, &example()).unwrap();
    assert_eq!(unseal::<Body>(Kind::State, &bytes), Ok(example()));
    assert_eq!(unseal::<Body>(Kind::Log, &bytes), Err(Unreadable::Damaged("it is a file of another kind")));
}

#[test]
fn every_truncation_and_every_flipped_bit_is_noticed() {
    let bytes = seal(Kind::Log, &example()).unwrap();
    for length in 0..bytes.len() {
        assert!(matches!(unseal::<Body>(Kind::Log, &bytes[..length]), Err(Unreadable::Damaged(_))), "{length}");
    }
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let found = unseal::<Body>(Kind::Log, &flipped);
        let expected = if bit < 64 {
            matches!(found, Err(Unreadable::Foreign))
        } else {
            matches!(found, Err(Unreadable::Damaged(_)))
        };
        assert!(expected, "bit {bit}: {found:?}");
    }
    let longer = [bytes.as_slice(), b"x"].concat();
    assert_eq!(unseal::<Body>(Kind::Log, &longer), Err(Unreadable::Damaged("it is longer than it says")));
}

#[test]
fn a_newer_version_and_another_program_are_told_from_damage() {
    let newer = sealed(VERSION + 1, Kind::Log, &"of a shape that is not known").unwrap();
    assert_eq!(unseal::<Body>(Kind::Log, &newer), Err(Unreadable::Newer(VERSION + 1)));
    assert_eq!(unseal::<Body>(Kind::Log, b"PAR1 and so on, and so on, and more"), Err(Unreadable::Foreign));
    let text = Unreadable::Newer(2).to_string();
    assert!(text.contains("newer tidemill"), "{text}");
}

#[test]
fn a_whole_file_whose_content_lies_about_its_length_is_refused() {
    // A vector that claims 2^60 elements.
    let mut claim = postcard::to_stdvec(&(1_u64 << 60)).unwrap();
    claim.push(1);
    struct Raw(Vec<u8>);
    impl Serialize for Raw {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeTuple;
            let mut tuple = serializer.serialize_tuple(self.0.len())?;
            self.0.iter().try_for_each(|byte| tuple.serialize_element(byte))?;
            tuple.end()
        }
    }
    let bytes = seal(Kind::Log, &Raw(claim)).unwrap();
    assert!(matches!(unseal::<Body>(Kind::Log, &bytes), Err(Unreadable::Damaged(_))));
    assert!(matches!(unseal::<Vec<Vec<u8>>>(Kind::Log, &bytes), Err(Unreadable::Damaged(_))));
    assert!(matches!(unseal::<serde_bytes::ByteBuf>(Kind::Log, &bytes), Err(Unreadable::Damaged(_))));
}

proptest! {
    #[test]
    fn any_bytes_are_taken_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = unseal::<Body>(Kind::Log, &bytes);
        let mut behind_a_header = seal(Kind::Log, &example()).unwrap();
        behind_a_header.truncate(HEADER_BYTES);
        behind_a_header.extend(&bytes);
        prop_assert!(bytes.is_empty() || unseal::<Body>(Kind::Log, &behind_a_header).is_err() || bytes == seal(Kind::Log, &example()).unwrap()[HEADER_BYTES..]);
    }
}
