//! The page for people: what it asks for is there.

use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use regex::Regex;
use serde_json::json;

use crate::site::Site;

#[tokio::test]
async fn every_path_that_the_page_names_answers_and_the_picture_shows_the_service() {
    let site = Site::new(json!({})).await;
    let base = format!("http://{}/_emulator/", site.control().await);
    let http: Client<_, Full<bytes::Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let get = async |path: &str| {
        let uri = format!("{base}{path}");
        let request = Request::builder().method(Method::GET).uri(uri).body(Full::default()).unwrap();
        let response = http.request(request).await.unwrap();
        let kind = response.headers().get("content-type").map(|it| it.to_str().unwrap().to_owned());
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, kind.unwrap_or_default(), String::from_utf8(body.to_vec()).unwrap())
    };
    let (status, kind, page) = get("").await;
    assert_eq!((status, kind.as_str()), (StatusCode::OK, "text/html; charset=utf-8"));
    let named = Regex::new(r#"(?:href=|fetch\()"([^"]+)""#).unwrap();
    let paths: Vec<&str> = named.captures_iter(&page).map(|found| found.get(1).unwrap().as_str()).collect();
    assert!(paths.contains(&"picture") && paths.len() > 6, "{paths:?}");
    for path in paths {
        let (status, _, body) = get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(!body.is_empty(), "{path}");
    }
    let (_, kind, picture) = get("picture").await;
    assert_eq!(kind, "text/html; charset=utf-8");
    assert!(picture.contains(&site.service) && picture.contains(&site.domain), "{picture}");
}
