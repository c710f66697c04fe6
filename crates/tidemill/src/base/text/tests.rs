//! Text against `str`, and the splitter against a slow obvious model.

use super::*;
use foldhash::fast::FixedState;
use proptest::{collection::vec, prelude::*};
use std::hash::BuildHasher;

#[test]
fn a_text_is_three_words() {
    assert_eq!(size_of::<Text>(), 24);
    assert_eq!(size_of::<(Text, i32)>(), 32);
}

/// Texts of all lengths around the border of inline, made in all ways.
#[test]
fn equality_and_hash_do_not_depend_on_how_a_text_was_made() {
    let hasher = FixedState::default();
    let long = "0123456789abcdefghijklmnopqrstuvwxyz".repeat(20);
    for len in 0..40 {
        let plain = Text::from(&long[..len]);
        let line = LineBlock::from_text(format!("{}\n{}", &long[..len], long)).lines().next().unwrap();
        let piece = Text::from(format!("{} {}", &long[..len], long)).split(' ').next().unwrap();
        let last = Text::from(format!("{} {}", long, &long[..len])).split(' ').nth(1).unwrap();
        let sliced = Text::from(&long).slice(..len);
        let sent: Text = postcard::from_bytes(&postcard::to_stdvec(&plain).unwrap()).unwrap();
        for other in [line.clone().detached(), detached(line.clone()), line, piece, last, sliced, sent] {
            assert_eq!(plain, other);
            assert_eq!(other, long[..len]);
            assert_eq!(hasher.hash_one(&plain), hasher.hash_one(&other), "length {len}");
        }
        assert_ne!(plain, Text::from(&long[..=len]));
        assert_ne!(hasher.hash_one(&plain), hasher.hash_one(Text::from(&long[..=len])));
        assert_ne!(hasher.hash_one(&plain), hasher.hash_one(Text::from(format!("{}\0", &long[..len]))));
    }
}

#[test]
fn a_detached_text_holds_no_foreign_block() {
    let line = LineBlock::from_text("a line longer than what is inline\n".repeat(1_000)).lines().next().unwrap();
    assert_eq!(line.surroundings().0.len(), 34_000);
    for own in [line.clone().detached(), line.slice(..30), line.split('z').next().unwrap(), detached(line.clone())] {
        assert_eq!(own.surroundings().0.len(), own.len());
    }
}

#[test]
fn reads_as_its_str() {
    let text = Text::from(" Grüße, 42 ");
    assert_eq!((text.len(), text.trim().as_str(), text.to_lowercase().as_str()), (13, "Grüße, 42", " grüße, 42 "));
    assert_eq!(
        format!("[{text}|{text:?}|{:>4}|{:<3}]", Text::from("ab"), Text::from("c")),
        "[ Grüße, 42 |\" Grüße, 42 \"|  ab|c  ]"
    );
    assert_eq!(Text::from("42").parse::<i32>(), Ok(42));
    assert_eq!(text.slice(1..=2), "Gr");
    assert!(text.starts_with(" G") && text.starts_with(' ') && text.contains('ü') && text.contains("ße"));
    assert!(!text.starts_with('G') && !text.contains("x") && Text::default().is_empty());
    assert_eq!(String::from(Text::from("a")), "a");
    assert_eq!("a".parse::<Text>().unwrap(), String::from("a"));
}

#[test]
#[should_panic(expected = "char boundary")]
fn a_slice_through_a_character_panics() {
    let _ = Text::from("ü").slice(1..);
}

fn all_pieces(text: &str, separator: &str) -> Vec<String> {
    text.split(separator).map(str::to_owned).collect()
}

/// Text of few kinds of characters, so that separators are frequent.
const TEXTS: &str = "[ ab,üß\u{2003}\r\n\t]{0,150}";

