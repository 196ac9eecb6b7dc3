//! What everybody sees of a service.

use axum::http::{Method, StatusCode};

use crate::client::Service;

#[tokio::test]
async fn health_tells_no_more_than_that_it_lives_and_which_version() {
    let service = Service::new().await;
    let answer = service.call(Method::GET, "/api/health", None).await;
    assert_eq!(answer.status, StatusCode::OK);
    let body = answer.json();
    assert_eq!(body["status"], "ok");
    assert_eq!(body.as_object().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_not_there_answers_in_the_one_shape_of_errors_with_the_id_of_the_request() {
    let service = Service::new().await;
    let answer = service.call(Method::GET, "/api/nothing", None).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::NOT_FOUND, "not_found"));
    assert_eq!(answer.json()["error"]["requestId"], answer.headers["x-request-id"].to_str().unwrap());
}
