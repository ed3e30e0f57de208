//! The page: text, and blocks that show a command and its output.

const FENCE: &str = "```";
const BLOCK: &str = "```console";
const PROMPT: &str = "$ ";

/// A page in the order of its parts.
pub(crate) struct Page {
    parts: Vec<Part>,
}

enum Part {
    Text(String),
    Block(Block),
}

/// A command and what it answered.
pub(crate) struct Block {
    pub(crate) command: String,
    pub(crate) output: String,
}

impl Page {
    pub(crate) fn read(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if line != BLOCK {
                parts.push(Part::Text(line.to_owned()));
                continue;
            }
            let command = lines.next().and_then(|line| line.strip_prefix(PROMPT));
            let output = lines.by_ref().take_while(|line| *line != FENCE);
            parts.push(Part::Block(Block {
                output: output.flat_map(|line| [line, "\n"]).collect(),
                command: command.unwrap_or_default().to_owned(),
            }));
        }
        Self { parts }
    }

    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.parts.iter().filter_map(|part| match part {
            Part::Block(block) => Some(block),
            Part::Text(_) => None,
        })
    }

    /// The text of the page with these outputs.
    pub(crate) fn with(&self, outputs: &[String]) -> String {
        let mut outputs = outputs.iter();
        let part = |part: &Part| match part {
            Part::Text(line) => format!("{line}\n"),
            Part::Block(block) => {
                let output = outputs.next().map(String::as_str).unwrap_or_default();
                format!("{BLOCK}\n{PROMPT}{}\n{output}{FENCE}\n", block.command)
            }
        };
        self.parts.iter().map(part).collect()
    }
}

#[test]
fn a_page_is_written_as_it_was_read_but_for_the_outputs() {
    let text = "# Title\n\n```console\n$ a b\nold\n```\n\ntext\n```sh\n$ no block\n```\n";
    let page = Page::read(text);
    let commands: Vec<_> = page.blocks().map(|block| block.command.as_str()).collect();
    assert_eq!(commands, ["a b"]);
    assert_eq!(page.with(&["old\n".to_owned()]), text);
    assert!(page.with(&["new\n".to_owned()]).contains("$ a b\nnew\n```"));
}