proptest! {
    #[test]
    fn splits_as_str(text in TEXTS, separator in prop_oneof!["", " ", ",", "ü", "ab", "\n", "aa"]) {
        let expected = all_pieces(&text, &separator);
        let whole = Text::from(&text);
        prop_assert_eq!(whole.split(&separator).collect::<Vec<_>>(), expected.clone());
        // By one character too, internally (fold) and after some pieces were taken.
        if let (Some(c), 1) = (separator.chars().next(), separator.chars().count()) {
            let mut folded = Vec::new();
            whole.split(c).for_each(|piece| folded.push(piece));
            prop_assert_eq!(folded, expected.clone());
            let mut rest = whole.split(c);
            let mut pieces: Vec<Text> = rest.by_ref().take(expected.len() / 2).collect();
            prop_assert!(rest.size_hint().1 >= Some(expected.len() - pieces.len()));
            rest.for_each(|piece| pieces.push(piece));
            prop_assert_eq!(pieces, expected);
        }
        prop_assert_eq!(whole.split_whitespace().collect::<Vec<_>>(), text.split_whitespace().collect::<Vec<_>>());
        prop_assert_eq!(whole.lines().collect::<Vec<_>>(), text.lines().collect::<Vec<_>>());
        prop_assert_eq!(whole.trim(), text.trim());
    }

    #[test]
    fn splits_a_line_inside_its_block(lines in vec("[ab ]{0,100}", 1..20)) {
        let block = LineBlock::from_text(lines.join("\n"));
        for (line, expected) in block.lines().zip(&lines) {
            let mut pieces = Vec::new();
            line.split(' ').for_each(|piece| pieces.push(piece));
            prop_assert_eq!(pieces, all_pieces(expected, " "));
            prop_assert_eq!(line.split(' ').collect::<Vec<_>>(), all_pieces(expected, " "));
        }
    }

    #[test]
    fn compares_as_str(left in ".{0,30}", right in ".{0,30}") {
        let (a, b) = (Text::from(&left), Text::from(&right));
        prop_assert_eq!(a.cmp(&b), left.cmp(&right));
        prop_assert_eq!(a == b, left == right);
        prop_assert_eq!(a.contains(&right), left.contains(&right));
        prop_assert_eq!(a.starts_with(&right), left.starts_with(&right));
        prop_assert_eq!(a.as_str(), left);
    }

    #[test]
    fn frames_as_the_model(
        pieces in vec(bytes(), 0..30),
        block_bytes in 1..200_usize,
        max_line_bytes in 0..100_usize,
        sealed_after in vec(any::<bool>(), 30),
        by_reader in any::<bool>(),
    ) {
        let mut splitter = LineSplitter::new(LineLimits { block_bytes, max_line_bytes });
        let mut blocks = Vec::new();
        for (piece, seals) in pieces.iter().zip(sealed_after) {
            if by_reader {
                let mut source = piece.as_slice();
                loop {
                    let (read_bytes, block) = splitter.read_from(&mut source).unwrap();
                    blocks.extend(block);
                    if read_bytes == 0 { break }
                }
            } else {
                splitter.push(piece, |block| blocks.push(block));
            }
            prop_assert!(splitter.buffered_bytes() <= max_line_bytes.max(block_bytes) + 1);
            if seals {
                blocks.extend(splitter.seal());
            }
        }
        blocks.extend(splitter.finish());
        prop_assert_eq!(splitter.buffered_bytes(), 0);
        prop_assert!(blocks.iter().all(|block| block.records() > 0 && block.records() == block.lines().count()));
        let (lines, counts) = model(&pieces.concat(), max_line_bytes);
        prop_assert_eq!(blocks.iter().flat_map(LineBlock::lines).collect::<Vec<_>>(), lines);
        prop_assert_eq!(splitter.counts(), counts);
        for block in &blocks {
            let sent: LineBlock = postcard::from_bytes(&postcard::to_stdvec(block).unwrap()).unwrap();
            prop_assert_eq!((sent.records(), &sent), (block.records(), block));
        }
    }
}

/// Bytes with many line ends, and some that are not UTF-8.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => Just(b'a'), 2 => Just(b'\n'), 2 => Just(b'\r'), 1 => Just(0xc3), 1 => Just(0xbc), 1 => any::<u8>()
    ];
    vec(byte, 0..40)
}

/// The lines of `all` that are not too long, byte by byte.
fn model(all: &[u8], max_line_bytes: usize) -> (Vec<String>, LineCounts) {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut line = Vec::new();
    for (i, &byte) in all.iter().enumerate() {
        match byte {
            b'\n' if i > 0 && all[i - 1] == b'\r' => {}
            b'\n' | b'\r' => lines.push(std::mem::take(&mut line)),
            _ => line.push(byte),
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    let mut counts = LineCounts::default();
    let mut kept = Vec::new();
    for line in lines {
        if line.len() > max_line_bytes {
            counts.oversize_lines += 1;
            counts.oversize_bytes += line.len() as u64;
        } else {
            let text = String::from_utf8_lossy(&line).into_owned();
            counts.invalid_sequences += line.utf8_chunks().filter(|chunk| !chunk.invalid().is_empty()).count() as u64;
            kept.push(text);
        }
    }
    (kept, counts)
}

#[test]
fn a_return_and_a_feed_in_different_pieces_are_one_end() {
    let mut splitter = LineSplitter::new(LineLimits::default());
    let mut lines = Vec::new();
    for piece in ["a\r", "\n", "\nb\r", "c"] {
        splitter.push(piece.as_bytes(), |_| panic!("nothing is full"));
        lines.extend(splitter.seal().iter().flat_map(LineBlock::lines));
    }
    lines.extend(splitter.finish().iter().flat_map(LineBlock::lines));
    assert_eq!(lines, ["a", "", "b", "c"]);
}

#[test]
fn an_endless_line_is_not_buffered() {
    let mut splitter = LineSplitter::new(LineLimits { block_bytes: 1_000, max_line_bytes: 5_000 });
    for _ in 0..1_000 {
        splitter.push(&[b'x'; 1_000], |_| panic!("there is no line"));
        assert!(splitter.buffered_bytes() <= 6_000);
    }
    splitter.push(b"\nnext\n", |_| panic!("nothing is full"));
    assert_eq!(splitter.seal().unwrap().as_str(), "next\n");
    let expected = LineCounts { oversize_lines: 1, oversize_bytes: 1_000_000, invalid_sequences: 0 };
    assert_eq!(splitter.counts(), expected);
}

#[test]
fn what_is_not_utf8_is_replaced_line_by_line() {
    let mut splitter = LineSplitter::new(LineLimits::default());
    splitter.push(b"gr\xc3\xbcn\nc\xc3\nx\xff\xfe", |_| {});
    assert_eq!(splitter.finish().unwrap().as_str(), "grün\nc\u{fffd}\nx\u{fffd}\u{fffd}\n");
    assert_eq!(splitter.counts().invalid_sequences, 3);
}
