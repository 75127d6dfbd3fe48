//! What EC2, Auto Scaling and Elastic Load Balancing answer: XML, read as a tree by the names of its elements. One that is cut off or not well-formed is an error: a shorter
//! list would look like fewer resources.

use aws_sdk_vpclattice::error::ErrorMetadata;
use std::collections::BTreeMap;
use xmlparser::{ElementEnd, Token, Tokenizer};

/// How deep an answer is read: what is of use is five deep at most.
const DEPTH_MAX: usize = 16;

/// An element of an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    text: String,
    members: BTreeMap<String, Vec<Element>>,
}

/// Why an answer cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It is no XML.
    #[error("the answer is no XML")]
    Xml(#[from] xmlparser::Error),
    /// It is XML that these do not answer.
    #[error("the answer {0}")]
    Form(&'static str),
}

impl Element {
    /// Reads an answer.
    pub(crate) fn read(answer: &str) -> Result<Self, Unreadable> {
        // The elements that are open, from the one that holds the document on.
        let mut open: Vec<(&str, Self)> = vec![("", Self::default())];
        for token in Tokenizer::from(answer) {
            match token? {
                Token::ElementStart { local, .. } if open.len() <= DEPTH_MAX => {
                    open.push((local.as_str(), Self::default()));
                }
                Token::ElementStart { .. } => return Err(Unreadable::Form("is too deep")),
                Token::ElementEnd { end: ElementEnd::Empty, .. } => close(&mut open, None)?,
                Token::ElementEnd { end: ElementEnd::Close(_, name), .. } => {
                    close(&mut open, Some(name.as_str()))?;
                }
                Token::Text { text } => {
                    if let Some((_, element)) = open.last_mut() {
                        element.text.push_str(&unescaped(text.as_str().trim())?);
                    }
                }
                Token::DtdStart { .. } | Token::EmptyDtd { .. } => {
                    return Err(Unreadable::Form("declares a document type"));
                }
                Token::Declaration { .. }
                | Token::ProcessingInstruction { .. }
                | Token::Comment { .. }
                | Token::EntityDeclaration { .. }
                | Token::DtdEnd { .. }
                | Token::Attribute { .. }
                | Token::ElementEnd { end: ElementEnd::Open, .. }
                | Token::Cdata { .. } => {}
            }
        }
        let mut roots = match <[_; 1]>::try_from(open) {
            Ok([(_, document)]) => document.members.into_values().flatten(),
            Err(_) => return Err(Unreadable::Form("ends before its last element does")),
        };
        let root = roots.next().ok_or(Unreadable::Form("is empty"))?;
        if roots.next().is_some() { Err(Unreadable::Form("has several roots")) } else { Ok(root) }
    }

    /// The first member of this name.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        self.members.get(name)?.first()
    }

    /// The text of a member; none where it is not there or empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.member(name).map(|one| one.text.as_str()).filter(|text| !text.is_empty())
    }

    /// The items of a set of EC2's; none where there is no such set.
    pub(crate) fn items<'a>(&'a self, set: &str) -> impl Iterator<Item = &'a Self> + use<'a> {
        self.member(set).and_then(|set| set.members.get("item")).into_iter().flatten()
    }

    /// The members of a list of the other services'; none where there is no such list.
    pub(crate) fn listed<'a>(&'a self, list: &str) -> impl Iterator<Item = &'a Self> + use<'a> {
        self.member(list).and_then(|list| list.members.get("member")).into_iter().flatten()
    }

    /// The texts of a set's items.
    pub(crate) fn texts<'a>(&'a self, set: &str) -> impl Iterator<Item = String> + use<'a> {
        self.items(set).map(|item| item.text.clone())
    }
}

/// Ends the innermost element, which must be of this name, if one is told.
fn close(open: &mut Vec<(&str, Element)>, name: Option<&str>) -> Result<(), Unreadable> {
    let ended = open.pop().filter(|(of, _)| name.is_none_or(|name| name == *of));
    match (ended, open.last_mut()) {
        (Some((name, element)), Some((_, parent))) => {
            parent.members.entry(name.to_owned()).or_default().push(element);
            Ok(())
        }
        _ => Err(Unreadable::Form("ends an element that is not open")),
    }
}

