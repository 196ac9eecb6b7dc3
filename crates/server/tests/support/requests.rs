//! What servers that are played read and write.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// The head and the body of a request with a length. Clients write names of headers in small letters.
pub async fn request(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    (head, body)
}

/// An answer without an end, until the client has had enough.
pub async fn flood(stream: &mut TcpStream) {
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    while stream.write_all(&[b' '; 64 * 1024]).await.is_ok() {}
}
