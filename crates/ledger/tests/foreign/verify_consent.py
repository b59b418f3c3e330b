"""Check a file of evidence of consent as its README says, with software that shares no code with ours: zipfile, hashlib
and hmac of Python, and cryptography (Ed25519).

    verify_consent.py FILE VKEY

Prints `ok receipts=N words=HEX` and exits 0, or one sentence that begins with `fault:` and exits 1. Formats: C2SP
tlog-proof, signed-note, tlog-checkpoint; RFC 9162 §2.1.3.2.
"""

import base64
import hashlib
import hmac
import json
import sys
import zipfile

from cryptography.exceptions import InvalidSignature
from verify_log import Fault, read_vkey


def digest(octets):
    return hashlib.sha256(octets).digest()


def signed_root(text, vkey):
    name, key_id, public = read_vkey(vkey)
    body, _, signatures = text.rpartition("\n\n")
    body += "\n"
    for line in signatures.splitlines():
        dash, signer, encoded = line.split(" ")
        signature = base64.b64decode(encoded, validate=True)
        if dash == "\u2014" and signer == name and signature[:4] == key_id:
            try:
                public.verify(signature[4:], body.encode())
            except InvalidSignature:
                raise Fault("the signature does not match") from None
            origin, size, root = body.splitlines()[:3]
            if origin != name:
                raise Fault("the checkpoint belongs to another log")
            return int(size), base64.b64decode(root, validate=True)
    raise Fault("the checkpoint is not signed by the log")


def included(leaf, index, size, path, root):
    first, last, node = index, size - 1, digest(b"\0" + leaf)
    for sibling in path:
        if last == 0:
            return False
        if first % 2 or first == last:
            node = digest(b"\1" + sibling + node)
            while first % 2 == 0 and first:
                first, last = first >> 1, last >> 1
        else:
            node = digest(b"\1" + node + sibling)
        first, last = first >> 1, last >> 1
    return last == 0 and node == root


def leaf_of(receipt, vkey):
    head, _, checkpoint = receipt.partition("\n\n")
    lines = head.split("\n")
    if lines[0] != "c2sp.org/tlog-proof@v1":
        raise Fault("not a tlog-proof")
    leaf = base64.b64decode(lines[1].removeprefix("extra "), validate=True)
    index = int(lines[2].removeprefix("index "))
    size, root = signed_root(checkpoint, vkey)
    if not included(leaf, index, size, [base64.b64decode(line) for line in lines[3:]], root):
        raise Fault("the receipt does not lead to the signed root")
    return json.loads(leaf)


def listed(parts, name):
    pairs = (line.split("  ", 1) for line in parts[name].decode().splitlines())
    return {about: value for value, about in pairs}


def verify(file, vkey):
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for name, value in listed(parts, "SHA256SUMS").items():
        if digest(parts[name]).hex() != value:
            raise Fault(name + " was changed")
    words = digest(parts["notice.txt"]).hex()
    record = json.loads(parts["record.jsonld"])
    if record["dpv:hasNotice"]["schema:sha256"] != words:
        raise Fault("the words are others")
    person = record["dpv:hasDataSubject"]["dct:identifier"]
    for name in parts:
        if name.startswith("act-") and name.endswith(".json"):
            act = json.loads(parts[name])
            if act["v"] >= 2 and act["subject"] != person:
                raise Fault(name + " is about another person")
    blinds = listed(parts, "blinds.txt")
    for about, blind in blinds.items():
        receipt = "export.tlog-proof" if about == "SHA256SUMS" else about.replace(".json", ".tlog-proof")
        leaf = leaf_of(parts[receipt].decode(), vkey)
        commitment = hmac.new(bytes.fromhex(blind), digest(parts[about]), "sha256").hexdigest()
        if leaf["commit"] != commitment:
            raise Fault("the log says that " + about + " is not what was kept")
        if about != "SHA256SUMS" and json.loads(parts[about])["event"] != leaf["id"]:
            raise Fault("the receipt is that of another event")
    return "ok receipts=%d words=%s" % (len(blinds), words)


def main(arguments):
    try:
        print(verify(arguments[0], arguments[1]))
    except Fault as fault:
        print("fault:", fault)
        return 1
    except zipfile.BadZipFile:
        print("fault: the archive is damaged")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
