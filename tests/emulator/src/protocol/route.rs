//! From method and raw path to an operation. The path is split before it is decoded: SDKs percent-encode an ARN
//! into one segment, and decoding first would tear it apart.

use http::Method;

use crate::model::{Model, Operation, Segment};

/// The operation and its path members, still percent-encoded.
pub(super) fn find<'a>(
    model: &'a Model,
    method: &Method,
    raw_path: &str,
) -> Option<(&'a Operation, Vec<(String, String)>)> {
    let given: Vec<&str> = raw_path.strip_prefix('/')?.split('/').collect();
    model
        .operations()
        .filter(|operation| operation.method == method.as_str() && operation.path.len() == given.len())
        .find_map(|operation| Some((operation, fit(&operation.path, &given)?)))
}

fn fit(wanted: &[Segment], given: &[&str]) -> Option<Vec<(String, String)>> {
    let mut members = Vec::new();
    for (segment, text) in wanted.iter().zip(given) {
        match segment {
            Segment::Literal(literal) if literal == text => {}
            Segment::Member(name) if !text.is_empty() => members.push((name.clone(), (*text).to_owned())),
            _ => return None,
        }
    }
    Some(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &Method, path: &str) -> Option<(String, Vec<String>)> {
        let model = Model::built_in().unwrap();
        let (operation, members) = find(&model, method, path)?;
        Some((operation.name.clone(), members.into_iter().map(|(_, value)| value).collect()))
    }

    #[test]
    fn an_encoded_arn_stays_one_segment() {
        let arn = "arn%3Aaws%3Avpc-lattice%3Aus-west-2%3A000000000000%3Aservice%2Fsvc-0";
        let expected = Some(("GetService".to_owned(), vec![arn.to_owned()]));
        assert_eq!(found(&Method::GET, &format!("/services/{arn}")), expected);
    }

    #[test]
    fn methods_and_depth_tell_operations_of_one_path_apart() {
        let name = |method: Method, path| found(&method, path).map(|(name, _)| name);
        assert_eq!(name(Method::PATCH, "/services/s/listeners/l/rules").as_deref(), Some("BatchUpdateRule"));
        assert_eq!(name(Method::PATCH, "/services/s/listeners/l/rules/r").as_deref(), Some("UpdateRule"));
        assert_eq!(name(Method::POST, "/targetgroups/t/listtargets").as_deref(), Some("ListTargets"));
        assert_eq!(name(Method::GET, "/services/").as_deref(), None);
        assert_eq!(name(Method::GET, "/nothing").as_deref(), None);
    }

    #[test]
    fn every_operation_of_the_model_has_a_route_of_its_own() {
        let model = Model::built_in().unwrap();
        let mut count = 0;
        for operation in model.operations() {
            let path: String = operation
                .path
                .iter()
                .map(|segment| match segment {
                    Segment::Literal(text) => format!("/{text}"),
                    Segment::Member(_) => "/x".to_owned(),
                })
                .collect();
            let method: Method = operation.method.parse().unwrap();
            assert_eq!(find(&model, &method, &path).unwrap().0.name, operation.name);
            count += 1;
        }
        assert_eq!(count, 73);
    }
}
