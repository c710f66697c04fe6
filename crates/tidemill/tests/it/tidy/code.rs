//! Reads Rust just well enough to tell code from comments and strings.

/// The code of a Rust file: comments and the insides of strings become blanks, line breaks stay.
pub(super) fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = blank_length(rest);
        let (token, after) = rest.split_at(length.unwrap_or(first.len_utf8()));
        match length {
            Some(_) => code.extend(token.chars().map(|c| if c == '\n' { '\n' } else { ' ' })),
            None => code.push(first),
        }
        // An identifier is taken as a whole, or the `r` of `for"` would begin a raw string.
        let tail = after.find(|c: char| !is_word(c)).unwrap_or(after.len());
        let tail = if length.is_none() && is_word(first) { tail } else { 0 };
        code.push_str(&after[..tail]);
        rest = &after[tail..];
    }
    code
}

/// Whether `c` can be part of an identifier.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The positions of `word` in `code` where it is not part of a longer word.
pub(super) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let alone = move |at: usize| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        let goes_on_before = word.starts_with(is_word) && before.is_some_and(is_word);
        let goes_on_after = word.ends_with(is_word) && after.is_some_and(is_word);
        !goes_on_before && !goes_on_after
    };
    code.match_indices(word).map(|(at, _)| at).filter(move |at| alone(*at))
}

/// The line that a position is in, from 1.
pub(super) fn line(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// How long the comment, string or character at the start of `rest` is, if there is one.
fn blank_length(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment(rest));
    }
    let prefix = rest.len() - rest.trim_start_matches(['b', 'c']).len();
    let body = &rest[prefix.min(1)..];
    let start = rest.len() - body.len();
    if body.starts_with('"') {
        return Some(start + quoted(body));
    }
    if let Some(raw) = body.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let inside = start + 1 + hashes + 1;
            return Some(rest[inside..].find(&end).map_or(rest.len(), |at| inside + at + end.len()));
        }
    }
    character(rest)
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        let step = if rest[at..].starts_with("/*") {
            depth += 1;
            2
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            2
        } else {
            rest[at..].chars().next().map_or(1, char::len_utf8)
        };
        at += step;
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

/// A character such as `'"'`; a lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let mut chars = rest.strip_prefix('\'')?.char_indices();
    let (_, first) = chars.next()?;
    if first == '\\' {
        // The escaped character itself may be a quote.
        return rest.get(3..)?.find('\'').map(|at| 3 + at + 1);
    }
    let (at, second) = chars.next()?;
    (second == '\'').then_some(at + 2)
}

#[test]
fn comments_and_strings_are_blanked() {
    let cases = [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d */ e", "a                   e"),
        ("f(\"x\\\"//\") // y", "f(       )     "),
        ("r#\"a\"b\"# c", "           c"),
        ("for b\"x\" in c", "for      in c"),
        ("'\"' '\\'' &'a str", "         &'a str"),
        ("'é' x", "     x"),
        ("\"a\nb\" c", "  \n   c"),
    ];
    for (text, expected) in cases {
        let squeezed = |text: &str| text.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        assert_eq!(squeezed(&code(text)), squeezed(expected), "{text}");
    }
}

#[test]
fn words_are_whole() {
    assert_eq!(words("time timely untimely timely_x timely::x", "timely").count(), 2);
    assert_eq!(words("x.unwrap() unwrap_or()", ".unwrap()").count(), 1);
}
