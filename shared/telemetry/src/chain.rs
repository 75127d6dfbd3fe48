use std::{error::Error, fmt};

/// How many causes are followed. An error's chain is made by people and is short; a longer one is a loop.
const CAUSES_MAX: usize = 16;

/// An error with all its causes, shown in one line.
#[derive(Debug, Clone, Copy)]
pub struct Chain<'a>(&'a (dyn Error + 'static));

/// Shows an error and its causes as `what: why: why`, without line breaks.
///
/// A cause is left out where the text before it says the same already: many libraries repeat the cause in the
/// error's own text.
pub fn chain<'a>(error: &'a (dyn Error + 'static)) -> Chain<'a> {
    Chain(error)
}

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = one_line(&self.0.to_string());
        let mut cause = self.0.source();
        for _ in 0..CAUSES_MAX {
            let Some(error) = cause else { break };
            let text = one_line(&error.to_string());
            if !text.is_empty() && !shown.contains(&text) {
                shown.push_str(": ");
                shown.push_str(&text);
            }
            cause = error.source();
        }
        f.write_str(&shown)
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Plain(&'static str, Option<Box<Plain>>);

    impl fmt::Display for Plain {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Plain {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as &(dyn Error + 'static))
        }
    }

    fn caused(text: &'static str, cause: Plain) -> Plain {
        Plain(text, Some(Box::new(cause)))
    }

    #[test]
    fn every_cause_is_shown_in_one_line() {
        let error = caused("no answer", caused("cannot\nconnect", Plain("refused", None)));
        assert_eq!(chain(&error).to_string(), "no answer: cannot connect: refused");
    }

    #[test]
    fn a_cause_that_was_said_already_is_not_repeated() {
        let error = caused("no answer: refused", caused("refused", Plain("by peer", None)));
        assert_eq!(chain(&error).to_string(), "no answer: refused: by peer");
    }

    #[test]
    fn a_chain_that_goes_on_for_ever_is_cut() {
        let endless =
            (0..100).fold(Plain("end", None), |cause, index| caused(["a", "b", "c", "d"][index % 4], cause));
        assert!(chain(&endless).to_string().len() < 200);
    }
}
