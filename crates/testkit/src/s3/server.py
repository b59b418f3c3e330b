"""A bucket that is not ours: moto's S3 behind a door that checks signatures with botocore's own code.

One line on standard output says the port. The process ends when its standard input does.
Arguments: access key, secret key, region, bucket, and for TLS the files of certificate and key.

Beside the bucket it takes `POST /_fault?method=PUT&times=2&status=503`: so many requests of that method get that
status, which is 0 for no answer at all; with `after=1` only when they were done. `status=501&header=if-none-match` is
for those with that header.
"""

import os
import sys
import threading
from urllib.parse import parse_qsl, quote, urlsplit

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.s3.models import s3_backends
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

ACCESS, SECRET, REGION, BUCKET = sys.argv[1:5]
TLS = tuple(sys.argv[5:7]) or None

faults = []
guard = threading.Lock()
never = threading.Event()


def error(environ, start, status, code):
    # What is sent with the request is read, so that the connection can be used again.
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>of the test</Message></Error>".encode()
    start(f"{status} {code}", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body]


def judge(environ):
    """The code of what is wrong with the signature in the address, or None."""
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    signature = query.pop("X-Amz-Signature", None)
    if signature is None:
        return "AccessDenied"
    access, day, region, service, _ = query["X-Amz-Credential"].split("/")
    if access != ACCESS:
        return "InvalidAccessKeyId"
    if region != REGION or service != "s3":
        return "AuthorizationQueryParametersError"
    names = query["X-Amz-SignedHeaders"].split(";")
    headers = {name: environ.get("HTTP_" + name.upper().replace("-", "_"), "") for name in names}
    if environ.get("HTTP_IF_NONE_MATCH") and "if-none-match" not in names:
        return "AccessDenied"
    auth = S3SigV4QueryAuth(Credentials(ACCESS, SECRET), "s3", region, int(query["X-Amz-Expires"]))
    path = urlsplit(environ["REQUEST_URI"]).path
    rest = "&".join(f"{quote(key, safe='-_.~')}={quote(value, safe='-_.~')}" for key, value in query.items())
    request = AWSRequest(
        method=environ["REQUEST_METHOD"], url=f"http://{environ['HTTP_HOST']}{path}?{rest}", headers=headers
    )
    request.context["timestamp"] = query["X-Amz-Date"]
    text = auth.string_to_sign(request, auth.canonical_request(request))
    good = auth.signature(text, request) == signature and query["X-Amz-Date"].startswith(day)
    return None if good else "SignatureDoesNotMatch"


def fault_for(environ):
    with guard:
        for fault in faults:
            header = fault.get("header")
            has = not header or environ.get("HTTP_" + header.upper().replace("-", "_"))
            if fault["method"] == environ["REQUEST_METHOD"] and fault["times"] > 0 and has:
                fault["times"] -= 1
                return fault
    return None


class Door:
    def __init__(self, inner):
        self.inner = inner

    def __call__(self, environ, start):
        if environ["PATH_INFO"] == "/_fault":
            asked = dict(parse_qsl(environ["QUERY_STRING"]))
            with guard:
                faults.append({**asked, "times": int(asked["times"]), "status": int(asked["status"])})
            start("200 OK", [("Content-Length", "0")])
            return [b""]
        wrong = judge(environ)
        if wrong:
            return error(environ, start, 403, wrong)
        fault = fault_for(environ)
        if fault is None:
            return self.inner(environ, start)
        if fault.get("after"):
            for _ in self.inner(environ, lambda *_: None):
                pass
            environ["CONTENT_LENGTH"] = "0"
        if fault["status"] == 0:
            never.wait()
        code = {412: "PreconditionFailed", 501: "NotImplemented", 503: "SlowDown"}.get(fault["status"], "OfTheTest")
        return error(environ, start, fault["status"], code)


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


def leave_with_the_test():
    sys.stdin.read()
    os._exit(0)


moto = DomainDispatcherApplication(create_backend_app)
server = make_server("127.0.0.1", 0, Door(moto), threaded=True, request_handler=Quiet, ssl_context=TLS)
server.daemon_threads = True

s3_backends["123456789012"]["aws"].create_bucket(BUCKET, REGION)
threading.Thread(target=leave_with_the_test, daemon=True).start()
print(server.server_port, flush=True)
server.serve_forever()
