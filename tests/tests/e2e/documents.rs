//! Pointers from the code into the documents, and links between the documents.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::support::{report, repository};

/// All files under a folder with this ending; hidden folders and build output left out.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || name == "target" {
            continue;
        }
        if path.is_dir() {
            files(&path, ending, found);
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

fn relative(path: &Path) -> String {
    path.strip_prefix(repository()).unwrap_or(path).display().to_string()
}

fn assert_none_missing(what: &str, missing: &BTreeMap<String, Vec<String>>) {
    for (target, places) in missing {
        report!("missing {what}: {target}, named in {}", places.join(", "));
    }
    assert!(missing.is_empty(), "{} {what} missing, see above", missing.len());
}

/// Every `docs/….md` that a comment names.
#[test]
fn pointers_in_comments_resolve() {
    let mut sources = Vec::new();
    for (folder, ending) in [
        ("crates", ".rs"),
        ("tests", ".rs"),
        ("contracts", ".sol"),
        ("scripts", ""),
    ] {
        files(&repository().join(folder), ending, &mut sources);
    }
    let mut missing = BTreeMap::<String, Vec<String>>::new();
    let mut pointers = 0;
    for source in &sources {
        let Ok(text) = fs::read_to_string(source) else { continue };
        for (at, _) in text.match_indices("docs/") {
            // Part of a longer word, such as another project's address.
            if text[..at].ends_with(|before: char| before.is_alphanumeric() || "/.:-_".contains(before)) {
                continue;
            }
            let end = text[at..]
                .find(|next: char| !(next.is_alphanumeric() || "/.-_".contains(next)))
                .map_or(text.len(), |length| at + length);
            let target = text[at..end].trim_end_matches('.');
            if !target.ends_with(".md") {
                continue;
            }
            pointers += 1;
            if !repository().join(target).is_file() {
                missing.entry(target.to_owned()).or_default().push(relative(source));
            }
        }
    }
    report!("{pointers} pointers into docs/ in {} files", sources.len());
    assert!(pointers > 5, "the search finds nothing");
    assert_none_missing("document", &missing);
}

/// Every relative link of the README and the documents.
#[test]
fn links_between_documents_resolve() {
    let root = repository();
    let mut documents = vec![root.join("README.md"), root.join("CHANGELOG.md")];
    for folder in ["docs", "examples"] {
        files(&root.join(folder), ".md", &mut documents);
    }
    let mut missing = BTreeMap::<String, Vec<String>>::new();
    let mut links = 0;
    for document in &documents {
        let Ok(text) = fs::read_to_string(document) else {
            missing
                .entry(relative(document))
                .or_default()
                .push("the list of documents".to_owned());
            continue;
        };
        for target in link_targets(&text) {
            let outside = ["http://", "https://", "mailto:", "#"]
                .iter()
                .any(|start| target.starts_with(start));
            if outside {
                continue;
            }
            links += 1;
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let resolved = document.parent().unwrap_or(root).join(path);
            if !resolved.exists() {
                missing.entry(target.clone()).or_default().push(relative(document));
            } else if !anchor.is_empty() && resolved.extension().is_some_and(|ending| ending == "md") {
                let headings = fs::read_to_string(&resolved).unwrap();
                if !headings
                    .lines()
                    .filter(|line| line.starts_with('#'))
                    .any(|line| slug(line) == anchor)
                {
                    missing.entry(target.clone()).or_default().push(relative(document));
                }
            }
        }
    }
    report!("{links} relative links in {} documents", documents.len());
    assert_none_missing("link", &missing);
}

/// Targets of `[text](target)`, code left out.
fn link_targets(text: &str) -> Vec<String> {
    let mut targets = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code || line.starts_with("    ") {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect();
        for (at, _) in prose.match_indices("](") {
            if let Some(length) = prose[at + 2..].find(')') {
                let target = prose[at + 2..at + 2 + length]
                    .split_whitespace()
                    .next()
                    .unwrap_or_default();
                targets.push(target.to_owned());
            }
        }
    }
    targets
}

/// A heading's anchor as forges make it.
fn slug(heading: &str) -> String {
    heading
        .trim_start_matches('#')
        .trim()
        .to_lowercase()
        .chars()
        .filter_map(|letter| match letter {
            ' ' => Some('-'),
            letter if letter.is_alphanumeric() || letter == '-' || letter == '_' => Some(letter),
            _ => None,
        })
        .collect()
}

#[test]
fn links_and_headings_are_read_as_they_stand() {
    let text = "see [a](b.md#c) and `[x](y)`\n```\n[no](no)\n```\n![p](q.png \"title\") [r](s)";
    assert_eq!(link_targets(text), ["b.md#c", "q.png", "s"]);
    assert_eq!(slug("## What `it` costs, today"), "what-it-costs-today");
}
