"""Judges DKIM signatures with dkimpy.

Usage: dkim_dkimpy.py DIRECTORY
DIRECTORY holds messages (*.eml) and keys.txt, one `name<TAB>TXT record` a line; no DNS is asked.
Prints one line per signature: file<TAB>index<TAB>pass or fail.
"""
import pathlib
import sys

import dkim


def main():
    directory = pathlib.Path(sys.argv[1])
    keys = {}
    for line in (directory / "keys.txt").read_text().splitlines():
        name, record = line.split("\t", 1)
        keys[name] = record

    def txt(name, timeout=5):
        name = name.decode() if isinstance(name, bytes) else name
        record = keys.get(name.rstrip("."))
        return record.encode() if record is not None else None

    for path in sorted(directory.glob("*.eml")):
        message = path.read_bytes()
        count = sum(1 for name, _ in dkim.rfc822_parse(message)[0] if name.lower() == b"dkim-signature")
        for index in range(count):
            try:
                passed = dkim.DKIM(message).verify(idx=index, dnsfunc=txt)
            except dkim.DKIMException:
                passed = False
            print(f"{path.name}\t{index}\t{'pass' if passed else 'fail'}")


main()
