"""Check a ledger folder with software that shares no code with the ledger: pymerkle (trees) and cryptography (Ed25519).

    verify_log.py FOLDER VKEY [EARLIER_CHECKPOINT_FILE]

Recomputes the root from the entry bundles, checks the log's signature, and, given an earlier checkpoint of the same
log, verifies a consistency proof between the two. Prints `ok size=N root=HEX` and exits 0, or one sentence that begins
with `fault:` and exits 1. Formats: C2SP signed-note, tlog-checkpoint, tlog-tiles; RFC 6962 trees.
"""

import base64
import hashlib
import pathlib
import struct
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pymerkle import InmemoryTree, InvalidProof


class Fault(Exception):
    """What is wrong with the log."""


def read_vkey(text):
    name, key_id, encoded = text.split("+", 2)
    key = base64.b64decode(encoded, validate=True)
    if hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex() != key_id or key[0] != 1:
        raise Fault("the verifier key is not an Ed25519 key of that name")
    return name, bytes.fromhex(key_id), Ed25519PublicKey.from_public_bytes(key[1:])


def read_checkpoint(path, vkey):
    name, key_id, public = read_vkey(vkey)
    text = path.read_text(encoding="utf-8")
    body, _, signatures = text.rpartition("\n\n")
    body += "\n"
    for line in signatures.splitlines():
        dash, signer, encoded = line.split(" ")
        signature = base64.b64decode(encoded, validate=True)
        if dash == "\u2014" and signer == name and signature[:4] == key_id:
            try:
                public.verify(signature[4:], body.encode())
            except InvalidSignature:
                raise Fault("the signature of " + path.name + " does not match") from None
            origin, size, root = body.splitlines()[:3]
            if origin != name:
                raise Fault(path.name + " belongs to another log")
            return int(size), base64.b64decode(root, validate=True)
    raise Fault(path.name + " is not signed by the log")


def tile_path(index):
    groups = ["%03d" % (index % 1000)]
    while index >= 1000:
        index //= 1000
        groups.insert(0, "x%03d" % (index % 1000))
    return "/".join(groups)


def read_entries(folder, size):
    for index in range((size + 255) // 256):
        width = min(256, size - index * 256)
        path = folder / "tile" / "entries" / tile_path(index)
        if width < 256 and not path.exists():
            path = path.with_name(path.name + ".p") / str(width)
        if not path.exists():
            raise Fault("bundle %d is missing" % index)
        bundle, position = path.read_bytes(), 0
        for number in range(width):
            (length,) = struct.unpack_from(">H", bundle.ljust(position + 2, b"\0"), position)
            entry = bundle[position + 2 : position + 2 + length]
            if position + 2 > len(bundle) or len(entry) != length:
                raise Fault("entry %d is missing" % (index * 256 + number))
            position += 2 + length
            yield entry


def verify(folder, vkey, earlier):
    size, root = read_checkpoint(folder / "checkpoint", vkey)
    tree = InmemoryTree(algorithm="sha256")
    for entry in read_entries(folder, size):
        tree.append_entry(entry)
    if tree.get_root() != root:
        raise Fault("the entries do not lead to the signed root")
    if earlier is not None:
        old_size, old_root = read_checkpoint(earlier, vkey)
        if old_size > size:
            raise Fault("the log is shorter than at the earlier checkpoint")
        proof = tree.prove_consistency(old_size, size)
        try:
            proof.verify(old_root, root, prior_size=old_size, later_size=size)
        except InvalidProof:
            raise Fault("the log does not extend the earlier checkpoint") from None
    return "ok size=%d root=%s" % (size, root.hex())


def main(arguments):
    folder, vkey = pathlib.Path(arguments[0]), arguments[1]
    earlier = pathlib.Path(arguments[2]) if len(arguments) > 2 else None
    try:
        print(verify(folder, vkey, earlier))
    except Fault as fault:
        print("fault:", fault)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
