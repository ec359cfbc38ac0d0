//! Text out of HTML: tags and comments go, character references become characters.
//!
//! A `<` that opens no tag (`I <3 it`, `a < b`) and an `&` that begins no reference stay as they are.

/// A `<` without its `>` this near is text. It also bounds the time that `<a<a<a…` takes.
const MAX_TAG_BYTES: usize = 1_024;
const MAX_REFERENCE_BYTES: usize = 32;

/// Elements that a browser shows on lines of their own.
const LINES: &[&str] = &[
    "address",
    "article",
    "blockquote",
    "br",
    "dd",
    "div",
    "dl",
    "dt",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "td",
    "th",
    "tr",
    "ul",
];

/// The names of U+00A0 to U+00FF, in order.
const LATIN_1: &str = "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg \
    macr deg plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 \
    iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave \
    Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc \
    Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc \
    euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave \
    uacute ucirc uuml yacute thorn yuml";

const NAMED: &[(&str, char)] = &[
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("ndash", '–'),
    ("mdash", '—'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("sbquo", '‚'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("bdquo", '„'),
    ("hellip", '…'),
    ("bull", '•'),
    ("euro", '€'),
    ("trade", '™'),
    ("dagger", '†'),
    ("permil", '‰'),
    ("lsaquo", '‹'),
    ("rsaquo", '›'),
    ("OElig", 'Œ'),
    ("oelig", 'œ'),
    ("Scaron", 'Š'),
    ("scaron", 'š'),
    ("Yuml", 'Ÿ'),
    ("fnof", 'ƒ'),
    ("circ", 'ˆ'),
    ("tilde", '˜'),
    ("ensp", '\u{2002}'),
    ("emsp", '\u{2003}'),
    ("thinsp", '\u{2009}'),
    ("zwnj", '\u{200c}'),
    ("zwj", '\u{200d}'),
    ("rarr", '→'),
    ("larr", '←'),
    ("minus", '−'),
    ("hearts", '♥'),
];

/// What bytes 0x80 to 0x9F are in Windows-1252, which texts of the web mean by them.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// The character that was meant by a control character of U+0080 to U+009F.
pub(super) fn windows_1252(c: char) -> char {
    match c {
        '\u{80}'..='\u{9f}' => WINDOWS_1252[c as usize - 0x80],
        _ => c,
    }
}

pub(super) fn strip(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut unclosed = vec![];
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let taken = match rest.starts_with('<') {
            true => tag(rest, &mut out, &mut unclosed),
            false => entity(rest, &mut out),
        };
        if taken == 0 {
            out.push_str(&rest[..1]);
        }
        rest = &rest[taken.max(1)..];
    }
    out.push_str(rest);
    out
}

/// The bytes of the tag (or comment, or script) that `text` begins with; 0 if it begins with none.
fn tag(text: &str, out: &mut String, unclosed: &mut Vec<&'static str>) -> usize {
    if let Some(comment) = text.strip_prefix("<!--") {
        return find_end(comment, "-->", unclosed).map_or(0, |end| 4 + end + 3);
    }
    let inside = text[1..].trim_start_matches('/');
    if !inside.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '!' | '?')) {
        return 0;
    }
    let Some(end) = tag_end(floor(text, MAX_TAG_BYTES)) else { return 0 };
    let name_end = inside.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(inside.len());
    let name = floor(&inside[..name_end], MAX_TAG_BYTES).to_ascii_lowercase();
    if LINES.contains(&name.as_str()) {
        out.push('\n');
    }
    let closing = match name.as_str() {
        "script" => "</script",
        "style" => "</style",
        _ => return end,
    };
    if text.starts_with("</") || text[..end].ends_with("/>") {
        return end;
    }
    end + find_end(&text[end..], closing, unclosed).unwrap_or(0)
}

