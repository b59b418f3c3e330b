"""A SCRAM-SHA-256 client written from RFC 5802 with nothing but Python's own modules: a judge of ours.

Arguments: host, port, certificate authority, user name, password. Prints the last reply's code.
"""
import base64
import hashlib
import hmac
import smtplib
import ssl
import sys

host, port, authority, username, password = sys.argv[1:6]


def sha(octets):
    return hashlib.sha256(octets).digest()


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


client = smtplib.SMTP(host, int(port), timeout=20)
client.ehlo("client.example")
client.starttls(context=ssl.create_default_context(cafile=authority))
client.ehlo("client.example")
assert "SCRAM-SHA-256" in client.esmtp_features["auth"].split(), client.esmtp_features["auth"]
name = username.replace("=", "=3D").replace(",", "=2C")
bare = f"n={name},r=fyko+d2lbbFgONRv9qkxdawL"
code, reply = client.docmd("AUTH", "SCRAM-SHA-256 " + base64.b64encode(f"n,,{bare}".encode()).decode())
if code == 334:
    challenge = base64.b64decode(reply).decode()
    fields = dict(field.split("=", 1) for field in challenge.split(","))
    assert fields["r"].startswith("fyko+d2lbbFgONRv9qkxdawL") and len(fields["r"]) > 40, challenge
    assert int(fields["i"]) >= 4096, challenge
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
    unproven = f"c=biws,r={fields['r']}"
    said = f"{bare},{challenge},{unproven}"
    key = mac(salted, "Client Key")
    proof = bytes(one ^ other for one, other in zip(key, mac(sha(key), said)))
    last = f"{unproven},p={base64.b64encode(proof).decode()}"
    code, reply = client.docmd(base64.b64encode(last.encode()).decode())
    if code == 334:
        ours = "v=" + base64.b64encode(mac(mac(salted, "Server Key"), said)).decode()
        assert base64.b64decode(reply).decode() == ours, "the server has not the keys either"
        code, reply = client.docmd("")
print(code)
