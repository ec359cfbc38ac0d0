//! The head of a README.md: what it says of the model's licence and tags, in YAML between two lines of
//! `---`. The rest is Markdown for people.

use domain::registry::{Licence, Tag};
use serde::Deserialize;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Card {
    pub licence: Option<Licence>,
    pub tags: Option<Vec<Tag>>,
    pub text: String,
}

/// Of what may stand in a head, what is understood here.
#[derive(Debug, Default, Deserialize)]
struct Head {
    license: Option<String>,
    tags: Option<Vec<String>>,
}

/// What a README.md says, or what is wrong with its head.
pub(super) fn read(readme: &str) -> Result<Card, String> {
    let (head, text) = match split(readme) {
        Some(parts) => parts,
        None => ("", readme),
    };
    let head: Option<Head> = if head.trim().is_empty() {
        None
    } else {
        serde_saphyr::from_str(head)
            .map_err(|error| format!("the head of README.md is not YAML: {error}"))?
    };
    let head = head.unwrap_or_default();
    let licence = head.license.map(|text| text.parse::<Licence>()).transpose();
    let tags = head.tags.map(|tags| {
        if tags.len() > Tag::MOST {
            return Err(format!("tags: more than {}", Tag::MOST));
        }
        let read = tags.into_iter().map(|tag| Tag::try_from(tag.to_lowercase()));
        read.collect::<Result<Vec<_>, _>>().map_err(|why| format!("tags: {why}"))
    });
    Ok(Card {
        licence: licence.map_err(|why| format!("license: {why}"))?,
        tags: tags.transpose()?,
        text: text.trim_start().to_owned(),
    })
}

/// What stands between the two lines, and after the second.
fn split(readme: &str) -> Option<(&str, &str)> {
    let readme = readme.strip_prefix('\u{feff}').unwrap_or(readme);
    let rest = readme.strip_prefix("---\n").or_else(|| readme.strip_prefix("---\r\n"))?;
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            return Some((&rest[..at], &rest[at + line.len()..]));
        }
        at += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_gives_licence_and_tags_and_the_rest_is_text() {
        let card = read("---\nlicense: MIT\ntags: [Tabular, health]\nlanguage: en\n---\n# Hello\n");
        let card = card.unwrap();
        assert_eq!(card.licence.unwrap().as_str(), "mit");
        let tags: Vec<_> = card.tags.iter().flatten().map(Tag::as_str).collect();
        assert_eq!(
            (tags.as_slice(), card.text.as_str()),
            (["tabular", "health"].as_slice(), "# Hello\n")
        );
        assert_eq!(read("# No head\n").unwrap().text, "# No head\n");
        assert_eq!(
            read("---\n---\nrest").unwrap(),
            Card { text: "rest".into(), ..Card::default() }
        );
        // a rule, and no head
        assert_eq!(read("---\nnever ended").unwrap().text, "---\nnever ended");
    }

    #[test]
    fn what_is_wrong_in_a_head_is_named() {
        let wrong = |text: &str| read(text).unwrap_err();
        assert!(wrong("---\nlicense: beerware\n---\n").contains("license: `beerware`"));
        assert!(wrong("---\ntags: [\"a b\"]\n---\n").contains("tags: `a b`"));
        assert!(wrong("---\n[: not yaml\n---\n").contains("not YAML"));
    }

    #[test]
    fn a_head_that_would_grow_without_end_is_refused() {
        let mut bomb = "---\na: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (from, to) in
            ["ab", "bc", "cd", "de", "ef", "fg", "gh", "hi"].iter().map(|p| p.split_at(1))
        {
            bomb += &format!("{to}: &{to} [{}]\n", vec![format!("*{from}"); 9].join(", "));
        }
        assert!(read(&format!("{bomb}---\n")).is_err());
    }
}