/// Text without the references of XML.
fn unescaped(text: &str) -> Result<String, Unreadable> {
    const WRONG: Unreadable = Unreadable::Form("has a reference that is none");
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (reference, rest) = part.split_once(';').ok_or(WRONG)?;
        plain.push(match reference {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            other => {
                let number = other.strip_prefix('#').ok_or(WRONG)?;
                let hexadecimal = number.strip_prefix('x').map(|digits| u32::from_str_radix(digits, 16));
                let code = hexadecimal.unwrap_or_else(|| number.parse());
                code.ok().and_then(char::from_u32).ok_or(WRONG)?
            }
        });
        plain.push_str(rest);
    }
    Ok(plain)
}

/// The code and the message of an error that such a service answers; nothing of one that is somebody else's. EC2 has a list of them
/// (Query protocols of AWS).
pub(crate) fn error(body: &[u8]) -> ErrorMetadata {
    let answer = std::str::from_utf8(body).ok().and_then(|text| Element::read(text).ok());
    // EC2 has a list of errors, other services a frame around one, and S3's has none.
    let error = answer.as_ref().map(|answer| {
        let listed = answer.member("Errors").unwrap_or(answer);
        listed.member("Error").unwrap_or(answer)
    });
    let mut metadata = ErrorMetadata::builder();
    if let Some(code) = error.and_then(|error| error.text("Code")) {
        metadata = metadata.code(code);
    }
    if let Some(message) = error.and_then(|error| error.text("Message")) {
        metadata = metadata.message(message);
    }
    metadata.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
        <Answer xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
            <set><item><key>a</key><value>b &amp; &#x63;&#100;</value></item><item/></set>
            <ids><item>one</item><item>two</item></ids><empty></empty>
        </Answer>"#;

    #[test]
    fn members_sets_and_texts_are_read_by_their_names() {
        let answer = Element::read(ANSWER).unwrap();
        let items: Vec<_> = answer.items("set").collect();
        assert_eq!(items.len(), 2);
        assert_eq!((items[0].text("key"), items[0].text("value")), (Some("a"), Some("b & cd")));
        assert_eq!(items[1].text("key"), None);
        assert_eq!(answer.texts("ids").collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(answer.text("empty"), None);
        assert_eq!(answer.items("none").count(), 0);
    }

    #[test]
    fn an_answer_that_is_cut_off_anywhere_is_an_error() {
        let whole = ANSWER.trim_end();
        for end in (0..whole.len()).filter(|end| whole.is_char_boundary(*end)) {
            assert!(Element::read(&whole[..end]).is_err(), "{}", &whole[..end]);
        }
    }

    #[test]
    fn what_is_not_well_formed_is_an_error() {
        for wrong in ["", "no XML", "<a><b></a></b>", "<a/><b/>", "<a>&what;</a>", "<a>&#xD800;</a>", "</a>"]
        {
            assert!(Element::read(wrong).is_err(), "{wrong}");
        }
        let bomb = r#"<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>"#;
        assert!(Element::read(bomb).is_err());
        assert!(Element::read(&"<a>".repeat(100_000)).is_err(), "depth is bounded");
    }

    #[test]
    fn an_error_tells_its_code_and_message_and_one_of_a_proxy_tells_none() {
        let body = b"<Response><Errors><Error><Code>InvalidSubnetID.NotFound</Code><Message>The subnet ID 'a' does not exist</Message>\
                     </Error></Errors><RequestID>1</RequestID></Response>";
        let error = error(body);
        assert_eq!(error.code(), Some("InvalidSubnetID.NotFound"));
        assert_eq!(error.message(), Some("The subnet ID 'a' does not exist"));
        assert_eq!(super::error(b"<html>Bad Gateway</html>").code(), None);
        let body = b"<ErrorResponse xmlns=\"x\"><Error><Type>Sender</Type><Code>LoadBalancerNotFound</Code></Error></ErrorResponse>";
        assert_eq!(super::error(body).code(), Some("LoadBalancerNotFound"));
    }
}
