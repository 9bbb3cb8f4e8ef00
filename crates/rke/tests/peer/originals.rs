//! The old program's two ends, stood in for: what it was seen to send and to take, through
//! Python's TLS (OpenSSL), which knows nothing of ours.

use std::process::{Output, Stdio};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::bench::{Cluster, NAME, Node, download, snapshot};

/// `serve` of rke-tools: TLS 1.2 or newer, a client certificate of the CA is demanded, one path,
/// the file with its length (Go's `http.ServeFile`).
const SERVER: &str = r#"
import http.server, ssl, sys
ca, cert, key, name, path, cut = sys.argv[1:]
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path != "/" + name:
            body = b"404 page not found\n"
            self.send_response(404)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
        else:
            body = open(path, "rb").read()
            self.send_response(200)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:int(cut)])
        if int(cut) < len(body):
            self.close_connection = True
    def log_message(self, *args):
        pass
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.minimum_version = ssl.TLSVersion.TLSv1_2
context.verify_mode = ssl.CERT_REQUIRED
context.load_verify_locations(ca)
context.load_cert_chain(cert, key)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"#;

/// `download --local-endpoint` of rke-tools: shows the node's certificate, takes any, copies the
/// body to the end whatever length was told.
const CLIENT: &str = r#"
import http.client, ssl, sys
ca, cert, key, name, port, version = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
context.maximum_version = getattr(ssl.TLSVersion, version)
context.load_cert_chain(cert, key)
line = http.client.HTTPSConnection("127.0.0.1", int(port), context=context)
line.request("GET", "/" + name)
reply = line.getresponse()
assert reply.status == 200, reply.status
assert reply.getheader("Content-Length"), reply.getheaders()
sys.stdout.buffer.write(reply.read())
"#;

fn python(script: &str, cluster: &Cluster, rest: &[&str]) -> Command {
    let files = &cluster.files;
    let mut command = Command::new("python3");
    command.args(["-c", script]);
    command.args([files.ca(), files.client(), files.client_key()]);
    command.args(rest).kill_on_drop(true);
    command
}

/// An original that serves, and its port.
async fn original(cluster: &Cluster, cut: usize) -> (Child, u16) {
    let path = cluster.dir.path().join("snapshot");
    std::fs::write(&path, snapshot()).unwrap();
    let (path, cut) = (path.display().to_string(), cut.to_string());
    let mut command = python(SERVER, cluster, &[NAME, &path, &cut]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let port = lines.next_line().await.unwrap().unwrap();
    (child, port.parse().unwrap())
}

/// What OpenSSL says of a call without a certificate.
pub(crate) async fn openssl(port: u16, args: &[&str]) -> String {
    let output: Output = Command::new("openssl")
        .args([
            "s_client",
            "-quiet",
            "-connect",
            &format!("127.0.0.1:{port}"),
        ])
        .args(args)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn we_fetch_from_an_original() {
    let cluster = Cluster::new();
    let (_server, port) = original(&cluster, usize::MAX).await;
    let (size, bytes) = download(&cluster.node(), port, NAME).await.unwrap();
    assert_eq!(size, Some(3_000_007));
    assert!(bytes == snapshot());
    let error = download(&cluster.node(), port, "other").await.unwrap_err();
    assert!(error.to_string().contains("404"), "{error}");
}

#[tokio::test]
async fn an_original_that_is_cut_off_is_noticed() {
    let cluster = Cluster::new();
    let (_server, port) = original(&cluster, 1_000_000).await;
    let error = download(&cluster.node(), port, NAME).await.unwrap_err();
    assert!(error.to_string().ends_with("the line broke"), "{error}");
}

#[tokio::test]
async fn an_original_fetches_from_us() {
    let cluster = Cluster::new();
    let node = Node::serving(&cluster.node(), snapshot()).await;
    for version in ["TLSv1_2", "TLSv1_3"] {
        let port = node.port.to_string();
        let mut client = python(CLIENT, &cluster, &[NAME, &port, version]);
        let output = client.output().await.unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{version}: {words}");
        assert!(output.stdout == snapshot(), "{version}");
    }
}
