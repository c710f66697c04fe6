//! Text against `str`.

use super::*;

#[test]
fn a_text_is_three_words() {
    assert_eq!(size_of::<Text>(), 24);
    assert_eq!(size_of::<Option<Text>>(), 24);
    assert_eq!(size_of::<(Text, i32)>(), 32);
}