/// Where `end` comes next. What does not come after one place comes after no later one and is not
/// looked for again: `<!--<!--<!--…` takes no longer than its length asks for.
fn find_end(text: &str, end: &'static str, missing: &mut Vec<&'static str>) -> Option<usize> {
    if missing.contains(&end) {
        return None;
    }
    let same = |window: &[u8]| window.eq_ignore_ascii_case(end.as_bytes());
    let found = text.as_bytes().windows(end.len()).position(same);
    if found.is_none() {
        missing.push(end);
    }
    found
}

/// One past the first `>` that stands in no quoted attribute.
fn tag_end(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut previous = b'<';
    for (i, &byte) in text.as_bytes().iter().enumerate().skip(1) {
        match (quote, byte) {
            (Some(q), _) if q == byte => quote = None,
            (Some(_), _) => {}
            (None, b'>') => return Some(i + 1),
            (None, b'"' | b'\'') if previous == b'=' => quote = Some(byte),
            (None, _) => {}
        }
        if byte != b' ' {
            previous = byte;
        }
    }
    None
}

/// The bytes of the character reference that `text` begins with; 0 if it begins with none.
fn entity(text: &str, out: &mut String) -> usize {
    let near = floor(text, MAX_REFERENCE_BYTES);
    let Some(end) = near.find(';') else { return 0 };
    let name = &near[1..end];
    let found = match name.strip_prefix('#') {
        Some(number) => numeric(number),
        None => named(name),
    };
    match found {
        Some(c) => {
            out.push(c);
            end + 1
        }
        None => 0,
    }
}

fn numeric(number: &str) -> Option<char> {
    let (digits, radix) = match number.strip_prefix(['x', 'X']) {
        Some(hex) => (hex, 16),
        None => (number, 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let code = u32::from_str_radix(digits, radix).unwrap_or(0);
    let c = char::from_u32(code).filter(|&c| c != '\0').unwrap_or(char::REPLACEMENT_CHARACTER);
    Some(windows_1252(c))
}

fn named(name: &str) -> Option<char> {
    if let Some(&(_, c)) = NAMED.iter().find(|(known, _)| *known == name) {
        return Some(c);
    }
    let place = LATIN_1.split_ascii_whitespace().position(|known| known == name)?;
    char::from_u32(0xa0 + place as u32)
}

/// At most `bytes` bytes from the start, ending between characters.
fn floor(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_go_and_lines_stay_apart() {
        assert_eq!(strip("good.<br /><br />Then <i>b</i>ad"), "good.\n\nThen bad");
        assert_eq!(strip("<P class=\"a>b\">x</P>"), "\nx\n");
        assert_eq!(strip("a<!-- no > here -->b<script>if (a<b) {}</script>c"), "abc");
        assert_eq!(strip("<style/>x<style>y"), "xy");
        assert_eq!(strip("<i don't know>yes"), "yes");
    }

    #[test]
    fn what_is_no_tag_stays() {
        for text in ["I <3 it", "a < b > c", "R&B; AT&T &nosuch; &;", "<unclosed", "<", "&", "<!--"]
        {
            assert_eq!(strip(text), text);
        }
    }

    #[test]
    fn references_become_characters() {
        assert_eq!(strip("&lt;b&gt; &amp;amp; caf&eacute;&nbsp;&yuml;"), "<b> &amp; café\u{a0}ÿ");
        assert_eq!(strip("&#233;&#xE9;&#146;&#x1F600;&#0;&#xD800;"), "éé’😀\u{fffd}\u{fffd}");
        assert_eq!(strip("&#99999999999;&#x;&#-1;"), "\u{fffd}&#x;&#-1;");
        assert_eq!(named("THORN"), Some('Þ'));
        assert_eq!(LATIN_1.split_ascii_whitespace().count(), 96);
    }

    #[test]
    fn hostile_text_takes_no_longer_than_its_length_asks() {
        for piece in ["<a", "<!--", "<script>", "&", "<a b=\"", "&#x"] {
            let text = piece.repeat(200_000 / piece.len());
            assert!(strip(&text).len() <= text.len());
        }
    }
}
